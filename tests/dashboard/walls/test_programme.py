"""Timelines and scenes, without a database: no gap, no overlap, the same place of a list whenever one looks."""

from __future__ import annotations

import itertools
import random
from datetime import datetime

import pytest

from dashboard.walls.legibility import reading
from dashboard.walls.programme import ZONE, Cover, scenes_of, timeline, unroll
from dashboard.walls.spec import PANELS, SceneRefused, read, scenes

START = int(datetime(2026, 11, 25, 8, 0, tzinfo=ZONE).timestamp() * 1000)
HORIZON = 900_000
A = {"kind": "scene", "scene": "overview", "params": {}}
B = {"kind": "scene", "scene": "river", "params": {"km": 84.0}}
LIST = {
    "kind": "playlist",
    "since": START,
    "items": [
        {"scene": "overview", "seconds": 20},
        {"scene": "river", "seconds": 35},
        {"scene": "water", "seconds": 5},
    ],
}


def line(before=A, after=A, applies=None, covers=(), now=START, horizon=HORIZON):
    return timeline(
        before=before, after=after, applies=applies, switch=7, covers=covers, now=now, horizon=horizon
    )


def whole(pieces, now=START) -> None:
    assert pieces[0].since == now
    for one, other in itertools.pairwise(pieces):
        assert one.until == other.since and one.since < one.until


def shown(pieces, at):
    return next(p for p in pieces if p.since <= at and (p.until is None or p.until > at))


def test_what_was_on_stays_until_the_agreed_moment():
    pieces = line(after=B, applies=START + 2000)
    whole(pieces)
    assert [(p.scene, p.switch) for p in pieces] == [("overview", 0), ("river", 7)]
    assert line(after=B, applies=START)[0].scene == "river"


def test_a_playlist_is_at_the_same_place_whenever_one_looks():
    seed = random.randrange(10**9)
    print(f"seed {seed}")
    draw = random.Random(seed)
    for _ in range(50):
        at = START + draw.randrange(3 * 3600 * 1000)
        pieces = line(after=LIST, now=at)
        whole(pieces, at)
        late = at + draw.randrange(60_000)
        assert shown(pieces, late).scene == line(after=LIST, now=late)[0].scene
        into = (at - START) / 1000 % 60
        assert pieces[0].scene == ("overview" if into < 20 else "river" if into < 55 else "water")


def test_an_interrupt_covers_and_gives_back_but_not_what_is_held_or_dark():
    cover = Cover(START + 5000, START + 30_000, "exceedance", {}, {"zh": "紧急预警", "en": "Urgent"})
    pieces = line(after=LIST, covers=[cover])
    whole(pieces)
    assert [p.scene for p in pieces[:3]] == ["overview", "exceedance", "exceedance"]
    assert shown(pieces, START + 29_999).why == "interrupt" and shown(pieces, START + 30_000).scene == "river"
    held = {**A, "held": True, "back": LIST}
    assert {p.scene for p in line(after=held, covers=[cover])} == {"overview"}
    assert {p.scene for p in line(after={"kind": "blank", "back": A}, covers=[cover])} == {"blank"}


def test_a_schedule_follows_the_hours_of_shanghai_and_rests_between():
    schedule = {
        "kind": "schedule",
        "otherwise": A,
        "entries": [{"days": [3], "begins": "08:10", "ends": "08:12", "items": LIST["items"]}],
    }
    pieces = line(after=schedule)  # a Wednesday
    whole(pieces)
    assert pieces[0].scene == "overview" and pieces[0].until == START + 600_000
    assert [p.why for p in pieces[1:4]] == ["schedule"] * 3
    assert shown(pieces, START + 720_000).why == "scene"
    # Looked at in the middle of a window the list is where its beginning says.
    into = START + 600_000 + 60_000 + 25_000
    assert line(after=schedule, now=into)[0].scene == "river"
    assert scenes_of(schedule) == {"overview", "river", "water"}
    assert [p.why for p in unroll(schedule, START + 86_400_000, START + 86_400_000 + HORIZON)] == ["scene"]


def test_letters_grow_with_the_distance_and_stop_at_the_bound():
    near = reading(height_px=1080, pitch_mm=2.5, distance_m=3, smallest_units=20)
    assert near.scale == 1 and near.legible
    far = reading(height_px=2160, pitch_mm=1.25, distance_m=8, smallest_units=20)
    assert 1 < far.scale < 1.5 and far.legible
    # The same wall in half as many pixels of twice the pitch needs the same part of its height.
    assert (
        far.needed_units
        == reading(height_px=1080, pitch_mm=2.5, distance_m=8, smallest_units=20).needed_units
    )
    too_far = reading(height_px=1080, pitch_mm=0.63, distance_m=8, smallest_units=20)
    assert too_far.scale == 1.5 and not too_far.legible


def test_every_scene_fills_both_shapes_of_wall():
    found = scenes()
    assert next(iter(found)) == "overview" and len(found) >= 8
    for scene in found.values():
        used = set().union(*(layout.named for layout in scene.layouts))
        assert used == {panel.area for panel in scene.panels}, f"{scene.code}: a panel that no layout shows"
        assert scene.smallest >= 20 and all(panel.kind in PANELS for panel in scene.panels)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("kind: funnel", "kind: funel"), "没有名为 funel 的面板"),
        (("areas: [f]", "areas: [f g]"), "没有面板"),
        (("smallest: 20", "smallest: 12"), "smallest"),
        (("zh: 示例", "zh: 示例\ncolour: red"), "colour"),
    ],
)
def test_a_scene_that_cannot_be_used_says_where_and_why(change, why):
    text = """code: example
order: 99
zh: 示例
en: Example
about_zh: 示例
about_en: Example
smallest: 20
panels: [{kind: funnel, area: f, bare: true}]
layouts: [{columns: 1fr, rows: 1fr, areas: [f]}]
"""
    assert read(text, "example.yaml").code == "example"
    with pytest.raises(SceneRefused, match=why) as refused:
        read(text.replace(*change), "example.yaml")
    assert str(refused.value).startswith("example.yaml")
