"""Both engines on one world: every column of every result row."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from chuxiong.accounts.scope import scope
from ingestion.mirror import reading
from ingestion.selectors import catalog
from supervision.matching import engines
from supervision.matching.compare import compare, side_by_side
from supervision.matching.history import Asked
from supervision.matching.run import reach_of
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.load import LoadedRule
from supervision.selectors import live_rules, rulebook


def differences(rule: LoadedRule, params: dict[str, Any], *, landing: int) -> dict[str, Any]:
    """As ``Comparison`` counts them, for parameters of the test's own; on the worker's connection."""
    plan, reach = compile_rule(rule, catalog()), reach_of(rule)
    with (
        transaction.atomic(),
        scope(offices=reach.offices, feeds=plan.fields_read, purpose=reach.purpose, department=reach.department),
        connection.cursor() as cursor,
        engines.columns(plan, reach, landing=landing, memory_mb=512, bring_up=False) as duck,
    ):  # fmt: skip
        engines.evaluate(cursor, plan, params, None, name="run_result")
        engines.evaluate(cursor, plan, params, duck, name="run_other")
        found = side_by_side(cursor, "run_result", "run_other")
        cursor.execute("drop table run_result; drop table run_other")
    return found


def assert_engines_agree(as_of: date) -> dict[str, int]:
    """All live rules on what has landed, and the mirror with the pool; results per rule."""
    results = {}
    for rule_id in live_rules():
        with transaction.atomic():
            found = compare(
                rulebook()[rule_id], at=timezone.now(), as_of=as_of, asked=Asked("test"), record=False
            )
        assert found.equal, found
        results[rule_id] = found.results
    for code in catalog():
        assert reading.check(code, catalog()) is None
    return results
