"""Intake's jobs."""

from django.utils import timezone

from chuxiong.work.jobs import Claim, enqueue, handler
from ingestion.exchange import deliveries
from ingestion.intake.take_in import take_in
from ingestion.selectors import batch_feed


@handler("take_in", leased=True)
def run_take_in(claim: Claim) -> None:
    batch_id = claim.payload["batch"]
    take_in(batch_id, batch_feed(batch_id), fence=claim.fence, at=timezone.now())


#: seconds until another look: intake is soon over, a person takes longer
_AGAIN = {deliveries.Next.INTAKE: 1, deliveries.Next.PERSON: 60}


@handler("exchange", leased=True)
def run_exchange(claim: Claim) -> None:
    agency = claim.payload["agency"]
    waits_for = deliveries.advance(agency, at=timezone.now())
    if waits_for in _AGAIN:
        enqueue(
            "exchange", agency, claim.payload, priority=4, delay_seconds=_AGAIN[waits_for], using="intake"
        )
