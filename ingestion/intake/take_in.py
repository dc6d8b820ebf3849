"""One stored file through the whole intake: read, normalise, shelter, stage, land.

Each chunk is committed to staging; only the landing is one transaction. A killed run starts again
from the stored file; nothing of it was visible.
"""

from __future__ import annotations

import json
import logging
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import polars as pl
from django.db import connections, transaction
from django.utils import timezone

from chuxiong.kit.problems import Problem
from chuxiong.vault import envelope, refs
from chuxiong.work.bell import publish
from chuxiong.work.jobs import enqueue
from ingestion.catalog.expectations import Tally
from ingestion.catalog.spec import DISAGREES, FeedSpec
from ingestion.imports.columns import NOTES
from ingestion.imports.registered import mapping_for, reading_feed
from ingestion.intake import conflicts, coverage, holding, late, merge, snapshots
from ingestion.intake.ahead import ahead
from ingestion.intake.issues import raise_issue
from ingestion.intake.normalising import Mapping, Normalised, normalise
from ingestion.intake.reading import LeftOut, Limits, Refused, Table, read_table
from ingestion.intake.receive import ALIAS, data_key_of, store_path
from ingestion.intake.shelter import shelter
from ingestion.models import Batch
from ingestion.texts.deriving import derive

logger = logging.getLogger(__name__)

#: (column in the sender's words, note) → rows that were taken in all the same
Notes = Counter[tuple[str, str]]


class Superseded(Exception):
    """Another worker holds the newer claim on this batch."""


class _Forgotten(Exception):
    """A clearing landed while the file was read: the vault may have forgotten identifiers whose refs are staged."""


#: how often one file is read while other landings make what was staged of it worthless. Both causes are rare (the same
#: feed landed beside it; data were cleared), so a third time in a row is a state that a person should know of.
_READINGS = 3


def take_in(batch_id: int, feed: FeedSpec, *, fence: int, at: datetime) -> Batch:
    """Take one received batch in. Safe to call again at any time; a landed batch is left alone."""
    for _ in range(_READINGS):
        try:
            return _take_in(batch_id, feed, fence=fence, at=at)
        except (_Forgotten, merge.Overtaken) as changed:
            logger.info("batch %s is read again: %s", batch_id, type(changed).__name__)
    batch = _claim(batch_id, fence)
    if batch.state != Batch.State.READING:
        return batch
    problem = Problem(
        place=batch.file_name,
        what=f"读取期间数据池连续 {_READINGS} 次被清除或改动，本批未入库",
        cure="待数据清除或同一数据源的其他交付办结后放行，系统将从头读取。",
        what_en=f"The pool was cleared or changed {_READINGS} times running while this file was read; nothing of it was loaded",
        cure_en="Let it in when the clearing, or the other delivery of this feed, is over; the file is then read from the start.",
    )
    return _hold_unread(batch, fence, problem, "overtaken")


def _hold_unread(batch: Batch, fence: int, problem: Problem, why: str) -> Batch:
    """Held not for what it says but because it could not be taken in: letting it in tries again and accepts nothing."""
    with transaction.atomic(using=ALIAS):
        batch.layout = {**batch.layout, "failed": why}
        batch.save(using=ALIAS, update_fields=["layout"])
        return _end(batch, fence, Batch.State.HELD, problem)


