"""Documents of a clue, its one sheet, the ledger and the daily report. Every view: translate in, one call, translate out."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chuxiong.accounts import selectors as accounts
from dashboard.accounts.page import allowed
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from dashboard.desk.page import pick
from supervision.clues.actions import Refused
from supervision.clues.lifecycle import STATE_WORDS, State
from supervision.documents import daily, finals, ledger, reading, sheet, writing

_TYPES = {
    "ofd": "application/ofd",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "pdf": "application/pdf",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


def _file(name: str, content: bytes) -> HttpResponse:
    answer = HttpResponse(content, content_type=_TYPES[name.rpartition(".")[2]])
    answer["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    return answer


@allowed("clue.read")
def document_new(request: HttpRequest, number: str, kind: str) -> HttpResponse:
    """What a draft would say, with its blanks as a form; a POST drafts it, or shows it once more with what was typed."""
    who, at, refused = person_of(request), timezone.now(), ""
    post = request.method == "POST"
    typed = {k[2:]: str(v) for k, v in request.POST.items() if k.startswith("b-")} if post else None
    if post and "look" not in request.POST:
        try:
            made = writing.draft(by=who, at=at, clue_number=number, kind=kind, typed=typed or {})
        except writing.Missing:
            raise Http404 from None
        except Refused as error:
            refused = pick(error.zh, error.en)
        else:
            messages.success(request, _("已生成草稿"))
            return redirect("desk:document", made.pk)
    found = reading.preview(who, number, kind, typed, at=at)
    if found is None or found.kind.number == "none":
        raise Http404
    context = {
        "found": found,
        "refused": refused or (pick(found.refused.zh, found.refused.en) if found.refused else ""),
        "basis": found.kind.basis_on(timezone.localdate(at)),
    }
    return page_of(request, "documents/new.html", "queue", context, 409 if refused else 200)


@allowed("clue.read")
@require_safe
def document(request: HttpRequest, document: int) -> HttpResponse:
    return _page(request, document)


def _page(
    request: HttpRequest, pk: int, refused: str = "", typed: dict[str, Any] | None = None
) -> HttpResponse:
    who, at = person_of(request), timezone.now()
    found = reading.one(who, pk, at=at)
    if found is None:
        raise Http404
    paper, closed = None, ""
    if found.may_read:
        try:
            paper = writing.look(by=who, at=at, pk=pk)
        except Refused as error:
            closed = pick(error.zh, error.en)
    context = {
        "found": found,
        "finals": finals.listed(who, found.document),
        "may_final": found.document.state == "issued"
        and found.kind.number == "official"
        and found.may_void
        and found.may_read,
        "megabytes": finals.LIMITS.attachment_bytes.value >> 20,
        "paper": paper,
        "closed": closed,
        "refused": refused,
        "typed": typed or {},
        "today": timezone.localdate(at),
    }
    return page_of(request, "documents/document.html", "queue", context, 409 if refused else 200)


@allowed("clue.read")
@require_safe
def document_file(request: HttpRequest, document: int, form: str) -> HttpResponse:
    if form not in ("docx", "pdf"):
        raise Http404
    try:
        taken = writing.take(
            by=person_of(request), at=timezone.now(), pk=document, form="pdf" if form == "pdf" else "docx",
            numbers="numbers" in request.GET,
        )  # fmt: skip
    except writing.Missing:
        raise Http404 from None
    except Refused as error:
        return _page(request, document, pick(error.zh, error.en))
    return _file(taken.name, taken.content)


@allowed("clue.read")
@require_POST
def document_act(request: HttpRequest, document: int, act: str) -> HttpResponse:
    """Enter what the national system gave it, put the finished file beside it, or void it."""
    who, at, post = person_of(request), timezone.now(), request.POST
    try:
        if act == "number":
            writing.number(
                by=who, at=at, pk=document, official_number=post.get("official_number", ""), approver=post.get("approver", ""),
                dated_on=_day(post.get("dated_on", "")), case_number=post.get("case_number", ""),
            )  # fmt: skip
            messages.success(request, _("已登记文书编号"))
        elif act == "void":
            writing.void(by=who, at=at, pk=document, reason=post.get("reason", ""))
            messages.success(request, _("文书已作废"))
        elif act == "final":
            finals.put(
                by=who, at=at, pk=document, official_number=post.get("official_number", ""), content=_content(request)
            )  # fmt: skip
            messages.success(request, _("已存入正式文本"))
        else:
            raise Http404
    except writing.Missing:
        raise Http404 from None
    except Refused as error:
        return _page(request, document, pick(error.zh, error.en), {**post.dict(), "act": act})
    return redirect("desk:document", document)


def _content(request: HttpRequest) -> bytes:
    """The file that was chosen, refused by its size before it is read."""
    file, most = request.FILES.get("file"), finals.LIMITS.attachment_bytes.value
    if file is None or (file.size or 0) > most:
        raise Refused(f"请选择文件，至多 {most >> 20} MB", f"choose a file of at most {most >> 20} MB")
    return file.read()


@allowed("clue.read")
@require_safe
def document_final(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    """A finished file as it was put back; always to disk."""
    try:
        taken = finals.take(by=person_of(request), at=timezone.now(), code=str(code))
    except writing.Missing:
        raise Http404 from None
    except Refused as error:
        raise PermissionDenied(pick(error.zh, error.en)) from None
    answer = _file(taken.name, taken.content)
    answer["X-Content-Type-Options"] = "nosniff"
    return answer


@allowed("clue.read")
@require_safe
def clue_sheet(request: HttpRequest, number: str, form: str = "page") -> HttpResponse:
    """The clue on one A4 sheet: a page to print, a .docx or a .pdf."""
    if form not in ("page", "docx", "pdf"):
        raise Http404
    found = sheet.sheet_of(person_of(request), number, at=timezone.now(), form=form)
    if found is None:
        raise Http404
    if form == "page":
        return _sheet_page(request, found)
    name = f"{'线索登记表'}-{number}.{form}"
    try:
        return _file(name, found.pdf() if form == "pdf" else found.content)
    except Refused as error:
        return _sheet_page(request, found, pick(error.zh, error.en))


def _sheet_page(request: HttpRequest, found: sheet.Sheet, refused: str = "") -> HttpResponse:
    context = {
        "sheet": found,
        "row": found.detail.row,
        "paper": found.paper,
        "refused": refused,
        "as_of": found.made,
    }
    return render(request, "documents/sheet.html", context, status=409 if refused else 200)


@allowed("clue.read")
@require_http_methods(["GET", "HEAD", "POST"])
def reports(request: HttpRequest) -> HttpResponse:
    """Ledger and daily report. A POST keeps the ledger's columns and their order for the next time."""
    if request.method == "POST":
        try:
            codes = request.POST.getlist("column")
            for name, by in (("up", -1), ("down", 1)):
                codes = ledger.moved(codes, request.POST.get(name, ""), by)
            ledger.choose(by=person_of(request), at=timezone.now(), codes=codes)
        except Refused as error:
            return _reports(request, pick(error.zh, error.en))
        messages.success(request, _("已保存台账的列"))
        return redirect(f"{reverse('desk:reports')}?{request.GET.urlencode()}")
    return _reports(request)


