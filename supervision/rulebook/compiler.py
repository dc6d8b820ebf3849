"""From rule document to SQL. Pure: no connection, no clock; every value is a bound parameter.

The plan names its steps as common table expressions so that the planner may inline them: the sources
(visible at the landing), the combined sources (one row per link key), the judged rows, the groups, the results.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache

from sqlglot import exp

from ingestion.catalog.load import Catalog
from supervision.rulebook.clustering import MANY, Clustering
from supervision.rulebook.clustering import q as _q
from supervision.rulebook.dialects import Dialect, translate
from supervision.rulebook.operators import PARAM_KEYS
from supervision.rulebook.query import Query
from supervision.rulebook.reach import affected, due
from supervision.rulebook.reading import fields_read, linked_feeds
from supervision.rulebook.rows import Scope, coalesced, combine
from supervision.rulebook.spec import (
    Band,
    Leaf,
    Measure,
    Node,
    RuleSpec,
    furthered,
    judged_leaves,
    leaves,
)
from supervision.rulebook.telling import Telling


@dataclass(frozen=True)
class Plan:
    """A compiled rule."""

    rule: RuleSpec
    catalog: Catalog
    fields_read: dict[str, frozenset[str]]
    feeds_absent: frozenset[str]
    #: what was compiled once is kept as long as the plan
    queries: dict[tuple[Dialect, Scope], Query] = field(default_factory=dict, compare=False, repr=False)

    def query(self, dialect: Dialect = "postgres", scope: Scope = "full") -> Query:
        """Result rows as docs/architecture.md fixes them. Run-time parameters: landing, as_of, covers_<feed>."""
        asked = (dialect, scope)
        if asked not in self.queries:
            query = _Builder(self, scope).query()
            self.queries[asked] = Query(translate(query.sql, dialect), query.params)
        return self.queries[asked]

    def due(self) -> Query | None:
        """Subjects whose verdict changes by the calendar alone between ``due_from`` and ``due_to`` (days)."""
        return due(self)

    def affected(self) -> Query:
        """Subjects to recompute for the touches in (since, landing]."""
        return affected(self)


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
    rule = key.rule
    absent = {absence.feed for leg in rule.without for absence in leg.feeds}
    absent |= {
        feed for leaf in judged_leaves(rule) if leaf.op == "no_row" for feed in linked_feeds(rule, leaf)
    }
    return Plan(rule, key.catalog, fields_read(rule), frozenset(absent))


class _Builder(Telling):
    """Builds one query: judged rows gathered into subjects or occurrences, judged as a whole, then told."""

    # -- the query ------------------------------------------------------------------------------

    def query(self) -> Query:
        steps: list[tuple[str, str]] = []
        for alias, source in self.rule.sources.items():
            steps.append(
                (alias, self._combined(alias, source) if source.any_of else self._plain(alias, source))
            )
        shared = self.shared_steps()
        steps += self._relations() + shared
        # Worked out once: a plan that joins row by row must not count anew for each.
        apart = {name for name, _ in shared}
        steps.append(("judged", self._judged()))
        steps.append(("verdicts", "select j.*, " + self._tree_columns() + " from judged j"))
        steps.append(("kept", self._kept()))
        if self.rule.cluster:
            gathered = Clustering(self, self.rule.cluster).steps()
            steps += gathered
            apart = {name for name, _ in gathered}
        final = self._final()
        steps += self._results()
        proofs = self._proofs()
        # Read more than once, worked out once.
        apart |= {"kept", "raised"} if self.rule.having else set()
        apart |= {"results"} if proofs else set()
        listed = ", ".join(
            f"{_q(name)} as {'materialized ' if name in apart else ''}({sql})" for name, sql in steps + proofs
        )
        return Query(f"with recursive {listed} {final}", self.params)

    def _results(self) -> list[tuple[str, str]]:
        """Steps from the rows that count to ``results``: a row per result, with all that the last select shows.

        What is shown of a result (label, the row that decides, records) costs far more than its verdict. Where
        conditions on the whole rule groups out, the groups are judged by what those read alone, and the rest is
        gathered from the rows of the groups that stay.
        """
        rows = "occurrences" if self.rule.cluster else "kept"
        subject, bucket = f"k.{_q(self.rule.clue.subject)}", "k.bucket" if self.rule.cluster else "''::text"
        key = f"{subject}, {bucket}" if self.rule.cluster else subject
        known, judged = f"{subject} as subject, {bucket} as bucket", ", ".join(self._judged_whole())
        shown = self._shown_of()
        listed = ", ".join(f"{sql} as {_q(name)}" for name, sql in shown.items())
        ranked = f"select k.*, row_number() over (partition by {key} order by k.is_true desc, {self._latest()}) as place"
        true, false, _ = self._occurrence_truth()
        if self.rule.having is None:
            fitting = f" where not {false}" if self.rule.cluster else ""
            grouped = (
                f"select {known}, {judged}, {listed} from ({ranked} from {rows} k{MANY} where {subject} is not null) k"
                f" group by {key}"
            )
            return [
                ("grouped", grouped),
                ("results", f"select g.*, {true} as sure from grouped g{MANY}{fitting}"),
            ]
        same = f"r.subject = {subject}" + (f" and r.bucket = {bucket}" if self.rule.cluster else "")
        names = ", ".join(f"s.{_q(name)}" for name in shown)
        return [
            ("grouped", f"select {known}, {judged} from {rows} k where {subject} is not null group by {key}"),
            ("raised", f"select g.*, {true} as sure from grouped g{MANY} where not {false}"),
            ("shown", f"select {known}, {listed} from ({ranked} from {rows} k{MANY} join raised r on {same}) k group by {key}"),
            (
                "results",
                f"select r.*, {names} from raised r join shown s on s.subject = r.subject and s.bucket = r.bucket",
            ),
        ]  # fmt: skip

    def _as_name(self, field: str) -> str:
        """A field's value within a occurrence's name; of a moment the day."""
        cast = "::date::text" if self.fields.types[field] in ("date", "month", "datetime") else "::text"
        return f"k.{_q(field)}{cast}"

    def _judged_whole(self) -> list[str]:
        """What a group is judged by: whether a row is true, the measures, and how far they may still go."""
        parts = ["bool_or(k.is_true) as hit"]
        for name, measure in self.rule.measures.items():
            parts.append(f"{self._measure(name, measure)} as {_q(f'm_{name}')}")
        if self.rule.cluster:
            for flag in ("possible", *(f"f_{leaf.id}" for leaf in self._having())):
                parts.append(f"bool_or(k.{_q(flag)}) as {_q(flag)}")
            return parts
        return parts + self._bounds()

    def _bounds(self) -> list[str]:
        """The measures of the conditions on the whole, were all rows true; and whether one might go further still."""
        parts = []
        for name in sorted({leaf.field for leaf in self._having()}):
            measure = self.rule.measures[name]
            parts.append(f"{self._settled(measure)} as {_q(f's_{name}')}")
            parts.append(f"{self._measure(name, measure, counting='true')} as {_q(f'p_{name}')}")
            parts.append(f"{self._unknown(measure)} as {_q(f'u_{name}')}")
        return parts

    def _having(self) -> list[Leaf]:
        return leaves(self.rule.having) if self.rule.having else []

    def _measure(self, name: str, measure: Measure, counting: str = "k.is_true") -> str:
        if measure.kind == "count":
            return f"count(*) filter (where {counting})"
        if measure.kind == "share":
            assert measure.share is not None  # noqa: S101  its kind says so
            having = f"count(*) filter (where {counting} and k.{_q(f'is_{measure.share.id}')})"
            return f"({having} * 100.0::float8 / nullif(count(*) filter (where {counting}), 0))"
        column = f"k.{_q(measure.field)}"
        if measure.kind == "distinct":
            return f"count(distinct {column}) filter (where {counting})"
        if measure.kind == "most_within":
            return f"max(k.{_q(self._window(name, counting != 'true'))})"
        if measure.kind == "longest_run":
            return self._longest_run(measure, f"{counting} and {column} is not null")
        if measure.kind == "first":
            return f"(array_agg({column} order by {self._sequence()}) filter (where {counting} and {column} is not null))[1]"
        total = f"{measure.kind}({self._measured(measure)}) filter (where {counting})"
        return f"({total})::bigint" if measure.kind == "sum" and self._whole_number(measure) else total

    def _whole_number(self, measure: Measure) -> bool:
        return self.fields.types.get(measure.field) != "number"

    def _longest_run(self, measure: Measure, counting: str) -> str:
        """The longest unbroken run of days."""
        days = f"unnest(array_agg(k.{_q(measure.field)}::date) filter (where {counting})) as x(day)"
        numbered = (
            f"select distinct x.day, x.day - dense_rank() over (order by x.day)::int as run from {days}"
        )
        return (
            f"coalesce((select max(c.n) from (select count(*) as n from ({numbered}) d group by d.run) c), 0)"
        )

    def _measured(self, measure: Measure) -> str:
        column = f"k.{_q(measure.field)}"
        return f"{column}::float8 / nullif(k.{_q(measure.per)}, 0)" if measure.per else column

    def _unknown(self, measure: Measure) -> str:
        """Whether a row, true or undecided, might still carry the measure further: its own value is missing."""
        return "false" if measure.kind == "count" else f"bool_or({self._measured(measure)} is null)"

    def _settled(self, measure: Measure) -> str:
        """Whether nothing about the measure is open: every row is true and says its value."""
        if measure.kind == "share":
            assert measure.share is not None  # noqa: S101  its kind says so
            return f"bool_and(k.is_true and k.{_q(f'is_{measure.share.id}')} is not null)"
        known = "" if measure.kind == "count" else f" and {self._measured(measure)} is not null"
        return f"bool_and(k.is_true{known})"

    def _further(self, leaf: Leaf, alias: str) -> exp.Expression:
        """Whether a condition on the whole could still come true by the rows that ``_bounds`` measured."""
        most = coalesced(self._condition(leaf.model_copy(update={"field": f"p_{leaf.field}"}), alias))
        if leaf.missing_as is not None:
            return most
        return exp.paren(exp.or_(coalesced(exp.column(f"u_{leaf.field}", table=alias, quoted=True)), most))

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
            condition = self._condition(leaf.model_copy(update={"field": f"m_{leaf.field}"}), "g")
            sure = coalesced(condition)
            further = (
                exp.column(f"f_{leaf.id}", table="g", quoted=True)
                if self.rule.cluster
                else self._further(leaf, "g")
            )
            never: exp.Expression = exp.Not(this=further)
            if not furthered(self.rule.measures[leaf.field], leaf.op):
                # More rows might carry it either way: it is judged when nothing is open any more.
                settled = exp.column(f"s_{leaf.field}", table="g", quoted=True)
                sure = exp.paren(exp.and_(settled, sure))
                never = exp.paren(
                    exp.and_(settled.copy(), coalesced(exp.Not(this=exp.paren(condition.copy()))))
                )
            sides[leaf.id] = (sure, never)
            true, false = self._sql(sure), self._sql(never)
            values = [f"'field', {self._shown(leaf.field)}"]
            for key in PARAM_KEYS:
                name = getattr(leaf, key)
                if name and not isinstance(self.rule.params[name].value, list):
                    values.append(f"'{key}', {self._sql(self.param(name))}")
            explained.append(
                f"jsonb_build_object('id', {self._text(leaf.id)}, 'truth', case when {true} then true when {false}"
                f" then false end, 'values', jsonb_build_object({', '.join(values)}))"
            )

        def truth(node: Node) -> tuple[exp.Expression, exp.Expression]:
            return sides[node.id] if isinstance(node, Leaf) else combine(node, truth)

        true_side, false_side = truth(self.rule.having)
        never_side = never_at_all if self.rule.cluster else self._sql(false_side)
        return (
            f"(g.hit and {self._sql(true_side)})",
            f"(not (g.hit and {self._sql(true_side)}) and {never_side})",
            explained,
        )

    def _shown(self, name: str) -> str:
        """A measure as it is kept: quotients to two places, sums of fractions to six. What an engine adds up in another order
        differs in the last digit."""
        column = f"g.{_q(f'm_{name}')}"
        measure = self.rule.measures[name]
        if measure.per or measure.kind == "share":
            return f"round({column}::numeric, 2)"
        if measure.kind == "sum" and not self._whole_number(measure):
            return f"round({column}::numeric, 6)"
        return column

    def _final(self) -> str:
        self.params["subject_kind"] = self.rule.clue.kind
        material = ", ".join(f"{self._text(n)}, {self._shown(n)}" for n in self.rule.measures)
        _, _, explained = self._occurrence_truth()
        conditions = f"jsonb_build_array({', '.join(self._explanations() + explained)})"
        evidence = " || ".join(f"coalesce({self._evidence(a)}, '[]'::jsonb)" for a in self.rule.clue.evidence)
        members = "g.members" if self.rule.cluster else "null::jsonb as members"
        return (
            "select %(subject_kind)s::text as subject_kind, g.subject::text as subject_ref, g.bucket,"
            " case when g.sure then 'hit' else 'undecided' end as verdict,"
            f" case when g.sure then {self._bands()} end as level, g.county,"
            f" jsonb_strip_nulls(jsonb_build_object('label', g.label, {material})) as material,"
            f" {conditions} as conditions, {evidence} as evidence, null::date as next_due, {members}"
            f" from results g{self._proof_joins()}"
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
