"""The queue: filters, order, counts, pages."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from chuxiong.accounts.models import Person
from chuxiong.audit.record import record
from supervision import tally
from supervision.clues import lifecycle
from supervision.clues.lifecycle import CLOSED, State
from supervision.models import Clue, ClueRank
from supervision.ranking import expected
from supervision.selectors.rows import ClueRow, _answered, _labelled_by_name, _offices, _row, _rows
from supervision.selectors.rules import _reach, rulebook

PAGE = 20
_CODE = re.compile(r"[a-z0-9_]{1,60}")
#: Clues that a search names one by one.
_FEW = 2000
#: So far a narrowed queue is counted; beyond, it is said that there are more.
COUNTED = 10_000


@dataclass(frozen=True)
class ClueFilters:
    """What the queue is narrowed to; empty means everything open."""

    states: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    offices: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    #: why a clue asks for a look today: overdue, soon, new, changed, rebound, answered
    attention: str = ""
    text: str = ""
    closed: bool = False


@dataclass(frozen=True)
class CluePage:
    rows: list[ClueRow]
    total: int
    page: int
    pages: int
    #: there are more than ``total``
    more: bool = False


#: by expected yield (``supervision.ranking``), then the newest
_ORDER = ("-place", "-clue_id")
_BACKWARDS = ("place", "clue_id")
_KEYS = _BACKWARDS


def clue_page(
    person: Person,
    filters: ClueFilters,
    page: int = 1,
    counts: Mapping[str, int] | None = None,
    *,
    at: datetime | None = None,
) -> CluePage:
    """One page of the queue, in its order. Names stand on it, so every look leaves one audit row: what was asked for
    and which clues were shown, nothing of it in clear.

    ``counts`` of ``clue_standing`` (by state and by reason, where the caller has them) spare counting once more.
    """
    with _reach(person) as reach:
        parts = [part.values_list(*_KEYS) for part in _parts(filters, reach.offices, person)]
        total = _told(filters, counts or {})
        more = False
        if total is None:
            found = _together([part[: COUNTED + 1] for part in parts]).count()
            total, more = min(found, COUNTED), found > COUNTED
        pages = max(1, -(-total // PAGE))
        page = min(max(1, page), pages)
        # Each part gives no more than its own rows up to the page, read from its index from the nearer end.
        order, start, end = _ORDER, (page - 1) * PAGE, page * PAGE
        if not more and 0 < total - start < end:
            order, start, end = _BACKWARDS, max(0, total - end), total - start
        nearest = [part.order_by(*order)[:end] for part in parts]
        keys = [pk for *_rest, pk in _together(nearest).order_by(*order)[start:end]]
        if order is _BACKWARDS:
            keys.reverse()
        rows = _rows(keys, person)
        _looked(person, at, "queue.read", rows, page=page, **_asked(filters))
    return CluePage(rows, total, page, pages, more)


def clue_numbers(person: Person, filters: ClueFilters, states: Sequence[str], most: int) -> list[str]:
    """The numbers of the queue's clues in these states, in its order, at most ``most``."""
    with _reach(person) as reach:
        parts = [part.filter(state__in=states) for part in _parts(filters, reach.offices, person)]
        nearest = [part.order_by(*_ORDER)[:most].values_list(*_KEYS) for part in parts]
        keys = [pk for *_rest, pk in _together(nearest).order_by(*_ORDER)[:most]]
        numbers = dict(Clue.objects.filter(pk__in=keys).values_list("pk", "number"))
    return [numbers[pk] for pk in keys]


def _looked(person: Person, at: datetime | None, action: str, rows: Iterable[ClueRow], **asked: Any) -> None:
    """The audit row of a list of clues: the numbers shown, and what was asked for."""
    record(
        at=at or timezone.now(),
        actor=person.username,
        office=person.office_id,
        action=action,
        object_kind="queue",
        object_ref="",
        detail={**asked, "shown": [row.number for row in rows]},
    )


def _asked(filters: ClueFilters) -> dict[str, Any]:
    """The filters for the audit. Words that were searched for may name a person: a keyed digest tells alike searches."""
    told = {
        # What is typed into an address is no code until it looks like one.
        name: [code for code in value if _CODE.fullmatch(code)] if isinstance(value, tuple) else value
        for name, value in vars(filters).items()
        if value and name != "text"
    }
    if words := " ".join(filters.text.split()):
        digest = salted_hmac("supervision.queue.text", words.lower(), algorithm="sha256").hexdigest()
        told["text"] = digest[:16]
    return told


def _told(filters: ClueFilters, counts: Mapping[str, int]) -> int | None:
    """How many clues the filters leave, when kept counts tell it: those at hand, or those of one fact."""
    if counts and filters.attention and filters == ClueFilters(attention=filters.attention):
        return counts.get(filters.attention)
    if filters == ClueFilters(states=filters.states, offices=filters.offices, closed=filters.closed):
        if counts and not (filters.offices or filters.closed or _closed_states(filters)):
            return sum(counts[state] for state in set(filters.states or ("open",)))
        still = [s.value for s in State if filters.closed or s not in CLOSED]
        return tally.total(filters.states or still, filters.offices)
    if filters.rules and filters == ClueFilters(rules=filters.rules, offices=filters.offices):
        return tally.total_open("rule", filters.rules, filters.offices)
    if filters.levels and filters == ClueFilters(levels=filters.levels, offices=filters.offices):
        return tally.total_open("level", filters.levels, filters.offices)
    return None


