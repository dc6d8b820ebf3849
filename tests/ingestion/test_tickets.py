"""Data tickets: drafted by the machine, sent by a person, answered by the provider alone; the rows are its own."""

from __future__ import annotations

import io
from datetime import timedelta

import openpyxl
import pytest
from cryptography.exceptions import InvalidTag
from django.db import DatabaseError, connection, connections, transaction
from django.test.utils import CaptureQueriesContext

from chuxiong.accounts.models import Person
from chuxiong.accounts.refused import Refused
from chuxiong.accounts.scope import agency_scope
from ingestion.health.measuring import measure
from ingestion.intake.sealed_rows import may_be_sealed, whole
from ingestion.models import DataTicket, FeedIssue, TicketEvent
from ingestion.selectors import catalog
from ingestion.tickets import actions, attachment, daily, reading
from tests.conftest import acting_as
from tests.prefecture import NOW, TODAY, agreements, bring, citizen, payment, person, sheet

FEED = "hr_pension_payment"
WRONG = "532301195001010000"


@pytest.fixture
def ticket(database) -> DataTicket:
    """The draft about two rows that stood aside, one of which begins like a formula."""
    agreements(valid_to=TODAY + timedelta(days=500))
    rows = [payment(citizen(1), "202610", "2500"), payment(WRONG, "202610", "2500")]
    rows.append({**payment(citizen(2), "202610", "=1+1"), "bank_name": "示例银行"})
    batch = bring(FEED, sheet(FEED, rows))
    assert (batch.received, batch.quarantined) == (3, 2)
    measure(batch.landing, catalog()[FEED], at=NOW)
    return DataTicket.objects.using("owner").get(kind="quarantine")


def clerk(username: str, agency: str) -> Person:
    made = Person.objects.db_manager("owner").create_person(
        username=username,
        password="x",
        name=f"{username}演示",
        office_id="532300",
        roles=["provider"],
        agency=agency,
    )
    return Person.objects.get(pk=made.pk)


def _send(by: Person, ticket: DataTicket) -> DataTicket:
    return actions.send(
        by=by,
        pk=ticket.pk,
        at=NOW,
        feeds=catalog(),
        subject=ticket.subject,
        text=ticket.text,
        version=ticket.version,
    )


def test_the_attachment_holds_the_providers_own_failed_rows_by_its_own_keys_without_formulas(ticket):
    custodian = person("custodian", roles=("custodian",))
    content = actions.rows_for_desk(by=custodian, pk=ticket.pk, at=NOW, feeds=catalog())
    sheet_ = openpyxl.load_workbook(io.BytesIO(content)).active
    rows = list(sheet_.iter_rows(values_only=True))
    keys = [catalog()[FEED].column(k).headers[0] for k in catalog()[FEED].natural_key]
    assert rows[0] == ("行号", *keys, "列", "您单位填写", "问题", "如何更正")
    assert [r[0] for r in rows[1:]] == [3, 4], "rows as the provider counts them, none that was loaded"
    assert rows[1][1] == WRONG and rows[2][1] == citizen(2)
    assert citizen(1) not in str(rows)
    assert rows[2][5].lstrip("'") == "=1+1"
    assert all(c.data_type != "f" for row in sheet_.iter_rows() for c in row), "nothing computes"
    assert WRONG not in ticket.text + ticket.subject + str(ticket.detail), (
        "numbers are in the sealed rows alone"
    )
    stored = DataTicket.objects.using("owner").get(pk=ticket.pk)
    assert WRONG.encode() not in bytes(stored.sealed)
    other = DataTicket(pk=ticket.pk + 1, sealed=stored.sealed, key_id=stored.key_id)
    with pytest.raises(InvalidTag):
        attachment.opened(other)
    with connections["owner"].cursor() as cursor:
        cursor.execute("select actor, purpose from audit_auditevent where action = 'ticket.rows'")
        assert cursor.fetchall() == [("custodian", "data_quality")]


