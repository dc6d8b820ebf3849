"""Every minute: orders that nobody has signed for in time are noted, and later come before the office above."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from chuxiong.accounts.scope import all_offices, scope
from supervision.clues.events import ClueMoved, announce
from supervision.models import ClueEvent, Order
from supervision.reference import REFERENCE

MACHINE = "期限提醒"
MOST = 500


def look(*, at: datetime) -> dict[str, int]:
    """Each order is noted and brought up once; returns how many of each. Safe to repeat and to run twice at once."""
    told = {"order_overdue": 0, "order_escalated": 0}
    hours = REFERENCE.orders.escalate_hours.value
    with scope(offices=all_offices()):
        late = Order.objects.filter(received_at=None, ended_at=None, receipt_due__lt=at)
        waiting = late.filter(overdue_at=None) | late.filter(
            escalated_at=None, receipt_due__lt=at - timedelta(hours=hours)
        )
        locked = waiting.select_related("clue").select_for_update(of=("self",), skip_locked=True)
        for order in locked.order_by("receipt_due", "pk")[:MOST]:
            kinds = []
            if order.overdue_at is None:
                order.overdue_at = at
                kinds.append("order_overdue")
            if order.escalated_at is None and order.receipt_due < at - timedelta(hours=hours):
                order.escalated_at, order.escalated_by = at, MACHINE
                order.escalated_reason = f"超过签收时限 {hours} 小时仍未签收"
                kinds.append("order_escalated")
            order.save()
            for kind in kinds:
                told[kind] += 1
            ClueEvent.objects.bulk_create(
                ClueEvent(
                    clue=order.clue, at=at, actor=MACHINE, kind=kind, from_state=order.clue.state,
                    to_state=order.clue.state, detail={"order": order.number},
                )
                for kind in kinds
            )  # fmt: skip
            moved = ClueMoved(order.clue_id, order.clue.office, order.clue.state)
            transaction.on_commit(lambda moved=moved: announce(moved))  # type: ignore[misc]
    return told
