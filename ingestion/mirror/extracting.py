"""Rows of a table out of Postgres as typed columns, a block at a time: COPY through a pipe, no row objects."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from typing import Any

import polars as pl
import pyarrow as pa
from pyarrow import csv

from ingestion.mirror.tables import Table

_BLOCK = 8 << 20  # bytes of text read at a time

_READ = {
    "int64": pa.int64(),
    "int32": pa.int32(),
    "float64": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "date": pa.date32(),
    "instant": pa.int64(),
    "blob": pa.string(),
}
_STORED = {"instant": pa.timestamp("us", tz="UTC"), "blob": pa.binary()}


def schema(table: Table) -> pa.Schema:
    """The columns of a ``rows`` file."""
    kinds = {name: table.kind(name)[1] for name in table.columns}
    return pa.schema([(name, _STORED.get(kind, _READ[kind])) for name, kind in kinds.items()])


def ends_schema(table: Table) -> pa.Schema:
    return pa.schema([(table.key, pa.int64()), ("to_landing", pa.int64())])


def rows(cursor: Any, table: Table, condition: str, landing: int, tail: str = "") -> Iterator[pa.Table]:
    """Versions that fulfil ``condition`` (trusted SQL over numbers), with the ends known at ``landing``.

    Of a derived table all ends: whoever reads asks which of them count at a landing.
    """
    listed = []
    for name in table.columns:
        written = table.kind(name)[0].format(f'"{name}"')
        if name == "to_landing" and not table.derived:
            written = f"case when to_landing <= {int(landing)} then to_landing end"
        listed.append(written)
    where = " and ".join(filter(None, (table.where, condition)))
    sql = f"select {', '.join(listed)} from {table.relation} where {where}{tail}"
    kinds = {name: table.kind(name)[1] for name in table.columns}
    target = schema(table)
    for block in _copied(cursor, sql, {name: _READ[kind] for name, kind in kinds.items()}):
        yield _typed(block, kinds).cast(target)


def ends(cursor: Any, table: Table, condition: str) -> Iterator[pa.Table]:
    """(key, to_landing) of the versions that fulfil ``condition``."""
    where = " and ".join(filter(None, (table.where, condition)))
    sql = f"select {table.key}, to_landing from {table.relation} where {where}"
    yield from _copied(cursor, sql, {table.key: pa.int64(), "to_landing": pa.int64()})


def _typed(block: pa.Table, kinds: dict[str, str]) -> pa.Table:
    for index, (name, kind) in enumerate(kinds.items()):
        if kind == "instant":
            block = block.set_column(index, name, block.column(name).cast(_STORED["instant"]))
        elif kind == "blob":
            column = pl.from_arrow(block.column(name))
            assert isinstance(column, pl.Series)  # noqa: S101  a column of a table is a series
            block = block.set_column(index, name, column.str.decode("hex").to_arrow().cast(pa.binary()))
    return block


def _copied(cursor: Any, sql: str, types: dict[str, pa.DataType]) -> Iterator[pa.Table]:
    """The rows of a select. The server writes into one end of a pipe while the other is read and parsed."""
    read_end, write_end = os.pipe()
    failed: list[BaseException] = []

    def pump() -> None:
        try:
            with os.fdopen(write_end, "wb") as sink:
                cursor.copy_expert(f"copy ({sql}) to stdout (format csv)", sink)
        except BaseException as error:
            failed.append(error)

    pumping = threading.Thread(target=pump, daemon=True)
    pumping.start()
    try:
        with os.fdopen(read_end, "rb") as source:
            yield from _parsed(source, types)
    finally:
        # Whoever stops reading closes the pipe, and COPY ends with it.
        pumping.join()
        if failed and not isinstance(failed[0], BrokenPipeError):
            raise failed[0]


def _parsed(source: Any, types: dict[str, pa.DataType]) -> Iterator[pa.Table]:
    names = list(types)
    try:
        reader = csv.open_csv(
            source,
            read_options=csv.ReadOptions(column_names=names, block_size=_BLOCK, use_threads=False),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                column_types=types,
                null_values=[""],
                true_values=["t"],
                false_values=["f"],
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
    except pa.ArrowInvalid as error:
        if "Empty CSV" in str(error):
            return
        raise
    for batch in reader:
        yield pa.Table.from_batches([batch])
