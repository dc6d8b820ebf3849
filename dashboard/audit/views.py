"""The audit administrator's page: rows and their export. No business data stands on it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts import selectors as accounts
from chuxiong.accounts.models import Person
from chuxiong.audit import oddities
from chuxiong.audit import selectors as audit
from chuxiong.audit.selectors import Filters, Reader
from dashboard.accounts.page import missing
from dashboard.audit.export import write_csv, write_xlsx
from dashboard.audit.words import told, word

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TYPES = {
    "csv": (write_csv, "text/csv; charset=utf-8"),
    "xlsx": (write_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}


@dataclass(frozen=True)
class Line:
    """One row in the page's language."""

    event: audit.Event
    action: str
    kind: str
    office: str
    purpose: str
    detail: str


@login_required
@never_cache
@require_safe
def events(request: HttpRequest) -> HttpResponse:
    filters, wrong = _filters(request.GET)
    return _page(request, filters, wrong=wrong, before=_before(request.GET.get("before", "")))


def _page(
    request: HttpRequest,
    filters: Filters,
    *,
    wrong: str = "",
    before: tuple[datetime, int] | None = None,
    status: int = 200,
) -> HttpResponse:
    person = _administrator(request)
    found = audit.events_page(_reader(person), filters, at=timezone.now(), before=before)
    asked = {name: value for name, value in (request.POST or request.GET).items() if name in _ASKED and value}
    query = request.GET.copy()
    query.pop("before", None)
    offices = {o.code: o.short_en if _language() == "en" else o.short_zh for o in accounts.offices_of(person)}
    context = {
        "here": "audit",
        "lines": [_line(event, offices) for event in found.events],
        "state": found.state,
        "odd": found.odd,
        "asked": asked,
        "wrong": wrong,
        "older": _mark(found.older),
        "paged": before is not None,
        "query": query.urlencode() + "&" if query else "",
        "offices": list(offices.items()),
        "actions": _actions(found.state.actions),
    }
    return render(request, "audit/events.html", context, status=400 if wrong and status == 200 else status)


@login_required
@require_POST
def export(request: HttpRequest) -> HttpResponse | FileResponse:
    person = _administrator(request)
    filters, wrong = _filters(request.POST)
    reason = request.POST.get("export_reason", "").strip()[:200]
    form = request.POST.get("as", "csv")
    if wrong or not reason or form not in _TYPES:
        return _page(request, filters, wrong=wrong or _("请写明导出事由。"), status=400)
    write, content_type = _TYPES[form]
    out = tempfile.TemporaryFile()  # noqa: SIM115  closed by the response
    now = timezone.now()
    try:
        audit.export_events(
            _reader(person),
            filters,
            at=now,
            reason=reason,
            write=partial(write, out=out, language=_language()),
        )
    except audit.TooMany as error:
        out.close()
        return _page(request, filters, wrong=error.en if _language() == "en" else error.zh, status=409)
    except BaseException:
        out.close()
        raise
    out.seek(0)
    name = f"audit-{timezone.localtime(now):%Y%m%d-%H%M%S}.{form}"
    response = FileResponse(out, as_attachment=True, filename=name, content_type=content_type)
    response["Cache-Control"] = "no-store"
    return response


@login_required
@never_cache
@require_safe
def odd(request: HttpRequest) -> HttpResponse:
    """Mass or odd use: what waits for a look, or everything."""
    return _odd(request)


def _odd(request: HttpRequest, *, wrong: str = "", at_row: int = 0, status: int = 200) -> HttpResponse:
    person = _administrator(request)
    everything = request.GET.get("all") == "1"
    before = _before(request.GET.get("before", ""))
    found = audit.odd_page(_reader(person), at=timezone.now(), only_open=not everything, before=before)
    offices = {o.code: o.short_en if _language() == "en" else o.short_zh for o in accounts.all_offices()}
    context = {
        "here": "audit_odd",
        "rows": [_odd_row(row, offices) for row in found.rows],
        "odd": found.open,
        "everything": everything,
        "older": _mark(found.older),
        "paged": before is not None,
        "wrong": wrong,
        "at_row": at_row,
        "typed": request.POST,
        "own": person.username,
    }
    return render(request, "audit/odd.html", context, status=status)


