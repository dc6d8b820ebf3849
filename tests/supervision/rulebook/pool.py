"""Puts plain test rows into the real pool tables and runs a compiled rule there."""

from __future__ import annotations

import json
import re
import uuid
from datetime import date
from typing import Any

from django.db import connections, transaction

from chuxiong.accounts.scope import scope
from ingestion.agreements import PURPOSE
from ingestion.pool import pool_columns
from ingestion.selectors import catalog
from supervision.reference import REFERENCE
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.spec import RuleSpec
from tests.conftest import acting_as

#: where rows of tests lie
COUNTIES = ["532301", "532324", "532326"]
_SPACE = uuid.UUID(int=7)


def ref(value: str) -> uuid.UUID:
    """A stable ref for a short test name."""
    return uuid.uuid5(_SPACE, value)


def stored(value: Any, kind: str) -> Any:
    """How the pool holds a value of a test: short names as refs, in columns and inside text."""
    if kind == "uuid" and value is not None:
        return str(ref(value))
    if isinstance(value, str):
        return re.sub(r"〔(citizen_id|credit_code):(\w+)〕", lambda m: f"〔{m[1]}:{ref(m[2])}〕", value)
    return value


def fill(rows: dict[str, list[dict[str, Any]]]) -> None:
    """Replace the pool's content by the given rows, all landed as 1."""
    with connections["owner"].cursor() as cursor:
        # Emptying all tables takes longer than anything else here: only those that hold something.
        cursor.execute(
            " union all ".join(f"select '{c}' where exists (select 1 from pool.\"{c}\")" for c in catalog())
        )
        for (code,) in cursor.fetchall():
            cursor.execute(f'delete from pool."{code}"')
        number = 0
        for code, listed in rows.items():
            kinds = pool_columns(catalog()[code])
            for row in listed:
                number += 1
                values = {name: stored(value, kinds[name]) for name, value in row.items() if name != "county"}
                names = ", ".join(f'"{n}"' for n in values)
                marks = ", ".join(["%s"] * len(values))
                cursor.execute(
                    f'insert into pool."{code}" (natural_hash, row_hash, batch_id, row_no, from_landing, county, {names})'
                    f" values (%s, %s, 1, %s, 1, %s, {marks})",
                    [number.to_bytes(16, "big"), b"x", number, row.get("county", "532301"), *values.values()],
                )


def run_compiled(
    rule: RuleSpec, *, as_of: date, covers: dict[str, date | None]
) -> dict[tuple[str, str], dict[str, Any]]:
    """(subject ref, bucket) → result row of the compiled full query."""
    plan = compile_rule(rule, catalog())
    query = plan.query()
    params = {
        **query.params,
        "landing": 1,
        "as_of": as_of,
        **{f"covers_{f}": covers.get(f) for f in plan.feeds_absent},
    }
    with (
        acting_as("worker"),
        transaction.atomic(using="worker"),
        scope(
            offices=COUNTIES,
            feeds=plan.fields_read,
            purpose=REFERENCE.purpose(rule.domain) or PURPOSE,
            department=REFERENCE.closed_to(rule.domain),
        ),
        connections["worker"].cursor() as cursor,
    ):
        cursor.execute(query.sql, params)
        names = [c.name for c in cursor.description]
        found = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    for row in found:
        row["material"] = json.loads(row["material"])
    return {(row["subject_ref"], row["bucket"]): row for row in found}
