"""DuckDB over the column mirror: computes what Postgres computes, for runs that look at everything.

The connection sees the feeds that the rule reads, under the run's scope, as the mirror holds them at the landing; it can
open nothing else. Its result goes into the same temporary table as Postgres's, and from there one way on.
"""

from __future__ import annotations

import io
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import duckdb
import polars as pl
import sqlglot
from django.conf import settings
from django.utils import timezone
from sqlglot import exp

from ingestion import selectors as ingestion
from ingestion.mirror import reading, writing
from ingestion.mirror.tables import tables
from supervision.matching.history import RunStopped
from supervision.rulebook.compiler import Plan
from supervision.rulebook.dialects import PRELUDE

Engine = Literal["postgres", "duckdb"]

#: a run's result, as docs/architecture.md fixes it
RESULT = {
    "subject_kind": "text",
    "subject_ref": "text",
    "bucket": "text",
    "verdict": "text",
    "level": "text",
    "county": "text",
    "material": "jsonb",
    "conditions": "jsonb",
    "evidence": "jsonb",
    "next_due": "date",
    "members": "jsonb",
}
_PARAMETER = re.compile(r"\$([A-Za-z_]\w*)")


@dataclass(frozen=True)
class Reach:
    """The scope of a run, as the pool's policies see it."""

    offices: tuple[str, ...]
    purpose: str
    department: str


class CannotRun(RunStopped):
    """What the rule reads may not be read, or the engine has it not: place and cure."""

    def __init__(self, zh: str, en: str, state: str = "failed") -> None:
        super().__init__(state, zh, en)


@contextmanager
def columns(
    plan: Plan, reach: Reach, *, landing: int, memory_mb: int, bring_up: bool = True, threads: int = 0
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A DuckDB connection on which the plan's queries run. ``bring_up`` writes what the mirror lacks first.

    ``threads``: 0 takes all cores.
    """
    names = _read_by(plan)
    if bring_up:
        for name in names:
            writing.bring_up(name, ingestion.catalog(), at=timezone.now())
    relations = reading.relations(
        names,
        ingestion.catalog(),
        landing=landing,
        offices=reach.offices,
        purpose=reach.purpose,
        department=reach.department,
    )
    mirror = Path(settings.VAR_DIR) / "mirror"
    # What does not fit into memory spills into a folder of this run alone.
    spill = Path(tempfile.mkdtemp(prefix="spill-", dir=_prepared(Path(settings.VAR_DIR) / "spill")))
    config: dict[str, Any] = {"memory_limit": f"{memory_mb}MB"}
    engine = duckdb.connect(config=config | ({"threads": threads} if threads else {}))
    try:
        for statement in PRELUDE["duckdb"]:
            engine.execute(statement)
        engine.execute(f"set temp_directory = '{_quoted(spill)}'")
        engine.execute("create schema pool")
        for name, select in relations.items():
            place = f'pool."{name}"' if tables(ingestion.catalog())[name].feed else f'"{name}"'
            engine.execute(f"create view {place} as {select}")
        engine.execute(f"set allowed_directories = ['{_quoted(mirror)}', '{_quoted(spill)}']")
        engine.execute("set enable_external_access = false")
        engine.execute("set lock_configuration = true")
        yield engine
    finally:
        engine.close()
        shutil.rmtree(spill, ignore_errors=True)


def _prepared(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _read_by(plan: Plan) -> list[str]:
    """Feeds and further tables that the plan's query names; raises ``CannotRun`` for one that is not mirrored."""
    known = tables(ingestion.catalog())
    tree = sqlglot.parse_one(plan.query().sql, read="postgres")
    steps = {cte.alias for cte in tree.find_all(exp.CTE)}
    found = set()
    for table in tree.find_all(exp.Table):
        if table.db == "pool" or table.name not in steps | {"run_subjects"}:
            if not table.name or (not table.db and table.name not in known and not _is_table(table)):
                continue
            found.add(table.name)
    lacking = sorted(found - set(known))
    if lacking:
        raise CannotRun(
            f"模型读取 {'、'.join(lacking)}，列式镜像中没有；请改用 PostgreSQL 引擎",
            f"The model reads {', '.join(lacking)}, which is not mirrored; use the PostgreSQL engine",
        )
    return sorted(found)


def _is_table(table: exp.Table) -> bool:
    """A name of its own, not a function or an unnested array."""
    return isinstance(table.this, exp.Identifier)


def run(engine: duckdb.DuckDBPyConnection, sql: str, params: dict[str, Any]) -> pl.DataFrame:
    """The rows of a query in DuckDB's words; parameters that it does not name are left out."""
    named = set(_PARAMETER.findall(sql))
    # By way of a table, because a relation of the query's own is planned anew at every step on its way to the rows.
    engine.execute(
        f"create or replace temp table run_rows as {sql}", {k: v for k, v in params.items() if k in named}
    )
    rows = engine.table("run_rows").pl()
    engine.execute("drop table run_rows")
    return rows


def into_table(cursor: Any, rows: pl.DataFrame, name: str = "run_result") -> None:
    """Rows of a result as a temporary table of this transaction."""
    body = ", ".join(f"{column} {kind}" for column, kind in RESULT.items())
    cursor.execute(f"create temp table {name} ({body}) on commit drop")
    if rows.is_empty():
        return
    buffer = io.BytesIO()
    rows.select(list(RESULT)).write_csv(buffer, include_header=False)
    buffer.seek(0)
    cursor.copy_expert(f"copy {name} ({', '.join(RESULT)}) from stdin (format csv)", buffer)


def evaluate(
    cursor: Any,
    plan: Plan,
    params: dict[str, Any],
    engine: duckdb.DuckDBPyConnection | None,
    *,
    scope: Literal["full", "subjects"] = "full",
    name: str = "run_result",
) -> None:
    """The plan's result as the temporary table ``name``, computed by ``engine`` or, without one, by Postgres."""
    if engine is None:
        query = plan.query("postgres", scope)
        cursor.execute(f"create temp table {name} on commit drop as {query.sql}", {**query.params, **params})
    else:
        query = plan.query("duckdb", scope)
        into_table(cursor, run(engine, query.sql, {**query.params, **params}), name)
    cursor.execute(f"create index on {name} (subject_ref, bucket, subject_kind); analyze {name}")


def counted(
    cursor: Any, sql: str, params: dict[str, Any], engine: duckdb.DuckDBPyConnection | None
) -> Iterable[tuple[Any, ...]]:
    """Rows of a query in the words of the engine that is given."""
    if engine is not None:
        return run(engine, sql, params).rows()
    cursor.execute(sql, params)
    return list(cursor.fetchall())
