"""Numbers that leave the house: asking, deciding, opening once. Every view: translate in, one call, translate out."""

from __future__ import annotations

import io
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard.accounts.page import allowed, confirmed
from dashboard.desk.disclosed import write_xlsx
from dashboard.desk.page import english, page, person, pick
from ingestion import selectors as ingestion
from supervision.clues.actions import Refused
from supervision.disclosures import actions, reading
from supervision.reference import REFERENCE

_READERS = ("identifier.disclose", "disclosure.approve")
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
ACTS = ("approve", "refuse", "withdraw", "open")


def state_words() -> dict[str, str]:
    return {
        "asked": _("待审批"),
        "approved": _("已批准"),
        "refused": _("不予批准"),
        "withdrawn": _("申请已撤回"),
        "opened": _("已打开"),
        "expired": _("批准已过期"),
    }


@allowed(*_READERS)
@require_safe
def disclosures(request: HttpRequest) -> HttpResponse:
    who, wanted = person(request), request.GET.get("page", "1")
    approver = who.may("disclosure.approve")
    listing = request.GET.get("list", "")
    if listing not in reading.LISTS:
        listing = "waiting" if approver else "own"
    found = reading.disclosure_page(
        who,
        listing,
        int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 8 else 1,
        at=timezone.now(),
    )
    words = {"waiting": _("待我审批"), "own": _("我的申请"), "all": _("全部申请")}
    context = {
        "page": found,
        "listing": listing,
        "tabs": [
            (name, words[name], found.counts[name])
            for name in reading.LISTS
            if approver or name == "own" or found.counts[name] > found.counts["own"]
        ],
        "words": state_words(),
        "bounds": REFERENCE.disclosure,
        "may_ask": who.may("identifier.disclose"),
        "previous": found.page - 1,
        "following": found.page + 1,
    }
    return page(request, "desk/disclosures.html", "disclosures", context)


@allowed("identifier.disclose")
def new(request: HttpRequest) -> HttpResponse:
    """The form, with the clue it was come from filled in."""
    post, refused = request.POST, ""
    if request.method == "POST":
        agency = post.get("agency", "")
        named = dict(ingestion.agencies())
        try:
            made = actions.ask(
                by=person(request),
                at=timezone.now(),
                clues=post.get("clues", "").replace("，", " ").replace("、", " ").replace(",", " ").split(),
                agency=agency if agency in named else "",
                addressee=named.get(agency, post.get("addressee", "")),
                basis=post.get("basis", ""),
                reason=post.get("reason", ""),
            )
        except Refused as error:
            refused = pick(error.zh, error.en)
        else:
            messages.success(request, _("已提交，等待审批"))
            return redirect("desk:disclosure", pk=made.pk)
    typed = post.dict() if post else {"clues": request.GET.get("clue", "")[:24]}
    context = {
        "typed": typed,
        "refused": refused,
        "agencies": _agencies(),
        "bounds": REFERENCE.disclosure,
    }
    return page(request, "desk/disclosure_new.html", "disclosures", context, 409 if refused else 200)


@allowed(*_READERS)
@require_safe
def disclosure(request: HttpRequest, pk: int) -> HttpResponse:
    return _detail(request, pk)


def _detail(request: HttpRequest, pk: int, refused: str = "", asked: str = "") -> HttpResponse:
    found = reading.disclosure_detail(person(request), pk, at=timezone.now())
    if found is None:
        raise Http404
    context = {
        "found": found,
        "words": state_words(),
        "refused": refused,
        "asked": asked,
        "bounds": REFERENCE.disclosure,
        "typed": request.POST,
    }
    return page(request, "desk/disclosure.html", "disclosures", context, 409 if refused else 200)


@allowed(*_READERS)
@require_POST
def act(request: HttpRequest, pk: int, act: str) -> HttpResponse:
    """Decide on it, take it back, or open it: the one answer that bears the numbers."""
    who, at, post = person(request), timezone.now(), request.POST
    if act not in ACTS:
        raise Http404
    # Somebody else's request, out of the person's sight, is not there.
    if reading.disclosure_detail(who, pk, at=at) is None:
        raise Http404
    if act == "open" and not confirmed(request):
        return _detail(request, pk, asked=post.get("as", "page"))
    try:
        if act == "open":
            return _opened(request, actions.open_once(by=who, at=at, pk=pk), post.get("as", "page"))
        if act == "withdraw":
            actions.withdraw(by=who, at=at, pk=pk)
            messages.success(request, _("已撤回申请"))
        else:
            approve = act == "approve"
            actions.decide(by=who, at=at, pk=pk, approve=approve, note=post.get("note", ""))
            messages.success(request, _("已批准") if approve else _("已记录：不予批准"))
    except Refused as refused:
        return _detail(request, pk, pick(refused.zh, refused.en))
    return redirect("desk:disclosure", pk=pk)


def _opened(request: HttpRequest, opened: actions.Opened, form: str) -> HttpResponse:
    if form == "xlsx":
        out = io.BytesIO()
        write_xlsx(opened, out, person(request), english=english())
        attached = f'attachment; filename="disclosure-{opened.disclosure.pk}.xlsx"'
        return HttpResponse(out.getvalue(), content_type=_XLSX, headers={"Content-Disposition": attached})
    context: dict[str, Any] = {
        "opened": opened,
        "lines": [
            {
                "clue": line.clue,
                "name": line.name,
                "kind": pick(line.kind_zh, line.kind_en),
                "number": line.number,
                "source": pick(line.source_zh, line.source_en),
            }
            for line in opened.lines
        ],
        "inside": [pick(zh, en) for zh, en in opened.kept_inside],
    }
    return render(request, "desk/disclosed.html", context)


def _agencies() -> list[tuple[str, str]]:
    named = {f.agency.code: pick(f.agency.zh, f.agency.en) for f in ingestion.catalog().values()}
    return sorted(named.items())
