"""What supervision has on a river: alarms and clues by their place, and an alarm traced along the line."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from ingestion.models import Camera, RiverPlace
from ingestion.water import selectors as water
from supervision.alarms.states import State
from supervision.models import Alarm, Clue

#: how many of each a river shows; what is older is counted on the lists
MOST = 200
#: hours that the readings of an alarm may stand for: it is traced as if by hour means
_HOURS = 1


@dataclass(frozen=True)
class RiverMatters:
    """Alarms by device, open clues by device and by patrol problem."""

    alarms: dict[str, list[Alarm]]
    clues_of_device: dict[str, list[Clue]]
    clues_of_problem: dict[str, list[Clue]]


def matters(
    person: Person, *, devices: Iterable[str], problems: Iterable[str], since: datetime
) -> RiverMatters:
    """What is open, within the person's reach, on the devices and the patrol problems of one river."""
    found = RiverMatters({}, {}, {})
    wanted, numbers = list(devices), list(problems)
    with person_scope(person):
        alarms = Alarm.objects.filter(subject_ref__in=wanted, last_at__gt=since).exclude(
            state=State.WITHDRAWN.value
        )
        for alarm in alarms.order_by("-last_at", "-pk")[:MOST]:
            found.alarms.setdefault(alarm.subject_ref, []).append(alarm)
        clues = Clue.objects.filter(subject_kind="outfall", subject_ref__in=wanted, open=True)
        for clue in clues.order_by("-raised_at", "-pk")[:MOST]:
            found.clues_of_device.setdefault(clue.subject_ref, []).append(clue)
        places = Clue.objects.filter(subject_kind="place", bucket__in=numbers, open=True)
        for clue in places.order_by("-raised_at", "-pk")[:MOST]:
            found.clues_of_problem.setdefault(clue.bucket, []).append(clue)
    return found


def river_page(person: Person, code: str, *, at: datetime) -> tuple[water.RiverView, RiverMatters] | None:
    """A river with what stands, was measured, found and raised on it; None when it is not registered."""
    view = water.river_view(person, code, at=at)
    if view is None:
        return None
    return view, matters(
        person,
        devices=[p.mn for p in view.places if p.mn],
        problems=[p.number for p in view.problems],
        since=view.since,
    )


@dataclass(frozen=True)
class AlarmOnRiver:
    """An alarm and its place on a line, where its device has one.

    At a section or station: ``traced``, the outfalls upstream. At an outfall: ``below``, where its water comes by.
    """

    alarm: Alarm
    place: RiverPlace | None
    traced: water.Traced | None
    below: list[water.Downstream]
    #: cameras about it that the person may look through
    cameras: list[Camera]


def alarm_on_river(person: Person, alarm_id: int, *, at: datetime) -> AlarmOnRiver | None:
    """None when there is no such alarm within the person's reach."""
    with person_scope(person):
        alarm = Alarm.objects.select_related("clue").filter(pk=alarm_id).first()
    if alarm is None:
        return None
    place = water.place_of_device(alarm.subject_ref, on=alarm.day)
    if place is None:
        return AlarmOnRiver(alarm, None, None, [], [])
    cameras = water.cameras_near(person, place)
    since, until, today = alarm.first_at, alarm.last_at, timezone.localdate(at)
    if place.kind == "outfall":
        found = water.below(place, since=since, until=until, today=today)
        return AlarmOnRiver(alarm, place, None, found, cameras)
    traced = water.trace(
        person,
        place,
        factor=alarm.series,
        since=since,
        until=until + timedelta(hours=_HOURS),
        today=today,
    )
    return AlarmOnRiver(alarm, place, traced, [], cameras)
