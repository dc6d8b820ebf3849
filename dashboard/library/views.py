"""The model library (监督模型库): all models as cards, one model's card, its .docx, its data-element template."""

from __future__ import annotations

from itertools import groupby
from typing import Any
from urllib.parse import quote, urlencode

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.audit.record import record
from dashboard.accounts.page import allowed
from dashboard.desk.page import english, page, person, pick
from dashboard.library import words
from ingestion import selectors as ingestion
from supervision import selectors as supervision
from supervision.packs import sheet, word
from supervision.packs.card import card
from supervision.packs.checking import Answer, answer
from supervision.packs.drawing import drawing
from supervision.packs.elements import elements, satisfaction
from supervision.packs.limits import LIMITS
from supervision.rulebook.load import LoadedRule
from supervision.rulebook.sentence import Language

_DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_DATA = ("fresh", "stale")


def attached(content: bytes, name: str, kind: str) -> HttpResponse:
    response = HttpResponse(content, content_type=kind)
    response["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    return response


def _language() -> Language:
    return "en" if english() else "zh"


@allowed("clue.read")
@require_safe
def models(request: HttpRequest) -> HttpResponse:
    get, who = request.GET, person(request)
    rows = supervision.model_rows(who, today=timezone.localdate())
    filters = supervision.LibraryFilters(
        text=get.get("text", "").replace("\x00", "").strip()[:60],
        domain=get.get("domain", "") if get.get("domain", "") in supervision.DOMAINS else "",
        status=get.get("status", "") if get.get("status", "") in words.STATUSES else "",
        data=get.get("data", "") if get.get("data", "") in _DATA else "",
    )
    found = [r for r in rows if filters.fits(r)]
    per_domain = {d: sum(r.rule.domain == d for r in rows) for d in supervision.DOMAINS}
    rest = {
        k: v for k, v in (("text", filters.text), ("status", filters.status), ("data", filters.data)) if v
    }
    context = {
        "groups": [(d, list(own)) for d, own in groupby(found, key=lambda r: r.rule.domain)],
        "found": len(found),
        "total": len(rows),
        "live": sum(r.status == "live" and not r.stopped for r in rows),
        "wanted": filters,
        "narrowed": bool(filters.text or filters.domain or filters.status or filters.data),
        "tabs": [(d, n) for d, n in per_domain.items() if n],
        "statuses": [s for s in words.STATUSES if any(r.status == s for r in rows)],
        "rest": "&" + urlencode(rest) if rest else "",
        "may_import": who.may("rule.write") or who.may("rule.approve"),
    }
    return page(request, "library/models.html", "models", context)


def _one(name: str) -> LoadedRule | HttpResponse:
    """The model of an address; a code leads to the model that bears it, or to those that do."""
    found = supervision.model_named(name)
    if found is None:
        raise Http404
    if isinstance(found, list):
        return redirect(f"{reverse('library:models')}?{urlencode({'text': name})}")
    return found


@allowed("clue.read")
@require_safe
def model(request: HttpRequest, model: str) -> HttpResponse:
    rule = _one(model)
    if isinstance(rule, HttpResponse):
        return rule
    if rule.id != model:
        return redirect("library:model", rule.id)
    who, feeds = person(request), ingestion.catalog()
    row = supervision.model_row(who, rule, today=timezone.localdate())
    shown = card(rule, feeds, _language())
    entries = {e.feed.code: e for e in row.feeds}
    titles = {c: pick(f.title.zh, f.title.en) for c, f in feeds.items()}
    effect = supervision.model_effect(who, rule.id)
    context = {
        "row": row,
        "rule": rule,
        "card": shown,
        "elements": [
            (entries[code], [(e.column, entries[code].covered(e.column)) for e in own])
            for code, own in (
                (feed, list(several)) for feed, several in groupby(shown.elements, key=lambda e: e.feed.code)
            )
        ],
        "drawing": drawing(rule, titles, _language()),
        "effect": effect,
        "endings": words.endings(effect),
        "endings_total": sum(effect.endings.values()),
        "today": timezone.localdate(),
        "may_run": who.may("run.read"),
        "may_test": who.may("rule.write") or who.may("rule.approve"),
    }
    return page(request, "library/model.html", "models", context)


def counted(request: HttpRequest, rule: LoadedRule) -> word.Counted:
    """What became of past clues within the reader's reach, for the paper card."""
    who = person(request)
    effect = supervision.model_effect(who, rule.id)
    office = pick(who.office.name_zh, who.office.name_en)
    today = timezone.localdate()
    rows = [*effect.months, effect.total] if effect.months else []
    return word.Counted(
        within=_("%(office)s，截至 %(day)s 可见的线索，只计条数。") % {"office": office, "day": today},
        endings=words.endings(effect),
        months=[
            (
                f"{m.month:%Y-%m}" if m.month else _("合计"),
                m.found, m.checked, m.confirmed, m.corrected, m.improved, m.in_progress,
            )
            for m in rows
        ],
    )  # fmt: skip


def _on_record(request: HttpRequest, action: str, rule: LoadedRule) -> None:
    who = person(request)
    record(
        at=timezone.now(), actor=who.username, office=who.office_id or "", action=action, object_kind="model",
        object_ref=rule.id, detail={"version": rule.version},
    )  # fmt: skip


@allowed("clue.read")
@require_safe
def card_file(request: HttpRequest, model: str) -> HttpResponse:
    """The card as .docx in the listing's order, in the page's language; on record."""
    rule = _one(model)
    if isinstance(rule, HttpResponse):
        return rule
    language = _language()
    content = word.document(rule, card(rule, ingestion.catalog(), language), language, counted(request, rule))
    _on_record(request, "model.card", rule)
    return attached(content, f"{rule.code} {pick(rule.title.zh, rule.title.en)}.docx", _DOCX)


@allowed("clue.read")
@require_safe
def elements_file(request: HttpRequest, model: str) -> HttpResponse:
    """The template of the model's data elements: two header rows, one sheet a feed."""
    rule = _one(model)
    if isinstance(rule, HttpResponse):
        return rule
    listed = elements(rule, ingestion.catalog())
    content = sheet.write(
        f"{rule.code} {rule.title.zh} 数据要素",
        listed,
        [("模型", rule.summary.zh), ("版本", str(rule.version))],
    )
    _on_record(request, "model.elements", rule)
    return attached(content, f"{rule.code} {rule.title.zh} 数据要素.xlsx", _XLSX)


@allowed("clue.read")
@require_POST
def elements_check(request: HttpRequest) -> HttpResponse:
    """Which of our feeds satisfy a template that somebody brought; nothing of it is kept."""
    upload, refused = request.FILES.get("file"), ""
    context: dict[str, Any] = {"limit": LIMITS.sheet_bytes.value}
    if upload is None:
        refused = _("请选择一个 .xlsx 模板")
    else:
        context["name"] = str(upload.name or "")[:120]
        try:
            needs = sheet.read(upload.read(LIMITS.sheet_bytes.value + 1))
        except sheet.Unreadable as unreadable:
            refused = pick(str(unreadable.problem), unreadable.problem.english)
        else:
            context |= _compared([answer(m) for m in satisfaction(needs, ingestion.catalog())])
    context["refused"] = refused
    return page(request, "library/elements.html", "models", context, 422 if refused else 200)


def _compared(answers: list[Answer]) -> dict[str, Any]:
    tables = [
        (name, our, own, sum(a.kind in ("same", "like") for a in own))
        for (name, our), own in (
            (key, list(several))
            for key, several in groupby(answers, key=lambda a: (a.feed_zh or a.feed, a.our_feed))
        )
    ]
    met = sum(a.kind in ("same", "like") for a in answers)
    return {"tables": tables, "total": len(answers), "met": met, "missing": len(answers) - met}
