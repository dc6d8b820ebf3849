"""Readings raise alarms at once; corrections take them back; people acknowledge them or make them clues."""

from __future__ import annotations

import random

import pytest

from supervision.alarms import actions
from supervision.alarms.raising import raise_alarms
from supervision.clues.actions import Refused
from supervision.models import Alarm, Clue
from supervision.selectors import AlarmFilters, alarm_count, alarm_page, alarms
from tests.conftest import acting_as, empty_tables
from tests.prefecture import NOW, agreements, land_rows, person, reading


def _land(rows: list[dict[str, str]]):  # type: ignore[no-untyped-def]
    number, _, _ = land_rows("ee_auto_monitor", rows)
    with acting_as("worker"):
        return raise_alarms(alarms()["discharge_reading"], landing=number, at=NOW)


def _alarms(who) -> list[Alarm]:  # type: ignore[no-untyped-def]
    return alarm_page(who, AlarmFilters(states=("unreviewed", "acknowledged", "promoted", "withdrawn"))).rows


def test_any_kind_of_reading_above_its_limit_raises_one_alarm_a_day(database):
    agreements()
    who = person()
    run = _land([reading("M1", "2026-11-20", "61", kind="2011", hour=8)])
    assert (run.raised, run.changed, run.withdrawn) == (1, 0, 0)
    run = _land(
        [
            reading("M1", "2026-11-20", "70", kind="2061", hour=9),
            reading("M1", "2026-11-19", "55", kind="2061"),
        ]
    )
    assert (run.raised, run.changed) == (1, 1)
    today, yesterday = _alarms(who)
    assert (today.readings, today.peak, round(today.multiple, 2), today.level) == (2, 70.0, 1.4, "warning")
    assert (yesterday.readings, yesterday.level, yesterday.state) == (1, "notice", "unreviewed")
    assert len(today.evidence) == 2
    assert not Clue.objects.using("owner").exists()


@pytest.mark.parametrize(
    "row",
    [
        reading("M1", "2026-11-20", "50", kind="2061"),
        reading("M1", "2026-11-20", "90", kind="2061", mark="C"),
        reading("M1", "2026-11-20", "90", kind="2061", limit=""),
        reading("M1", "2026-11-20", "90", kind="2021"),
        reading("M1", "2026-11-10", "90", kind="2031"),
        reading("M1", "2026-11-20", "9", kind="2061", limit="5") | {"factor": "w01009"},
    ],
    ids=["at the limit", "calibration", "no limit", "device state", "re-sent long after", "dissolved oxygen"],
)
def test_what_is_no_alarm(database, row):
    agreements()
    assert _land([row]).raised == 0


def test_without_an_agreement_nothing_is_read(database):
    assert _land([reading("M1", "2026-11-20", "90", kind="2061")]).raised == 0


def test_a_correction_withdraws_what_nobody_has_reviewed_and_marks_the_rest(database):
    agreements()
    who = person(roles=("dispatcher",))
    _land([reading("M1", "2026-11-20", "90", kind="2061"), reading("M2", "2026-11-20", "90", kind="2061")])
    first, second = sorted(_alarms(who), key=lambda a: a.subject_ref)
    actions.acknowledge(alarm_id=second.pk, by=who, at=NOW, note="已电话核实")
    run = _land(
        [reading("M1", "2026-11-20", "40", kind="2061"), reading("M2", "2026-11-20", "40", kind="2061")]
    )
    assert run.withdrawn == 2
    first, second = sorted(_alarms(who), key=lambda a: a.subject_ref)
    assert (first.state, first.supported) == ("withdrawn", False)
    assert (second.state, second.supported, second.note) == ("acknowledged", False, "已电话核实")
    _land([reading("M1", "2026-11-20", "80", kind="2061")])
    assert sorted(_alarms(who), key=lambda a: a.subject_ref)[0].state == "unreviewed"


def test_a_louder_alarm_asks_for_a_person_again(database):
    agreements()
    who = person()
    _land([reading("M1", "2026-11-20", "55", kind="2061", hour=1)])
    actions.acknowledge(alarm_id=_alarms(who)[0].pk, by=who, at=NOW)
    _land([reading("M1", "2026-11-20", "58", kind="2061", hour=2)])
    assert _alarms(who)[0].state == "acknowledged"
    _land([reading("M1", "2026-11-20", "150", kind="2061", hour=3)])
    assert (_alarms(who)[0].state, _alarms(who)[0].level, alarm_count(who)) == ("unreviewed", "urgent", 1)


def test_the_order_of_deliveries_does_not_matter(database):
    def world(draw: random.Random) -> list[tuple[object, ...]]:
        empty_tables()
        agreements()
        who = person()
        deliveries = [
            [reading(f"M{m}", "2026-11-20", value, kind="2061", hour=hour)]
            for m, value, hour in (
                ("1", "60", 1),
                ("1", "99", 2),
                ("1", "40", 3),
                ("2", "51", 1),
                ("2", "120", 7),
            )
        ]
        draw.shuffle(deliveries)
        for rows in deliveries:
            _land(rows)
        found = _alarms(who)
        return sorted(
            (a.subject_ref, a.level, a.readings, a.multiple, a.peak, a.first_at, a.last_at) for a in found
        )

    assert world(random.Random(1)) == world(random.Random(2)) == world(random.Random(3))


def test_an_alarm_becomes_a_clue_once(database):
    agreements()
    who = person(roles=("dispatcher",))
    _land([reading("M1", "2026-11-20", "130", kind="2061", hour=6)])
    alarm = _alarms(who)[0]
    clue = actions.promote(alarm_id=alarm.pk, by=who, at=NOW)
    assert (clue.origin, clue.level, clue.office) == ("alert", "urgent", "532300")
    assert _alarms(who)[0].clue_id == clue.pk
    with pytest.raises(Refused, match="已转线索"):
        actions.promote(alarm_id=alarm.pk, by=who, at=NOW)


def test_a_county_sees_no_alarm_of_the_prefecture(database):
    agreements()
    _land([reading("M1", "2026-11-20", "130", kind="2061")])
    assert alarm_count(person("a")) == 1
    county = person("b", office="532301")
    assert alarm_count(county) == 0
    with pytest.raises(Refused):
        actions.acknowledge(alarm_id=1, by=county, at=NOW)
