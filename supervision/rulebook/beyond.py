"""What looks beyond a row: newer versions, others that share its value, feeds in which nothing may stand. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from ingestion.catalog.mentions import COUNTY
from supervision.rulebook.clustering import q as _q
from supervision.rulebook.expressions import alike
from supervision.rulebook.spec import Absence, Latest, Leaf, Node, RuleSpec, Source, Without, judged_leaves

if TYPE_CHECKING:
    from supervision.rulebook.check import Fields
    from supervision.rulebook.compiler import Plan


class Beyond:
    """The part of ``Rows`` that reads more than the linked rows."""

    plan: Plan
    rule: RuleSpec
    fields: Fields

    if TYPE_CHECKING:

        def param(self, name: str) -> exp.Expression: ...
        def column(self, name: str, alias: str | None = None) -> exp.Expression: ...
        def _sql(self, expression: exp.Expression) -> str: ...
        def _visible(self, alias: str) -> str: ...
        def _plain(self, alias: str, source: Source, *, whole: bool = False) -> str: ...
        def _truth(
            self, node: Node, alias: str, place: str = ""
        ) -> tuple[exp.Expression, exp.Expression]: ...

    # -- versions and sharers ---------------------------------------------------------------------

    def _newest(self, feed: str, latest: Latest) -> tuple[str, list[str]]:
        """(table, conditions): per key the row that comes last; a row without a key is a version of nothing."""
        by = ", ".join(f"v.{_q(c)}" for c in latest.by)
        order = ", ".join(f"v.{_q(c)} desc nulls last" for c in latest.order)
        ranked = (
            f"select v.*, row_number() over (partition by {by} order by {order}, v.record_id desc) as latest_rank"
            f" from pool.{_q(feed)} v where {self._visible('v')}"
        )
        keyless = " or ".join(f"s.{_q(c)} is null" for c in latest.by)
        return f"({ranked}) s", [f"(s.latest_rank = 1 or {keyless})"]

    def shared_steps(self) -> list[tuple[str, str]]:
        """Per condition on shared values: how many different values stand beside each, over the whole source."""
        steps = []
        for leaf in judged_leaves(self.rule):
            if leaf.op != "shared_by":
                continue
            alias, column = leaf.field.split(".")
            rows = self._plain(alias, self.rule.sources[alias], whole=True)
            value, counted = f"b.{_q(column)}", f"count(distinct b.{_q((leaf.other or '').split('.')[1])})"
            if leaf.at is None:
                sql = f"select {value} as value, {counted} as n from ({rows}) b where {value} is not null group by {value}"
            else:
                day, days = _q(leaf.at.split(".")[1]), f"({self._sql(self.param(leaf.days or ''))})::int"
                sql = (
                    f"select a.value, a.day, {counted} as n from (select distinct r.{_q(column)} as value,"
                    f" r.{day}::date as day from ({rows}) r) a join ({rows}) b on {value} = a.value"
                    f" and b.{day}::date >= a.day - {days} and b.{day}::date <= a.day + {days} group by a.value, a.day"
                )
            steps.append((f"shared_{leaf.id}", sql))
        return steps

    def _shared_joins(self) -> str:
        joins = ""
        for leaf in judged_leaves(self.rule):
            if leaf.op == "shared_by":
                name = _q(f"shared_{leaf.id}")
                joins += f" left join {name} on {name}.value = {self._sql(self.column(leaf.field))}"
                if leaf.at is not None:
                    joins += f" and {name}.day = {self._sql(self.column(leaf.at))}::date"
        return joins

    @staticmethod
    def _counted(leaf: Leaf) -> exp.Expression:
        return exp.column("n", table=f"shared_{leaf.id}", quoted=True)

    # -- what must be absent ------------------------------------------------------------------------

    def _absent(self, leg: Without) -> str:
        """True: too few matches and the window is covered by every feed; false: enough; null: not yet delivered."""
        since = self._day(leg.since)
        if leg.until is not None:
            # An interval that has no end yet is covered by nothing: undecided, unless a record speaks against it.
            until = self._day(leg.until)
        else:
            until = f"{since} + ({self._sql(self.param(leg.days or ''))})::int"
        begins = f"{since} - ({self._sql(self.param(leg.back))})::int" if leg.back else since
        matching = [
            self._matching(leg, absence, begins, until, f"{leg.id}_{n}_")
            for n, absence in enumerate(leg.feeds)
        ]
        if leg.fewer_than is None:
            enough = " or ".join(f"exists (select 1{found})" for found in matching)
        else:
            counted = " + ".join(f"(select count(*){found})" for found in matching)
            enough = f"{counted} >= {self._sql(self.param(leg.fewer_than))}"
        covered = " and ".join(
            f"coalesce(%(covers_{absence.feed})s::date >= {until}, false)" for absence in leg.feeds
        )
        # Without a value to look by, or a day to look from, nothing can be found, and that proves nothing.
        asked = [self._sql(self.column(n)) for n in sorted({n for a in leg.feeds for n in a.asked})]
        asked += [] if leg.now else [since]
        known = " and ".join(f"{value} is not null" for value in asked)
        return f"(case when {enough} then false when {covered} and {known} then true end)"

    def _day(self, name: str) -> str:
        """A date field, or the day of a moment."""
        cast = "::date" if self.fields.types[name] == "datetime" else ""
        return f"{self._sql(self.column(name))}{cast}"

    def _matching(self, leg: Without, absence: Absence, since: str, until: str, place: str) -> str:
        """The records of one feed that speak against it, as ``from … where …``."""
        conditions = [self._visible("w")]
        conditions += [self._same(absence.feed, theirs, own) for theirs, own in absence.match.items()]
        if absence.where:
            conditions.append(f"({self._sql(self._truth(absence.where, 'w', place)[0])})")
        for theirs, own in absence.alike.items():
            written = alike(
                self.column(theirs),
                exp.column(own, table="w", quoted=True),
                self.param(absence.percent or ""),
            )
            conditions.append(self._sql(written))
        for theirs, own in absence.named_in.items():
            conditions.append(f"strpos(w.{_q(own)}, {self._sql(self.column(theirs))}) > 0")
        ever = "date '9999-12-31'"
        ends = f"coalesce({self._their_day(absence, absence.end)}, {ever})" if absence.end else ""
        if leg.now:
            conditions += [f"{ends} >= %(as_of)s::date"] if ends else []
            conditions += [f"{self._their_day(absence, absence.date or '')} >= {since}"] if leg.back else []
        else:
            day = self._their_day(absence, absence.date or "")
            # Without an end everything from the start on speaks against it.
            conditions += [f"{ends or day} >= {since}", f"{day} <= coalesce({until}, {ever})"]
        return f" from pool.{_q(absence.feed)} w where {' and '.join(conditions)}"

    def _their_day(self, absence: Absence, column: str) -> str:
        moment = self.plan.catalog[absence.feed].column(column).type == "datetime"
        return f"w.{_q(column)}{'::date' if moment else ''}"

    def _same(self, feed: str, theirs: str, own: str) -> str:
        """Equality, or the mention of a subject inside a text (several persons in one cell)."""
        value = self._sql(self.column(theirs))
        if own == COUNTY:
            return f"w.{_q(own)} = {value}"
        column = self.plan.catalog[feed].column(own)
        if column.type == "text" and self.fields.types[theirs] != "text":
            return f"strpos(w.{_q(own)}, ':' || {value}::text || '〕') > 0"
        return f"w.{_q(own)} = {value}"
