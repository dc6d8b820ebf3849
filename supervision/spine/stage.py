"""The run's temporary tables and the two ways across: COPY in, COPY out."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

import polars as pl
from django.db import connection

_ATTRIBUTES = (
    "kind varchar, name text, sound text, birth date, sex varchar, masked varchar, issued varchar, legacy text, phone uuid,"
    " town varchar, address text"
)
TABLES = {
    # subjects with a number whose records changed; records that changed; sounds to recompute
    "spine_ref": "kind text, ref uuid, primary key (kind, ref)",
    "spine_record": "feed text, natural_hash bytea, primary key (feed, natural_hash)",
    "spine_sound": "kind text, sound text, primary key (kind, sound)",
    "spine_told": f"subject uuid, {_ATTRIBUTES}",
    # the mentions that ought to be current, and who they are found to be
    "spine_wanted": (
        f"feed text, role text, natural_hash bytea, county varchar, record_landing bigint, first_landing bigint, {_ATTRIBUTES}"
    ),
    "spine_found": "feed text, role text, natural_hash bytea, subject uuid, tier text, score float8, reasons jsonb",
    "spine_pair": "left_key text, right_key text, score float8, reasons jsonb",
    "spine_moved": "kind text, old uuid, new uuid",
}


def prepare() -> None:
    """Empty temporary tables, gone with the transaction."""
    with connection.cursor() as cursor:
        for name, columns in TABLES.items():
            cursor.execute(
                f"drop table if exists {name}; create temp table {name} ({columns}) on commit drop"
            )


def execute(sql: str, params: Mapping[str, Any] | None = None) -> int:
    """Run one statement; returns the rows it concerned."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return int(cursor.rowcount)


def read(sql: str, params: Mapping[str, Any], schema: Mapping[str, Any]) -> pl.DataFrame:
    """The answer as columns."""
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return pl.DataFrame(cursor.fetchall(), schema=dict(schema), orient="row")


def copy(table: str, rows: pl.DataFrame) -> None:
    """Append ``rows`` under their column names."""
    if rows.is_empty():
        return
    buffer = io.BytesIO()
    rows.write_csv(buffer, include_header=False, quote_style="necessary")
    buffer.seek(0)
    with connection.cursor() as cursor:
        cursor.copy_expert(f"copy {table} ({', '.join(rows.columns)}) from stdin (format csv)", buffer)
