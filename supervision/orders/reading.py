"""Orders as pages show them: the list of the command desk, and one order with its calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, get_args

from django.db.models import Count, F, Q, QuerySet

from chuxiong.accounts.models import Department, Office, Person
from supervision import selectors
from supervision.models import Order, OrderCall
from supervision.selectors import ClueDetail, ClueRow

PAGE = 20
Listing = Literal["unsigned", "late", "escalated", "running", "ended", "all"]
LISTINGS: tuple[Listing, ...] = get_args(Listing)
#: how an order stands: not signed for yet, not signed for in time, brought before the prefecture, being worked on, over
Standing = Literal["unsigned", "late", "escalated", "running", "ended"]


@dataclass(frozen=True)
class OrderView:
    order: Order
    clue: ClueRow
    office_zh: str
    office_en: str
    department_zh: str
    department_en: str
    standing: Standing
    calls: int


@dataclass(frozen=True)
class OrderPage:
    rows: list[OrderView]
    total: int
    page: int
    pages: int
    counts: dict[str, int]


@dataclass(frozen=True)
class OrderSheet:
    """Everything a printed order holds."""

    view: OrderView
    clue: ClueDetail
    issuer: Office
    competent: Office | None
    calls: list[OrderCall]


def standing(order: Order, now: datetime) -> Standing:
    if order.ended_at:
        return "ended"
    if order.escalated_at and (order.urged_at is None or order.urged_at < order.escalated_at):
        return "escalated"
    if order.received_at is None:
        return "late" if order.receipt_due < now else "unsigned"
    return "running"


def _asked(now: datetime) -> dict[str, Q]:
    """The listings as questions to the table; one order may stand in several."""
    out = Q(ended_at=None)
    waits = out & Q(received_at=None)
    return {
        "unsigned": waits,
        "late": waits & Q(receipt_due__lt=now),
        "escalated": out
        & Q(escalated_at__isnull=False)
        & (Q(urged_at=None) | Q(urged_at__lt=F("escalated_at"))),
        "running": out & Q(received_at__isnull=False),
        "ended": Q(ended_at__isnull=False),
        "all": Q(),
    }


def counts(person: Person, now: datetime) -> dict[str, int]:
    """How many orders within the person's sight stand in each listing."""
    with selectors.reach(person):
        return Order.objects.order_by().aggregate(
            **{name: Count("pk", filter=asked) if name != "all" else Count("pk") for name, asked in _asked(now).items()}
        )  # fmt: skip


def waiting_count(person: Person, now: datetime) -> int:
    """Orders that ask for somebody: not signed for, or brought before the prefecture; for the navigation."""
    asked = _asked(now)
    with selectors.reach(person):
        return Order.objects.filter(asked["unsigned"] | asked["escalated"]).count()


def order_page(person: Person, listing: Listing, page: int, *, at: datetime) -> OrderPage:
    """One page of a listing, the most pressing first: latest receipt, then the newest. One audit row."""
    told = counts(person, at)
    total = told[listing]
    pages = max(1, -(-total // PAGE))
    page = min(max(1, page), pages)
    with selectors.reach(person):
        found: QuerySet[Order] = Order.objects.filter(_asked(at)[listing]).select_related("clue")
        if listing in ("unsigned", "late"):
            found = found.order_by("receipt_due", "pk")
        orders = list(found[(page - 1) * PAGE : page * PAGE])
    return OrderPage(_views(person, orders, at), total, page, pages, told)


def order_sheet(person: Person, pk: int, *, at: datetime) -> OrderSheet | None:
    """One order; None when it does not exist or its clue is out of sight."""
    with selectors.reach(person):
        order = Order.objects.select_related("clue").filter(pk=pk).first()
        calls = list(order.calls.all()) if order else []
    if order is None:
        return None
    clue = selectors.clue_detail(person, order.clue.number, at=at)
    if clue is None:
        return None
    (view,) = _of_rows([order], {clue.row.number: clue.row}, at, {order.pk: len(calls)})
    by = Person.objects.filter(username=order.issued_by).select_related("office").first()
    top = Office.objects.filter(parent=None).order_by("code").get()
    return OrderSheet(
        view=view,
        clue=clue,
        issuer=by.office if by else top,
        competent=Office.objects.filter(pk=order.competent).first() if order.competent else None,
        calls=calls,
    )


def _views(person: Person, orders: Sequence[Order], now: datetime) -> list[OrderView]:
    rows = {
        row.number: row
        for row in selectors.clue_rows(person, [o.clue.number for o in orders], at=now, action="order.list")
    }
    with selectors.reach(person):
        told = OrderCall.objects.filter(order__in=[o.pk for o in orders]).order_by().values_list("order")
        calls = dict(told.annotate(Count("pk")))
    return _of_rows(orders, rows, now, calls)


def _of_rows(
    orders: Sequence[Order], rows: dict[str, ClueRow], now: datetime, calls: dict[int, int]
) -> list[OrderView]:
    offices = {o.code: o for o in Office.objects.all()}
    departments = {(d.office_id, d.code): d for d in Department.objects.all()}
    views = []
    for order in orders:
        row, office = rows.get(order.clue.number), offices[order.office]
        if row is None:
            continue
        department = departments.get((order.office, order.department))
        views.append(
            OrderView(
                order=order, clue=row, office_zh=office.short_zh, office_en=office.short_en,
                department_zh=department.name_zh if department else "",
                department_en=department.name_en if department else "",
                standing=standing(order, now), calls=calls.get(order.pk, 0),
            )
        )  # fmt: skip
    return views
