"""Sealed rows inside the pool: there for the purpose that opens them alone; a clue on them inherits their seal."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator

import pytest
from django.core.management import call_command
from django.db import ProgrammingError, connections, transaction
from django.test import Client, override_settings

from chuxiong.accounts.scope import person_scope, scope
from chuxiong.audit.record import record
from dashboard.indicators.funnel import funnel, latest
from ingestion import selectors as ingestion
from ingestion.catalog.seals import KINDS, PoolRow, Reach, readable
from ingestion.catalog.spec import FeedSpec
from ingestion.pool import sync
from supervision import case_query
from supervision.clues import actions
from supervision.matching import run
from supervision.models import Clue, RuleState
from supervision.reference import REFERENCE
from supervision.rulebook.load import LoadedRule, read_rule
from supervision.selectors import ClueFilters, clue_counts, clue_detail, clue_page
from supervision.selectors.rules import own_rulebook
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, citizen, land_rows, suit
from tests.supervision.sealed import ROWS, pool_row
from tests.supervision.test_access import DEPARTMENTS, OFFICES, _person


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with override_settings(PASSWORD_HASHERS=["tests.accounts.conftest.QuickHasher"]):
        yield


CHILD, ADULT = citizen(3, born="20120101"), citizen(4)
RULE = """
id: children_on_trial
code: MI-90
version: 1
status: live
domain: minors
title: {zh: 示例, en: Example}
summary: {zh: 示例, en: Example}
purpose: legal_supervision
basis: [{law: 示例法, article: 第一条, valid_from: 2020-01-01}]
false_positives: [{zh: 无, en: none}]
checking_points: [{zh: 核对, en: check}]
sources: {case: {feed: pr_case, zh: 案件, en: Case}}
driver: case
when: {all: [{id: accepted, zh: 已受理, en: accepted, field: case.case_category, op: "=", value: 公诉案件}]}
measures: {rows: {count: rows, zh: 行数, en: rows}}
bands: [{level: ordinary, zh: 一般, en: ordinary}]
clue: {subject: case.party_citizen_id, kind: person, label: case.party_name, title: {zh: "示例 {rows} 行", en: "example {rows}"}, evidence: [case]}
department: minors
tests:
  - {name: 一, as_of: 2026-11-01, given: {pr_case: [{unified_case_no: P1, party_citizen_id: P1, case_category: 公诉案件}]}, expect: hit}
  - {name: 二, as_of: 2026-11-01, given: {pr_case: [{unified_case_no: P1, party_citizen_id: P1, case_category: 其他}]}, expect: miss}
  - {name: 三, as_of: 2026-11-01, given: {pr_case: [{unified_case_no: P1, party_citizen_id: P1}]}, expect: undecided}
