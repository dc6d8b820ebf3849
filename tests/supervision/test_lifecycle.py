"""The table of moves, and the one writer that follows it."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, connections

from chuxiong.accounts.scope import all_offices, scope
from supervision.clues import actions
from supervision.clues.lifecycle import CLOSED, MOVES, TRACK, State, possible
from supervision.models import Clue, ClueEvent
from tests.prefecture import NOW, person


def _clue(by):
    return actions.enter(
        by=by, at=NOW, title="示例事项", office="532301", township="示例镇", occurred_on=NOW.date(),
        level="ordinary", text="示例情况",
    )  # fmt: skip


def test_every_open_state_has_a_way_on_and_closed_states_none():
    for state in State:
        assert bool(possible(state)) == (state not in CLOSED)
    reached = {m.to for m in MOVES.values() if m.to} | {
        State.CONFIRMED,
        State.UNFOUNDED,
        State.NEEDS_DATA,
        State.RAISED,
        State.WITHDRAWN,
    }
    assert reached == set(State)
    assert TRACK[0] is State.RAISED
    assert TRACK[-1] is State.SETTLED


def test_each_move_writes_one_event_and_one_audit_row(database):
    zhou = person("zhou")
    clue = _clue(zhou)
    actions.accept(clue_number=clue.number, by=zhou, at=NOW)
    with scope(offices=all_offices()):
        assert [e.kind for e in ClueEvent.objects.all()] == ["enter", "accept"]
    with connections["owner"].cursor() as cursor:
        cursor.execute("select action from audit_auditevent order by id")
        assert [a for (a,) in cursor.fetchall()] == ["clue.enter", "clue.accept"]


def test_a_move_that_does_not_start_here_is_refused_in_words(database):
    zhou = person("zhou")
    clue = _clue(zhou)
    with pytest.raises(actions.Refused, match="待研判"):
        actions.settle(clue_number=clue.number, by=zhou, at=NOW, outcome="corrected", note="x")
    with scope(offices=all_offices()):
        assert Clue.objects.get().state == State.RAISED


def test_two_people_at_once_one_wins_and_the_other_is_told(database):
    zhou, wu = person("zhou"), person("wu")
    clue = _clue(zhou)
    results: list[object] = []

    def go(by):
        try:
            actions.accept(clue_number=clue.number, by=by, at=NOW, expected_version=1)
            results.append("done")
        except actions.Refused as refused:
            results.append(refused.current_version)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=go, args=(p,)) for p in (zhou, wu)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert sorted(map(str, results)) == ["2", "done"]


def test_a_county_sees_and_moves_only_its_own(database):
    zhou, he = person("zhou"), person("he", office="532302")
    clue = _clue(zhou)
    with pytest.raises(actions.Refused, match="范围"):
        actions.accept(clue_number=clue.number, by=he, at=NOW)
    with pytest.raises(actions.Refused, match="范围"):
        _clue_for(he, "532301")


def _clue_for(by, office):
    return actions.enter(
        by=by,
        at=NOW,
        title="t",
        office=office,
        township="",
        occurred_on=NOW.date(),
        level="ordinary",
        text="x",
    )


def test_the_database_refuses_a_settled_clue_without_outcome(database):
    zhou = person("zhou")
    clue = _clue(zhou)
    with pytest.raises(IntegrityError), connections["owner"].cursor() as cursor:
        cursor.execute("update supervision_clue set state = 'settled' where number = %s", [clue.number])
    with pytest.raises(IntegrityError), connections["owner"].cursor() as cursor:
        cursor.execute("update supervision_clue set outcome = 'improved' where number = %s", [clue.number])


def test_a_failed_act_leaves_no_gap_in_the_numbers(database):
    zhou = person("zhou")
    _clue(zhou)
    with pytest.raises(actions.Refused):
        _clue_for(zhou, "999999")
    with scope(offices=all_offices()):
        second = _clue(zhou)
    assert second.number.endswith("000002")
