"""The agreements register: the list, one agreement, entering, renewing, ending, clearing."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts import selectors as accounts
from chuxiong.accounts.refused import Refused
from dashboard.accounts.page import allowed
from dashboard.desk.page import page, person, pick
from ingestion import selectors as ingestion
from ingestion.agreements import PURPOSE
from ingestion.cameras.clearing import FRAMES
from ingestion.catalog.health import limits
from ingestion.catalog.purposes import purposes
from ingestion.catalog.spec import Words
from ingestion.models import Agreement
from ingestion.registers import agreement_actions as actions
from ingestion.registers import reading
from supervision import selectors as supervision

#: what a scan may weigh; the scan is read once for its digest and not kept
_SCAN_MAX = 50 * 1024 * 1024


@allowed("clue.read", "batch.import")
@require_safe
def register(request: HttpRequest) -> HttpResponse:
    today = timezone.localdate()
    rows, uncovered = reading.register(ingestion.catalog(), today)
    stopping = supervision.rules_that_lapse(
        {r.agreement.number: r.last_day for r in rows if r.standing in ("soon", "valid")}
    )
    only = request.GET.get("standing", "")
    tally = Counter(r.standing for r in rows)
    context = {
        "rows": [(r, stopping.get(r.agreement.number, [])) for r in rows if only in ("", r.standing)],
        "tabs": [(s, tally[s]) for s in reading.STANDINGS if tally[s] or s == only],
        "only": only,
        "total": len(rows),
        "ending": [
            (r, stopping.get(r.agreement.number, [])) for r in rows if r.standing == "soon" and not r.followed
        ],
        "uncovered": [(u, supervision.rules_by_feed().get(u.feed.code, [])) for u in uncovered],
        "warn_days": limits().agreement.warn_days,
    }
    return page(request, "sources/agreements.html", "agreements", context)


@allowed("clue.read", "batch.import")
@require_safe
def one(request: HttpRequest, agreement: int) -> HttpResponse:
    return _one(request, agreement)


def _one(
    request: HttpRequest, pk: int, *, refused: str = "", said: str = "", status: int = 200
) -> HttpResponse:
    today = timezone.localdate()
    found = reading.agreement_detail(pk, ingestion.catalog(), today)
    if found is None:
        raise Http404
    number = found.agreement.number
    offices = {o.code: pick(o.short_zh, o.short_en) for o in accounts.all_offices()}
    who = person(request)
    context = {
        "d": found,
        "a": found.agreement,
        "counties": [offices.get(code, code) for code in found.agreement.counties],
        "lapsing": supervision.rules_that_lapse({number: found.last_day}).get(number, []),
        "stopping": supervision.rules_that_stop([number], on=today)[number],
        "open_clearing": next((c for c in found.clearings if c.state in actions.OPEN_CLEARINGS), None),
        "totals": {c.pk: _totals(c.result or c.preview) for c in found.clearings},
        "titles": _titles(),
        "own_request": any(c.requested_by == who.username for c in found.clearings if c.state == "counted"),
        "refused": refused,
        "said": said,
        "typed": request.POST,
        "yesterday": today - timedelta(days=1),
    }
    return page(request, "sources/agreement.html", "agreements", context, status)


def _titles() -> dict[str, Any]:
    """What a clearing speaks of: feeds by their code, and kept frames of cameras."""
    frames = Words(zh="摄像机已存画面", en="Kept camera frames")
    return {code: feed.title for code, feed in ingestion.catalog().items()} | {FRAMES: frames}


def _totals(told: dict[str, Any]) -> dict[str, int]:
    names = ("records", "cleared", "held", "identifiers", "identifiers_cleared", "batches", "batches_cleared")
    return {name: sum(feed.get(name, 0) for feed in told.values()) for name in names}


@allowed("agreement.write")
def new(request: HttpRequest) -> HttpResponse:
    """Enter a signed agreement; ``?renews=`` begins with the terms of the one before."""
    before = _before(request.GET.get("renews", ""))
    agency = request.POST.get("agency") or request.GET.get("agency", "") or (before.agency if before else "")
    feeds = [f for f in ingestion.catalog().values() if f.agency.code == agency]
    refused = ""
    wrong: dict[str, str] = {}
    if request.method == "POST":
        terms, wrong = _terms(request, agency)
        if terms is not None:
            try:
                made = actions.register(
                    by=person(request),
                    at=timezone.now(),
                    feeds=ingestion.catalog(),
                    terms=terms,
                    renews=before.pk if before else None,
                )
                messages.success(request, _("协议已登记"))
                return redirect("sources:agreement", made.pk)
            except Refused as error:
                refused = pick(error.zh, error.en)
    chosen = _purposes(request, before)
    context = {
        "agency": agency,
        "agencies": ingestion.agencies(),
        "feeds": [(f, _chosen(request, f.code, before)) for f in feeds],
        "before": before,
        "typed": request.POST if request.method == "POST" else _suggested(before),
        "counties": [
            (o.code, pick(o.short_zh, o.short_en), o.code in _counties(request, before))
            for o in accounts.all_offices()
            if o.parent_id
        ],
        "known_purposes": [(code, pick(p.zh, p.en), code in chosen) for code, p in purposes().items()],
        "other_purposes": "，".join(p for p in chosen if p not in purposes()),
        "refused": refused,
        "wrong": wrong,
    }
    return page(
        request, "sources/agreement_new.html", "agreements", context, 409 if refused or wrong else 200
    )


def _before(pk: str) -> Agreement | None:
    if not (pk.isascii() and pk.isdigit() and len(pk) < 10):
        return None
    return Agreement.objects.filter(pk=int(pk)).first()


def _suggested(before: Agreement | None) -> dict[str, Any]:
    if before is None:
        return {}
    begins = before.valid_to + timedelta(days=1)
    return {
        "title": before.title,
        "valid_from": begins.isoformat(),
        "custodian": before.custodian,
        "agency_custodian": before.agency_custodian,
        "may_be_fed_back": before.may_be_fed_back,
    }


def _purposes(request: HttpRequest, before: Agreement | None) -> list[str]:
    """Codes of the purposes ticked, and others in the agreement's own words."""
    if request.method == "POST":
        others = request.POST.get("purposes", "").replace("，", ",").split(",")
        return [*request.POST.getlist("purpose"), *(p.strip() for p in others if p.strip())]
    return list(before.purposes) if before else [PURPOSE]