def _closed_states(filters: ClueFilters) -> set[str]:
    return {s.value for s in CLOSED} & set(filters.states)


def _parts(
    filters: ClueFilters, reach: Sequence[str], person: Person | None = None
) -> list[QuerySet[ClueRank]]:
    """The clues a queue is narrowed to, without those that name people (sealed, kept away from), and those alone.

    Where office and department decide who sees a clue, an index holds all that policy and filters ask, and the many
    are put in order from it. Asked for together with the few others, every row would be looked at.
    """
    found = _filtered(filters, reach, person)
    return [found.filter(personal=False), found.filter(personal=True)]


def _together(parts: Sequence[QuerySet[Any, Any]]) -> QuerySet[Any, Any]:
    return parts[0].union(*parts[1:], all=True)


def clue_counts(person: Person) -> dict[str, int]:
    """Open clues by state, and all open, for the navigation."""
    return clue_standing(person)[0]


def _attention() -> dict[str, Q]:
    today = timezone.localdate()
    midnight = timezone.make_aware(datetime.combine(today, time.min))
    return {
        "overdue": Q(due_on__lt=today),
        "soon": Q(due_on__range=(today, today + timedelta(days=tally.SOON_DAYS))),
        "new": Q(raised_at__gte=midnight, raised_at__lt=midnight + timedelta(days=1)),
        "changed": Q(changed=True),
        "rebound": Q(rebound=True),
    }


def clue_standing(person: Person) -> tuple[dict[str, int], dict[str, int]]:
    """Open clues by state (and all, as “open”), and those that ask for a look today by reason; one clue may count
    under several reasons."""
    with _reach(person):
        counts, attention = tally.standing(timezone.localdate())
        # Counted from the few letters; as one more fact of every clue it would cost a look-up each.
        attention["answered"] = Clue.objects.filter(_answered()).count()
    return {**counts, "open": sum(counts.values())}, attention


def clue_rows(
    person: Person, numbers: Iterable[str], *, at: datetime | None = None, action: str = "queue.chosen"
) -> list[ClueRow]:
    """The named clues within the person's scope, in the order of the names; one audit row."""
    wanted = list(numbers)
    with _reach(person):
        found = {c.number: c for c in Clue.objects.filter(number__in=wanted)}
        offices = _offices()
        rows = [_row(found[n], person, offices, {}) for n in wanted if n in found]
        _looked(person, at, action, rows)
    return rows


def _filtered(filters: ClueFilters, reach: Sequence[str], person: Person | None = None) -> QuerySet[ClueRank]:
    """The clues a queue is narrowed to, within the caller's scope."""
    found = ClueRank.objects.all()
    if len(reach) == 1:
        # The policy's words; said once more, they let the index of one office's queue be read in its order.
        found = found.filter(office=reach[0])
    if filters.states:
        found = found.filter(state__in=filters.states)
    elif not filters.closed:
        found = found.filter(open=True)
    if not filters.closed and not _closed_states(filters):
        # Where the closed ones begin, the index ends, from whichever side it is read.
        found = found.filter(place__gt=expected.CLOSED)
    if filters.levels:
        found = found.filter(level__in=filters.levels)
    if filters.offices:
        found = found.filter(office__in=filters.offices)
    if filters.rules:
        found = found.filter(model__in=filters.rules)
    if filters.origins:
        found = found.filter(origin__in=filters.origins)
    if filters.attention in (reasons := _attention() | {"answered": _answered()}):
        found = found.filter(reasons[filters.attention])
    if words := " ".join(filters.text.split()):
        few = _search(words)
        holding = Q(clue__words__contains=Lower(Value(words))) if few is None else Q(pk__in=few)
        found = found.filter(holding)
        # Where a clue bears a name, only those who know it find the clue by it.
        nameless = ~Q(model__in=[rule for rule in rulebook() if _labelled_by_name(rule)])
        waiting = Q(handler="", state__in=_waiting_for(person)) if person else Q()
        own = Q(handler=person.username) if person else Q()
        found = found.filter(
            nameless | waiting | own | Q(clue__number__icontains=words) | Q(clue__township__icontains=words)
        )
    return found


def _waiting_for(person: Person) -> list[str]:
    """States in which a clue without a handler waits for what the person's roles allow."""
    return [
        state.value
        for state in State
        if any(m.name != "take_over" and person.may(m.permission) for m in lifecycle.possible(state))
    ]


def _search(words: str) -> list[int] | None:
    """Clues within the caller's scope that hold the words; None when they are many.

    Few are found through an index. Words that many clues hold are cheaper to look for along the queue, in its order.
    """
    with connection.cursor() as cursor:
        cursor.execute("select supervision_clue_search(%s, %s)", [words, _FEW + 1])
        found = [pk for (pk,) in cursor.fetchall()]
    return found if len(found) <= _FEW else None


def sees(person: Person, number: str) -> bool:
    """Whether the clue lies within the person's sight."""
    with _reach(person):
        return Clue.objects.filter(number=number).exists()
