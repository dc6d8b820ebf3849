"""Runs are entered, watched, stopped; a back-test counts every step, says the same on both engines, changes nothing."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.refused import Refused
from chuxiong.work.jobs import work_off
from supervision import runs
from supervision.matching import backtest, engines, history
from supervision.matching.budgets import BUDGETS
from supervision.matching.run import run_rule
from supervision.models import Clue, Hit, Run
from supervision.selectors import rulebook
from tests.conftest import acting_as
from tests.prefecture import agreements
from tests.supervision.matching.landings import landed_once
from tests.supervision.rulebook.pool import fill

RULE, AS_OF = "pension_after_death", date(2026, 11, 1)
PAY = {
    "citizen_id": "P1",
    "person_name": "甲",
    "pay_month": date(2026, 5, 1),
    "amount_cny": 200000,
    "pay_status": "正常",
}


@pytest.fixture
def world(database):
    """One hit, one miss, one undecided: paid after a death, before it, and after one whose day is not known."""
    fill({
        "ps_population_death": [
            {"citizen_id": f"P{n}", "household_status": "死亡注销", "death_date": day}
            for n, day in ((1, date(2026, 3, 10)), (2, date(2026, 8, 1)), (3, None))
        ],
        "hr_pension_payment": [{**PAY, "citizen_id": f"P{n}"} for n in (1, 2, 3)],
    })  # fmt: skip
    landed_once()
    agreements()
    with acting_as("worker"):
        run_rule(RULE, at=timezone.now(), as_of=AS_OF)


def _asker() -> Person:
    return Person.objects.using("owner").create(
        username="asker", name="示例", office_id="532300", joined_at=timezone.now()
    )


def _ask(person: Person, **more: object) -> int:
    given = {"engine": "duckdb", "as_of": AS_OF, "known_on": None, "at": timezone.now(), "version": 1, **more}
    with acting_as("web"):
        return runs.ask(person, RULE, **given)  # type: ignore[arg-type]


def _work() -> None:
    with acting_as("worker"):
        work_off(kinds=["backtest"])


def _state(number: int) -> Run:
    return Run.objects.using("owner").get(pk=number)


def test_a_run_is_entered_with_what_it_did(world):
    entry = Run.objects.using("owner").get()
    assert (entry.rule, entry.mode, entry.state, entry.hits, entry.undecided) == (RULE, "full", "done", 1, 1)
    assert entry.seconds is not None
    with acting_as("worker"):
        run_rule(RULE, at=timezone.now(), as_of=AS_OF)
    assert Run.objects.using("owner").count() == 1, "a run that had nothing to do is not entered"


@pytest.mark.parametrize("engine", ["duckdb", "postgres"])
def test_a_back_test_counts_every_step_and_changes_nothing(world, engine):
    before = list(Hit.objects.using("owner").values()), list(Clue.objects.using("owner").values())
    number = _ask(_asker(), engine=engine)
    assert _state(number).state == "waiting"
    _work()
    entry = _state(number)
    assert (entry.state, entry.hits, entry.undecided, entry.told) == ("done", 1, 1, {})
    steps = {(s["step"], s["name"]): s for s in entry.report["funnel"]}
    assert steps["source", "pay"]["rows"] == 3
    assert steps["linked", ""]["rows"] == 3
    for (step, _), told in steps.items():
        if step == "condition":
            assert told["yes"] + told["no"] + told["undecided"] == 3, told
    late = steps["condition", "late"]
    assert (late["yes"], late["no"], late["undecided"]) == (1, 1, 1)
    assert (steps["kept", ""]["rows"], steps["true", ""]["rows"], steps["subjects", ""]["rows"]) == (2, 1, 2)
    assert {kind: sum(said.values()) for kind, said in entry.report["against"].items()} == {
        "same": 1, "new": 0, "gone": 0,
    }  # fmt: skip
    assert before == (list(Hit.objects.using("owner").values()), list(Clue.objects.using("owner").values()))


def test_a_back_test_on_an_earlier_day_misses_what_came_later(world):
    number = _ask(_asker(), as_of=AS_OF, known_on=None, engine="postgres")
    with pytest.raises(Refused):
        _ask(Person.objects.using("owner").get(), engine="postgres")  # the same waits already
    with pytest.raises(Refused):
        _ask(Person.objects.using("owner").get(), known_on=timezone.localdate() - timedelta(days=900))
    _work()
    assert _state(number).state == "done"


def test_one_that_waits_can_be_called_off(world):
    person = _asker()
    number = _ask(person)
    with acting_as("web"):
        runs.cancel(person, number, at=timezone.now())
    _work()
    entry = _state(number)
    assert (entry.state, entry.cancel_by, entry.hits) == ("cancelled", "示例", 0)
    assert "示例" in entry.told["zh"] and "示例" in entry.told["en"]
    with acting_as("web"), pytest.raises(Refused):
        runs.cancel(person, number, at=timezone.now())


def test_one_under_way_is_stopped_in_the_middle_of_its_query(world, monkeypatch):
    person = _asker()
    number = _ask(person, engine="postgres")

    def slow(cursor, *_, **__):
        with acting_as("web"):
            runs.cancel(person, number, at=timezone.now())
        cursor.execute("select pg_sleep(60)")

    monkeypatch.setattr(engines, "evaluate", slow)
    began = timezone.now()
    _work()
    assert _state(number).state == "cancelled"
    assert timezone.now() - began < timedelta(seconds=50)


def test_too_many_pairs_are_refused_with_the_number(world, monkeypatch):
    small = BUDGETS.backtest.model_copy(update={"pairs": 1})
    monkeypatch.setattr(history, "BUDGETS", BUDGETS.model_copy(update={"backtest": small}))
    rule = rulebook()["injury_paid_for_third_party"]
    fill({feed: rows * 2 for feed, rows in rule.tests[0].given.items()})
    with acting_as("worker"), pytest.raises(history.RunStopped) as stopped, transaction.atomic():
        backtest.backtest(
            rule, at=timezone.now(), as_of=rule.tests[0].as_of, engine="postgres", asked=history.Asked("x")
        )
    entry = Run.objects.using("owner").latest("pk")
    assert (entry.mode, entry.state) == ("backtest", "over") == ("backtest", stopped.value.state)
    assert "1" in entry.told["zh"]


def test_one_whose_process_is_gone_is_told_apart(world):
    Run.objects.using("owner").create(
        rule=RULE, mode="full", engine="duckdb", state="running", as_of=AS_OF, started_at=timezone.now()
    )
    with acting_as("web"):
        found = runs.runs(runs.RunFilters())
        assert (found.counts["lost"], found.counts["running"], found.counts["done"]) == (1, 0, 1)
        assert [r.state for r in runs.runs(runs.RunFilters(state="lost")).rows] == ["lost"]


def test_a_page_may_ask_and_stop_and_nothing_else(world):
    number = _ask(_asker())
    for sql in (
        "update supervision_run set state = 'done'",
        "update supervision_run set report = '{}'",
        "insert into supervision_run (rule, version, mode, engine, state, landing, as_of, priority, asked_by, started_at,"
        " step, subjects, changed, raised, withdrawn, source_changed, hits, undecided, told, report, cancel_by)"
        " values ('x', 1, 'full', 'duckdb', 'done', 0, '2026-01-01', 5, '', now(), 0, 0, 0, 0, 0, 0, 0, 0, '{}', '{}', '')",
        "delete from supervision_run",
    ):
        with acting_as("web"), pytest.raises(Exception, match=r"permission denied|row-level security"):
            connection.cursor().execute(sql)
    assert _state(number).state == "waiting"
