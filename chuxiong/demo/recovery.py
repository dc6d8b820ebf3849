"""The procuratorate's own cases: losses of victims that nobody went after; and judgments on some of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from chuxiong.demo import names, places
from chuxiong.demo.calendar import between, days_ago
from chuxiong.demo.defects import Places, Row
from chuxiong.demo.files import Deliveries
from chuxiong.demo.judgments import judgment
from chuxiong.demo.people import Person, Population
from chuxiong.demo.plan import Plan
from chuxiong.demo.truth import Class, Truth

RULE = "recovery_not_pursued"
_PROPERTY = ("盗窃罪", "诈骗罪", "职务侵占罪", "合同诈骗罪", "挪用资金罪", "敲诈勒索罪", "信用卡诈骗罪")
_OTHER = ("危险驾驶罪", "交通肇事罪", "故意伤害罪", "开设赌场罪", "寻衅滋事罪", "滥伐林木罪")
_CASES = Places(
    names=("承办检察官",),
    dates=("受理日期", "决定日期"),
    moments=("案发时间",),
    money=("涉案金额（元）", "被害人损失金额（元）"),
    optional=("法律文书文号",),
)
_TEXTS = Places(names=("案件名称", "法院名称"), cases=("案号",))


@dataclass
class Docket:
    """Cases of the eleven offices. ``planted``: how many rows belong to the rule's cases."""

    plan: Plan
    people: Population
    today: date
    truth: Truth
    rows: list[Row] = field(default_factory=list)
    corrected: list[Row] = field(default_factory=list)
    #: (convict, number of the judgment, day filed for enforcement) of property parts that the court holds
    handed_over: list[tuple[Person, str, date]] = field(default_factory=list)
    #: (kind, person, day accepted by the police) of suspects whose arrest was refused
    refused: list[tuple[str, Person, date]] = field(default_factory=list)
    planted: int = 0

    def __post_init__(self) -> None:
        self.draw = self.plan.draw("cases")
        self.limits = self.plan.boundaries["recovery"]


_WHY: dict[str, tuple[Class, str]] = {
    "assets_unhandled": ("hit", "有损失几乎未追回，查扣冻财物未处置"),
    "plea_without_clause": ("hit", "有损失几乎未追回，认罪认罚而具结书未载明退赃退赔"),
    "bail": ("hit", "有损失几乎未追回，取保候审且具结书未载明退赔"),
    "not_prosecuted": ("hit", "酌定不起诉而损失几乎未追回，未要求退赔"),
    "no_loss": ("near_miss", "没有被害人损失"),
    "enough_recovered": ("near_miss", "已追回相当部分"),
    "no_signal": ("near_miss", "没有可供追缴的迹象：在押、无查扣冻财物、未认罪认罚"),
    "pooled": ("innocent", "涉众型案件，另有专案处置"),
    "minor": ("innocent", "未成年人案件"),
    "returned": ("innocent", "财物已发还，损失已挽回"),
    "corrected": ("innocent", "更正文件：补录了追赃挽损金额"),
    "loss_unknown": ("undecided", "被害人损失金额未填"),
}


def cast_recovery(docket: Docket) -> None:
    for kind in _WHY:
        for number in range(docket.plan.cases(RULE, kind)):
            _case(docket, kind, number)
    _judged(docket)
    docket.planted = len(docket.rows)


def _case(docket: Docket, kind: str, number: int) -> None:
    draw, limits = docket.draw, docket.limits
    loss = between(draw, *limits["hit_loss_yuan"])
    share = float(draw.uniform(*limits["hit_share"])) if number % 2 else 0.0
    if kind == "enough_recovered":
        share = float(draw.uniform(*limits["near_share"]))
    row = case_row(
        docket,
        docket.people.take("others"),
        str(draw.choice(_PROPERTY)),
        days_ago(draw, docket.today, 20, 240),
    )
    row |= _open(loss, int(loss * share)) | _signal(kind, number, loss)
    if row["处理结果"] == "不诉":
        decided = date.fromisoformat(row["决定日期"])
        row |= opinion(row, decided, decided + timedelta(days=1))
    docket.rows.append(row)
    if kind in ("assets_unhandled", "plea_without_clause") and number % 3 == 0:
        # A second party: the case with its amounts stands in each row.
        second = docket.people.take("others")
        docket.rows.append(
            row | {"当事人编号": "002", "当事人姓名": second.name, "当事人证件号码": second.citizen_id}
        )
    if kind == "corrected":
        docket.corrected.append(row | {"追赃挽损金额（元）": str(loss), "查扣冻财物处置情况": "已发还"})
    cls, why = _WHY[kind]
    measures: dict[str, Any] = {
        "loss_fen": None if kind == "loss_unknown" else loss * 100,
        "recovered_fen": int(loss * share) * 100,
    }
    docket.truth.expect(RULE, kind, cls, "case", row["统一受案号"], why, measures)