def _counties(request: HttpRequest, before: Agreement | None) -> list[str]:
    if request.method == "POST":
        return request.POST.getlist("county")
    return list(before.counties) if before else []


def _chosen(request: HttpRequest, code: str, before: Agreement | None) -> list[str]:
    """The columns ticked of a feed: of what was typed, of the agreement to renew, or all."""
    if request.method == "POST":
        if code in request.POST.getlist("all"):
            return ["*"]
        return [c.partition(".")[2] for c in request.POST.getlist("column") if c.partition(".")[0] == code]
    return list(before.fields.get(code, [])) if before else []


def _terms(request: HttpRequest, agency: str) -> tuple[actions.Terms | None, dict[str, str]]:
    """The form as terms, or what is wrong by field."""
    post = request.POST
    wrong: dict[str, str] = {}
    days: Any = {}
    for name in ("signed_on", "valid_from", "valid_to"):
        try:
            days[name] = date.fromisoformat(post.get(name, ""))
        except ValueError:
            wrong[name] = _("日期无法识别，请写成 2026-11-05")
    digest, file_name = post.get("document_digest", ""), ""
    scan = request.FILES.get("document")
    if scan is not None:
        if (scan.size or 0) > _SCAN_MAX:
            wrong["document"] = _("扫描件超过 50 MB，请压缩后再选，或直接填写摘要")
        else:
            digest, file_name = actions.digest_of(scan), (scan.name or "")[:200]
    fields = {
        f.code: _chosen(request, f.code, None)
        for f in ingestion.catalog().values()
        if f.agency.code == agency
    }
    if wrong:
        return None, wrong
    return actions.Terms(
        number=post.get("number", ""),
        agency=agency,
        title=post.get("title", ""),
        fields={code: names for code, names in fields.items() if names},
        custodian=post.get("custodian", ""),
        agency_custodian=post.get("agency_custodian", ""),
        counties=post.getlist("county"),
        purposes=_purposes(request, None),
        may_be_fed_back=bool(post.get("may_be_fed_back")),
        document_name=file_name,
        document_digest=digest,
        **days,
    ), {}