def _take_in(batch_id: int, feed: FeedSpec, *, fence: int, at: datetime) -> Batch:
    """Once through. Raises ``_Forgotten`` or ``merge.Overtaken`` when the file must be read again."""
    batch = _claim(batch_id, fence)
    if batch.state != Batch.State.READING:
        return batch
    data_key = data_key_of(batch)
    try:
        known = reading_feed(feed)
        table = read_table(
            store_path(batch.layout["store"]), known, limits=Limits(), name=batch.file_name, key=data_key
        )
        mapping = mapping_for(batch, table, feed, known)
        _check_layout(batch, feed, table, mapping)
        holding.check_layout(batch, feed, mapping, _not_notes(batch, table))
        cleared = _last_clearing()
        received, blank, filled, notes = _stage_all(batch, feed, table, mapping, data_key, fence)
    except Refused as refusal:
        return _end(batch, fence, Batch.State.REFUSED, refusal.problem)
    except holding.Held as held:
        return _end(batch, fence, Batch.State.HELD, held.problem)
    shortfall = _below_minimum(feed, received, filled) if not batch.layout.get("accepted") else None
    if shortfall:
        return _end(batch, fence, Batch.State.HELD, shortfall)
    try:
        return _land(
            batch, feed, fence=fence, at=at, received=received, blank=blank, notes=notes, cleared=cleared
        )
    except Refused as refusal:
        return _end(batch, fence, Batch.State.REFUSED, refusal.problem)
    except holding.Held as held:
        return _end(batch, fence, Batch.State.HELD, held.problem)


def _last_clearing() -> int:
    """Number of the last landing of a clearing; 0 for none. Other landings of no feed forget nothing."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "select coalesce(max(number), 0) from ingestion_landing where feed = '' and kind = 'clearing'"
        )
        return int(cursor.fetchone()[0])


def give_up(batch_id: int, *, fence: int, error: str) -> bool:
    """A batch whose job failed for good ends as held, so that nobody waits for it any more; whether it did.

    ``error``: type and place, without a message, which may quote a record. Letting it in tries again from the start.
    """
    with transaction.atomic(using=ALIAS):
        batch = Batch.objects.using(ALIAS).select_for_update().get(pk=batch_id)
        if batch.state not in (Batch.State.RECEIVED, Batch.State.READING) or batch.fence > fence:
            return False
        batch.fence = fence
        batch.save(using=ALIAS, update_fields=["fence"])
        _hold_unread(batch, fence, _failed(batch, error), error)
    return True


def _failed(batch: Batch, error: str) -> Problem:
    return Problem(
        place=batch.file_name,
        what=f"多次处理均未成功（{error}），本批未入库，后续交付不再等待",
        cure="请系统管理员按出错位置排除原因后放行，系统将从头处理；无法排除的，退回并请提供单位另行报送。",
        what_en=f"It failed every time it was tried ({error}); nothing of it was loaded, and later deliveries no longer wait",
        cure_en="Let it in once a system administrator has removed the cause: it is tried again from the start. Else send it back"
        " and ask the provider for another file.",
    )


def give_up_abandoned() -> list[int]:
    """Batches on their way in whose job has failed and that no job works on any more end as held; returns their numbers."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "select b.id, b.fence, j.error from ingestion_batch b cross join lateral (select error from work_job j"
            " where j.kind = 'take_in' and j.key = b.id::text and j.state = 'failed' order by j.id desc limit 1) j"
            " where b.state in ('received', 'reading') and not exists (select from work_job o where o.kind = 'take_in'"
            " and o.key = b.id::text and o.state in ('queued', 'running')) order by b.id"
        )
        left = cursor.fetchall()
    return [pk for pk, fence, error in left if give_up(pk, fence=fence, error=_without_message(error))]


def _without_message(error: str) -> str:
    """Of an error written down when messages were still kept, the type alone."""
    kept = re.match(r"\w+(?: \([\w/.-]+:\d+\)$)?", error)
    return kept[0] if kept else "?"


def waits_its_turn(batch_id: int, feed: str) -> bool:
    """Whether an earlier delivery of the feed is still on its way in: what came later must land later, or a correction
    would be overwritten by what it corrects. A delivery that nobody works on any more keeps nobody waiting.
    """
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "select exists (select from ingestion_batch b join work_job j on j.kind = 'take_in' and j.key = b.id::text"
            " and j.state in ('queued', 'running') where b.feed = %s and b.id < %s and b.state in ('received', 'reading'))",
            [feed, batch_id],
        )
        return bool(cursor.fetchone()[0])


def _claim(batch_id: int, fence: int) -> Batch:
    with transaction.atomic(using=ALIAS):
        batch = Batch.objects.using(ALIAS).select_for_update().get(pk=batch_id)
        if batch.fence > fence:
            raise Superseded(batch_id)
        if batch.state in (Batch.State.RECEIVED, Batch.State.READING):
            batch.state, batch.fence, batch.progress = Batch.State.READING, fence, 0
            batch.save(using=ALIAS)
    return batch


