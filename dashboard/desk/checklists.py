"""Checking lists: made from the queue, downloaded, brought back, looked at, applied."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard.accounts.page import allowed
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from dashboard.desk.page import pick
from dashboard.desk.views import asked_filters
from supervision.checklists import actions, reading
from supervision.clues.actions import Refused
from supervision.reference import REFERENCE

_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: what a filled list may weigh
_MOST_BYTES = 10 * 1024 * 1024


@allowed("clue.check")
@require_safe
def checklists(request: HttpRequest) -> HttpResponse:
    context = {"lists": reading.lists(person_of(request))}
    return page_of(request, "desk/checklists.html", "checklists", context)


@allowed("clue.check")
def checklist_new(request: HttpRequest) -> HttpResponse:
    """The clues ticked in the queue, or all that its filters leave; a POST makes the list."""
    who = person_of(request)
    filters, _page = asked_filters(request)
    ticked = [v.partition(":")[0] for v in request.GET.getlist("clue")]
    numbers = ticked or actions.numbers_of(who, filters)
    most = REFERENCE.checklist.clues_most.value
    refused = ""
    if request.method == "POST":
        try:
            made = actions.make(by=who, at=timezone.now(), numbers=numbers)
        except Refused as error:
            refused = pick(error.zh, error.en)
        else:
            messages.success(request, _("核查清单已生成，请下载"))
            return redirect("desk:checklist", made.pk)
    context = {
        "count": len(numbers),
        "most": most,
        "too_many": len(numbers) > most,
        "ticked": ticked,
        "refused": refused,
    }
    return page_of(request, "desk/checklist_new.html", "checklists", context, 409 if refused else 200)


@allowed("clue.check")
@require_safe
def checklist(request: HttpRequest, checklist: int) -> HttpResponse:
    return _page(request, checklist)


def _page(
    request: HttpRequest, pk: int, *, refused: str = "", told: list[actions.Outcome] | None = None
) -> HttpResponse:
    who = person_of(request)
    found = reading.one(who, pk)
    if found is None:
        raise Http404
    outlook = actions.outlook(by=who, back=found.back) if found.back else []
    told = told or []
    context: dict[str, Any] = {
        "found": found,
        "outlook": [o for o in outlook if o.state != "done"],
        "told": told,
        "told_well": sum(o.state == "done" for o in told),
        "ready": sum(o.state == "ready" for o in outlook),
        "amiss": sum(o.state in ("stale", "wrong") for o in outlook),
        "at_once": REFERENCE.checklist.at_once.value,
        "refused": refused,
    }
    if request.headers.get("X-Fragment"):
        return render(request, "desk/parts/checklist_return.html", context)
    return page_of(request, "desk/checklist.html", "checklists", context, 409 if refused else 200)


@allowed("clue.check")
@require_safe
def checklist_file(request: HttpRequest, checklist: int) -> HttpResponse:
    who = person_of(request)
    found = reading.one(who, checklist)
    if found is None:
        raise Http404
    content = actions.workbook(by=who, at=timezone.now(), checklist=found.checklist)
    answer = HttpResponse(content, content_type=_XLSX)
    answer["Content-Disposition"] = (
        f"attachment; filename*=UTF-8''{quote(f'核查清单-{found.checklist.pk}.xlsx')}"
    )
    return answer


@allowed("clue.check")
@require_POST
def checklist_return(request: HttpRequest, checklist: int) -> HttpResponse:
    who = person_of(request)
    found = reading.one(who, checklist)
    if found is None:
        raise Http404
    given = request.FILES.get("file")
    if given is None or not given.size or given.size > _MOST_BYTES:
        return _page(request, checklist, refused=_("请选择填好的核查清单（XLSX，不超过 10 MB）"))
    # Kept in memory that nobody else sees: the reader opens it by its descriptor.
    with os.fdopen(os.memfd_create("checklist"), "w+b") as plain:
        for part in given.chunks():
            plain.write(part)
        plain.flush()
        try:
            actions.bring_back(
                by=who, at=timezone.now(), checklist=found.checklist, path=Path(f"/proc/self/fd/{plain.fileno()}"),
                file_name=given.name or "",
            )  # fmt: skip
        except Refused as error:
            return _page(request, checklist, refused=pick(error.zh, error.en))
    return redirect("desk:checklist", checklist)


@allowed("clue.check")
@require_POST
def checklist_apply(request: HttpRequest, checklist: int) -> HttpResponse:
    """The next few answers; the page asks again until none is left, so that progress shows and a stop loses nothing."""
    who = person_of(request)
    found = reading.one(who, checklist)
    if found is None or found.back is None:
        raise Http404
    told = actions.apply(by=who, at=timezone.now(), back=found.back, most=REFERENCE.checklist.at_once.value)
    return _page(request, checklist, told=told)
