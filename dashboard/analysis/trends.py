"""Trends over clues and records, fixed ledgers, and the clues behind every count."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, get_args
from urllib.parse import quote, urlencode

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.accounts.page import allowed
from dashboard.analysis.drawing import Bars, bars
from dashboard.desk.page import asked_page, pick
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from ingestion import selectors as ingestion
from supervision.trends import reading
from supervision.trends.counting import DIMENSIONS, MEASURES, Dimension, Measure, Period, Series
from supervision.trends.workbook import workbook

_MONTH = re.compile(r"(20\d\d)-(0[1-9]|1[0-2])")
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
#: the fixed ledgers
LEDGERS: tuple[Dimension, ...] = ("office", "rule", "department", "origin", "domain")


def dimension_words(by: str) -> str:
    return {
        "domain": _("按领域"),
        "office": _("按县市"),
        "department": _("按部门"),
        "rule": _("按模型"),
        "origin": _("按来源"),
        "feed": _("按数据源入库"),
    }[by]


def measure_words(measure: str) -> str:
    return {
        "found": _("发现"),
        "pending": _("待核查"),
        "closed_unchecked": _("未核查已了结"),
        "checked": _("已核查"),
        "unfounded": _("查否"),
        "confirmed": _("查实"),
        "corrected": _("依法监督纠正"),
        "improved": _("反馈并帮助改进"),
        "in_progress": _("办理中"),
    }[measure]


def _in_order(lines: list[Any], by: Dimension, known: Mapping[str, tuple[str, str]]) -> list[Any]:
    """Models stand by their codes, the whole last; other groups keep their order."""
    if by != "rule":
        return lines
    return sorted(lines, key=lambda one: (one.key is None, known.get(one.key or "", ("~",))[0]))


def _domain_words(domain: str) -> str:
    return {
        "criminal": _("刑事检察"),
        "civil": _("民事检察"),
        "administrative": _("行政检察"),
        "public_interest": _("公益诉讼检察"),
        "minors": _("未成年人检察"),
        "management": _("案件管理"),
    }.get(domain, domain or _("未注明领域"))


def _group_words(by: Dimension, key: str | None, known: Mapping[str, tuple[str, str]]) -> str:
    if key is None:
        return _("合计")
    if by == "domain":
        return _domain_words(key)
    if key == "":
        return _("非模型发现") if by == "rule" else _("未定部门")
    return pick(*known[key]) if key in known else key


@allowed("indicator.read")
@require_safe
def trends(request: HttpRequest) -> HttpResponse:
    """Small charts by month with one table beneath; each count leads to its clues."""
    who, period = person_of(request), _period(request)
    wanted = request.GET.get("by", "")
    measure = _measure(request)
    months = period.months()
    if wanted == "feed":
        catalog = ingestion.catalog()
        series = reading.taken_in(who, period)
        titles = {
            s.key: _("合计") if s.key is None else pick(catalog[s.key].title.zh, catalog[s.key].title.en)
            for s in series
        }
        rows = [_row(s, titles[s.key], months, None) for s in series if s.key is None or s.total]
        silent = len(series) - len(rows)
        by = "feed"
    else:
        dimension = _dimension(wanted, "domain")
        known = reading.words(dimension)
        series = reading.trend(who, period, dimension, measure)
        rows = [
            _row(s, _group_words(dimension, s.key, known), months, (dimension, measure, period))
            for s in [series[0], *_in_order(series[1:], dimension, known)]
        ]
        silent, by = 0, dimension
    context = {
        "by": by,
        "tabs": [(d, dimension_words(d)) for d in (*DIMENSIONS, "feed")],
        "measures": [(m, measure_words(m)) for m in MEASURES],
        "measure": measure,
        "measure_words": _("入库记录数") if by == "feed" else measure_words(measure),
        "months": months,
        "since": months[0],
        "until": months[-1],
        "total": rows[0],
        "rows": rows[1:],
        "charts": [r for r in rows[1:] if r["total"]],
        "silent": silent,
        "most_months": reading.MOST_MONTHS,
        "query": urlencode({"since": months[0], "until": months[-1], "measure": measure}),
    }
    return page_of(request, "analysis/trends.html", "trends", context)


def _row(
    series: Series, title: str, months: Sequence[str], chosen: tuple[Dimension, Measure, Period] | None
) -> dict[str, Any]:
    drawn: Bars = bars(series.counts, months)
    cells = []
    for month, count in zip(months, series.counts, strict=True):
        link = ""
        if chosen and count:
            by, measure, _all = chosen
            link = _link(by, series.key, month, month, measure)
        cells.append((count, link))
    whole = _link(chosen[0], series.key, months[0], months[-1], chosen[1]) if chosen and series.total else ""
    return {"title": title, "bars": drawn, "cells": cells, "total": series.total, "link": whole}


def _link(by: Dimension, key: str | None, since: str, until: str, measure: str) -> str:
    asked = {"since": since, "until": until, "measure": measure}
    if key is not None:
        asked[by] = key
    return reverse("analysis:clues") + "?" + urlencode(asked)


@allowed("indicator.read")
@require_safe
def ledger(request: HttpRequest) -> HttpResponse:
    """One of the fixed ledgers."""
    by, period = _dimension(request.GET.get("by", ""), "office"), _period(request)
    months = period.months()
    known = reading.words(by)
    counted = reading.ledger(person_of(request), period, by)
    lines: list[dict[str, Any]] = [
        {
            "title": _group_words(by, line.key, known),
            "whole": line.key is None,
            "cells": [
                (line.counts[m], _link(by, line.key, months[0], months[-1], m) if line.counts[m] else "")
                for m in MEASURES
            ],
        }
        for line in _in_order(counted, by, known)
    ]
    context = {
        "by": by,
        "tabs": [(d, dimension_words(d)) for d in LEDGERS],
        "measures": [(m, measure_words(m)) for m in MEASURES],
        "lines": lines,
        "any": len(lines) > 1 and any(count for line in lines for count, _link_ in line["cells"]),
        "since": months[0],
        "until": months[-1],
        "most_months": reading.MOST_MONTHS,
        "query": urlencode({"since": months[0], "until": months[-1]}),
    }
    return page_of(request, "analysis/ledger.html", "trends", context)


@allowed("indicator.read")
@require_safe
def ledger_file(request: HttpRequest) -> HttpResponse:
    """The same ledger as a workbook."""
    who, by, period = person_of(request), _dimension(request.GET.get("by", ""), "office"), _period(request)
    months, known = period.months(), reading.words(by)
    rows: list[list[str | int]] = [
        [_group_words(by, line.key, known), *(line.counts[m] for m in MEASURES)]
        for line in _in_order(reading.ledger(who, period, by), by, known)
    ]
    title = _("线索统计台账") + "・" + dimension_words(by)
    note = _("发现月份 %(since)s 至 %(until)s；限本人知悉范围，不含演练、并入和撤回") % {
        "since": months[0],
        "until": months[-1],
    }
    head = [dimension_words(by), *(measure_words(m) for m in MEASURES)]
    content = workbook(who, at=timezone.now(), title=title, note=note, head=head, rows=rows)
    answer = HttpResponse(content, content_type=_XLSX)
    name = f"{title}-{months[0]}-{months[-1]}.xlsx"
    answer["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    return answer


@allowed("indicator.read")
@require_safe
def clues(request: HttpRequest) -> HttpResponse:
    """The clues behind one count."""
    period, measure = _period(request), _measure(request)
    asked: dict[str, str] = {d: request.GET[d] for d in DIMENSIONS if d in request.GET}
    chosen = reading.Chosen(period, measure=measure, **asked)
    found = reading.clues_behind(person_of(request), chosen, asked_page(request), at=timezone.now())
    months = period.months()
    context = {
        "found": found,
        "chips": [_group_words(d, asked[d], reading.words(d)) for d in DIMENSIONS if d in asked],
        "measure": measure_words(measure),
        "since": months[0],
        "until": months[-1],
        "previous": found.page - 1,
        "following": found.page + 1,
        "query": urlencode({"since": months[0], "until": months[-1], "measure": measure} | asked),
    }
    return page_of(request, "analysis/clues.html", "trends", context)


def _dimension(wanted: str, usual: Dimension) -> Dimension:
    return next((d for d in DIMENSIONS if d == wanted), usual)


def _measure(request: HttpRequest) -> Measure:
    return next((m for m in get_args(Measure) if m == request.GET.get("measure", "")), "found")


def _period(request: HttpRequest) -> Period:
    """The months that the address asks for; the last twelve where it asks for none or the wrong way round."""
    usual = reading.usual(timezone.localdate())
    first, last = _month(request.GET.get("since", "")), _month(request.GET.get("until", ""))
    last = last or (usual.last if first is None or first <= usual.last else first)
    first = first or reading.back(last, 11)
    return reading.within(Period(min(first, last), max(first, last)))


def _month(text: str) -> date | None:
    found = _MONTH.fullmatch(text)
    return date(int(found[1]), int(found[2]), 1) if found else None
