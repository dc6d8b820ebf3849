"""What a person must decide about a feed: told once, counted when it comes again."""

from __future__ import annotations

from django.db import connections, transaction

from ingestion.intake.receive import ALIAS
from ingestion.models import Batch

_LONGEST_PLACE = 120


def raise_issue(batch: Batch, kind: str, place: str, text: str) -> None:
    """An open issue of the batch's feed; ``text`` says what is odd and what to do."""
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "insert into ingestion_feedissue (feed, kind, place, text, first_batch_id, seen, open)"
            " values (%s, %s, %s, %s, %s, 1, true)"
            " on conflict (feed, kind, place) do update set seen = ingestion_feedissue.seen + 1",
            [batch.feed, kind, place[:_LONGEST_PLACE], text, batch.pk],
        )
