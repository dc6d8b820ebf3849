"""Set-based staging, merge and landing. The only code that writes the pool."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
from django.db.backends.base.base import BaseDatabaseWrapper

from ingestion import partitions
from ingestion.catalog.spec import FeedSpec
from ingestion.intake import snapshots
from ingestion.models import Batch
from ingestion.pool import pool_columns

_LANDING_LOCK = 0x43584C44  # one key for all landings: numbers must follow commit order


@dataclass(frozen=True)
class Counts:
    """What became of the rows that were good to load."""

    loaded: int
    unchanged: int
    duplicate: int
    removed: int


def staging_table(batch: Batch) -> str:
    return f"staging.b_{int(batch.pk)}"


def create_staging(connection: BaseDatabaseWrapper, feed: FeedSpec, batch: Batch) -> None:
    body = ", ".join(f'"{name}" {kind}' for name, kind in pool_columns(feed).items())
    with connection.cursor() as cursor:
        cursor.execute(f"drop table if exists {staging_table(batch)}")
        cursor.execute(
            f"create unlogged table {staging_table(batch)}"
            f" (row_no integer, natural_hash bytea, row_hash bytea, county text, {body})"
        )


def drop_staging(connection: BaseDatabaseWrapper, batch: Batch) -> None:
    with connection.cursor() as cursor:
        snapshots.drop(cursor, batch)
        cursor.execute(f"drop table if exists {staging_table(batch)}")


def stage(connection: BaseDatabaseWrapper, feed: FeedSpec, batch: Batch, good: pl.DataFrame) -> None:
    """COPY one sheltered chunk into the batch's staging table."""
    if good.is_empty():
        return
    names = [name for name in pool_columns(feed) if name in good.columns]
    with connection.cursor() as cursor:
        _copy(cursor, staging_table(batch), _hashed(feed, good, names))


