"""What a rule reads: every field that it names, by source and by feed. Pure."""

from __future__ import annotations

from supervision.rulebook.spec import (
    SCORE,
    Leaf,
    Link,
    RuleSpec,
    Source,
    Tier,
    fields_of,
    judged_leaves,
    leaves,
)


def left_of(link: Link) -> str:
    """The column that a link is joined by on the left: the field, or the subject that a mention resolves to."""
    return f"{link.left}@{link.left_role}{link.tier}" if link.left_role else link.left


def right_of(link: Link) -> str:
    """The same on the right."""
    return f"{link.right}@{link.right_role}{link.tier}" if link.right_role else link.right


def sure_enough(tier: Tier) -> tuple[str, ...]:
    """Tiers of resolved mentions that a link accepts: as sure as its own or surer, and a person's word (J)."""
    return ("J", *"BCD"[: "ABCD".index(tier)])


def links_to(rule: RuleSpec) -> dict[str, Link]:
    """Alias → the link by which it is reached."""
    return {link.right.split(".")[0]: link for link in rule.link}


def follows_subjects(rule: RuleSpec) -> bool:
    """Whether the rule reads what is derived of records: relations, or whom a mention without a number stands for."""
    return any(link.by == "relation" or link.left_role or link.right_role for link in rule.link)


def named_fields(rule: RuleSpec) -> set[str]:
    """Every ``alias.column`` that the rule names."""
    names = {rule.clue.subject, rule.clue.label}
    for link in rule.link:
        names |= {link.left, link.right, *link.also, *link.also.values()}
    for leaf in judged_leaves(rule):
        names |= set(fields_of(leaf))
    names |= {m.field for m in rule.measures.values() if m.kind not in ("count", "share")}
    names |= {m.per for m in rule.measures.values() if m.per}
    if rule.cluster:
        names |= {rule.cluster.time, *rule.cluster.same, *rule.cluster.named_by}
        if rule.cluster.place:
            names |= {rule.cluster.place.lon, rule.cluster.place.lat}
    for leg in rule.without:
        names |= {leg.since} | ({leg.until} if leg.until else set())
        for absence in leg.feeds:
            names |= set(absence.asked)
    return names - {SCORE}


def own_columns(source: Source, column: str) -> list[tuple[str, str]]:
    """(feed, its column) behind a source's column."""
    if source.feed is not None:
        return [(source.feed, column)]
    return [(m.feed, m.columns[column]) for m in source.any_of or () if column in m.columns]


def linked_feeds(rule: RuleSpec, leaf: Leaf) -> list[str]:
    """The feeds of the source that a leaf looks at."""
    source = rule.sources[leaf.field.split(".")[0]]
    return [source.feed] if source.feed else [m.feed for m in source.any_of or ()]


def fields_read(rule: RuleSpec) -> dict[str, frozenset[str]]:
    """Feed → its columns; what an agreement must cover."""
    read: dict[str, set[str]] = {}
    for name in named_fields(rule):
        alias, column = name.split(".")
        for feed, own in own_columns(rule.sources[alias], column):
            read.setdefault(feed, set()).add(own)
    for source in rule.sources.values():
        for member in source.any_of or ():
            read.setdefault(member.feed, set()).update(member.columns.values())
            for leaf in leaves(member.where) if member.where else ():
                read[member.feed].update(fields_of(leaf))
        if source.feed and source.where:
            for leaf in leaves(source.where):
                read.setdefault(source.feed, set()).update(fields_of(leaf))
        if source.feed and source.latest:
            read.setdefault(source.feed, set()).update((*source.latest.by, *source.latest.order))
    for leg in rule.without:
        for absence in leg.feeds:
            looked = read.setdefault(absence.feed, set())
            looked.update((*absence.match.values(), *absence.alike.values(), *absence.named_in.values()))
            looked.update(name for name in (absence.date, absence.end) if name)
            for leaf in leaves(absence.where) if absence.where else ():
                looked.update(fields_of(leaf))
    return {feed: frozenset(columns - {"county"}) for feed, columns in read.items()}
