"""The straightened river: everything in the window is drawn once, names do not touch, short and long lines are read."""

from __future__ import annotations

import random
import secrets
from itertools import pairwise

import pytest

from chuxiong.kit.river_line import Mark, RiverLine
from dashboard.water import strip
from dashboard.water.strip import Item
from ingestion.models import River
from ingestion.water.selectors import RiverView
from tests.prefecture import NOW

SEED = secrets.randbelow(10**9)


def _view(length: float) -> RiverView:
    half = length / 2
    stretches = [
        {"from_km": 0, "to_km": half, "county": "532301", "zh": "上段", "en": "Upper", "codes": []},
        {"from_km": half, "to_km": length, "county": "532302", "zh": "下段", "en": "Lower", "codes": []},
    ]
    river = River(code="SL", name_zh="示例河", name_en="Example", names=[], stretches=stretches)
    return RiverView(river, RiverLine((Mark(101, 25, 0), Mark(102, 25, length))), [], [], NOW, frozenset())


def _items(dice: random.Random, length: float, count: int) -> list[Item]:
    found = []
    for n in range(count):
        kind = dice.choice(strip.KINDS)
        name = "示例第" + "长" * dice.randint(0, 20) + f"{n} outlet"
        tone = dice.choice(["urgent", "soon", "plain", "good", "none"])
        km = dice.choice([0.0, length, round(dice.uniform(0, length), 2)])
        found.append(Item(f"k{n}", kind, km, "left", 10, name, "", tone, "●", "", 101, 25, "532301"))
    return sorted(found, key=lambda i: i.km)


@pytest.mark.parametrize("length", [3, 37, 200, 246])
def test_everything_in_the_window_is_drawn_once_and_names_do_not_touch(length):
    print("seed", SEED)
    dice = random.Random(SEED + length)
    for _ in range(30):
        view, items = _view(length), _items(dice, length, dice.randint(0, 120))
        from_km = dice.uniform(0, length * 0.8)
        from_km, to_km = strip.window(view, (f"{from_km}", f"{dice.uniform(from_km, length)}"))
        assert 0 <= from_km < to_km <= length
        assert to_km - from_km >= min(strip.SHORTEST, length) - 1e-9
        drawn = strip.draw(view, items, from_km, to_km)
        inside = [i for i in items if from_km <= i.km <= to_km]
        assert sorted(i.key for lane in drawn.lanes for m in lane.marks for i in m.items) == sorted(
            i.key for i in inside
        )
        for lane in drawn.lanes:
            at = [float(m.x[:-1]) for m in lane.marks]
            assert all(0 <= x <= 100 for x in at) and at == sorted(at)
            assert all(b - a >= 100 * 15 / 900 - 1e-2 for a, b in pairwise(at))
            for row in (0, 1):
                ends = -1e9
                for x, mark in zip(at, lane.marks, strict=True):
                    if mark.label and mark.row == row:
                        width, middle = strip._width(mark.label), x * 9
                        left = {"start": middle, "middle": middle - width / 2, "end": middle - width}[
                            mark.anchor
                        ]
                        assert left >= ends and left >= -1e-6 and left + width <= 900 + 1e-6
                        ends = left + width
        assert 4 <= len(drawn.ticks) <= 17
        assert [s["odd"] for s in drawn.stretches] in ([0], [1], [0, 1])


def test_a_mark_of_many_shows_the_one_that_asks_for_most():
    items = [
        Item(f"k{n}", "alarm", 10.0 + n / 100, "left", 0, f"n{n}", "", tone, "●", "", 101, 25, "")
        for n, tone in enumerate(["good", "urgent", "soon"])
    ]
    drawn = strip.draw(_view(200), items, 0, 200)
    (mark,) = next(lane for lane in drawn.lanes if lane.kind == "alarm").marks
    assert mark.first.tone == "urgent" and len(mark.items) == 3 and mark.title.count("\n") == 2


@pytest.mark.parametrize(
    "wanted", [("", ""), ("x", "y"), ("-5", "10"), ("10", "5"), ("0", "999"), ("nan", "nan"), ("inf", "inf")]
)
def test_a_window_that_is_none_is_the_whole_line(wanted):
    assert strip.window(_view(37), wanted) == (0, 37)


def test_moves_stay_on_the_line():
    print("seed", SEED)
    dice = random.Random(SEED)
    view = _view(200)
    for _ in range(200):
        from_km = dice.uniform(0, 190)
        window = strip.window(view, (str(from_km), str(dice.uniform(from_km, 200))))
        for move in strip._moves(view, *window).values():
            if move:
                start, end = (float(part.split("=")[1]) for part in move.split("&"))
                assert -1e-9 <= start < end <= 200.01
