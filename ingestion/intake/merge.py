"""Set-based staging, merge and landing. The only code that writes the pool."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from django.db.backends.base.base import BaseDatabaseWrapper

from chuxiong.kit.binary_copy import binary_copy
from ingestion import partitions
from ingestion.catalog.spec import FeedSpec
from ingestion.intake import late, snapshots
from ingestion.models import Batch, Landing
from ingestion.pool import pool_columns

_HASH = 16  # bytes
#: the subject that a number mentioned in a text stands for; telephones and doubtful numbers are nobody's
_MENTIONED = {"citizen_id": "person", "credit_code": "organisation"}
#: of a staged row: the pool held it when it was staged, so its values were left out
BARE = "_bare"
#: types of a staged row's own columns, beside those of the feed
_STAGED = {"row_no": "integer", "natural_hash": "bytea", "row_hash": "bytea", "county": "text"}
#: bytes that are handed to the database at a time
_BLOCK = 1 << 16
#: rows of a chunk that are looked up to guess how many are held
_SAMPLE = 200
#: share of them held from which on staging bare is the faster way; either way the outcome is the same
_MOSTLY = 0.8
LANDING_LOCK = 0x43584C44  # one key for all landings: numbers must follow commit order


class Overtaken(Exception):
    """What a row was staged against has changed since: the file must be read again."""


@dataclass(frozen=True)
class Counts:
    """What became of the rows that were good to load."""

    loaded: int
    unchanged: int
    #: the same record twice in the file, the later row counts; and rows that a later delivery has overtaken
    duplicate: int
    removed: int
    #: of ``duplicate``, the rows whose record a later delivery has touched already
    outdated: int = 0


def staging_table(batch: Batch) -> str:
    return f"staging.b_{int(batch.pk)}"


def create_staging(connection: BaseDatabaseWrapper, feed: FeedSpec, batch: Batch) -> None:
    body = ", ".join(f'"{name}" {kind}' for name, kind in pool_columns(feed).items())
    with connection.cursor() as cursor:
        cursor.execute(f"drop table if exists {staging_table(batch)}")
        cursor.execute(
            f"create unlogged table {staging_table(batch)}"
            f" (row_no integer, natural_hash bytea, row_hash bytea, county text, {body}, {BARE} boolean)"
        )


def drop_staging(connection: BaseDatabaseWrapper, batch: Batch) -> None:
    with connection.cursor() as cursor:
        snapshots.drop(cursor, batch)
        cursor.execute(f"drop table if exists {staging_table(batch)}")


def stage(connection: BaseDatabaseWrapper, feed: FeedSpec, batch: Batch, good: pl.DataFrame) -> None:
    """COPY one sheltered chunk into the batch's staging table.

    Rows that the pool holds already need no values there: where a sample says that most are such, they are staged bare.
    """
    if good.is_empty():
        return
    names = [name for name in pool_columns(feed) if name in good.columns]
    rows = _hashed(feed, good, names)
    with connection.cursor() as cursor:
        if not feed.partition and _mostly_held(cursor, feed, rows):
            rows = _stage_bare(cursor, feed, batch, rows)
        _copy(cursor, feed, staging_table(batch), rows)


def _mostly_held(cursor: Any, feed: FeedSpec, rows: pl.DataFrame) -> bool:
    step = max(1, rows.height // _SAMPLE)
    sample = rows.select("natural_hash", "row_hash").gather_every(step)
    cursor.execute(
        # One descent into the index for each, whatever the statistics say of a pool that has just grown.
        "select count(*) from unnest(%s::bytea[], %s::bytea[]) as s(natural_hash, row_hash)"
        f' cross join lateral (select from pool."{feed.code}" c where c.natural_hash = s.natural_hash'
        " and c.to_landing is null and c.row_hash = s.row_hash limit 1) k",
        [sample["natural_hash"].to_list(), sample["row_hash"].to_list()],
    )
    return bool(cursor.fetchone()[0] > sample.height * _MOSTLY)


def _stage_bare(cursor: Any, feed: FeedSpec, batch: Batch, rows: pl.DataFrame) -> pl.DataFrame:
    """Stage what the pool holds unchanged, without values; returns the other rows. The merge looks again under its lock."""
    narrow = ["row_no", "natural_hash", "row_hash", "county"]
    if feed.covers and feed.covers in rows.columns and feed.covers not in narrow:
        narrow.append(feed.covers)
    listed = ", ".join(f'"{name}"' for name in narrow)
    cursor.execute("drop table if exists pg_temp.sought")
    cursor.execute(
        f"create temp table sought on commit drop as select {listed} from {staging_table(batch)} with no data"
    )
    _copy(cursor, feed, "pg_temp.sought", rows.select(narrow))
    cursor.execute(
        # One descent into the index for each: the limit keeps the planner from reading the whole of it.
        f"with held as (insert into {staging_table(batch)} ({listed}, {BARE}) select {listed}, true from sought s"
        f' cross join lateral (select from pool."{feed.code}" c where c.natural_hash = s.natural_hash'
        " and c.to_landing is null and c.row_hash = s.row_hash limit 1) k returning row_no)"
        " select coalesce(array_agg(s.row_no), '{}') from sought s where not exists"
        " (select 1 from held h where h.row_no = s.row_no)"
    )
    others = pl.Series(cursor.fetchone()[0], dtype=rows.schema["row_no"])
    return rows.filter(pl.col("row_no").is_in(others.implode()))


def _hashed(feed: FeedSpec, good: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    # A column that the file leaves out is as empty as one that it leaves blank: the same values have the same hash.
    hashed = [name for name in pool_columns(feed) if name not in feed.incidental]
    absent = [pl.lit(None, pl.String).alias(name) for name in hashed if name not in good.columns]
    whole = good.with_columns(absent) if absent else good
    return good.select(
        pl.col("row_no"),
        _digests(whole, list(feed.natural_key) or hashed).alias("natural_hash"),
        _digests(whole, hashed).alias("row_hash"),
        pl.col("county"),
        *[pl.col(name) for name in names],
    )


def natural_hashes(feed: FeedSpec, frame: pl.DataFrame) -> pl.Series:
    """Of sheltered rows; every column of the key must be in ``frame``."""
    return _hash(frame, list(feed.natural_key))


def _copy(cursor: Any, feed: FeedSpec, staged: str, rows: pl.DataFrame) -> None:
    if rows.is_empty():
        return
    columns = ", ".join(f'"{name}"' for name in rows.columns)
    content = binary_copy(rows, _STAGED | pool_columns(feed))
    cursor.copy_expert(f"copy {staged} ({columns}) from stdin (format binary)", content, size=_BLOCK)


def _hash(frame: pl.DataFrame, names: list[str]) -> pl.Series:
    """``_digests`` as bytea text."""
    return "\\x" + _digests(frame, names).bin.encode("hex")


def _digests(frame: pl.DataFrame, names: list[str]) -> pl.Series:
    """blake2b-16 of the values, in bytes. A null differs from every text."""
    joined = frame.select(
        pl.concat_str([pl.col(n).cast(pl.String).fill_null("\x00") for n in names], separator="\x1f")
    ).to_series()
    if not len(joined):
        return joined.cast(pl.Binary)
    # Straight from the column's bytes: no text object per row.
    texts = joined.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest()).cast(pa.large_binary())
    ends = np.frombuffer(texts.buffers()[1], np.int64)[texts.offset : texts.offset + len(texts) + 1].tolist()
    data, digest = memoryview(texts.buffers()[2]), hashlib.blake2b
    digests = b"".join(
        [digest(data[start:end], digest_size=_HASH).digest() for start, end in itertools.pairwise(ends)]
    )
    places = np.arange(0, len(digests) + 1, _HASH, dtype=np.int64)
    binary = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), len(joined), [None, pa.py_buffer(places), pa.py_buffer(digests)]
    )
    return pl.Series(binary)


def next_number(cursor: Any) -> int:
    """The next landing's number, and the lock of landings until the transaction ends."""
    cursor.execute("select pg_advisory_xact_lock(%s)", [LANDING_LOCK])
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
        _copy(cursor, feed, staged, single)
        partitions.ensure(cursor, feed, staged)
        number = next_number(cursor)
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
        late.confirm(
            cursor,
            batch,
            f"select s.natural_hash from {staged} s join {table} t on {same} where t.from_landing < {number}",
        )
        _touch(cursor, feed, number)
        _landed(cursor, feed, batch, number, at, None, Landing.Kind.STREAM)
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
        number = next_number(cursor)
        counts = _merge(cursor, feed, batch, number, remove_absent)
        _touch(cursor, feed, number)
        _landed(cursor, feed, batch, number, at, covers_until, Landing.Kind.FILE)
    return number, counts


