"""Signed model packs: hand out chosen models, take others' in and look at what they would be here."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts.refused import Refused
from dashboard.accounts.page import allowed, said
from dashboard.desk.page import page, person, pick
from dashboard.library.views import attached
from supervision import selectors as supervision
from supervision.packs import actions
from supervision.packs.checking import Outcome
from supervision.packs.container import Faulty
from supervision.packs.limits import LIMITS
from supervision.packs.reading import own_key, pack_list, pack_of, publishers


def _page(
    request: HttpRequest, refused: str = "", wrong: str = "", chosen: tuple[str, ...] = ()
) -> HttpResponse:
    """``refused`` stands beside the import, ``wrong`` beside the export."""
    who = person(request)
    rules = sorted(
        supervision.rulebook().values(), key=lambda r: (supervision.DOMAINS.index(r.domain), r.code)
    )
    context: dict[str, Any] = {
        "rules": rules,
        "domains": [d for d in supervision.DOMAINS if any(r.domain == d for r in rules)],
        "chosen": chosen or tuple(request.GET.getlist("model")),
        "packs": pack_list(),
        "publishers": publishers(timezone.localdate()),
        "own": own_key(),
        "house": actions.house(),
        "refused": refused,
        "wrong": wrong,
        "may_export": who.may("rule.approve"),
        "may_import": who.may("rule.write"),
        "megabytes": LIMITS.pack_bytes.value // 1048576,
    }
    return page(request, "library/packs.html", "models", context, 422 if refused or wrong else 200)


@allowed("rule.write", "rule.approve")
@require_safe
def packs(request: HttpRequest) -> HttpResponse:
    return _page(request)


@allowed("rule.approve")
@require_POST
def pack_export(request: HttpRequest) -> HttpResponse:
    wanted = request.POST.getlist("model")[: LIMITS.models.value + 1]
    try:
        made = actions.export(
            person(request),
            wanted,
            supervision.rulebook(),
            note=request.POST.get("note", ""),
            at=timezone.now(),
        )
    except Refused as error:
        return _page(request, wrong=said(error), chosen=tuple(wanted))
    return attached(made.content, made.name, "application/zip")


@allowed("rule.write")
@require_POST
def pack_import(request: HttpRequest) -> HttpResponse:
    upload = request.FILES.get("file")
    if upload is None:
        return _page(request, refused=_("请选择一个模型包"))
    try:
        taken = actions.take_in(
            person(request), upload.read(LIMITS.pack_bytes.value + 1), supervision.rulebook(),
            name=str(upload.name or ""), at=timezone.now(),
        )  # fmt: skip
    except Faulty as fault:
        return _page(request, refused=pick(str(fault.problem), fault.problem.english))
    except Refused as error:
        return _page(request, refused=said(error))
    messages.success(request, _("模型包已校验，签名有效"))
    return redirect("library:pack", taken.pk)


@allowed("rule.write", "rule.approve")
@require_safe
def pack(request: HttpRequest, pack: int) -> HttpResponse:
    """One pack: who signed it, and what each model of it is here."""
    found = pack_of(pack)
    if found is None:
        raise Http404
    outcomes = [Outcome.restored(kept) for kept in found.listed] if found.way == "in" else []
    context = {
        "pack": found,
        "may_write": person(request).may("rule.write"),
        "outcomes": outcomes,
        "ready": sum(o.ready for o in outcomes),
        "listed": found.listed if found.way == "out" else [],
    }
    return page(request, "library/pack.html", "models", context)


@allowed("rule.write")
@require_POST
def pack_propose(request: HttpRequest, pack: int, model: str) -> HttpResponse:
    """A model of a pack into the studio, as a draft that two people publish."""
    try:
        draft = actions.propose(person(request), pack, model, at=timezone.now())
    except Refused as refused:
        messages.error(request, said(refused))
        return redirect("library:pack", pack)
    messages.success(request, _("已建草稿，试运行后由另一人发布"))
    return redirect("studio:draft", draft.pk)
