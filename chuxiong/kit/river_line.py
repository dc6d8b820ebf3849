"""A river as a line with kilometre marks (桩号): coordinate → mark and back. Pure.

Kilometres come from a table of marks, not from the drawing: a drawn line is shorter than the river. Between two
marks they grow evenly along the line. Marks run downstream, so the left bank lies to the left of the drawing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from math import cos, hypot, radians
from typing import Literal

#: mean length of one degree of latitude, metres (earth radius 6,371,008.8 m)
METRES_PER_DEGREE = 111_195.08
#: nearer than this is on the line, not beside it
_ON_LINE = 1.0

Side = Literal["left", "right", "on"]


@dataclass(frozen=True)
class Mark:
    """One corner of the drawing; ``km`` where the table of marks names it, degrees in CGCS2000."""

    lon: float
    lat: float
    km: float | None = None


@dataclass(frozen=True)
class Place:
    """Where a coordinate lies: kilometre mark, bank, metres off the line."""

    km: float
    side: Side
    off_m: float


def metres(lon: float, lat: float, other_lon: float, other_lat: float) -> float:
    """Distance of two places; good to a thousandth within the prefecture."""
    east = (other_lon - lon) * METRES_PER_DEGREE * cos(radians((lat + other_lat) / 2))
    return hypot(east, (other_lat - lat) * METRES_PER_DEGREE)


@dataclass(frozen=True)
class RiverLine:
    """The line of one river, from its first mark downstream to its last."""

    corners: tuple[Mark, ...]
    #: kilometre mark of every corner
    kms: tuple[float, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kms", _filled(self.corners))

    @property
    def from_km(self) -> float:
        return self.kms[0]

    @property
    def to_km(self) -> float:
        return self.kms[-1]

    def at(self, km: float) -> tuple[float, float]:
        """(longitude, latitude) of a kilometre mark; raises ``ValueError`` beyond the line's ends."""
        if not self.from_km <= km <= self.to_km:
            raise ValueError(f"桩号 {km:g} 不在 {self.from_km:g}–{self.to_km:g} km 内")
        for (a, b), (from_km, to_km) in zip(pairwise(self.corners), pairwise(self.kms), strict=True):
            if km <= to_km:
                part = (km - from_km) / (to_km - from_km) if to_km > from_km else 0.0
                return a.lon + part * (b.lon - a.lon), a.lat + part * (b.lat - a.lat)
        raise AssertionError("unreachable: the last mark is the line's end")

    def project(self, lon: float, lat: float) -> Place:
        """The nearest place of the line; of several equally near ones the most upstream."""
        best: Place | None = None
        for (a, b), (from_km, to_km) in zip(pairwise(self.corners), pairwise(self.kms), strict=True):
            # Metres on a plane that touches the earth at the coordinate asked for.
            scale = METRES_PER_DEGREE * cos(radians(lat))
            ax, ay = (a.lon - lon) * scale, (a.lat - lat) * METRES_PER_DEGREE
            dx, dy = (b.lon - a.lon) * scale, (b.lat - a.lat) * METRES_PER_DEGREE
            part = max(0.0, min(1.0, -(ax * dx + ay * dy) / (dx * dx + dy * dy)))
            x, y = ax + part * dx, ay + part * dy
            off = hypot(x, y)
            if best is None or off < best.off_m - 1e-9:
                # The cross product says on which hand the coordinate (the origin) lies.
                turn = dx * -y - dy * -x
                side: Side = "on" if off < _ON_LINE else "left" if turn > 0 else "right"
                best = Place(from_km + part * (to_km - from_km), side, off)
        assert best is not None  # noqa: S101  a line has two corners
        return best


def _filled(corners: Sequence[Mark]) -> tuple[float, ...]:
    """Marks of all corners; those the table does not name share the way between their neighbours evenly."""
    if len(corners) < 2:
        raise ValueError("河线至少要有两个点")
    if corners[0].km is None or corners[-1].km is None:
        raise ValueError("河线的首点和末点须有桩号（km）")
    for a, b in pairwise(corners):
        if (a.lon, a.lat) == (b.lon, b.lat):
            raise ValueError(f"相邻两点重合：{a.lon}, {a.lat}")
    known = [n for n, corner in enumerate(corners) if corner.km is not None]
    kms = [corner.km or 0.0 for corner in corners]
    for first, last in pairwise(known):
        if kms[last] <= kms[first]:
            raise ValueError(f"桩号须向下游增大：{kms[first]:g} 之后是 {kms[last]:g}")
        lengths = [metres(a.lon, a.lat, b.lon, b.lat) for a, b in pairwise(corners[first : last + 1])]
        gone, whole = 0.0, sum(lengths)
        for n, length in enumerate(lengths[:-1], start=first + 1):
            gone += length
            kms[n] = kms[first] + (kms[last] - kms[first]) * gone / whole
    return tuple(kms)