def _reports(request: HttpRequest, refused: str = "") -> HttpResponse:
    who = person_of(request)
    asked, wrong = _asked(request)
    day = _day(request.GET.get("day", "")) or timezone.localdate()
    if day > timezone.localdate():
        day, wrong = timezone.localdate(), wrong or _("日报的日期不能晚于今天，已改为今天")
    chosen = ledger.chosen(who)
    ordered = [*chosen, *(c for c in ledger.COLUMNS if c not in chosen)]
    context = {
        "asked": asked,
        "count": ledger.count(who, asked),
        "most": ledger.REFERENCE.ledger.clues_most.value,
        "columns": [(c.code, pick(c.zh, c.en), c in chosen) for c in ordered],
        "states": [(s.value, pick(STATE_WORDS[s].zh, STATE_WORDS[s].en)) for s in State],
        "offices": [(o.code, pick(o.short_zh, o.short_en)) for o in accounts.offices_of(who)],
        "query": request.GET.urlencode(),
        "refused": refused or wrong,
        "day": daily.day_of(who, day),
        "today": timezone.localdate(),
    }
    return page_of(request, "documents/reports.html", "reports", context, 409 if refused else 200)


@allowed("clue.read")
@require_safe
def ledger_file(request: HttpRequest) -> HttpResponse:
    who = person_of(request)
    asked, wrong = _asked(request)
    if wrong:
        return _reports(request, wrong)
    try:
        content = ledger.workbook(by=who, at=timezone.now(), asked=asked, columns=ledger.chosen(who))
    except Refused as error:
        return _reports(request, pick(error.zh, error.en))
    return _file(f"线索台账-{asked.since}-{asked.until}.xlsx", content)


@allowed("clue.read")
@require_safe
def daily_file(request: HttpRequest, form: str) -> HttpResponse:
    if form not in ("docx", "pdf"):
        raise Http404
    day = _day(request.GET.get("day", "")) or timezone.localdate()
    try:
        content = daily.report(person_of(request), day, at=timezone.now(), form=form)
    except Refused as error:
        return _reports(request, pick(error.zh, error.en))
    return _file(f"线索日报-{day}.{form}", content)


def _asked(request: HttpRequest) -> tuple[ledger.Asked, str]:
    """What was asked for, and what is wrong with it; the last thirty days when no days were given."""
    get, today = request.GET, timezone.localdate()
    wrong = ""
    since, until = get.get("since", ""), get.get("until", "")
    first = _day(since) or today - timedelta(days=29)
    last = _day(until) or today
    if (since and not _day(since)) or (until and not _day(until)):
        wrong = _("日期无法识别，请写成 2026-11-05")
    elif last < first:
        wrong = _("截止日期早于开始日期，请核对")
    known = {s.value for s in State}
    reach = person_of(request).office_codes
    return ledger.Asked(
        first,
        last,
        tuple(s for s in get.getlist("state") if s in known),
        tuple(o for o in get.getlist("office") if o in reach),
    ), wrong


def _day(text: str) -> date | None:
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if found.year >= 2000 else None
