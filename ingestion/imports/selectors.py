"""What pages and intake read of manual imports."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import connections
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from ingestion import agreements
from ingestion.catalog.spec import FeedSpec
from ingestion.intake.normalising import Reason
from ingestion.models import Agreement, Batch, ErrorReceipt, HeaderAlias, Landing, ManualImport
from ingestion.selectors import catalog, notes, quarantine_reasons

PAGE = 30


def aliases() -> list[HeaderAlias]:
    """Every alias ever registered, those in force first."""
    rows = HeaderAlias.objects.order_by("withdrawn_at", "feed", "-made_at")
    return sorted(rows, key=lambda a: a.withdrawn_at is not None)


def imports_page(person: Person, page: int) -> tuple[list[ManualImport], int]:
    """(one page of the imports in the person's reach, newest first; how many there are)."""
    with person_scope(person, feeds=catalog()):
        rows = ManualImport.objects.select_related("batch").order_by("-pk")
        return list(rows[(page - 1) * PAGE : page * PAGE]), rows.count()


def import_of(person: Person, manual: int) -> ManualImport | None:
    """One import in the person's reach, with its batch."""
    with person_scope(person, feeds=catalog()):
        return ManualImport.objects.select_related("batch", "batch__agreement").filter(pk=manual).first()


def refusals(on: date | None = None) -> dict[str, str]:
    """Feeds that nothing may be taken in of today → why."""
    terms = agreements.check({code: () for code in catalog()}, on=on or timezone.localdate())
    return dict(terms.refused)


def not_covered(feed: FeedSpec, *, on: date) -> set[str]:
    """The feed's columns that no agreement in force covers."""
    names = [c.name for c in feed.delivered]
    if agreements.check({feed.code: names}, on=on).allowed:
        return set()
    return {name for name in names if not agreements.check({feed.code: [name]}, on=on).allowed}


@dataclass(frozen=True)
class Receipt:
    """What became of one batch, as it is printed and signed. Counts add up: see ``received``."""

    batch: Batch
    feed: FeedSpec
    agreement: Agreement | None
    manual: ManualImport | None
    covers_until: date | None
    #: (column in the sender's words, reason, rows)
    reasons: list[tuple[str, Reason, int]]
    notes: list[tuple[str, Reason, int]]
    #: records that replaced an earlier version; none where intake did not count them apart
    changed: int | None
    taken_out: list[ErrorReceipt]

    @property
    def received(self) -> int:
        return self.batch.received

    @property
    def accepted(self) -> int:
        return self.batch.loaded + self.batch.unchanged + self.batch.duplicate

    @property
    def new(self) -> int:
        return self.batch.loaded - (self.changed or 0)


def receipt_of(person: Person, batch_id: int) -> Receipt | None:
    """The receipt of one delivered file; none for a stream's flush or a batch that does not exist."""
    with person_scope(person, feeds=catalog()):
        found = Batch.objects.select_related("agreement").filter(pk=batch_id).exclude(received_by="HJ 212")
        batch = found.first()
        if batch is None or batch.feed not in catalog():
            return None
        landing = Landing.objects.filter(batch=batch).first()
        manual = ManualImport.objects.filter(batch=batch).exclude(state=ManualImport.State.REPEATED).first()
        return Receipt(
            batch=batch,
            feed=catalog()[batch.feed],
            agreement=batch.agreement,
            manual=manual,
            covers_until=landing.covers_until if landing else batch.covers_until,
            reasons=quarantine_reasons([batch.pk]).get(batch.pk, []),
            notes=notes(batch),
            changed=batch.layout.get("changed"),
            taken_out=list(ErrorReceipt.objects.filter(batch=batch).order_by("-at")[:5]),
        )


def in_reach(person: Person, batch_id: int) -> bool:
    """Whether the batch is the person's office's: imported there, or of the prefecture."""
    with person_scope(person), connections["default"].cursor() as cursor:
        cursor.execute("select ingestion_batch_in_reach(%s)", [batch_id])
        return bool(cursor.fetchone()[0])


def speed(manual: ManualImport) -> dict[str, Any]:
    """How far the batch of an import is: rows done, rows in all, seconds left (none while unknown)."""
    batch, total = manual.batch, int(manual.tally.get("received") or 0)
    done = min(batch.progress, total) if batch else 0
    left = None
    if batch and manual.started_at and done and total > done:
        gone = (timezone.now() - manual.started_at).total_seconds()
        left = round(gone / done * (total - done))
    return {"done": done, "total": total, "left": left}
