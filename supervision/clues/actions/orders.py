"""Orders (交办单): issued with the dispatch, signed for, hurried, ended."""

from __future__ import annotations

from datetime import date, datetime

from chuxiong.accounts.models import Office, Person
from chuxiong.kit import phone
from supervision.clues.actions.moving import Refused, moving
from supervision.models import Clue, Order, OrderCall
from supervision.reference import REFERENCE


def issue(
    clue: Clue, number: str, *, by: Person, at: datetime, due_on: date, demand: str, designated: str
) -> Order:
    """The order that goes with a dispatch; the clue already names its office and department."""
    return Order.objects.create(
        number=number,
        clue=clue,
        office=clue.office,
        department=clue.department,
        issued_by=by.username,
        issued_by_name=by.name,
        issued_at=at,
        competent=clue.competent,
        designated=designated.strip()[:200],
        demand=demand.strip(),
        due_on=due_on,
        receipt_due=REFERENCE.orders.receipt_due(clue.level, at),
    )


def jurisdiction(clue: Clue, target: Office, by: Person, designated: str) -> str:
    """The words of a designation, where the order goes past the office of the organ's level; "" where it does not.

    Raises ``Refused`` for an order elsewhere without designation: it is the office above that designates.
    """
    if not clue.competent or clue.competent == target.code:
        return ""
    competent = Office.objects.get(pk=clue.competent)
    if not by.office.is_prefecture:
        raise Refused(
            f"责任单位由{competent.short_zh}同级管辖；指定其他院管辖由州院决定",
            f"{competent.short_en} is of the organ's level; designating another office is for the prefecture",
            clue.version,
        )
    if not designated.strip():
        raise Refused(
            f"责任单位由{competent.short_zh}同级管辖；交{target.short_zh}办理须填写指定管辖的依据（决定文号、理由）",
            f"{competent.short_en} is of the organ's level; to send it to {target.short_en}, say by which decision"
            " it is designated",
            clue.version,
        )
    return designated


def open_order(clue: Clue) -> Order | None:
    """The order under way, locked."""
    return Order.objects.select_for_update().filter(clue=clue, ended_at=None).first()


def end(clue: Clue, how: Order.Ended, at: datetime) -> None:
    """The order is over, if there is one."""
    if order := open_order(clue):
        order.ended, order.ended_at = how.value, at
        order.save()


def sign(clue: Clue, by: Person, at: datetime) -> None:
    if order := open_order(clue):
        order.received_by, order.received_at = by.name, at
        order.save()


def urge(
    *, clue_number: str, by: Person, at: datetime, note: str, expected_version: int | None = None
) -> Clue:
    """Urge the office that holds an order on (催办); answers what was brought before the prefecture."""
    if not note.strip():
        raise Refused("请写明催办要求", "say what is asked for")
    with moving("urge", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        order = _watched(move.clue, by)
        order.urged, order.urged_at = order.urged + 1, at
        order.save()
        move.note = note
        move.detail |= {"order": order.number}
    return move.clue


def escalate(
    *, clue_number: str, by: Person, at: datetime, note: str, expected_version: int | None = None
) -> Clue:
    """Bring a clue before the prefecture office (提请督办), which urges, helps or takes it over."""
    if not note.strip():
        raise Refused("请写明提请督办的理由", "say why")
    with moving("escalate", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        order = _under_way(move.clue)
        if by.office_id != move.clue.office or by.office.is_prefecture:
            raise Refused("由承办的基层院提请州院督办", "the county office in charge asks the prefecture")
        order.escalated_at, order.escalated_by, order.escalated_reason = at, by.name, note.strip()[:200]
        order.save()
        move.note = note
        move.detail |= {"order": order.number}
    return move.clue


def call(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    spoke_with: str,
    result: str,
    note: str = "",
    expected_version: int | None = None,
) -> OrderCall:
    """Write down a telephone call about an order, e.g. of an urgent one that nobody has signed for."""
    if not spoke_with.strip():
        raise Refused("请写明与谁通话（单位、职务、姓名）", "say whom you spoke to")
    if result not in OrderCall.Result.values:
        raise Refused("请选择通话结果", "choose what came of the call")
    if phone.within(f"{spoke_with} {note}"):
        raise Refused("通话记录不写电话号码，请删去号码", "no telephone number in the record: leave it out")
    with moving("call", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        order = _watched(move.clue, by)
        made = OrderCall.objects.create(
            order=order, clue=move.clue, at=at, by=by.username, by_name=by.name, spoke_with=spoke_with.strip()[:80],
            result=result, note=note.strip()[:400],
        )  # fmt: skip
        move.note = note.strip()
        move.detail |= {"order": order.number, "spoke_with": made.spoke_with, "result": result}
    return made


def _under_way(clue: Clue) -> Order:
    order = open_order(clue)
    if order is None:
        raise Refused("这条线索没有在办的交办单", "no order is under way for this clue", clue.version)
    return order


def _watched(clue: Clue, by: Person) -> Order:
    """The order under way, for those who look on from above."""
    order = _under_way(clue)
    if not (by.office.is_prefecture or by.may("clue.hand_over")):
        raise Refused("由州院或部门负责人催办", "the prefecture or the head of department does this")
    return order