def _hashed(feed: FeedSpec, good: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    return good.select(
        pl.col("row_no"),
        _hash(good, list(feed.natural_key) or names).alias("natural_hash"),
        _hash(good, [name for name in names if name not in feed.incidental]).alias("row_hash"),
        pl.col("county"),
        *[pl.col(name) for name in names],
    )


def natural_hashes(feed: FeedSpec, frame: pl.DataFrame) -> pl.Series:
    """Of sheltered rows; every column of the key must be in ``frame``."""
    return _hash(frame, list(feed.natural_key))


def _copy(cursor: Any, staged: str, rows: pl.DataFrame) -> None:
    buffer = io.BytesIO()
    rows.write_csv(buffer, include_header=False, datetime_format="%Y-%m-%d %H:%M:%S%.6f%z")
    buffer.seek(0)
    columns = ", ".join(f'"{name}"' for name in rows.columns)
    cursor.copy_expert(f"copy {staged} ({columns}) from stdin (format csv)", buffer)


def _hash(frame: pl.DataFrame, names: list[str]) -> pl.Series:
    """blake2b-16 of the values, as bytea text. A null differs from every text."""
    joined = frame.select(
        pl.concat_str([pl.col(n).cast(pl.String).fill_null("\x00") for n in names], separator="\x1f")
    ).to_series()
    digest = hashlib.blake2b
    return pl.Series([f"\\x{digest(text.encode(), digest_size=16).hexdigest()}" for text in joined.to_list()])


def _next_number(cursor: Any) -> int:
    cursor.execute("select pg_advisory_xact_lock(%s)", [_LANDING_LOCK])
    cursor.execute("select coalesce(max(number), 0) + 1 from ingestion_landing")
    return int(cursor.fetchone()[0])


def land_stream(
    connection: BaseDatabaseWrapper, feed: FeedSpec, batch: Batch, good: pl.DataFrame, *, at: datetime
) -> tuple[int, Counts, int]:
    """Merge one flush of a stream, inside the caller's transaction: (landing, counts, packets that changed something).

    ``row_no`` is the packet's number. Unlike a file's, its staging table belongs to the connection and stays: a table
    made and dropped every second would bloat the catalogue. Of two rows with one key the later counts.
    """
    table, staged = f'pool."{feed.code}"', f'pg_temp."stream_{feed.code}"'
    names = [name for name in pool_columns(feed) if name in good.columns]
    rows = _hashed(feed, good, names)
    single = rows.unique(subset=["natural_hash"], keep="last", maintain_order=True)
    columns = ", ".join(f'"{name}"' for name in names)
    same = f"t.natural_hash = s.natural_hash and t.to_landing is null{_same_month(feed, 's', 't')}"
    with connection.cursor() as cursor:
        body = ", ".join(f'"{name}" {kind}' for name, kind in pool_columns(feed).items())
        cursor.execute(
            f'create temp table if not exists "stream_{feed.code}"'
            f" (row_no integer, natural_hash bytea, row_hash bytea, county text, {body}) on commit delete rows"
        )
        _copy(cursor, staged, single)
        partitions.ensure(cursor, feed, staged)
        number = _next_number(cursor)
        cursor.execute(
            f"update {table} t set to_landing = %s from {staged} s where {same} and t.row_hash <> s.row_hash",
            [number],
        )
        cursor.execute(
            f"with fresh as (insert into {table} (natural_hash, row_hash, batch_id, row_no, from_landing, county, {columns})"
            f" select natural_hash, row_hash, %s, row_no, %s, county, {columns} from {staged} s"
            f" where not exists (select 1 from {table} t where {same}) order by row_no returning row_no)"
            " select count(*), count(distinct row_no) from fresh",
            [batch.pk, number],
        )
        loaded, packets = cursor.fetchone()
        _touch(cursor, feed, number)
        _landed(cursor, feed, batch, number, at, None)
    counts = Counts(loaded, single.height - loaded, rows.height - single.height, 0)
    return number, counts, packets


def land(
    connection: BaseDatabaseWrapper,
    feed: FeedSpec,
    batch: Batch,
    *,
    at: datetime,
    covers_until: date | None,
    remove_absent: bool,
) -> tuple[int, Counts]:
    """Merge the staged rows and take the next landing number, inside the caller's transaction.

    The lock is taken before the merge because every new version is stamped with its number: merges of
    different batches follow each other, reading and staging (nearly all of the time) do not.
    """
    with connection.cursor() as cursor:
        partitions.ensure(cursor, feed, staging_table(batch))
        number = _next_number(cursor)
        counts = _merge(cursor, feed, batch, number, remove_absent)
        _touch(cursor, feed, number)
        _landed(cursor, feed, batch, number, at, covers_until)
    return number, counts


def _landed(
    cursor: Any, feed: FeedSpec, batch: Batch, number: int, at: datetime, covers_until: date | None
) -> None:
    cursor.execute(
        "insert into ingestion_landing (number, feed, batch_id, landed_at, covers_until) values (%s, %s, %s, %s, %s)",
        [number, feed.code, batch.pk, at, covers_until],
    )


def _merge(cursor: Any, feed: FeedSpec, batch: Batch, number: int, remove_absent: bool) -> Counts:
    table, staged = f'pool."{feed.code}"', staging_table(batch)
    cursor.execute(f"analyze {staged}")
    cursor.execute(
        "create temp table incoming on commit drop as"
        " select d.*, c.record_id as replaces, coalesce(c.row_hash = d.row_hash, false) as same"
        f" from (select distinct on (natural_hash) * from {staged} order by natural_hash, row_no desc) d"
        f" left join {table} c on c.natural_hash = d.natural_hash and c.to_landing is null{_same_month(feed, 'd')}"
    )
    cursor.execute(
        f"select (select count(*) from {staged}), count(*), count(*) filter (where same) from incoming"
    )
    staged_rows, distinct_rows, unchanged = cursor.fetchone()
    cursor.execute(
        f"update {table} t set to_landing = %s from incoming i where i.replaces = t.record_id and not i.same"
        f"{_same_month(feed, 'i', 't')}",
        [number],
    )
    columns = ", ".join(f'"{name}"' for name in pool_columns(feed))
    cursor.execute(
        f"insert into {table} (natural_hash, row_hash, batch_id, row_no, from_landing, county, {columns})"
        f" select natural_hash, row_hash, %s, row_no, %s, county, {columns} from incoming where not same order by row_no",
        [batch.pk, number],
    )
    removed = 0
    if remove_absent:
        removed = snapshots.end_absent(cursor, feed, batch, staged, number)
    return Counts(
        loaded=distinct_rows - unchanged,
        unchanged=unchanged,
        duplicate=staged_rows - distinct_rows,
        removed=removed,
    )


def _same_month(feed: FeedSpec, staged: str, pool: str = "c") -> str:
    """Lets the database look into one partition instead of all; the natural key holds the column."""
    if not feed.partition:
        return ""
    return f' and {pool}."{feed.valid_time}" = {staged}."{feed.valid_time}"'


def _touch(cursor: Any, feed: FeedSpec, number: int) -> None:
    """Every subject named by a new, replaced or removed version is touched once per cause."""
    table = f'pool."{feed.code}"'
    for column in feed.columns:
        if not column.subject:
            continue
        # Of a text, every subject it mentions (〔citizen_id:ref〕) is touched.
        ref = f'"{column.name}"::text'
        if column.type == "text":
            ref = f"(regexp_matches(\"{column.name}\", '〔\\w+:([0-9a-f-]{{36}})〕', 'g'))[1]"
        cursor.execute(
            "insert into ingestion_touch (landing, feed, kind, ref, cause)"
            f" select distinct %s::bigint, %s, %s, {ref}, v.cause"
            f" from (select \"{column.name}\", 'landing' as cause from {table} where from_landing = %s"
            f" union all select \"{column.name}\", 'correction' from {table} where to_landing = %s) v"
            f' where "{column.name}" is not null',
            [number, feed.code, column.subject, number, number],
        )
