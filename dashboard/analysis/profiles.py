"""Profiles and searches of the pool: asked by POST with a purpose, read by the code of the recorded query.

No name and no number ever stands in an address.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from dashboard.accounts.page import allowed
from dashboard.analysis.drawing import Layout, layout, timeline
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from dashboard.desk.page import pick
from dashboard.templatetags.desk import brief
from ingestion import selectors as ingestion
from supervision.profiles import network as networks
from supervision.profiles import profile as profiles
from supervision.profiles import queries, search
from supervision.profiles.queries import NotRecorded
from supervision.reference import REFERENCE

#: so many relations still bear their words in the drawing
_WORDED = 36
#: from so many on the drawing takes the room it needs
_MANY = 30
#: of the name before a lane of the time line, in Latin characters
_LANE_NAME = 36


def kind_words(kind: str) -> str:
    return {
        "subject": _("线索当事人"),
        "number": _("号码"),
        "person": _("姓名"),
        "organisation": _("单位名称"),
        "case_no": _("案号"),
        "place": _("地点"),
    }[kind]


def basis_words(basis: str) -> str:
    return {"clue": _("本人线索"), "matter": _("本人牵头的类案"), "case": _("办案查询")}[basis]


def tier_words(tier: str) -> str:
    """How sure it is who is meant."""
    return {
        "A": _("完整号码"),
        "B": _("部分号码、姓名和出生日期相符"),
        "C": _("姓名、出生日期和地区或电话相符"),
        "D": _("姓名和地区相符"),
        "J": _("经人工核对"),
    }.get(tier, _("仅姓名或名称"))


@allowed("clue.read")
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The ways in and one's own recorded queries."""
    return _home(request, {})


def _home(
    request: HttpRequest, typed: dict[str, str], refused: NotRecorded | None = None, form: str = ""
) -> HttpResponse:
    who, now = person_of(request), timezone.now()
    kept = queries.recorded(who, at=now)
    context = {
        "typed": typed,
        "wrong": pick(refused.zh, refused.en) if refused else "",
        "wrong_form": form,
        "may_search": queries.may_search(who),
        "kinds": [(kind, kind_words(kind)) for kind in search.KINDS],
        "queries": [
            {
                "query": q,
                "basis": basis_words(q.basis),
                "kind": kind_words(q.kind),
                "on": q.clue.number if q.clue else q.case_number,
            }
            for q in kept
        ],
        "longest": search.LONGEST,
        "bounds": REFERENCE.pool_query,
    }
    return page_of(request, "analysis/home.html", "analysis", context, 409 if refused else 200)


@allowed("clue.read")
@require_POST
def open_clue(request: HttpRequest) -> HttpResponse:
    """Record a look at a clue's subject and go to the profile."""
    typed = {name: " ".join(request.POST.get(name, "").split()) for name in ("clue", "reason")}
    try:
        query = queries.open_clue(person_of(request), typed["clue"], typed["reason"], at=timezone.now())
    except NotRecorded as refused:
        return _home(request, typed, refused, "clue")
    return redirect("analysis:profile", code=query.code, place=0)


@allowed("clue.read")
@require_POST
def search_pool(request: HttpRequest) -> HttpResponse:
    """Record a search and go to what it met."""
    typed = {
        name: " ".join(request.POST.get(name, "").split())
        for name in ("kind", "text", "case_number", "reason")
    }
    try:
        kind = next((k for k in search.KINDS if k == typed["kind"]), None)
        if kind is None:
            raise NotRecorded("请选择按什么检索", "choose what to search by")
        query = search.search(
            person_of(request),
            kind,
            typed["text"],
            case_number=typed["case_number"],
            reason=typed["reason"],
            at=timezone.now(),
        )
    except NotRecorded as refused:
        # A number is not written back into the page.
        kept = typed | ({"text": ""} if typed["kind"] == "number" else {})
        return _home(request, {**kept, "search_reason": typed["reason"]}, refused, "search")
    return redirect("analysis:query", code=query.code)


@allowed("clue.read")
@require_safe
def query(request: HttpRequest, code: UUID) -> HttpResponse:
    """What a recorded search met."""
    try:
        found = search.results(person_of(request), code, at=timezone.now())
    except NotRecorded as refused:
        return _home(request, {}, refused)
    if found is None:
        raise Http404
    catalog = ingestion.catalog()
    context = {
        "found": found,
        "query": found.query,
        "basis": basis_words(found.query.basis),
        "kind": kind_words(found.query.kind),
        "on": found.query.clue.number if found.query.clue else found.query.case_number,
        "subjects": [
            {
                "found": s,
                "tier": tier_words(s.tier),
                "kind": _("个人") if s.kind == "person" else _("单位"),
                "title": s.names[0] if s.names else _("未具名"),
                "feeds": [pick(catalog[f].title.zh, catalog[f].title.en) for f in s.feeds],
            }
            for s in found.subjects
        ],
        "records": [{"record": r, "feed": catalog[r.feed].title} for r in found.records],
        "bounds": REFERENCE.pool_query,
    }
    return page_of(request, "analysis/query.html", "analysis", context)


