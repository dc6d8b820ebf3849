"""The records behind a clue, cell by cell: what decides, what is masked, what is sealed."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.kit import mask
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.catalog.seals import purposes
from supervision.models import Clue
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.load import LoadedRule
from supervision.rulebook.spec import FIELD_KEYS, fields_of, leaves
from supervision.selectors.rules import _reach

_REF = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MENTION = re.compile(rf"〔(?:[a-z_]+:)?({_REF.pattern})〕")


@dataclass(frozen=True)
class Cell:
    text: str
    decisive: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Fact:
    key: str
    zh: str
    en: str


@dataclass(frozen=True)
class EvidenceSource:
    """One source's column of the evidence table."""

    letter: str
    feed_code: str
    title_zh: str
    title_en: str
    batch: int
    row_no: int
    landed_at: datetime
    covers_until: date | None
    replaced: bool
    cells: dict[str, Cell]
    #: whether some of the cells hold an identifier that is not shown
    masked: bool


#: Evidence columns side by side; further rows are counted and shown on request, up to ``ALL_SOURCES``.
MAX_SOURCES = 6
ALL_SOURCES = 60


class _Refs(dict[str, str]):
    """In place of the numbers by ref: each ref as its own mention."""

    def get(self, ref: str, default: Any = None) -> Any:
        return f"〔{ref}〕" if _REF.fullmatch(ref) else default


def mentions_opened(text: str, numbers: Mapping[str, str]) -> str:
    """A text whose mentioned refs are numbers, or masked where ``numbers`` does not hold them."""
    return _MENTION.sub(lambda m: numbers.get(m[1], ingestion.MASK), text)


def _evidence(
    person: Person,
    clue: Clue,
    rule: LoadedRule | None,
    named: bool,
    opened: dict[str, str],
    on: date,
    most: int,
) -> tuple[list[Fact], list[EvidenceSource], dict[str, str], dict[str, int]]:
    """The records behind the clue: facts as rows, sources as columns, identifiers masked.

    A source whose agreement does not cover the use ``on`` that day is not read; the third value says why, by feed.
    The fourth counts by feed the records that are sealed against the person.
    """
    if rule is None:
        return [], [], {}, {}
    shown = clue.evidence[:ALL_SOURCES]
    read = compile_rule(rule, ingestion.catalog()).fields_read
    wanted: dict[str, list[int]] = {}
    for item in shown:
        wanted.setdefault(item["feed"], []).append(item["record_id"])
    stopped = agreements.check({feed: read[feed] for feed in wanted}, on=on).refused
    wanted = {feed: ids for feed, ids in wanted.items() if feed not in stopped}
    shown = [item for item in shown if item["feed"] in wanted]
    department = person.department.code if person.department else ""
    records: dict[tuple[str, int], dict[str, Any]] = {}
    for purpose in ("supervision", *purposes(clue.seals, department)):
        with _reach(person, feeds=wanted, purpose=purpose):
            records |= ingestion.records(wanted)
    hidden = Counter(
        item["feed"]
        for item in shown
        if ingestion.may_be_sealed(item["feed"]) and (item["feed"], item["record_id"]) not in records
    )
    shown = _foremost(clue, rule, shown, records, most)
    # Records of one source stand together, the period they cover in order.
    feeds = list(wanted)
    shown.sort(key=lambda item: (feeds.index(item["feed"]), _period(records, item)))
    numbered = _conditions_of_columns(rule)
    facts: dict[str, Fact] = {}
    sources = []
    for index, item in enumerate(shown):
        found = records.get((item["feed"], item["record_id"]))
        if found is None:
            continue
        feed = ingestion.catalog()[item["feed"]]
        cells = {}
        for column in feed.columns:
            value = found.get(column.name)
            # Columns of one name mean one fact: they stand in one row, whatever each agency calls them.
            if value is None or not (column.name in read[item["feed"]] or column.name == "person_name"):
                continue
            facts.setdefault(column.name, Fact(column.name, column.zh, column.en))
            decisive = numbered.get((item["feed"], column.name), [])
            cells[column.name] = Cell(_shown(column, value, named, opened), decisive)
        sources.append(
            EvidenceSource(
                letter=_letter(index),
                feed_code=feed.code,
                title_zh=feed.title.zh,
                title_en=feed.title.en,
                batch=found["batch_id"],
                row_no=found["row_no"],
                landed_at=found["landed_at"],
                covers_until=found["covers_until"],
                replaced=found["to_landing"] is not None,
                cells=cells,
                masked=any(ingestion.MASK in cell.text for cell in cells.values()),
            )
        )
    driver = rule.sources[rule.driver].feed
    if driver:
        # Where several agencies name one fact differently, the main source's word stands.
        own = {c.name: c for c in ingestion.catalog()[driver].columns}
        facts = {k: Fact(k, own[k].zh, own[k].en) if k in own else f for k, f in facts.items()}
    return list(facts.values()), sources, dict(stopped), dict(hidden)


