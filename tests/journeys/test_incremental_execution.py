"""Incremental runs give what a full run gives, for the models of detention, execution, injuries and building sites."""

from __future__ import annotations

import random
from collections.abc import Callable

from supervision.matching.run import run_rule
from supervision.models import Hit
from tests.conftest import acting_as, empty_tables
from tests.journeys.test_incremental import _state
from tests.prefecture import NOW, TODAY, agreements, case_card, citizen, land_rows, term

RULES = {
    "bail_not_lifted",
    "detained_not_transferred",
    "dishonest_listing_not_removed",
    "injury_paid_for_third_party",
    "lease_against_execution",
    "project_wage_guarantee_missing",
    "property_penalty_filed_late",
    "property_penalty_not_enforced",
    "property_penalty_unpaid_with_balance",
}
PEOPLE = [citizen(serial) for serial in range(500, 504)]
UNIT = "532301001001GB00001F0001000"

Draw = random.Random


def _crime(d: Draw, n: str, i: int) -> dict[str, str]:
    return {
        "police_case_no": f"A532301000000202404000{i}", "case_name": "诈骗案", "charge": "诈骗罪", "accepting_unit": "楚雄市公安局", "filing_mode": d.choice(["以人立案", "以人立案", "以事立案", ""]),
        "suspect_no": "001", "suspect_name": "甲某", "suspect_citizen_id": n, "measure_no": str(d.randint(0, 3)), "filing_date": "2024-04-01", "accept_date": "2024-04-01",
        "measure_type": d.choice(["拘留", "取保", "监视居住"]), "measure_date": d.choice(["2024-05-01", "2024-05-01", "2026-03-01", "2026-10-01"]),
        "measure_end_date": d.choice(["", "", "2026-05-01"]), "transfer_date": d.choice(["", "", "2026-06-01"]), "case_status": "立案",
    }  # fmt: skip


def _card(d: Draw, n: str, i: int) -> dict[str, str]:
    return case_card(i, "0", "0", "") | {
        "party_citizen_id": n if d.random() < 0.2 else citizen(510 + i), "accept_date": "2024-08-01", "judgment_no": f"（2026）云2301刑初{i}号",
        "judgment_effective_date": d.choice(["2026-05-01", "2026-05-01", "2026-11-10", ""]), "fine_cny": d.choice(["", "5000", "20000"]),
        "restitution_cny": d.choice(["", "0", "30000"]),
    }  # fmt: skip


def _enforced(d: Draw, n: str, i: int) -> dict[str, str]:
    closed = d.choice(["执行完毕", "终结本次", "终结本次", ""])
    return {
        "case_no": f"（2026）云2301执{i}号", "case_class": d.choice(["民商事", "刑事涉财产"]), "court_name": "楚雄市人民法院", "respondent": "甲某", "respondent_id": n,
        "basis_doc_no": f"（2026）云2301刑初{d.randint(0, 9)}号", "transfer_date": d.choice(["2026-05-05", "2026-03-01", ""]), "filing_date": "2026-05-10",
        "asset_no": "1", "parcel_unit_no": f"{UNIT}{i}", "has_lease": d.choice(["是", "是", "否"]), "seizure_date": "2026-05-20",
        "lease_sign_date": d.choice(["2026-06-01", "2026-06-01", "2025-01-01"]), "rent_payment": d.choice(["一次性", "一次性", "按年", ""]),
        "auction_status": d.choice(["撤回", "流拍", "成交"]), "close_type": closed, "close_date": d.choice(["2026-08-01", ""]) if closed else "",
        "dishonest_listed_date": d.choice(["2024-06-01", "2024-06-01", ""]), "dishonest_until": d.choice(["2026-06-01", "2027-06-01"]),
        "dishonest_removed_date": d.choice(["", "", "2026-08-02"]),
    }  # fmt: skip


def _contract(d: Draw, n: str, i: int) -> dict[str, str]:
    return {
        "contract_no": f"Z{d.randint(0, 9)}", "contract_type": "租赁", "filing_date": d.choice(["2026-06-10", "2025-01-05", "2026-09-01"]),
        "address": "云南省楚雄彝族自治州楚雄市演示路1号", "parcel_unit_no": f"{UNIT}{d.randint(0, 9)}",
    }  # fmt: skip


