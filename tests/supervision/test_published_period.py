"""The published period replayed: 9,408 found → 1,689 checked → 1,022 confirmed = 513 corrected + 509 improved."""

from __future__ import annotations

import itertools
from dataclasses import astuple
from datetime import timedelta

from django.db import IntegrityError, connections, transaction
from django.test import Client

from dashboard.indicators.funnel import Funnel, by_county, funnel, stages
from dashboard.walls.snapshot import _build
from supervision import tally
from supervision.clues.lifecycle import Outcome, State
from supervision.models import Clue
from supervision.selectors import clue_standing
from tests.conftest import acting_as
from tests.prefecture import NOW, decided, person

FOUND, CHECKED, CONFIRMED, CORRECTED, IMPROVED = 9_408, 1_689, 1_022, 513, 509
_INSERT = """
    insert into supervision_clue (number, origin, rule, rule_digest, subject_kind, subject_ref, bucket, episode, label, title, level,
        office, department, township, state, kind, supported, material, conditions, evidence, source_changes, results,
        raised_at, handler, closed_to, sealed, admitted, recused, responsible, responsible_zh, responsible_en, competent,
        exercise, version)
    select 'XS-2026-' || lpad(n::text, 6, '0'), 'model', 'river_rubbish', '', 'place', n::text, '', 1, '', '', 'ordinary',
        o.code, '', '', 'raised', '', true, '{}', '[]', '[]', '[]', '{}', %s, '', '', false, '{}', '{}', '', '', '', '',
        false, 1
    from generate_series(1, %s) n
    join (select code, row_number() over (order by code) - 1 as place from accounts_office where parent_id is not null) o
        on o.place = n %% 10
"""


def _move(first: int, last: int, state: str, outcome: str = "improved") -> None:
    numbers = [f"XS-2026-{n:06d}" for n in (first, last)]
    Clue.objects.filter(number__range=numbers).update(state=state, **decided(state, outcome))


def test_the_published_period_adds_up_on_every_screen(database):
    zhou = person("zhou")

    def shown() -> Funnel:
        told = funnel()
        assert told.confirmed == told.corrected + told.improved + told.in_progress
        counties = by_county()
        assert astuple(told) == tuple(sum(row[name] for row in counties) for name in Funnel.__annotations__)
        assert sum(stages().values()) == told.found
        return told

    with acting_as("owner"):
        with connections["owner"].cursor() as cursor:
            cursor.execute(_INSERT, [NOW - timedelta(days=100), FOUND])
        assert shown() == Funnel(FOUND, 0, 0, 0, 0, 0)
        _move(1, CONFIRMED, "confirmed")
        _move(CONFIRMED + 1, CHECKED, "unfounded")
        assert shown() == Funnel(FOUND, CHECKED, CONFIRMED, 0, 0, CONFIRMED)
        _move(1, CORRECTED, "settled", "corrected")
        assert shown() == Funnel(FOUND, CHECKED, CONFIRMED, CORRECTED, 0, IMPROVED)
        _move(CORRECTED + 1, CONFIRMED, "settled", "improved")
        assert shown() == Funnel(FOUND, CHECKED, CONFIRMED, CORRECTED, IMPROVED, 0)
    assert CORRECTED + IMPROVED == CONFIRMED

    told = _build()["funnel"]
    assert told == {
        "found": FOUND, "checked": CHECKED, "confirmed": CONFIRMED, "corrected": CORRECTED, "improved": IMPROVED, "in_progress": 0,
    }  # fmt: skip
    counts, _attention = clue_standing(zhou)
    assert counts["open"] == FOUND - CHECKED
    with acting_as("owner"):
        assert tally.verdicts(["river_rubbish"]) == {"river_rubbish": (CHECKED, CONFIRMED)}
    client = Client()
    client.force_login(zhou)
    assert "7719" in client.get("/").content.decode()

    # What would break the sum is refused, whoever writes, for one clue or for all.
    breaking = (
        "outcome = null where outcome = 'corrected'",
        "outcome = 'corrected' where state = 'unfounded'",
        "confirmed_at = null where state = 'settled'",
        "confirmed_at = now() where state = 'unfounded'",
        "state = 'settled' where state = 'raised'",
        "state = 'unfounded' where state = 'settled'",
        "checked_at = now() where state = 'raised'",
        "outcome = 'both' where state = 'settled'",
    )
    for change in breaking:
        with connections["owner"].cursor() as cursor:
            try:
                with transaction.atomic(using="owner"):
                    cursor.execute(f"update supervision_clue set {change}")
            except IntegrityError:
                continue
        raise AssertionError(f"not refused: {change}")
    with acting_as("owner"):
        assert shown() == Funnel(FOUND, CHECKED, CONFIRMED, CORRECTED, IMPROVED, 0)


def test_of_all_that_could_be_written_one_set_of_facts_a_state_is_let_in(database):
    """Every state with every outcome and every pair of dates: what the database lets in, the lifecycle can reach."""
    allowed: dict[str, set[tuple[str | None, bool, bool]]] = {}
    drawn = itertools.product(State, (None, *Outcome), (False, True), (False, True))
    with acting_as("owner"):
        for n, (state, outcome, checked, confirmed) in enumerate(drawn):
            facts = {
                "state": state.value, "outcome": outcome and outcome.value, "checked_at": NOW if checked else None,
                "confirmed_at": NOW if confirmed else None, "settled_at": NOW if outcome else None,
            }  # fmt: skip
            try:
                with transaction.atomic(using="owner"):
                    Clue.objects.create(
                        number=f"XS-2026-{n:06d}", origin="manual", subject_kind="place", subject_ref=str(n), level="ordinary",
                        office="532301", raised_at=NOW, **facts,
                    )  # fmt: skip
            except IntegrityError:
                continue
            allowed.setdefault(state.value, set()).add((facts["outcome"], checked, confirmed))  # type: ignore[arg-type]
    assert allowed == {
        state.value: {
            (outcome, bool(facts["checked_at"]), bool(facts["confirmed_at"]))
            for outcome in (("corrected", "improved") if state is State.SETTLED else (None,))
            for facts in [decided(state.value)]
        }
        for state in State
    }
