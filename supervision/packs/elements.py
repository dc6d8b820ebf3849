"""The data elements (数据要素) of a model, and which of a catalogue's feeds satisfy a list of them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingestion.catalog.load import Catalog
from ingestion.catalog.spec import Column, FeedSpec
from supervision.rulebook.reading import fields_read
from supervision.rulebook.spec import RuleSpec


@dataclass(frozen=True)
class Element:
    """One field that a model reads."""

    feed: FeedSpec
    column: Column


@dataclass(frozen=True)
class Need:
    """A field as somebody else's model names it: by feed and column, and by the words beside them.

    ``type`` is the catalogue's word for it; empty where the list does not say.
    """

    feed: str
    feed_zh: str
    column: str
    zh: str
    type: str = ""


@dataclass(frozen=True)
class Met:
    """What of ours answers a need: feed and column; ``kind`` says how.

    ``same``: the feed and the column bear the same names; ``like``: found by the Chinese name or a header of ours;
    ``type``: the column is there but of another type; ``column``: the feed is there without it; ``feed``: nothing is.
    """

    need: Need
    kind: str
    feed: FeedSpec | None = None
    column: Column | None = None

    @property
    def satisfied(self) -> bool:
        return self.kind in ("same", "like")


def elements(rule: RuleSpec, catalog: Catalog) -> list[Element]:
    """What the model reads, in the order of the catalogue."""
    read = fields_read(rule)
    return [
        Element(feed, column)
        for code, feed in catalog.items()
        if code in read
        for column in feed.columns
        if column.name in read[code]
    ]


def feeds_of(rule: RuleSpec) -> list[str]:
    """Codes of the feeds that the model reads, sorted."""
    return sorted(fields_read(rule))


def needs_of(rule: RuleSpec, catalog: Catalog) -> list[Need]:
    """The model's elements as they are told to others."""
    return [
        Need(e.feed.code, e.feed.title.zh, e.column.name, e.column.zh, e.column.type)
        for e in elements(rule, catalog)
    ]


def satisfaction(needs: Iterable[Need], catalog: Catalog) -> list[Met]:
    """For every need what of the catalogue answers it, in the given order.

    A group of needs (one feed of theirs) is answered by one feed of ours: the one of that code, or of that title. Where
    the list names no code (a template), it is the feed that answers most of the group, half of it at least.
    """
    groups: dict[tuple[str, str], list[Need]] = {}
    listed = list(needs)
    for need in listed:
        groups.setdefault((need.feed, need.feed_zh), []).append(need)
    found: dict[int, Met] = {}
    for group in groups.values():
        ours = _feed_for(group, catalog)
        for need in group:
            found[id(need)] = _met(need, ours)
    return [found[id(need)] for need in listed]


def _feed_for(group: Sequence[Need], catalog: Catalog) -> FeedSpec | None:
    first = group[0]
    if first.feed in catalog:
        return catalog[first.feed]
    for feed in catalog.values():
        if first.feed_zh and first.feed_zh in (feed.title.zh, feed.title.en):
            return feed
    if first.feed:
        # Another feed with some columns alike (a number and a day) tells of something else.
        return None
    best, most = None, 0
    for feed in catalog.values():
        named = sum(2 if any(c.name == n.column for c in feed.columns) else _worded(n, feed) for n in group)
        if named > most:
            best, most = feed, named
    # Half of the fields at least: that a table has a name and a date says nothing of what it is.
    return best if most >= len(group) and most > 1 else None


def _worded(need: Need, feed: FeedSpec) -> int:
    return int(bool(need.zh) and any(need.zh in (c.zh, *c.headers) for c in feed.columns))


def _met(need: Need, feed: FeedSpec | None) -> Met:
    if feed is None:
        return Met(need, "feed")
    column = next((c for c in feed.columns if c.name == need.column), None)
    # A template names no code: the column's own name is all that can be the same.
    kind = "same" if column is not None and need.feed in ("", feed.code) else "like"
    if column is None:
        column = next((c for c in feed.columns if need.zh and need.zh in (c.zh, *c.headers)), None)
    if column is None:
        return Met(need, "column", feed)
    if need.type and column.type != need.type:
        return Met(need, "type", feed, column)
    return Met(need, kind, feed, column)
