"""Incremental runs give what a full run gives, for the models of benefits, schools, hotels, waste and waters."""

from __future__ import annotations

import random
from collections.abc import Callable

from chuxiong.kit import credit_code
from supervision.matching.run import run_rule
from supervision.models import Hit
from tests.conftest import acting_as, empty_tables
from tests.journeys.test_incremental import _state
from tests.prefecture import NOW, TODAY, agreements, citizen, cremation, death, land_rows, term

RULES = {
    "assistance_after_death",
    "assistance_while_serving",
    "assistance_with_wages",
    "hotel_minor_not_asked",
    "medical_paid_twice",
    "old_age_allowance_after_death",
    "repair_waste_not_handed_over",
    "school_staff_with_record",
    "section_below_target",
    "water_without_permit",
}


def _credit(serial: int) -> str:
    body = f"91532301MA6K0000{serial}"
    return body + credit_code.check_character(body)


PEOPLE = [citizen(serial) for serial in range(300, 304)]
FIRMS = [_credit(serial) for serial in range(3)]
_MONTHS = ["202606", "202609"]

Draw = random.Random


def _roll(d: Draw, n: str, f: str, i: int) -> dict[str, str]:
    return {
        "county_name": "楚雄市", "head_name": "甲某", "head_citizen_id": n, "person_name": "甲某", "citizen_id": n,
        "benefit_type": d.choice(["农村低保", "农村低保", "高龄津贴"]), "pay_month": d.choice(_MONTHS), "amount_cny": d.choice(["0", "320", "320"]),
    }  # fmt: skip


def _wages(d: Draw, n: str, f: str, i: int) -> dict[str, str]:
    return {
        "person_name": "甲某", "citizen_id": n, "insurance_type": "110", "enrol_status": "正常参保", "fee_month": d.choice(_MONTHS),
        "bill_no": f"B{d.randint(0, 99)}", "pay_type": d.choice(["正常应缴", "正常应缴", "正常应缴", "补缴"]), "fee_base_cny": d.choice(["8200", "8200", "3900", ""]),
        "division_code": "532301",
    }  # fmt: skip


def _staff(d: Draw, n: str, f: str, i: int) -> dict[str, str]:
    return {
        "person_name": "甲某", "citizen_id": n, "org_name": "示例小学", "org_uscc": f, "hire_date": "2025-09-01",
        "leave_date": d.choice(["", "", "2026-06-01"]), "background_checked": d.choice(["否", "是", ""]), "check_date": "",
        "check_result": d.choice(["", "有记录"]), "division_code": "532301",
    }  # fmt: skip


def _sentence(d: Draw, n: str, f: str, i: int) -> dict[str, str]:
    made = term(n, d.choice(["监狱服刑", "缓刑"]), "2025-12-10")
    return made | {"charge": d.choice(["强奸罪", "盗窃罪"]), "judgment_date": "2025-11-10"}


def _intake(d: Draw, n: str, f: str, i: int) -> dict[str, str]:
    number, until = d.choice([("", ""), ("D1", "2026-05-10"), ("D1", "2030-05-10"), ("D1", "")])
    return {
        "intake_code": f"Q{i}", "intake_name": "示例取水口", "holder_name": "示例公司", "holder_uscc": f, "division_code": "532301", "usage": "工业",
        "permit_no": number, "valid_to": until, "meter_month": d.choice(_MONTHS), "actual_volume_m3": d.choice(["0", "1500", ""]),
    }  # fmt: skip


def _firm(d: Draw, n: str, f: str, i: int) -> dict[str, str]:
    closed = d.random() < 0.05
    return {
        "uscc": f, "org_name": "示例修理厂", "legal_rep_name": "甲某", "established_date": "2020-01-01", "division_code": "532301",
        "status": "注销" if closed else "存续", "cancel_date": "2025-09-01" if closed else "", "business_scope": "机动车维修。", "change_seq": str(d.randint(0, 1)),
    }  # fmt: skip


def _waste(d: Draw, n: str, f: str, i: int) -> dict[str, str]:
    moved = d.random() < 0.1
    return {
        "producer_name": "示例修理厂", "producer_uscc": f, "division_code": "532301", "plan_year": "2025", "waste_code": "900-214-08",
        "plan_filed_date": d.choice(["2025-03-01", "2025-03-01", "2025-03-01", "2026-06-01"]), "planned_generate_qty": d.choice(["0", "1.5", "1.5", "2"]), "waste_name": "废矿物油",
        "plan_unit": "吨", "manifest_no": f"M{i}" if moved else "", "transfer_date": "2025-10-01" if moved else "",
    }  # fmt: skip


