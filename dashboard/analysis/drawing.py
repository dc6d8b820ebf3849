"""Where things stand in the drawings of the analysis centre: time line and network, as plain coordinates. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

#: of the time line, in drawing units
LANE, LEFT, RIGHT, TOP = 26, 250, 40, 26
WIDTH = 1100
_DOT = 5.0
_STEPS = (1, 2, 5, 10, 20, 50)
_TICKS = 8


@dataclass(frozen=True)
class Dot:
    x: float
    y: float
    r: float
    #: how many records stand on it
    count: int
    day: date


@dataclass(frozen=True)
class Lane:
    label: str
    anchor: str
    y: float
    dots: tuple[Dot, ...]


@dataclass(frozen=True)
class Timeline:
    width: int
    height: float
    lanes: tuple[Lane, ...]
    #: (x, year or month)
    ticks: tuple[tuple[float, str], ...]


def timeline(lanes: Sequence[tuple[str, str, Sequence[date]]]) -> Timeline | None:
    """One lane a source (label, anchor, days); None when nothing is dated. Records of one day are one dot, larger."""
    days = [day for _, _, of in lanes for day in of]
    if not days:
        return None
    first, last = min(days), max(days)
    span = max((last - first).days, 1)

    def across(day: date) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT - 2 * _DOT) * (day - first).days / span + _DOT, 1)

    drawn = []
    for n, (label, anchor, of) in enumerate(lanes):
        y = TOP + LANE * n + LANE / 2
        counted: dict[date, int] = {}
        for day in of:
            counted[day] = counted.get(day, 0) + 1
        dots = tuple(
            Dot(across(day), y, round(min(_DOT + 1.2 * math.log2(count), 9), 1), count, day)
            for day, count in sorted(counted.items())
        )
        drawn.append(Lane(label, anchor, y, dots))
    return Timeline(WIDTH, TOP + LANE * len(lanes) + 6, tuple(drawn), tuple(_ticks(first, last, across)))


def _ticks(first: date, last: date, across) -> list[tuple[float, str]]:  # type: ignore[no-untyped-def]
    years = last.year - first.year
    if years < 2:
        months = [(y, m) for y in range(first.year, last.year + 1) for m in range(1, 13)]
        inside = [date(y, m, 1) for y, m in months if first <= date(y, m, 1) <= last]
        step = next((s for s in (1, 2, 3, 6) if len(inside) / s <= _TICKS), 6)
        told = [day for day in inside if (day.month - 1) % step == 0]
        return [(across(day), f"{day:%Y-%m}") for day in told] or [(across(first), f"{first:%Y-%m-%d}")]
    step = next((s for s in _STEPS if years / s <= _TICKS), 50)
    inside = [date(y, 1, 1) for y in range(first.year, last.year + 1) if y % step == 0]
    return [(across(day), str(day.year)) for day in inside if first <= day <= last]


@dataclass(frozen=True)
class Spot:
    """Where a node stands; ``side`` says on which side of it its name goes, ``turn`` by how many degrees it is turned."""

    number: int
    x: float
    y: float
    side: str
    turn: float = 0.0


#: so many names of one ring still stand level
_LEVEL = 14


@dataclass(frozen=True)
class Ring:
    """One ring of the network drawing."""

    hop: int
    r: float
    wide: float


@dataclass(frozen=True)
class Layout:
    """The drawing's corner and size, rings and places of the nodes."""

    left: float
    top: float
    width: float
    height: float
    rings: tuple[Ring, ...]
    spots: Mapping[int, Spot]


def layout(hops: Mapping[int, int], ties: Sequence[tuple[int, int]]) -> Layout:
    """``hops``: node → steps from the middle (0); ``ties``: pairs of nodes.

    Nodes of one hop stand on one ring, in the order of those they hang on, so that lines cross little.
    """
    parents: dict[int, list[int]] = {node: [] for node in hops}
    for a, b in ties:
        for one, other in ((a, b), (b, a)):
            if hops[other] == hops[one] - 1:
                parents[one].append(other)
    angle: dict[int, float] = {}
    spots: dict[int, Spot] = {}
    rings = []
    radius = 0.0
    for hop in range(max(hops.values(), default=0) + 1):
        here = [node for node, steps in hops.items() if steps == hop]
        if hop == 0:
            for node in here:
                angle[node], spots[node] = 0.0, Spot(node, 0.0, 0.0, "below")
            continue
        # Names need room sideways: so many along the ring, at least a step beyond the last.
        radius = max(radius + 150, len(here) * 46 / (2 * math.pi), 150)
        rings.append(Ring(hop, round(radius, 1), round(radius * 1.25, 1)))
        here.sort(key=lambda node: (_mean([angle[p] for p in parents[node]]), node))
        shift = -math.pi / 2 + (math.pi / len(here) if hop % 2 == 0 else 0)
        for n, node in enumerate(here):
            turn = shift + 2 * math.pi * n / len(here)
            angle[node] = (turn + 2.5 * math.pi) % (2 * math.pi)
            x, y = round(radius * 1.25 * math.cos(turn), 1), round(radius * math.sin(turn), 1)
            side = (
                "right"
                if math.cos(turn) > 0.3
                else "left"
                if math.cos(turn) < -0.3
                else "above"
                if y < 0
                else "below"
            )
            degrees = 0.0
            if len(here) > _LEVEL:
                # Side by side names would run into each other: each points away from the middle.
                side = "right" if x >= 0 else "left"
                degrees = round(math.degrees(math.atan2(y, x)) + (0 if x >= 0 else 180), 1)
            spots[node] = Spot(node, x, y, side, degrees)
    wide = max(radius * 1.25, 150) + 215
    high = max(radius, 60) + (215 if any(spot.turn for spot in spots.values()) else 60)
    return Layout(
        round(-wide, 1), round(-high, 1), round(2 * wide, 1), round(2 * high, 1), tuple(rings), spots
    )


def _mean(angles: Sequence[float]) -> float:
    if not angles:
        return 0.0
    return math.atan2(sum(map(math.sin, angles)), sum(map(math.cos, angles))) % (2 * math.pi)


@dataclass(frozen=True)
class Bar:
    x: float
    y: float
    height: float
    count: int
    month: str


@dataclass(frozen=True)
class Bars:
    """A small chart by month, 240 by 56 units; ``top`` is the count of the highest bar."""

    bars: tuple[Bar, ...]
    width: float
    top: int


_WIDE, _HIGH = 240, 56


def bars(counts: Sequence[int], months: Sequence[str]) -> Bars:
    """One bar a month; a month with nothing is a thin base line."""
    step = _WIDE / max(len(counts), 1)
    top = max([*counts, 1])
    drawn = []
    for n, (count, month) in enumerate(zip(counts, months, strict=True)):
        height = round(max(2.0, _HIGH * count / top), 1) if count else 1.0
        drawn.append(Bar(round(n * step + step * 0.12, 1), round(_HIGH - height, 1), height, count, month))
    return Bars(tuple(drawn), round(step * 0.76, 1), max(counts, default=0))
