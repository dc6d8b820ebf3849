"""Which subjects a change can reach: from touches, and from the calendar. Pure; used by the plan.

A change that cannot be followed to its subjects (through a relation or a mention further down a chain of links, or
through combined sources) reaches all of them: slower, never wrong.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from supervision.rulebook.clustering import q
from supervision.rulebook.operators import OPERATORS
from supervision.rulebook.query import Query
from supervision.rulebook.reading import links_to, own_columns
from supervision.rulebook.spec import Link, RuleSpec, judged_leaves, leaves

if TYPE_CHECKING:
    from supervision.rulebook.compiler import Plan

_WINDOW = "t.landing > %(since)s and t.landing <= %(landing)s"


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
            equal = " and ".join(f"{self.column(a)} = {self.column(b)}" for a, b in pairs)
            steps.append(f" join pool.{q(source.feed)} {q(alias)} on {equal}")
            alias = link.left.split(".")[0]
        driver = self.rule.sources[self.rule.driver].feed or ""
        return f"pool.{q(driver)} {q(self.rule.driver)}" + "".join(reversed(steps))

    def column(self, name: str) -> str:
        alias, column = name.split(".")
        return f"{q(alias)}.{q(column)}"

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
        way = self.chain(name.split(".")[0])
        if way is None:
            return self.all_subjects(feeds)
        alias, column = name.split(".")
        feed = self.rule.sources[alias].feed or ""
        cast = "::uuid" if self.catalog[feed].column(column).pool_type == "uuid" else ""
        refs = self.touched(kind, feeds).replace("select t.ref", f"select t.ref{cast}", 1)
        return f"select {self.subject} from {way} where {self.column(name)} in ({refs})"

    def by_rows(self, pairs: list[tuple[str, str]], feed: str, places: list[str]) -> str:
        """Rows that a changed row of a feed equals in some columns; ``places`` are the feed's columns."""
        way = self.chain(pairs[0][0].split(".")[0])
        if way is None:
            return self.all_subjects({feed})
        equal = " and ".join(
            f"{self.column(theirs)} = c.{q(own)}" for (theirs, _), own in zip(pairs, places, strict=True)
        )
        changed = (
            "((c.from_landing > %(since)s and c.from_landing <= %(landing)s)"
            " or (c.to_landing > %(since)s and c.to_landing <= %(landing)s))"
        )
        return f"select {self.subject} from {way} join pool.{q(feed)} c on {equal} where {changed}"

    def affected(self) -> Query:
        rule = self.rule
        driver = rule.sources[rule.driver].feed or ""
        own = self.touched(rule.clue.kind, {driver})
        selects = [own.replace("select t.ref", "select t.ref as subject_ref", 1)]
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
        clocks = [(leaf.field, leaf.days or "") for leaf in judged_leaves(rule) if OPERATORS[leaf.op].clock]
        if rule.having:
            # A clock on a measure turns on the day of one of the rows that it is taken from.
            clocks += [
                (rule.measures[leaf.field].field, leaf.days or "")
                for leaf in leaves(rule.having)
                if OPERATORS[leaf.op].clock
            ]
        if not clocks:
            return None
        selects = [self.turning(rule, field, days) for field, days in clocks]
        return Query(" union ".join(dict.fromkeys(selects)), self.params)

    def turning(self, rule: RuleSpec, field: str, days: str) -> str:
        way = self.chain(field.split(".")[0])
        if way is None:
            driver = rule.sources[rule.driver].feed or ""
            return f"select {self.subject} from pool.{q(driver)} {q(rule.driver)}"
        self.params[f"p_{days}"] = rule.params[days].value
        day = f"{self.column(field)}::date + %(p_{days})s::int"
        return (
            f"select {self.subject} from {way} where {q(rule.driver)}.to_landing is null"
            f" and {day} > %(due_from)s::date and {day} <= %(due_to)s::date"
        )
