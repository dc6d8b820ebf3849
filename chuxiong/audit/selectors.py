"""The shelf for the audit administrator: rows by filter, newest first. Every look leaves a row itself.

The web role cannot read the table. ``audit_search`` and ``audit_state`` run as the owner and answer only when
``cx.person`` names an active person with the role ``audit_admin``; for anybody else there is nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection, transaction

from .record import record, without_identifiers
from .retention import policy

PAGE_ROWS = 50
_CHUNK = 5000


@dataclass(frozen=True)
class Reader:
    """Who looks: user name and office."""

    username: str
    office: str


@dataclass(frozen=True)
class Filters:
    """All optional; ``until`` is exclusive, ``action`` may be a group (``clue`` = every ``clue.…``)."""

    since: datetime | None = None
    until: datetime | None = None
    actor: str = ""
    action: str = ""
    object_ref: str = ""
    office: str = ""

    def told(self) -> dict[str, str]:
        """What was asked for, as it stands in the audit row of the look itself."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in vars(self).items()
            if value
        }


@dataclass(frozen=True)
class Event:
    id: int
    at: datetime
    actor: str
    office: str
    action: str
    object_kind: str
    object_ref: str
    reason: str
    purpose: str
    ip: str
    device: str
    session: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class State:
    """How far the chain reaches. ``late``: rows wait longer than they may."""

    segments: int
    rows: int
    sealed_at: datetime | None
    waiting: int
    late: bool
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Page:
    """``older`` continues the list; None at its end."""

    events: list[Event]
    older: tuple[datetime, int] | None
    state: State
    #: entries of odd use that wait for a look
    odd: int


@dataclass(frozen=True)
class OddUse:
    """Odd use by one person (or address) on one day; open until somebody has looked into it."""

    id: int
    rule: str
    subject: str
    office: str
    day: date
    peak: int
    allowed: int
    first_at: datetime
    last_at: datetime
    noticed_at: datetime
    acknowledged_by: str
    acknowledged_at: datetime | None
    note: str


@dataclass(frozen=True)
class OddPage:
    """``older`` continues the list; None at its end. ``open`` counts all that wait."""

    rows: list[OddUse]
    older: tuple[datetime, int] | None
    open: int


class TooMany(Exception):
    """More rows than one export may carry."""

    def __init__(self, limit: int) -> None:
        self.zh = f"结果超过 {limit} 条，一次导出不了；请缩短时间范围或增加条件"
        self.en = f"more than {limit} rows: shorten the period or add a filter"
        super().__init__(self.zh)


def events_page(
    reader: Reader, filters: Filters, *, at: datetime, before: tuple[datetime, int] | None = None
) -> Page:
    """One page, newest first, and the state of the chain."""
    with _reading(reader):
        _tell(reader, "audit.read", filters, at)
        found = _search(filters, before, PAGE_ROWS + 1)
        state, odd = _state(at), _odd()
    more = len(found) > PAGE_ROWS
    events = found[:PAGE_ROWS]
    return Page(events, (events[-1].at, events[-1].id) if more else None, state, odd)


def export_events(
    reader: Reader, filters: Filters, *, at: datetime, reason: str, write: Callable[[Iterator[Event]], None]
) -> int:
    """Hand all rows of the filter to ``write`` and record the export with their number; returns it.

    Raises ``TooMany`` above the limit of one export, ``ValueError`` without a reason.
    """
    if not reason.strip():
        raise ValueError("an export needs a reason")
    limit, count = policy()["export_rows"].value, 0

    def all_rows() -> Iterator[Event]:
        nonlocal count
        before = None
        while chunk := _search(filters, before, _CHUNK):
            for event in chunk:
                count += 1
                if count > limit:
                    raise TooMany(limit)
                yield event
            before = (chunk[-1].at, chunk[-1].id)

    with _reading(reader):
        write(all_rows())
        _tell(reader, "audit.export", filters, at, reason=reason, rows=count)
    return count


def odd_page(
    reader: Reader, *, at: datetime, only_open: bool, before: tuple[datetime, int] | None = None
) -> OddPage:
    """One page of odd use, the latest first."""
    before_at, before_id = before or (None, None)
    with _reading(reader):
        _tell(reader, "audit.read_odd", Filters(), at)
        with connection.cursor() as cursor:
            cursor.execute(
                "select id, rule, subject, office, day, peak, allowed, first_at, last_at, noticed_at, acknowledged_by,"
                " acknowledged_at, note from audit_oddities(%s, %s, %s, %s)",
                [only_open, before_at, before_id, PAGE_ROWS + 1],
            )
            found = [OddUse(*row) for row in cursor.fetchall()]
        waiting = _odd()
    rows = found[:PAGE_ROWS]
    more = len(found) > PAGE_ROWS
    return OddPage(rows, (rows[-1].last_at, rows[-1].id) if more else None, waiting)


def acknowledge(reader: Reader, oddity: int, *, at: datetime, note: str) -> bool:
    """Say that one was looked into, and what was found; False when it is not there, closed, or about the reader.

    Raises ``ValueError`` without a note.
    """
    if not note.strip():
        raise ValueError("an acknowledgement needs a note")
    with _reading(reader):
        with connection.cursor() as cursor:
            cursor.execute("select audit_acknowledge(%s, %s)", [oddity, without_identifiers(note.strip())])
            done = bool(cursor.fetchone()[0])
        if done:
            record(
                at=at,
                actor=reader.username,
                office=reader.office,
                action="audit.acknowledge",
                object_kind="oddity",
                object_ref=str(oddity),
                purpose="audit",
                reason=note.strip(),
            )
    return done


def refused(reader: Reader, *, at: datetime) -> None:
    """Somebody without the role came to the page: that stands on record."""
    _tell(reader, "audit.refused", Filters(), at)


@contextmanager
def _reading(reader: Reader) -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select set_config('cx.person', %s, true)", [reader.username])
        yield


def _tell(
    reader: Reader, action: str, filters: Filters, at: datetime, *, reason: str = "", **numbers: int
) -> None:
    record(
        at=at,
        actor=reader.username,
        office=reader.office,
        action=action,
        object_kind="audit",
        object_ref="",
        purpose="audit",
        reason=reason,
        detail={**filters.told(), **numbers},
    )


def _search(filters: Filters, before: tuple[datetime, int] | None, limit: int) -> list[Event]:
    before_at, before_id = before or (None, None)
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, at, actor, office, action, object_kind, object_ref, reason, purpose, ip, device, session, detail"
            " from audit_search(%s, %s, %s, %s, %s, %s, %s, %s, %s)",
            [
                filters.since,
                filters.until,
                filters.actor or None,
                filters.action or None,
                filters.object_ref or None,
                filters.office or None,
                before_at,
                before_id,
                limit,
            ],
        )
        return [Event(*[*row[:-1], json.loads(row[-1])]) for row in cursor.fetchall()]


def _odd() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select audit_oddities_open()")
        return int(cursor.fetchone()[0])


def _state(at: datetime) -> State:
    with connection.cursor() as cursor:
        cursor.execute(
            "select segments, total, sealed_at, waiting, oldest_waiting, actions from audit_state()"
        )
        row = cursor.fetchone()
    if row is None:
        return State(0, 0, None, 0, False, ())
    segments, total, sealed_at, waiting, oldest, actions = row
    late = bool(oldest) and at - oldest > timedelta(minutes=policy()["late_minutes"].value)
    return State(segments, total, sealed_at, waiting, late, tuple(actions))
