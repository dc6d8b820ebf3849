"""Rivers: the line with all that is on it, one section with its readings, an alarm traced along the line."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from chuxiong.accounts.models import Office
from chuxiong.kit.factor import named
from dashboard.accounts.page import allowed
from dashboard.desk.page import page, person, pick
from dashboard.water import strip
from dashboard.water.words import flag_words, reasons
from ingestion import selectors as ingestion
from ingestion.water import selectors as water
from supervision import selectors as supervision

#: so many rivers find room as buttons beside the title
_FEW = 6


@allowed("clue.read")
@require_safe
def rivers(request: HttpRequest) -> HttpResponse:
    """The first river, with the others a press away; the list where there are many."""
    found = water.rivers()
    if 0 < len(found) <= _FEW:
        return _river(request, found[0].code)
    return page(request, "water/rivers.html", "rivers", {"rivers": found})


@allowed("clue.read")
@require_safe
def river(request: HttpRequest, river: str) -> HttpResponse:
    return _river(request, river)


def _river(request: HttpRequest, river: str) -> HttpResponse:
    at, who = timezone.now(), person(request)
    found = supervision.river_page(who, river, at=at)
    if found is None:
        raise Http404
    view, matters = found
    items = strip.items_of(view, matters, who)
    from_km, to_km = strip.window(view, (request.GET.get("from", ""), request.GET.get("to", "")))
    kinds = [k for k in request.GET.getlist("kind") if k in strip.KINDS]
    drawn = strip.draw(view, items, from_km, to_km)
    inside = [i for i in items if from_km <= i.km <= to_km]
    listed = [i for i in inside if not kinds or i.kind in kinds]
    piece = f"from={from_km:g}&to={to_km:g}" if request.GET.get("from") else ""
    wanted = request.GET.get("page", "1")
    pages = max(1, -(-len(listed) // strip.ROWS))
    number = min(
        max(1, int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 6 else 1), pages
    )
    asked = "&".join([*([piece] if piece else []), *(f"kind={k}" for k in kinds)])
    context = {
        "view": view,
        "rivers": water.rivers(),
        "strip": drawn,
        "rows": listed[(number - 1) * strip.ROWS : number * strip.ROWS],
        "pager": {
            "total": len(listed),
            "page": number,
            "pages": pages,
            "query": f"{asked}&" if asked else "",
        },
        "kinds": [
            {"kind": lane.kind, "words": lane.words, "count": lane.count, "current": kinds == [lane.kind]}
            for lane in drawn.lanes
        ],
        "all_kinds": not kinds,
        "inside": len(inside),
        "piece": piece,
        "stopped": _stopped(view.stopped),
        "days": (at - view.since).days,
        "counties": _counties(),
        "drawing": {
            "line": [[c.lon, c.lat] for c in view.line.corners],
            "window": [list(view.line.at(from_km)), list(view.line.at(to_km))],
            "items": [
                {"key": i.key, "lon": i.lon, "lat": i.lat, "tone": i.tone, "kind": i.kind, "name": i.name}
                for i in inside
            ],
        },
    }
    return page(request, "water/river.html", "rivers", context)


@allowed("clue.read")
@require_safe
def section(request: HttpRequest, river: str, section: str) -> HttpResponse:
    """A section's latest figures and those above its class; ``factor`` and ``at`` trace one upstream."""
    now, who = timezone.now(), person(request)
    place = water.place("section", section)
    if place is None or place.river.code != river:
        raise Http404
    state = water.section_state(who, place, at=now)
    chosen = _chosen(state, request.GET.get("factor", ""), request.GET.get("at", ""))
    context: dict[str, Any] = {
        "place": place,
        "state": state,
        "latest": sorted(state.latest.values(), key=lambda j: (not j.exceeds, j.factor)),
        "above": state.above[:40],
        "more": max(0, len(state.above) - 40),
        "flag_words": flag_words(),
        "chosen": chosen,
        "counties": _counties(),
    }
    if chosen:
        traced = water.trace(
            who,
            place,
            factor=chosen.factor,
            since=chosen.at,
            until=chosen.at + timedelta(hours=chosen.hours),
            today=timezone.localdate(now),
        )
        context |= _traced(traced)
    return page(request, "water/section.html", "rivers", context)


@allowed("clue.read")
@require_safe
def alarm(request: HttpRequest, alarm: int) -> HttpResponse:
    found = supervision.alarm_on_river(person(request), alarm, at=timezone.now())
    if found is None:
        raise Http404
    context: dict[str, Any] = {
        "alarm": found.alarm,
        "place": found.place,
        "below": found.below,
        "cameras": [] if person(request).permissions.isdisjoint(strip.MAY_LOOK) else found.cameras,
        "counties": _counties(),
    }
    if found.traced:
        context |= _traced(found.traced)
    return page(request, "water/alarm.html", "alarms", context)


def _traced(traced: water.Traced) -> dict[str, Any]:
    factor = named(traced.exceedance.factor)
    return {
        "traced": traced,
        "factor_words": pick(factor.zh, factor.en),
        "candidates": [
            {"place": traced.places[c.code], "found": c, "reasons": reasons(c)}
            for c in traced.found.candidates
        ],
    }


def _chosen(state: water.SectionState, factor: str, at: str) -> water.Judged | None:
    """The figure above its limit that the address names, else the latest one."""
    try:
        moment = datetime.fromisoformat(at) if at else None
    except ValueError:
        moment = None
    for judged in state.above:
        if factor in ("", judged.factor) and moment in (None, judged.at):
            return judged
    return None


def _stopped(stopped: dict[str, str]) -> list[tuple[str, str]]:
    catalog = ingestion.catalog()
    return [(pick(catalog[f].title.zh, catalog[f].title.en), why) for f, why in sorted(stopped.items())]


def _counties() -> dict[str, str]:
    return {o.code: pick(o.short_zh, o.short_en) for o in Office.objects.all()}
