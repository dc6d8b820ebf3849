"""The mirror as others read it: where it stands, its relation for DuckDB, and the proof that it equals the pool."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb
import polars as pl
import pyarrow as pa
from django.db import connections, transaction
from django.utils import timezone

from ingestion.catalog.load import Catalog
from ingestion.catalog.seals import CASE_QUERY, KINDS
from ingestion.mirror import extracting, files
from ingestion.mirror.files import MirrorFile
from ingestion.mirror.tables import Table, tables
from ingestion.mirror.writing import ALIAS, bring_up
from ingestion.models import MirrorMark

_ROWS_COMPARED = 100_000
_DUCK_TYPES = {
    "int64": "bigint",
    "int32": "integer",
    "float64": "double",
    "bool": "boolean",
    "string": "varchar",
    "date": "date",
    "instant": "timestamptz",
    "blob": "blob",
}


class NotMirrored(Exception):
    """The mirror does not reach the landing asked for: place and cure."""

    def __init__(self, name: str, landing: int, reached: int) -> None:
        self.name, self.landing, self.reached = name, landing, reached
        super().__init__(
            f"{name} 的列式镜像只到第 {reached} 次入库，需要第 {landing} 次；请运行 manage.py mirror write {name} /"
            f" the mirror of {name} ends at landing {reached}, {landing} is needed: manage.py mirror write {name}"
        )


@dataclass(frozen=True)
class Standing:
    """One table's mirror; ``behind`` counts landings of any feed since."""

    name: str
    landing: int
    behind: int
    files: int
    rows: int
    ends: int
    bytes: int
    written_at: datetime | None


@dataclass(frozen=True)
class Difference:
    """``record_id`` is the first that differs; None when the mirror is not there at all."""

    name: str
    landing: int
    rows: int
    record_id: int | None
    what: str


def status(catalog: Catalog, *, using: str = "default") -> list[Standing]:
    with connections[using].cursor() as cursor:
        cursor.execute("select coalesce(max(number), 0) from ingestion_landing")
        last = int(cursor.fetchone()[0])
    marks = {m.name: m for m in MirrorMark.objects.using(using)}
    found = []
    for name in sorted(tables(catalog)):
        mark = marks.get(name) or MirrorMark(name=name)
        listed = [MirrorFile(**f) for f in mark.files]
        found.append(
            Standing(
                name=name,
                landing=mark.landing,
                behind=last - mark.landing,
                files=len(listed),
                rows=sum(f.rows for f in listed if f.kind == "rows"),
                ends=sum(f.rows for f in listed if f.kind == "ends"),
                bytes=sum(f.bytes for f in listed),
                written_at=mark.written_at,
            )
        )
    return found


def relations(
    names: Iterable[str],
    catalog: Catalog,
    *,
    landing: int,
    offices: Iterable[str],
    purpose: str,
    department: str,
    using: str = "default",
) -> dict[str, str]:
    """Table → DuckDB select of what a scope sees of it, as row-level security shows it to a run.

    Raises ``NotMirrored`` where the mirror does not reach ``landing``.
    """
    found, known = {}, tables(catalog)
    for name in names:
        mark = MirrorMark.objects.using(using).filter(name=name).first()
        if mark is None or mark.landing < landing or mark.shape != known[name].shape:
            raise NotMirrored(name, landing, mark.landing if mark else 0)
        found[name] = _seen(
            known[name], [MirrorFile(**f) for f in mark.files], list(offices), purpose, department
        )
    return found


