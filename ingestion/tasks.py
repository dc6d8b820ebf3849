"""Intake's jobs."""

import contextlib

from django.utils import timezone

from chuxiong.work.jobs import Claim, handler
from ingestion.intake import holding
from ingestion.intake.take_in import take_in
from ingestion.selectors import batch_feed


@handler("take_in", leased=True)
def run_take_in(claim: Claim) -> None:
    batch_id = claim.payload["batch"]
    take_in(batch_id, batch_feed(batch_id), fence=claim.fence, at=timezone.now())


@handler("held_batch")
def run_held_batch(claim: Claim) -> None:
    """A person's decision on a held batch; whoever came second finds it decided."""
    said = claim.payload
    with contextlib.suppress(holding.NotHeld):
        holding.decide(
            said["batch"], said["outcome"], by=said["by"], office=said["office"], reason=said["reason"]
        )
