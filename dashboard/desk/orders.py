"""Orders: the command desk's list, the printable order, the duty list."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from chuxiong.accounts import selectors as accounts
from dashboard.accounts.page import allowed
from dashboard.desk.page import asked_page, pick
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from supervision import duties
from supervision.models import Order, OrderCall
from supervision.orders import reading
from supervision.reference import REFERENCE


def call_results() -> list[tuple[str, str]]:
    words = {"reached": _("已接通"), "unreached": _("无人接听")}
    return [(value, words[value]) for value in OrderCall.Result.values]


def _standing_words() -> dict[str, str]:
    return {
        "unsigned": _("待签收"),
        "late": _("超时未签收"),
        "escalated": _("提请督办"),
        "running": _("办理中"),
        "ended": _("已结束"),
    }


def ended_words() -> dict[str, str]:
    return {
        Order.Ended.SENT_BACK.value: _("退回"),
        Order.Ended.TAKEN_OVER.value: _("提办"),
        Order.Ended.CLOSED.value: _("核查完毕"),
    }


@allowed("clue.read")
@require_safe
def orders(request: HttpRequest) -> HttpResponse:
    wanted = request.GET.get("list", "")
    who = person_of(request)
    listing = next((name for name in reading.LISTINGS if name == wanted), None)
    if listing is None:
        told = reading.counts(who, timezone.now())
        listing = next((n for n in ("late", "escalated", "unsigned", "running") if told[n]), "all")  # type: ignore[assignment]
    found = reading.order_page(who, listing or "all", asked_page(request), at=timezone.now())
    tabs = {**_standing_words(), "all": _("全部")}
    context = {
        "page": found,
        "listing": listing,
        "tabs": [(name, tabs[name], found.counts[name]) for name in reading.LISTINGS],
        "words": _standing_words(),
        "ended": ended_words(),
        "previous": found.page - 1,
        "following": found.page + 1,
    }
    return page_of(request, "desk/orders.html", "orders", context)


@allowed("clue.read")
@require_safe
def order(request: HttpRequest, order: int) -> HttpResponse:
    found = reading.order_sheet(person_of(request), order, at=timezone.now())
    if found is None:
        raise Http404
    context = {
        "sheet": found,
        "order": found.view.order,
        "clue": found.clue,
        "standing": _standing_words()[found.view.standing],
        "ended": ended_words(),
        "results": dict(call_results()),
        "points": (pick("zh", "en") == "en" and found.clue.checking_points_en)
        or found.clue.checking_points_zh,
    }
    return page_of(request, "desk/order.html", "orders", context)


@allowed("clue.read")
@require_safe
def duty_list(request: HttpRequest) -> HttpResponse:
    """The duty list, and who answers for one problem at one place today."""
    offices = accounts.all_offices()
    top = next(o for o in offices if o.is_prefecture)
    problem, place = request.GET.get("problem", ""), request.GET.get("place", "")
    held = next((o for o in offices if o.code == place), None)
    answer = None
    if problem in duties.problems() and held is not None:
        answer = duties.responsible(
            problem, held.code, on=timezone.localdate(), zh=held.short_zh, en=held.short_en, prefecture=top.code
        )  # fmt: skip
    competent = duties.competent_office(answer, place, top.code)
    context = {
        "rows": duties.duty_list(),
        "departments": {d.code: d for d in accounts.departments_of(top.code)},
        "problems": list(dict.fromkeys(duties.problems())),
        "places": [(o.code, pick(o.short_zh, o.short_en)) for o in offices],
        "problem": problem,
        "place": place,
        "asked": bool(problem and place),
        "answer": answer,
        "competent": next((o for o in offices if o.code == competent), None),
        "hours": REFERENCE.orders.receipt_hours,
        "escalate": REFERENCE.orders.escalate_hours,
    }
    return page_of(request, "desk/duties.html", "orders", context)