@login_required
@require_POST
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that an entry was looked into; the note stays with it."""
    person, note = _administrator(request), request.POST.get("note", "").strip()[:500]
    if not note:
        return _odd(request, wrong=_("请写明核实情况。"), at_row=pk, status=400)
    if not audit.acknowledge(_reader(person), pk, at=timezone.now(), note=note):
        wrong = _("这一条不存在、已处理，或关系您本人；关系本人的请另一位审计管理员处理。")
        return _odd(request, wrong=wrong, at_row=pk, status=409)
    messages.success(request, _("已记录核实情况"))
    return redirect("audit:odd")


@dataclass(frozen=True)
class OddLine:
    """One entry in the page's language, and the filters under which its rows are found."""

    use: audit.OddUse
    words: str
    office: str
    counted: str
    source: str
    query: str


def _odd_row(use: audit.OddUse, offices: dict[str, str]) -> OddLine:
    rule, english = oddities.rules().get(use.rule), _language() == "en"
    query: dict[str, str] = {
        "since": f"{timezone.localtime(use.first_at):%Y-%m-%d}",
        "until": f"{timezone.localtime(use.last_at):%Y-%m-%d}",
    }
    if rule is None:
        return OddLine(use, use.rule, offices.get(use.office, use.office), "", "", urlencode(query))
    if rule.by == "person":
        query["actor"] = use.subject
    if len(rule.actions) == 1:
        query["action"] = rule.actions[0]
    hours = rule.minutes // 60
    counted = _("%(n)s 小时内") % {"n": hours} if hours else _("%(n)s 分钟内") % {"n": rule.minutes}
    return OddLine(
        use,
        rule.en if english else rule.zh,
        offices.get(use.office, use.office),
        counted,
        rule.source_en if english else rule.source,
        urlencode(query),
    )


def _mark(older: tuple[datetime, int] | None) -> str:
    """Where a list goes on, as ``_before`` reads it."""
    return f"{(older[0] - _EPOCH) // timedelta(microseconds=1)}.{older[1]}" if older else ""


_ASKED = ("since", "until", "actor", "action", "object", "office")


def _filters(asked: Any) -> tuple[Filters, str]:
    """Filters as typed, and what could not be understood."""

    def text(name: str) -> str:
        return str(asked.get(name, "")).replace("\x00", "").strip()[:80]

    wrong = ""
    days: dict[str, date | None] = {"since": None, "until": None}
    for name in days:
        try:
            days[name] = date.fromisoformat(text(name)) if text(name) else None
        except ValueError:
            wrong = _("日期无法识别，请写成 2026-11-05。")
    since, until = days["since"], days["until"]
    if since and until and until < since:
        wrong = _("结束日期早于开始日期。")
    zone = timezone.get_current_timezone()
    return (
        Filters(
            since=datetime.combine(since, time(), zone) if since else None,
            until=datetime.combine(until + timedelta(days=1), time(), zone) if until else None,
            actor=text("actor"),
            action=text("action"),
            object_ref=text("object"),
            office=text("office"),
        ),
        wrong,
    )


def _before(text: str) -> tuple[datetime, int] | None:
    at, _dot, row = text.partition(".")
    if at.isascii() and at.isdigit() and row.isascii() and row.isdigit() and len(at) < 18 and len(row) < 19:
        return _EPOCH + timedelta(microseconds=int(at)), int(row)
    return None


def _line(event: audit.Event, offices: dict[str, str]) -> Line:
    language = _language()
    return Line(
        event,
        word("actions", event.action, language),
        word("objects", event.object_kind, language),
        offices.get(event.office, event.office),
        word("purposes", event.purpose, language),
        told(event.detail, language),
    )


def _actions(codes: tuple[str, ...]) -> list[tuple[str, str]]:
    """Groups first, then the actions that occur."""
    groups = sorted({code.partition(".")[0] for code in codes if "." in code})
    language = _language()
    return [(g, word("groups", g, language)) for g in groups] + [
        (c, word("actions", c, language)) for c in codes
    ]


def _language() -> str:
    return "en" if (get_language() or "").startswith("en") else "zh"


def _reader(person: Person) -> Reader:
    return Reader(person.username, person.office_id)


def _administrator(request: HttpRequest) -> Person:
    """The signed-in audit administrator; anybody else is refused, and the attempt is on record."""
    person = request.user
    assert isinstance(person, Person)  # noqa: S101  views here require a signed-in person
    if not person.has_role("audit_admin"):
        audit.refused(_reader(person), at=timezone.now())
        raise missing("audit.read")
    return person
