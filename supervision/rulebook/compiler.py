"""From rule document to SQL. Pure: no connection, no clock; every value is a bound parameter.

The plan names its steps as common table expressions so that the planner may inline them: the sources
(visible at the landing), the combined sources (one row per link key), the judged rows, the groups.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal

from sqlglot import exp

from ingestion.catalog.load import Catalog
from supervision.rulebook.check import SUPPORT, Fields
from supervision.rulebook.clustering import Clustering
from supervision.rulebook.clustering import q as _q
from supervision.rulebook.dialects import Dialect, translate
from supervision.rulebook.operators import OPERATORS, Operands
from supervision.rulebook.spec import (
    Band,
    Leaf,
    Measure,
    Member,
    Node,
    RuleSpec,
    Source,
    Tree,
    leaves,
)

Scope = Literal["full", "subjects"]

#: evidence rows carried along per source; the measures count all of them
EVIDENCE_ROWS = 12


@dataclass(frozen=True)
class Query:
    """SQL with named parameters, and the values that the rule itself binds."""

    sql: str
    params: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Plan:
    """A compiled rule."""

    rule: RuleSpec
    catalog: Catalog
    fields_read: dict[str, frozenset[str]]
    feeds_absent: frozenset[str]

    def query(self, dialect: Dialect = "postgres", scope: Scope = "full") -> Query:
        """Result rows as docs/architecture.md fixes them. Run-time parameters: landing, as_of, covers_<feed>."""
        query = _Builder(self, scope).query()
        return Query(translate(query.sql, dialect), query.params)

    def due(self) -> Query | None:
        """Subjects whose verdict changes by the calendar alone between ``due_from`` and ``due_to`` (days)."""
        return _due(self)

    def affected(self) -> Query:
        """Subjects to recompute for the touches in (since, landing]."""
        return _affected(self)


def compile_rule(rule: RuleSpec, catalog: Catalog) -> Plan:
    """The plan of a checked rule (``load_rulebook`` refuses the others)."""
    return _compile(_Key(rule, catalog))


@dataclass(frozen=True, eq=False)
class _Key:
    """Rules and catalogues live as long as the process: identity is enough for the cache."""

    rule: RuleSpec
    catalog: Catalog

    def __hash__(self) -> int:
        return hash((id(self.rule), id(self.catalog)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and self.rule is other.rule and self.catalog is other.catalog


@lru_cache(maxsize=256)
def _compile(key: _Key) -> Plan:
    read: dict[str, set[str]] = {}
    for name in _named_fields(key.rule):
        alias, column = name.split(".")
        source = key.rule.sources[alias]
        for feed, own in _own_columns(source, column):
            read.setdefault(feed, set()).add(own)
    for source in key.rule.sources.values():
        for member in source.any_of or ():
            read.setdefault(member.feed, set()).update(member.columns.values())
            read[member.feed].update(leaf.field for leaf in (leaves(member.where) if member.where else []))
        if source.feed and source.where:
            read.setdefault(source.feed, set()).update(leaf.field for leaf in leaves(source.where))
    for leg in key.rule.without:
        read.setdefault(leg.feed, set()).update((*leg.match.values(), leg.date))
    return Plan(
        key.rule,
        key.catalog,
        {feed: frozenset(columns - {"county"}) for feed, columns in read.items()},
        frozenset(leg.feed for leg in key.rule.without),
    )


def _named_fields(rule: RuleSpec) -> set[str]:
    names = {rule.clue.subject, rule.clue.label}
    for link in rule.link:
        names |= {link.left, link.right}
    for leaf in leaves(rule.when):
        names |= {leaf.field} | ({leaf.other} if leaf.other else set())
    names |= {m.field for m in rule.measures.values() if m.kind != "count"}
    names |= {m.per for m in rule.measures.values() if m.per}
    if rule.cluster:
        names |= {rule.cluster.time, *rule.cluster.same, *rule.cluster.named_by}
        if rule.cluster.place:
            names |= {rule.cluster.place.lon, rule.cluster.place.lat}
    for leg in rule.without:
        names |= {*leg.match, leg.since}
    return names


def _own_columns(source: Source, column: str) -> list[tuple[str, str]]:
    if source.feed is not None:
        return [(source.feed, column)]
    return [(m.feed, m.columns[column]) for m in source.any_of or () if column in m.columns]


class _Builder:
    """Builds one query; collects the parameters that the rule binds."""

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
        kind = {int: "bigint", float: "double precision"}.get(type(value), "text")
        return exp.cast(placeholder, kind)

    def param(self, name: str) -> exp.Expression:
        value = self.rule.params[name].value
        return self.bind(value, f"p_{name}")

    def column(self, name: str, alias: str | None = None) -> exp.Expression:
        table, column = name.split(".") if "." in name else (alias, name)
        return exp.column(column, table=table, quoted=True)

    # -- the query ------------------------------------------------------------------------------

    def query(self) -> Query:
        steps: list[tuple[str, str]] = []
        apart: set[str] = set()
        for alias, source in self.rule.sources.items():
            steps.append(
                (alias, self._combined(alias, source) if source.any_of else self._plain(alias, source))
            )
        judged = self._judged()
        steps.append(("judged", judged))
        steps.append(("verdicts", "select j.*, " + self._tree_columns() + " from judged j"))
        steps.append(("kept", self._kept()))
        if self.rule.cluster:
            gathered = Clustering(self, self.rule.cluster).steps()
            steps += gathered
            apart = {name for name, _ in gathered}
        steps.append(("grouped", self._grouped()))
        text = (
            "with recursive "
            + ", ".join(
                f"{_q(name)} as {'materialized ' if name in apart else ''}({sql})" for name, sql in steps
            )
            + " "
            + self._final()
        )
        return Query(text, self.params)

    def _visible(self, alias: str) -> str:
        return f"{alias}.from_landing <= %(landing)s and ({alias}.to_landing is null or {alias}.to_landing > %(landing)s)"

    def _within(self, column: str, kind: str) -> str:
        if self.scope == "full":
            return ""
        cast = "::uuid" if kind == "uuid" else ""
        return f" and {column} in (select subject_ref{cast} from run_subjects)"

    def _plain(self, alias: str, source: Source) -> str:
        """A feed's visible rows; the driver also narrowed to the subjects and to what its own leaves allow."""
        feed = self.plan.catalog[source.feed or ""]
        columns = sorted(self._columns_of(alias) - {"county"})
        listed = ", ".join(f"s.{_q(c)}" for c in columns)
        conditions = [self._visible("s")]
        if source.where:
            conditions.append(f"({self._sql(self._truth(source.where, 's')[0])})")
        natural = "s.natural_hash, " if alias == self.rule.driver and self.rule.cluster else ""
        sql = f"select s.record_id, s.county, {natural}{listed} from pool.{_q(feed.code)} s where {' and '.join(conditions)}"
        if alias == self.subject_alias:
            sql += self._within(f"s.{_q(self.subject_column)}", feed.column(self.subject_column).pool_type)
        return sql

    def _columns_of(self, alias: str) -> set[str]:
        return {name.split(".")[1] for name in _named_fields(self.rule) if name.split(".")[0] == alias}

    def _combined(self, alias: str, source: Source) -> str:
        """Members united, then one row per link key: combined columns, number of feeds, evidence."""
        key = next(link.right.split(".")[1] for link in self.rule.link if link.right.split(".")[0] == alias)
        left = next(link.left for link in self.rule.link if link.right == f"{alias}.{key}")
        members = [
            self._member(index, alias, member, key, left) for index, member in enumerate(source.any_of or ())
        ]
        combined = ", ".join(f"{how}(u.{_q(name)}) as {_q(name)}" for name, how in source.combine.items())
        evidence = (
            "jsonb_agg(jsonb_build_object('alias', u.alias, 'feed', u.feed, 'record_id', u.record_id)"
            " order by u.record_id, u.feed) as evidence"
        )
        return (
            f"select u.{_q(key)}, {combined + ', ' if combined else ''}count(distinct u.feed) as {_q(SUPPORT)}, {evidence}"
            f" from ({' union all '.join(members)}) u group by u.{_q(key)}"
        )

    def _member(self, index: int, alias: str, member: Member, key: str, left: str) -> str:
        listed = ", ".join(f"s.{_q(own)} as {_q(common)}" for common, own in member.columns.items())
        own_key = member.columns[key]
        self.params[f"m_{alias}_{index}_feed"] = member.feed
        self.params[f"m_{alias}_{index}_alias"] = alias
        conditions = [self._visible("s"), f"s.{_q(own_key)} is not null"]
        if member.where:
            conditions.append(f"({self._sql(self._truth(member.where, 's', f'{alias}_{index}')[0])})")
        sql = (
            f"select s.record_id, %(m_{alias}_{index}_feed)s::text as feed, %(m_{alias}_{index}_alias)s::text as alias,"
            f" {listed} from pool.{_q(member.feed)} s where {' and '.join(conditions)}"
        )
        if left == self.rule.clue.subject:
            sql += self._within(f"s.{_q(own_key)}", self.plan.catalog[member.feed].column(own_key).pool_type)
        return sql

    def _judged(self) -> str:
        """Every linked combination with one nullable truth per condition."""
        driver = self.rule.driver
        joins = "".join(
            f" join {_q(link.right.split('.')[0])} on {self._sql(self.column(link.left))} = {self._sql(self.column(link.right))}"
            for link in self.rule.link
        )
        carried = []
        for name in sorted(_named_fields(self.rule) | {f"{driver}.county"}):
            carried.append(f"{self._sql(self.column(name))} as {_q(name)}")
        for alias, source in self.rule.sources.items():
            inner = f"{_q(alias)}.evidence" if source.any_of else f"{_q(alias)}.record_id"
            carried.append(f"{inner} as {_q(f'{alias}.evidence')}")
        if self.rule.cluster:
            carried.append(f"{_q(driver)}.natural_hash")
        truths = []
        for leaf in leaves(self.rule.when):
            truths.append(f"({self._sql(self._condition(leaf))}) as {_q(f'is_{leaf.id}')}")
        for leg in self.rule.without:
            truths.append(f"{self._absent(leg)} as {_q(f'is_{leg.id}')}")
        return f"select {', '.join(carried + truths)} from {_q(driver)}{joins}"

    def _absent(self, leg: Any) -> str:
        """True: no match and the window is covered; false: a match; null: not yet delivered."""
        matches = " and ".join(self._same(leg.feed, theirs, own) for theirs, own in leg.match.items())
        since = self._sql(self.column(leg.since))
        days = self._sql(self.param(leg.days))
        window = f"w.{_q(leg.date)} >= {since} and w.{_q(leg.date)} <= {since} + ({days})::int"
        exists = f"exists (select 1 from pool.{_q(leg.feed)} w where {self._visible('w')} and {matches} and {window})"
        covered = f"coalesce(%(covers_{leg.feed})s::date >= {since} + ({days})::int, false)"
        return f"(case when {exists} then false when {covered} then true end)"

    def _same(self, feed: str, theirs: str, own: str) -> str:
        """Equality, or the mention of a subject inside a text (several persons in one cell)."""
        value = self._sql(self.column(theirs))
        column = self.plan.catalog[feed].column(own)
        if column.type == "text" and self.fields.types[theirs] != "text":
            return f"strpos(w.{_q(own)}, ':' || {value}::text || '〕') > 0"
        return f"w.{_q(own)} = {value}"

    def _condition(self, leaf: Leaf, alias: str | None = None, place: str = "") -> exp.Expression:
        operator = OPERATORS[leaf.op]
        operand = self.column(leaf.field, alias)
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
        return operator.sql(
            Operands(
                field=operand,
                against=against,
                listed=listed,
                months=exp.cast(self.param(leaf.months), "int") if leaf.months else None,
                days=exp.cast(self.param(leaf.days), "int") if leaf.days else None,
                percent=self.param(leaf.percent) if leaf.percent else None,
                as_of=exp.cast(exp.Placeholder(this="as_of"), "date"),
            )
        )

    def _truth(self, node: Node, alias: str, place: str = "") -> tuple[exp.Expression, exp.Expression]:
        """(is_true, is_false), both never null, over a source's own rows."""
        if isinstance(node, Leaf):
            condition = exp.paren(self._condition(node, alias, f"{place or alias}_"))
            return _coalesced(condition), _coalesced(exp.Not(this=condition.copy()))
        return _combine(node, lambda child: self._truth(child, alias, place))

    def _tree_columns(self) -> str:
        true: Any
        false: Any

        def leaf_truth(node: Node) -> tuple[exp.Expression, exp.Expression]:
            if isinstance(node, Leaf):
                column = exp.column(f"is_{node.id}", table="j", quoted=True)
                return _coalesced(column), _coalesced(exp.Not(this=column.copy()))
            return _combine(node, leaf_truth)

        true, false = leaf_truth(self.rule.when)
        for leg in self.rule.without:
            column = exp.column(f"is_{leg.id}", table="j", quoted=True)
            true = exp.and_(true, _coalesced(column))
            false = exp.or_(false, _coalesced(exp.Not(this=column.copy())))
        return f"({self._sql(true)}) as is_true, ({self._sql(false)}) as is_false"

    def _kept(self) -> str:
        """Rows that count: true or undecided. Only these are explained."""
        parts = [self._explained(leaf) for leaf in leaves(self.rule.when)]
        for leg in self.rule.without:
            parts.append(
                f"jsonb_build_object('id', {self._text(leg.id)}, 'truth', v.{_q(f'is_{leg.id}')},"
                f" 'values', jsonb_build_object('since', v.{_q(leg.since)}, 'covered_until', %(covers_{leg.feed})s::date))"
            )
        return f"select v.*, jsonb_build_array({', '.join(parts)}) as conditions from verdicts v where not v.is_false"

    def _explained(self, leaf: Leaf) -> str:
        values = [f"'field', v.{_q(leaf.field)}"]
        if leaf.other:
            values.append(f"'other', v.{_q(leaf.other)}")
        for key in ("param", "months", "days", "percent"):
            name = getattr(leaf, key)
            if name and not isinstance(self.rule.params[name].value, list):
                values.append(f"'{key}', {self._sql(self.param(name))}")
        return (
            f"jsonb_build_object('id', {self._text(leaf.id)}, 'truth', v.{_q(f'is_{leaf.id}')},"
            f" 'values', jsonb_build_object({', '.join(values)}))"
        )

    def _as_name(self, field: str) -> str:
        """A field's value within a occurrence's name; of a moment the day."""
        cast = "::date::text" if self.fields.types[field] in ("date", "month", "datetime") else "::text"
        return f"k.{_q(field)}{cast}"

    def _text(self, value: str) -> str:
        name = f"t_{len([k for k in self.params if k.startswith('t_')])}"
        known = next((k for k, v in self.params.items() if k.startswith("t_") and v == value), name)
        self.params[known] = value
        return f"%({known})s::text"

    def _order(self, direction: str = "") -> str:
        """By the records that a row was linked from: no two rows are alike in all of them, whatever engine reads them."""
        plain = [alias for alias, source in self.rule.sources.items() if not source.any_of]
        aliases = [self.rule.driver, *(alias for alias in plain if alias != self.rule.driver)]
        return ", ".join(f"k.{_q(f'{alias}.evidence')}{direction}" for alias in aliases)

    def _latest(self) -> str:
        return f"k.n desc, {self._order(' desc')}" if self.rule.cluster else self._order(" desc")

    def _sequence(self) -> str:
        """Of an occurrence the order of time, so that a corrected record keeps its place; else that of arrival."""
        return f"k.n, {self._order()}" if self.rule.cluster else self._order()

    def _grouped(self) -> str:
        subject = f"k.{_q(self.rule.clue.subject)}"
        bucket = "k.bucket" if self.rule.cluster else "''::text"
        parts = [f"{subject}::text as subject_ref", f"{bucket} as bucket", "bool_or(k.is_true) as hit"]
        for name, measure in self.rule.measures.items():
            parts.append(f"{self._measure(measure)} as {_q(f'm_{name}')}")
        if self.rule.cluster:
            for flag in ("possible", *(f"f_{leaf.id}" for leaf in self._having())):
                parts.append(f"bool_or(k.{_q(flag)}) as {_q(flag)}")
        else:
            parts += self._bounds()
        # Whatever its name, an occurrence is known by its records.
        members = "jsonb_agg(distinct encode(k.natural_hash, 'hex')) filter (where k.is_true)"
        parts.append(f"{members if self.rule.cluster else 'null::jsonb'} as members")
        first = f"(array_agg({{}} order by {self._sequence()}) filter (where {{}} is not null))[1]"
        label, county = f"k.{_q(self.rule.clue.label)}", f"k.{_q(f'{self.rule.driver}.county')}"
        parts.append(f"{first.format(label, label)} as label")
        parts.append(f"{first.format(county, county)} as county")
        # The row that decides: the latest true one, else the latest undecided one.
        parts.append(f"(array_agg(k.conditions order by k.is_true desc, {self._latest()}))[1] as conditions")
        for alias, source in self.rule.sources.items():
            parts.append(f"{self._evidence(alias, source)} as {_q(f'e_{alias}')}")
        rows, by = ("occurrences", f"{subject}, k.bucket") if self.rule.cluster else ("kept", subject)
        return f"select {', '.join(parts)} from {rows} k where {subject} is not null group by {by}"

    def _bounds(self) -> list[str]:
        """The measures of the conditions on the whole, were all rows true; and whether one might go further still."""
        parts = []
        for name in sorted({leaf.field for leaf in self._having()}):
            measure = self.rule.measures[name]
            parts.append(f"{self._measure(measure, counting='true')} as {_q(f'p_{name}')}")
            parts.append(f"{self._unknown(measure)} as {_q(f'u_{name}')}")
        return parts

    def _having(self) -> list[Leaf]:
        return leaves(self.rule.having) if self.rule.having else []

    def _measure(self, measure: Measure, counting: str = "k.is_true") -> str:
        if measure.kind == "count":
            return f"count(*) filter (where {counting})"
        if measure.kind == "first":
            column = f"k.{_q(measure.field)}"
            return f"(array_agg({column} order by {self._sequence()}) filter (where {counting} and {column} is not null))[1]"
        total = f"{measure.kind}({self._measured(measure)}) filter (where {counting})"
        return f"({total})::bigint" if measure.kind == "sum" else total

    def _measured(self, measure: Measure) -> str:
        column = f"k.{_q(measure.field)}"
        return f"{column}::float8 / nullif(k.{_q(measure.per)}, 0)" if measure.per else column

    def _unknown(self, measure: Measure) -> str:
        """Whether a row, true or undecided, might still carry the measure further: its own value is missing."""
        return "false" if measure.kind == "count" else f"bool_or({self._measured(measure)} is null)"

    def _further(self, leaf: Leaf, alias: str) -> exp.Expression:
        """Whether a condition on the whole could still come true by the rows that ``_bounds`` measured."""
        most = _coalesced(self._condition(leaf.model_copy(update={"field": f"p_{leaf.field}"}), alias))
        if leaf.missing_as is not None:
            return most
        return exp.paren(exp.or_(_coalesced(exp.column(f"u_{leaf.field}", table=alias, quoted=True)), most))

    def _occurrence_truth(self) -> tuple[str, str, list[str]]:
        """(is true, is false, explained leaves) of the conditions on a whole occurrence.

        True already by the true rows; false if no way in which the undecided rows may turn out makes it true
        (the checks admit only conditions that more rows can but further); else undecided.
        """
        never_at_all = "not g.possible" if self.rule.cluster else "false"
        if self.rule.having is None:
            return "g.hit", never_at_all, []
        sides: dict[str, tuple[exp.Expression, exp.Expression]] = {}
        explained = []
        for leaf in self._having():
            sure = _coalesced(self._condition(leaf.model_copy(update={"field": f"m_{leaf.field}"}), "g"))
            further = (
                exp.column(f"f_{leaf.id}", table="g", quoted=True)
                if self.rule.cluster
                else self._further(leaf, "g")
            )
            never = exp.Not(this=further)
            sides[leaf.id] = (sure, never)
            true, false = self._sql(sure), self._sql(never)
            values = [f"'field', {self._shown(leaf.field)}"]
            for key in ("param", "days"):
                name = getattr(leaf, key)
                if name and not isinstance(self.rule.params[name].value, list):
                    values.append(f"'{key}', {self._sql(self.param(name))}")
            explained.append(
                f"jsonb_build_object('id', {self._text(leaf.id)}, 'truth', case when {true} then true when {false}"
                f" then false end, 'values', jsonb_build_object({', '.join(values)}))"
            )

        def truth(node: Node) -> tuple[exp.Expression, exp.Expression]:
            return sides[node.id] if isinstance(node, Leaf) else _combine(node, truth)

        true_side, false_side = truth(self.rule.having)
        never_side = never_at_all if self.rule.cluster else self._sql(false_side)
        return (
            f"(g.hit and {self._sql(true_side)})",
            f"(not (g.hit and {self._sql(true_side)}) and {never_side})",
            explained,
        )

    def _shown(self, name: str) -> str:
        """A measure as it is kept: quotients to two places."""
        column = f"g.{_q(f'm_{name}')}"
        return f"round({column}::numeric, 2)" if self.rule.measures[name].per else column

    def _evidence(self, alias: str, source: Source) -> str:
        column = f"k.{_q(f'{alias}.evidence')}"
        if source.any_of:
            return f"(array_agg({column} order by k.is_true desc, {self._order()}))[1]"
        true_rows = f"(array_agg(distinct {column}) filter (where k.is_true))"
        undecided = f"(array_agg(distinct {column}) filter (where not k.is_true))"
        return (
            f"(select jsonb_agg(jsonb_build_object('alias', {self._text(alias)}, 'feed', {self._text(source.feed or '')},"
            f" 'record_id', r) order by r) from unnest((coalesce({true_rows}, {undecided}))[1:{EVIDENCE_ROWS}]) r)"
        )

    def _final(self) -> str:
        self.params["subject_kind"] = self.rule.clue.kind
        material = ", ".join(f"{self._text(n)}, {self._shown(n)}" for n in self.rule.measures)
        true, false, explained = self._occurrence_truth()
        conditions = "g.conditions" + (f" || jsonb_build_array({', '.join(explained)})" if explained else "")
        evidence = " || ".join(
            f"coalesce(g.{_q(f'e_{alias}')}, '[]'::jsonb)" for alias in self.rule.clue.evidence
        )
        return (
            "select %(subject_kind)s::text as subject_kind, g.subject_ref, g.bucket,"
            " case when t.is_true then 'hit' else 'undecided' end as verdict,"
            f" case when t.is_true then {self._bands()} end as level, g.county,"
            f" jsonb_strip_nulls(jsonb_build_object('label', g.label, {material})) as material,"
            f" {conditions} as conditions, {evidence} as evidence, null::date as next_due, g.members from grouped g"
            f" cross join lateral (select {true} as is_true, {false} as is_false) t where not t.is_false"
        )

    def _bands(self) -> str:
        cases = [self._band(band) for band in self.rule.bands]
        last = self._text(self.rule.bands[-1].level)
        if len(cases) == 1:
            return last
        return "case " + " ".join(cases[:-1]) + f" else {last} end"

    def _band(self, band: Band) -> str:
        needs = [
            f"g.{_q(f'm_{measure}')} >= {self._sql(self.param(param))}"
            for measure, param in band.at_least.items()
        ]
        return f"when {' and '.join(needs) or 'true'} then {self._text(band.level)}"

    def _sql(self, expression: exp.Expression) -> str:
        return expression.sql(dialect="postgres")


