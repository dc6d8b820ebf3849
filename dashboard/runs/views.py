"""The history of runs: what ran, when, how long, what came of it; and the button that stops one."""

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
from dashboard.runs import words
from supervision import selectors as supervision


def _chosen(request: HttpRequest, name: str, known: Any) -> str:
    value = request.GET.get(name, "")
    return value if value in known else ""


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 1


@allowed("rule.write", "rule.approve")
@require_safe
def history(request: HttpRequest) -> HttpResponse:
    ran = supervision.rules_that_ran()
    filters = supervision.RunFilters(
        rule=_chosen(request, "rule", ran),
        mode=_chosen(request, "mode", words.MODES),
        engine=_chosen(request, "engine", words.ENGINES),
        state=_chosen(request, "state", words.STATES),
    )
    found = supervision.runs(filters, _number(request.GET.get("page", "")))
    query = request.GET.copy()
    query.pop("page", None)
    rest = request.GET.copy()
    rest.pop("page", None)
    rest.pop("state", None)
    context = {
        "found": found,
        "filters": filters,
        "rules": [(rule, f"{words.code(rule)} {words.title(rule)}".strip()) for rule in ran],
        "modes": words.MODES,
        "engines": words.ENGINES,
        "tabs": [(state, found.counts[state]) for state in words.STATES if found.counts[state]],
        "everything": sum(found.counts.values()),
        "query": query.urlencode() + "&" if query else "",
        "rest": "&" + rest.urlencode() if rest else "",
        "previous": found.page - 1,
        "following": found.page + 1,
    }
    return page(request, "runs/history.html", "runs", context)


@allowed("rule.write", "rule.approve")
@require_safe
def one(request: HttpRequest, run: int) -> HttpResponse:
    found = supervision.run_detail(run)
    if found is None:
        raise Http404
    report = found.report
    funnel = [
        {**step, "name": pick(step["zh"], step["en"]), "is_condition": step["step"] == "condition"}
        for step in report.get("funnel", [])
    ]
    most = max((step["rows"] for step in funnel), default=0)
    for step in funnel:
        # The first tenth of a scale of ten steps stands for "few", so that nothing found is told from little found.
        step["share"] = 0 if not most or not step["rows"] else max(1, round(10 * step["rows"] / most))
    against = [
        (kind, sum(report["against"][kind].values()), sorted(report["against"][kind].items()))
        for kind in words.AGAINST
        if kind in report.get("against", {})
    ]
    context = {"r": found, "funnel": funnel, "against": against, "levels": report.get("levels", {})}
    return page(request, "runs/run.html", "runs", context)


@allowed("rule.write", "rule.approve")
@require_POST
def cancel(request: HttpRequest, run: int) -> HttpResponse:
    if supervision.run_detail(run) is None:
        raise Http404
    try:
        supervision.cancel_run(person(request), run, at=timezone.now())
    except Refused as refused:
        messages.error(request, said(refused))
        return redirect("runs:run", run)
    messages.success(request, _("已请求取消，运行将在几秒内停止"))
    return redirect("runs:run", run)
