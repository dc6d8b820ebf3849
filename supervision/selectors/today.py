"""Today's few: what a person should take first, with the reason for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet
from django.utils import timezone

from chuxiong.accounts.models import Person
from supervision.models import ClueRank
from supervision.ranking import expected, explaining
from supervision.selectors.queue import _KEYS, _ORDER, _looked, _together, _waiting_for
from supervision.selectors.rows import ClueRow, _rows
from supervision.selectors.rules import _reach, rulebook


@dataclass(frozen=True)
class Pick:
    """One of the clues that a person should look at first today, and why."""

    row: ClueRow
    reason: explaining.Reason
    #: the further reasons, in words
    more: list[explaining.Reason]


def todays_few(person: Person, *, at: datetime) -> list[Pick]:
    """The clues that wait for the person, as many as ``ranking.yaml`` says, from the head of the queue; the places that
    explore go to rules that little is known of. One audit row."""
    today = timezone.localdate(at)
    slots = expected.slots(today, person.pk)
    with _reach(person) as reach:
        little_known = explaining.little_known(set(rulebook()))
        usual = _head(_mine(person, reach.offices), 2 * len(slots))
        rare = (
            _head([p.filter(model__in=little_known) for p in _mine(person, reach.offices)], len(slots))
            if little_known and any(slots)
            else []
        )
        chosen: list[int] = []
        exploring: set[int] = set()
        for explore in slots:
            rest = [pk for pk in rare if pk not in chosen] if explore else []
            if rest:
                exploring.add(rest[0])
            rest = rest or [pk for pk in usual if pk not in chosen]
            chosen += rest[:1]
        rows = _rows(chosen, person)
        reasons = explaining.reasons(chosen, today, exploring)
        _looked(person, at, "queue.today", rows)
    return [Pick(row, reasons[row.id][0], reasons[row.id][1:]) for row in rows]


def _head(parts: Sequence[QuerySet[ClueRank]], most: int) -> list[int]:
    """The first of the parts together, in the queue's order."""
    nearest = [part.order_by(*_ORDER)[:most].values_list(*_KEYS) for part in parts]
    return [pk for *_rest, pk in _together(nearest).order_by(*_ORDER)[:most]]


def _mine(person: Person, reach: Sequence[str]) -> list[QuerySet[ClueRank]]:
    """Clues that wait for what the person may do, and those in the person's own hands; none that waits for its day."""
    found = ClueRank.objects.filter(open=True, place__gt=expected.DEFERRED)
    if len(reach) == 1:
        found = found.filter(office=reach[0])
    waiting = found.filter(handler="", state__in=_waiting_for(person))
    own = found.filter(handler=person.username)
    return [part.filter(personal=personal) for part in (waiting, own) for personal in (False, True)]
