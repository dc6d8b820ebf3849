"""From agency file to clue: the whole spine on real servers."""

from __future__ import annotations

from django.db import connection, connections

from chuxiong.accounts.scope import all_offices, scope
from supervision.clues import actions
from supervision.clues.lifecycle import State
from supervision.matching.run import run_rule
from supervision.models import Clue, Hit
from tests.conftest import acting_as
from tests.prefecture import NOW, TODAY, agreements, bring, citizen, cremation, death, payment, person, sheet

RULE = "pension_after_death"


def _match(full: bool = False):  # type: ignore[no-untyped-def]
    with acting_as("worker"):
        return run_rule(RULE, at=NOW, as_of=TODAY, full=full)


def _clues() -> list[Clue]:
    with scope(offices=all_offices()):
        return list(Clue.objects.order_by("pk"))


def _hits() -> dict[str, str]:
    with acting_as("worker"):
        return {
            h.material.get("label", "") + h.subject_ref[:0] + h.verdict: h.level for h in Hit.objects.all()
        }


def test_a_death_in_two_registers_and_payments_after_it_raise_one_clue(database):
    agreements()
    number = citizen(7)
    batch = bring("ps_population_death", sheet("ps_population_death", [death(number, "2026-03-10")]))
    assert (batch.state, batch.received, batch.loaded) == ("landed", 1, 1), batch.problem
    bring("ca_funeral", sheet("ca_funeral", [cremation(number, "2026.3.10", 1)]))
    bring(
        "hr_pension_payment",
        sheet("hr_pension_payment", [payment(number, f"2026{m:02d}", "2,500.00") for m in range(3, 10)]),
    )
    result = _match()
    assert (result.mode, result.raised) == ("full", 1)
    (clue,) = _clues()
    assert clue.level == "urgent"
    assert clue.office == "532301"
    assert clue.material["months"] == 5
    assert clue.material["total"] == 5 * 250_000
    assert {e["feed"] for e in clue.evidence} == {"ps_population_death", "ca_funeral", "hr_pension_payment"}
    assert _match().mode == "idle"
    assert _match(full=True).changed == 0


def test_one_source_is_never_urgent_and_the_second_source_lifts_it(database):
    agreements()
    number = citizen(8)
    bring("ca_funeral", sheet("ca_funeral", [cremation(number, "2026-01-05", 1)]))
    bring("hr_pension_payment", sheet("hr_pension_payment", [payment(number, "2026-05", "30000")]))
    _match()
    assert [c.level for c in _clues()] == ["important"]
    bring("ps_population_death", sheet("ps_population_death", [death(number, "2026-01-05")]))
    result = _match()
    assert (result.mode, result.subjects, result.raised) == ("subjects", 1, 0)
    assert [c.level for c in _clues()] == ["urgent"]


def test_a_correction_withdraws_an_untouched_clue_and_marks_a_handled_one(database):
    agreements()
    first, second = citizen(9), citizen(10)
    deaths = [death(n, "2026-01-05") for n in (first, second)]
    bring("ps_population_death", sheet("ps_population_death", deaths))
    bring(
        "hr_pension_payment",
        sheet("hr_pension_payment", [payment(n, "2026-05", "2000") for n in (first, second)]),
    )
    assert _match().raised == 2
    handler = person("zhou")
    handled = _clues()[0]
    actions.accept(clue_number=handled.number, by=handler, at=NOW)
    actions.dispatch(clue_number=handled.number, by=handler, at=NOW, office="532301")
    corrected = [death(n, "", status="在籍") for n in (first, second)]
    bring("ps_population_death", sheet("ps_population_death", corrected), name="correction.csv")
    result = _match()
    assert (result.withdrawn, result.source_changed) == (1, 1)
    states = {c.number: c for c in _clues()}
    marked = states.pop(handled.number)
    assert marked.state == State.DISPATCHED
    assert marked.source_changes[0]["verdict"] == "gone"
    assert [c.state for c in states.values()] == [State.WITHDRAWN]


def test_undecided_is_neither_hit_nor_miss(database):
    agreements()
    number = citizen(11)
    bring("ps_population_death", sheet("ps_population_death", [death(number, "")]))
    bring("hr_pension_payment", sheet("hr_pension_payment", [payment(number, "2026-05", "2000")]))
    assert _match().raised == 0
    with acting_as("worker"):
        assert [h.verdict for h in Hit.objects.all()] == ["undecided"]


def test_a_lapsed_agreement_stops_the_rule_and_the_import(database):
    agreements()
    number = citizen(12)
    bring("ps_population_death", sheet("ps_population_death", [death(number, "2026-01-05")]))
    agreements(valid_to=NOW.date().replace(day=1))
    result = _match()
    assert result.mode == "stopped"


def test_the_pool_holds_no_number_in_the_clear(database):
    agreements()
    number = citizen(13)
    row = death(number, "2026-01-05") | {"household_address": f"楚雄市示例镇 电话13987654321 证件{number}"}
    bring("ps_population_death", sheet("ps_population_death", [row]))
    with connections["owner"].cursor() as cursor:
        cursor.execute("select t::text from pool.ps_population_death t")
        text = cursor.fetchone()[0]
    assert number not in text
    assert "13987654321" not in text


def test_without_scope_a_connection_sees_nothing(database):
    agreements()
    number = citizen(14)
    bring("ps_population_death", sheet("ps_population_death", [death(number, "2026-01-05")]))
    bring("hr_pension_payment", sheet("hr_pension_payment", [payment(number, "2026-05", "2000")]))
    _match()
    assert Clue.objects.count() == 0
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from pool.hr_pension_payment")
        assert cursor.fetchone()[0] == 0
    with scope(offices=["532302"]):
        assert Clue.objects.count() == 0
    with scope(offices=["532301"]):
        assert Clue.objects.count() == 1
