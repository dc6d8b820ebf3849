"""Incremental runs give what a full run gives, where a rule looks beyond its rows: versions, shared values, absences."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

from chuxiong.kit.credit_code import check_character
from supervision.matching.run import run_rule
from supervision.models import Hit
from tests.conftest import acting_as, empty_tables
from tests.journeys.test_incremental import _state
from tests.prefecture import NOW, TODAY, agreements, citizen, land_rows

RULES = {
    "catering_without_drainage_permit",
    "correction_away_without_leave",
    "debtor_dead_still_listed",
    "farmland_tax_unpaid",
    "legal_representative_barred",
    "minor_harm_not_reported",
    "pension_bought_by_award",
    "shell_companies",
}
PEOPLE = [citizen(serial) for serial in range(600, 606)]
_BODIES = [f"91532301MA6K{serial:05d}" for serial in range(6)]
FIRMS = [body + check_character(body) for body in _BODIES]
NAMES = ["龙川江烧烤城", "老灶台菌子火锅", "彝家长街宴酒楼", "河畔人家鱼庄", "滇味小锅米线店", "青山农家乐"]

Draw = random.Random


def _firm(d: Draw, i: int) -> dict[str, str]:
    return {
        "uscc": FIRMS[i], "org_name": f"楚雄市{NAMES[i]}", "entity_type": "有限责任公司", "legal_rep_name": "甲某", "legal_rep_id": d.choice(PEOPLE),
        "established_date": d.choice(["2026-01-10", "2026-01-12", "2026-02-01", "2024-01-01"]), "approved_date": "2026-01-10",
        "registrar": "楚雄市市场监督管理局", "status": d.choice(["存续", "存续", "存续", "注销"]), "division_code": "532301",
        "address": d.choice(["云南省楚雄市示例大厦808室"] * 5 + ["云南省楚雄市示例路1号"]), "business_scope": d.choice(["餐饮服务。", "餐饮服务。", "货物运输。"]),
        "change_seq": str(d.randint(0, 2)),
    }  # fmt: skip


def _permit(d: Draw, i: int) -> dict[str, str]:
    return {
        "permit_no": f"楚排字第{i}号", "outlet_no": "P1", "holder_name": f"{NAMES[i]}（楚雄市）", "holder_uscc": d.choice([FIRMS[i], ""]),
        "division_code": "532301", "issue_date": "2024-01-01", "valid_from": "2024-01-01", "address": "云南省楚雄市示例路1号",
        "valid_to": d.choice([(TODAY + timedelta(days=1)).isoformat(), "2028-01-01", "2026-02-01"]), "permit_status": d.choice(["有效", "有效", "撤销"]),
        "issuer": "楚雄市住房和城乡建设局", "covered_households": d.choice(["", f"楚雄市{d.choice(NAMES)}"]),
    }  # fmt: skip


def _tax(d: Draw, i: int) -> dict[str, str]:
    return {
        "taxpayer_uscc": FIRMS[i], "taxpayer_name": "示例公司", "levy_item": d.choice(["增值税", "耕地占用税"]), "source_no": f"SY{d.randint(0, 3)}",
        "period_start": d.choice(["2026-04-01", "2024-04-01"]), "period_end": "2026-10-31", "tax_payable_cny": "100",
        "tax_paid_cny": d.choice(["0", "0", "100"]), "paid_date": d.choice(["2026-05-01", "2024-05-01"]), "tax_office": "国家税务总局楚雄市税务局",
    }  # fmt: skip


def _insured(d: Draw, i: int) -> dict[str, str]:
    award = d.random() < 0.7
    return {
        "citizen_id": PEOPLE[i], "person_name": "甲某", "insurance_type": "110", "employer_name": "示例公司", "enrol_status": "正常参保",
        "employer_uscc": FIRMS[d.choice([0, 0, 0, 1])] if award else d.choice(FIRMS), "contributor_type": "在职职工",
        "fee_month": d.choice(["202609", "202604"]) if award else "202603", "bill_no": f"B{d.randint(0, 2)}",
        "pay_type": "补缴" if award else "正常应缴", "back_from": "201001" if award else "", "back_to": d.choice(["202604", "202604", "201501"]) if award else "",
        "back_pay_basis": d.choice(["仲裁裁决", "仲裁裁决", "单位申报"]) if award else "", "fee_base_cny": "4000", "paid_cny": "1000",
        "paid_flag": "已到账", "division_code": "532301", "agency_name": "楚雄市社会保险中心", "insured_no": f"53{i:08d}",
    }  # fmt: skip


def _enforced(d: Draw, i: int) -> dict[str, str]:
    return {
        "case_no": f"（2024）云2301执{i}号", "case_class": "民商事", "court_name": "楚雄市人民法院", "filing_date": "2024-05-10", "respondent": "甲某",
        "respondent_id": d.choice(PEOPLE), "target_amount_cny": d.choice(["60000", "60000", "2000"]), "asset_no": "1",
        "dishonest_listed_date": d.choice(["2025-06-01", "2025-06-01", ""]), "dishonest_until": d.choice(["2027-06-01", ""]),
        "dishonest_removed_date": d.choice(["", "", "2026-08-02"]), "restriction_date": d.choice(["2026-09-01", ""]),
        "restriction_lifted_date": d.choice(["", "2026-10-01"]),
    }  # fmt: skip


def _cremated(d: Draw, i: int) -> dict[str, str]:
    return {
        "cremation_no": f"HH{d.randint(0, 9)}", "person_name": "甲某", "citizen_id": PEOPLE[i], "gender": "1", "age": "70",
        "death_date": d.choice(["2026-03-01", "2026-11-20"]), "cremation_date": "2026-11-21", "funeral_home": "楚雄市殡仪馆（演示）",
    }  # fmt: skip


def _sentenced(d: Draw, i: int) -> dict[str, str]:
    leave = d.random() < 0.4
    return {
        "person_name": "甲某", "citizen_id": PEOPLE[i], "gender": "1", "person_category": d.choice(["缓刑", "缓刑", "监狱服刑"]),
        "charge": d.choice(["行贿罪", "盗窃罪"]), "judgment_court": "楚雄市人民法院", "judgment_no": f"（2025）云2301刑初{i}号", "judgment_date": "2025-05-01",
        "sentence_text": "有期徒刑一年，缓刑二年", "start_date": d.choice(["2025-06-01", "2025-07-01"]), "end_date": "2027-06-01", "division_code": d.choice(["532301", "532301", "532324"]), "is_minor": "否", "status": d.choice(["在矫", "在矫", "解除矫正"]),
        "leave_no": f"L{d.randint(0, 2)}" if leave else "", "leave_from": "2026-10-09" if leave else "", "leave_to": d.choice(["2026-10-12", ""]) if leave else "",
    }  # fmt: skip


def _stay(d: Draw, i: int) -> dict[str, str]:
    return {
        "stay_no": f"LK{i}{d.randint(0, 2)}", "hotel_code": "5323240001", "hotel_name": "示例宾馆", "hotel_type": "宾馆", "division_code": d.choice(["532324", "532324", "532301"]),
        "hotel_address": "城区示例街", "person_name": "甲某", "gender": "1", "birth_date": "1980-01-01", "is_minor": "否", "id_type": "身份证",
        "citizen_id": PEOPLE[i], "room_no": "1", "checkin_time": d.choice(["2026-10-10 20:00:00", "2026-10-20 20:00:00"]), "checkout_time": "",
        "inquiry_done": "是", "reported_police": "否", "register_mode": "现场核验", "registered_at": "2026-10-20 20:05:00",
    }  # fmt: skip


def _notice(d: Draw, i: int) -> dict[str, str]:
    return {
        "url_hash": f"{i:032x}", "source_url": f"https://example.invalid/{i}", "site_name": "示例网", "info_type": "行政处罚公示", "title": "处罚", "content": "处罚",
        "subject_name": "示例公司", "subject_uscc": FIRMS[i], "division_code": "532301", "penalty_date": d.choice(["2026-05-01", "2026-10-20"]),
        "penalty_authority": "楚雄市自然资源局", "violation_type": "非法占用耕地", "occupied_area_sqm": d.choice(["900", "9000", "0"]),
        "land_class": d.choice(["耕地", "耕地", "建设用地", ""]), "publish_time": "2026-10-21 10:00:00", "captured_at": "2026-10-21 11:00:00",
    }  # fmt: skip


def _resident(d: Draw, i: int) -> dict[str, str]:
    return {
        "person_name": "甲某", "citizen_id": PEOPLE[i], "gender": "1", "birth_date": d.choice(["2013-05-01", "2010-05-01", "1990-05-01"]),
        "household_division": "532301", "household_address": "云南省楚雄市示例路1号", "household_status": d.choice(["在籍", "在籍", "死亡注销"]),
        "updated_at": "2026-11-01 02:00:00",
    }  # fmt: skip


def _visit(d: Draw, i: int) -> dict[str, str]:
    return {
        "settle_id": f"Y{i}", "person_name": "甲某", "citizen_id": PEOPLE[i], "provider_name": "楚雄市人民医院（演示）", "visit_start": "2026-09-10 10:00:00",
        "diagnosis_code": d.choice(["O06.900", "O06.900", "J06.900"]), "total_cny": "400", "fund_cny": "200", "settle_time": "2026-09-10 11:00:00", "refund_flag": "0",
    }  # fmt: skip


def _report(d: Draw, i: int) -> dict[str, str]:
    return {
        "police_case_no": f"A532301000000202609000{i}", "case_name": "猥亵案", "charge": "强制猥亵、侮辱罪", "accepting_unit": "楚雄市公安局", "filing_mode": "以事立案",
        "filing_date": "2026-09-12", "accept_date": "2026-09-11", "report_time": d.choice(["2026-09-11 10:00:00", "2026-08-20 10:00:00", "2026-10-20 10:00:00"]),
        "case_status": "立案", "victim_name": "甲某、乙某", "victim_citizen_id": "、".join(d.sample(PEOPLE, 2)), "victim_is_minor": "是",
    }  # fmt: skip


_FEEDS: dict[str, Callable[[Draw, int], dict[str, str]]] = {
    "mr_enterprise": _firm, "um_drainage_permit": _permit, "tx_levy": _tax, "hr_social_insurance": _insured, "ct_enforcement": _enforced, "ca_funeral": _cremated,
    "ja_penalty_execution": _sentenced, "ps_hotel_stay": _stay, "net_open_info": _notice, "ps_population_death": _resident, "mi_settlement": _visit,
    "ps_criminal_case": _report,
}  # fmt: skip


def _deliver(draw: Draw, feed: str) -> None:
    land_rows(feed, [_FEEDS[feed](draw, i) for i in range(6)], covers=TODAY)


def test_incremental_equals_full_beyond_the_row(database):
    hit: set[str] = set()
    narrow: set[str] = set()
    for seed in range(2):
        empty_tables()
        agreements()
        draw = random.Random(seed)
        for feed in draw.sample(list(_FEEDS), len(_FEEDS)):
            _deliver(draw, feed)
        order = draw.sample(list(_FEEDS), len(_FEEDS))
        for step in range(5):
            # Every feed comes again, three a step; and the calendar moves on, over the end of permits.
            for feed in order[(step - 1) * 3 : step * 3] if step else ():
                _deliver(draw, feed)
            now, today = NOW + timedelta(days=step), TODAY + timedelta(days=step)
            with acting_as("worker"):
                for rule in sorted(RULES):
                    if run_rule(rule, at=now, as_of=today).mode == "subjects":
                        narrow.add(rule)
                incremental = _state()
                for rule in sorted(RULES):
                    again = run_rule(rule, at=now, as_of=today, full=True)
                    counts = (again.changed, again.removed, again.raised, again.withdrawn)
                    assert counts == (0, 0, 0, 0), (seed, step, rule)
                assert _state() == incremental
                hit |= set(Hit.objects.filter(verdict="hit").values_list("rule", flat=True))
    assert hit == narrow == RULES