@allowed("clue.read")
@require_safe
def profile(request: HttpRequest, code: UUID, place: int) -> HttpResponse:
    """One subject across the sources."""
    try:
        found = profiles.profile(person_of(request), code, place, at=timezone.now())
    except NotRecorded as refused:
        return _home(request, {}, refused)
    if found is None:
        raise Http404
    lanes = [
        (_short(pick(s.feed.title.zh, s.feed.title.en)), s.feed.code, [r.on for r in s.records if r.on])
        for s in found.sources
        if any(r.on for r in s.records)
    ]
    context = {
        "found": found,
        "query": found.query,
        "basis": basis_words(found.query.basis),
        "on": found.query.clue.number if found.query.clue else found.query.case_number,
        "kind": _("个人") if found.kind == "person" else _("单位"),
        "title": found.names[0] if found.names else _("未具名"),
        "tier": tier_words(found.tier),
        "line": timeline(lanes),
        "sources": [
            {"source": s, "records": [{"record": r, "tier": tier_words(r.tier)} for r in s.records]}
            for s in found.sources
        ],
        "bounds": REFERENCE.pool_query,
    }
    return page_of(request, "analysis/profile.html", "analysis", context)


@allowed("clue.read")
@require_safe
def network(request: HttpRequest, code: UUID, place: int) -> HttpResponse:
    """Who stands near the subject, drawn and as a table."""
    wanted = request.GET.get("hops", "1")
    hops = int(wanted) if wanted in ("1", "2", "3") else 1
    try:
        found = networks.network(person_of(request), code, place, hops, at=timezone.now())
    except NotRecorded as refused:
        return _home(request, {}, refused)
    if found is None:
        raise Http404
    placed = layout({n.number: n.hop for n in found.nodes}, [(t.a, t.b) for t in found.ties])
    context = {
        "found": found,
        "query": found.query,
        "basis": basis_words(found.query.basis),
        "on": found.query.clue.number if found.query.clue else found.query.case_number,
        "hops": range(1, found.most_hops + 1),
        "drawing": placed,
        "many": len(found.nodes) > _MANY,
        "nodes": [_node(n, placed) for n in found.nodes],
        "lines": _lines(found, placed),
        "crowded": [
            (_("电话") if value == "phone" else _("地址"), count, found.caps[value])
            for value, count in found.crowded.items()
        ],
        "rows": [
            {
                "tie": t,
                "a": _name(found.nodes[t.a]),
                "b": _name(found.nodes[t.b]),
                "kind": pick(t.words.zh, t.words.en),
                "feeds": [pick(f.zh, f.en) for f in t.feeds],
            }
            for t in found.ties
        ],
    }
    return page_of(request, "analysis/network.html", "analysis", context)


def _short(title: str) -> str:
    """A title that fits before its lane: so many characters, a Chinese one counted twice."""
    bare, room, kept = brief(title), _LANE_NAME, ""
    for sign in bare:
        room -= 2 if ord(sign) > 0x2E80 else 1
        if room < 0:
            return kept.rstrip() + "…"
        kept += sign
    return kept


def _name(node: networks.Node) -> str:
    return node.name or (_("未具名的个人") if node.kind == "person" else _("未具名的单位"))


def _node(node: networks.Node, placed: Layout) -> dict[str, Any]:
    spot = placed.spots[node.number]
    offset = {
        "right": (16, 4, "start"),
        "left": (-16, 4, "end"),
        "above": (0, -16, "middle"),
        "below": (0, 26, "middle"),
    }
    dx, dy, anchor = offset[spot.side]
    name = _name(node)
    return {
        "node": node,
        "name": name,
        "short": name if len(name) <= 14 else name[:13] + "…",
        "spot": spot,
        "text_x": round(spot.x + dx, 1),
        "text_y": round(spot.y + dy, 1),
        "anchor": anchor,
    }


def _lines(found: networks.Network, placed: Layout) -> list[dict[str, Any]]:
    """One line a pair of nodes, whatever number of relations it stands for."""
    pairs: dict[tuple[int, int], list[networks.Tie]] = {}
    for tie in found.ties:
        pairs.setdefault((tie.a, tie.b), []).append(tie)
    lines = []
    for (a, b), ties in pairs.items():
        one, other = placed.spots[a], placed.spots[b]
        words = list(dict.fromkeys(pick(t.words.zh, t.words.en) for t in ties))
        lines.append(
            {
                "a": one,
                "b": other,
                "x": round(one.x + (other.x - one.x) * 0.55, 1),
                "y": round(one.y + (other.y - one.y) * 0.55, 1),
                "shared": all(t.via for t in ties),
                "words": "、".join(words) if len(pairs) <= _WORDED else "",
                "title": "；".join(
                    f"{t.number}. {pick(t.words.zh, t.words.en)}（{'、'.join(pick(f.zh, f.en) for f in t.feeds)}）"
                    for t in ties
                ),
            }
        )
    return lines