_ACTS = {
    "end": "agreement.write",
    "custodians": "agreement.write",
    "clear": "agreement.write",
    "approve": "agreement.clear",
    "decline": "agreement.clear",
    "verify": "agreement.write",
}


@allowed("agreement.write", "agreement.clear")
@require_POST
def act(request: HttpRequest, agreement: int, act: str) -> HttpResponse:
    if act not in _ACTS:
        raise Http404
    by, now, post = person(request), timezone.now(), request.POST
    try:
        if act == "end":
            actions.end(
                by=by, pk=agreement, at=now, on=_day(post.get("on", "")), reason=post.get("reason", "")
            )
            messages.success(request, _("协议已终止"))
        elif act == "custodians":
            actions.name_custodians(
                by=by,
                pk=agreement,
                at=now,
                custodian=post.get("custodian", ""),
                agency_custodian=post.get("agency_custodian", ""),
            )
            messages.success(request, _("专管员已变更"))
        elif act == "clear":
            actions.request_clearing(by=by, pk=agreement, at=now, reason=post.get("reason", ""))
            messages.success(request, _("已申请清除，正在统计"))
        elif act == "verify":
            return _verify(request, agreement)
        else:
            number = post.get("clearing", "")
            actions.decide_clearing(
                by=by,
                pk=int(number) if number.isascii() and number.isdigit() and len(number) < 10 else 0,
                at=now,
                approve=act == "approve",
                note=post.get("note", ""),
            )
            messages.success(request, _("已批准，清除随即开始") if act == "approve" else _("已记录不批准"))
    except Refused as error:
        return _one(request, agreement, refused=pick(error.zh, error.en), status=409)
    return redirect("sources:agreement", agreement)


def _verify(request: HttpRequest, pk: int) -> HttpResponse:
    """Is this scan that of the registered paper? Read once, not kept."""
    scan, known = request.FILES.get("document"), Agreement.objects.filter(pk=pk).first()
    if scan is None or known is None or not known.document_digest:
        return _one(request, pk, refused=_("请选择要核对的扫描件"), status=409)
    if actions.digest_of(scan) == known.document_digest:
        return _one(request, pk, said=_("摘要一致：这份扫描件就是登记时的原件。"))
    return _one(request, pk, refused=_("摘要不一致：这份扫描件与登记时的原件不同。"), status=409)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise Refused("日期无法识别，请写成 2026-11-05", "not a date: write 2026-11-05") from None


@allowed("clue.read", "batch.import")
@require_safe
def receipt(request: HttpRequest, agreement: int, clearing: int) -> HttpResponse:
    """The receipt of a finished clearing, for printing and filing."""
    found = reading.agreement_detail(agreement, ingestion.catalog(), timezone.localdate())
    done = (
        next((c for c in found.clearings if c.pk == clearing and c.state == "done"), None) if found else None
    )
    if found is None or done is None:
        raise Http404
    context = {
        "a": found.agreement,
        "c": done,
        "titles": _titles(),
        "totals": _totals(done.result),
    }
    return page(request, "sources/receipt.html", "agreements", context)
