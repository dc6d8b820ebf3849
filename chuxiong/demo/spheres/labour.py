"""Social insurance of the firms' workers, and wage accounts and deposits of building projects."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

import polars as pl

from chuxiong.demo import identifiers, layout, places
from chuxiong.demo.calendar import month_first, month_last
from chuxiong.demo.defects import Row
from chuxiong.demo.files import Deliveries
from chuxiong.demo.firms import Project
from chuxiong.demo.truth import Class
from chuxiong.demo.world import World, iso, single

_LINES = (("110", 0.16, 0.08), ("210", 0.007, 0.003), ("410", 0.005, 0.0))


def write_labour(world: World, files: Deliveries) -> None:
    _insurance(world, files)
    _guarantees(world, files)


def _insurance(world: World, files: Deliveries) -> None:
    """A file a month; contributions arrive one month after the month they are for. Back payments stand apart."""
    dice, today = world.dice("insurance"), world.today
    insured = [
        world.person(i) for i in world.workers[: min(world.plan.size["insured"], len(world.workers) * 2 // 3)]
    ]
    base: list[Row] = []
    for number, person in enumerate(insured):
        firm = world.employer(person)
        wage = 3600 + dice.randint(0, 60) * 100
        begun = date(2012 + dice.randint(0, 12), dice.randint(1, 12), 1)
        common = {
            "person_name": person.name, "citizen_id": person.citizen_id, "insured_no": f"53{60_000_000 + person.index:08d}",
            "employer_no": f"DW{firm.credit_code[8:16]}", "employer_name": firm.name, "employer_uscc": firm.credit_code,
            "enrol_status": "正常参保", "first_enrol_date": iso(begun), "enrol_date": iso(begun), "contributor_type": "在职职工",
            "pay_type": "正常应缴", "fee_base_cny": str(wage), "paid_flag": "已到账",
            "agency_name": f"{places.COUNTIES[person.county]}社会保险中心", "division_code": person.county,
        }  # fmt: skip
        for line, employer, own in _LINES[: 3 if number % 3 == 0 else 1]:
            due, personal = round(wage * employer, 2), round(wage * own, 2)
            base.append(common | {"insurance_type": line, "employer_due_cny": f"{due:.2f}", "personal_due_cny": f"{personal:.2f}",
                                  "paid_cny": f"{due + personal:.2f}"})  # fmt: skip
    heads = {c.name: c.headers[0] for c in layout.catalogue()["hr_social_insurance"].delivered}
    frame = pl.DataFrame(
        [{n: r.get(n, "") for n in heads} for r in base], schema=dict.fromkeys(heads, pl.String)
    )
    place = layout.places_of("hr_social_insurance")
    for back in (2, 1):
        first = month_first(today, -back)
        month = frame.with_columns(
            fee_month=pl.lit(f"{first:%Y%m}"),
            paid_date=pl.lit(
                iso(month_first(today, -back + 1) + timedelta(days=9)) if back > 1 else iso(month_last(first))
            ),
            bill_no=pl.lit(f"HD{first:%Y%m}") + pl.int_range(frame.height).cast(pl.String).str.zfill(7),
        ).rename(heads)
        files.csv_frame(
            "hr_social_insurance", month, day=0, period=f"{first:%Y%m}", covers=month_last(first), encoding="gb18030",
            free=list(range(month.height)), faults=back == 2, places=place, unfit=("D08",),
        )  # fmt: skip
    _back_payments(world, files)
    _on_assistance(world, files)


#: people on assistance who are insured by an employer: (kind, cases, monthly base in yuan)
_ON_ASSISTANCE = (
    ("well_paid", 6, 8200),
    ("low_paid", 5, 3900),
    ("stopped", 4, 8200),
    ("paid_back", 3, 8200),
    ("no_base", 3, 0),
)


def _on_assistance(world: World, files: Deliveries) -> None:
    """PI-10: contributions of people who are on the minimum living allowance in the same month."""
    dice, today = world.dice("on assistance"), world.today
    first = month_first(today, -1)
    rows: list[Row] = []
    for kind, count, wage in _ON_ASSISTANCE:
        for _ in range(count):
            person, firm = world.take("workers"), world.firm(dice)
            rows.append(
                {
                    "person_name": person.name, "citizen_id": person.citizen_id, "insurance_type": "110", "employer_name": firm.name,
                    "employer_uscc": firm.credit_code, "enrol_status": "正常参保", "contributor_type": "在职职工", "fee_month": f"{first:%Y%m}",
                    "bill_no": f"DB{first:%Y%m}{len(rows):05d}", "pay_type": "补缴" if kind == "paid_back" else "正常应缴",
                    "fee_base_cny": str(wage) if wage else "", "employer_due_cny": f"{wage * 0.16:.2f}", "personal_due_cny": f"{wage * 0.08:.2f}",
                    "paid_cny": f"{wage * 0.24:.2f}", "paid_flag": "已到账", "paid_date": iso(month_last(first)), "division_code": person.county,
                    "agency_name": f"{places.COUNTIES[person.county]}社会保险中心", "insured_no": f"53{60_000_000 + person.index:08d}",
                }
            )  # fmt: skip
            world.on_wages.append((kind, person))
    rows += _of_shells(world, first)
    files.table(
        "hr_social_insurance", rows, period=f"{first:%Y%m}_新参保", covers=month_last(first), faults=False
    )


#: (kind, cases, months paid back, verdict, why)
_PAID_BACK: tuple[tuple[str, int, int, Class, str], ...] = (
    ("award", 8, 126, "hit", "同一单位多人凭仲裁裁决一次性补缴十年以上"),
    ("declared", 4, 3, "near_miss", "单位申报补缴三个月"),
    ("short", 3, 30, "near_miss", "凭仲裁裁决补缴不满十年"),
    ("lone", 3, 140, "near_miss", "凭仲裁裁决补缴十年以上，单位只有一人"),
    ("undated", 3, 130, "undecided", "补缴起始年月未填写"),
)


def _back_payments(world: World, files: Deliveries) -> None:
    """CV-06: years paid back at one stroke on the strength of an award, for people near retirement."""
    dice, today = world.dice("back payments"), world.today
    rows: list[Row] = []
    first = month_first(today, -1)
    for kind, count, months, cls, why in _PAID_BACK:
        for at in range(count):
            number, person = len(rows), world.take("workers")
            # Two employers are behind many awards; those who stand alone have one each.
            firm = world.firms[6 + at if kind == "lone" else number % 2 * 3]
            doc = f"{places.COUNTIES[firm.county][:1]}劳人仲案字〔{today.year}〕{8000 + number}号"
            back = months + (at * 6 if kind == "award" else 0)
            started = "" if kind == "undated" else f"{month_first(first, -back):%Y%m}"
            rows.append(
                {
                    "person_name": person.name, "citizen_id": person.citizen_id, "insurance_type": "110", "employer_name": firm.name,
                    "employer_uscc": firm.credit_code, "enrol_status": "正常参保", "contributor_type": "在职职工", "fee_month": f"{first:%Y%m}",
                    "bill_no": f"BJ{first:%Y%m}{number:05d}", "pay_type": "补缴", "back_from": started, "back_to": f"{month_first(first, -1):%Y%m}",
                    "back_pay_basis": "单位申报" if kind == "declared" else "仲裁裁决", "back_pay_doc_no": "" if kind == "declared" else doc,
                    "fee_base_cny": "4200", "employer_due_cny": str(672 * back), "personal_due_cny": str(336 * back), "paid_cny": str(1008 * back),
                    "paid_flag": "已到账", "paid_date": iso(month_last(first)), "agency_name": f"{places.COUNTIES[person.county]}社会保险中心",
                    "division_code": person.county, "insured_no": f"53{60_000_000 + person.index:08d}", "_planted": "1",
                }
            )  # fmt: skip
            world.truth.expect(
                "pension_bought_by_award", kind, cls, "person", person.citizen_id, why, {"months": back}
            )
    dice.shuffle(rows)
    files.table(
        "hr_social_insurance", rows, period=f"{first:%Y%m}_补缴", covers=month_last(first), faults=False
    )


def _of_shells(world: World, first: date) -> list[Row]:
    """Workers whom two of the firms at one address have insured since their founding (CR-11), and those of an employer
    who agreed to their wages (CV-04)."""
    rows = []
    month = month_first(world.today, -7)
    insured = [(firm, world.take("workers"), month) for kind, firm in world.shells if kind == "insured"]
    for number, (firm, person, month) in enumerate([*insured, *world.market.insured]):
        rows.append(
            {
                "person_name": person.name, "citizen_id": person.citizen_id, "insurance_type": "110", "employer_name": firm.name,
                "employer_uscc": firm.credit_code, "enrol_status": "正常参保", "contributor_type": "在职职工", "fee_month": f"{month:%Y%m}",
                "bill_no": f"KB{first:%Y%m}{number:05d}", "pay_type": "正常应缴", "fee_base_cny": "3600", "employer_due_cny": "576.00",
                "personal_due_cny": "288.00", "paid_cny": "864.00", "paid_flag": "已到账", "paid_date": iso(month_last(month)),
                "division_code": person.county, "agency_name": f"{places.COUNTIES[person.county]}社会保险中心",
                "insured_no": f"53{60_000_000 + person.index:08d}",
            }
        )  # fmt: skip
    return rows


#: what is wrong with a building site, one after another; most are sound
_SITES = (
    "sound", "nothing", "exempt", "sound", "no_guarantee", "sound", "nobody", "sound", "finished", "sound", "no_deposit", "unclear",
)  # fmt: skip
_SITE_VERDICTS: dict[str, tuple[Class, str]] = {
    "sound": ("near_miss", "专户、保证金、支付担保与实名制齐备"),
    "nothing": ("hit", "在建项目未存储工资保证金、未开立专用账户"),
    "no_deposit": ("hit", "在建项目未存储工资保证金"),
    "no_guarantee": ("hit", "建设单位未提供工程款支付担保"),
    "nobody": ("hit", "在建项目实名制登记人数为零"),
    "exempt": ("near_miss", "依规定免存工资保证金"),
    "finished": ("near_miss", "项目已完工"),
    "unclear": ("undecided", "账户状态未填写"),
}


def _guarantees(world: World, files: Deliveries) -> None:
    """One row a project and month, two months; the counties' layouts differ (D33), one month was revised (D21)."""
    dice, today = world.dice("guarantees"), world.today
    known = {p.code: p for p in world.market.projects}
    made = [
        (p, _SITES[n % len(_SITES)], _guarantee(world, p, n) | {"_planted": "1"})
        for n, p in enumerate(known.values())
    ]
    for back in (2, 1):
        first = month_first(today, -back)
        rows = [row | _month(row, first, kind, dice) for _, kind, row in made]
        files.table(
            "hr_wage_guarantee",
            rows,
            period=f"{first:%Y%m}",
            covers=month_last(first),
            faults=back == 2,
            spare=lambda r: r["_kind"] != "sound",
        )
        if back == 1:
            revised = [r | {"wage_paid_cny": "0", "account_balance_cny": "0"} for r in rows[:3]]
            files.table(
                "hr_wage_guarantee",
                revised,
                period=f"{first:%Y%m}_更正",
                covers=month_last(first),
                faults=False,
            )
            for at in range(len(revised)):
                world.truth.defect("hr_wage_guarantee", files.last_file, at + 3, "D21", "revised")
    for _, kind, row in made:
        cls, why = _SITE_VERDICTS[kind]
        world.truth.expect("project_wage_guarantee_missing", kind, cls, "project", row["project_code"], why)


