"""The legs of a model as a drawing: sources as boxes, links as lines from the main source outwards. Pure geometry."""

from __future__ import annotations

from dataclasses import dataclass

from supervision.rulebook.reading import links_to
from supervision.rulebook.sentence import Language
from supervision.rulebook.spec import RuleSpec

WIDTH, _BOX, _HIGH, _GAP = 760, 236, 44, 20
_BY: dict[str, tuple[str, str]] = {
    "identity": ("同一身份", "same identity"),
    "key": ("同一编号", "same key"),
    "relation": ("相互关联", "related"),
    "place": ("同一地点", "same place"),
}
_ABSENT = ("须无记录", "nothing may stand")


@dataclass(frozen=True)
class Box:
    """``kind``: driver, source or absent. ``first`` and ``below`` are the words as far as they fit into the box."""

    x: int
    y: int
    words: str
    second: str
    kind: str
    width: int = _BOX
    height: int = _HIGH

    @property
    def first(self) -> str:
        return _fitted(self.words, 16)

    @property
    def below(self) -> str:
        return _fitted(self.second, 19)


def _fitted(text: str, most: float) -> str:
    """As much of the text as is no wider than so many Chinese characters; a Latin one is taken for 0.55 of them."""
    wide = 0.0
    for at, character in enumerate(text):
        wide += 0.55 if character < "\u2e80" else 1
        if wide > most:
            return text[: max(0, at - 1)] + "…"
    return text


@dataclass(frozen=True)
class Line:
    path: str
    x: int
    y: int
    words: str
    kind: str


@dataclass(frozen=True)
class Drawing:
    width: int
    height: int
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def drawing(rule: RuleSpec, feeds: dict[str, str], language: Language) -> Drawing | None:
    """``feeds``: code → title. None where one source stands alone: there is nothing to draw."""
    at = 0 if language == "zh" else 1
    links = links_to(rule)
    depth = {rule.driver: 0}
    for alias, link in links.items():
        depth[alias] = depth.get(link.left.split(".")[0], 0) + 1
    legs = [
        (alias, "source", depth.get(alias, 1), links[alias].left.split(".")[0], _BY[links[alias].by][at])
        for alias in rule.sources
        if alias != rule.driver and alias in links
    ]
    absent = [(leg.id, absence.feed, rule.driver) for leg in rule.without for absence in leg.feeds]
    absent = list({(feed, left): (name, feed, left) for name, feed, left in absent}.values())
    if not legs and not absent:
        return None
    rows = len(legs) + len(absent)
    height = rows * (_HIGH + _GAP) + _GAP
    driver_y = (height - _HIGH) // 2
    main = rule.sources[rule.driver]
    places = {rule.driver: (0, driver_y)}
    boxes = [Box(0, driver_y, getattr(main, language), feeds.get(main.feed or "", ""), "driver")]
    lines = []
    right = WIDTH - _BOX
    for row, (alias, kind, _depth, left, words) in enumerate(legs):
        y = _GAP + row * (_HIGH + _GAP)
        places[alias] = (right, y)
        source = rule.sources[alias]
        members = [source.feed] if source.feed else [m.feed for m in source.any_of or ()]
        said = ("、" if at == 0 else ", ").join(feeds.get(m or "", str(m)) for m in members)
        boxes.append(Box(right, y, getattr(source, language), said, kind))
        lines.append(
            _line(
                places.get(left, places[rule.driver]),
                (right, y),
                words,
                "optional" if links[alias].optional else "link",
            )
        )
    for row, (_name, feed, _left) in enumerate(absent, len(legs)):
        y = _GAP + row * (_HIGH + _GAP)
        boxes.append(Box(right, y, feeds.get(feed, feed), feed, "absent"))
        lines.append(_line(places[rule.driver], (right, y), _ABSENT[at], "absent"))
    return Drawing(WIDTH, height, tuple(boxes), tuple(lines))


def _line(left: tuple[int, int], right: tuple[int, int], words: str, kind: str) -> Line:
    y1, y2 = left[1] + _HIGH // 2, right[1] + _HIGH // 2
    if left[0] == right[0]:
        # Between two boxes of the right column: a bow beside them.
        x = left[0] + _BOX
        return Line(f"M{x} {y1}C{x + 24} {y1} {x + 24} {y2} {x} {y2}", x - 8, (y1 + y2) // 2 + 4, words, kind)
    x1, x2 = left[0] + _BOX, right[0]
    middle = (x1 + x2) // 2
    return Line(f"M{x1} {y1}C{middle} {y1} {middle} {y2} {x2} {y2}", x2 - 10, y2 - 6, words, kind)
