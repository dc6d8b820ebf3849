"""The studio's buttons: trial, approval, withdrawal, coming back, release; and the lists of whom rules leave out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from chuxiong.accounts.refused import Refused
from dashboard.accounts.page import allowed, said
from dashboard.desk.page import page, person, pick
from dashboard.studio.views import draft_page
from supervision import selectors as supervision
from supervision.drafts import actions, reading


@allowed("rule.write", "rule.approve")
@require_POST
def act(request: HttpRequest, draft: int) -> HttpResponse:
    who, now, said_by = person(request), timezone.now(), request.POST
    reason, batch = said_by.get("reason", ""), said_by.get("batch", "0")
    verbs: dict[str, Callable[[], None]] = {
        "try": lambda: actions.try_out(who, draft, at=now),
        "take_back": lambda: actions.take_back(who, draft, at=now, reason=reason),
        "approve": lambda: actions.approve(
            who, draft, at=now, batch=int(batch) if batch.isascii() and batch.isdigit() and len(batch) < 7 else -1,
            digest=said_by.get("digest", ""),
            seen=said_by.get("seen") == "yes",
        ),
        "withdraw": lambda: actions.withdraw(who, draft, at=now, reason=reason),
        "roll_back": lambda: actions.roll_back(who, draft, at=now, reason=reason),
        "release": lambda: actions.release(who, draft, at=now),
    }  # fmt: skip
    verb = said_by.get("verb", "")
    if verb not in verbs:
        raise Http404
    try:
        verbs[verb]()
    except Refused as refused:
        return draft_page(request, draft, said(refused))
    messages.success(request, _done()[verb])
    return redirect("studio:draft", draft)


def _done() -> dict[str, str]:
    return {
        "try": _("已提交试运行，结果稍后出现在本页"),
        "take_back": _("已退回草稿"),
        "approve": _("已发布，正在首次运行"),
        "withdraw": _("已撤下"),
        "roll_back": _("已回退到这一版"),
        "release": _("已下发下一批"),
    }


@allowed("rule.write", "rule.approve")
@require_http_methods(["GET", "HEAD", "POST"])
def exclusions(request: HttpRequest) -> HttpResponse:
    who, wrong, typed = person(request), "", request.POST
    if request.method == "POST":
        until = _day(typed.get("until", ""))
        try:
            if until is None:
                raise Refused("请按 2026-01-31 的写法填写到期日", "Write the last day as 2026-01-31")
            actions.exclude(
                who, typed.get("clue", ""), at=timezone.now(), reason=typed.get("reason", ""), until=until
            )
        except Refused as refused:
            wrong = said(refused)
        else:
            messages.success(request, _("已列入排除名单；现有线索不受影响"))
            return redirect("studio:exclusions")
    book, today = supervision.rulebook(), timezone.localdate()
    rows = []
    for one in reading.exclusions(who):
        rule = book.get(one.rule)
        rows.append(
            (
                one,
                f"{rule.code} {pick(rule.title.zh, rule.title.en)}" if rule else one.rule,
                one.until >= today,
            )
        )
    context = {
        "rows": rows,
        "wrong": wrong,
        "typed": typed,
        "may_write": who.may("rule.write"),
        "today": today.isoformat(),
    }
    return page(request, "studio/exclusions.html", "studio", context, status=422 if wrong else 200)


@allowed("rule.write")
@require_POST
def end_exclusion(request: HttpRequest, exclusion: int) -> HttpResponse:
    try:
        actions.end_exclusion(person(request), exclusion, at=timezone.now())
    except Refused as refused:
        messages.error(request, said(refused))
    else:
        messages.success(request, _("已解除；模型仍命中的将生成线索"))
    return redirect("studio:exclusions")


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == 10 else None
    except ValueError:
        return None