def opinion(case: Row, issued: date, answered: date | None) -> Row:
    """What the case card says of an opinion to the police on a penalty, answered or not."""
    county = next(c for c, name in places.COUNTIES.items() if case["承办单位"].startswith(name))
    return {
        "检察意见书文号": f"{places.COUNTIES[county][:1]}检意〔{issued.year}〕{case['统一受案号'][-5:]}号",
        "检察意见受文机关": f"{places.COUNTIES[county]}公安局",
        "检察意见制发日期": issued.isoformat(),
        "检察意见回复日期": answered.isoformat() if answered else "",
        "检察意见回复结果": "已处罚" if answered else "",
    }


#: (kind, cases, column of the amount, days since effective or none, days until filed or none, verdict, why)
_JUDGED: tuple[tuple[str, int, str, int | None, int | None, Class, str], ...] = (
    ("fine", 4, "判处罚金（元）", 150, None, "hit", "判决生效五个月，罚金没有执行立案"),
    ("confiscation", 2, "没收财产（元）", 150, None, "hit", "判决生效五个月，没收财产没有执行立案"),
    ("restitution", 2, "责令退赔（追缴）金额（元）", 150, None, "hit", "判决生效五个月，退赔没有执行立案"),
    ("filed", 5, "判处罚金（元）", 150, 12, "near_miss", "生效后十二日执行立案"),
    ("fresh", 3, "判处罚金（元）", 10, None, "near_miss", "刚刚生效"),
    ("no_amount", 3, "", 150, None, "near_miss", "没有财产性判项"),
    ("undated", 3, "判处罚金（元）", None, None, "undecided", "生效日期未填写"),
)


def _judged(docket: Docket) -> None:
    """CR-09: judgments in effect with a property part, filed for enforcement in time or not at all."""
    draw = docket.plan.draw("judged")
    for kind, count, column, effective, filed, cls, why in _JUDGED:
        for _ in range(count):
            person = docket.people.take("others")
            row = case_row(docket, person, "交通肇事罪", days_ago(draw, docket.today, 260, 320))
            day = docket.today - timedelta(days=effective or 150)
            judgment_no = f"（{day.year}）{places.court_code(person.county)}刑初{8000 + len(docket.rows)}号"
            row |= {"判决案号": judgment_no, "判决生效日期": day.isoformat() if effective else ""}
            if column:
                row[column] = str(between(draw, 2, 60) * 1000)
            if filed:
                docket.handed_over.append((person, judgment_no, day + timedelta(days=filed)))
            docket.rows.append(row)
            docket.truth.expect("property_penalty_not_enforced", kind, cls, "case", row["统一受案号"], why)


def _open(loss: int, recovered: int) -> Row:
    return {
        "涉案金额（元）": str(loss),
        "被害人损失金额（元）": str(loss),
        "追赃挽损金额（元）": str(recovered),
        "查扣冻财物价值（元）": "0",
        "查扣冻财物处置情况": "",
        "强制措施": "逮捕",
        "是否认罪认罚": "否",
        "具结书是否载明退赃退赔": "否",
    }


