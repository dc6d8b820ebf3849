"""Records that go along with a letter: each under its clause, numbers by the agency's own keys alone, kept sealed."""

from __future__ import annotations

import json

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from chuxiong.accounts.scope import person_scope
from ingestion.models import Agreement
from ingestion.selectors import MASK
from supervision import leaving
from supervision.clients import new_client
from supervision.clues import actions
from supervision.models import Clue, Letter
from tests.conftest import acting_as
from tests.front import carry
from tests.journeys.test_agency_answer import Agency
from tests.prefecture import person
from tests.supervision.test_disclosures import _quick, clue  # noqa: F401  fixtures
from tests.supervision.test_unmasking import NUMBER, _take

HR = "hr_bureau"


@pytest.fixture
def sender(clue):  # noqa: F811
    by = person("a", office="532301", roles=("head", "prosecutor"))
    _take(clue, by)
    return by


def _look(by, number: str, agency: str = HR) -> leaving.Leaving:  # type: ignore[no-untyped-def]
    found = leaving.leaving(by, number, agency, at=timezone.now())
    assert found is not None
    return found[1]


def test_an_agency_gets_its_own_records_and_no_other_suppliers(clue, sender):  # noqa: F811
    what = _look(sender, clue)
    assert {s.feed for s in what.sources} == {"hr_pension_payment"} and what.rows >= 1
    assert (
        "凭本单位主键返还" in what.sources[0].clause_zh
        and "T-hr_pension_payment" in what.sources[0].clause_zh
    )
    assert {k.why_zh for k in what.kept} == {"协议未约定可反馈给其他单位"}
    assert NUMBER not in what.content().decode()
    # Counts add up: every record of the evidence leaves or stays.
    with person_scope(sender):
        evidence = len(Clue.objects.get(number=clue).evidence)
    assert what.rows + sum(k.rows for k in what.kept) == evidence


def test_where_the_agreement_allows_it_others_leave_masked(clue, sender):  # noqa: F811
    Agreement.objects.using("owner").filter(fields__has_key="ps_population_death").update(
        may_be_fed_back=True
    )
    what = _look(sender, clue)
    other = next(s for s in what.sources if s.feed == "ps_population_death")
    assert "T-ps_population_death" in other.clause_zh
    text = json.dumps(other.rows, ensure_ascii=False)
    assert NUMBER not in text and "赵样本" not in text
    Agreement.objects.using("owner").filter(fields__has_key="ps_population_death").update(
        fields={"ps_population_death": ["death_date"]}
    )
    kept = {k.title_zh for k in _look(sender, clue).kept}
    assert other.title_zh in kept, "a source whose agreement covers less is not used at all"


def test_own_keys_stand_in_clear_once_the_reason_is_given(clue, sender):  # noqa: F811
    from ingestion.selectors import catalog

    keys = set(catalog()["hr_pension_payment"].natural_key)
    before = _look(sender, clue).sources[0]
    numbers = [i for i, c in enumerate(before.columns) if c.masked]
    assert numbers and all(row[i] in (MASK, "") for row in before.rows for i in numbers)
    actions.unmask(clue_number=clue, by=sender, at=timezone.now(), reason="核对发放账户")
    after = _look(sender, clue).sources[0]
    for i, column in enumerate(after.columns):
        if column.name in keys and i in numbers:
            assert {row[i] for row in after.rows} == {NUMBER}
        elif i in numbers:
            assert {row[i] for row in after.rows} <= {MASK, ""}


def test_what_was_looked_at_is_what_is_sent_and_lies_sealed(clue, sender):  # noqa: F811
    actions.conclude(clue_number=clue, by=sender, at=timezone.now(), finding="confirmed", note="属实")
    actions.unmask(clue_number=clue, by=sender, at=timezone.now(), reason="核对发放账户")
    what = _look(sender, clue)
    with pytest.raises(actions.Refused, match="重新查看"):
        leaving.agreed(sender, clue, HR, "0" * 64, at=timezone.now())
    content, rows = leaving.agreed(sender, clue, HR, what.digest, at=timezone.now())
    actions.feed_back(
        clue_number=clue, by=sender, at=timezone.now(), agency=HR, subject="停发", text="请核实",
        records=(content, rows),
    )  # fmt: skip
    with acting_as("owner"):
        client, secret = new_client(agency=HR, agency_zh="人社局")
        data, data_secret = new_client(agency=HR, agency_zh="人社局", scopes=["data"])
    carry()
    number = Letter.objects.using("owner").get().number
    for alias, table in (("owner", "supervision_letter"), ("front", "front_received")):
        with connections[alias].cursor() as cursor:
            cursor.execute(f"select x::text from {table} x")
            (text,) = cursor.fetchone()
        assert NUMBER not in text and NUMBER.encode().hex() not in text, table
    agency = Agency(client.key, secret)
    (listed,) = agency.send("GET", "/api/v1/received").json()["items"]
    assert listed["records"]["rows"] == rows
    given = agency.send("GET", listed["records"]["path"])
    assert (given.status_code, given.content) == (200, content)
    # The data contact of the same agency sees nothing of it.
    other = Agency(data.key, data_secret)
    assert other.send("GET", "/api/v1/received").json()["items"] == []
    assert other.send("GET", listed["records"]["path"]).status_code == 404
    assert number == listed["number"]


def test_the_page_says_field_by_field_what_leaves_and_sends_it(clue, sender):  # noqa: F811
    actions.conclude(clue_number=clue, by=sender, at=timezone.now(), finding="confirmed", note="属实")
    browser = Client()
    browser.force_login(sender)
    typed = {"agency": HR, "subject": "停发", "text": "请核实"}
    shown = browser.post(f"/clues/{clue}/leaving", typed)
    page = shown.content.decode()
    assert shown.status_code == 200 and "凭本单位主键返还" in page and "协议未约定可反馈给其他单位" in page
    what = _look(sender, clue)
    sent = browser.post(f"/clues/{clue}/feed_back", typed | {"records": "1", "seen": what.digest})
    assert sent.status_code == 302, sent.content.decode()[:2000]
    assert Letter.objects.using("owner").get().records == what.rows
