"""The four verbs of triage (研判)."""

from __future__ import annotations

from datetime import date, datetime

from django.utils import timezone

from chuxiong.accounts.models import Person
from supervision.clues import lifecycle
from supervision.clues.actions import orders
from supervision.clues.actions.moving import Refused, known_reason, moving
from supervision.clues.lifecycle import State
from supervision.models import Clue, Order


def accept(
    *, clue_number: str, by: Person, at: datetime, expected_version: int | None = None, note: str = ""
) -> Clue:
    with moving("accept", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.clue.deferred_until, move.note = None, note
    return move.clue


def dismiss(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    reason: str,
    note: str = "",
    expected_version: int | None = None,
) -> Clue:
    """Not worth checking; ``reason`` is one of the reference list ``dismiss_reasons``."""
    known_reason("dismiss_reasons", reason)
    with moving("dismiss", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.note = note
        move.detail["reason"] = reason
    return move.clue


def merge(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    into: str,
    note: str = "",
    expected_version: int | None = None,
) -> Clue:
    """Fold into another open clue that the person may see."""
    with moving("merge", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        target = Clue.objects.filter(number=into).exclude(pk=move.clue.pk).first()
        if target is None or State(target.state) in lifecycle.CLOSED:
            raise Refused(
                f"不能并入 {into}：没有这条在办线索",
                f"cannot merge into {into}: no such open clue",
                move.clue.version,
            )
        orders.end(move.clue, Order.Ended.CLOSED, at)
        move.clue.merged_into, move.note = target, note
        move.detail["into"] = target.number
    return move.clue


def defer(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    until: date,
    note: str = "",
    expected_version: int | None = None,
) -> Clue:
    if until <= timezone.localdate(at):
        raise Refused("暂缓日期须晚于今天", "the date must lie after today")
    with moving("defer", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.clue.deferred_until, move.note = until, note
        move.detail["until"] = until.isoformat()
    return move.clue
