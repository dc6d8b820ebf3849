"""Data tickets go to the front as copies, and the providers' answers come from there."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from chuxiong.accounts.refused import Refused
from ingestion.exchange import sealing
from ingestion.exchange.front import received, store
from ingestion.exchange.front.carrying import Inward, Since, inward, outward
from ingestion.models import DataTicket
from ingestion.tickets import actions, reading

_PAGE = 500
_SHEET = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_ENGLISH = {
    "resent": "Corrected and delivered again",
    "will_resend": "Will be delivered again",
    "correct": "Data are right",
    "explained": "An explanation",
    "extension": "Asks for time",
}


def number_of(pk: int) -> str:
    """A ticket's number as its provider reads it."""
    return f"WT-{pk:06d}"


def answer_kinds() -> list[dict[str, Any]]:
    """The answers that a ticket takes, in order: code, words, and which fields each needs."""
    return [
        {"code": code, "zh": str(label), "en": _ENGLISH[code], "needs": [] if code == "resent" else ["text"]}
        for code, label in DataTicket.Answer.choices
    ]


class _Tickets:
    """Tickets of agencies with a data client: what changed since the last round, now and then all of them."""

    def __init__(self) -> None:
        self._since = Since()

    def __call__(self, cursor: store.Cursor, at: datetime) -> None:
        agencies = store.agencies(cursor, "data")
        for agency, since in self._since(agencies, at).items():
            after = 0
            while found := reading.provider_tickets_since(
                agency, updated_since=since, after=after, limit=_PAGE
            ):
                bring(cursor, agency, found, at)
                after = found[-1].pk
        self._since.done(agencies, at)


tickets = outward(_Tickets())


def bring(
    cursor: store.Cursor, agency: str, found: list[DataTicket], at: datetime, *, ours_stands: bool = False
) -> None:
    """Copies to the front; the provider's own failed rows go along once, sealed to the front's key."""
    public = store.key(cursor, "front") or b""
    held = received.marks(cursor, [number_of(t.pk) for t in found])
    seen = reading.acknowledged(agency, [t.pk for t in found])
    for ticket in found:
        number, attached = number_of(ticket.pk), bool(ticket.attached)  # type: ignore[attr-defined]
        mark = f"{public.hex()[:16]}:{ticket.sealed_rows}" if attached else ""
        box = None
        if mark and held.get(number) != mark:
            content = actions.rows_for_provider(agency=agency, who="前置机", pk=ticket.pk, at=at)
            box = sealing.seal_key(public, content, received.place(number))
        document = _document(ticket, number, attached, seen.get(ticket.pk))
        copy = received.Copy(number, "ticket", agency, ticket.version, document, mark, box)
        received.put(cursor, copy, updated_at=ticket.updated_at, ours_stands=ours_stands)


def changed(agency: str, *, since: datetime, limit: int) -> list[tuple[str, int, str, datetime]]:
    """(number, version, state, when) of the provider's tickets that changed since, the oldest change first."""
    found = reading.provider_tickets_changed(agency, since=since, limit=limit)
    seen = reading.acknowledged(agency, [t.pk for t in found])
    return [(number_of(t.pk), t.version, _state(t, _fresh(t, seen.get(t.pk))), t.updated_at) for t in found]


def _fresh(ticket: DataTicket, seen: datetime | None) -> datetime | None:
    """When it was signed for, if that was after it was last sent."""
    return seen if seen and ticket.sent_at and seen >= ticket.sent_at else None


def _state(ticket: DataTicket, fresh: datetime | None) -> str:
    return {"answered": "answered", "closed": "closed"}.get(
        ticket.state, "acknowledged" if fresh else "waiting"
    )


def _document(ticket: DataTicket, number: str, attached: bool, seen: datetime | None) -> dict[str, Any]:
    fresh = _fresh(ticket, seen)
    return {
        "number": number,
        "kind": "ticket",
        "state": _state(ticket, fresh),
        "subject": ticket.subject,
        "text": ticket.text,
        "feed": ticket.feed,
        "records": received.records_of(number, ticket.sealed_rows if attached else 0, _SHEET),
        "sent_at": _moment(ticket.sent_at),
        "due_on": ticket.due_on.isoformat() if ticket.due_on else None,
        "acknowledged_at": _moment(fresh or (ticket.answered_at if ticket.answer else None)),
        "answers": [] if ticket.state == DataTicket.State.CLOSED else answer_kinds(),
        "answer": ticket.answer,
        "answer_text": ticket.answer_text,
        "answer_until": None,
        "answer_files": [],
        "answered_at": _moment(ticket.answered_at),
        "extension": None,
        "version": ticket.version,
        "updated_at": _moment(ticket.updated_at),
    }


def _moment(at: datetime | None) -> str | None:
    return timezone.localtime(at).isoformat() if at else None


def answer(item: store.Item, document: dict[str, Any], at: datetime) -> dict[str, Any]:
    """A provider signed for its ticket or answered it; where the ticket has changed here meanwhile, ours stands."""
    said: dict[str, Any] = {
        "agency": item.agency, "who": item.client, "pk": _pk(document["number"]), "at": item.at,
        "version": document["version"],
    }  # fmt: skip
    try:
        with transaction.atomic():
            if document["answer"] is None:
                actions.acknowledge_of_provider(**said)
            else:
                actions.answer_of_provider(**said, answer=document["answer"], text=document["text"])
    except Refused as refused:
        return {"state": "refused", "what": refused.zh}
    return {"state": "done"}


def restore(cursor: store.Cursor, agency: str, number: str) -> None:
    pk = _pk(number)
    found = reading.provider_tickets_since(agency, updated_since=None, after=pk - 1, limit=1)
    bring(cursor, agency, [t for t in found if t.pk == pk], timezone.now(), ours_stands=True)


def _pk(number: str) -> int:
    return int(number.removeprefix("WT-"))


inward("ticket", Inward(take=answer, restore=restore))