def test_records_sealed_by_law_are_named_by_row_number_alone():
    feed = catalog()["ps_admin_penalty"]
    assert whole(feed) and not whole(catalog()[FEED])
    told = [(7, [{"column": "决定日期", "reason": "bad_date"}], {"决定日期": "昨天", "证件号码": WRONG})]
    rows = list(
        openpyxl.load_workbook(io.BytesIO(attachment._book(feed, told, True))).active.iter_rows(
            values_only=True
        )
    )
    assert rows[0] == ("行号", "列", "问题", "如何更正") and rows[1][:2] == (7, "决定日期")
    assert WRONG not in str(rows) and "昨天" not in str(rows)


def test_rows_that_may_be_sealed_are_named_by_row_number_alone(database):
    """A feed of which some rows are sealed: what is not plainly free of the seal is not opened in an attachment."""
    agreements(valid_to=TODAY + timedelta(days=500))
    feed = catalog()["ps_hotel_stay"]
    usual = dict.fromkeys((c.name for c in feed.delivered if c.required), "示例旅馆") | {
        "division_code": "532301", "hotel_code": "H1", "registered_at": "2026-10-01 10:00:00",
    }  # fmt: skip

    def stay(minor: str, room: str, day: str = "昨天", number: str = "") -> dict[str, str]:
        return usual | {
            "is_minor": minor,
            "room_no": room,
            "stay_no": room,
            "checkin_time": day,
            "citizen_id": number,
        }

    whole_rows = [stay("否", f"W{n}", "2026-10-01 09:00:00", citizen(n)) for n in range(1, 12)]
    doubtful = [stay("是", "R1"), stay("否", "R2"), stay("不详", "R3"), stay("", "R4")]
    batch = bring(feed.code, sheet(feed.code, [*whole_rows, *doubtful]))
    assert batch.quarantined == 4
    content, told = attachment.of_quarantine(batch, feed, 10)
    text = str(list(openpyxl.load_workbook(io.BytesIO(content)).active.iter_rows(values_only=True)))
    assert told == 4 and "R2" in text and "入住时间" in text
    assert not any(room in text for room in ("R1", "R3", "R4"))
    assert may_be_sealed(feed, {"是否未成年": "否", "ragged": "a,b"}) and not may_be_sealed(
        catalog()[FEED], {}
    )
    for spec in catalog().values():
        assert may_be_sealed(spec, {}) == bool(spec.seals), "what says nothing of itself counts as sealed"


def test_a_person_sends_the_provider_answers_a_person_closes(ticket):
    custodian, clerk_ = person("custodian", roles=("custodian",)), clerk("clerk", "hr_bureau")
    assert reading.provider_tickets("hr_bureau") == [], "nothing is seen before it was sent"
    with pytest.raises(Refused):
        actions.answer_of_provider(
            agency="hr_bureau", who="clerk", pk=ticket.pk, at=NOW, answer="resent", text=""
        )
    with pytest.raises(Refused, match="不在您的职责内"):
        _send(person("prosecutor"), ticket)
    sent = _send(custodian, ticket)
    assert (sent.state, sent.due_on) == ("sent", TODAY + timedelta(days=10))
    with pytest.raises(Refused):
        _send(custodian, sent)
    assert [t.pk for t in reading.provider_tickets("hr_bureau")] == [ticket.pk]
    assert (
        reading.provider_tickets("ps_bureau") == []
        and reading.provider_ticket("ps_bureau", ticket.pk) is None
    )
    with pytest.raises(Refused, match="没有这件"):
        actions.answer_of_provider(
            agency="ps_bureau", who="x", pk=ticket.pk, at=NOW, answer="resent", text=""
        )
    with pytest.raises(Refused, match="说明"):
        actions.answer_of_provider(
            agency="hr_bureau", who="clerk", pk=ticket.pk, at=NOW, answer="explained", text=" "
        )
    taken = actions.answer_of_provider(
        agency=clerk_.agency,
        who=clerk_.username,
        pk=ticket.pk,
        at=NOW,
        answer="explained",
        text="系统升级",
        version=sent.version,
    )
    assert (taken.state, taken.answered_by) == ("answered", "clerk")
    with pytest.raises(actions.Changed):
        actions.answer_of_provider(
            agency="hr_bureau",
            who="clerk",
            pk=ticket.pk,
            at=NOW,
            answer="resent",
            text="",
            version=sent.version,
        )
    again = _send(custodian, taken)
    assert again.state == "sent"
    closed = actions.close(by=custodian, pk=ticket.pk, at=NOW, feeds=catalog(), note="已更正")
    assert closed.state == "closed" and reading.provider_tickets("hr_bureau") == []
    kinds = list(TicketEvent.objects.using("owner").filter(ticket=ticket).values_list("kind", flat=True))
    assert kinds == ["opened", "sent", "answered", "sent_again", "closed"]


