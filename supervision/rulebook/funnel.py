"""From how many rows a rule's result comes: a count at every step of its compiled query. Pure.

The query is read back as a tree, and its last select is replaced by one that counts the steps before it. So what is
counted is what runs, in whatever dialect.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, Protocol

import sqlglot
from sqlglot import exp

from supervision.rulebook.dialects import Dialect, translate
from supervision.rulebook.spec import RuleSpec, judged_leaves

Step = Literal["source", "linked", "condition", "kept", "true", "clusters", "subjects"]


class _Asked(Protocol):
    """A compiled query."""

    @property
    def sql(self) -> str: ...


def conditions(rule: RuleSpec) -> list[tuple[str, str, str]]:
    """(id, 中文, English) of the conditions on rows, in the order in which the rule reads."""
    found = [(leaf.id, leaf.zh, leaf.en) for leaf in judged_leaves(rule)]
    found += [(leg.id, leg.zh, leg.en) for leg in rule.without]
    return found + ([(rule.score.id, rule.score.zh, rule.score.en)] if rule.score else [])


def funnel_sql(query: _Asked, rule: RuleSpec, dialect: Dialect = "postgres") -> str:
    """One row per step: (place, step, name, rows, yes, no, undecided); binds what ``query`` (of Postgres) binds.

    ``linked``: combinations of rows; of each condition how many say yes, no, neither; ``kept``: not ruled out;
    ``clusters``: occurrences; ``subjects``: results before the conditions on the whole.
    """
    counts: list[str] = []

    def add(step: Step, name: str, table: str, what: str = "count(*)", truth: str = "") -> None:
        told = "null::bigint, null::bigint, null::bigint"
        if truth:
            told = (
                f'count(*) filter (where "{truth}"), count(*) filter (where not "{truth}"),'
                f' count(*) filter (where "{truth}" is null)'
            )
        counts.append(f"select {len(counts)}, '{step}', '{name}', {what}, {told} from {table}")

    for alias in rule.sources:
        add("source", alias, f'"{alias}"')
    add("linked", "", '"judged"')
    for leaf, _, _ in conditions(rule):
        # The points are added up a step later.
        scored = rule.score is not None and leaf == rule.score.id
        add("condition", leaf, '"verdicts"' if scored else '"judged"', truth=f"is_{leaf}")
    add("kept", "", '"kept"')
    add("true", "", '"kept"', "count(*) filter (where is_true)")
    if rule.cluster:
        add("clusters", "", f'(select distinct "{rule.clue.subject}", bucket from "occurrences") c')
    add("subjects", "", '"grouped"')
    return _instead(query.sql, " union all ".join(counts), dialect, order=True)


def pairs_sql(query: _Asked, most: int, dialect: Dialect = "postgres") -> str:
    """How many combinations of rows the links make, counted no further than ``most`` and one."""
    return _instead(query.sql, f'select count(*) from (select 1 from "judged" limit {most + 1}) l', dialect)


@lru_cache(maxsize=256)
def _instead(sql: str, last: str, dialect: Dialect, order: bool = False) -> str:
    tree = sqlglot.parse_one(sql, read="postgres")
    steps = tree.args["with_"]
    after: exp.Expr = sqlglot.parse_one(last, read="postgres")
    if order:
        after = exp.select("*").from_(
            exp.Subquery(this=after, alias=exp.TableAlias(this=exp.to_identifier("f")))
        )
        after = after.order_by("1")
    after.set("with_", steps)
    _prune(after)
    # Said in Postgres's words once more: there the parameters have their marks.
    return (
        translate(after.sql(dialect="postgres"), dialect) if dialect != "postgres" else after.sql("postgres")
    )


def _prune(tree: exp.Expr) -> None:
    """Drop the steps that nothing needs any more: their parameters would stand for nothing."""
    whole = tree.args["with_"]
    steps = {cte.alias: cte for cte in whole.expressions}

    def named(inside: exp.Expr) -> set[str]:
        return {t.name for t in inside.find_all(exp.Table) if not t.db and t.name in steps}

    counted = tree.copy()
    counted.set("with_", None)
    found: set[str] = set()
    waiting = named(counted)
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= named(steps[name]) - found
    whole.set("expressions", [cte for cte in whole.expressions if cte.alias in found])
