"""Intake's jobs."""

from django.utils import timezone

from chuxiong.work.jobs import Claim, handler
from ingestion.intake.take_in import take_in
from ingestion.selectors import batch_feed
from ingestion.water.registering import place_from_feeds


@handler("take_in", leased=True)
def run_take_in(claim: Claim) -> None:
    batch_id = claim.payload["batch"]
    take_in(batch_id, batch_feed(batch_id), fence=claim.fence, at=timezone.now())


@handler("river_places")
def run_river_places(claim: Claim) -> None:
    place_from_feeds(at=timezone.now())
