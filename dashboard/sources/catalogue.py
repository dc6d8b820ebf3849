"""The data catalogue: which data there are, what each field means, what it rests on and what rests on it."""

from __future__ import annotations

import io
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from chuxiong.audit.record import record
from chuxiong.kit.spreadsheet import harmless
from dashboard.accounts.page import allowed
from dashboard.desk.page import english, page, person, pick
from dashboard.sources.tickets import spreadsheet
from dashboard.templatetags.desk import cadence_words
from dashboard.templatetags.sources import class_words, health_words, percent, type_words
from ingestion import selectors as ingestion
from ingestion.registers.catalogue import Entry, Wanted
from ingestion.registers.catalogue import catalogue as entries
from supervision import selectors as supervision

_CLASSES = ("L1", "L2", "L3", "L4")


def _wanted(request: HttpRequest) -> Wanted:
    get = request.GET
    return Wanted(
        text=get.get("text", "").replace("\x00", "").strip()[:40],
        agency=get.get("agency", "")[:30],
        sensitivity=get.get("class", "") if get.get("class", "") in _CLASSES else "",
        kind=get.get("type", "")[:20],
    )


@allowed("clue.read", "batch.import")
@require_safe
def catalogue(request: HttpRequest) -> HttpResponse:
    wanted = _wanted(request)
    feeds = ingestion.catalog()
    found = entries(feeds, timezone.localdate(), wanted)
    by_field, by_feed = supervision.rules_by_field(), supervision.rules_by_feed()
    narrowed = bool(wanted.text or wanted.sensitivity or wanted.kind)
    context = {
        "found": [
            (
                e,
                by_feed.get(e.feed.code, []),
                [(c, by_field.get((e.feed.code, c.name), [])) for c in e.columns] if narrowed else [],
            )
            for e in found
        ],
        "wanted": wanted,
        "narrowed": narrowed or bool(wanted.agency),
        "feeds_total": len(feeds),
        "fields_total": sum(len(f.columns) for f in feeds.values()),
        "fields": sum(len(e.columns) for e in found),
        "agencies": ingestion.agencies(),
        "classes": _CLASSES,
        "types": sorted({c.type for f in feeds.values() for c in f.columns}),
        "query": request.GET.urlencode(),
    }
    return page(request, "sources/catalogue.html", "catalogue", context)


@allowed("clue.read", "batch.import")
@require_safe
def feed(request: HttpRequest, code: str) -> HttpResponse:
    feeds = ingestion.catalog()
    if code not in feeds:
        raise Http404
    entry = entries({code: feeds[code]}, timezone.localdate(), Wanted())[0]
    by_field = supervision.rules_by_field()
    context = {
        "e": entry,
        "feed": entry.feed,
        "columns": [
            (c, by_field.get((code, c.name), []), entry.empty.get(c.name), entry.covered(c))
            for c in entry.columns
        ],
        "keys": [entry.feed.column(name) for name in entry.feed.natural_key],
        "rules": supervision.rules_by_feed().get(code, []),
    }
    return page(request, "sources/catalogue_feed.html", "catalogue", context)


@allowed("clue.read", "batch.import")
@require_safe
def export(request: HttpRequest) -> HttpResponse:
    """What the list shows, a row a field; no data, and every export is on record."""
    wanted, who, now = _wanted(request), person(request), timezone.now()
    found = entries(ingestion.catalog(), timezone.localdate(), wanted)
    record(
        at=now, actor=who.username, office=who.office_id, action="catalogue.export", object_kind="catalogue",
        object_ref="feeds", detail={"rows": sum(len(e.columns) for e in found)},
    )  # fmt: skip
    return spreadsheet(_book(found), f"catalogue-{now:%Y%m%d}.xlsx")


def _book(found: list[Entry]) -> bytes:
    book = Workbook(write_only=True)
    sheet = book.create_sheet(_("数据目录"))
    sheet.freeze_panes = "D2"
    head = [
        _("数据源"), _("代码"), _("数据提供单位"), _("字段"), _("字段名"), _("表头"), _("类型"), _("级别"), _("必填"),
        _("代码表"), _("频次"), _("协议"), _("协议有效"), _("新鲜度"), _("数据截至"), _("空值占比"), _("使用的模型"),
    ]  # fmt: skip
    for letter, width in zip(
        "ABCDEFGHIJKLMNOPQ", (26, 20, 22, 20, 20, 30, 12, 10, 6, 30, 8, 20, 8, 8, 12, 9, 30), strict=True
    ):
        sheet.column_dimensions[letter].width = width
    bold = []
    for name in head:
        cell = WriteOnlyCell(sheet, harmless(name))
        cell.font = Font(bold=True)
        bold.append(cell)
    sheet.append(bold)
    joint, by_field = pick("、", ", "), supervision.rules_by_field()
    kinds = {c.type: type_words(c.type) for e in found for c in e.columns}
    classes = {level: f"{level} {class_words(level)}" for level in _CLASSES}
    yes, no = _("是"), _("否")
    for entry in found:
        f, state = entry.feed, entry.state
        often, health = cadence_words(f.cadence), health_words(entry.health)
        for c in entry.columns:
            texts: list[Any] = [
                pick(f.title.zh, f.title.en), f.code, pick(f.agency.zh, f.agency.en), pick(c.zh, c.en), c.name,
                joint.join(c.headers), kinds[c.type], classes[c.sensitivity],
                yes if c.required else "", joint.join(f"{k} {v}" for k, v in c.codes.items()), often,
                entry.agreement.number if entry.agreement else "", yes if entry.covered(c) else no,
                health, str(state.covers_until or "") if state else "",
                percent(entry.empty[c.name]) if c.name in entry.empty else "",
                joint.join(f"{r.code} {r.title.en if english() else r.title.zh}" for r in by_field.get((f.code, c.name), [])),
            ]  # fmt: skip
            # Text that begins like a formula is marked by ``harmless``: what is appended stays text.
            sheet.append([harmless(text) for text in texts])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
