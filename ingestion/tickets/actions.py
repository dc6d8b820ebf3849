"""The one writer of data tickets once they are drafted: open, send, remind, answer, close. Each act is audited."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.refused import Refused
from chuxiong.accounts.scope import agency_scope, scope
from chuxiong.audit.record import record
from ingestion.catalog.health import limits
from ingestion.catalog.load import Catalog
from ingestion.models import Batch, DataTicket, FeedIssue, TicketEvent
from ingestion.selectors import deliveries_of_feeds
from ingestion.tickets import attachment

State = DataTicket.State


class Changed(Refused):
    """Somebody changed the ticket since it was read."""

    def __init__(self, version: int) -> None:
        super().__init__(
            "这件问题单刚有变化，请看过最新内容再办理", "this ticket has just changed: look at it again first"
        )
        self.version = version


@contextmanager
def desk(person: Person, feeds: Catalog) -> Iterator[None]:
    """The reach of our own people over tickets: those of every feed, whatever the county."""
    with scope(offices=(), feeds=feeds, purpose="data_quality", person=person.username):
        yield


def _permitted(by: Person) -> None:
    if not by.may("ticket.send"):
        raise Refused("这项操作不在您的职责内", "this is not among your duties")


def _text(value: str, most: int, zh: str, en: str) -> str:
    value = value.replace("\x00", "").strip()
    if not value or len(value) > most:
        raise Refused(f"请填写{zh}（至多 {most} 字）", f"fill in the {en} (at most {most} characters)")
    return value


def _locked(pk: int, version: int | None) -> DataTicket:
    ticket = DataTicket.objects.select_for_update().defer("sealed").filter(pk=pk).first()
    if ticket is None:
        raise Refused("没有这件问题单", "no such ticket")
    if version is not None and ticket.version != version:
        raise Changed(ticket.version)
    return ticket


def _save(ticket: DataTicket, at: datetime, *fields: str) -> None:
    ticket.version, ticket.updated_at = ticket.version + 1, at
    ticket.save(update_fields=[*fields, "version", "updated_at"])


def _trace(ticket: DataTicket, kind: str, actor: str, at: datetime, note: str = "", office: str = "") -> None:
    TicketEvent.objects.create(ticket=ticket, at=at, actor=actor, kind=kind, note=note)
    record(
        at=at,
        actor=actor,
        office=office,
        action=f"ticket.{kind}",
        object_kind="ticket",
        object_ref=str(ticket.pk),
        detail={"feed": ticket.feed, "agency": ticket.agency, "state": ticket.state},
    )


def open_ticket(
    *,
    by: Person,
    at: datetime,
    feeds: Catalog,
    feed: str,
    subject: str,
    text: str,
    batch: int | None = None,
    issue: int | None = None,
) -> DataTicket:
    """A ticket by hand, about a feed, one of its batches or an open issue of its layout."""
    _permitted(by)
    spec = feeds.get(feed)
    if spec is None:
        raise Refused(f"没有数据源 {feed}", f"no feed {feed}")
    subject = _text(subject, 120, "事由", "subject")
    text = _text(text, 5000, "内容", "text")
    with deliveries_of_feeds([feed]):
        foreign = batch is not None and not Batch.objects.filter(pk=batch, feed=feed).exists()
    if foreign:
        raise Refused("批次不属于这个数据源", "the batch is not this feed's")
    if issue is not None and not FeedIssue.objects.filter(pk=issue, feed=feed).exists():
        raise Refused("问题不属于这个数据源", "the issue is not this feed's")
    with desk(by, feeds):
        try:
            with transaction.atomic():
                ticket = DataTicket.objects.create(
                    feed=feed,
                    agency=spec.agency.code,
                    agency_zh=spec.agency.zh,
                    kind=DataTicket.Kind.LAYOUT if issue else DataTicket.Kind.OTHER,
                    batch_id=batch,
                    issue_id=issue,
                    subject=subject,
                    text=text,
                    opened_by=by.username,
                    opened_at=at,
                    updated_at=at,
                )
        except IntegrityError:
            raise Refused("这一批或这个问题已有问题单", "there is a ticket about this already") from None
        _trace(ticket, "opened", by.username, at, office=by.office_id)
    return ticket


def send(
    *,
    by: Person,
    pk: int,
    at: datetime,
    feeds: Catalog,
    subject: str,
    text: str,
    version: int | None = None,
) -> DataTicket:
    """Send the ticket to its provider, or send it again after an answer that does not do. The term begins anew."""
    _permitted(by)
    subject, text = _text(subject, 120, "事由", "subject"), _text(text, 5000, "内容", "text")
    with desk(by, feeds):
        ticket = _locked(pk, version)
        if ticket.state not in (State.OPEN, State.ANSWERED):
            raise Refused(
                "只有待发出或已答复的问题单可以发出", "only a ticket that waits or was answered can be sent"
            )
        again = ticket.state == State.ANSWERED
        ticket.state, ticket.subject, ticket.text = State.SENT, subject, text
        ticket.sent_by, ticket.sent_at = by.username, at
        ticket.due_on = timezone.localdate(at) + timedelta(days=limits().ticket.answer_days)
        ticket.reminders, ticket.reminded_on = 0, None
        _save(
            ticket, at, "state", "subject", "text", "sent_by", "sent_at", "due_on", "reminders", "reminded_on"
        )
        _trace(ticket, "sent_again" if again else "sent", by.username, at, office=by.office_id)
    return ticket


def remind(*, by: Person, pk: int, at: datetime, feeds: Catalog) -> DataTicket:
    """Ask once more; once a day is enough."""
    _permitted(by)
    with desk(by, feeds):
        ticket = _locked(pk, None)
        today = timezone.localdate(at)
        if ticket.state != State.SENT:
            raise Refused("只有待答复的问题单可以催办", "only a ticket that waits for an answer can be urged")
        if ticket.reminded_on == today:
            raise Refused("今天已催办过", "it was urged today already")
        ticket.reminders, ticket.reminded_on = ticket.reminders + 1, today
        _save(ticket, at, "reminders", "reminded_on")
        _trace(ticket, "reminded", by.username, at, office=by.office_id)
    return ticket


def _take(ticket: DataTicket, who: str, at: datetime, answer: str, text: str, office: str = "") -> bool:
    if answer not in DataTicket.Answer.values:
        raise Refused("请选择答复", "choose an answer")
    text = text.replace("\x00", "").strip()
    if len(text) > 5000:
        raise Refused("说明至多 5000 字", "at most 5000 characters")
    if answer != DataTicket.Answer.RESENT and not text:
        raise Refused("请写明说明", "say more in words")
    if ticket.state not in (State.SENT, State.ANSWERED):
        raise Refused("这件问题单现在不需要答复", "this ticket waits for no answer now")
    if (ticket.answer, ticket.answer_text, ticket.state) == (answer, text, State.ANSWERED):
        return False
    ticket.state, ticket.answer, ticket.answer_text = State.ANSWERED, answer, text
    ticket.answered_by, ticket.answered_at = who, at
    _save(ticket, at, "state", "answer", "answer_text", "answered_by", "answered_at")
    _trace(ticket, "answered", who, at, note=text, office=office)
    return True


def answer_by_hand(
    *,
    by: Person,
    pk: int,
    at: datetime,
    feeds: Catalog,
    answer: str,
    text: str,
    version: int | None = None,
) -> DataTicket:
    """An answer that came on paper or by telephone, entered by our own people."""
    _permitted(by)
    with desk(by, feeds):
        ticket = _locked(pk, version)
        _take(ticket, by.username, at, answer, text, by.office_id)
    return ticket


def answer_of_provider(
    *, agency: str, who: str, pk: int, at: datetime, answer: str, text: str, version: int | None = None
) -> DataTicket:
    """The provider's own answer, by its page or its machine; another provider's ticket does not exist for it."""
    with agency_scope(agency):
        ticket = _locked(pk, None)
        if ticket.state == State.OPEN:
            raise Refused("没有这件问题单", "no such ticket")
        same = (ticket.answer, ticket.answer_text, ticket.state) == (answer, text.strip(), State.ANSWERED)
        if version is not None and ticket.version != version and not same:
            raise Changed(ticket.version)
        _take(ticket, who, at, answer, text)
    return ticket


def acknowledge_of_provider(*, agency: str, who: str, pk: int, at: datetime, version: int) -> DataTicket:
    """The provider has seen its ticket. Twice changes nothing."""
    with agency_scope(agency):
        ticket = _locked(pk, None)
        if ticket.state == State.OPEN or ticket.sent_at is None:
            raise Refused("没有这件问题单", "no such ticket")
        if TicketEvent.objects.filter(ticket=ticket, kind="acknowledged", at__gte=ticket.sent_at).exists():
            return ticket
        if ticket.version != version:
            raise Changed(ticket.version)
        _save(ticket, at)
        _trace(ticket, "acknowledged", who, at)
    return ticket


def close(
    *, by: Person, pk: int, at: datetime, feeds: Catalog, note: str, version: int | None = None
) -> DataTicket:
    """The matter is done, or the draft is not to be sent."""
    _permitted(by)
    note = _text(note, 500, "处理结果", "outcome")
    with desk(by, feeds):
        ticket = _locked(pk, version)
        if ticket.state == State.CLOSED:
            raise Refused("这件问题单已关闭", "this ticket is closed already")
        unsent = ticket.state == State.OPEN
        ticket.state, ticket.closed_by, ticket.closed_at = State.CLOSED, by.username, at
        _save(ticket, at, "state", "closed_by", "closed_at")
        _trace(ticket, "dropped" if unsent else "closed", by.username, at, note=note, office=by.office_id)
    return ticket


def rows_for_desk(*, by: Person, pk: int, at: datetime, feeds: Catalog) -> bytes:
    """The attachment, for whoever handles the ticket; the look is on record before the rows are opened."""
    _permitted(by)
    with desk(by, feeds):
        ticket = DataTicket.objects.filter(pk=pk, sealed__isnull=False).first()
        if ticket is None:
            raise Refused("没有附表", "no attachment")
        _looked(ticket, by.username, at, by.office_id)
    return attachment.opened(ticket)


def rows_for_provider(*, agency: str, who: str, pk: int, at: datetime) -> bytes:
    """The attachment of one's own ticket, once it was sent."""
    with agency_scope(agency):
        ticket = DataTicket.objects.filter(pk=pk, sealed__isnull=False).exclude(state=State.OPEN).first()
        if ticket is None or ticket.sent_at is None:
            raise Refused("没有附表", "no attachment")
        _looked(ticket, who, at, "")
    return attachment.opened(ticket)


def _looked(ticket: DataTicket, who: str, at: datetime, office: str) -> None:
    record(
        at=at,
        actor=who,
        office=office,
        action="ticket.rows",
        object_kind="ticket",
        object_ref=str(ticket.pk),
        purpose="data_quality",
        detail={"feed": ticket.feed, "rows": ticket.sealed_rows},
    )
