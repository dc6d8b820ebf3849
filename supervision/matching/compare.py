"""Two engines, one rule, one landing, one day: the same rows, or which differ. Nothing is changed."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from chuxiong.accounts.scope import scope
from ingestion import agreements
from ingestion import selectors as ingestion
from supervision.matching import engines, history
from supervision.matching.run import parameters, reach_of
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.load import LoadedRule

#: differing results that are named
_NAMED = 20


@dataclass(frozen=True)
class Comparison:
    """``only_*`` count results that one engine alone has (a: Postgres, b: DuckDB); ``different``: in content.

    ``examples``: (bucket or kind of difference, columns that differ) of the first; subjects are not named.
    """

    rule: str
    landing: int
    as_of: date
    results: int
    only_a: int
    only_b: int
    different: int
    examples: tuple[tuple[str, tuple[str, ...]], ...]
    seconds_postgres: float
    seconds_duckdb: float

    @property
    def equal(self) -> bool:
        return not (self.only_a or self.only_b or self.different)


def compare(
    rule: LoadedRule, *, at: datetime, as_of: date, asked: history.Asked, record: bool = True
) -> Comparison:
    """Compute the rule with Postgres and with DuckDB and lay the results side by side."""
    plan = compile_rule(rule, ingestion.catalog())
    permit = agreements.check(plan.fields_read, on=as_of)
    if not permit.allowed:
        raise engines.CannotRun(
            permit.explain(), "An agreement does not cover what the model reads", "stopped"
        )
    reach = reach_of(rule)
    log = history.Log(rule.id, version=rule.version, engine="duckdb", as_of=as_of, at=at, asked=asked)
    with (
        log,
        scope(
            offices=reach.offices, feeds=plan.fields_read, purpose=reach.purpose, department=reach.department
        ),
        connection.cursor() as cursor,
    ):
        landing = ingestion.last_landing()
        params = parameters(plan, landing, as_of)
        log.mode = "compare"
        if record:
            log.begin("compare", landing)
        began = time.perf_counter()
        with log.watched(None):
            engines.evaluate(cursor, plan, params, None, name="run_result")
        middle = time.perf_counter()
        with engines.columns(plan, reach, landing=landing, memory_mb=log.budget.memory_mb) as duck:
            opened = time.perf_counter()
            with log.watched(duck):
                engines.evaluate(cursor, plan, params, duck, name="run_other")
        seconds = (round(middle - began, 3), round(time.perf_counter() - opened, 3))
        found = side_by_side(cursor, "run_result", "run_other")
        cursor.execute("drop table run_result; drop table run_other")
        if record:
            log.close("done", landing, subjects=found["results"])
    return Comparison(
        rule.id, landing, as_of, **found, seconds_postgres=seconds[0], seconds_duckdb=seconds[1]
    )


_KEY = ("subject_kind", "subject_ref", "bucket")


def side_by_side(cursor: Any, a: str, b: str) -> dict[str, Any]:
    """Two results, temporary tables: counted, and what differs of the first."""
    compared = [name for name in engines.RESULT if name not in _KEY]
    differing = ", ".join(f"case when a.{n} is distinct from b.{n} then '{n}' end" for n in compared)
    cursor.execute(
        "create temp table run_difference on commit drop as select coalesce(a.bucket, b.bucket) as bucket,"
        " a.subject_ref is null as no_a, b.subject_ref is null as no_b,"
        f" array_remove(array[{differing}], null) as columns"
        f" from {a} a full join {b} b using ({', '.join(_KEY)})"
    )
    cursor.execute(
        "select count(*) filter (where no_b), count(*) filter (where no_a),"
        " count(*) filter (where not no_a and not no_b and columns <> '{}'), count(*) from run_difference"
    )
    only_a, only_b, different, results = cursor.fetchone()
    cursor.execute(
        "select case when no_b then 'only a' when no_a then 'only b' else bucket end,"
        " case when no_a or no_b then '{}' else columns end from run_difference"
        " where no_a or no_b or columns <> '{}' limit %s",
        [_NAMED],
    )
    examples = tuple((bucket, tuple(columns)) for bucket, columns in cursor.fetchall())
    cursor.execute("drop table run_difference")
    return {
        "results": results,
        "only_a": only_a,
        "only_b": only_b,
        "different": different,
        "examples": examples,
    }


def in_transaction(rule: LoadedRule, *, at: datetime, as_of: date, asked: history.Asked) -> Comparison:
    """As a command calls it: one transaction, rolled back but for its entry in the history."""
    with transaction.atomic():
        return compare(rule, at=at, as_of=as_of, asked=asked)
