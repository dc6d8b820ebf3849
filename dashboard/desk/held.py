"""Deliveries that wait for the data custodian: what is odd about each, and the decision with its reason."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from chuxiong.accounts.models import Person
from dashboard.accounts.page import allowed
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from ingestion import selectors as ingestion
from ingestion.intake import holding

_LONGEST = 500


@allowed("batch.release")
@require_http_methods(["GET", "HEAD", "POST"])
def held(request: HttpRequest) -> HttpResponse:
    """The held batches, oldest first; a POST decides one of them."""
    who = person_of(request)
    wrong, typed = "", {}
    if request.method == "POST":
        typed = {name: request.POST.get(name, "").strip() for name in ("batch", "outcome", "reason")}
        wrong = _wrong(who, typed)
        if not wrong:
            batch, outcome = int(typed["batch"]), typed["outcome"]
            try:
                holding.ask(batch, outcome, by=who, reason=typed["reason"])
            except holding.NotHeld:
                # Decided by somebody else between the look and the act.
                wrong = _("这一批已经有人决定，列表已更新。")
            else:
                let_in = typed["outcome"] == holding.LET_IN
                messages.success(request, _("已放行，正在入库。") if let_in else _("已退回，文件不入库。"))
                return redirect("desk:held")
    titles = {s.code: s for s in ingestion.feed_states()}
    waiting = [(b, titles.get(b.feed), holding.landed_since(b)) for b in holding.held_batches(who)]
    context = {"waiting": waiting, "wrong": wrong, "typed": typed, "longest": _LONGEST}
    return page_of(request, "desk/held.html", "feeds", context, 409 if wrong else 200)


def _wrong(who: Person, typed: dict[str, str]) -> str:
    waiting = {str(batch.pk): batch for batch in holding.held_batches(who)}
    batch = waiting.get(typed["batch"])
    if batch is None:
        return _("这一批已经有人决定，列表已更新。")
    if typed["outcome"] not in (holding.LET_IN, holding.REJECT):
        return _("请选择放行或退回。")
    if typed["outcome"] == holding.LET_IN and holding.overtaken(batch, ingestion.catalog()[batch.feed]):
        return _("此后已有更新的全量清单入库，放行会终止其中新增的记录；请退回这一批。")
    if not typed["reason"] or len(typed["reason"]) > _LONGEST:
        return _("请写明向谁核实、为什么这样决定（500 字以内）。")
    return ""
