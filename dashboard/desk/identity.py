"""Who is who: two records that may be one, side by side, and a person's word on them."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts import selectors as accounts
from dashboard.accounts.page import allowed
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from dashboard.desk.page import pick
from supervision.spine import judging
from supervision.spine import selectors as spine


@allowed("clue.triage")
@require_safe
def identity(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, refused: str = "", typed: str = "") -> HttpResponse:
    person, now = person_of(request), timezone.now()
    rows, total = spine.waiting(person, at=now)
    asked = request.GET.get("pair", "")
    known = [row.pk for row in rows]
    chosen = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 18 else None
    gone = asked != "" and chosen is None
    found = None
    if chosen is not None or known:
        found = spine.pair(person, known[0] if chosen is None else chosen, at=now)
        gone = gone or (found is None and chosen is not None)
    at = known.index(found.pk) if found and found.pk in known else -1
    words = _attributes()
    context = {
        "rows": rows,
        "waiting": [(row, _plain("town", list(row.towns))) for row in rows],
        "total": total,
        "pair": found,
        "gone": gone,
        "compared": [
            (words[c.column], _plain(c.column, c.left), _plain(c.column, c.right), c.agreement)
            for c in found.compared
        ]
        if found
        else [],
        "before": known[at - 1] if at > 0 else None,
        "after": known[at + 1] if 0 <= at < len(known) - 1 else None,
        "judged": spine.judged(person),
        "agreements": _agreements(),
        "verdicts": _verdicts(),
        "refused": refused,
        "typed": typed,
        "longest": judging.LONGEST,
    }
    return page_of(request, "desk/identity.html", "identity", context, 409 if refused else 200)


@allowed("clue.triage")
@require_POST
def judge(request: HttpRequest, pair: int) -> HttpResponse:
    reason = request.POST.get("reason", "")
    try:
        judging.judge(person_of(request), pair, request.POST.get("verdict", ""), reason, at=timezone.now())
    except judging.NotPossible as error:
        return _page(request, _refusals()[error.code], reason)
    messages.success(request, _("已记录，正在按此重算。"))
    return redirect("desk:identity")


@allowed("clue.triage")
@require_POST
def withdraw(request: HttpRequest, judgement: int) -> HttpResponse:
    try:
        judging.withdraw(person_of(request), judgement, request.POST.get("reason", ""), at=timezone.now())
    except judging.NotPossible as error:
        return _page(request, _refusals()[error.code])
    messages.success(request, _("已撤回，正在重算。"))
    return redirect("desk:identity")


def _plain(column: str, values: list[str]) -> str:
    """What one side tells, with words for codes."""
    words: dict[str, str] = {}
    if column == "town":
        words = {o.code: pick(o.short_zh, o.short_en) for o in accounts.all_offices()}
    elif column == "sex":
        words = {"M": _("男"), "F": _("女")}
    return pick("、", ", ").join(words.get(v, v) for v in values)


def _refusals() -> dict[str, str]:
    return {
        "gone": _("这一对已经有人判断，或随数据更新不再存在；列表已更新。"),
        "another": _("这条记录已判为另一个号码的持有人；一条记录只能属于一人，如前判有误请先撤回。"),
        "verdict": _("请选择同一主体、不是同一主体或无法判断。"),
        "reason": _("请写明判断的依据（500 字以内）。"),
    }


def _attributes() -> dict[str, str]:
    return {
        "masked": _("遮掩的号码"),
        "issued": _("号码前六位"),
        "legacy": _("旧注册号"),
        "name": _("名称（姓名）"),
        "birth": _("出生日期"),
        "sex": _("性别"),
        "phone": _("电话"),
        "town": _("所在县市"),
        "address": _("地址"),
    }


def _agreements() -> dict[str, str]:
    return {
        "equal": _("一致"),
        "near": _("相近"),
        "different": _("不一致"),
        "empty": _("一方未载明"),
    }


def _verdicts() -> dict[str, str]:
    return {"same": _("同一主体"), "different": _("不是同一主体"), "unsure": _("无法判断")}