def _visit(d: Draw, n: str, i: int) -> dict[str, str]:
    return {
        "settle_id": f"Y{d.randint(0, 30)}", "person_name": "甲某", "citizen_id": n, "provider_name": "楚雄市人民医院（演示）",
        "visit_start": d.choice(["2026-03-02 10:00:00", "2026-03-02 10:00:00", "2026-03-05 00:30:00"]), "injury_flag": d.choice(["1", "1", "0"]), "total_cny": "9000",
        "fund_cny": d.choice(["5400", "200", "0"]), "settle_time": "2026-03-20 10:00:00", "refund_flag": d.choice(["0", "0", "1"]),
    }  # fmt: skip


def _accident(d: Draw, n: str, i: int) -> dict[str, str]:
    return {
        "accident_no": f"5323012026{i:07d}", "party_no": "2", "accident_time": "2026-03-01 23:00:00", "accident_place": "楚雄市演示路", "division_code": "532301",
        "person_name": "甲某", "citizen_id": n, "travel_mode": "步行", "liability": d.choice(["无责", "主要", "全部", ""]), "handling_unit": "楚雄市公安局交通警察大队",
    }  # fmt: skip


def _site(d: Draw, n: str, i: int) -> dict[str, str]:
    return {
        "project_code": f"532301260500000{i}", "stat_month": d.choice(["202608", "202609"]), "project_name": f"演示项目{i}", "division_code": "532301",
        "general_contractor_name": "示例建筑公司", "permit_date": d.choice(["2026-05-01", "2026-08-20"]), "project_status": d.choice(["在建", "在建", "完工"]),
        "account_status": d.choice(["正常", "正常", "未开户", ""]), "deposit_form": d.choice(["银行保函", "银行保函", "免存", "未存储"]),
        "payment_guarantee": d.choice(["银行保函", "银行保函", "未提供"]), "realname_headcount": d.choice(["10", "10", "0"]),
    }  # fmt: skip


def _prisoner(d: Draw, n: str, i: int) -> dict[str, str]:
    return term(n, d.choice(["监狱服刑", "监狱服刑", "缓刑"]), "2025-12-10") | {
        "status": d.choice(["在押", "在押", "刑满释放"]), "unpaid_property_penalty_cny": d.choice(["0", "5000", "20000"]),
        "account_balance_cny": d.choice(["", "5000", "9000"]),
    }  # fmt: skip


_FEEDS: dict[str, Callable[[Draw, str, int], dict[str, str]]] = {
    "ps_criminal_case": _crime, "pr_case": _card, "ct_enforcement": _enforced, "hc_house_contract": _contract, "mi_settlement": _visit,
    "ps_traffic_accident": _accident, "hr_wage_guarantee": _site, "ja_penalty_execution": _prisoner,
}  # fmt: skip


def _deliver(draw: Draw, feed: str) -> None:
    rows = [_FEEDS[feed](draw, number, i) for i, number in enumerate(PEOPLE)]
    land_rows(feed, rows, covers=TODAY)


def test_incremental_equals_full_for_cases_and_sites(database):
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
            # Every feed comes again, two a step.
            for feed in order[(step - 1) * 2 : step * 2] if step else ():
                _deliver(draw, feed)
            with acting_as("worker"):
                for rule in sorted(RULES):
                    if run_rule(rule, at=NOW, as_of=TODAY).mode == "subjects":
                        narrow.add(rule)
                incremental = _state()
                for rule in sorted(RULES):
                    again = run_rule(rule, at=NOW, as_of=TODAY, full=True)
                    counts = (again.changed, again.removed, again.raised, again.withdrawn)
                    assert counts == (0, 0, 0, 0), (seed, step, rule)
                assert _state() == incremental
                hit |= set(Hit.objects.filter(verdict="hit").values_list("rule", flat=True))
    assert hit == narrow == RULES