def _landed(
    cursor: Any,
    feed: FeedSpec,
    batch: Batch,
    number: int,
    at: datetime,
    covers_until: date | None,
    kind: Landing.Kind,
) -> None:
    cursor.execute(
        "insert into ingestion_landing (number, feed, kind, batch_id, landed_at, covers_until)"
        " values (%s, %s, %s, %s, %s, %s)",
        [number, feed.code, kind.value, batch.pk, at, covers_until],
    )


def _merge(cursor: Any, feed: FeedSpec, batch: Batch, number: int, remove_absent: bool) -> Counts:
    """One pass over the staged rows. What is set apart first is narrow: rows that a later one of the same file

    replaces, and rows whose record the pool holds already; of a first delivery both are empty.
    """
    table, staged = f'pool."{feed.code}"', staging_table(batch)
    # The columns that are joined on: looking at all of them takes longer than merging a small batch.
    cursor.execute(f"analyze {staged} (natural_hash, row_no)")
    cursor.execute(
        "create temp table twice on commit drop as select natural_hash, max(row_no) as row_no, count(*) as times"
        f" from {staged} group by natural_hash having count(*) > 1"
    )
    cursor.execute(
        "create temp table held on commit drop as select s.row_no, c.record_id, c.row_hash = s.row_hash as same,"
        f" coalesce(s.{BARE}, false) as bare from {staged} s join {table} c on c.natural_hash = s.natural_hash and c.to_landing is null{_same_month(feed, 's')}"
        " where not exists (select 1 from twice d where d.natural_hash = s.natural_hash and d.row_no <> s.row_no)"
    )
    cursor.execute(
        f"select (select count(*) from {staged}), (select coalesce(sum(times - 1), 0)::bigint from twice),"
        " count(*) filter (where same), count(*) filter (where not same), count(*) filter (where same and bare),"
        f" (select count(*) from {staged} s where {BARE} and not exists (select 1 from twice d"
        " where d.natural_hash = s.natural_hash and d.row_no <> s.row_no)) from held"
    )
    staged_rows, duplicate, unchanged, replaced, still_bare, bare = cursor.fetchone()
    if bare != still_bare:
        raise Overtaken(batch.pk)
    outdated = 0
    if came_late := late.overtaken(cursor, feed, batch, staged, whole=remove_absent):
        replaced_late, outdated = _set_aside(cursor, staged)
        replaced -= replaced_late
    if unchanged or replaced:
        cursor.execute("analyze held")
    if replaced:
        month = f' and t."{feed.valid_time}" = s."{feed.valid_time}"' if feed.partition else ""
        source = f"held h join {staged} s on s.row_no = h.row_no" if feed.partition else "held h"
        cursor.execute(
            f"update {table} t set to_landing = %s from {source} where t.record_id = h.record_id and not h.same{month}",
            [number],
        )
    apart = ""
    if duplicate or unchanged or outdated:
        apart = (
            " where not exists (select 1 from held h where h.row_no = s.row_no and h.same)"
            " and not exists (select 1 from twice d where d.natural_hash = s.natural_hash and d.row_no <> s.row_no)"
            " order by s.row_no"
        )
    columns = ", ".join(f'"{name}"' for name in pool_columns(feed))
    # Staged in the order of the file, read in that order: records are numbered as the sender listed them.
    cursor.execute("set local synchronize_seqscans = off")
    cursor.execute(
        f"insert into {table} (natural_hash, row_hash, batch_id, row_no, from_landing, county, {columns})"
        f" select natural_hash, row_hash, %s, row_no, %s, county, {columns} from {staged} s{apart}",
        [batch.pk, number],
    )
    late.confirm(
        cursor,
        batch,
        f"select s.natural_hash from held h join {staged} s on s.row_no = h.row_no where h.same",
    )
    removed = 0
    if remove_absent:
        removed = snapshots.end_absent(cursor, feed, batch, staged, number, outdated=came_late)
    return Counts(
        loaded=staged_rows - duplicate - unchanged - outdated,
        unchanged=unchanged,
        duplicate=duplicate + outdated,
        removed=removed,
        outdated=outdated,
    )


