"""The history of runs: what ran, when, how long, what came of it; and the button that stops one."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chuxiong.accounts.refused import Refused
from dashboard.accounts.page import allowed, said
from dashboard.desk.page import page, person, pick
from dashboard.runs import words
from supervision import selectors as supervision


def _chosen(request: HttpRequest, name: str, known: Any) -> str:
    value = request.GET.get(name, "")
    return value if value in known else ""


def _may_test(request: HttpRequest) -> bool:
    """Whoever writes or approves rules asks for back-tests and stops runs; others look on."""
    return not person(request).permissions.isdisjoint(("rule.write", "rule.approve"))


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 1


@allowed("run.read")
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
        "may_test": _may_test(request),
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
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """The form of a back-test; what is asked for runs in the background."""
    rules, given = supervision.rulebook(), request.POST if request.method == "POST" else request.GET
    chosen = {
        "rule": given.get("rule", ""),
        "as_of": given.get("as_of", "") or timezone.localdate().isoformat(),
        "known_on": given.get("known_on", ""),
        "engine": given.get("engine", "duckdb"),
    }
    wrong: dict[str, str] = {}
    if request.method == "POST":
        as_of, known_on = _day(chosen["as_of"]), _day(chosen["known_on"])
        if chosen["rule"] not in rules:
            wrong["rule"] = _("请选择一个监督模型")
        if as_of is None:
            wrong["as_of"] = _("请按 2026-01-31 的写法填写日期")
        if known_on is None and chosen["known_on"]:
            wrong["known_on"] = _("请按 2026-01-31 的写法填写日期，或留空")
        if chosen["engine"] not in words.ENGINES:
            wrong["engine"] = _("请选择引擎")
        if not wrong and as_of:
            try:
                run = supervision.ask_backtest(
                    person(request),
                    chosen["rule"],
                    engine=chosen["engine"],
                    as_of=as_of,
                    known_on=known_on,
                    at=timezone.now(),
                    version=rules[chosen["rule"]].version,
                )
                return redirect("runs:run", run)
            except Refused as refused:
                wrong["form"] = said(refused)
    context = {
        "chosen": chosen,
        "wrong": wrong,
        "rules": words.models(),
        "engines": words.ENGINE_NOTES,
        "today": timezone.localdate().isoformat(),
    }
    return page(request, "runs/new.html", "runs", context, status=422 if wrong else 200)


def _levels(report: dict[str, Any]) -> list[tuple[str, int]]:
    """The gravest first."""
    found = report.get("levels", {})
    return [(level, found[level]) for level in words.LEVELS if level in found]


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None


def _news(found: supervision.RunEntry) -> dict[str, Any]:
    """How far a run has come, for its page and for the page's own asking."""
    steps = [pick(zh, en) for zh, en in supervision.BACKTEST_STEPS] if found.mode == "backtest" else []
    return {
        "r": found,
        "moving": found.state in ("waiting", "running"),
        "stage": steps[found.step] if steps else _("正在运行"),
        "steps": max(len(steps) - 1, 0),
        "since": words.duration((timezone.now() - found.started_at).total_seconds()),
        "budget": words.duration(supervision.run_budget(found).seconds),
    }


@allowed("run.read")
@require_safe
def progress(request: HttpRequest, run: int) -> HttpResponse:
    """How far it is; counts and times alone."""
    found = supervision.run_detail(run)
    if found is None:
        raise Http404
    return render(request, "runs/parts/progress.html", _news(found))


@allowed("run.read")
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
        # Of a condition the rows for which it is true; what is little is told from nothing.
        count = step["yes"] if step["is_condition"] else step["rows"]
        step["share"] = 0 if not most or not count else max(1, round(100 * count / most))
    against = [
        (kind, sum(report["against"][kind].values()), sorted(report["against"][kind].items()))
        for kind in words.AGAINST
        if kind in report.get("against", {})
    ]
    context = {
        "funnel": funnel,
        "against": against,
        "levels": _levels(report),
        "may_test": _may_test(request),
    }
    return page(request, "runs/run.html", "runs", context | _news(found))


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
