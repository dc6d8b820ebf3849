"""Orders: receipt, urging, escalation, calls, designated jurisdiction; what was ordered stands."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from chuxiong.accounts.scope import all_offices, scope
from supervision.clues import actions
from supervision.clues.actions import Refused
from supervision.models import Clue, ClueEvent, Order, OrderCall
from supervision.orders import overdue
from supervision.orders.reading import order_page, order_sheet
from tests.conftest import acting_as
from tests.prefecture import NOW, person

CITY, SIBLING = "532301", "532302"


@pytest.fixture
def people(database):
    return person("zhou"), person("lin", office=CITY), person("he", office=SIBLING)


def _accepted(by, problem: str = "", level: str = "ordinary") -> str:
    clue = actions.enter(
        by=by, at=NOW, title="示例事项", office=CITY, township="示例镇", occurred_on=NOW.date(), level=level, text="示例",
        problem=problem,
    )  # fmt: skip
    actions.accept(clue_number=clue.number, by=by, at=NOW)
    return clue.number


def _order(number: str) -> Order:
    with scope(offices=all_offices()):
        return Order.objects.filter(clue__number=number).first()  # type: ignore[return-value]


def _kinds(number: str) -> list[str]:
    with scope(offices=all_offices()):
        return list(ClueEvent.objects.filter(clue__number=number).values_list("kind", flat=True))


@pytest.mark.parametrize(("level", "hours"), [("urgent", 2), ("important", 24), ("ordinary", 72)])
def test_a_dispatch_is_an_order_with_a_time_for_its_receipt(people, level, hours):
    zhou, lin, he = people
    number = _accepted(zhou, level=level)
    actions.dispatch(clue_number=number, by=zhou, at=NOW, office=CITY, note="请于两日内到现场")
    order = _order(number)
    assert (order.office, order.demand, order.receipt_due) == (
        CITY,
        "请于两日内到现场",
        NOW + timedelta(hours=hours),
    )
    assert order_page(lin, "unsigned", 1, at=NOW).total == 1
    assert order_page(he, "all", 1, at=NOW).total == 0 and order_sheet(he, order.pk, at=NOW) is None
    actions.receive(clue_number=number, by=lin, at=NOW + timedelta(hours=1))
    assert _order(number).received_by == "lin演示"
    (row,) = order_page(zhou, "running", 1, at=NOW).rows
    assert row.standing == "running" and row.clue.number == number


def test_an_order_past_the_organs_level_needs_a_designation(people):
    zhou, lin, _he = people
    # The ecology bureau is the prefecture's: the prefecture office is the one of its level.
    number = _accepted(zhou, problem="污水超标排放")
    act = {"clue_number": number, "at": NOW, "office": CITY}
    with pytest.raises(Refused, match="州院同级管辖；交楚雄市办理须填写指定管辖的依据"):
        actions.dispatch(by=zhou, **act)
    with pytest.raises(Refused, match="由州院决定"):
        actions.dispatch(by=lin, **act, designated="自行指定")
    actions.dispatch(by=zhou, **act, designated="楚检指辖〔2026〕1号")
    order = _order(number)
    assert (order.competent, order.office, order.designated) == ("532300", CITY, "楚检指辖〔2026〕1号")
    sheet = order_sheet(zhou, order.pk, at=NOW)
    assert sheet is not None and sheet.competent is not None and sheet.competent.code == "532300"
    with acting_as("owner"), pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.create(
            number="x", clue_id=order.clue_id, office=CITY, competent=SIBLING, issued_by_name="x", issued_at=NOW,
            due_on=NOW.date(), receipt_due=NOW, ended_at=NOW, ended="closed",
        )  # fmt: skip


def test_to_the_organs_own_level_no_designation_is_asked_for(people):
    zhou, lin, _he = people
    number = _accepted(zhou, problem="河岸垃圾")
    actions.dispatch(clue_number=number, by=lin, at=NOW, office=CITY)
    assert (_order(number).competent, _order(number).designated) == (CITY, "")


def test_who_does_not_sign_is_noted_brought_up_called_and_urged(people):
    zhou, lin, _he = people
    number = _accepted(zhou, level="urgent")
    actions.dispatch(clue_number=number, by=zhou, at=NOW, office=CITY)

    def look(hours: int) -> dict[str, int]:
        with acting_as("worker"):
            return overdue.look(at=NOW + timedelta(hours=hours))

    assert look(2) == {"order_overdue": 0, "order_escalated": 0}
    assert look(3) == {"order_overdue": 1, "order_escalated": 0}
    assert look(4) == {"order_overdue": 0, "order_escalated": 0}
    assert look(27) == {"order_overdue": 0, "order_escalated": 1}
    assert look(99) == {"order_overdue": 0, "order_escalated": 0}
    later = NOW + timedelta(hours=28)
    (row,) = order_page(zhou, "escalated", 1, at=later).rows
    assert row.standing == "escalated"

    call = {"clue_number": number, "at": later, "spoke_with": "楚雄市院值班员"}
    with pytest.raises(Refused, match="不写电话号码"):
        actions.call(**call, by=zhou, result="reached", note="回拨 13800000000")
    with pytest.raises(Refused, match="州院或部门负责人"):
        actions.call(**call, by=lin, result="reached")
    with pytest.raises(Refused, match="通话结果"):
        actions.call(**call, by=zhou, result="maybe")
    actions.call(**call, by=zhou, result="unreached")
    actions.urge(clue_number=number, by=zhou, at=later, note="请立即签收")
    order = _order(number)
    assert (order.urged, order.urged_at) == (1, later)
    # Urged after it was brought up: it waits for its receipt again, and for nobody above.
    assert order_page(zhou, "escalated", 1, at=later).total == 0
    assert order_page(zhou, "late", 1, at=later).rows[0].calls == 1
    assert _kinds(number)[-4:] == ["order_overdue", "order_escalated", "call", "urge"]
    actions.receive(clue_number=number, by=lin, at=later)
    assert order_page(zhou, "late", 1, at=later).total == 0


def test_the_county_asks_the_prefecture_and_the_prefecture_takes_over(people):
    zhou, lin, _he = people
    number = _accepted(zhou)
    actions.dispatch(clue_number=number, by=zhou, at=NOW, office=CITY)
    actions.receive(clue_number=number, by=lin, at=NOW)
    with pytest.raises(Refused, match="写明提请督办的理由"):
        actions.escalate(clue_number=number, by=lin, at=NOW, note=" ")
    actions.escalate(clue_number=number, by=lin, at=NOW, note="涉及两县交界")
    assert order_page(zhou, "escalated", 1, at=NOW).total == 1
    actions.take_over(clue_number=number, by=zhou, at=NOW, note="两县交界，由州院办理")
    order = _order(number)
    assert (order.ended, order.ended_at) == ("taken_over", NOW)
    with pytest.raises(Refused, match="没有在办的交办单"):
        actions.urge(clue_number=number, by=zhou, at=NOW, note="催")


def test_sent_back_ends_the_order_and_the_next_dispatch_is_another(people):
    zhou, lin, he = people
    number = _accepted(zhou)
    actions.dispatch(clue_number=number, by=zhou, at=NOW, office=CITY)
    actions.send_back(clue_number=number, by=lin, at=NOW, reason="no_jurisdiction", note="不在本市")
    assert _order(number).ended == "sent_back"
    actions.dispatch(clue_number=number, by=zhou, at=NOW, office=SIBLING)
    with scope(offices=all_offices()):
        first, second = Order.objects.filter(clue__number=number).order_by("pk")
    assert (first.number, second.number) == ("楚检交办〔2026〕1号", "楚检交办〔2026〕2号")
    actions.receive(clue_number=number, by=he, at=NOW)
    actions.conclude(clue_number=number, by=he, at=NOW, finding="unfounded", note="查否", reasons=["handled"])
    assert _order(number).ended == "closed"


def test_what_was_ordered_stands_and_one_order_is_out_at_a_time(people):
    zhou, _lin, _he = people
    number = _accepted(zhou)
    actions.dispatch(clue_number=number, by=zhou, at=NOW, office=CITY)
    order = _order(number)
    for change in ({"demand": "别的"}, {"due_on": NOW.date() + timedelta(days=90)}, {"office": SIBLING}):
        with scope(offices=all_offices()), pytest.raises(DatabaseError), transaction.atomic():
            Order.objects.filter(pk=order.pk).update(**change)
    with scope(offices=all_offices()), pytest.raises(IntegrityError), transaction.atomic():
        Order.objects.create(
            number="x", clue_id=order.clue_id, office=CITY, issued_by_name="x", issued_at=NOW, due_on=NOW.date(),
            receipt_due=NOW,
        )  # fmt: skip
    made = actions.call(clue_number=number, by=zhou, at=NOW, spoke_with="值班员", result="reached")
    with scope(offices=all_offices()), pytest.raises(DatabaseError), transaction.atomic():
        OrderCall.objects.filter(pk=made.pk).update(note="改")
    with scope(offices=all_offices()), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(ended="closed", ended_at=NOW)
    with scope(offices=all_offices()), pytest.raises(DatabaseError), transaction.atomic():
        Order.objects.filter(pk=order.pk).update(ended_at=None, ended="")


# ---- matters, merging and detaching ---------------------------------------------------------------


def test_a_matter_gathers_parts_of_counties_and_ends_when_they_are_decided(people):
    from supervision import matters

    zhou, lin, he = people
    with pytest.raises(Refused, match="名称"):
        actions.open_matter(by=zhou, at=NOW, title=" ")
    matter = actions.open_matter(by=zhou, at=NOW, title="沿岸垃圾类案")
    assert matters.matter_detail(lin, matter.pk, at=NOW) is None, "no part of it is the county's"
    one, two = _accepted(zhou), _accepted(zhou)
    for number in (one, two):
        actions.join_matter(clue_number=number, by=zhou, at=NOW, matter=matter.pk)
    with pytest.raises(Refused, match="已在一个类案"):
        actions.join_matter(clue_number=one, by=zhou, at=NOW, matter=matter.pk)
    found = matters.matter_detail(lin, matter.pk, at=NOW)
    assert found is not None and not found.may_end
    assert [(p.office_zh, p.standing.clues) for p in found.parts] == [("楚雄市", 2)]
    assert matters.matter_detail(he, matter.pk, at=NOW) is None
    actions.leave_matter(clue_number=two, by=zhou, at=NOW, note="另一类")
    with pytest.raises(Refused, match="还有 1 条线索在办"):
        actions.end_matter(matter=matter.pk, by=zhou, at=NOW, conclusion="已治理")
    actions.dismiss(clue_number=one, by=zhou, at=NOW, reason="handled")
    with pytest.raises(Refused, match="在办的类案"):
        actions.end_matter(matter=matter.pk, by=lin, at=NOW, conclusion="已治理")
    ended = actions.end_matter(matter=matter.pk, by=zhou, at=NOW, conclusion="已治理")
    assert ended.ended_at == NOW
    assert matters.open_matters(zhou) == []


def test_a_merged_clue_can_be_detached_to_where_it_stood(people):
    zhou, lin, _he = people
    target, raised, checked = _accepted(zhou), _accepted(zhou), _accepted(zhou)
    actions.merge(clue_number=raised, by=zhou, at=NOW, into=target)
    actions.dispatch(clue_number=checked, by=zhou, at=NOW, office=CITY)
    actions.receive(clue_number=checked, by=lin, at=NOW)
    actions.merge(clue_number=checked, by=lin, at=NOW, into=target)
    assert _order(checked).ended == "closed"
    for number in (raised, checked):
        actions.detach(clue_number=number, by=zhou, at=NOW, note="不是同一情形")
    with scope(offices=all_offices()):
        told = dict(Clue.objects.values_list("number", "state"))
        assert not Clue.objects.exclude(merged_into=None).exists()
    assert (told[raised], told[checked]) == ("triaged", "triaged")
    assert _kinds(checked)[-1] == "detach"
