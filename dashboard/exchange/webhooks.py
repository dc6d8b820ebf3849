"""Calls to agencies' receivers: who wants them, what did not arrive, sent anew by a person."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard.accounts.page import allowed
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from dashboard.desk.page import pick
from ingestion.api.limits import LIMITS
from supervision.clues.actions import Refused
from supervision.webhooks import actions, reading


@allowed("batch.import")
@require_safe
def webhooks(request: HttpRequest) -> HttpResponse:
    return _page(request)


def _page(request: HttpRequest, refused: str = "") -> HttpResponse:
    context = {
        "lines": reading.lines(),
        "dead": reading.calls(dead=True),
        "calls": reading.calls(dead=False),
        "most": reading.MOST,
        "attempts": len(LIMITS.webhook_pauses.value) + 1,
        "refused": refused,
        "states": {
            "active": _("有效"),
            "failing": _("有通知未送达"),
            "not_listed": _("地址未列入清单"),
            "ended": _("已停止"),
        },
        "kinds": {"letter": _("反馈函"), "ticket": _("数据问题单"), "subscription": _("订阅生效")},
    }
    return page_of(request, "exchange/webhooks.html", "exchange", context, 409 if refused else 200)


@allowed("batch.import")
@require_POST
def resend(request: HttpRequest, call: int) -> HttpResponse:
    try:
        actions.resend(by=person_of(request), at=timezone.now(), call=call)
    except Refused as error:
        return _page(request, pick(error.zh, error.en))
    messages.success(request, _("已重新排队，结果稍后显示在这里"))
    return redirect("exchange:webhooks")
