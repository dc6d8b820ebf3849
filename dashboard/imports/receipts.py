"""What is printed and handed back: the receipt of a batch, its failing rows, a feed's blank template."""

from __future__ import annotations

import io
from functools import partial
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts.refused import Refused
from dashboard.accounts.page import allowed, said
from dashboard.desk.page import page, person
from dashboard.imports.words import reason_said
from ingestion import selectors as ingestion
from ingestion.imports import actions, selectors
from ingestion.imports.errors import write_error_receipt
from ingestion.imports.template import write_template

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


@allowed("clue.read", "batch.import")
@require_safe
def receipt(request: HttpRequest, batch: int) -> HttpResponse:
    return _receipt(request, batch)


def _receipt(request: HttpRequest, batch: int, *, refused: str = "", status: int = 200) -> HttpResponse:
    who = person(request)
    found = selectors.receipt_of(who, batch)
    if found is None:
        raise Http404
    context: dict[str, Any] = {
        "receipt": found,
        "refused": refused,
        "reasons": [(column, *reason_said(reason), rows) for column, reason, rows in found.reasons],
        "kept": [(column, *reason_said(reason), rows) for column, reason, rows in found.notes],
        "can_take_out": who.may("batch.import")
        and found.batch.quarantined
        and selectors.in_reach(who, batch),
    }
    return page(
        request, "imports/receipt.html", "imports" if who.may("batch.import") else "feeds", context, status
    )


@allowed("batch.import")
@require_POST
def errors(request: HttpRequest, batch: int) -> HttpResponse:
    now, who, out = timezone.now(), person(request), io.BytesIO()
    if selectors.receipt_of(who, batch) is None:
        raise Http404
    try:
        actions.error_receipt(
            batch,
            by=who,
            at=now,
            reason=request.POST.get("reason", ""),
            write=partial(write_error_receipt, out=out, at=now),
        )
    except Refused as error:
        return _receipt(request, batch, refused=said(error), status=409)
    return _file(out, f"更正单-批次{batch}.xlsx")


@allowed("batch.import", "clue.read")
@require_safe
def template(request: HttpRequest, feed: str) -> HttpResponse:
    spec = ingestion.catalog().get(feed)
    if spec is None:
        raise Http404
    out = io.BytesIO()
    write_template(spec, out)
    return _file(out, f"{spec.title.zh}-空白表.xlsx")


def _file(out: io.BytesIO, name: str) -> HttpResponse:
    response = HttpResponse(out.getvalue(), content_type=_XLSX)
    response["Content-Disposition"] = content_disposition_header(True, name) or "attachment"
    response["Cache-Control"] = "no-store"
    return response
