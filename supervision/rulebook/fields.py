"""Which fields a rule can name, and of what kind they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from supervision.rulebook.catalog import CatalogView, Kind, kind_of
from supervision.rulebook.spec import ROW, Rule, Without, Words


@dataclass(frozen=True)
class FieldInfo:
    """``reads``: the (feed, column) pairs behind the field. ``required``: never empty in the pool."""

    kind: Kind
    words: Words
    type: str
    subject: str | None
    required: bool
    reads: tuple[tuple[str, str], ...]


Fields = Mapping[str, Mapping[str, FieldInfo]]


def feed_fields(feed: str, catalog: CatalogView) -> dict[str, FieldInfo]:
    return {
        column.name: FieldInfo(
            kind_of(column),
            Words(zh=column.zh, en=column.en),
            column.type,
            column.subject,
            column.required,
            ((feed, column.name),),
        )
        for column in catalog[feed].columns
    }


def rule_fields(rule: Rule, catalog: CatalogView) -> dict[str, dict[str, FieldInfo]]:
    """Alias → column → what it is. Feeds and columns that do not exist are left out (the check reports them)."""
    return {alias: _source_fields(rule, alias, catalog) for alias in rule.sources}


def _source_fields(rule: Rule, alias: str, catalog: CatalogView) -> dict[str, FieldInfo]:
    source = rule.sources[alias]
    if source.feed:
        found = feed_fields(source.feed, catalog) if source.feed in catalog else {}
        for name, derived in source.derive.items():
            parts = [found[c] for c in derived.minus if c in found]
            if len(parts) == 2:
                reads = parts[0].reads + parts[1].reads
                found[name] = FieldInfo(parts[0].kind, derived.title, parts[0].type, None, parts[0].required, reads)
        return found
    common: dict[str, FieldInfo] = {}
    for member in source.any_of:
        own = feed_fields(member.feed, catalog) if member.feed in catalog else {}
        for name, column in member.columns.items():
            if column not in own:
                continue
            one, known = own[column], common.get(name)
            # A date and a point in time unify as the date, which is what both are read as.
            kind = one.kind if known is None or known.kind == one.kind else Kind.DATE
            common[name] = FieldInfo(
                Kind.DATE if kind == Kind.MOMENT else kind,
                known.words if known else one.words,
                one.type,
                one.subject,
                one.required and (known is None or known.required),
                (known.reads if known else ()) + one.reads,
            )
    return common


def leg_fields(fields: Fields, leg: Without, catalog: CatalogView) -> Fields:
    """The fields inside an anti-join leg: the rule's, and the leg's own row as ``it``."""
    return {**fields, ROW: feed_fields(leg.feed, catalog) if leg.feed in catalog else {}}


def find(fields: Fields, path: str) -> FieldInfo | None:
    alias, _, column = path.partition(".")
    return fields.get(alias, {}).get(column)


def driver_of(rule: Rule) -> str:
    """The alias that carries the subject; its rows are what is counted and summed."""
    return rule.clue.subject.partition(".")[0]
