"""Cases as the police file them, those in which arrest was refused, and accidents of people under correction."""

from __future__ import annotations

from datetime import date, timedelta
from random import Random

from chuxiong.demo import places
from chuxiong.demo.defects import Row
from chuxiong.demo.truth import Class
from chuxiong.demo.world import World, after, iso, moment


def office(county: str) -> str:
    return f"{places.COUNTIES[county]}公安局"


def case_number(county: str, day: date, serial: int) -> str:
    """A, twelve digits of the unit, year and month, four digits of order."""
    return f"A{county}000000{day:%Y%m}{serial % 10_000:04d}"


def crime_row(world: World, dice: Random, county: str, accepted: date, n: int, charge: str) -> Row:
    filed = accepted + timedelta(days=dice.randint(1, 7))
    held = filed + timedelta(days=dice.randint(0, 9))
    return {
        "police_case_no": case_number(county, accepted, n), "case_name": f"{charge.removesuffix('罪')}案", "charge": charge,
        "case_source": dice.choice(["报案", "报案", "自行发现", "控告举报"]), "report_time": moment(accepted - timedelta(days=1), dice, 0, 23),
        "reporter_identity": dice.choice(["被害人", "被害人", "近亲属", "群众"]), "accepting_unit": office(county),
        "accepting_unit_code": f"{county}000000", "accept_date": iso(accepted), "filing_mode": "以人立案", "filing_date": iso(filed),
        "case_status": "立案", "victim_is_minor": "否", "measure_no": f"{places.COUNTIES[county][:1]}公强字〔{held.year}〕{n + 1}号",
        "measure_type": "拘留", "measure_date": iso(held), "measure_until": iso(held + timedelta(days=30)),
        "incident_address": f"{places.COUNTIES[county]}城区演示路{n % 90 + 1}号", "amount_cny": str(dice.randint(0, 80) * 1000),
    }  # fmt: skip


def of_refused(world: World) -> list[Row]:
    """CR-03: the police's side of refused arrests: left open, withdrawn, ended or transferred."""
    dice, rows = world.dice("refused"), list[Row]()
    for kind, person, accepted in world.docket.refused:
        row = crime_row(world, dice, person.county, accepted, 900_000 + len(rows), "寻衅滋事罪")
        held = date.fromisoformat(row["measure_date"])
        row |= {
            "suspect_no": "001", "suspect_name": person.name, "suspect_citizen_id": person.citizen_id, "amount_cny": "0",
            "measure_until": iso(held + timedelta(days=14)), "measure_end_date": iso(held + timedelta(days=14)), "_planted": "cr03",
        }  # fmt: skip
        then = iso(held + timedelta(days=90))
        if kind == "withdrawn":
            row |= {"case_status": "撤案", "withdraw_date": then, "close_reason": "没有犯罪事实"}
        elif kind == "ended":
            row |= {"case_status": "终止侦查", "terminate_date": then, "close_reason": "不是该人所为"}
        elif kind == "transferred":
            row |= {"case_status": "移送起诉", "transfer_date": then}
        rows.append(row)
    return rows


#: kind of ``register.crashed`` → (blood alcohol, fled, violation, way of travelling, verdict, why)
_CRASHES: dict[str, tuple[str, str, str, str, Class, str]] = {
    "drunk": ("128", "否", "饮酒后驾驶机动车", "驾驶机动车", "hit", "矫正期间醉酒驾驶，没有处分记录"),
    "drank": ("34", "否", "饮酒后驾驶机动车", "驾驶机动车", "hit", "矫正期间饮酒驾驶，没有处分记录"),
    "fled": ("0", "是", "未按规定让行", "驾驶机动车", "hit", "矫正期间肇事逃逸，没有处分记录"),
    "unlicensed": (
        "0",
        "否",
        "未取得机动车驾驶证驾驶机动车",
        "驾驶机动车",
        "hit",
        "矫正期间无证驾驶，没有处分记录",
    ),
    "warned": ("66", "否", "饮酒后驾驶机动车", "驾驶机动车", "near_miss", "事故后已给予警告"),
    "slight": ("0", "否", "未按规定让行", "驾驶机动车", "near_miss", "一般交通违法"),
    "passenger": ("55", "否", "", "乘车", "near_miss", "乘车人"),
    "before": ("90", "否", "饮酒后驾驶机动车", "驾驶机动车", "near_miss", "事故发生在入矫之前"),
    "in_prison": ("90", "否", "饮酒后驾驶机动车", "驾驶机动车", "near_miss", "不属于社区矫正"),
    "not_covered": ("90", "否", "饮酒后驾驶机动车", "驾驶机动车", "undecided", "处分数据尚未报送到期限届满"),
}


def crash_rows(world: World) -> list[Row]:
    """CR-10: accidents of people under correction, each alone on the road."""
    dice, rows = world.dice("crashes"), list[Row]()
    for kind, person, day in world.register.crashed:
        alcohol, fled, violation, travels, cls, why = _CRASHES[kind]
        happened, number = moment(day, dice, 0, 23), len(rows)
        drives = travels == "驾驶机动车"
        rows.append(
            {
                "accident_no": f"{person.county}{day:%Y}{8_000_000 + number}", "alarm_time": after(happened, dice, (1, 20)), "accident_time": happened,
                "accident_place": f"{places.COUNTIES[person.county]}演示路{number % 60 + 1}公里处", "division_code": person.county,
                "lon": f"{101.5 + dice.random() * 0.6:.6f}", "lat": f"{25.0 + dice.random() * 0.6:.6f}", "accident_class": "财产损失事故",
                "accident_form": "单车", "procedure": "简易", "handling_unit": f"{office(person.county)}交通警察大队", "party_no": "1",
                "person_name": person.name, "citizen_id": person.citizen_id, "phone": person.phone, "travel_mode": travels,
                "plate_type": "02" if drives else "", "plate_no": world.plate(person) if drives else "", "owner_name": person.name if drives else "",
                "liability": "全部" if drives else "无责", "injury_level": "无伤", "property_loss_cny": "2600", "violation_text": violation,
                "hit_and_run": fled, "bac_mg_100ml": alcohol, "insurer_name": "演示财产保险股份有限公司",
                "determination_no": f"RD{8_000_000 + number}", "determination_date": iso(day + timedelta(days=3)),
                "mediation_result": "未申请", "_planted": "cr10",
            }
        )  # fmt: skip
        world.truth.expect("correction_violation_unpunished", kind, cls, "person", person.citizen_id, why)
    return rows
