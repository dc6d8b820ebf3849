"""A whole list: what it no longer holds has ended. Careful, because an export cut short looks the same.

``expectations.minimum.kept`` is the share of the records in force that a list must still hold; below it the batch is held.
A feed whose counties send their own lists (``snapshot_scope: county``) ends records of the counties in the file only.
A row in quarantine is still in the list: its record stays where its key can be read; where it cannot, nobody can tell
which record it is, so nothing is ended and the feed gets an issue.
"""

from __future__ import annotations

from typing import Any

import polars as pl

from chuxiong.kit.problems import Problem
from ingestion.catalog.spec import FeedSpec
from ingestion.intake.holding import Held
from ingestion.models import Batch


def aside_table(batch: Batch) -> str:
    return f"staging.b_{int(batch.pk)}_aside"


def prepare(cursor: Any, batch: Batch) -> None:
    """Room for the keys of rows that stand aside; null: a key that cannot be read."""
    cursor.execute(f"drop table if exists {aside_table(batch)}")
    cursor.execute(f"create unlogged table {aside_table(batch)} (natural_hash bytea)")


def put_aside(cursor: Any, batch: Batch, hashes: pl.Series, unreadable: int) -> None:
    """``hashes``: bytea text of the readable keys; ``unreadable``: how many rows have none."""
    values: list[str | None] = [*hashes.to_list(), *[None] * unreadable]
    if values:
        cursor.execute(
            f"insert into {aside_table(batch)} (natural_hash) select v::bytea from unnest(%s::text[]) v",
            [values],
        )


def drop(cursor: Any, batch: Batch) -> None:
    cursor.execute(f"drop table if exists {aside_table(batch)}")


def end_absent(
    cursor: Any, feed: FeedSpec, batch: Batch, staged: str, number: int, *, outdated: bool = False
) -> int:
    """End what the list no longer holds, in the transaction of the landing, after its rows were merged.

    ``outdated``: later deliveries have landed, and the temporary table ``newer`` says what they touched.
    Returns how many records ended. Raises ``Held`` when the list keeps less than the feed's band.
    """
    table = f'pool."{feed.code}"'
    cursor.execute("select to_regclass(%s)", [aside_table(batch)])
    noted = cursor.fetchone()[0] is not None
    listed = f"exists (select 1 from {staged} s where s.natural_hash = t.natural_hash)"
    if noted:
        listed = f"({listed} or exists (select 1 from {aside_table(batch)} a where a.natural_hash = t.natural_hash))"
    scope = ""
    if feed.snapshot_scope == "county":
        scope = f" and exists (select 1 from {staged} c where c.county = t.county)"
    # In force before this landing: still so, or replaced by it a moment ago.
    before = f"t.from_landing < {number} and (t.to_landing is null or t.to_landing = {number}){scope}"
    absent = f"t.to_landing is null and t.from_landing < {number} and not {listed}{scope}"
    if outdated:
        # What a later delivery has touched is not this list's to end.
        absent += " and not exists (select 1 from newer n where n.natural_hash = t.natural_hash)"
    cursor.execute(
        f"select coalesce(county, ''), count(*), count(*) filter (where {absent}) from {table} t where {before} group by 1"
    )
    found = cursor.fetchall()
    if feed.snapshot_scope == "feed":
        found = [("", sum(row[1] for row in found), sum(row[2] for row in found))]
    gone = sum(row[2] for row in found)
    if not gone:
        return 0
    if noted and (unreadable := _unreadable(cursor, batch)):
        _tell(cursor, feed, batch, unreadable, gone)
        return 0
    if not batch.layout.get("accepted"):
        for county, total, missing in found:
            _check(feed, county, total, missing)
    cursor.execute(f"update {table} t set to_landing = %s where {absent}", [number])
    return int(cursor.rowcount)


def _check(feed: FeedSpec, county: str, total: int, missing: int) -> None:
    kept, wanted = 1 - missing / total if total else 1.0, feed.expectations.minimum.kept
    if kept >= wanted:
        return
    where = f"{feed.code}（{county}）" if county else feed.code
    raise Held(
        Problem(
            where,
            f"全量清单比在册少 {missing} 条（在册 {total} 条，只保留 {kept:.0%}，约定不少于 {wanted:.0%}）",
            "向提供单位核实是否漏导；确有这么多终止的，说明理由后放行，否则退回。",
            f"The full list lacks {missing} of {total} records in force; it keeps {kept:.0%}, at least {wanted:.0%} is agreed",
            "Ask the provider whether the export was cut short; let it in with a reason, or reject it.",
        )
    )


def _unreadable(cursor: Any, batch: Batch) -> int:
    cursor.execute(f"select count(*) from {aside_table(batch)} where natural_hash is null")
    return int(cursor.fetchone()[0])


def _tell(cursor: Any, feed: FeedSpec, batch: Batch, unreadable: int, gone: int) -> None:
    text = (
        f"文件 {batch.file_name} 有 {unreadable} 行读不出主键，不能确定是哪条记录；清单中没有的 {gone} 条记录因此都未终止。"
        "请提供单位更正这些行后重新报送全量清单。"
    )
    cursor.execute(
        "insert into ingestion_feedissue (feed, kind, place, text, first_batch_id, seen, open)"
        " values (%s, 'snapshot_unreadable', %s, %s, %s, 1, true)"
        " on conflict (feed, kind, place) do update set seen = ingestion_feedissue.seen + 1, open = true,"
        " text = excluded.text",
        [feed.code, "主键", text, batch.pk],
    )