def _water(d: Draw, n: str, f: str, i: int) -> dict[str, str]:
    return {
        "section_code": f"S{i % 2}", "section_name": "示例断面", "river_name": "示例河", "division_code": "532301", "target_class": "Ⅲ",
        "monitor_time": f"2026-{d.choice(['08', '09', '10'])}-05 10:00:00", "method": d.choice(["手工", "手工", "手工", "自动站"]), "factor": "w21003",
        "value": "1.2", "unit": "mg/L", "quality_class": d.choice(["Ⅲ", "Ⅳ", "Ⅳ", "Ⅳ", ""]),
    }  # fmt: skip


def _visit(d: Draw, n: str, f: str, i: int) -> dict[str, str]:
    return {
        "settle_id": f"Y{d.randint(0, 30)}", "person_name": "甲某", "citizen_id": n, "provider_name": "楚雄市人民医院（演示）",
        "visit_start": d.choice(["2026-03-02 10:00:00", "2026-03-02 10:00:00", "2026-01-02 10:00:00"]), "injury_flag": d.choice(["1", "1", "1", "0"]), "total_cny": "9000",
        "fund_cny": d.choice(["5400", "5400", "0"]), "settle_time": "2026-03-20 10:00:00", "refund_flag": d.choice(["0", "0", "1"]),
    }  # fmt: skip


def _accident(d: Draw, n: str, f: str, i: int) -> dict[str, str]:
    return {
        "accident_no": f"5323012026{i:07d}", "party_no": "2", "accident_time": "2026-03-01 09:00:00", "accident_place": "楚雄市演示路", "division_code": "532301",
        "person_name": "甲某", "citizen_id": n, "travel_mode": "步行", "liability": d.choice(["无责", "无责", "主要", ""]),
        "mediation_result": d.choice(["达成协议", "达成协议", "未申请"]), "compensation_cny": d.choice(["20000", "20000", ""]),
        "handling_unit": "楚雄市公安局交通警察大队",
    }  # fmt: skip


def _stay(d: Draw, n: str, f: str, i: int) -> dict[str, str]:
    return {
        "stay_no": f"L{d.randint(0, 30)}", "hotel_code": "5323010001", "hotel_name": "示例宾馆", "hotel_uscc": f, "division_code": "532301", "person_name": "甲某",
        "is_minor": d.choice(["是", "是", "否"]), "room_no": "101", "checkin_time": "2026-10-01 20:00:00", "registered_at": "2026-10-01 20:05:00",
        "inquiry_done": d.choice(["是", "否", "否", ""]), "co_occupant_relation": d.choice(["", "", "父母"]),
    }  # fmt: skip


_FEEDS: dict[str, Callable[[Draw, str, str, int], dict[str, str]]] = {
    "ca_social_assistance": _roll, "hr_social_insurance": _wages, "ed_school_staff": _staff, "ja_penalty_execution": _sentence,
    "wr_water_abstraction": _intake, "mr_enterprise": _firm, "ee_hazardous_waste": _waste, "ee_surface_water": _water,
    "mi_settlement": _visit, "ps_traffic_accident": _accident, "ps_hotel_stay": _stay,
    "ps_population_death": lambda d, n, f, i: death(n, d.choice(["", "2026-02-11", "2026-05-30"]), status=d.choice(["死亡注销", "在籍"])),
    "ca_funeral": lambda d, n, f, i: cremation(n, d.choice(["2026-02-12", "2026-06-01"]), i),
}  # fmt: skip


def _deliver(draw: Draw, feed: str) -> None:
    rows = [_FEEDS[feed](draw, number, draw.choice(FIRMS), i) for i, number in enumerate(PEOPLE)]
    land_rows(feed, rows, covers=TODAY)


def test_incremental_equals_full_for_rolls_and_registers(database, capsys):
    hit: set[str] = set()
    narrow: set[str] = set()
    for seed in range(3):
        empty_tables()
        agreements()
        draw = random.Random(seed)
        for feed in draw.sample(list(_FEEDS), len(_FEEDS)):
            _deliver(draw, feed)
        order = draw.sample(list(_FEEDS), len(_FEEDS))
        for step in range(5):
            # Every feed comes again, four a step.
            for feed in order[(step - 1) * 4 : step * 4] if step else ():
                _deliver(draw, feed)
            with acting_as("worker"):
                for rule in sorted(RULES):
                    if run_rule(rule, at=NOW, as_of=TODAY).mode == "subjects":
                        narrow.add(rule)
                incremental = _state()
                for rule in sorted(RULES):
                    again = run_rule(rule, at=NOW, as_of=TODAY, full=True)
                    assert (again.changed, again.removed, again.raised, again.withdrawn) == (0, 0, 0, 0), (
                        seed,
                        step,
                        rule,
                    )
                assert _state() == incremental
                hit |= set(Hit.objects.filter(verdict="hit").values_list("rule", flat=True))
    assert hit == narrow == RULES