def _combine(tree: Tree, of: Any) -> tuple[exp.Expression, exp.Expression]:
    """Kleene's tables over (is_true, is_false) pairs."""
    if tree.negated is not None:
        true, false = of(tree.negated)
        return false, true
    pairs = [of(child) for child in (tree.all or tree.any or ())]
    conjunction = exp.and_(*[t for t, _ in pairs]) if tree.all else exp.or_(*[t for t, _ in pairs])
    disjunction = exp.or_(*[f for _, f in pairs]) if tree.all else exp.and_(*[f for _, f in pairs])
    return exp.paren(conjunction), exp.paren(disjunction)


def _coalesced(condition: exp.Expression) -> exp.Expression:
    return exp.Coalesce(this=condition, expressions=[exp.false()])


def _affected(plan: Plan) -> Query:
    """One select per way a touch can reach the rule's subjects."""
    rule = plan.rule
    params: dict[str, Any] = {}
    subject_alias, subject = rule.clue.subject.split(".")
    driver_feed = rule.sources[rule.driver].feed
    window = "t.landing > %(since)s and t.landing <= %(landing)s"
    selects = []
    reached: dict[str, set[str]] = {rule.clue.subject: {rule.sources[subject_alias].feed or ""}}
    for link in rule.link:
        alias, _ = link.right.split(".")
        feeds = {feed for feed, _ in _own_columns(rule.sources[alias], link.right.split(".")[1])}
        reached.setdefault(link.left, set()).update(feeds)
    for leg in rule.without:
        for theirs in leg.match:
            reached.setdefault(theirs, set()).add(leg.feed)
    for index, (name, feeds) in enumerate(sorted(reached.items())):
        params[f"feeds_{index}"] = sorted(feeds)
        column = next(c for c in plan.catalog[driver_feed or ""].columns if c.name == name.split(".")[1])
        params[f"kind_{index}"] = column.subject
        touched = f"t.kind = %(kind_{index})s and t.feed = any(%(feeds_{index})s) and {window}"
        if name == rule.clue.subject:
            selects.append(f"select t.ref as subject_ref from ingestion_touch t where {touched}")
        else:
            cast = "::uuid" if column.pool_type == "uuid" else ""
            selects.append(
                f"select d.{_q(subject)}::text as subject_ref from pool.{_q(driver_feed or '')} d"
                f" where d.{_q(column.name)} in (select t.ref{cast} from ingestion_touch t where {touched})"
            )
    sql = " union ".join(selects)
    return Query(sql, params)


def _due(plan: Plan) -> Query | None:
    """Driver rows for which a condition on the calendar turns within the days (due_from, due_to]."""
    rule = plan.rule
    clocks = [(leaf.field, leaf.days or "") for leaf in leaves(rule.when) if OPERATORS[leaf.op].clock]
    if rule.having:
        # A clock on a measure turns on the day of one of the rows that it is taken from.
        clocks += [
            (rule.measures[leaf.field].field, leaf.days or "")
            for leaf in leaves(rule.having)
            if OPERATORS[leaf.op].clock
        ]
    if not clocks:
        return None
    subject = rule.clue.subject.split(".")[1]
    feed = rule.sources[rule.driver].feed or ""
    params = {f"p_{days}": rule.params[days].value for _, days in clocks}
    turns = " or ".join(
        f"(d.{_q(field.split('.')[1])}::date + %(p_{days})s::int > %(due_from)s::date"
        f" and d.{_q(field.split('.')[1])}::date + %(p_{days})s::int <= %(due_to)s::date)"
        for field, days in clocks
    )
    sql = f"select d.{_q(subject)}::text as subject_ref from pool.{_q(feed)} d where d.to_landing is null and ({turns})"
    return Query(sql, params)
