"""Matters (类案): list, one with its parts by county, opening and ending."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard.accounts.page import allowed
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from dashboard.desk.page import pick
from supervision import matters as reading
from supervision.clues import actions


@allowed("clue.read")
@require_safe
def matters(request: HttpRequest) -> HttpResponse:
    who = person_of(request)
    context = {"rows": reading.matter_list(who), "may_open": who.may("clue.triage")}
    return page_of(request, "desk/matters.html", "matters", context)


@allowed("clue.triage")
def matter_new(request: HttpRequest) -> HttpResponse:
    post, refused = request.POST, ""
    if request.method == "POST":
        try:
            made = actions.open_matter(
                by=person_of(request), at=timezone.now(), title=post.get("title", ""), text=post.get("text", "")[:4000]
            )  # fmt: skip
        except actions.Refused as error:
            refused = pick(error.zh, error.en)
        else:
            messages.success(request, _("类案已建立，请在线索页归入线索"))
            return redirect("desk:matter", made.pk)
    context = {"typed": post, "refused": refused}
    return page_of(request, "desk/matter_new.html", "matters", context, 409 if refused else 200)


@allowed("clue.read")
@require_safe
def matter(request: HttpRequest, matter: int) -> HttpResponse:
    return _page(request, matter)


def _page(request: HttpRequest, pk: int, refused: str = "") -> HttpResponse:
    found = reading.matter_detail(person_of(request), pk, at=timezone.now())
    if found is None:
        raise Http404
    context = {"found": found, "refused": refused, "typed": request.POST}
    return page_of(request, "desk/matter.html", "matters", context, 409 if refused else 200)


@allowed("clue.triage")
@require_POST
def matter_end(request: HttpRequest, matter: int) -> HttpResponse:
    try:
        actions.end_matter(
            matter=matter,
            by=person_of(request),
            at=timezone.now(),
            conclusion=request.POST.get("conclusion", ""),
        )
    except actions.Refused as error:
        return _page(request, matter, pick(error.zh, error.en))
    messages.success(request, _("类案已结束"))
    return redirect("desk:matter", matter)
