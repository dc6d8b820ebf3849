"""A river as a line: the nearest place is the nearest one, marks go there and back, faults are named."""

from __future__ import annotations

import random
import secrets
from math import cos, radians

import pytest

from chuxiong.kit.river_line import METRES_PER_DEGREE, Mark, RiverLine, metres

SEED = secrets.randbelow(10**9)


def _line(dice: random.Random) -> RiverLine:
    """A walk over the prefecture with marks at both ends and now and then between."""
    lon, lat, km = dice.uniform(100.6, 101.4), dice.uniform(24.4, 25.2), dice.uniform(0, 50)
    corners = [Mark(lon, lat, km)]
    for _ in range(dice.randint(1, 30)):
        lon, lat = lon + dice.uniform(-0.02, 0.05), lat + dice.uniform(-0.03, 0.05)
        km += dice.uniform(0.5, 12)
        corners.append(Mark(lon, lat, km if dice.random() < 0.3 else None))
    last = corners[-1]
    return RiverLine((*corners[:-1], Mark(last.lon, last.lat, km)))


def _off(line: RiverLine, km: float, lon: float, lat: float) -> float:
    """Metres from the coordinate to a mark, on the plane at the coordinate."""
    x, y = line.at(km)
    return (
        ((x - lon) * METRES_PER_DEGREE * cos(radians(lat))) ** 2 + ((y - lat) * METRES_PER_DEGREE) ** 2
    ) ** 0.5


def test_the_projection_is_the_nearest_place_that_brute_force_finds():
    print("seed", SEED)
    dice = random.Random(SEED)
    for _ in range(40):
        line = _line(dice)
        length = line.to_km - line.from_km
        at = dice.uniform(line.from_km, line.to_km)
        lon, lat = (degree + dice.uniform(-0.05, 0.05) for degree in line.at(at))
        found = line.project(lon, lat)
        marks = [line.from_km + length * n / 4000 for n in range(4000)] + [line.to_km]
        brute = min(_off(line, km, lon, lat) for km in marks)
        # No mark is nearer than the one found, and it is as far off as it says.
        assert found.off_m <= brute + 1e-6
        assert found.off_m == pytest.approx(_off(line, found.km, lon, lat), abs=0.01)
        assert line.from_km <= found.km <= line.to_km


def test_a_mark_of_the_line_projects_onto_itself():
    print("seed", SEED)
    dice = random.Random(SEED + 1)
    for _ in range(200):
        line = _line(dice)
        km = dice.uniform(line.from_km, line.to_km)
        lon, lat = line.at(km)
        found = line.project(lon, lat)
        assert found.off_m < 0.01 and found.side == "on"
        # A line that crosses itself has two marks at one place.
        x, y = line.at(found.km)
        assert metres(x, y, lon, lat) < 0.02


def test_marks_of_the_table_go_before_the_drawing():
    line = RiverLine((Mark(101.0, 25.0, 0), Mark(101.01, 25.0, 10), Mark(101.02, 25.0, 12)))
    assert line.at(5) == pytest.approx((101.005, 25.0))
    assert line.project(101.005, 25.0).km == pytest.approx(5)
    assert line.project(101.015, 25.0).km == pytest.approx(11)


def test_banks_are_those_of_somebody_who_looks_downstream():
    east = RiverLine((Mark(101.0, 25.0, 0), Mark(101.1, 25.0, 10)))
    west = RiverLine((Mark(101.1, 25.0, 0), Mark(101.0, 25.0, 10)))
    assert east.project(101.05, 25.001).side == "left"
    assert west.project(101.05, 25.001).side == "right"
    assert east.project(101.05, 25.001).off_m == pytest.approx(0.001 * METRES_PER_DEGREE)


@pytest.mark.parametrize(
    ("corners", "why"),
    [
        ([Mark(101, 25, 0)], "至少要有两个点"),
        ([Mark(101, 25), Mark(101.1, 25, 3)], "首点和末点须有桩号"),
        ([Mark(101, 25, 5), Mark(101.1, 25, 5)], "桩号须向下游增大"),
        ([Mark(101, 25, 0), Mark(101, 25), Mark(101.1, 25, 5)], "相邻两点重合"),
    ],
)
def test_what_is_no_line_is_refused_with_its_fault(corners, why):
    with pytest.raises(ValueError, match=why):
        RiverLine(tuple(corners))


def test_a_mark_beyond_the_line_is_refused():
    with pytest.raises(ValueError, match="不在"):
        RiverLine((Mark(101, 25, 0), Mark(101.1, 25, 10))).at(10.1)