def _set_aside(cursor: Any, staged: str) -> tuple[int, int]:
    """Rows whose record a later delivery has touched count as held already: (those with a version in force, all)."""
    cursor.execute(
        f"update held h set same = true from {staged} s join newer n on n.natural_hash = s.natural_hash"
        " where s.row_no = h.row_no and not h.same"
    )
    replaced = cursor.rowcount
    cursor.execute(
        f"insert into held (row_no, same, bare) select s.row_no, true, false from {staged} s"
        " join newer n on n.natural_hash = s.natural_hash"
        " where not exists (select 1 from held h where h.row_no = s.row_no)"
        " and not exists (select 1 from twice d where d.natural_hash = s.natural_hash and d.row_no <> s.row_no)"
    )
    return replaced, replaced + cursor.rowcount


def _same_month(feed: FeedSpec, staged: str, pool: str = "c") -> str:
    """Lets the database look into one partition instead of all; the natural key holds the column."""
    if not feed.partition:
        return ""
    return f' and {pool}."{feed.valid_time}" = {staged}."{feed.valid_time}"'


def _touch(cursor: Any, feed: FeedSpec, number: int) -> None:
    """Every subject named by a new, replaced or removed version is touched once per cause.

    Written in the order of the index: the landing is the latest, so each touch goes to its end.
    """
    table = f'pool."{feed.code}"'
    for column in feed.columns:
        if not column.subject:
            continue
        kind, ref, found = "%s", f'v."{column.name}"', ""
        parameters: list[Any] = [column.subject]
        if column.type == "text":
            # Of a text, every subject it mentions (〔citizen_id:ref〕) is touched, as what it is.
            kinds = " ".join("when %s then %s" for _ in _MENTIONED)
            kind, ref = f"case m.found[1] {kinds} end", "m.found[2]"
            found = (
                f" cross join lateral regexp_matches(v.\"{column.name}\", '〔({'|'.join(_MENTIONED)}):([0-9a-f-]{{36}})〕',"
                " 'g') as m(found)"
            )
            parameters = [part for pair in _MENTIONED.items() for part in pair]
        cursor.execute(
            "insert into ingestion_touch (landing, feed, kind, ref, cause)"
            " select %s::bigint, %s, t.kind, t.ref::text, t.cause from ("
            f"select distinct {kind}::text as kind, {ref} as ref, v.cause"
            f" from (select \"{column.name}\", 'landing' as cause from {table} where from_landing = %s"
            f" union all select \"{column.name}\", 'correction' from {table} where to_landing = %s) v{found}"
            f' where v."{column.name}" is not null) t order by t.kind, t.ref',
            [number, feed.code, *parameters, number, number],
        )