def _seen(table: Table, listed: list[MirrorFile], offices: list[str], purpose: str, department: str) -> str:
    if not any(f.kind == "rows" for f in listed):
        empty = ", ".join(f'null::{_DUCK_TYPES[table.kind(name)[1]]} as "{name}"' for name in table.columns)
        return f"select {empty} where false"
    columns = ", ".join(
        f'"{name}"::json as "{name}"' if kind == "jsonb" else f'"{name}"'
        for name, kind in table.columns.items()
    )
    conditions = []
    if "county" in table.columns:
        inside = ", ".join(f"'{code}'" for code in sorted(offices) if code.isdigit()) or "''"
        conditions.append(f"(county is null or county in ({inside}))")
    if table.sealed:
        opened = ["seal is null"]
        opened += [
            f"seal = '{code}'"
            for code, kind in KINDS.items()
            if kind.purpose == purpose and kind.purpose != CASE_QUERY and kind.department in ("", department)
        ]
        conditions.append(f"({' or '.join(opened)})")
    where = f" where {' and '.join(conditions)}" if conditions else ""
    return f"select {columns} from ({files.with_ends(table.name, listed, table.key)}) m{where}"


def check(name: str, catalog: Catalog) -> Difference | None:
    """Compare every version in the mirror, all columns, with the pool as it was at the mirror's landing.

    A derived table has no past to compare with: its mirror is brought up first.
    """
    table = tables(catalog)[name]
    if table.derived:
        bring_up(name, catalog, at=timezone.now())
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        # Shared: no writer replaces the files meanwhile.
        cursor.execute("select landing, files from ingestion_mirrormark where name = %s for share", [name])
        found = cursor.fetchone()
        if found is None:
            return Difference(name, 0, 0, None, "尚未写过 / never written")
        landing, listed = int(found[0]), [MirrorFile(**f) for f in json.loads(found[1])]
        missing = [f.name for f in listed if not (files.folder(name) / f.name).is_file()]
        if missing:
            return Difference(name, landing, 0, None, f"缺少文件 {missing[0]} / file missing")
        return _compare(cursor, table, landing, listed)


def _compare(cursor: Any, table: Table, landing: int, listed: list[MirrorFile]) -> Difference | None:
    counted, last, key = 0, 0, table.key
    target = extracting.schema(table)
    with duckdb.connect(config={"memory_limit": "512MB", "threads": 1}) as engine:
        engine.execute("set timezone = 'UTC'")
        has_rows = any(f.kind == "rows" for f in listed)
        while True:
            blocks = list(
                extracting.rows(
                    cursor,
                    table,
                    f"{key} > {last}" + ("" if table.derived else f" and from_landing <= {landing}"),
                    landing,
                    f" order by {key} limit {_ROWS_COMPARED}",
                )
            )
            ours = pa.concat_tables(blocks) if blocks else target.empty_table()
            until = ours.column(key)[-1].as_py() if ours.num_rows else None
            theirs = target.empty_table()
            if has_rows:
                upto = f" and {key} <= {until}" if until is not None else ""
                found = engine.sql(
                    f"select * from ({files.with_ends(table.name, listed, key)}) where {key} > {last}{upto}"
                    f" order by {key}"
                )
                theirs = found.to_arrow_table().cast(target)
            if (difference := _first_difference(ours, theirs, key)) is not None:
                return Difference(table.name, landing, counted, *difference)
            if until is None:
                return None
            counted, last = counted + ours.num_rows, until


def _first_difference(ours: pa.Table, theirs: pa.Table, key: str) -> tuple[int, str] | None:
    left, right = pl.from_arrow(ours), pl.from_arrow(theirs)
    assert isinstance(left, pl.DataFrame) and isinstance(right, pl.DataFrame)  # noqa: S101  tables are frames
    if left.equals(right, null_equal=True):
        return None
    ids, others = left[key].to_list(), right[key].to_list()
    for one, other in zip(ids, others, strict=False):
        if one != other:
            return min(one, other), "只有一边有 / on one side only"
    if len(ids) != len(others):
        return (ids + others)[min(len(ids), len(others))], "只有一边有 / on one side only"
    for name in left.columns:
        for place, (one, other) in enumerate(zip(left[name].to_list(), right[name].to_list(), strict=True)):
            if one != other:
                return int(ids[place]), f"列 {name} 不同 / column {name} differs"
    return None