def _check_layout(batch: Batch, feed: FeedSpec, table: Table, mapping: Mapping) -> None:
    """A file that lacks a required column is refused; a header nobody knows becomes an issue."""
    if mapping.missing:
        expected = "、".join(feed.column(name).headers[0] for name in mapping.missing)
        raise Refused(
            Problem(
                place=f"{batch.file_name} 第 {table.header_row} 行（表头）",
                what=f"缺少必填列：{expected}。读到的表头：{'、'.join(table.headers[:30])}",
                cure=f"请确认文件属于“{feed.title.zh}”，或在数据源页把该列名登记为别名后重新导入。",
                what_en=f"required columns are missing: {', '.join(feed.column(n).en for n in mapping.missing)}",
                cure_en=f"check that the file belongs to “{feed.title.en}”, or register the header as an alias and import again",
            )
        )
    for header in mapping.unknown:
        raise_issue(
            batch,
            "unknown_header",
            header,
            f"文件 {batch.file_name} 多出一列“{header}”，未入库。请登记为别名，或列入不采集的列。",
        )


def _not_notes(batch: Batch, table: Table) -> list[LeftOut]:
    """Sheets of the workbook that were not read, but for the notes of our own blank sheets; each is told as an issue."""
    others = [sheet for sheet in table.others if sheet.sheet != NOTES]
    for sheet in others:
        text = f"文件 {batch.file_name} 的工作表“{sheet.sheet}”有 {sheet.rows} 行没有读取。请与提供单位核对是否为本表数据。"
        raise_issue(batch, "sheet_left_out", sheet.sheet, text)
    return others


def _stage_all(
    batch: Batch, feed: FeedSpec, table: Table, mapping: Mapping, data_key: bytes, fence: int
) -> tuple[int, int, dict[str, int], Notes]:
    """Stage every chunk; returns (rows received, blank rows, filled cells by column, kept rows by column and note)."""
    connection = connections[ALIAS]
    with transaction.atomic(using=ALIAS):
        merge.create_staging(connection, feed, batch)
        with connection.cursor() as cursor:
            cursor.execute("delete from ingestion_quarantine where batch_id = %s", [batch.pk])
            if batch.snapshot:
                snapshots.prepare(cursor, batch)
    received = blank = chunks = 0
    filled: dict[str, int] = {}
    disagreeing: Counter[str] = Counter()
    notes: Notes = Counter()
    tally = Tally(feed)
    received_on = timezone.localdate(batch.received_at)
    # Three chunks are on their way at a time: one is checked, one gets its refs, one is written.
    for chunk in ahead(_sheltered(ahead(_normalised(table, feed, mapping, received_on)), feed, batch)):
        result, sheltered, chunks = chunk.result, chunk.sheltered, chunks + 1
        blank += result.blank
        for column, note, rows in result.notes.group_by("column", "reason").len().iter_rows():
            notes[column, note] += rows
        tally.add(result.good, result.bad["row_no"].n_unique())
        received += chunk.rows
        with transaction.atomic(using=ALIAS):
            merge.stage(connection, feed, batch, sheltered)
            if batch.snapshot:
                with connection.cursor() as cursor:
                    nameless = result.bad["row_no"].n_unique() - len(chunk.aside)
                    snapshots.put_aside(cursor, batch, chunk.aside, nameless)
            _quarantine(batch, chunk.originals, result.bad, data_key)
            if not Batch.objects.using(ALIAS).filter(pk=batch.pk, fence=fence).update(progress=received):
                raise Superseded(batch.pk)
        for column in feed.columns:
            if column.output == DISAGREES and column.name in sheltered.columns:
                named = sheltered[column.name].drop_nulls().str.split(",").explode()
                disagreeing.update(named.to_list())
        for name in feed.expectations.minimum.filled:
            if name in result.good.columns:
                filled[name] = filled.get(name, 0) + result.good[name].len() - result.good[name].null_count()
    if chunks > 1:
        with transaction.atomic(using=ALIAS), connection.cursor() as cursor:
            for place, rows in conflicts.across_chunks(cursor, feed, batch, mapping).items():
                notes[place] = max(notes[place], rows)
    for name, rows in disagreeing.items():
        header = feed.column(name).headers[0]
        raise_issue(
            batch,
            "text_disagrees",
            name,
            _DISAGREES.format(file=batch.file_name, rows=rows, header=header),
        )
    for warning in tally.warnings():
        raise_issue(
            batch,
            "above_maximum",
            warning.place,
            f"文件 {batch.file_name} {warning.what}。{warning.cure}。",
        )
    return received, blank, filled, notes


