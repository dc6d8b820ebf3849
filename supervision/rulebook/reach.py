"""Which subjects a change can reach: from touches, and from the calendar. Pure; used by the plan.

A change that cannot be followed to its subjects (through a relation or a mention further down a chain of links, or
through combined sources) reaches all of them: slower, never wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from supervision.rulebook.check import MENTIONED, ONE_MENTION, Fields
from supervision.rulebook.clustering import q
from supervision.rulebook.operators import OPERATORS
from supervision.rulebook.query import Query
from supervision.rulebook.reading import links_to, own_columns
from supervision.rulebook.spec import Absence, Leaf, Link, judged_leaves, leaves

if TYPE_CHECKING:
    from supervision.rulebook.compiler import Plan

_WINDOW = "t.landing > %(since)s and t.landing <= %(landing)s"
_CHANGED = (
    "((c.from_landing > %(since)s and c.from_landing <= %(landing)s)"
    " or (c.to_landing > %(since)s and c.to_landing <= %(landing)s))"
)


def affected(plan: Plan) -> Query:
    """Subjects to recompute for the touches in (since, landing]: one select per way a touch can reach them."""
    return _Reach(plan).affected()


def due(plan: Plan) -> Query | None:
    """Rows for which a condition on the calendar turns within the days (due_from, due_to]."""
    return _Reach(plan).due()


class _Reach:
    def __init__(self, plan: Plan) -> None:
        self.plan, self.rule, self.catalog = plan, plan.rule, plan.catalog
        self.params: dict[str, Any] = {}
        self.links = links_to(self.rule)
        self.fields = Fields(self.rule, self.catalog)
        subject = self.rule.clue.subject.split(".")[1]
        self.subject = f"{q(self.rule.driver)}.{q(subject)}::text as subject_ref"

    def bind(self, value: Any, stem: str) -> str:
        for name, held in self.params.items():
            if name.startswith(f"{stem}_") and held == value:
                return f"%({name})s"
        name = f"{stem}_{len(self.params)}"
        self.params[name] = value
        return f"%({name})s"

    # -- from a row back to the driver -----------------------------------------------------------

    def chain(self, alias: str) -> str | None:
        """``pool`` tables from the driver to the alias, joined; None when there is no plain way."""
        steps: list[str] = []
        while alias != self.rule.driver:
            link, source = self.links[alias], self.rule.sources[alias]
            if source.feed is None or link.by == "relation" or link.left_role or link.right_role:
                return None
            pairs = [(link.left, link.right), *link.also.items()]
            equal = " and ".join(self.equal(a, b) for a, b in pairs)
            steps.append(f" join pool.{q(source.feed)} {q(alias)} on {equal}")
            alias = link.left.split(".")[0]
        driver = self.rule.sources[self.rule.driver].feed or ""
        return f"pool.{q(driver)} {q(self.rule.driver)}" + "".join(reversed(steps))

    def column(self, name: str) -> str:
        alias, column = name.split(".")
        return f"{q(alias)}.{q(column)}"

    def equal(self, one: str, two: str) -> str:
        """Equality, or the number written as a mention where one side is a text that holds it."""
        left, right = self.column(one), self.column(two)
        if kind := self.fields.mention(one, two):
            right = f"'〔{kind}:' || {right}::text || '〕'"
        elif kind := self.fields.mention(two, one):
            left = f"'〔{kind}:' || {left}::text || '〕'"
        return f"{left} = {right}"

    def all_subjects(self, feeds: set[str] | None) -> str:
        """Everybody, once any of the feeds (or anything, with None) was touched."""
        driver = self.rule.sources[self.rule.driver].feed or ""
        within = f" and t.feed = any({self.bind(sorted(feeds), 'feeds')})" if feeds is not None else ""
        return (
            f"select {self.subject} from pool.{q(driver)} {q(self.rule.driver)}"
            f" where exists (select 1 from ingestion_touch t where {_WINDOW}{within})"
        )

    def kind(self, name: str) -> str | None:
        """The kind of subject that a field holds, when all feeds behind it say the same."""
        alias, column = name.split(".")
        owned = own_columns(self.rule.sources[alias], column)
        kinds = {self.catalog[feed].column(own).subject if own != "county" else None for feed, own in owned}
        return kinds.pop() if len(kinds) == 1 else None

    # -- touches ----------------------------------------------------------------------------------

    def touched(self, kind: str, feeds: set[str] | None) -> str:
        within = f" and t.feed = any({self.bind(sorted(feeds), 'feeds')})" if feeds is not None else ""
        return f"select t.ref from ingestion_touch t where t.kind = {self.bind(kind, 'kind')}{within} and {_WINDOW}"

    def by_subject(self, name: str, kind: str, feeds: set[str]) -> str:
        """Rows whose field holds a touched subject."""
        if name == self.rule.clue.subject and self.fields.forms.get(name) not in ONE_MENTION:
            # Nothing to look up. Who has no row of the driver comes to no result.
            return self.touched(kind, feeds).replace("select t.ref", "select t.ref as subject_ref", 1)
        way = self.chain(name.split(".")[0])
        if way is None:
            return self.all_subjects(feeds)
        alias, column = name.split(".")
        feed = self.rule.sources[alias].feed or ""
        cast = "::uuid" if self.catalog[feed].column(column).pool_type == "uuid" else ""
        ref = f"t.ref{cast}"
        if self.fields.forms.get(name) in ONE_MENTION:
            number = {"person": "citizen_id", "organisation": "credit_code"}[kind]
            ref = f"'〔{number}:' || t.ref || '〕'"
        refs = self.touched(kind, feeds).replace("select t.ref", f"select {ref}", 1)
        return f"select {self.subject} from {way} where {self.column(name)} in ({refs})"

    def by_rows(self, pairs: list[tuple[str, str]], feed: str, places: list[str]) -> str:
        """Rows that a changed row of a feed equals in some columns; ``places`` are the feed's columns."""
        way = self.chain(self.farthest(theirs for theirs, _ in pairs))
        if way is None:
            return self.all_subjects({feed})
        equal = " and ".join(
            self.same(theirs, feed, own) for (theirs, _), own in zip(pairs, places, strict=True)
        )
        return f"select {self.subject} from {way} join pool.{q(feed)} c on {equal} where {_CHANGED}"

    def farthest(self, names: Iterable[str]) -> str:
        """The source behind the driver that the fields name; the checks admit one alone."""
        return next(
            (alias for name in names if (alias := name.split(".")[0]) != self.rule.driver), self.rule.driver
        )

    def same(self, theirs: str, feed: str, own: str) -> str:
        """A field against a column of the changed row ``c``: equal, or named in a text."""
        column = self.catalog[feed].column(own) if own != "county" else None
        held = self.fields.types[theirs]
        if column is not None and column.type == "text" and held in MENTIONED:
            return f"strpos(c.{q(own)}, ':' || {self.column(theirs)}::text || '〕') > 0"
        if column is not None and column.type in MENTIONED and held == "text":
            return f"{self.column(theirs)} = '〔{column.type}:' || c.{q(own)}::text || '〕'"
        return f"{self.column(theirs)} = c.{q(own)}"

    def displaced(self, alias: str) -> str:
        """Rows of a source that a changed row of the same key puts in or out of place."""
        source = self.rule.sources[alias]
        assert source.feed and source.latest  # noqa: S101  asked of such sources alone
        by = [(f"{alias}.{column}", "") for column in source.latest.by]
        return self.by_rows(by, source.feed, list(source.latest.by))

    def sharing(self, leaf: Leaf) -> str:
        """Rows that share the value with a changed row, or with another version of what changed."""
        alias, column = leaf.field.split(".")
        source = self.rule.sources[alias]
        way = self.chain(alias)
        if way is None or source.feed is None:
            return self.all_subjects({source.feed} if source.feed else None)
        table = f"pool.{q(source.feed)}"
        if source.latest is None:
            return f"select {self.subject} from {way} join {table} c on {self.column(leaf.field)} = c.{q(column)} where {_CHANGED}"
        versions = " and ".join(f"c.{q(by)} = d.{q(by)}" for by in source.latest.by)
        return (
            f"select {self.subject} from {way} join {table} d on {self.column(leaf.field)} = d.{q(column)}"
            f" join {table} c on {versions} where {_CHANGED}"
        )

    def affected(self) -> Query:
        rule = self.rule
        driver = rule.sources[rule.driver].feed or ""
        own = self.touched(rule.clue.kind, {driver}).replace("select t.ref", "select t.ref as subject_ref", 1)
        selects = [own]
        reached: dict[tuple[str, str], set[str]] = {}
        for link in rule.link:
            selects += self.link(link, reached)
        for leg in rule.without:
            for absence in leg.feeds:
                theirs, kinds = list(absence.match), [self.kind(n) for n in absence.match]
                followed = next((n for n, k in zip(theirs, kinds, strict=True) if k), None)
                if followed is not None and self.names_subject(absence.feed, absence.match[followed]):
                    reached.setdefault((followed, self.kind(followed) or ""), set()).add(absence.feed)
                else:
                    pairs = [(n, "") for n in theirs]
                    selects.append(self.by_rows(pairs, absence.feed, list(absence.match.values())))
        selects += [self.displaced(alias) for alias, source in rule.sources.items() if source.latest]
        selects += [self.sharing(leaf) for leaf in judged_leaves(rule) if leaf.op == "shared_by"]
        for (name, kind), feeds in sorted(reached.items()):
            selects.append(self.by_subject(name, kind, feeds))
        return Query(" union ".join(dict.fromkeys(selects)), self.params)

    def names_subject(self, feed: str, column: str) -> bool:
        return column != "county" and self.catalog[feed].column(column).subject is not None

    def link(self, link: Link, reached: dict[tuple[str, str], set[str]]) -> list[str]:
        alias, column = link.right.split(".")
        owned = own_columns(self.rule.sources[alias], column)
        feeds = {feed for feed, _ in owned}
        if link.by == "relation" or link.left_role or link.right_role:
            # Relations and resolved mentions change without a row of these feeds.
            return [self.all_subjects(None)]
        kind = self.kind(link.left)
        if kind is not None and self.kind(link.right) == kind and not link.also:
            reached.setdefault((link.left, kind), set()).update(feeds)
            return []
        pairs = [(link.left, link.right), *link.also.items()]
        selects = []
        for feed in sorted(feeds):
            places = [
                next(own for f, own in own_columns(self.rule.sources[alias], b.split(".")[1]) if f == feed)
                for _, b in pairs
            ]
            selects.append(self.by_rows(pairs, feed, places))
        return selects

    # -- the calendar --------------------------------------------------------------------------------

    def due(self) -> Query | None:
        rule = self.rule
        clocks = [(leaf.field, leaf) for leaf in judged_leaves(rule) if OPERATORS[leaf.op].clock]
        if rule.having:
            # A clock on a measure turns on the day of one of the rows that it is taken from.
            clocks += [
                (rule.measures[leaf.field].field, leaf)
                for leaf in leaves(rule.having)
                if OPERATORS[leaf.op].clock
            ]
        selects = [self.turning(field, leaf) for field, leaf in clocks]
        selects += [
            self.ending(absence)
            for leg in rule.without
            for absence in leg.feeds
            if leg.now and absence.end is not None
        ]
        if not selects:
            return None
        return Query(" union ".join(dict.fromkeys(selects)), self.params)

    def turning(self, field: str, leaf: Leaf) -> str:
        way = self.chain(field.split(".")[0])
        driver = self.rule.sources[self.rule.driver].feed or ""
        if way is None:
            return f"select {self.subject} from pool.{q(driver)} {q(self.rule.driver)}"
        name = leaf.days or leaf.months or ""
        self.params[f"p_{name}"] = self.rule.params[name].value
        after = f"%(p_{name})s::int" if leaf.days else f"make_interval(0, %(p_{name})s::int)"
        day = f"({self.column(field)}::date + {after})::date"
        return (
            f"select {self.subject} from {way} where {q(self.rule.driver)}.to_landing is null"
            f" and {day} > %(due_from)s::date and {day} <= %(due_to)s::date"
        )

    def ending(self, absence: Absence) -> str:
        """Rows for which a record that stands against them ends within the days."""
        way = self.chain(self.farthest(absence.match))
        driver = self.rule.sources[self.rule.driver].feed or ""
        if way is None:
            return f"select {self.subject} from pool.{q(driver)} {q(self.rule.driver)}"
        equal = " and ".join(self.same(theirs, absence.feed, own) for theirs, own in absence.match.items())
        day = f"(c.{q(absence.end or '')}::date + 1)"
        return (
            f"select {self.subject} from {way} join pool.{q(absence.feed)} c on {equal}"
            f" where c.to_landing is null and {day} > %(due_from)s::date and {day} <= %(due_to)s::date"
        )
