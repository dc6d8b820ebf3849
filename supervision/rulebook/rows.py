"""From a rule's sources to its judged rows, as SQL. Pure; used by the compiler.

Every linked combination of rows stands with one nullable truth per condition; the tree over them makes two
non-null booleans.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Literal

from sqlglot import exp

from supervision.rulebook.beyond import Beyond
from supervision.rulebook.check import SUPPORT, Fields
from supervision.rulebook.clustering import q as _q
from supervision.rulebook.expressions import Operands
from supervision.rulebook.operators import OPERATORS
from supervision.rulebook.reading import (
    left_of,
    linked_feeds,
    links_to,
    named_fields,
    right_of,
    sure_enough,
)
from supervision.rulebook.spec import (
    SCORE,
    Leaf,
    Link,
    Measure,
    Member,
    Node,
    Score,
    Source,
    Tree,
    judged_leaves,
    leaves,
)
from supervision.rulebook.units import units

if TYPE_CHECKING:
    from supervision.rulebook.compiler import Plan

Scope = Literal["full", "subjects"]


class Rows(Beyond):
    """From the sources to judged rows; collects the parameters that the rule binds."""

    def __init__(self, plan: Plan, scope: Scope) -> None:
        self.plan, self.rule, self.scope = plan, plan.rule, scope
        self.params: dict[str, Any] = {}
        self.fields = Fields(plan.rule, plan.catalog)
        self.subject_alias, self.subject_column = plan.rule.clue.subject.split(".")

    # -- values -------------------------------------------------------------------------------

    def bind(self, value: Any, name: str) -> exp.Expression:
        """A placeholder for one value; the same name is the same value."""
        self.params[name] = value
        placeholder: exp.Expression = exp.Placeholder(this=name)
        if isinstance(value, bool):
            return exp.cast(placeholder, "boolean")
        if isinstance(value, date) and not isinstance(value, datetime):
            return exp.cast(placeholder, "date")
        kind = {int: "bigint", float: "double precision"}.get(type(value), "text")
        return exp.cast(placeholder, kind)

    def param(self, name: str) -> exp.Expression:
        value = self.rule.params[name].value
        return self.bind(value, f"p_{name}")

    def column(self, name: str, alias: str | None = None) -> exp.Expression:
        table, column = name.split(".", 1) if "." in name else (alias, name)
        return exp.column(column, table=table, quoted=True)

    def _text(self, value: str) -> str:
        name = f"t_{len([k for k in self.params if k.startswith('t_')])}"
        known = next((k for k, v in self.params.items() if k.startswith("t_") and v == value), name)
        self.params[known] = value
        return f"%({known})s::text"

    def _sql(self, expression: exp.Expression) -> str:
        return expression.sql(dialect="postgres")

    def _visible(self, alias: str) -> str:
        return f"{alias}.from_landing <= %(landing)s and ({alias}.to_landing is null or {alias}.to_landing > %(landing)s)"

    def _within(self, column: str, kind: str) -> str:
        if self.scope == "full":
            return ""
        cast = "::uuid" if kind == "uuid" else ""
        return f" and {column} in (select subject_ref{cast} from run_subjects)"

    def _plain(self, alias: str, source: Source, *, whole: bool = False) -> str:
        """A feed's visible rows, narrowed to the subjects where they are its own, and to what ``where`` allows.

        With ``whole`` not narrowed to the subjects of a run.
        """
        feed = self.plan.catalog[source.feed or ""]
        columns = sorted(self._columns_of(alias) - {"county"})
        listed = "".join(f", s.{_q(c)}" for c in columns)
        table, conditions = f"pool.{_q(feed.code)} s", [self._visible("s")]
        if source.latest:
            table, conditions = self._newest(feed.code, source.latest)
        if source.where:
            conditions.append(f"({self._sql(self._truth(source.where, 's')[0])})")
        mentioned, joins = self._mentions(alias, feed.code)
        natural = "s.natural_hash, " if alias == self.rule.driver and self.rule.cluster else ""
        sql = (
            f"select s.record_id, s.county, {natural.removesuffix(', ')}{', ' if natural else ''}"
            f"{(listed + mentioned).removeprefix(', ')}"
            f" from {table}{joins} where {' and '.join(conditions)}"
        )
        if alias == self.subject_alias and not whole:
            sql += self._within(f"s.{_q(self.subject_column)}", feed.column(self.subject_column).pool_type)
        return sql

    def _mentions(self, alias: str, feed: str) -> tuple[str, str]:
        """Of links by a mention: the subject and how surely it is known, and what they are read from."""
        listed, joins, seen = "", "", set()
        for link in self.rule.link:
            for name, role, joined in (
                (link.left, link.left_role, left_of(link)),
                (link.right, link.right_role, right_of(link)),
            ):
                if role is None or name.split(".")[0] != alias or joined in seen:
                    continue
                seen.add(joined)
                column, as_name = name.split(".")[1], joined.split(".")[1]
                m = f"m{len(seen)}"
                self.params[f"tiers_{link.tier}"] = list(sure_enough(link.tier))
                # A full number is its own subject; mentions hold those without one alone.
                held = self.plan.catalog[feed].column(column)
                own = f"s.{_q(column)}" if held.subject and held.pool_type == "uuid" else "null::uuid"
                listed += f", coalesce({own}, {m}.subject) as {_q(as_name)}"
                listed += (
                    f", case when {own} is not null then 'A' else {m}.tier end as {_q(f'{as_name}.tier')}"
                )
                joins += (
                    f" left join supervision_mention {m} on {m}.feed = {self._text(feed)}"
                    f" and {m}.natural_hash = s.natural_hash and {m}.role = {self._text(role)}"
                    f" and {m}.tier = any(%(tiers_{link.tier})s) and {self._visible(m)}"
                )
        return listed, joins

    def _columns_of(self, alias: str) -> set[str]:
        return {name.split(".")[1] for name in named_fields(self.rule) if name.split(".")[0] == alias}

    def _combined(self, alias: str, source: Source) -> str:
        """Members united, then one row per link key: combined columns and number of feeds."""
        key, members = self._members(alias, source)
        combined = ", ".join(f"{how}(u.{_q(name)}) as {_q(name)}" for name, how in source.combine.items())
        # Not counted as different values: those every group would sort.
        feeds = dict.fromkeys(member.feed for member in source.any_of or ())
        support = " + ".join(f"max((u.member = {number})::int)" for number in range(len(feeds)))
        return (
            f"select u.{_q(key)}, {combined + ', ' if combined else ''}({support})::bigint as {_q(SUPPORT)}"
            f" from ({members}) u group by u.{_q(key)}"
        )

    def _members(self, alias: str, source: Source) -> tuple[str, str]:
        """(link key, the members' rows united); ``member`` numbers their feeds."""
        link = links_to(self.rule)[alias]
        key, left = link.right.split(".")[1], link.left if link.by in ("identity", "key") else ""
        feeds = list(dict.fromkeys(member.feed for member in source.any_of or ()))
        members = [
            self._member(index, alias, member, key, left, feeds.index(member.feed))
            for index, member in enumerate(source.any_of or ())
        ]
        return key, " union all ".join(members)

    def _member(self, index: int, alias: str, member: Member, key: str, left: str, number: int) -> str:
        source = self.rule.sources[alias]
        listed = ", ".join(
            f"s.{_q(own)}{'::date' if self._mixed(source, common) else ''} as {_q(common)}"
            for common, own in member.columns.items()
        )
        own_key = member.columns[key]
        conditions = [self._visible("s"), f"s.{_q(own_key)} is not null"]
        if member.where:
            conditions.append(f"({self._sql(self._truth(member.where, 's', f'{alias}_{index}')[0])})")
        sql = (
            f"select s.record_id, {number} as member, {listed} from pool.{_q(member.feed)} s"
            f" where {' and '.join(conditions)}"
        )
        if left == self.rule.clue.subject:
            sql += self._within(f"s.{_q(own_key)}", self.plan.catalog[member.feed].column(own_key).pool_type)
        return sql

    def _mixed(self, source: Source, common: str) -> bool:
        """Whether some feeds give the day and others the moment: then the day in Shanghai counts."""
        kinds = {
            self.plan.catalog[m.feed].column(m.columns[common]).type
            for m in source.any_of or ()
            if common in m.columns
        }
        return kinds == {"date", "datetime"}

    def _relations(self) -> list[tuple[str, str]]:
        """Per link by relation the pairs of related subjects, in either direction, over the steps allowed."""
        steps = []
        for index, link in enumerate(self.rule.link):
            if link.by != "relation":
                continue
            self.params[f"kinds_{index}"] = list(link.kinds)
            seen = f"e.kind = any(%(kinds_{index})s) and {self._visible('e')}"
            steps.append(
                (
                    f"edges_{index}",
                    "select e.a_kind as one_kind, e.a_ref::text as one, e.b_kind as two_kind, e.b_ref::text as two"
                    f" from supervision_relation e where {seen} union"
                    " select e.b_kind, e.b_ref::text, e.a_kind, e.a_ref::text"
                    f" from supervision_relation e where {seen}",
                )
            )
            pairs = f"select * from edges_{index}"
            if link.hops == 2:
                pairs += (
                    f" union select a.one_kind, a.one, b.two_kind, b.two from edges_{index} a"
                    f" join edges_{index} b on b.one_kind = a.two_kind and b.one = a.two"
                    " where (a.one_kind, a.one) <> (b.two_kind, b.two)"
                )
            steps.append((f"related_{index}", pairs))
        return steps

    def _join(self, index: int, link: Link) -> str:
        alias = _q(link.right.split(".")[0])
        how = " left join " if link.optional else " join "
        left, right = self._sql(self.column(left_of(link))), self._sql(self.column(right_of(link)))
        also = "".join(
            f" and {self._sql(self.column(a))} = {self._sql(self.column(b))}" for a, b in link.also.items()
        )
        if not (link.left_role or link.right_role or link.by == "relation"):
            # A text that holds one number equals that number written as a mention.
            if kind := self.fields.mention(link.left, link.right):
                right = f"'〔{kind}:' || {right}::text || '〕'"
            elif kind := self.fields.mention(link.right, link.left):
                left = f"'〔{kind}:' || {left}::text || '〕'"
        if link.by != "relation":
            return f"{how}{alias} on {left} = {right}{also}"
        related, kinds = _q(f"related_{index}"), self.fields.subjects
        return (
            f"{how}({related} join {alias} on {right}::text = {related}.two"
            f" and {related}.two_kind = {self._text(kinds[link.right] or '')})"
            f" on {related}.one = {left}::text and {related}.one_kind = {self._text(kinds[link.left] or '')}{also}"
        )

    def _judged(self) -> str:
        """Every linked combination with one nullable truth per condition."""
        driver = self.rule.driver
        joins = "".join(self._join(index, link) for index, link in enumerate(self.rule.link))
        joins += self._shared_joins()
        carried = []
        for name in sorted(named_fields(self.rule) | {f"{driver}.county"}):
            carried.append(f"{self._sql(self.column(name))} as {_q(name)}")
        for name in self._tiers():
            carried.append(f"{self._sql(self.column(name))} as {_q(name)}")
        for alias, source in self.rule.sources.items():
            # Of combined rows their key: it leads to their records.
            own = links_to(self.rule)[alias].right.split(".")[1] if source.any_of else "record_id"
            inner = f"{_q(alias)}.{_q(own)}"
            carried.append(f"{inner} as {_q(f'{alias}.evidence')}")
        if self.rule.cluster:
            carried.append(f"{_q(driver)}.natural_hash")
        truths = []
        for leaf in judged_leaves(self.rule):
            truths.append(f"({self._sql(self._condition(leaf))}) as {_q(f'is_{leaf.id}')}")
            if leaf.op == "shared_by":
                truths.append(f"{self._sql(self._counted(leaf))} as {_q(f'n_{leaf.id}')}")
        for leg in self.rule.without:
            truths.append(f"{self._absent(leg)} as {_q(f'is_{leg.id}')}")
        return f"select {', '.join(carried + truths)} from {_q(driver)}{joins}"

    def _tiers(self) -> list[str]:
        """How surely each link by a mention knows its subject, as columns."""
        found = []
        for link in self.rule.link:
            found += [f"{left_of(link)}.tier"] if link.left_role else []
            found += [f"{right_of(link)}.tier"] if link.right_role else []
        return list(dict.fromkeys(found))

    def _condition(self, leaf: Leaf, alias: str | None = None, place: str = "") -> exp.Expression:
        operator = OPERATORS[leaf.op]
        operand = self.column(leaf.field, alias)
        if leaf.op == "no_row":
            # Of a link by mentions the subject that they resolve to: the row's own number may be missing.
            operand = self.column(right_of(links_to(self.rule)[leaf.field.split(".")[0]]))
        if leaf.missing_as is not None:
            operand = exp.Coalesce(
                this=operand, expressions=[self.bind(leaf.missing_as, f"v_{place}{leaf.id}_missing")]
            )
        against: exp.Expression | None = None
        listed: list[exp.Expression] = []
        if leaf.other is not None:
            against = self.column(leaf.other, alias)
        elif leaf.param is not None:
            value = self.rule.params[leaf.param].value
            if isinstance(value, list):
                listed = [self.bind(v, f"p_{leaf.param}_{i}") for i, v in enumerate(value)]
            else:
                against = self.param(leaf.param)
        elif isinstance(leaf.value, list):
            listed = [self.bind(v, f"v_{place}{leaf.id}_{i}") for i, v in enumerate(leaf.value)]
        elif leaf.value is not None:
            against = self.bind(leaf.value, f"v_{place}{leaf.id}")
        if leaf.times is not None or leaf.unit is not None:
            operand, against = self._scaled(leaf, operand, against, place)
        return operator.sql(
            Operands(
                field=operand,
                against=against,
                listed=listed,
                months=exp.cast(self.param(leaf.months), "int") if leaf.months else None,
                days=exp.cast(self.param(leaf.days), "int") if leaf.days else None,
                percent=self.param(leaf.percent) if leaf.percent else None,
                as_of=exp.cast(exp.Placeholder(this="as_of"), "date"),
                more={
                    key: self.column(name, alias)
                    for key in ("end", "other_end", "lat", "other_lat")
                    if (name := getattr(leaf, key)) is not None
                },
                bounds={
                    key: exp.cast(self.param(name), "int") if key == "years" else self.param(name)
                    for key in ("low", "high", "years", "metres")
                    if (name := getattr(leaf, key)) is not None
                },
                covered=self._covered(leaf) if leaf.op == "no_row" else None,
                counted=self._counted(leaf) if leaf.op == "shared_by" else None,
            )
        )

    def _scaled(
        self, leaf: Leaf, operand: exp.Expression, against: exp.Expression | None, place: str
    ) -> tuple[exp.Expression, exp.Expression | None]:
        """Both sides in the base unit of their dimension; ``times`` is what one of ``other`` lets expect."""
        if leaf.unit is not None:
            base = self.bind(units()[leaf.unit].base, f"v_{place}{leaf.id}_unit")
            operand = exp.Mul(this=operand, expression=base)
        if against is not None and leaf.times is not None:
            against = exp.Mul(this=against, expression=self.param(leaf.times))
        if against is not None and leaf.other_unit is not None:
            base = self.bind(units()[leaf.other_unit].base, f"v_{place}{leaf.id}_other_unit")
            against = exp.Mul(this=against, expression=base)
        return operand, against

    def _covered(self, leaf: Leaf) -> exp.Expression:
        """Every feed of the leaf's source is covered as far as ``days`` after ``other``."""
        until = exp.Add(
            this=exp.cast(self.column(leaf.other or ""), "date"),
            expression=exp.cast(self.param(leaf.days or ""), "int"),
        )
        return exp.paren(
            exp.and_(
                *[
                    coalesced(
                        exp.GTE(
                            this=exp.cast(exp.Placeholder(this=f"covers_{feed}"), "date"),
                            expression=until.copy(),
                        )
                    )
                    for feed in linked_feeds(self.rule, leaf)
                ]
            )
        )

    def _truth(self, node: Node, alias: str, place: str = "") -> tuple[exp.Expression, exp.Expression]:
        """(is_true, is_false), both never null, over a source's own rows."""
        if isinstance(node, Leaf):
            condition = exp.paren(self._condition(node, alias, f"{place or alias}_"))
            return coalesced(condition), coalesced(exp.Not(this=condition.copy()))
        return combine(node, lambda child: self._truth(child, alias, place))

    def _tree_columns(self) -> str:
        true: Any
        false: Any

        def leaf_truth(node: Node) -> tuple[exp.Expression, exp.Expression]:
            if isinstance(node, Leaf):
                column = exp.column(f"is_{node.id}", table="j", quoted=True)
                return coalesced(column), coalesced(exp.Not(this=column.copy()))
            return combine(node, leaf_truth)

        true, false = leaf_truth(self.rule.when)
        for leg in self.rule.without:
            column = exp.column(f"is_{leg.id}", table="j", quoted=True)
            true = exp.and_(true, coalesced(column))
            false = exp.or_(false, coalesced(exp.Not(this=column.copy())))
        scored = ""
        if self.rule.score:
            reaches, fails, points = self._scores(self.rule.score)
            true, false = exp.and_(true, reaches), exp.or_(false, fails)
            scored = f", ({self._sql(points)}) as {_q(SCORE)}"
            truth = exp.Case(
                ifs=[exp.If(this=reaches, true=exp.true()), exp.If(this=fails, true=exp.false())]
            )
            scored += f", ({self._sql(truth)}) as {_q(f'is_{self.rule.score.id}')}"
        return f"({self._sql(true)}) as is_true, ({self._sql(false)}) as is_false{scored}"

    def _scores(self, score: Score) -> tuple[exp.Expression, exp.Expression, exp.Expression]:
        """(reaches, cannot reach, points of what is true), none of them null."""
        least: exp.Expression = exp.Literal.number(0)
        most: exp.Expression = exp.Literal.number(0)
        for item in score.items:
            column = exp.column(f"is_{item.when.id}", table="j", quoted=True)
            points, nothing = self.param(item.points), exp.Literal.number(0)
            sure = exp.Case(ifs=[exp.If(this=coalesced(column), true=points)], default=nothing)
            possible = exp.Case(
                ifs=[exp.If(this=coalesced(exp.Not(this=column.copy())), true=nothing.copy())],
                default=points.copy(),
            )
            least, most = exp.Add(this=least, expression=sure), exp.Add(this=most, expression=possible)
        mark = self.param(score.at_least)
        return (
            exp.paren(exp.GTE(this=least, expression=mark)),
            exp.paren(exp.LT(this=most, expression=mark.copy())),
            exp.paren(least.copy()),
        )

    def _kept(self) -> str:
        """Rows that count: true or undecided. Where most rows within a time are asked, each says how many follow it."""
        asked = {leaf.field for leaf in leaves(self.rule.having)} if self.rule.having else set()
        windows = "".join(
            f", {self._following(measure, sure)} as {_q(self._window(name, sure))}"
            for name, measure in self.rule.measures.items()
            if measure.kind == "most_within"
            for sure in (True, False)
            if sure or name in asked
        )
        return f"select v.*{windows} from verdicts v where not v.is_false"

    @staticmethod
    def _window(measure: str, sure: bool) -> str:
        return f"{'w' if sure else 'v'}_{measure}"

    def _following(self, measure: Measure, sure: bool) -> str:
        """How many rows, true ones alone or all, lie within so many days from a row's.

        The greatest number of a group begins at a row that is counted itself: what begins at another holds no more.
        """
        column, days = f"v.{_q(measure.field)}", f"({self._sql(self.param(measure.days or ''))})::int"
        # Within no day at all there is nobody; a frame of less than none is an error to both engines.
        counted = f"{column} is not null and {days} > 0" + (" and v.is_true" if sure else "")
        # Numbered days: engines step over numbers faster than over intervals of a calendar.
        return (
            f"count(*) filter (where {counted}) over (partition by v.{_q(self.rule.clue.subject)}"
            f" order by {column}::date - date '2000-01-01' range between current row and greatest({days} - 1, 0) following)"
        )


def combine(tree: Tree, of: Any) -> tuple[exp.Expression, exp.Expression]:
    """Kleene's tables over (is_true, is_false) pairs."""
    if tree.negated is not None:
        true, false = of(tree.negated)
        return false, true
    pairs = [of(child) for child in (tree.all or tree.any or ())]
    conjunction = exp.and_(*[t for t, _ in pairs]) if tree.all else exp.or_(*[t for t, _ in pairs])
    disjunction = exp.or_(*[f for _, f in pairs]) if tree.all else exp.and_(*[f for _, f in pairs])
    return exp.paren(conjunction), exp.paren(disjunction)


def coalesced(condition: exp.Expression) -> exp.Expression:
    """Whether it is true, never null.

    As a test of truth, not by ``coalesce``: for all that Postgres knows that might leak what row-level security hides,
    and it would look at a condition so written only after the dear ones of the policy.
    """
    if isinstance(condition, exp.Not):
        return exp.paren(exp.Is(this=exp.paren(condition.this), expression=exp.false()))
    return exp.paren(exp.Is(this=exp.paren(condition), expression=exp.true()))