"""


def _rule(domain: str) -> LoadedRule:
    rule, problems = read_rule(
        RULE.replace("domain: minors", f"domain: {domain}"), "example", ingestion.catalog()
    )
    assert rule, problems
    return rule


def _card(serial: int, number: str, minor: str, name: str) -> dict[str, str]:
    return {
        "unified_case_no": f"5323012026{serial:06d}", "party_no": "001", "unit_name": "楚雄市人民检察院",
        "case_category": "公诉案件", "accept_date": "2026-06-01", "party_name": name, "party_citizen_id": number,
        "is_minor": minor, "incident_place": "云南省楚雄彝族自治州楚雄市示例镇",
    }  # fmt: skip


def _run(domain: str, monkeypatch: pytest.MonkeyPatch) -> run.RunResult:
    rule = _rule(domain)
    monkeypatch.setitem(own_rulebook(), rule.id, rule)
    RuleState.objects.using("owner").update_or_create(
        rule=rule.id,
        defaults={
            "code": rule.code, "version": 1, "digest": rule.digest, "status": "live", "title_zh": "示例", "title_en": "Example",
            "domain": domain,
        },
    )  # fmt: skip
    with acting_as("worker"):
        return run.run_rule(rule.id, at=NOW, as_of=NOW.date(), full=True)


def test_both_policies_of_the_pool_agree_on_random_worlds(database, capsys):
    seed = secrets.randbelow(2**31)
    with capsys.disabled():
        print(f"\npool seed {seed}")
    draw = random.Random(seed)
    rows = {
        (feed, pool_row(feed, county, columns)): PoolRow(feed, county, seal)
        for feed, columns, seal in ROWS
        for county in (None, *OFFICES)
    }
    feeds = sorted({feed for feed, _columns, _seal in ROWS})
    purposes = ["", "supervision", "legal_supervision", *{kind.purpose for kind in KINDS.values()}]
    told = 0
    for _ in range(60):
        reach = Reach(
            frozenset(draw.sample(OFFICES, draw.randint(0, 3))),
            frozenset(draw.sample(feeds, draw.randint(1, len(feeds)))),
            draw.choice(purposes),
            draw.choice(["", *DEPARTMENTS]),
            draw.random() < 0.5,
        )
        expected = {key for key, row in rows.items() if readable(reach, row)}
        for role in ("default", "worker"):
            found = set()
            with (
                scope(
                    offices=reach.offices, feeds=reach.feeds, purpose=reach.purpose,
                    department=reach.department, using=role,
                ),
                connections[role].cursor() as cursor,
            ):  # fmt: skip
                if reach.recorded:
                    record(
                        at=NOW, actor="a", action="case.query", object_kind="clue", object_ref="x", using=role
                    )
                for feed in feeds:
                    cursor.execute(f'select record_id from pool."{feed}" where true or county is null')
                    found |= {(feed, record) for (record,) in cursor.fetchall()}
            assert found == expected, (role, reach)
        told += len(expected)
    assert 0 < told < 60 * len(rows)


def test_a_clue_on_sealed_rows_is_its_departments_alone(database, monkeypatch):
    agreements()
    head, keeper = _person("h", "532301", "minors", "head"), _person("k", "532301", "minors")
    other = _person("o", "532301", "criminal", "office_head")
    above = _person("m", "532300", "minors", "head")
    land_rows("pr_case", [_card(1, CHILD, "是", "赵幼苗"), _card(2, ADULT, "否", "钱样本")])
    result = _run("minors", monkeypatch)
    assert result.raised == 2
    with acting_as("owner"):
        sealed = Clue.objects.get(label="赵幼苗")
        open_one = Clue.objects.get(label="钱样本")
    assert (sealed.sealed, sealed.closed_to, sealed.department, sealed.seals) == (
        True, "minors", "minors", ["minor"],
    )  # fmt: skip
    assert (open_one.sealed, open_one.closed_to, open_one.seals) == (False, "minors", [])
    assert funnel().found == 1 and all("赵幼苗" not in str(row) for row in latest())
    # Its department's heads have it, here and at the prefecture; a colleague once admitted; nobody else.
    for who, sees in ((head, 2), (above, 2), (keeper, 1), (other, 0)):
        assert clue_page(who, ClueFilters()).total == sees, who.username
        assert clue_counts(who)["open"] == sees
        assert (clue_detail(who, sealed.number, at=NOW) is not None) is (sees == 2)
    found = clue_detail(head, sealed.number, at=NOW)
    assert found is not None and len(found.sources) == 1 and found.sealed_legs == []
    actions.admit(clue_number=sealed.number, by=head, at=NOW, person="k", note="办案需要")
    assert clue_page(keeper, ClueFilters()).total == 2
    # A run over the same rows changes nothing that people decided.
    again = _run("minors", monkeypatch)
    assert (again.raised, again.changed) == (0, 0)


def test_what_two_people_decided_stands_and_others_see_that_a_leg_exists(database, monkeypatch):
    agreements()
    head, second = _person("h", "532301", "minors", "head"), _person("s", "532300", "minors", "head")
    land_rows("pr_case", [_card(1, CHILD, "是", "赵幼苗")])
    _run("minors", monkeypatch)
    with acting_as("owner"):
        number = Clue.objects.get().number
    for who in (head, second):
        actions.unseal(clue_number=number, by=who, at=NOW, note="依法解除")
    actions.accept(clue_number=number, by=head, at=NOW)
    with acting_as("owner"):
        clue = Clue.objects.get()
        assert (clue.sealed, clue.seals) == (False, ["minor"])
        # Its handler has moved to another department: of the leg only that it exists is left.
        Clue.objects.update(handler="x")
    moved = _person("x", "532301", "criminal")
    found = clue_detail(moved, number, at=NOW)
    assert found is not None
    assert found.sources == [] and [(t.zh, n) for t, n in found.sealed_legs] == [
        ("检察业务应用系统案件数据", 1)
    ]
    assert {(c.value, c.threshold) for c in found.conditions} == {(ingestion.MASK, ingestion.MASK)}
    assert "赵幼苗" not in found.row.title_zh and "赵○" in found.row.title_zh


def test_bulk_runs_of_other_domains_do_not_feel_sealed_rows(database, monkeypatch):
    """Adding sealed rows changes nothing of a run and nothing that anybody reads."""
    agreements()
    who = _person("h", "532301", "minors", "head")
    land_rows("pr_case", [_card(2, ADULT, "否", "钱样本")])
    _run("criminal", monkeypatch)
    before = clue_page(who, ClueFilters()), funnel()
    land_rows("pr_case", [_card(1, CHILD, "是", "赵幼苗")])
    result = _run("criminal", monkeypatch)
    assert (result.raised, result.changed, result.withdrawn) == (0, 0, 0)
    assert (clue_page(who, ClueFilters()), funnel()) == before


def test_absence_from_a_feed_sealed_as_a_whole_proves_nothing(database):
    land_rows("ct_trial_case", [suit([ADULT], 1, "2026-06-01")], covers=NOW.date())
    land_rows("ps_admin_penalty", [{"party_id": ADULT}], covers=NOW.date())
    feeds = ["ct_trial_case", "ps_admin_penalty"]

    def covered(purpose: str, department: str, recorded: bool = False) -> list[bool]:
        with scope(offices=OFFICES, feeds=feeds, purpose=purpose, department=department):
            if recorded:
                record(at=NOW, actor="a", action="case.query", object_kind="clue", object_ref="x")
            found = ingestion.covered_until(feeds, landing=9)
        return [found[feed] is not None for feed in feeds]

    assert covered("legal_supervision", "") == [True, False]
    assert covered("case_query", "minors") == [True, False]
    assert covered("case_query", "criminal", recorded=True) == [True, False]
    assert covered("case_query", "minors", recorded=True) == [True, True]


def test_a_sealed_register_is_asked_for_one_clue_on_record_and_nothing_is_kept(database, monkeypatch):
    agreements()
    handler, other = _person("a", "532301", "criminal"), _person("b", "532301", "criminal")
    land_rows("pr_case", [_card(2, ADULT, "否", "钱样本")])
    _run("criminal", monkeypatch)
    penalty = {
        "party_id": ADULT,
        "decision_no": "楚公（城）行罚决字〔2026〕1号",
        "violation_type": "殴打他人",
        "is_minor": "否",
    }
    land_rows("ps_admin_penalty", [penalty, {**penalty, "decision_no": "楚公（城）行罚决字〔2026〕2号", "is_minor": "是"},
                                   {**penalty, "party_id": citizen(5)}])  # fmt: skip
    with acting_as("owner"):
        number = Clue.objects.get().number

    def ask(who, **more: str) -> case_query.Answer:  # type: ignore[no-untyped-def]
        given = {
            "feed": "ps_admin_penalty",
            "case_number": "楚检公诉〔2026〕9号",
            "reason": "核对前科",
        } | more
        return case_query.ask(clue_number=number, by=who, at=NOW, **given)

    for name in ("accept", "dispatch", "receive"):
        more = {"office": "532301"} if name == "dispatch" else {}
        with pytest.raises(case_query.NotAsked, match="承办人"):
            ask(handler)
        getattr(actions, name)(clue_number=number, by=handler, at=NOW, **more)
    with pytest.raises(case_query.NotAsked, match="案号"):
        ask(handler, case_number=" ")
    with pytest.raises(case_query.NotAsked, match="封存数据源"):
        ask(handler, feed="hr_pension_payment")
    with pytest.raises(case_query.NotAsked, match="承办人"):
        ask(other)
    answer = ask(handler)
    # The row of a minor stays shut to this department, the rows of others are not asked for, numbers stay masked.
    (found,) = answer.records
    texts = {column.name: text for column, text in found}
    assert texts["violation_type"] == "殴打他人" and texts["party_id"] == ingestion.MASK
    with connections["owner"].cursor() as cursor:
        cursor.execute("select actor, reason, detail from audit_auditevent where action = 'case.query'")
        ((actor, reason, detail),) = cursor.fetchall()
    assert (actor, reason) == ("a", "核对前科") and "9号" in detail
    seen = clue_detail(other, number, at=NOW)
    assert seen is not None and seen.events[-1].zh == "办案查询封存数据" and not seen.sealed_legs
    assert seen.may_query is False
    client = Client()
    client.force_login(handler)
    page = client.get(f"/clues/{number}").content.decode()
    assert f'action="/clues/{number}/case-query"' in page
    form = {"feed": "ps_admin_penalty", "case_number": "9号", "reason": "核对"}
    shown = client.post(f"/clues/{number}/case-query", form)
    assert "殴打他人" in shown.content.decode() and "no-store" in shown["Cache-Control"]
    assert "殴打他人" not in client.get(f"/clues/{number}").content.decode()
    bounds = REFERENCE.case_query.per_day
    monkeypatch.setattr(bounds, "__dict__", bounds.__dict__ | {"value": 1})
    with pytest.raises(case_query.NotAsked, match="今天已用完"):
        ask(handler)


def test_clues_raised_before_their_feed_declared_a_seal_inherit_it_at_the_next_sync(database):
    record = pool_row("pr_case", "532301", {"is_minor": True})
    with connections["owner"].cursor() as cursor:
        cursor.execute("alter table supervision_clue disable trigger supervision_clue_seal")
        Clue.objects.using("owner").create(
            number="XS-2026-000001", origin="model", rule="recovery_not_pursued", subject_kind="case", subject_ref="x",
            level="ordinary", office="532301", raised_at=NOW,
            evidence=[{"alias": "case", "feed": "pr_case", "record_id": record}],
        )  # fmt: skip
        cursor.execute("alter table supervision_clue enable trigger supervision_clue_seal")
    call_command("rule", "sync")
    clue = Clue.objects.using("owner").get()
    assert (clue.sealed, clue.closed_to, clue.seals) == (True, "minors", ["minor"])


def test_with_sql_in_hand_no_seal_is_taken_off(database):
    record = pool_row("pr_case", "532301", {"is_minor": True})
    head = _person("h", "532301", "minors", "head")
    Clue.objects.using("owner").create(
        number="XS-2026-000001", origin="model", rule="recovery_not_pursued", subject_kind="case", subject_ref="x",
        level="ordinary", office="532301", raised_at=NOW,
        evidence=[{"alias": "case", "feed": "pr_case", "record_id": record}],
    )  # fmt: skip
    with person_scope(head):
        Clue.objects.update(seals=[])
        assert Clue.objects.get().seals == ["minor"]
        with pytest.raises(ProgrammingError), transaction.atomic():
            connections["default"].cursor().execute("select pool_seals('[]')")


def test_a_changed_declaration_is_brought_in_line_without_losing_a_row(database):
    record = pool_row("pr_case", "532301", {"is_minor": True})
    feed = ingestion.catalog()["pr_case"]

    def seals() -> list[str | None]:
        with connections["owner"].cursor() as cursor:
            cursor.execute('select seal from pool."pr_case" where record_id = %s', [record])
            return [row[0] for row in cursor.fetchall()]

    def declared(**change: object) -> FeedSpec:
        return FeedSpec.model_validate({**feed.model_dump(), **change})

    try:
        assert seals() == ["minor"]
        assert sync({"pr_case": feed}) == []
        sync({"pr_case": declared(seals=({"kind": "penalty", "column": None},))})
        assert seals() == ["penalty"]
        sync({"pr_case": declared(seals=())})
        with connections["owner"].cursor() as cursor:
            cursor.execute('select count(*) from pool."pr_case"')
            assert cursor.fetchone() == (1,)
    finally:
        sync({"pr_case": feed})
    assert seals() == ["minor"]


@pytest.mark.parametrize(("seals", "word"), [
    (({"kind": "nonsense", "column": None},), "没有封存种类"),
    (({"kind": "minor", "column": "charge"},), "不是报送的 bool 列"),
    (({"kind": "penalty", "column": None}, {"kind": "minor", "column": "is_minor"}), "须放在最后"),
])  # fmt: skip
def test_a_wrong_declaration_names_the_place_and_the_cure(seals, word):
    feed = ingestion.catalog()["pr_case"].model_dump()
    with pytest.raises(ValueError, match=word):
        FeedSpec.model_validate({**feed, "seals": seals})