def test_the_database_shows_a_ticket_to_its_provider_and_to_the_desk_alone(ticket):
    assert DataTicket.objects.count() == 0, "without a scope there is nothing"
    with agency_scope("ps_bureau"):
        assert DataTicket.objects.count() == 0
        with pytest.raises(DatabaseError), transaction.atomic():
            TicketEvent.objects.create(ticket_id=ticket.pk, at=NOW, actor="x", kind="answered")
    with agency_scope("hr_bureau"):
        assert DataTicket.objects.count() == 1 and TicketEvent.objects.count() == 1
    with pytest.raises(ValueError), agency_scope(""):
        raise AssertionError


def test_overdue_feeds_are_drafted_once_and_tickets_near_their_term_are_urged(ticket):
    custodian = person("custodian", roles=("custodian",))
    _send(custodian, ticket)
    late = TODAY + timedelta(days=60)
    assert daily.draft_late(late, at=NOW) == 1 and daily.draft_late(late, at=NOW) == 0
    draft = DataTicket.objects.using("owner").get(kind="late")
    assert draft.feed == FEED and "数据截至 2026-10-31" in draft.text
    with acting_as("worker"):
        due = TODAY + timedelta(days=10)
        counts = [daily.remind(due + timedelta(days=n), at=NOW) for n in (-5, -1, 0, 3, 4, 12)]
    assert counts == [0, 1, 0, 0, 1, 1]
    assert DataTicket.objects.using("owner").get(pk=ticket.pk).reminders == 3


def test_a_ticket_from_an_issue_once_and_a_page_asks_as_often_for_many_as_for_few(ticket):
    custodian = person("custodian", roles=("custodian",))
    issue = FeedIssue.objects.using("owner").create(
        feed=FEED, kind="unknown_header", place="新列", text="多出一列“新列”", first_batch_id=ticket.batch_id
    )
    given = {
        "by": custodian,
        "at": NOW,
        "feeds": catalog(),
        "feed": FEED,
        "subject": "多出一列",
        "text": "请说明",
    }
    made = actions.open_ticket(issue=issue.pk, **given)
    assert made.kind == "layout" and made.agency == "hr_bureau"
    with pytest.raises(Refused, match="已有问题单"):
        actions.open_ticket(issue=issue.pk, **given)
    with pytest.raises(Refused, match="不属于"):
        actions.open_ticket(issue=issue.pk, **(given | {"feed": "ca_funeral"}))

    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            reading.ticket_page(custodian, catalog(), reading.TicketFilters())
        return len(seen)

    few = asked()
    for _ in range(40):
        actions.open_ticket(**given)
    assert asked() == few
    found = reading.ticket_page(custodian, catalog(), reading.TicketFilters(), 2)
    assert (found.total, found.pages, found.page, len(found.rows)) == (42, 2, 2, 12)