@dataclass(frozen=True)
class _Chunk:
    """Part of a file on its way in. ``originals``: the failing rows as they came; ``rows``: without blank ones."""

    result: Normalised
    originals: pl.DataFrame
    rows: int
    sheltered: pl.DataFrame
    #: hashes of the keys of failing rows, of a full list
    aside: pl.Series


def _normalised(
    table: Table, feed: FeedSpec, mapping: Mapping, received_on: date
) -> Iterator[tuple[Normalised, pl.DataFrame, int]]:
    for chunk in table.chunks():
        result = normalise(chunk, feed, mapping, received_on=received_on)
        failing = chunk.filter(pl.col("row_no").is_in(result.bad["row_no"].unique().implode()))
        yield result, failing, chunk.height - result.blank


def _sheltered(
    chunks: Iterator[tuple[Normalised, pl.DataFrame, int]], feed: FeedSpec, batch: Batch
) -> Iterator[_Chunk]:
    """Refs in place of identifiers. Runs in a thread with a connection of its own: what is minted for a file that does
    not land stands in the vault and is found again."""
    minter = refs.Minter(connections[ALIAS])
    try:
        for result, originals, rows in chunks:
            with transaction.atomic(using=ALIAS):
                sheltered = derive(shelter(result.good, feed, minter), feed)
                aside = (
                    _keys_aside(feed, result, minter) if batch.snapshot else pl.Series([], dtype=pl.String)
                )
            yield _Chunk(result, originals, rows, sheltered, aside)
    finally:
        connections[ALIAS].close()


def _keys_aside(feed: FeedSpec, result: Normalised, minter: refs.Minter) -> pl.Series:
    """The keys of rows that a full list holds although they cannot be loaded."""
    keys = shelter(result.aside, feed, minter)
    whole = keys.height and set(feed.natural_key) <= set(keys.columns)
    return merge.natural_hashes(feed, keys) if whole else pl.Series([], dtype=pl.String)


_DISAGREES = "文件 {file} 有 {rows} 行的“{header}”与文书正文不一致，两个值都已入库；请与提供单位核对。"


def _quarantine(batch: Batch, originals: pl.DataFrame, bad: pl.DataFrame, data_key: bytes) -> None:
    """Seal the failing rows as they came, beside row number, column and reason."""
    if bad.is_empty():
        return
    reasons: dict[int, list[dict[str, Any]]] = {}
    for row in bad.iter_rows(named=True):
        reasons.setdefault(row["row_no"], []).append({"column": row["column"], "reason": row["reason"]})
    numbers: list[int] = []
    texts: list[str] = []
    boxes: list[str] = []
    for original in originals.iter_rows(named=True):
        number = original.pop("row_no")
        sealed = envelope.seal_text(
            json.dumps(original, ensure_ascii=False), data_key, f"{batch.pk}:{number}"
        )
        numbers.append(number)
        texts.append(json.dumps(reasons[number], ensure_ascii=False))
        boxes.append(f"\\x{sealed.hex()}")
    with connections[ALIAS].cursor() as cursor:
        # A table with row-level security takes no COPY.
        cursor.execute(
            "insert into ingestion_quarantine (batch_id, row_no, reasons, sealed)"
            " select %s, q.row_no, q.reasons::jsonb, q.sealed::bytea"
            " from unnest(%s::bigint[], %s::text[], %s::text[]) q(row_no, reasons, sealed)",
            [batch.pk, numbers, texts, boxes],
        )


