"""Once a day: drafts for feeds that are overdue, reminders of tickets whose term runs out."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import F

from ingestion.catalog.health import limits
from ingestion.models import DataTicket, TicketEvent
from ingestion.selectors import catalog, feed_states
from ingestion.telemetry.devices import silent_devices
from ingestion.telemetry.registry import FEED as STREAM
from ingestion.tickets import drafting


def draft_late(today: date, *, at: datetime) -> int:
    """A draft for every feed that is late or silent and has none in work; feeds never delivered have no term yet."""
    made = 0
    for state in feed_states(on=today):
        if state.state in ("late", "silent"):
            with transaction.atomic(using="intake"):
                made += drafting.of_lateness(
                    catalog()[state.code], expected_by=state.expected_by, covers=state.covers_until, at=at
                )
    return made


def draft_silent(*, at: datetime) -> int:
    """Devices of the stream that have fallen silent are asked after; returns how many stand in a draft made now."""
    feed = catalog().get(STREAM)
    if feed is None:
        return 0
    with transaction.atomic(using="intake"):
        return drafting.of_silence(feed, silent_devices(at), at=at)


def remind(today: date, *, at: datetime) -> int:
    """Tickets near or beyond their term are reminded of, then every few days. Worker code; returns how many."""
    terms = limits().ticket
    with transaction.atomic():
        due = (
            DataTicket.objects.select_for_update()
            .defer("sealed")
            .filter(state=DataTicket.State.SENT, due_on__lte=today + timedelta(days=terms.remind_before_days))
            .exclude(reminded_on__gt=today - timedelta(days=terms.remind_every_days))
        )
        found = list(due)
        DataTicket.objects.filter(pk__in=[t.pk for t in found]).update(
            reminders=F("reminders") + 1, reminded_on=today, version=F("version") + 1, updated_at=at
        )
        TicketEvent.objects.bulk_create(
            TicketEvent(ticket=t, at=at, actor=drafting.MACHINE, kind="reminded") for t in found
        )
    return len(found)
