"""Wage arrears, labour arbitration and court cases: who could be supported to sue."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta

from chuxiong.demo import identifiers, names, places
from chuxiong.demo.calendar import between, days_ago, month_first
from chuxiong.demo.defects import Places, Row
from chuxiong.demo.files import Deliveries, Sheet
from chuxiong.demo.firms import Firm, Project, firms, pick, projects
from chuxiong.demo.people import Person, Population
from chuxiong.demo.plan import Plan
from chuxiong.demo.truth import Class, Truth

RULE = "wage_support_suit"
_WAGES = Places(
    ids=("反映人身份证号",),
    names=("反映人姓名",),
    dates=("登记日期", "离岗（完工）日期"),
    money=("欠薪金额（元）",),
    divisions=("属地",),
    orgs=("被反映单位",),
    phones=("联系电话",),
    optional=("离岗（完工）日期", "证据材料"),
    ditto=("承办单位",),
    spreadsheet=True,
)
_ARBITRATION = Places(
    names=("申请人",),
    dates=("受理日期", "申请日期"),
    money=("请求金额（元）",),
    orgs=("被申请人",),
    optional=("申请人电话",),
    ditto=("工程项目名称",),
    spreadsheet=True,
)
_TRIAL = Places(names=("承办法官",), dates=("立案日期",), cases=("案号",), optional=("适用程序", "审判组织"))
_WAGE_SHEET = Sheet(
    title="楚雄州欠薪线索台账",
    groups=(
        ("", 1),
        ("", 1),
        ("", 1),
        ("反映人", 3),
        ("被反映单位情况", 8),
        ("欠薪情况", 8),
        ("", 1),
        ("", 1),
        ("", 1),
        ("", 1),
        ("", 1),
        ("", 1),
        ("", 1),
    ),
    footer=(("合计",), ("填表人：演示",)),
)


@dataclass
class Market:
    """Workers, employers and projects, and the rows of the three feeds."""

    plan: Plan
    people: Population
    today: date
    truth: Truth
    wages: list[Row] = field(default_factory=list)
    arbitrations: list[Row] = field(default_factory=list)
    trials: list[Row] = field(default_factory=list)
    paid_later: list[Row] = field(default_factory=list)
    #: (firm, day on which its creditor filed for enforcement, way of closing) of employers who agreed to wages in bulk
    sham: list[tuple[Firm, date, str]] = field(default_factory=list)
    #: (firm, worker, first month) of those among them whom the employer had insured
    insured: list[tuple[Firm, Person, date]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = self.plan.draw("wages")
        count = max(30, self.plan.size["wages"] // 6)
        self.firms = firms(self.plan, count, "builders", "建筑业")
        self.projects = projects(self.plan, self.firms, count)
        self.limits = self.plan.boundaries["wage"]
        # Arbitration is delivered monthly: on day 0 the last hand-over lies this far back.
        low, high = self.limits["arbitration_gap_days"]
        self.arbitration_covers = days_ago(self.draw, self.today, low, high)


def cast_wages(market: Market) -> None:
    for kind in (
        "unpaid",
        "namesake_filed",
        "arbitration_filed",
        "suit_filed",
        "settled",
        "small_amount",
        "too_young",
        "paid_by_correction",
        "not_yet_covered",
    ):
        for number in range(market.plan.cases(RULE, kind)):
            _case(market, kind, number)


_WHY: dict[str, tuple[Class, str]] = {
    "unpaid": ("hit", "欠薪久拖未付，既未仲裁也未起诉"),
    "namesake_filed": ("hit", "欠薪未付；提起仲裁的是同名的另一人"),
    "arbitration_filed": ("near_miss", "已申请劳动仲裁"),
    "suit_filed": ("near_miss", "已向法院起诉"),
    "settled": ("near_miss", "已办结并足额支付"),
    "small_amount": ("near_miss", "欠薪金额很小"),
    "too_young": ("near_miss", "登记不久，仍在办理期限内"),
    "paid_by_correction": ("innocent", "更正文件：已足额支付并办结"),
    "not_yet_covered": ("undecided", "仲裁数据尚未报送到期限届满之日"),
}


def _case(market: Market, kind: str, number: int) -> None:
    draw, today, limits = market.draw, market.today, market.limits
    person = market.people.take("others")
    age = between(draw, *limits["hit_age_days"])
    amount = between(draw, *limits["hit_amount_yuan"])
    if kind == "too_young":
        age = between(draw, *limits["young_age_days"])
    if kind == "small_amount":
        amount = between(draw, *limits["small_amount_yuan"])
    if kind == "not_yet_covered":
        age = limits["min_age_days"] + _overdue(market, number)
    registered = today - timedelta(days=age)
    row = _wage_row(market, person, registered, amount, len(market.wages))
    market.wages.append(row)
    filed = registered + timedelta(days=between(draw, 10, 60))
    if kind == "settled":
        row |= _paid(amount, filed)
    if kind == "arbitration_filed":
        market.arbitrations.append(arbitration_row(market, person, row, filed, len(market.arbitrations)))
    if kind == "suit_filed":
        market.trials.append(_wage_suit(market, person, row, filed, len(market.trials)))
    if kind == "namesake_filed":
        other = identifiers.other_number(draw, person.citizen_id, market.people.ids)
        namesake = Person(**{**vars(person), "citizen_id": other})
        market.arbitrations.append(arbitration_row(market, namesake, row, filed, len(market.arbitrations)))
    if kind == "paid_by_correction":
        market.paid_later.append(row | _paid(amount, today - timedelta(days=1)))
    cls, why = _WHY[kind]
    measures = {"clue_no": row["线索编号"], "registered": registered.isoformat(), "amount_fen": amount * 100}
    market.truth.expect(RULE, kind, cls, "person", person.citizen_id, why, measures)
    if kind == "not_yet_covered" and number % 2:
        late = "第 1 天补报的仲裁数据仍无此人：欠薪久拖未付，既未仲裁也未起诉"
        market.truth.expect(RULE, kind, "hit", "person", person.citizen_id, late, measures, from_day=1)


def _overdue(market: Market, number: int) -> int:
    """Days since the waiting time ended: after what arbitration has delivered, for every second case also after
    what the late delivery of day 1 reaches."""
    gap, late = (market.today - market.arbitration_covers).days, market.limits["late_arbitration_gap_days"]
    return between(market.draw, late + 3, gap - 4) if number % 2 else between(market.draw, 3, late - 3)


def _paid(amount: int, day: date) -> Row:
    return {
        "办理状态": "办结",
        "办结日期": day.isoformat(),
        "已支付金额（元）": str(amount),
        "办理结果": "用人单位已足额支付",
    }


def _wage_row(market: Market, person: Person, registered: date, amount: int, number: int) -> Row:
    draw = market.draw
    project: Project = market.projects[int(draw.integers(0, len(market.projects)))]
    firm: Firm = pick(draw, market.firms)
    left = registered - timedelta(days=between(draw, 5, 40))
    begun = left - timedelta(days=between(draw, 60, 240))
    return {
        "线索编号": f"QX{project.county}{registered:%Y%m%d}{number:05d}",
        "线索来源": str(draw.choice(["国家平台", "12345", "来访", "12333"])),
        "登记日期": registered.isoformat(),
        "反映人姓名": person.name,
        "反映人身份证号": person.citizen_id,
        "联系电话": person.phone,
        "被反映单位": firm.name,
        "统一社会信用代码": firm.credit_code,
        "工程项目名称": project.name,
        "项目编码": project.code if draw.random() < 0.3 else "",
        "施工总承包单位": project.contractor.name,
        "施工总承包单位统一社会信用代码": project.contractor.credit_code,
        "班组长（包工头）姓名": names.single(draw),
        "班组长身份证号": "",
        "所属行业": "建筑业",
        "欠薪人数": "1",
        "欠薪金额（元）": str(amount),
        "欠薪时段": f"{begun.year}年{begun.month}月至{left.year}年{left.month}月",
        "用工形式": str(draw.choice(["口头用工", "劳务分包", "班组承揽"])),
        "离岗（完工）日期": left.isoformat(),
        "证据材料": "欠条1张、考勤表、微信转账记录",
        "是否同意引导诉讼": "是",
        "属地": project.county,
        "承办单位": f"{places.COUNTIES[project.county]}劳动保障监察大队",
        "办理状态": str(draw.choice(["待核实", "立案", "协调支付"])),
        "办结日期": "",
        "已支付金额（元）": "0",
        "办理结果": "",
        "备注": "",
    }


def arbitration_row(market: Market, person: Person, wage: Row, filed: date, number: int) -> Row:
    county = wage["属地"]
    amount = wage["欠薪金额（元）"]
    accepted = filed + timedelta(days=1)
    return {
        "仲裁案号": f"{places.COUNTIES[county][:1]}劳人仲案字〔{accepted.year}〕第{number + 1}号",
        "申请人序号": "1",
        "仲裁机构": f"{places.COUNTIES[county]}劳动人事争议仲裁委员会",
        "属地": county,
        "申请日期": filed.isoformat(),
        "受理日期": accepted.isoformat(),
        "申请人": person.name,
        "申请人证件号码": person.citizen_id,
        "申请人电话": person.phone,
        "是否农民工": "是",
        "被申请人": wage["被反映单位"],
        "被申请人统一社会信用代码": wage["统一社会信用代码"],
        "申请人代理人": "",
        "代理人证件号码": "",
        "代理人单位": "",
        "被申请人代理人": "",
        "争议类型": "劳动报酬",
        "仲裁请求": f"请求支付拖欠工资{amount}元",
        "请求金额（元）": amount,
        "工程项目名称": wage["工程项目名称"],
        "主张劳动关系起": "",
        "主张劳动关系止": "",
        "审理方式": "独任",
        "被申请人是否缺席": "否",
        "结案方式": "",
        "裁决（调解）结果": "",
        "确认金额（元）": "",
        "是否终局裁决": "",
        "结案日期": "",
        "送达日期": "",
        "是否起诉": "否",
        "诉讼案号": "",
        "备注": "",
    }


def trial_row(market: Market, county: str, filed: date, number: int, cause: str, amount: int) -> Row:
    code = places.court_code(county)
    return {
        "案号": f"（{filed.year}）{code}民初{number + 1}号",
        "原审案号": "",
        "经办法院": places.courts(county),
        "法院代字": code,
        "案件类型": "民初",
        "案由": cause,
        "立案日期": filed.isoformat(),
        "原告（申请人）": "",
        "原告证件号码": "",
        "被告（被申请人）": "",
        "被告证件号码": "",
        "代理人": "",
        "代理人证件（执业证）号": "",
        "代理人单位": "",
        "标的额（元）": str(amount),
        "裁判（调解）确认金额（元）": "",
        "承办法官": names.single(market.draw),
        "适用程序": "简易",
        "审判组织": "独任",
        "是否公告送达": "否",
        "是否缺席审理": "否",
        "结案日期": "",
        "结案方式": "",
        "生效日期": "",
    }


def _wage_suit(market: Market, person: Person, wage: Row, filed: date, number: int) -> Row:
    """The claim of a worker, who sues with a colleague: two plaintiffs in one cell (D19)."""
    row = trial_row(market, wage["属地"], filed, number, "追索劳动报酬纠纷", int(wage["欠薪金额（元）"]))
    colleague = market.people.take("others")
    return row | {
        "原告（申请人）": f"{person.name}、{colleague.name}",
        "原告证件号码": f"{person.citizen_id}、{colleague.citizen_id}",
        "被告（被申请人）": wage["被反映单位"],
        "被告证件号码": wage["统一社会信用代码"],
    }


def _background(market: Market) -> None:
    """Settled arrears, other disputes and other suits: nothing in them meets the rule."""
    draw, size, today = market.draw, market.plan.size, market.today
    for _ in range(size["wages"]):
        registered, amount = days_ago(draw, today, 40, 330), between(draw, 1500, 80_000)
        row = _wage_row(market, market.people.take("others"), registered, amount, len(market.wages))
        market.wages.append(row | _paid(amount, registered + timedelta(days=between(draw, 5, 35))))
    for _ in range(size["arbitrations"]):
        applied = market.arbitration_covers - timedelta(days=between(draw, 5, 330))
        wage = _wage_row(market, market.people.take("others"), applied, between(draw, 3000, 90_000), 0)
        person = market.people.take("others")
        market.arbitrations.append(
            arbitration_row(market, person, wage, applied, len(market.arbitrations))
            | {"争议类型": str(draw.choice(["确认劳动关系", "社会保险", "工伤待遇", "经济补偿"]))}
        )
    for _ in range(size["trials"]):
        market.trials.append(_suit(market, days_ago(draw, today, 5, 330)))


def _suit(market: Market, filed: date) -> Row:
    draw = market.draw
    county = str(draw.choice(list(places.COUNTIES), p=places.SHARES / places.SHARES.sum()))
    cause = str(
        draw.choice(
            ["民间借贷纠纷", "离婚纠纷", "买卖合同纠纷", "机动车交通事故责任纠纷", "物业服务合同纠纷"]
        )
    )
    row = trial_row(market, county, filed, len(market.trials), cause, between(draw, 2000, 300_000))
    one, two = market.people.bystander(draw), market.people.bystander(draw)
    row |= {
        "原告（申请人）": one.name,
        "原告证件号码": one.citizen_id,
        "被告（被申请人）": two.name,
        "被告证件号码": two.citizen_id,
    }
    return row


def write_wages(market: Market, files: Deliveries) -> None:
    """Day 0: the ledgers, arbitration in two layouts, a correction; day 1: late arbitration; day 2: new rows."""
    today, planted = market.today, (len(market.wages), len(market.arbitrations), len(market.trials))
    _background(market)
    yesterday = today - timedelta(days=1)
    files.workbook(
        "hr_wage_arrears",
        market.wages,
        _WAGE_SHEET,
        day=0,
        period=f"{yesterday:%Y%m%d}",
        covers=yesterday,
        free=list(range(planted[0], len(market.wages))),
        places=_WAGES,
    )
    _write_arbitrations(market, files, planted[1])
    files.csv_rows(
        "ct_trial_case",
        market.trials,
        day=0,
        period=f"{yesterday:%Y%m%d}",
        covers=yesterday,
        encoding="utf-8-sig",
        free=list(range(planted[2], len(market.trials))),
        places=_TRIAL,
    )
    files.workbook(
        "hr_wage_arrears", market.paid_later, _WAGE_SHEET, day=0, period=f"{today:%Y%m%d}_更正", covers=today
    )
    reached = today - timedelta(days=market.limits["late_arbitration_gap_days"])
    # A row that no planted fault has touched: the late file itself is clean.
    clean = next(w for w in reversed(market.wages) if w["属地"] in places.COUNTIES)
    late = arbitration_row(market, market.people.take("others"), clean, reached, len(market.arbitrations))
    files.workbook(
        "hr_labour_arbitration",
        [late],
        _county_sheet(0),
        day=1,
        period=f"{month_first(today):%Y%m}_补报",
        covers=reached,
    )
    market.trials.append(_suit(market, today))
    day_1 = today + timedelta(days=1)
    files.csv_rows(
        "ct_trial_case",
        [market.trials[-1]],
        day=1,
        period=f"{day_1:%Y%m%d}",
        covers=today,
        encoding="utf-8-sig",
    )
    fresh = [
        _wage_row(market, market.people.take("others"), today, 12_000 + n, len(market.wages) + n)
        for n in range(3)
    ]
    files.workbook("hr_wage_arrears", fresh, _WAGE_SHEET, day=2, period=f"{today:%Y%m%d}", covers=day_1)


def _write_arbitrations(market: Market, files: Deliveries, planted: int) -> None:
    """County files in two layouts (D33): 楚雄市 with a title and its own order of columns, the others plain."""
    own = [i for i, row in enumerate(market.arbitrations) if row["属地"] == "532301"]
    rest = [i for i, row in enumerate(market.arbitrations) if row["属地"] != "532301"]
    for layout, (short, chosen) in enumerate((("楚雄市", own), ("其他县市", rest))):
        rows = [_laid_out(market.arbitrations[i], layout) for i in chosen]
        free = [at for at, i in enumerate(chosen) if i >= planted] if layout else None
        if not rows:
            continue
        files.workbook(
            "hr_labour_arbitration",
            rows,
            _county_sheet(layout),
            day=0,
            period=f"{market.arbitration_covers:%Y%m}_{short}",
            covers=market.arbitration_covers,
            free=free,
            places=_ARBITRATION,
        )
        market.truth.defect("hr_labour_arbitration", files.last_file, 0, "D33", "mended")


def _county_sheet(layout: int) -> Sheet:
    return (
        Sheet(title="劳动人事争议案件登记表", footer=(("填表人：演示",),)) if layout == 0 else Sheet(title="")
    )


def _laid_out(row: Row, layout: int) -> Row:
    if layout:
        return row
    first = ("仲裁案号", "受理日期", "申请人", "申请人证件号码", "被申请人")
    return {h: row[h] for h in (*first, *(h for h in row if h not in first))}
