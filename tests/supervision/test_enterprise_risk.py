"""EN-01: cases with enterprises counted by cause, industry and county; what stands out, and why. No clue comes of it."""

from __future__ import annotations

import json
import secrets
from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from io import StringIO
from random import Random

import pytest
from django.core.management import call_command
from django.utils import timezone

from chuxiong.accounts.scope import all_offices, scope
from chuxiong.demo.seed import seed
from ingestion.models import Agreement
from supervision.analyses.enterprise_risk import Case, analyse, definition
from supervision.analyses.reading import NotPermitted, enterprise_risk
from supervision.models import Clue
from tests.conftest import acting_as
from tests.supervision.rulebook.pool import fill

UNTIL = date(2026, 11, 20)
WITH = definition()


def _case(
    n: int, day: date | None, *, cause: str = "合同诈骗罪", industry: str = "E", county: str = "532301"
) -> Case:
    return Case("pr_enterprise_case", f"C{n}", f"F{n}", cause, industry, county, day)


def test_growth_and_share_make_a_cell_stand_out():
    lately, before = UNTIL - timedelta(days=30), UNTIL - timedelta(days=500)
    firms = {("E", "532301"): 50, ("C", "532301"): 50}
    # 4 against 3 the year before, +33.3 %; its firms are half of all and so are its cases: twice nothing.
    grown = [_case(n, lately) for n in range(4)] + [_case(10 + n, before) for n in range(3)]
    other = [_case(20 + n, before, industry="C") for n in range(7)]
    found = analyse(grown + other, firms, UNTIL, WITH)
    cells = {cell.industry: cell for cell in found.cells}
    assert (cells["E"].cases, cells["E"].last, cells["E"].before, cells["E"].growth, cells["E"].lift) == (
        7,
        4,
        3,
        33.3,
        1.0,
    )
    assert cells["E"].reasons == ("growth",)
    assert cells["C"].reasons == ()
    assert [cell.industry for cell in found.flagged] == ["E"]
    # The same cases among few firms of the kind.
    rare = analyse(grown + other, {("E", "532301"): 10, ("C", "532301"): 90}, UNTIL, WITH)
    assert {cell.industry: (cell.lift, cell.reasons) for cell in rare.cells} == {
        "E": (5.0, ("growth", "lift")),
        "C": (0.56, ()),
    }


def test_few_cases_never_stand_out_and_new_ones_say_so():
    lately = UNTIL - timedelta(days=3)
    few = analyse(
        [_case(n, lately) for n in range(4)], {("E", "532301"): 1, ("C", "532301"): 99}, UNTIL, WITH
    )
    assert few.cells[0].reasons == () and few.cells[0].lift == 100.0
    new = analyse([_case(n, lately) for n in range(5)], {}, UNTIL, WITH)
    assert (new.cells[0].growth, new.cells[0].lift, new.cells[0].reasons) == (None, None, ("growth",))


@pytest.mark.parametrize("day, inside", [
    (UNTIL, True), (UNTIL + timedelta(days=1), False), (date(2021, 11, 21), True), (date(2021, 11, 20), False),
])  # fmt: skip
def test_the_window_holds_its_last_day_and_not_the_same_day_years_ago(day, inside):
    found = analyse([_case(1, day)], {}, UNTIL, WITH)
    assert (found.cases, found.outside) == ((1, 0) if inside else (0, 1))
    assert analyse([_case(1, date(2020, 2, 29))], {}, date(2024, 2, 29), WITH).since == date(2019, 2, 28)