def _below_minimum(feed: FeedSpec, received: int, filled: dict[str, int]) -> Problem | None:
    minimum = feed.expectations.minimum
    if received < minimum.rows:
        return Problem(
            place=feed.code,
            what=f"只有 {received} 行，少于约定的最少 {minimum.rows} 行",
            cure="请向提供单位核实是否缺页；确认无误后放行（feed release）。",
            what_en=f"{received} rows only, fewer than the {minimum.rows} agreed",
            cure_en="ask the provider whether pages are missing; let it in when all is well",
        )
    for name, share in minimum.filled.items():
        if received and filled.get(name, 0) / received < share:
            return Problem(
                place=f"{feed.code}.{name}",
                what=f"填报率 {filled.get(name, 0) / received:.1%}，低于约定的 {share:.0%}",
                cure="请向提供单位核实该列；确认无误后放行（feed release）。",
                what_en=f"{filled.get(name, 0) / received:.1%} filled in, below the {share:.0%} agreed",
                cure_en="ask the provider about this column; let it in when all is well",
            )
    return None


def _land(
    batch: Batch,
    feed: FeedSpec,
    *,
    fence: int,
    at: datetime,
    received: int,
    blank: int,
    notes: Notes,
    cleared: int,
) -> Batch:
    connection = connections[ALIAS]
    with transaction.atomic(using=ALIAS):
        batch = Batch.objects.using(ALIAS).select_for_update().get(pk=batch.pk)
        if batch.fence != fence:
            raise Superseded(batch.pk)
        with connection.cursor() as cursor:
            covers = coverage.covers(cursor, feed, batch, merge.staging_table(batch))
        number, counts = merge.land(
            connection,
            feed,
            batch,
            at=at,
            covers_until=covers,
            remove_absent=batch.snapshot,
        )
        # Under the lock of landings: no clearing can be between this look and the commit.
        if _last_clearing() != cleared:
            raise _Forgotten(batch.pk)
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from ingestion_quarantine where batch_id = %s", [batch.pk])
            quarantined = cursor.fetchone()[0]
        batch.state, batch.landing, batch.landed_at = Batch.State.LANDED, number, at
        batch.received, batch.blank, batch.quarantined = received, blank, quarantined
        batch.loaded, batch.unchanged = counts.loaded, counts.unchanged
        batch.duplicate, batch.removed, batch.problem = counts.duplicate, counts.removed, None
        noted = [{"column": c, "note": n, "rows": rows} for (c, n), rows in notes.most_common()]
        batch.layout = {**batch.layout, "notes": noted}
        if counts.outdated:
            batch.layout["outdated"] = counts.outdated
        if batch.snapshot and feed.snapshot_scope == "county":
            with connection.cursor() as cursor:
                batch.layout["counties"] = late.counties(cursor, merge.staging_table(batch))
        batch.save(using=ALIAS)
        merge.drop_staging(connection, batch)
        enqueue("landed", str(number), {"landing": number}, priority=2, using=ALIAS)
        transaction.on_commit(lambda: publish("landed", landing=number), using=ALIAS)
    logger.info("batch %s of %s landed as %s: %s rows", batch.pk, feed.code, number, received)
    return batch


def _end(batch: Batch, fence: int, state: str, problem: Problem) -> Batch:
    with transaction.atomic(using=ALIAS):
        batch = Batch.objects.using(ALIAS).select_for_update().get(pk=batch.pk)
        if batch.fence != fence:
            raise Superseded(batch.pk)
        batch.state = state
        batch.problem = {"place": problem.place, "what": problem.what, "cure": problem.cure}
        if problem.what_en:
            batch.problem |= {"what_en": problem.what_en, "cure_en": problem.cure_en}
        batch.save(using=ALIAS)
        merge.drop_staging(connections[ALIAS], batch)
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("delete from ingestion_quarantine where batch_id = %s", [batch.pk])
        transaction.on_commit(lambda: publish("batch", batch=batch.pk), using=ALIAS)
    return batch
