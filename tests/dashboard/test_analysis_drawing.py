"""The drawings of the analysis centre: nothing outside the picture, nobody upon anybody, a mark for everything."""

from __future__ import annotations

import math
import random
import secrets
from datetime import date, timedelta

from dashboard.analysis.drawing import bars, layout, timeline


def test_nodes_stand_apart_and_within_the_picture() -> None:
    seed = secrets.randbits(31)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for size in (1, 2, 7, 60, 201):
        hops, ties = {0: 0}, []
        for node in range(1, size):
            parent = draw.choice([n for n, hop in hops.items() if hop < 3])
            hops[node] = hops[parent] + 1
            ties.append((parent, node))
        placed = layout(hops, ties)
        assert set(placed.spots) == set(hops)
        for node, spot in placed.spots.items():
            assert (
                placed.left < spot.x < placed.left + placed.width
                and placed.top < spot.y < placed.top + placed.height
            )
            others = (s for n, s in placed.spots.items() if n != node)
            assert all(math.hypot(spot.x - s.x, spot.y - s.y) > 20 for s in others), (size, node)


def test_every_day_has_its_dot_within_the_line() -> None:
    seed = secrets.randbits(31)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for span in (0, 40, 700, 9000):
        days = [date(2001, 1, 1) + timedelta(days=draw.randint(0, span)) for _ in range(30)]
        drawn = timeline([("甲", "a", days[:10]), ("乙", "b", days[10:])])
        assert drawn is not None
        assert sum(dot.count for lane in drawn.lanes for dot in lane.dots) == 30
        assert all(
            0 < dot.x <= drawn.width and 0 < dot.y < drawn.height for lane in drawn.lanes for dot in lane.dots
        )
        assert 1 <= len(drawn.ticks) <= 12 and all(0 <= x <= drawn.width for x, _ in drawn.ticks)
    assert timeline([("甲", "a", [])]) is None


def test_a_bar_a_month() -> None:
    drawn = bars([0, 3, 1], ["2026-01", "2026-02", "2026-03"])
    assert [b.count for b in drawn.bars] == [0, 3, 1] and drawn.top == 3
    assert drawn.bars[1].height > drawn.bars[2].height > drawn.bars[0].height > 0
    assert bars([], []).bars == ()
