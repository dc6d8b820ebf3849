"""The ways in at the desk: what came, discs that two people bring in, the packing page for agencies."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.kit.problems import Problem
from dashboard.accounts.page import allowed
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from dashboard.exchange.packing import packing_page
from ingestion.exchange import discs, receipts, selectors, sheet
from ingestion.models import Delivery
from supervision.webhooks import reading as webhooks

_PAGE = 30
#: fields of the hand-over as the paper has them, in its order
_HAND_OVER = ("number", "medium", "handed_over_by", "received_by", "note")


@allowed("batch.import")
@require_safe
def deliveries(request: HttpRequest) -> HttpResponse:
    who = person_of(request)
    way, agency, before = (request.GET.get(name, "") for name in ("way", "agency", "before"))
    way = way if way in Delivery.Way.values else ""
    limit = int(before) if before.isascii() and before.isdigit() and len(before) < 12 else None
    rows = selectors.rows(who, at=timezone.now(), way=way, agency=agency, before=limit, limit=_PAGE + 1)
    context = {
        "rows": rows[:_PAGE],
        "older": rows[_PAGE - 1].delivery.pk if len(rows) > _PAGE else None,
        "gaps": selectors.gaps(who),
        "faults": selectors.faults(),
        "undelivered": webhooks.dead_count(),
        "to_confirm": selectors.to_confirm(who),
        "ways": _ways(),
        "way": way,
        "agency": agency,
        "agencies": selectors.providers(),
    }
    return page_of(request, "exchange/deliveries.html", "exchange", context)


def _ways() -> list[tuple[str, str]]:
    return [
        ("bundle", _("数据包")),
        ("disc", _("光盘交接")),
        ("folder", _("投递目录")),
        ("push", _("接口推送")),
        ("pull", _("定时拉取")),
        ("view", _("数据库视图")),
    ]


@allowed("batch.import")
@require_safe
def packing(request: HttpRequest) -> HttpResponse:
    agency = request.GET.get("agency", "")
    found = next((p for p in selectors.providers() if p.code == agency), None)
    if found is None:
        raise Http404
    answer = HttpResponse(packing_page(found), content_type="text/html; charset=utf-8")
    # Never shown from here: it is taken to the agency and opened there.
    answer["Content-Disposition"] = f'attachment; filename="packing-{agency}.html"'
    return answer


@allowed("batch.import")
def disc(request: HttpRequest) -> HttpResponse:
    refused: discs.DiscRefused | None = None
    if request.method == "POST":
        try:
            made = _register(request)
        except discs.DiscRefused as error:
            refused = error
        else:
            messages.success(request, _("光盘已登记，等待另一位专管员复核。"))
            return redirect("exchange:delivery", code=made.code)
    typed = {name: request.POST.get(name, "") for name in (*_HAND_OVER, "agency", "feed", "lines")}
    context: dict[str, Any] = {
        "agencies": selectors.providers(),
        "drive": discs.drive(),
        "drive_named": bool(settings.DISC_DIR),
        "chosen": request.POST.getlist("chosen"),
        "typed": typed,
        "problems": refused.problems if refused else [],
        "mismatches": refused.mismatches if refused else [],
        "shortest": sheet.SHORTEST,
    }
    return page_of(request, "exchange/disc.html", "exchange", context, 409 if refused else 200)


def _register(request: HttpRequest) -> Delivery:
    person = person_of(request)
    hand_over = {name: request.POST.get(name, "").strip()[:200] for name in _HAND_OVER}
    missing = [name for name in ("handed_over_by", "received_by") if not hand_over[name]]
    if missing:
        words = {"handed_over_by": _("移交人"), "received_by": _("接收人")}
        raise discs.DiscRefused(
            [Problem(n, _("没有填写%(field)s") % {"field": words[n]}, "") for n in missing]
        )
    agency = request.POST.get("agency", "")
    try:
        lines: tuple[sheet.Line, ...] = ()
        if paper := request.FILES.get("sheet"):
            lines, said = sheet.document(paper.read(1 << 20))
            if said.pop("agency") != agency:
                raise sheet.SheetFault("agency", _("交接单文件属于另一个单位"))
            hand_over |= {f"sheet_{k}": v for k, v in said.items() if v}
        elif request.POST.get("lines", "").strip():
            lines = sheet.typed(request.POST["lines"])
    except sheet.SheetFault as fault:
        raise discs.DiscRefused([Problem("lines", str(fault), "")]) from fault
    return discs.register(
        by=person,
        at=timezone.now(),
        agency=agency,
        feed=request.POST.get("feed", ""),
        lines=lines,
        hand_over=hand_over,
        uploads=[discs.Source(f.name or "", f) for f in request.FILES.getlist("files")],
        chosen=request.POST.getlist("chosen"),
    )


@allowed("batch.import")
@require_safe
def delivery(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    return _show(request, code)


def _show(
    request: HttpRequest, code: uuid.UUID, refused: discs.DiscRefused | None = None, status: int = 200
) -> HttpResponse:
    row = selectors.one(person_of(request), str(code), at=timezone.now())
    if row is None:
        raise Http404
    who = selectors.people(row.delivery.registered_by, row.delivery.confirmed_by)
    context = {
        "row": row,
        "d": row.delivery,
        "receipt": row.receipt,
        "registered_by": who.get(row.delivery.registered_by, row.delivery.registered_by),
        "confirmed_by": who.get(row.delivery.confirmed_by or "", row.delivery.confirmed_by),
        "own": row.delivery.registered_by == person_of(request).username,
        "problems": refused.problems if refused else [],
    }
    return page_of(request, "exchange/delivery.html", "exchange", context, status)


@allowed("batch.import")
@require_POST
def confirm(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    try:
        discs.confirm(str(code), by=person_of(request), at=timezone.now())
    except discs.DiscRefused as refused:
        return _show(request, code, refused, 409)
    messages.success(request, _("已复核，文件交数据接收处理。"))
    return redirect("exchange:delivery", code=code)


@allowed("batch.import")
@require_POST
def refuse(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    try:
        discs.refuse(
            str(code), by=person_of(request), reason=request.POST.get("reason", ""), at=timezone.now()
        )
    except discs.DiscRefused as refused:
        return _show(request, code, refused, 409)
    messages.success(request, _("已退回，文件未入库。"))
    return redirect("exchange:delivery", code=code)


@allowed("batch.import")
@require_safe
def receipt(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    row = selectors.one(person_of(request), str(code), at=timezone.now())
    if row is None:
        raise Http404
    answer = HttpResponse(receipts.signed(row.receipt), content_type="application/json")
    answer["Content-Disposition"] = f'attachment; filename="receipt-{row.delivery.pk:06d}.json"'
    return answer