def _guarantee(world: World, project: Project, n: int) -> Row:
    dice = world.dice(f"project {n}")
    firm = project.contractor
    signed = world.days_ago(dice, 200, 500)
    price = dice.randint(300, 9000)
    return {
        "project_code": project.code, "project_name": project.name, "industry": dice.choice(["房屋建筑", "市政", "交通", "水利"]),
        "division_code": project.county, "owner_name": f"{places.COUNTIES[project.county]}建设投资有限公司（演示）", "owner_uscc": "",
        "general_contractor_name": firm.name, "general_contractor_uscc": firm.credit_code, "permit_no": f"{project.county}{signed:%Y%m%d}01{n:02d}",
        "permit_date": iso(signed + timedelta(days=20)), "contract_wan": str(price), "contract_date": iso(signed),
        "planned_end_date": iso(signed + timedelta(days=600)), "project_status": "在建", "bank_name": "演示农村商业银行",
        "wage_officer_name": single(dice), "phone": identifiers.phone(60_000_000 + n), "deposit_due_cny": str(price * 300), "payment_guarantee": "银行保函",
    }  # fmt: skip


def _month(row: Row, first: date, kind: str, dice: Random) -> Row:
    month = {"stat_month": f"{first:%Y%m}", "_kind": kind}
    if kind == "nothing":
        return month | {
            "account_status": "未开户",
            "deposit_form": "未存储",
            "deposit_cny": "0",
            "realname_headcount": "24",
        }
    heads = dice.randint(12, 70)
    paid = heads * 5200
    deposit = {"exempt": "免存", "no_deposit": "未存储"}.get(kind, "银行保函")
    month |= {
        "account_no": identifiers.account(70_000_000 + int(row["project_code"][-6:])), "account_open_date": row["permit_date"], "account_status": "正常",
        "account_balance_cny": str(paid * 2), "labour_cost_in_cny": str(paid + 10_000), "wage_paid_cny": str(paid), "paid_headcount": str(heads),
        "deposit_form": deposit, "deposit_cny": row["deposit_due_cny"] if deposit == "银行保函" else "0",
        "deposit_date": row["permit_date"] if deposit == "银行保函" else "", "deposit_until": f"{first.year + 1}-12-31" if deposit == "银行保函" else "",
        "realname_headcount": str(heads + 3), "attendance_headcount": str(heads),
    }  # fmt: skip
    if kind == "no_guarantee":
        month["payment_guarantee"] = "未提供"
    elif kind == "nobody":
        month |= {"realname_headcount": "0", "attendance_headcount": "0"}
    elif kind == "finished":
        month |= {"project_status": "完工", "payment_guarantee": "未提供"}
    elif kind == "unclear":
        month["account_status"] = ""
    return month
