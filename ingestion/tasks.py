"""Intake's jobs."""

from django.utils import timezone

from chuxiong.work.jobs import Claim, handler
from ingestion.imports import carrying, checking
from ingestion.intake.take_in import take_in
from ingestion.selectors import batch_feed


@handler("take_in", leased=True)
def run_take_in(claim: Claim) -> None:
    batch_id = claim.payload["batch"]
    feed = batch_feed(batch_id)
    batch = take_in(batch_id, feed, fence=claim.fence, at=timezone.now())
    carrying.count_changes(batch, feed)


@handler("import_check", leased=True)
def run_import_check(claim: Claim) -> None:
    checking.check(claim.payload["import"], claim.payload["revision"])


@handler("import_hand_over", leased=True)
def run_import_hand_over(claim: Claim) -> None:
    carrying.hand_over(claim.payload["import"], at=timezone.now())


@handler("import_clear")
def run_import_clear(claim: Claim) -> None:
    carrying.clear(claim.payload["import"])


@handler("import_expire")
def run_import_expire(claim: Claim) -> None:
    carrying.expire(claim.payload["import"], at=timezone.now())
