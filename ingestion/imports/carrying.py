"""Hands a checked upload over to intake, counts what came of it, clears what was called off. Intake's connection."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connections, transaction
from django.db.models import F
from django.utils import timezone

from chuxiong.kit.problems import Problem
from chuxiong.work.bell import publish
from ingestion import agreements
from ingestion.catalog.spec import FeedSpec
from ingestion.imports import columns, files
from ingestion.imports.checking import ALIAS, told
from ingestion.imports.registered import aliases_of
from ingestion.intake import merge
from ingestion.intake.receive import ImportRefused, receive
from ingestion.models import Batch, HeaderAlias, ImportFile, ManualImport
from ingestion.selectors import catalog

State = ManualImport.State


def hand_over(manual_id: int, *, at: datetime) -> None:
    """Make a batch of a queued upload, in one transaction with everything that says so. Safe to repeat.

    The agreement is asked again: for every column that the file feeds, on this day.
    """
    with transaction.atomic(using=ALIAS):
        manual = ManualImport.objects.using(ALIAS).select_for_update().get(pk=manual_id)
        if manual.state != State.QUEUED:
            return
        feed = catalog()[manual.feed]
        file = ImportFile.objects.using(ALIAS).get(manual_id=manual_id)
        wanted = [c for c in manual.choices or [] if c and c != columns.NOT_TAKEN]
        permit = agreements.check({feed.code: wanted}, on=timezone.localdate(at), using=ALIAS)
        try:
            if not permit.allowed:
                raise ImportRefused(_not_permitted(manual, feed, permit.explain()))
            with files.in_memory(file) as path, path.open("rb") as source:
                batch, new = receive(
                    source,
                    feed=feed,
                    file_name=manual.file_name,
                    by=f"{manual.by_name}（{manual.by}）"[:60],
                    at=at,
                    covers_until=manual.covers_until,
                    snapshot=manual.snapshot,
                    layout={"choices": manual.choices, "fingerprint": manual.tally["fingerprint"]},
                )
        except ImportRefused as refusal:
            manual.state, manual.problem, manual.ended_at = State.STOPPED, told(refusal.problem), at
        else:
            manual.batch, manual.state = batch, State.HANDED if new else State.REPEATED
            if new:
                _count_uses(manual, file, feed)
            else:
                manual.ended_at = at
            files.destroy(manual, using=ALIAS)
        manual.save(using=ALIAS, update_fields=["state", "problem", "batch", "ended_at"])
        transaction.on_commit(lambda: publish("import", manual=manual_id), using=ALIAS)


def _not_permitted(manual: ManualImport, feed: FeedSpec, why: str) -> Problem:
    return Problem(
        place=manual.file_name,
        what=f"不能接收数据源 {feed.code}（{feed.title.zh}）的文件：{why}",
        cure="补充或续签数据协议，或把协议未约定的列改为“不接收”，再点导入；数据池未变。",
    )


def _count_uses(manual: ManualImport, file: ImportFile, feed: FeedSpec) -> None:
    """An import that took a column as an alias says has used it."""
    document = files.opened(file) or {}
    by_key = {a.key: a for a in aliases_of(feed.code, using=ALIAS)}
    used = [
        by_key[key].id
        for header, choice in zip(document.get("headers", []), manual.choices or [], strict=True)
        if (key := columns.key_of(header)) in by_key and choice == (by_key[key].column or columns.NOT_TAKEN)
    ]
    HeaderAlias.objects.using(ALIAS).filter(pk__in=used).update(uses=F("uses") + 1)


def count_changes(batch: Batch, feed: FeedSpec) -> None:
    """Beside a landed batch's counts, how many of its records replaced an earlier version; closes its import, as a
    refusal does. Safe to repeat."""
    if batch.state == Batch.State.REFUSED:
        ManualImport.objects.using(ALIAS).filter(batch=batch, state=State.HANDED, ended_at=None).update(
            ended_at=timezone.now()
        )
    if batch.state != Batch.State.LANDED or "changed" in batch.layout:
        return
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute(f'select count(*) from pool."{feed.code}" where to_landing = %s', [batch.landing])
        changed = max(0, cursor.fetchone()[0] - batch.removed)
        cursor.execute(
            "update ingestion_batch set layout = layout || jsonb_build_object('changed', %s::bigint) where id = %s",
            [changed, batch.pk],
        )
        ManualImport.objects.using(ALIAS).filter(batch=batch, state=State.HANDED, ended_at=None).update(
            ended_at=batch.landed_at
        )
        transaction.on_commit(lambda: publish("import", batch=batch.pk), using=ALIAS)


def clear(manual_id: int) -> None:
    """After a cancellation: the uploaded file, and what its batch had staged or put aside. Safe to repeat."""
    with transaction.atomic(using=ALIAS):
        manual: Any = ManualImport.objects.using(ALIAS).select_related("batch").get(pk=manual_id)
        files.destroy(manual, using=ALIAS)
    batch = manual.batch
    if manual.state == State.CANCELLED and batch is not None and batch.state == Batch.State.REFUSED:
        with transaction.atomic(using=ALIAS):
            merge.drop_staging(connections[ALIAS], batch)
            with connections[ALIAS].cursor() as cursor:
                cursor.execute("delete from ingestion_quarantine where batch_id = %s", [batch.pk])


def expire(manual_id: int, *, at: datetime) -> None:
    """An upload that nobody has imported in time is destroyed."""
    open_states = [State.CHECKING, State.CHOOSING, State.READY, State.UNREADABLE, State.STOPPED]
    with transaction.atomic(using=ALIAS):
        manual = ManualImport.objects.using(ALIAS).select_for_update().get(pk=manual_id)
        if manual.state not in open_states:
            return
        files.destroy(manual, using=ALIAS)
        if manual.state != State.UNREADABLE:
            manual.state, manual.ended_at = State.EXPIRED, at
            manual.save(using=ALIAS, update_fields=["state", "ended_at"])
