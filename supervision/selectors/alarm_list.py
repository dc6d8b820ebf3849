"""Alarms in pages and counts."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Case, Count, When

from chuxiong.accounts.models import Person
from supervision.alarms.states import OPEN
from supervision.alarms.states import State as AlarmState
from supervision.models import Alarm
from supervision.selectors.queue import PAGE
from supervision.selectors.rules import _reach


@dataclass(frozen=True)
class AlarmFilters:
    """What the list is narrowed to; ``states`` empty means those that still ask for somebody."""

    states: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    #: one alarm alone, whatever its state
    only: int | None = None


@dataclass(frozen=True)
class AlarmPage:
    rows: list[Alarm]
    total: int
    page: int
    pages: int
    #: state → count within the person's reach
    counts: dict[str, int]


def alarm_page(person: Person, filters: AlarmFilters, page: int = 1) -> AlarmPage:
    """One page of alarms: unreviewed and loudest first, then the latest reading."""
    with _reach(person):
        counts = dict(Alarm.objects.order_by().values_list("state").annotate(Count("pk")))
        found = Alarm.objects.filter(state__in=filters.states or [s.value for s in OPEN])
        if filters.only is not None:
            found = Alarm.objects.filter(pk=filters.only)
        if filters.levels:
            found = found.filter(level__in=filters.levels)
        total = found.count()
        pages = max(1, -(-total // PAGE))
        page = min(max(1, page), pages)
        ordered = found.select_related("clue").order_by(
            Case(When(state="unreviewed", then=0), default=1),
            Case(When(level="urgent", then=0), When(level="warning", then=1), default=2),
            "-last_at",
            "-pk",
        )
        rows = list(ordered[(page - 1) * PAGE : page * PAGE])
    return AlarmPage(rows, total, page, pages, {s.value: counts.get(s.value, 0) for s in AlarmState})


def alarm_count(person: Person) -> int:
    """Unreviewed alarms, for the navigation."""
    with _reach(person):
        return Alarm.objects.filter(state=AlarmState.UNREVIEWED.value).count()
