"""Alarms: the list, and what a person does with one. Every view: translate in, one call, translate out."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard.accounts.page import allowed
from dashboard.desk.page import page, person, pick
from supervision import selectors as supervision
from supervision.alarms import actions
from supervision.alarms.states import LEVEL_WORDS, STATE_WORDS, State
from supervision.clues.actions import Refused


@allowed("clue.read")
@require_safe
def alarms(request: HttpRequest) -> HttpResponse:
    return _alarms(request)


def _alarms(request: HttpRequest, refused: str = "") -> HttpResponse:
    states = tuple(s for s in request.GET.getlist("state") if s in State._value2member_map_)
    levels = tuple(level for level in request.GET.getlist("level") if level in LEVEL_WORDS)
    wanted, only = request.GET.get("page", "1"), request.GET.get("only", "")
    single = int(only) if only.isascii() and only.isdigit() and len(only) < 18 else None
    found = supervision.alarm_page(
        person(request),
        supervision.AlarmFilters(states, levels, single),
        int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 8 else 1,
    )
    query = request.GET.copy()
    query.pop("page", None)
    who = person(request)
    context = {
        "page": found,
        "refused": refused,
        "handling": {
            move: not who.permissions.isdisjoint(needed) for move, needed in actions.PERMISSIONS.items()
        },
        "query": query.urlencode() + "&" if query else "",
        "previous": found.page - 1,
        "following": found.page + 1,
        "narrowed": bool(states or levels or single is not None),
        "tabs": [
            {
                "state": s.value,
                "words": pick(STATE_WORDS[s].zh, STATE_WORDS[s].en),
                "count": found.counts[s.value],
                "current": states == (s.value,),
            }
            for s in State
        ],
        "waiting": found.counts[State.UNREVIEWED.value] + found.counts[State.ACKNOWLEDGED.value],
    }
    return page(request, "desk/alarms.html", "alarms", context, 409 if refused else 200)


@allowed("clue.read")
@require_POST
def act(request: HttpRequest, alarm: int, move: str) -> HttpResponse:
    """Acknowledge the alarm, or make it a clue and go there."""
    if move not in actions.PERMISSIONS:
        raise Http404
    note = request.POST.get("note", "").strip()
    try:
        if move == "promote":
            clue = actions.promote(alarm_id=alarm, by=person(request), at=timezone.now(), note=note)
            messages.success(request, _("已转为线索"))
            return redirect("desk:clue", number=clue.number)
        actions.acknowledge(alarm_id=alarm, by=person(request), at=timezone.now(), note=note)
        messages.success(request, _("已确认收到"))
    except Refused as refused:
        return _alarms(request, pick(refused.zh, refused.en))
    return redirect("desk:alarms")
