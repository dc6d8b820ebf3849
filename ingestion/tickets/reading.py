"""Data tickets as pages and the provider's interface read them. A constant number of queries each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Max, Q, QuerySet
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import agency_scope
from ingestion.catalog.load import Catalog
from ingestion.models import DataTicket, TicketEvent
from ingestion.tickets.actions import desk

PAGE = 30
State = DataTicket.State


@dataclass(frozen=True)
class TicketFilters:
    state: str = ""
    agency: str = ""
    feed: str = ""
    overdue: bool = False


@dataclass(frozen=True)
class TicketPage:
    rows: list[DataTicket]
    total: int
    page: int
    pages: int
    counts: dict[str, int]
    overdue: int


def ticket_page(person: Person, feeds: Catalog, filters: TicketFilters, page: int = 1) -> TicketPage:
    """One page of tickets, newest first; those in work unless a state is asked for."""
    with desk(person, feeds):
        return _page(DataTicket.objects.all(), filters, page)


def _page(found: QuerySet[DataTicket], filters: TicketFilters, page: int) -> TicketPage:
    found = found.defer("sealed")
    if filters.agency:
        found = found.filter(agency=filters.agency)
    if filters.feed:
        found = found.filter(feed=filters.feed)
    late = Q(state=State.SENT, due_on__lt=timezone.localdate())
    tally = found.aggregate(
        **{state: Count("pk", filter=Q(state=state)) for state in State.values},
        late=Count("pk", filter=late),
    )
    overdue = tally.pop("late")
    if filters.overdue:
        wanted, total = found.filter(late), overdue
    elif filters.state in State.values:
        wanted, total = found.filter(state=filters.state), tally[filters.state]
    else:
        wanted = found.exclude(state=State.CLOSED)
        total = sum(n for state, n in tally.items() if state != State.CLOSED)
    pages = max(1, -(-total // PAGE))
    page = min(max(1, page), pages)
    rows = list(wanted.select_related("batch").order_by("-pk")[(page - 1) * PAGE : page * PAGE])
    return TicketPage(rows, total, page, pages, tally, overdue)


def ticket_detail(
    person: Person, feeds: Catalog, pk: int
) -> tuple[DataTicket, list[TicketEvent], bool] | None:
    """(ticket, its history, whether rows are attached); None when there is none."""
    with desk(person, feeds):
        return _detail(DataTicket.objects.filter(pk=pk))


def _detail(found: QuerySet[DataTicket]) -> tuple[DataTicket, list[TicketEvent], bool] | None:
    ticket = (
        found.select_related("batch", "issue")
        .defer("sealed")
        .annotate(attached=Q(sealed__isnull=False))
        .first()
    )
    if ticket is None:
        return None
    return ticket, list(TicketEvent.objects.filter(ticket=ticket)), bool(ticket.attached)  # type: ignore[attr-defined]


def tickets_of_feed(person: Person, feeds: Catalog, feed: str, limit: int = 10) -> list[DataTicket]:
    with desk(person, feeds):
        return list(DataTicket.objects.filter(feed=feed).defer("sealed").order_by("-pk")[:limit])


def tickets_in_work(person: Person, feeds: Catalog) -> dict[str, int]:
    """Per feed, tickets that are not closed."""
    with desk(person, feeds):
        rows = (
            DataTicket.objects.exclude(state=State.CLOSED)
            .order_by()
            .values_list("feed")
            .annotate(n=Count("pk"))
            .values_list("feed", "n")
        )
        return dict(rows)


# ---- the provider's side: nothing that was not sent ---------------------------------------------


def provider_tickets(agency: str, *, closed: bool = False, limit: int = 50) -> list[DataTicket]:
    """What was sent to one provider, newest first."""
    with agency_scope(agency):
        return list(_sent(closed).order_by("-pk")[:limit])


def provider_tickets_since(
    agency: str, *, updated_since: datetime | None, after: int, limit: int
) -> list[DataTicket]:
    """For the provider's machine: in order of number, those changed since a moment."""
    with agency_scope(agency):
        found = _sent(closed=True).filter(pk__gt=after)
        if updated_since:
            found = found.filter(updated_at__gte=updated_since)
        return list(found.annotate(attached=Q(sealed__isnull=False)).order_by("pk")[:limit])


def provider_tickets_changed(agency: str, *, since: datetime, limit: int) -> list[DataTicket]:
    """Those of one provider that changed since a moment, the oldest change first."""
    with agency_scope(agency):
        return list(_sent(closed=True).filter(updated_at__gte=since).order_by("updated_at", "pk")[:limit])


def acknowledged(agency: str, tickets: list[int]) -> dict[int, datetime]:
    """When the provider last signed for each of its tickets."""
    with agency_scope(agency):
        rows = (
            TicketEvent.objects.filter(ticket_id__in=tickets, kind="acknowledged")
            .order_by()
            .values_list("ticket_id")
            .annotate(last=Max("at"))
        )
        return dict(rows)


def provider_ticket(agency: str, pk: int) -> tuple[DataTicket, list[TicketEvent], bool] | None:
    with agency_scope(agency):
        return _detail(_sent(closed=True).filter(pk=pk))


def _sent(closed: bool) -> QuerySet[DataTicket]:
    found = DataTicket.objects.filter(sent_at__isnull=False).defer("sealed")
    return found if closed else found.exclude(state=State.CLOSED)
