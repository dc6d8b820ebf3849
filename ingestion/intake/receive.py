"""From bytes handed over to an encrypted file in the batch store and a receipt."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, BinaryIO

from django.conf import settings
from django.db import IntegrityError, connections, transaction
from django.utils import timezone

from chuxiong.kit.problems import Problem
from chuxiong.vault import envelope
from chuxiong.vault.keys import keys
from chuxiong.work.jobs import enqueue
from ingestion import agreements
from ingestion.catalog.spec import FeedSpec
from ingestion.models import Agreement, AgreementClearing, Batch

ALIAS = "intake"
_CLEARED = (AgreementClearing.State.CLEARING, AgreementClearing.State.DONE)


class ImportRefused(Exception):
    """The delivery was not accepted; ``problem`` says where, what and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def store_path(name: str) -> Path:
    return Path(settings.VAR_DIR) / "batches" / f"{name}.enc"


@dataclass(frozen=True)
class Kept:
    """Bytes in the batch store under a key of their own, of no batch yet. ``digest``: SHA-256 of the plain bytes."""

    store: str
    data_key: bytes
    digest: str
    size: int

    def discard(self) -> None:
        store_path(self.store).unlink(missing_ok=True)


def keep(source: BinaryIO) -> Kept:
    """Seal a stream into the batch store. Whoever called sees to it that it becomes a batch or is discarded."""
    data_key, store = envelope.new_data_key(), uuid.uuid4().hex
    try:
        digest, size = envelope.store(source, store_path(store), data_key)
    except BaseException:
        store_path(store).unlink(missing_ok=True)
        raise
    return Kept(store, data_key, digest, size)


def receive(
    source: BinaryIO,
    *,
    feed: FeedSpec,
    file_name: str,
    by: str,
    at: datetime,
    covers_until: date | None = None,
    snapshot: bool | None = None,
    layout: Mapping[str, Any] | None = None,
) -> tuple[Batch, bool]:
    """Store one delivered file and queue its intake. Returns (batch, is_new).

    ``snapshot``: whether the file is a whole list, whose absent records end; None: as the feed's load mode says.
    ``layout``: what the sender's side knows of the file's columns, kept with the batch (see ``ingestion.imports``).

    The same bytes for the same feed are answered with the first batch. Raises ``ImportRefused``
    when no agreement in force covers the feed: then nothing of the file is kept.
    """
    _agreement(feed, file_name, at)
    kept = keep(source)
    return enter(
        kept, feed=feed, file_name=file_name, by=by, at=at, covers_until=covers_until, snapshot=snapshot, layout=layout
    )  # fmt: skip


def _agreement(feed: FeedSpec, file_name: str, at: datetime) -> Agreement:
    """The one in force that covers the feed; raises ``ImportRefused``."""
    today = timezone.localdate(at)
    permit = agreements.check({feed.code: ()}, on=today, using=ALIAS)
    agreement = agreements.agreement_of(feed.code, on=today, using=ALIAS)
    if not permit.allowed or agreement is None:
        raise ImportRefused(
            Problem(
                place=file_name,
                what=f"不能接收数据源 {feed.code}（{feed.title.zh}）的文件：{permit.explain()}",
                cure="登记或续签数据协议后重新导入；文件未保存。",
            )
        )
    return agreement


def enter(
    kept: Kept,
    *,
    feed: FeedSpec,
    file_name: str,
    by: str,
    at: datetime,
    covers_until: date | None = None,
    snapshot: bool | None = None,
    layout: Mapping[str, Any] | None = None,
) -> tuple[Batch, bool]:
    """``receive`` of bytes that are in the batch store already; they go when no batch comes of them."""
    try:
        agreement = _agreement(feed, file_name, at)
    except ImportRefused:
        kept.discard()
        raise
    first = standing(feed.code, kept.digest)
    if first is not None:
        kept.discard()
        return first, False
    try:
        with transaction.atomic(using=ALIAS):
            batch = Batch.objects.using(ALIAS).create(
                feed=feed.code,
                file_name=Path(file_name).name,
                digest=kept.digest,
                size=kept.size,
                agreement=agreement,
                received_at=at,
                received_by=by,
                covers_until=covers_until,
                snapshot=feed.load_mode == "snapshot" if snapshot is None else snapshot,
                layout={**(layout or {}), "store": kept.store},
            )
            with connections[ALIAS].cursor() as cursor:
                ring = keys()
                cursor.execute(
                    "insert into vault_batchkey (batch, sealed, key_id) values (%s, %s, %s)",
                    [batch.pk, ring.wrap(kept.data_key, f"batch:{batch.pk}"), ring.current],
                )
            enqueue("take_in", str(batch.pk), {"batch": batch.pk}, priority=4, using=ALIAS)
    except IntegrityError:
        # The same bytes arrived twice at the same moment.
        first = standing(feed.code, kept.digest)
        kept.discard()
        if first is None:
            raise
        return first, False
    return batch, True


def standing(feed: str, digest: str) -> Batch | None:
    """The delivery of these bytes that stands, if there is one; what a clearing took away may be delivered anew."""
    found = Batch.objects.using(ALIAS).filter(feed=feed, digest=digest).exclude(state=Batch.State.REFUSED)
    cleared = AgreementClearing.objects.using(ALIAS).filter(state__in=_CLEARED).values("agreement")
    return found.exclude(agreement__in=cleared).first()


def data_key_of(batch: Batch) -> bytes:
    """The batch's data key; gone once the batch was cleared."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("select sealed, key_id from vault_batchkey where batch = %s", [batch.pk])
        sealed, key_id = cursor.fetchone()
    return keys().unwrap(sealed, key_id, f"batch:{batch.pk}")