def _shown(column: Any, value: Any, named: bool, opened: dict[str, str]) -> str:
    if column.type == "person_name" and not named:
        return mask.person_name(str(value))
    if column.type == "text":
        return mentions_opened(value, opened)
    return opened.get(str(value)) or ingestion.display(column, value)


def _period(records: dict[tuple[str, int], dict[str, Any]], item: dict[str, Any]) -> tuple[date, int]:
    found = records.get((item["feed"], item["record_id"]), {})
    return found.get("covers_until") or date.min, item["record_id"]


def _letter(index: int) -> str:
    """A…Z, AA, AB…: the name of an evidence column."""
    before, own = divmod(index, 26)
    return (chr(ord("A") + before - 1) if before else "") + chr(ord("A") + own)


def _foremost(
    clue: Clue,
    rule: LoadedRule,
    evidence: list[dict[str, Any]],
    records: dict[tuple[str, int], dict[str, Any]],
    most: int,
) -> list[dict[str, Any]]:
    """The ``most`` rows to show: those whose values the conditions cite, one of every source, then the others."""
    keys = [(item["feed"], item["record_id"]) for item in evidence]
    cited = _cited(clue, rule, [key for key in keys if key in records], records)
    first = {feed: key for key in reversed(keys) for feed in [key[0]]}
    ranked = sorted(
        range(len(keys)),
        key=lambda i: (0 if keys[i] in cited else 1 if first[keys[i][0]] == keys[i] else 2, i),
    )
    return [evidence[i] for i in sorted(ranked[:most])]


def _cited(
    clue: Clue,
    rule: LoadedRule,
    keys: list[tuple[str, int]],
    records: dict[tuple[str, int], dict[str, Any]],
) -> set[tuple[str, int]]:
    """The evidence rows that bear the values standing in the clue's conditions."""
    found: set[tuple[str, int]] = set()
    values = {c["id"]: c.get("values", {}) for c in clue.conditions}
    for leaf in leaves(rule.when):
        sides = ((key, getattr(leaf, key)) for key in ("field", *FIELD_KEYS))
        for side, name in sides:
            wanted = _comparable(values.get(leaf.id, {}).get(side))
            members = dict(_members(rule, name)) if name and wanted is not None else {}
            bearing = (
                k for k in keys if k[0] in members and _comparable(records[k].get(members[k[0]])) == wanted
            )
            found.update(list(bearing)[:1])
    for leaf in leaves(rule.having) if rule.having else ():
        measure = rule.measures[leaf.field]
        if measure.kind not in ("min", "max") or not (name := measure.min or measure.max):
            continue
        members, pers = dict(_members(rule, name)), dict(_members(rule, measure.per or ""))
        figures = {
            k: value
            for k in keys
            if k[0] in members and (value := _figure(records[k], members[k[0]], pers.get(k[0]))) is not None
        }
        if figures:
            found.add((min if measure.kind == "min" else max)(figures, key=lambda k: figures[k]))
    return found


def _figure(record: dict[str, Any], column: str, per: str | None) -> Any:
    value = record.get(column)
    if value is None or per is None:
        return value
    return value / record[per] if record.get(per) else None


def _comparable(value: Any) -> Any:
    """A value of the pool and one kept as JSON, alike: numbers as floats, days and moments as local text."""
    if isinstance(value, datetime):
        value = timezone.localtime(value).isoformat() if timezone.is_aware(value) else value.isoformat()
    elif isinstance(value, date):
        value = value.isoformat()
    if isinstance(value, str):
        return value[:16].removesuffix("T00:00") if value[4:5] == "-" else value
    if isinstance(value, UUID):
        return str(value)
    return value if value is None or isinstance(value, bool) else float(value)


def _members(rule: LoadedRule, name: str) -> list[tuple[str, str]]:
    """(feed, column) behind a name as the rule writes it; several where a source is one of many."""
    alias, _dot, column = name.partition(".")
    if not column:
        return []
    source = rule.sources[alias]
    found: list[tuple[str, str]] = [(source.feed, column)] if source.feed else []
    return found + [(m.feed, m.columns[column]) for m in source.any_of or () if column in m.columns]


def _conditions_of_columns(rule: LoadedRule) -> dict[tuple[str, str], list[int]]:
    """(feed, column) → numbers of the conditions that it decides, counted as on the page from 1."""
    numbered: dict[tuple[str, str], list[int]] = {}
    conditions = [*leaves(rule.when), *(item.when for item in (rule.score.items if rule.score else ()))]
    for number, leaf in enumerate(conditions, 1):
        for name in fields_of(leaf):
            for member in _members(rule, name):
                numbered.setdefault(member, []).append(number)
    whole = leaves(rule.having) if rule.having else []
    before = len(conditions) + (rule.score is not None)
    for number, leaf in enumerate(whole, before + 1):
        measure = rule.measures[leaf.field]
        for name in filter(None, (measure.field if measure.kind != "count" else None, measure.per)):
            for member in _members(rule, name):
                numbered.setdefault(member, []).append(number)
    for number, leg in enumerate(rule.without, before + len(whole) + 1):
        for member in _members(rule, leg.since):
            numbered.setdefault(member, []).append(number)
    return numbered