def _signal(kind: str, number: int, loss: int) -> Row:
    """What makes a case of this kind."""
    unhandled = {"查扣冻财物价值（元）": str(loss // 2), "查扣冻财物处置情况": "未处置"}
    plea = {"是否认罪认罚": "是", "具结书是否载明退赃退赔": "否"}
    found: dict[str, Row] = {
        "plea_without_clause": plea,
        "bail": plea | {"强制措施": "取保候审"},
        "not_prosecuted": plea | {"强制措施": "取保候审", "处理结果": "不诉", "不起诉类型": "酌定"},
        "no_loss": unhandled
        | {"涉案金额（元）": str(loss), "被害人损失金额（元）": "0", "追赃挽损金额（元）": "0"},
        "enough_recovered": plea,
        "no_signal": {},
        "pooled": unhandled | {"是否涉众型案件": "是"},
        "minor": unhandled | {"是否未成年": "是"},
        "returned": {
            "追赃挽损金额（元）": str(loss),
            "查扣冻财物价值（元）": str(loss),
            "查扣冻财物处置情况": "已发还",
            "强制措施": "取保候审",
            "是否认罪认罚": "是",
            "具结书是否载明退赃退赔": "是",
        },
        "loss_unknown": unhandled | {"被害人损失金额（元）": ""},
    }
    return found.get(kind, unhandled)


def case_row(docket: Docket, person: Person, charge: str, accepted: date) -> Row:
    draw, county, number = docket.draw, person.county, len(docket.rows)
    done = accepted + timedelta(days=between(draw, 5, 18))
    happened = accepted - timedelta(days=between(draw, 30, 120))
    row: Row = {
        "统一受案号": f"{county}{accepted.year}{number:07d}",
        "当事人编号": "001",
        "部门受案号": "",
        "承办单位": places.prosecutors(county),
        "案件类别": "审查起诉",
        "案件名称": f"{person.name}涉嫌{charge}案",
        "案由（罪名）": charge,
        "受理日期": accepted.isoformat(),
        "移送单位": f"{places.COUNTIES[county]}公安局",
        "移送案号": f"{places.COUNTIES[county][:1]}公诉字〔{accepted.year}〕{number + 1}号",
        "当事人姓名": person.name,
        "当事人证件号码": person.citizen_id,
        "是否未成年": "否",
        "强制措施": "逮捕",
        "被害人姓名": names.single(draw),
        "被害人证件号码": "",
        "被害人是否未成年": "否",
        "案发时间": f"{happened.isoformat()} {between(draw, 0, 23):02d}:{between(draw, 0, 59):02d}:00",
        "案发地点": f"{places.COUNTIES[county]}{person.town}",
        "案发场所类型": "其他",
        "承办检察官": f"检察官{names.single(draw)[0]}某",
    }
    return row | _result(done, county, number, accepted)


def _result(done: date, county: str, number: int, accepted: date) -> Row:
    return {
        "涉案金额（元）": "0",
        "被害人损失金额（元）": "0",
        "查扣冻财物价值（元）": "0",
        "查扣冻财物处置情况": "",
        "追赃挽损金额（元）": "0",
        "是否认罪认罚": "否",
        "具结书是否载明退赃退赔": "否",
        "是否涉众型案件": "否",
        "是否涉黑恶案件": "否",
        "处理结果": "起诉",
        "不捕理由": "",
        "不起诉类型": "",
        "决定日期": done.isoformat(),
        "检察意见书文号": "",
        "检察意见受文机关": "",
        "检察意见制发日期": "",
        "检察意见回复日期": "",
        "检察意见回复结果": "",
        "审结日期": done.isoformat(),
        "法律文书文号": f"{places.COUNTIES[county][:1]}检刑诉〔{accepted.year}〕{number + 1}号",
        "判决案号": "",
        "判决生效日期": "",
        "判决刑期": "",
        "判处罚金（元）": "",
        "没收财产（元）": "",
        "责令退赔（追缴）金额（元）": "",
        "从业禁止（禁止令）内容": "",
    }


def _background(docket: Docket) -> None:
    """Cases without a victim's loss, and property cases where nearly everything came back."""
    draw = docket.draw
    for _ in range(docket.plan.size["cases"]):
        person = docket.people.take("others")
        accepted = days_ago(draw, docket.today, 20, 330)
        if draw.random() < 0.3:
            row = case_row(docket, person, str(draw.choice(_PROPERTY)), accepted)
            loss = between(draw, 3000, 200_000)
            row |= _open(loss, int(loss * draw.uniform(0.5, 1.0))) | {
                "具结书是否载明退赃退赔": "是",
                "是否认罪认罚": "是",
            }
        else:
            row = case_row(docket, person, str(draw.choice(_OTHER)), accepted)
        docket.rows.append(row)


def write_recovery(docket: Docket, files: Deliveries) -> None:
    """Day 0: the docket, a correction, judgments; day 1: one more case."""
    today, yesterday = docket.today, docket.today - timedelta(days=1)
    _background(docket)
    texts = _judgments(docket)
    files.csv_rows(
        "pr_case",
        docket.rows,
        day=0,
        period=f"{yesterday:%Y%m%d}",
        covers=yesterday,
        encoding="utf-8-sig",
        free=list(range(docket.planted, len(docket.rows))),
        places=_CASES,
    )
    files.csv_rows(
        "pr_case",
        docket.corrected,
        day=0,
        period=f"{today:%Y%m%d}_更正",
        covers=yesterday,
        encoding="utf-8-sig",
    )
    files.json_lines(
        "net_judgment",
        texts,
        day=0,
        period=f"{yesterday:%Y%m%d}",
        covers=today - timedelta(days=7),
        free=list(range(len(texts))),
        places=_TEXTS,
    )
    new = case_row(docket, docket.people.take("others"), _OTHER[0], today)
    files.csv_rows("pr_case", [new], day=1, period=f"{today:%Y%m%d}", covers=today, encoding="utf-8-sig")


def _judgments(docket: Docket) -> list[Row]:
    """Published judgments on property cases; the docket gets the court's number of each."""
    draw = docket.draw
    found: list[Row] = []
    wanted = docket.plan.size["judgments"]
    for row in docket.rows:
        old = row["当事人编号"] == "001" and row["是否未成年"] == "否" and row["处理结果"] == "起诉"
        if (
            len(found) >= wanted
            or not old
            or row["案由（罪名）"] not in _PROPERTY
            or row["被害人损失金额（元）"] in ("", "0")
        ):
            continue
        accepted = date.fromisoformat(row["受理日期"])
        judged = accepted + timedelta(days=between(draw, 45, 90))
        if judged > docket.today - timedelta(days=20):
            continue
        county = next(c for c, n in places.COUNTIES.items() if row["承办单位"].startswith(n))
        case_no = f"（{judged.year}）{places.court_code(county)}刑初{len(found) + 1}号"
        text, measures = judgment(draw, row, county, case_no, judged, len(found))
        row["判决案号"] = case_no
        docket.truth.judgment(text["文书ID"], case_no, measures)
        found.append(text)
    return found
