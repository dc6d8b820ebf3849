"""The river drawn straight: what stands and happened on it, in lanes over one scale of kilometres.

Positions are parts of the width, so that letters keep their size on every screen. What would fall upon its
neighbour is drawn as one mark with a count, and names that would collide are left to the list below.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from chuxiong.accounts.models import Person
from chuxiong.kit.factor import named
from dashboard.desk.page import pick
from dashboard.water.words import label
from ingestion.cameras.viewing import PERMISSIONS as MAY_LOOK
from ingestion.models import RiverPlace
from ingestion.water.selectors import RiverView
from supervision.river import RiverMatters

#: the narrowest drawing, in pixels: what is apart there is apart everywhere
_WIDTH = 900
#: marks nearer than this are one
_APART = 15
#: the widest name under a mark
_NAME = 116
_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100)
#: the shortest piece that is drawn, km
SHORTEST = 2.0
#: rows of one page of the list under the drawing
ROWS = 25

KINDS = ("section", "outfall", "camera", "problem", "alarm", "clue")
_HEIGHT = {"section": 62, "outfall": 62, "camera": 34, "problem": 34, "alarm": 34, "clue": 34}


@dataclass(frozen=True)
class Item:
    """One thing on the river. ``tone``: urgent, soon, good, plain or none; ``glyph`` says the same by its shape."""

    key: str
    kind: str
    km: float
    side: str
    off_m: float
    name: str
    detail: str
    tone: str
    glyph: str
    href: str
    lon: float
    lat: float
    county: str


@dataclass
class Mark:
    """One drawn sign of a lane, for one item or several; ``x`` in percent."""

    x: str
    items: list[Item]
    label: str = ""
    row: int = 0
    anchor: str = "middle"

    @property
    def first(self) -> Item:
        """The one that asks for most attention."""
        return min(self.items, key=lambda i: _ATTENTION.index(i.tone))

    @property
    def title(self) -> str:
        words = [f"{i.km:.1f} km {i.name}" + (f" · {i.detail}" if i.detail else "") for i in self.items[:6]]
        if len(self.items) > 6:
            words.append(_("等 %(n)s 处") % {"n": len(self.items)})
        return "\n".join(words)


_ATTENTION = ("urgent", "soon", "plain", "good", "none")


@dataclass
class Lane:
    kind: str
    words: str
    y: int
    height: int
    count: int
    marks: list[Mark] = field(default_factory=list)


@dataclass
class Strip:
    """``from_km`` … ``to_km``: the piece that is drawn."""

    from_km: float
    to_km: float
    whole: tuple[float, float]
    lanes: list[Lane]
    ticks: list[tuple[str, str]]
    stretches: list[dict[str, Any]]
    height: int
    river_y: int
    moves: dict[str, str]


def items_of(view: RiverView, matters: RiverMatters, person: Person) -> list[Item]:
    """Everything of the river, downstream."""
    found: list[Item] = []
    by_device = {p.mn: p for p in view.places if p.mn}
    for place in view.places:
        if place.kind != "tributary" and not view.sees(place):
            kind, glyph = ("outfall", "▽") if place.kind == "outfall" else ("section", "○")
            found.append(_item(place, kind, _("读数不在您的范围内"), "none", glyph, ""))
        elif place.kind in ("section", "station"):
            found.append(_section(view, place))
        elif place.kind == "outfall":
            found.append(_outfall(view, place))
        else:
            href = reverse("water:river", args=[place.joins]) if place.joins else ""
            words = _("支流汇入")
            found.append(_item(place, "section", words, "plain", "⊣", href))
    if not person.permissions.isdisjoint(MAY_LOOK):
        reach = set(person.office_codes)
        found += [_camera(c) for c in view.cameras if c.county in reach]
    for problem in view.problems:
        tone, glyph = ("soon", "✕") if problem.open else ("good", "✓")
        clues = matters.clues_of_problem.get(problem.number, [])
        detail = f"{timezone.localtime(problem.found_at):%m-%d} {label(problem.status)}"
        at = (problem.km, problem.side, problem.off_m, problem.lon, problem.lat)
        found.append(
            Item(
                f"problem-{problem.number}", "problem", *at[:3], label(problem.kind), detail, tone, glyph, "",
                *at[3:], view.county_at(problem.km),
            )
        )  # fmt: skip
        found += [_clue(c, view.county_at(problem.km), at) for c in clues]
    for device, alarms in matters.alarms.items():
        place = by_device[device]
        found += [_alarm(a, place) for a in alarms]
    for device, clues in matters.clues_of_device.items():
        place = by_device[device]
        at = (place.km, place.side, place.off_m, place.lon, place.lat)
        found += [_clue(c, place.county, at) for c in clues]
    return sorted(found, key=lambda i: (i.km, KINDS.index(i.kind), i.key))


def _item(place: RiverPlace, kind: str, detail: str, tone: str, glyph: str, href: str) -> Item:
    return Item(
        f"{place.kind}-{place.code}", kind, place.km, place.side, place.off_m,
        pick(place.name_zh, place.name_en or place.name_zh), detail, tone, glyph, href, place.lon, place.lat,
        place.county,
    )  # fmt: skip


def _section(view: RiverView, place: RiverPlace) -> Item:
    state = view.sections.get(place.code)
    target = _("目标%(class)s类") % {"class": place.target_class} if place.target_class else _("监测站")
    if place.kind == "station" and place.mn:
        outfall = view.outfalls.get(place.mn)
        if outfall is None or not outfall.readings:
            return _item(place, "section", f"{target} · " + _("没有读数"), "none", "○", "")
        tone, glyph = ("soon", "◆") if outfall.above else ("good", "●")
        words = _("高于限值 %(n)s 次") % {"n": outfall.above} if outfall.above else _("未见超限")
        return _item(place, "section", f"{target} · {words}", tone, glyph, "")
    href = reverse("water:section", args=[view.river.code, place.code])
    if state is None or not state.readings:
        return _item(place, "section", f"{target} · " + _("没有读数"), "none", "○", href)
    now = sorted({j.factor for j in state.latest.values() if j.exceeds})
    if now:
        names = "、".join(pick(named(f).zh, named(f).en) for f in now)
        words = _("最近读数劣于目标：%(names)s") % {"names": names}
        return _item(place, "section", f"{target} · {words}", "urgent", "▲", href)
    if state.above:
        words = _("期间劣于目标 %(n)s 次") % {"n": len(state.above)}
        return _item(place, "section", f"{target} · {words}", "soon", "◆", href)
    return _item(place, "section", f"{target} · " + _("未见超限"), "good", "●", href)


def _outfall(view: RiverView, place: RiverPlace) -> Item:
    state = view.outfalls.get(place.mn) if place.mn else None
    if state is None or not state.readings:
        words = _("没有在线监测") if not place.mn else _("没有读数")
        return _item(place, "outfall", words, "none", "▽", "")
    if state.above:
        return _item(place, "outfall", _("超限均值 %(n)s 个") % {"n": state.above}, "soon", "▼", "")
    return _item(place, "outfall", _("未见超限"), "good", "▼", "")


def _camera(camera: Any) -> Item:
    on = camera.status == "in_service"
    return Item(
        f"camera-{camera.code}", "camera", camera.km, "on", 0.0, pick(camera.name_zh, camera.name_en or camera.name_zh),
        _("在用") if on else _("暂停"), "plain" if on else "none", "▣", reverse("cameras:camera", args=[camera.code]),
        camera.lon, camera.lat, camera.county,
    )  # fmt: skip


_LEVELS = {
    "urgent": ("urgent", "▲"),
    "warning": ("soon", "◆"),
    "important": ("soon", "◆"),
    "notice": ("plain", "■"),
    "ordinary": ("plain", "■"),
}


def _alarm(alarm: Any, place: RiverPlace) -> Item:
    tone, glyph = _LEVELS[alarm.level]
    factor = named(alarm.series)
    detail = _("%(factor)s 达限值 %(times)s 倍") % {
        "factor": pick(factor.zh, factor.en),
        "times": f"{alarm.multiple:.1f}",
    }
    return Item(
        f"alarm-{alarm.pk}", "alarm", place.km, place.side, place.off_m, alarm.label or pick(place.name_zh, place.name_en),
        f"{timezone.localtime(alarm.last_at):%m-%d %H:%M} {detail}", tone, glyph, reverse("water:alarm", args=[alarm.pk]),
        place.lon, place.lat, place.county,
    )  # fmt: skip


def _clue(clue: Any, county: str, at: tuple[float, str, float, float, float]) -> Item:
    tone, glyph = _LEVELS[clue.level]
    return Item(
        f"clue-{clue.number}", "clue", at[0], at[1], at[2], clue.number, f"{timezone.localtime(clue.raised_at):%m-%d}",
        tone, glyph, reverse("desk:clue", args=[clue.number]), at[3], at[4], county,
    )  # fmt: skip


# ---- drawing -----------------------------------------------------------------------------------------


def window(view: RiverView, wanted: tuple[str, str]) -> tuple[float, float]:
    """The piece asked for, within the line and no shorter than can be read."""
    first, last = view.line.from_km, view.line.to_km
    try:
        from_km, to_km = (float(part) for part in wanted)
    except ValueError:
        return first, last
    if not first <= from_km < to_km <= last + 1e-6:  # also False for what is no number
        return first, last
    if to_km - from_km < min(SHORTEST, last - first):
        middle = (from_km + to_km) / 2
        from_km = max(first, min(middle - SHORTEST / 2, last - SHORTEST))
        to_km = min(last, from_km + SHORTEST)
    return from_km, min(to_km, last)


def draw(view: RiverView, items: Sequence[Item], from_km: float, to_km: float) -> Strip:
    """The lanes between two marks of the line."""
    words = {
        "section": _("断面"),
        "outfall": _("排污口"),
        "camera": _("摄像机"),
        "problem": _("巡河问题"),
        "alarm": _("预警"),
        "clue": _("线索"),
    }
    lanes, y, river_y = [], 30, 0
    for kind in KINDS:
        height = _HEIGHT[kind]
        inside = [i for i in items if i.kind == kind and from_km <= i.km <= to_km]
        lane = Lane(kind, words[kind], y, height, len(inside))
        lane.marks = _marks(inside, from_km, to_km, named_=height > 40)
        lanes.append(lane)
        y += height
        if kind == "section":
            river_y, y = y + 12, y + 44
    return Strip(
        from_km,
        to_km,
        (view.line.from_km, view.line.to_km),
        lanes,
        _ticks(from_km, to_km),
        _stretches(view, from_km, to_km),
        y + 4,
        river_y,
        _moves(view, from_km, to_km),
    )


def _x(km: float, from_km: float, to_km: float) -> float:
    return 100 * (km - from_km) / (to_km - from_km)


def _marks(items: Iterable[Item], from_km: float, to_km: float, *, named_: bool) -> list[Mark]:
    marks: list[tuple[float, Mark]] = []
    for item in items:
        x = _x(item.km, from_km, to_km)
        if marks and (x - marks[-1][0]) * _WIDTH / 100 < _APART:
            marks[-1][1].items.append(item)
        else:
            marks.append((x, Mark(f"{x:.3f}%", [item])))
    if named_:
        _name(marks)
    return [mark for _place, mark in marks]


def _name(marks: Sequence[tuple[float, Mark]]) -> None:
    """Names in two rows; one that would reach into its neighbour is left out."""
    free = [-1e9, -1e9]
    for x, mark in marks:
        name = mark.items[0].name if len(mark.items) == 1 else ""
        if not name:
            continue
        name = _short(name)
        width = _width(name)
        middle = x * _WIDTH / 100
        mark.anchor = "start" if middle < width / 2 else "end" if _WIDTH - middle < width / 2 else "middle"
        left = {"start": middle, "middle": middle - width / 2, "end": middle - width}[mark.anchor]
        for row in (0, 1):
            if left > free[row] + 10:
                mark.label, mark.row, free[row] = name, row, left + width
                break


def _width(words: str) -> float:
    """Of words in 12 px type: a Chinese character is as wide as it is high."""
    return sum(12.5 if ord(c) > 255 else 6.8 for c in words)


def _short(name: str) -> str:
    """As much of a name as a mark has room for."""
    if _width(name) <= _NAME:
        return name
    while _width(name) > _NAME - 12:
        name = name[:-1]
    return name + "…"


def _ticks(from_km: float, to_km: float) -> list[tuple[str, str]]:
    """(x, kilometre) at round marks, eight to sixteen of them."""
    step = next((s for s in _STEPS if (to_km - from_km) / s <= 16), _STEPS[-1])
    first = -(-from_km // step)
    found, n = [], 0
    while (km := (first + n) * step) <= to_km + 1e-9:
        found.append((f"{_x(km, from_km, to_km):.3f}%", f"{km:g}" if step >= 1 else f"{km:.1f}"))
        n += 1
    return found


def _stretches(view: RiverView, from_km: float, to_km: float) -> list[dict[str, Any]]:
    found = []
    for n, stretch in enumerate(view.river.stretches):
        start, end = max(stretch["from_km"], from_km), min(stretch["to_km"], to_km)
        if end <= start:
            continue
        left, right = _x(start, from_km, to_km), _x(end, from_km, to_km)
        words = pick(stretch["zh"], stretch["en"])
        wide = _width(words) + 8 < (right - left) * _WIDTH / 100
        found.append(
            {
                "x": f"{left:.3f}%",
                "width": f"{right - left:.3f}%",
                "middle": f"{(left + right) / 2:.3f}%",
                "words": words if wide else "",
                "title": f"{words} {stretch['from_km']:g}–{stretch['to_km']:g} km",
                "odd": n % 2,
            }
        )
    return found


def _moves(view: RiverView, from_km: float, to_km: float) -> dict[str, str]:
    """Addresses (``from=…&to=…``) for the whole line, nearer, farther, upstream, downstream; empty: no further."""
    first, last = view.line.from_km, view.line.to_km
    length, middle = to_km - from_km, (from_km + to_km) / 2
    whole = from_km <= first and to_km >= last

    def piece(start: float, wanted: float) -> str:
        wanted = min(wanted, last - first)
        start = max(first, min(start, last - wanted))
        return f"from={start:.2f}&to={start + wanted:.2f}"

    nearer = max(length / 2, min(SHORTEST, last - first))
    return {
        "whole": "" if whole else f"from={first:g}&to={last:g}",
        "in": "" if length <= SHORTEST + 1e-6 else piece(middle - nearer / 2, nearer),
        "out": "" if whole else piece(middle - length, length * 2),
        "up": "" if from_km <= first else piece(from_km - length / 2, length),
        "down": "" if to_km >= last else piece(from_km + length / 2, length),
    }
