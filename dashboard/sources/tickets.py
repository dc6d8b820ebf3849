"""Data tickets: what providers are asked to put right. A ledger of its own; nothing here is a clue."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts.refused import Refused
from dashboard.accounts.page import allowed
from dashboard.desk.page import page, person, pick
from ingestion import selectors as ingestion
from ingestion.catalog.health import limits
from ingestion.models import DataTicket
from ingestion.tickets import actions, reading

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def _number(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None


@allowed("clue.read", "batch.import")
@require_safe
def tickets(request: HttpRequest) -> HttpResponse:
    get = request.GET
    filters = reading.TicketFilters(
        state=get.get("state", "") if get.get("state", "") in DataTicket.State.values else "",
        agency=get.get("agency", "")[:30],
        feed=get.get("feed", "")[:40],
        overdue=bool(get.get("overdue")),
    )
    found = reading.ticket_page(
        person(request), ingestion.catalog(), filters, _number(get.get("page", "")) or 1
    )
    query = get.copy()
    query.pop("page", None)
    context = {
        "found": found,
        "filters": filters,
        "agencies": ingestion.agencies(),
        "titles": {code: feed.title for code, feed in ingestion.catalog().items()},
        "providers": {code: feed.agency for code, feed in ingestion.catalog().items()},
        "query": query.urlencode() + "&" if query else "",
        "in_work": sum(n for state, n in found.counts.items() if state != "closed"),
        "tabs": [(state, found.counts[state]) for state in DataTicket.State.values],
        "previous": found.page - 1,
        "following": found.page + 1,
        "today": timezone.localdate(),
    }
    return page(request, "sources/tickets.html", "tickets", context)


@allowed("clue.read", "batch.import")
@require_safe
def one(request: HttpRequest, ticket: int) -> HttpResponse:
    return _one(request, ticket)


def _one(request: HttpRequest, pk: int, refused: str = "") -> HttpResponse:
    found = reading.ticket_detail(person(request), ingestion.catalog(), pk)
    if found is None:
        raise Http404
    ticket, events, attached = found
    context = {
        "t": ticket,
        "events": events,
        "attached": attached,
        "feed": ingestion.catalog().get(ticket.feed),
        "answers": DataTicket.Answer.values,
        "typed": request.POST,
        "refused": refused,
        "today": timezone.localdate(),
        "answer_days": limits().ticket.answer_days,
    }
    return page(request, "sources/ticket.html", "tickets", context, 409 if refused else 200)


@allowed("ticket.send")
def new(request: HttpRequest) -> HttpResponse:
    """A ticket by hand: about a feed, and perhaps one of its batches or issues."""
    refused, post = "", request.POST
    feed = post.get("feed") or request.GET.get("feed", "")
    if request.method == "POST":
        try:
            made = actions.open_ticket(
                by=person(request),
                at=timezone.now(),
                feeds=ingestion.catalog(),
                feed=feed,
                subject=post.get("subject", ""),
                text=post.get("text", ""),
                batch=_number(post.get("batch", "")),
                issue=_number(post.get("issue", "")),
            )
            return redirect("sources:ticket", made.pk)
        except Refused as error:
            refused = pick(error.zh, error.en)
    issue = ingestion.open_issue(_number(request.GET.get("issue", "")))
    context = {
        "feeds": ingestion.catalog().values(),
        "chosen": feed or (issue.feed if issue else ""),
        "batch": post.get("batch") or request.GET.get("batch", ""),
        "issue": issue,
        "typed": post,
        "refused": refused,
    }
    return page(request, "sources/ticket_new.html", "tickets", context, 409 if refused else 200)


@allowed("ticket.send")
@require_POST
def act(request: HttpRequest, ticket: int, act: str) -> HttpResponse:
    post, done = request.POST, ""
    usual: Any = {"by": person(request), "pk": ticket, "at": timezone.now(), "feeds": ingestion.catalog()}
    version = _number(post.get("version", ""))
    try:
        if act == "send":
            actions.send(subject=post.get("subject", ""), text=post.get("text", ""), version=version, **usual)
            done = _("问题单已发出")
        elif act == "remind":
            actions.remind(**usual)
            done = _("已催办")
        elif act == "answer":
            actions.answer_by_hand(
                answer=post.get("answer", ""), text=post.get("answer_text", ""), version=version, **usual
            )
            done = _("答复已记录")
        elif act == "close":
            actions.close(note=post.get("note", ""), version=version, **usual)
            done = _("问题单已关闭")
        else:
            raise Http404
    except Refused as error:
        return _one(request, ticket, pick(error.zh, error.en))
    messages.success(request, done)
    return redirect("sources:ticket", ticket)


@allowed("ticket.send")
@require_POST
def rows(request: HttpRequest, ticket: int) -> HttpResponse:
    """The provider's own rows, for whoever sends them on paper or disc; the look is on record."""
    try:
        content = actions.rows_for_desk(
            by=person(request), pk=ticket, at=timezone.now(), feeds=ingestion.catalog()
        )
    except Refused as error:
        return _one(request, ticket, pick(error.zh, error.en))
    return spreadsheet(content, f"ticket-{ticket}.xlsx")


def spreadsheet(content: bytes, name: str) -> HttpResponse:
    return HttpResponse(
        content,
        content_type=_XLSX,
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )
