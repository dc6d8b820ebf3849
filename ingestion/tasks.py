"""Intake's jobs."""

import contextlib
from collections.abc import Iterator
from datetime import date

from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from chuxiong.work.jobs import Claim, enqueue, handler
from ingestion.catalog.health import limits
from ingestion.exchange import deliveries
from ingestion.health.measuring import measure
from ingestion.imports import carrying, checking
from ingestion.intake import holding
from ingestion.intake.take_in import give_up, give_up_abandoned, take_in, waits_its_turn
from ingestion.mirror import writing as mirror
from ingestion.models import Landing
from ingestion.registers import agreement_actions
from ingestion.selectors import batch_feed, catalog
from ingestion.tickets import daily, drafting
from ingestion.water.registering import place_from_feeds

#: more claims than a job can have
_CLAIMS = 1 << 16


def _fence(claim: Claim) -> int:
    """A batch that is let in gets a job of its own, whose claims count from one again: the later job outranks."""
    return claim.id * _CLAIMS + claim.fence


@contextlib.contextmanager
def _away_again() -> Iterator[None]:
    """Where the database went away the connection is made anew for the next try."""
    try:
        yield
    except (OperationalError, InterfaceError):
        connections["intake"].close()
        raise


def _give_up(claim: Claim, error: str) -> None:
    with _away_again():
        give_up(claim.payload["batch"], fence=_fence(claim), error=error)


@handler("take_in", leased=True, gave_up=_give_up)
def run_take_in(claim: Claim) -> None:
    batch_id = claim.payload["batch"]
    feed = batch_feed(batch_id)
    if waits_its_turn(batch_id, feed.code):
        enqueue("take_in", str(batch_id), claim.payload, priority=4, delay_seconds=1, using="intake")
        return
    batch = take_in(batch_id, feed, fence=_fence(claim), at=timezone.now())
    carrying.count_changes(batch, feed)


@handler("measure")
def run_measure(claim: Claim) -> None:
    """Rung by every landing of a delivery; a landing of no feed, or of a feed no longer delivered, has no measure."""
    landing = claim.payload["landing"]
    feed = catalog().get(Landing.objects.values_list("feed", flat=True).get(number=landing))
    if feed is not None:
        measure(landing, feed, at=timezone.now())


@handler("mirror", leased=True)
def run_mirror(claim: Claim) -> None:
    """Rung after every landing of a feed; one that waits covers all that land until it is claimed."""
    mirror.bring_up(claim.payload["name"], catalog(), at=timezone.now())


@handler("registers_day")
def run_registers_day(claim: Claim) -> None:
    """Once a day: overdue feeds, silent devices, tickets to remind of, agreements that run out."""
    today, now = date.fromisoformat(claim.payload["day"]), timezone.now()
    give_up_abandoned()
    daily.draft_late(today, at=now)
    daily.draft_silent(at=now)
    daily.remind(today, at=now)
    agreement_actions.warn(today, at=now, days=limits().agreement.warn_days, machine=drafting.MACHINE)


def _check_given_up(claim: Claim, error: str) -> None:
    with _away_again():
        checking.give_up(claim.payload["import"], claim.payload["revision"], error=error)


@handler("import_check", leased=True, gave_up=_check_given_up)
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


@handler("river_places")
def run_river_places(claim: Claim) -> None:
    place_from_feeds(at=timezone.now())


@handler("held_batch")
def run_held_batch(claim: Claim) -> None:
    """A person's decision on a held batch; whoever came second finds it decided."""
    said = claim.payload
    with contextlib.suppress(holding.NotHeld):
        holding.decide(
            said["batch"], said["outcome"], by=said["by"], office=said["office"], reason=said["reason"]
        )


#: seconds until another look: intake is soon over, a person takes longer
_AGAIN = {deliveries.Next.INTAKE: 1, deliveries.Next.PERSON: 60}


@handler("exchange", leased=True)
def run_exchange(claim: Claim) -> None:
    agency = claim.payload["agency"]
    give_up_abandoned()
    waits_for = deliveries.advance(agency, at=timezone.now())
    if waits_for in _AGAIN:
        enqueue(
            "exchange", agency, claim.payload, priority=4, delay_seconds=_AGAIN[waits_for], using="intake"
        )
