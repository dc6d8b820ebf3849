"""What a data provider's clerk sees: own feeds, own deliveries, own tickets. Nothing of supervision, nothing of others."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts.models import Person
from chuxiong.accounts.refused import Refused
from dashboard.accounts.page import allowed
from dashboard.desk.page import person, pick
from dashboard.provider.received import frame as letters_frame
from dashboard.sources.tickets import spreadsheet
from ingestion import selectors as ingestion
from ingestion.catalog.spec import FeedSpec
from ingestion.health.reading import deliveries_of
from ingestion.models import DataTicket
from ingestion.tickets import actions, reading


def _own(who: Person) -> dict[str, FeedSpec]:
    """The feeds of the person's agency; the agency comes from the account alone, never from an address."""
    return {code: feed for code, feed in ingestion.catalog().items() if feed.agency.code == who.agency}


def _page(
    request: HttpRequest, template: str, here: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    who = person(request)
    tickets = context.get("tickets")
    if tickets is None:
        tickets = reading.provider_tickets(who.agency)
    name = next((pick(f.agency.zh, f.agency.en) for f in _own(who).values()), who.agency)
    frame = {
        "here": here,
        "agency_name": name,
        "waiting": sum(t.state == DataTicket.State.SENT for t in tickets),
        "today": timezone.localdate(),
        **letters_frame(who),
    }
    return render(request, f"provider/{template}.html", frame | context, status=status)


@allowed("delivery.read")
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    who = person(request)
    own = _own(who)
    states = {s.code: s for s in ingestion.feed_states() if s.code in own}
    recent = deliveries_of(list(own))
    tickets = reading.provider_tickets(who.agency)
    context = {
        "feeds": [
            (feed, states[code], recent[code][:6][::-1], recent[code][:1]) for code, feed in own.items()
        ],
        "tickets": tickets,
        "titles": {code: feed.title for code, feed in own.items()},
    }
    return _page(request, "home", "home", context)


@allowed("delivery.read")
@require_safe
def feed(request: HttpRequest, code: str) -> HttpResponse:
    own = _own(person(request))
    if code not in own:
        raise Http404
    state = next(s for s in ingestion.feed_states() if s.code == code)
    context = {"feed": own[code], "state": state, "deliveries": deliveries_of([code], 30)[code]}
    return _page(request, "feed", "home", context)


@allowed("delivery.read")
@require_safe
def tickets(request: HttpRequest) -> HttpResponse:
    who = person(request)
    every = reading.provider_tickets(who.agency, closed=True, limit=200)
    context = {"tickets": every, "titles": {code: feed.title for code, feed in _own(who).items()}}
    return _page(request, "tickets", "tickets", context)


@allowed("delivery.read")
@require_safe
def ticket(request: HttpRequest, ticket: int) -> HttpResponse:
    return _ticket(request, ticket)


def _ticket(request: HttpRequest, pk: int, refused: str = "") -> HttpResponse:
    who = person(request)
    found = reading.provider_ticket(who.agency, pk)
    if found is None:
        raise Http404
    one, events, attached = found
    context = {
        "t": one,
        "events": events,
        "attached": attached,
        "feed": _own(who).get(one.feed),
        "answers": DataTicket.Answer.values,
        "typed": request.POST,
        "refused": refused,
    }
    return _page(request, "ticket", "tickets", context, 409 if refused else 200)


@allowed("delivery.read")
@require_POST
def answer(request: HttpRequest, ticket: int) -> HttpResponse:
    who, post = person(request), request.POST
    version = post.get("version", "")
    if reading.provider_ticket(who.agency, ticket) is None:
        raise Http404
    try:
        actions.answer_of_provider(
            agency=who.agency,
            who=who.username,
            pk=ticket,
            at=timezone.now(),
            answer=post.get("answer", ""),
            text=post.get("answer_text", ""),
            version=int(version) if version.isascii() and version.isdigit() and len(version) < 10 else None,
        )
    except Refused as error:
        return _ticket(request, ticket, pick(error.zh, error.en))
    messages.success(request, _("答复已提交"))
    return redirect("provider:ticket", ticket)


@allowed("delivery.read")
@require_POST
def rows(request: HttpRequest, ticket: int) -> HttpResponse:
    who = person(request)
    try:
        content = actions.rows_for_provider(agency=who.agency, who=who.username, pk=ticket, at=timezone.now())
    except Refused:
        raise Http404 from None
    return spreadsheet(content, f"ticket-{ticket}.xlsx")
