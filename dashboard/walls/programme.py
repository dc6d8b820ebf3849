"""What a screen shows when: programmes unrolled into a timeline. Pure; times are milliseconds since 1970.

A programme is one of::

    {"kind": "scene", "scene": "river", "params": {}, "held": false}
    {"kind": "blank"}
    {"kind": "playlist", "items": [{"scene", "seconds", "params"}], "since": 1795421234500}
    {"kind": "schedule", "entries": [{"days": [1, 5], "begins": "08:30", "ends": "12:00", "items": […]}],
     "otherwise": {programme}}

``held`` and ``blank`` carry under ``back`` what they took the place of. The timeline says for every moment of the near
future what is shown, so that a screen goes on by itself when nobody can be reached.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

Programme = Mapping[str, Any]
ZONE = ZoneInfo("Asia/Shanghai")
#: a timeline is cut off after so many pieces; the next one carries on
MOST = 60
#: what a screen shows that was never told anything
RESTING: Programme = {"kind": "scene", "scene": "overview", "params": {}}
BLANK = "blank"


@dataclass(frozen=True)
class Piece:
    """``scene`` from ``since`` to ``until`` (None: as far as can be seen). ``why``: scene, held, playlist, schedule,
    blank, interrupt."""

    since: int
    until: int | None
    scene: str
    params: Mapping[str, Any]
    why: str
    switch: int = 0
    title: Mapping[str, str] | None = None


@dataclass(frozen=True)
class Cover:
    """An interrupt: covers what is on from ``since`` to ``until``."""

    since: int
    until: int
    scene: str
    params: Mapping[str, Any]
    title: Mapping[str, str]


def scenes_of(programme: Programme) -> set[str]:
    """Every scene that a programme may bring."""
    if programme["kind"] == "scene":
        return {programme["scene"]}
    if programme["kind"] == "playlist":
        return {item["scene"] for item in programme["items"]}
    if programme["kind"] == "schedule":
        inside = {item["scene"] for entry in programme["entries"] for item in entry["items"]}
        return inside | scenes_of(programme["otherwise"])
    return set()


def unroll(programme: Programme, since: int, until: int, switch: int = 0) -> list[Piece]:
    """What ``programme`` shows from ``since`` to ``until``, without gaps."""
    kind = programme["kind"]
    if kind == "scene":
        why = "held" if programme.get("held") else "scene"
        return [Piece(since, None, programme["scene"], programme.get("params", {}), why, switch)]
    if kind == BLANK:
        return [Piece(since, None, BLANK, {}, BLANK, switch)]
    if kind == "playlist":
        pieces = list(_turns(programme["items"], programme["since"], since, until, "playlist", switch))
        return pieces or unroll(RESTING, since, until, switch)
    if kind == "schedule":
        return _by_the_clock(programme, since, until, switch)
    raise ValueError(f"no such programme: {kind}")


def _turns(
    items: Sequence[Mapping[str, Any]], began: int, since: int, until: int, why: str, switch: int
) -> Iterator[Piece]:
    lengths = [max(1, int(item["seconds"])) * 1000 for item in items]
    whole = sum(lengths)
    if not whole:
        return
    if len(items) == 1:
        yield Piece(since, until, items[0]["scene"], items[0].get("params", {}), why, switch)
        return
    at = since - (since - began) % whole
    n = 0
    while at < until:
        item, length = items[n % len(items)], lengths[n % len(items)]
        end = at + length
        if end > since:
            yield Piece(max(at, since), min(end, until), item["scene"], item.get("params", {}), why, switch)
        at, n = end, n + 1


def _by_the_clock(programme: Programme, since: int, until: int, switch: int) -> list[Piece]:
    """Entries of the days that are touched, in the order of their beginnings; what lies between is ``otherwise``."""
    windows: list[tuple[int, int, Sequence[Mapping[str, Any]]]] = []
    day = datetime.fromtimestamp(since / 1000, UTC).astimezone(ZONE).date()
    while _moment(day, "00:00") < until:
        for entry in programme["entries"]:
            if day.isoweekday() in entry["days"]:
                windows.append((_moment(day, entry["begins"]), _moment(day, entry["ends"]), entry["items"]))
        day += timedelta(days=1)
    pieces: list[Piece] = []
    at = since
    for begins, ends, items in sorted(windows, key=lambda w: w[:2]):
        first, last = max(begins, at), min(ends, until)
        if last <= first or not items:
            continue
        if first > at:
            pieces += _closed(unroll(programme["otherwise"], at, first, switch), first)
        # Counted from the hour on the plan, so that every screen is at the same place of the list.
        pieces += _turns(items, begins, first, last, "schedule", switch)
        at = last
    if at < until:
        pieces += unroll(programme["otherwise"], at, until, switch)
    return pieces


def _moment(day: Any, clock: str) -> int:
    hour, minute = (int(part) for part in clock.split(":")[:2])
    return int(datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZONE).timestamp() * 1000)


def _closed(pieces: Sequence[Piece], until: int) -> list[Piece]:
    return [p if p.until is not None and p.until <= until else replace(p, until=until) for p in pieces]


def timeline(
    *,
    before: Programme,
    after: Programme,
    applies: int | None,
    switch: int,
    covers: Sequence[Cover],
    now: int,
    horizon: int,
) -> list[Piece]:
    """What a screen shows from ``now`` for ``horizon`` milliseconds: ``before`` until ``applies``, then ``after``.

    Covers lie over scenes, playlists and schedules; what is held or blank stays (somebody decided so).
    """
    end = now + horizon
    if applies is None or applies <= now:
        pieces = unroll(after, now, end, switch)
    elif applies >= end:
        pieces = unroll(before, now, end)
    else:
        pieces = _closed(unroll(before, now, applies), applies) + unroll(after, applies, end, switch)
    for cover in sorted(covers, key=lambda c: c.since):
        pieces = list(_laid_over(pieces, cover, now, end))
    return pieces[:MOST]


def _laid_over(pieces: Sequence[Piece], cover: Cover, now: int, end: int) -> Iterator[Piece]:
    since, until = max(cover.since, now), min(cover.until, end)
    for piece in pieces:
        last = end if piece.until is None else piece.until
        if until <= since or piece.why in ("held", BLANK) or last <= since or piece.since >= until:
            yield piece
            continue
        if piece.since < since:
            yield replace(piece, until=since)
        yield Piece(
            max(piece.since, since),
            min(last, until),
            cover.scene,
            cover.params,
            "interrupt",
            piece.switch,
            cover.title,
        )
        if last > until:
            yield replace(piece, since=until)
