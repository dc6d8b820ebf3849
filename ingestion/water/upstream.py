"""From an exceedance upstream: which outfalls could have caused it, and what speaks for and against each. Pure.

The reach goes up to the next section or the next tributary's mouth: what came from beyond would have been seen
there, or came down the tributary. When water needs between ``quickest`` and ``slowest`` hours from an outfall, what
was measured between ``since`` and ``until`` left it between ``since - slowest`` and ``until - quickest``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from itertools import pairwise

#: kilometres; a gap between two bands that is shorter comes of rounding
_NOTHING = 1e-6


class Known(StrEnum):
    """An answer that may be missing, with the reason why."""

    YES = "yes"
    NO = "no"
    #: nothing delivered that could tell
    NO_DATA = "no_data"
    #: lies outside the offices or agreements of the person who asks
    NOT_SEEN = "not_seen"


@dataclass(frozen=True)
class FlowBand:
    """How fast water runs on a stretch: between ``slow`` and ``fast``, metres a second."""

    from_km: float
    to_km: float
    slow: float
    fast: float
    valid_from: date
    valid_to: date | None
    source: str

    def holds_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


@dataclass(frozen=True)
class Exceedance:
    """What was found where and when; ``since`` to ``until`` is the time that the figures stand for."""

    km: float
    factor: str
    since: datetime
    until: datetime


@dataclass(frozen=True)
class Barrier:
    """A section or the mouth of a tributary."""

    kind: str
    code: str
    km: float


@dataclass(frozen=True)
class Source:
    """An outfall. ``factors``: those of its permit, None when no permit is known."""

    code: str
    km: float
    factors: frozenset[str] | None
    #: readings of it may be looked at
    seen: bool = True


@dataclass(frozen=True)
class OwnReading:
    """A reading of an outfall over [since, until]. ``multiple`` of its limit; None when it cannot be judged."""

    since: datetime
    until: datetime
    multiple: float | None


@dataclass(frozen=True)
class Candidate:
    """One outfall that could have caused it. ``left_from`` … ``left_until``: when the water passed it, if known."""

    code: str
    km: float
    distance_km: float
    quickest_h: float | None
    slowest_h: float | None
    left_from: datetime | None
    left_until: datetime | None
    in_permit: Known
    own: Known
    #: readings of its own above the limit within the window, and the highest multiple of it
    readings_above: int = 0
    highest: float | None = None


@dataclass(frozen=True)
class Upstream:
    """``ends_at``: what bounds the reach, None when it is the line's beginning."""

    from_km: float
    to_km: float
    ends_at: Barrier | None
    candidates: tuple[Candidate, ...]
    #: sources of the bands that the times rest on
    flow_sources: tuple[str, ...]


def travel_hours(
    from_km: float, to_km: float, bands: Sequence[FlowBand], *, on: date
) -> tuple[float, float] | None:
    """(quickest, slowest) hours down from one mark to another; None where a piece has no band in force.

    Where bands overlap the one valid from the latest day counts.
    """
    cuts = sorted(
        {from_km, to_km} | {km for band in bands for km in (band.from_km, band.to_km) if from_km < km < to_km}
    )
    quickest = slowest = 0.0
    for start, end in pairwise(cuts):
        if end - start < _NOTHING:
            continue
        over = [b for b in bands if b.from_km <= start and end <= b.to_km and b.holds_on(on)]
        if not over:
            return None
        band = max(over, key=lambda b: b.valid_from)
        quickest += (end - start) / (band.fast * 3.6)
        slowest += (end - start) / (band.slow * 3.6)
    return quickest, slowest


def reach(at_km: float, begins_km: float, barriers: Sequence[Barrier]) -> tuple[float, Barrier | None]:
    """(mark, what bounds it): how far up to look. What stands at the very mark bounds nothing."""
    above = [b for b in barriers if begins_km <= b.km < at_km]
    if not above:
        return begins_km, None
    nearest = max(above, key=lambda b: b.km)
    return nearest.km, nearest


def candidates(
    exceedance: Exceedance,
    *,
    begins_km: float,
    barriers: Sequence[Barrier],
    outfalls: Sequence[Source],
    bands: Sequence[FlowBand],
    readings: Mapping[str, Sequence[OwnReading]],
    spread: float,
) -> Upstream:
    """The outfalls of the reach, those that most speak for themselves first.

    ``readings``: of the exceedance's factor, by outfall. ``spread`` widens the travel time at either end
    (0.2: a fifth). Order: own exceedance in the window, then the factor in its permit, then the nearer one.
    """
    from_km, ends_at = reach(exceedance.km, begins_km, barriers)
    day = exceedance.since.date()
    found = [
        _candidate(exceedance, source, bands, readings.get(source.code, ()), spread)
        for source in outfalls
        if from_km <= source.km <= exceedance.km
    ]
    rank = {Known.YES: 0, Known.NO_DATA: 1, Known.NOT_SEEN: 1, Known.NO: 2}
    found.sort(key=lambda c: (rank[c.own], rank[c.in_permit], c.distance_km, c.code))
    used = {b.source for b in bands if b.holds_on(day) and b.from_km < exceedance.km and b.to_km > from_km}
    return Upstream(from_km, exceedance.km, ends_at, tuple(found), tuple(sorted(used)))


def _candidate(
    exceedance: Exceedance,
    source: Source,
    bands: Sequence[FlowBand],
    readings: Sequence[OwnReading],
    spread: float,
) -> Candidate:
    in_permit = Known.NO_DATA
    if source.factors is not None:
        in_permit = Known.YES if exceedance.factor in source.factors else Known.NO
    hours = travel_hours(source.km, exceedance.km, bands, on=exceedance.since.date())
    distance = exceedance.km - source.km
    if hours is None:
        own = Known.NO_DATA if source.seen else Known.NOT_SEEN
        return Candidate(source.code, source.km, distance, None, None, None, None, in_permit, own)
    quickest, slowest = hours[0] * (1 - spread), hours[1] * (1 + spread)
    left_from = exceedance.since - timedelta(hours=slowest)
    left_until = exceedance.until - timedelta(hours=quickest)
    own, above, highest = Known.NOT_SEEN, 0, None
    if source.seen:
        within = [r for r in readings if r.since <= left_until and r.until >= left_from]
        judged = [r.multiple for r in within if r.multiple is not None]
        over = [m for m in judged if m > 1]
        own = Known.YES if over else Known.NO if judged else Known.NO_DATA
        above, highest = len(over), max(judged, default=None)
    return Candidate(
        source.code,
        source.km,
        distance,
        quickest,
        slowest,
        left_from,
        left_until,
        in_permit,
        own,
        above,
        highest,
    )
