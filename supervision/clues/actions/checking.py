"""From dispatch to the result of the check."""

from __future__ import annotations

from datetime import date, datetime

from django.utils import timezone

from chuxiong.accounts.models import Department, Office, Person
from supervision.clues.actions import orders
from supervision.clues.actions.moving import Refused, known_reason, moving
from supervision.clues.lifecycle import FINDING_STATE, Finding
from supervision.clues.numbers import take_number
from supervision.models import Clue, Order
from supervision.reference import REFERENCE


def dispatch(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    office: str,
    department: str = "",
    note: str = "",
    due_on: date | None = None,
    designated: str = "",
    expected_version: int | None = None,
) -> Clue:
    """Hand the clue to an office (and department) for checking, with an order (交办单) and an internal limit.

    ``designated``: by which decision, where another office than that of the organ's level gets it (指定管辖).
    """
    target = Office.objects.filter(code=office).first()
    if target is None or office not in by.office_codes:
        raise Refused(
            f"不能交办给 {office}：不在您的范围内", f"cannot dispatch to {office}: not within your scope"
        )
    if department and not Department.objects.filter(office=target, code=department).exists():
        raise Refused(
            f"{target.name_zh}没有部门 {department}", f"{target.name_en} has no department {department}"
        )
    with moving("dispatch", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        by_decision = orders.jurisdiction(move.clue, target, by, designated)
        move.clue.office, move.clue.department, move.note = office, department, note
        move.clue.due_on = limit = due_on or REFERENCE.limit("checking").after(timezone.localdate(at))
        order = orders.issue(
            move.clue, take_number("JB", timezone.localdate(at).year), by=by, at=at, due_on=limit, demand=note,
            designated=by_decision,
        )  # fmt: skip
        move.detail |= {
            "order": order.number,
            "office": office,
            "department": department,
            "due_on": limit.isoformat(),
        } | ({"designated": order.designated} if by_decision else {})
    return move.clue


def receive(*, clue_number: str, by: Person, at: datetime, expected_version: int | None = None) -> Clue:
    """Sign for a dispatched clue and start checking; the person becomes its handler."""
    with moving("receive", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        if by.office_id != move.clue.office and not by.office.is_prefecture:
            raise Refused(
                "只有承办院可以签收", "only the office in charge may sign for it", move.clue.version
            )
        move.clue.handler = by.username
        orders.sign(move.clue, by, at)
    return move.clue


def take_over(
    *, clue_number: str, by: Person, at: datetime, note: str, expected_version: int | None = None
) -> Clue:
    """The prefecture office takes a county's clue into its own hands (提办)."""
    if not by.office.is_prefecture:
        raise Refused("只有州院可以提办", "only the prefecture office may take a clue over")
    if not note.strip():
        raise Refused("请写明提办理由", "say why the clue is taken over")
    with moving(
        "take_over", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        move.detail |= {"from_office": move.clue.office}
        orders.end(move.clue, Order.Ended.TAKEN_OVER, at)
        move.clue.office, move.clue.handler, move.note = by.office_id, by.username, note
    return move.clue


def send_back(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    reason: str,
    note: str = "",
    expected_version: int | None = None,
) -> Clue:
    known_reason("send_back_reasons", reason)
    with moving(
        "send_back", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        move.note, move.clue.handler = note, ""
        orders.end(move.clue, Order.Ended.SENT_BACK, at)
        move.detail["reason"] = reason
    return move.clue


def conclude(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    finding: str,
    note: str,
    reasons: list[str] | None = None,
    expected_version: int | None = None,
) -> Clue:
    """The result of the check. A clue found confirmed or unfounded counts as checked, once."""
    result = Finding(finding)
    if not note.strip():
        raise Refused("请写明核查结论的依据", "say what the conclusion rests on")
    for reason in reasons or []:
        known_reason("unfounded_reasons", reason)
    if result is Finding.UNFOUNDED and not reasons:
        raise Refused("查否须选择原因", "choose a reason for “unfounded”")
    with moving("conclude", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.clue.state = FINDING_STATE[result].value
        if result is not Finding.NEEDS_DATA:
            move.clue.checked_at = move.clue.checked_at or at
            orders.end(move.clue, Order.Ended.CLOSED, at)
        if result is Finding.CONFIRMED:
            move.clue.confirmed_at = at
        move.note = note
        move.detail |= {"finding": result.value, "reasons": reasons or []}
    return move.clue


def resume(
    *, clue_number: str, by: Person, at: datetime, note: str = "", expected_version: int | None = None
) -> Clue:
    with moving("resume", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.note = note
    return move.clue


def hand_over(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    person: str,
    note: str = "",
    expected_version: int | None = None,
) -> Clue:
    """Give an open clue to another handler of the office that holds it (移交承办人)."""
    with moving(
        "hand_over", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        found = Person.objects.filter(username=person, office=move.clue.office, is_active=True).first()
        if found is None:
            raise Refused(
                f"承办院没有在岗人员 {person}", f"nobody called {person} works at the office in charge"
            )
        if not found.may("clue.check"):
            raise Refused(
                f"{found.name} 的角色不能核查线索", f"{found.name}'s roles do not allow checking clues"
            )
        if move.clue.closed_to and (found.department is None or found.department.code != move.clue.closed_to):
            raise Refused(
                "这类线索只能移交给专门部门的人员", "such clues stay within the department in charge"
            )
        if found.username in move.clue.recused:
            raise Refused(f"{found.name} 已回避", f"{found.name} keeps away from this clue")
        move.detail |= {"from": move.clue.handler, "person": person}
        move.clue.handler, move.note = found.username, note
        if move.clue.sealed:
            move.clue.admitted = sorted({*move.clue.admitted, found.username})
    return move.clue