def test_every_case_is_counted_once_somewhere():
    drawn = secrets.randbelow(2**31)
    print("seed", drawn)
    dice = Random(drawn)
    days = [None, *(UNTIL - timedelta(days=n) for n in range(-400, 2400, 7))]
    cases = [
        replace(_case(dice.randrange(80), dice.choice(days), industry=dice.choice("CE"), cause=dice.choice("甲乙")), firm=f"F{dice.randrange(9)}")
        for _ in range(dice.randrange(1, 300))
    ]  # fmt: skip
    told = {(c.source, c.number, c.firm): c for c in cases}
    found = analyse(cases, {("E", "532301"): 3}, UNTIL, WITH)
    assert found.cases + found.undated + found.outside == len(told)
    assert sum(cell.cases for cell in found.cells) == found.cases == sum(found.by_year.values())
    assert sum(found.by_source.values()) == found.cases
    counted = Counter(
        (c.cause, c.industry) for c in told.values() if c.day and date(2021, 11, 20) < c.day <= UNTIL
    )
    assert {(cell.cause, cell.industry): cell.cases for cell in found.cells} == dict(counted)


def test_ledger_suits_and_arbitration_are_read_with_the_register(database):
    today = timezone.localdate()
    day = today - timedelta(days=40)
    with acting_as("owner"):
        seed(today=today)
    fill(
        {
            "mr_enterprise": [
                {"uscc": "F1", "change_seq": 0, "industry_code": "C1399", "status": "存续"},
                {"uscc": "F1", "change_seq": 1, "industry_code": "E4790", "status": "存续"},
                {"uscc": "F2", "change_seq": 0, "industry_code": "E4790", "status": "注销"},
            ],
            "pr_enterprise_case": [
                {"unified_case_no": "T1", "uscc": "F1", "role": "犯罪主体", "charge": "合同诈骗罪", "case_stage": "审查起诉",
                 "filing_date": day, "risk_category": "合同"},
                {"unified_case_no": "T2", "uscc": "F9", "role": "被害人", "charge": "盗窃罪"},
            ],
            "ct_trial_case": [
                {"case_no": "M1", "cause_of_action": "买卖合同纠纷", "filing_date": day,
                 "defendant_ids": "〔credit_code:F1〕、〔credit_code:F2〕"},
                {"case_no": "M2", "cause_of_action": "买卖合同纠纷", "filing_date": day, "defendant_ids": "〔citizen_id:P1〕"},
            ],
            "hr_labour_arbitration": [
                {"case_no": "A1", "applicant_no": n, "respondent_uscc": "F1", "dispute_type": "劳动报酬", "accept_date": day}
                for n in (1, 2)
            ],
        }
    )  # fmt: skip
    with acting_as("worker"):
        found = enterprise_risk(today)
        said, table = StringIO(), StringIO()
        call_command("analysis", "enterprise-risk", json=True, stdout=said)
        call_command("analysis", "enterprise-risk", all=True, stdout=table)
    assert found.by_source == {"ct_trial_case": 2, "hr_labour_arbitration": 1, "pr_enterprise_case": 1}
    assert (found.cases, found.undated, found.often, found.missing) == (4, 1, 1, [])
    assert {(c.cause, c.industry, c.cases) for c in found.cells} == {
        ("合同诈骗罪", "E", 1),
        ("买卖合同纠纷", "E", 2),
        ("劳动报酬", "E", 1),
    }
    assert json.loads(said.getvalue())["cases"] == 4
    assert "合同诈骗罪 × 建筑业 × 楚雄市：1 件" in table.getvalue()
    with acting_as("owner"), scope(offices=all_offices(), using="owner"):
        assert not Clue.objects.using("owner").exists()
    # Without its agreement a part is left out by name; without the ledger's nothing is said at all.
    _end("ct_trial_case", today)
    with acting_as("worker"):
        less = enterprise_risk(today)
        assert (less.cases, less.missing) == (2, ["ct_trial_case"])
    _end("pr_enterprise_case", today)
    with acting_as("worker"), pytest.raises(NotPermitted, match="pr_enterprise_case"):
        enterprise_risk(today)


def _end(feed: str, today: date) -> None:
    Agreement.objects.using("owner").filter(fields__has_key=feed).update(ended_on=today - timedelta(days=1))
