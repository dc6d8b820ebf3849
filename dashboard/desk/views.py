"""Prosecutors' pages. Every view: translate in, one call, translate out."""

from __future__ import annotations

from collections import Counter
from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts import selectors as accounts
from chuxiong.accounts.models import Person
from dashboard.accounts.page import allowed, missing
from dashboard.cameras.entry import entry_of_frame
from dashboard.desk.forms import EntryForm
from dashboard.desk.orders import call_results, ended_words
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from dashboard.desk.page import pick
from ingestion import selectors as ingestion
from ingestion.intake import holding
from supervision import case_query as case_queries
from supervision import matters, saved_views
from supervision import selectors as supervision
from supervision.clues import actions
from supervision.clues.lifecycle import (
    CLOSED,
    MOVES,
    STATE_WORDS,
    TRACK,
    Finding,
    Move,
    NotPossible,
    Outcome,
    State,
    check,
)
from supervision.documents import reading as documents
from supervision.leaving import agreed
from supervision.reference import REFERENCE
from supervision.tracks import results
from supervision.tracks.spec import tracks

# ---- queue -----------------------------------------------------------------------------------

_TABS = (
    State.RAISED,
    State.TRIAGED,
    State.DISPATCHED,
    State.CHECKING,
    State.CONFIRMED,
    State.ACTED,
    State.NEEDS_DATA,
    State.SENT_BACK,
)


@allowed("clue.read")
@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    person = person_of(request)
    filters, page = asked_filters(request)
    fragment = "X-Fragment" in request.headers
    counts, waiting = supervision.clue_standing(person)
    found = supervision.clue_page(person, filters, page, {**counts, **waiting}, at=timezone.now())
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "page": found,
        "filters": filters,
        "narrowed": filters != supervision.ClueFilters(),
        "query": query.urlencode() + "&" if query else "",
        "previous": found.page - 1,
        "following": found.page + 1,
        "first": (found.page - 1) * supervision.PAGE + 1,
        "last": (found.page - 1) * supervision.PAGE + len(found.rows),
    }
    tabs = [
        {
            "state": s.value,
            "words": pick(STATE_WORDS[s].zh, STATE_WORDS[s].en),
            "count": counts[s.value],
            "current": filters.states == (s.value,),
        }
        for s in _TABS
        if counts[s.value] or filters.states == (s.value,)
    ]
    today = [
        {"name": name, "words": words, "count": waiting[name], "current": filters.attention == name}
        for name, words in _today()
    ]
    context |= {"counts": counts, "tabs": tabs, "today": today}
    if fragment:
        context["alarm_count"] = supervision.alarm_count(person)
        return render(request, "desk/parts/queue_fresh.html", context)
    context["chips"] = _chips(request, filters)
    own, this = saved_views.of(person), saved_views.query_of(filters)
    context |= {"views": own, "view": next((v for v in own if v.query == this and not filters.text), None)}
    context["may_save"] = bool(this) and not context["view"]
    if not context["narrowed"] and found.page == 1 and found.rows:
        context["few"] = supervision.todays_few(person, at=timezone.now())
    return page_of(request, "desk/queue.html", "queue", context)


def asked_filters(request: HttpRequest) -> tuple[supervision.ClueFilters, int]:
    get = request.GET

    def chosen(name: str) -> tuple[str, ...]:
        return tuple(v for v in get.getlist(name) if v)

    page = get.get("page", "1")
    attention = get.get("attention", "")
    filters = supervision.ClueFilters(
        states=tuple(s for s in chosen("state") if s in State._value2member_map_),
        levels=chosen("level"),
        offices=chosen("office"),
        rules=chosen("rule"),
        origins=chosen("origin"),
        attention=attention if attention in dict(_today()) else "",
        text=get.get("text", "").replace("\x00", "").strip()[:60],
        closed=bool(get.get("closed")),
    )
    return filters, int(page) if page.isascii() and page.isdigit() and len(page) < 8 else 1


def _chips(request: HttpRequest, filters: supervision.ClueFilters) -> list[dict[str, Any]]:
    """The filters as chips: each choice is a link to the same page with that value put in or taken out."""
    rules = [(r.id, f"{r.code} {pick(r.title.zh, r.title.en)}") for r in supervision.rulebook().values()]
    origins = [("model", _("模型")), ("manual", _("人工录入")), ("alert", _("预警"))]
    chips = []
    for name, label, options, chosen in (
        ("level", _("级别"), _levels(), filters.levels),
        ("office", _("县市"), _offices(request), filters.offices),
        ("rule", _("模型"), rules, filters.rules),
        ("origin", _("来源"), origins, filters.origins),
    ):
        choices = []
        for value, words in options:
            kept = [v for v in chosen if v != value] if value in chosen else [*chosen, value]
            choices.append({"words": words, "on": value in chosen, "link": _link(request, name, kept)})
        shown = [words for value, words in options if value in chosen]
        chips.append(
            {
                "label": label,
                "shown": pick("、", ", ").join(shown[:2])
                + (_(" 等 %(n)s 项") % {"n": len(shown)} if shown[2:] else ""),
                "choices": choices,
                "clear": _link(request, name, []),
            }
        )
    if filters.text:
        chips.append({"label": _("文字"), "shown": filters.text, "clear": _link(request, "text", [])})
    return chips


def _link(request: HttpRequest, name: str, values: list[str]) -> str:
    query = request.GET.copy()
    query.pop("page", None)
    query.setlist(name, values)
    return f"?{query.urlencode()}"


def _today() -> list[tuple[str, str]]:
    return [
        ("overdue", _("已逾期")),
        ("soon", _("三天内到期")),
        ("new", _("今天新增")),
        ("changed", _("来源有更正")),
        ("rebound", _("办结后反弹")),
        ("answered", _("单位已答复")),
    ]


def _levels() -> list[tuple[str, str]]:
    return [("urgent", _("紧急")), ("important", _("重点")), ("ordinary", _("一般"))]


def _offices(request: HttpRequest) -> list[tuple[str, str]]:
    return [(o.code, pick(o.short_zh, o.short_en)) for o in accounts.offices_of(person_of(request))]


# ---- one clue ----------------------------------------------------------------------------------


@allowed("clue.read")
@require_safe
def clue(request: HttpRequest, number: str) -> HttpResponse:
    return _clue_page(request, number)


def _clue_page(
    request: HttpRequest,
    number: str,
    *,
    refused: str = "",
    typed: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    wanted = request.method == "GET" and "numbers" in request.GET
    every = request.method == "GET" and "all" in request.GET
    found = supervision.clue_detail(
        person_of(request), number, at=timezone.now(), numbers=wanted, every_source=every
    )
    if found is None:
        raise Http404
    truths = [c.truth for c in found.conditions]
    context = {
        "clue": found,
        "steps": _steps(found),
        "moves": sorted(_rail(found), key=lambda m: _FORWARD.index(m.name) if m.name in _FORWARD else 99),
        "more": found.sources_total > len(found.sources) + len(found.stopped) and not every,
        "most": supervision.ALL_SOURCES,
        "holding": {k: truths.count(t) for k, t in (("yes", True), ("no", False), ("open", None))},
        "nearest": next((c for t in found.tracks for c in t.clocks if c.due_on == found.row.due_on), None),
        "may_inquire": any(m.name == "inquire" for m in found.moves),
        "may_handle": any(m.name == "step" for m in found.moves),
        "may_strike": any(m.name == "strike" for m in found.moves),
        "refused": refused,
        "typed": typed or {},
        "move_options": _move_options(request, found),
        "competent": accounts.office(found.competent) if found.competent else None,
        "ended_words": ended_words(),
        "call_words": dict(call_results()),
        "papers": documents.panel(person_of(request), found),
    }
    return page_of(request, "desk/clue.html", "queue", context, status)


#: made where the track is shown, not in the rail
_ON_THE_TRACK = frozenset({"step", "strike", "clock", "inquire", "extension"})


def _rail(found: supervision.ClueDetail) -> list[supervision.Possible]:
    """The moves of the rail: those of the track stand with it, and one track at a time is under way."""
    runs = any(t.ended_on is None for t in found.tracks)
    return [m for m in found.moves if m.name not in _ON_THE_TRACK and not (m.name == "act" and runs)]


#: Moves that take a clue onward; the first possible one is the page's primary action.
_FORWARD = ("accept", "dispatch", "receive", "conclude", "resume", "act", "feed_back", "settle")


def _steps(found: supervision.ClueDetail) -> list[dict[str, Any]]:
    """The clue's way: each step done, now or ahead, with the day it was reached."""
    current = State(found.row.state)
    reached = {State.RAISED.value: found.row.raised_at}
    for event in found.events:
        reached[event.to_state] = event.at
    aside = {State.SENT_BACK: State.DISPATCHED, State.NEEDS_DATA: State.CHECKING}
    stopped = current in CLOSED and current is not State.SETTLED
    passed = [i for i, s in enumerate(TRACK) if s.value in reached]
    at = max(passed, default=0) if stopped else TRACK.index(aside.get(current, current))
    steps = []
    for i, step in enumerate(TRACK):
        done = i < at or current is State.SETTLED or (stopped and i == at)
        mark = "done" if done else ("now" if i == at else "")
        state = current if mark == "now" else step
        steps.append({"state": state.value, "mark": mark, "at": reached.get(state.value) if mark else None})
    if stopped:
        steps = [*steps[: at + 1], {"state": current.value, "mark": "now", "at": reached.get(current.value)}]
    return steps


@allowed("clue.read")
@require_safe
def peek(request: HttpRequest, number: str) -> HttpResponse:
    """The clue at a glance, beside the queue; a read like any other, so it leaves its audit row."""
    found = supervision.clue_detail(person_of(request), number, at=timezone.now())
    if found is None:
        raise Http404
    return render(request, "desk/parts/peek.html", {"clue": found})


# ---- several clues at once ---------------------------------------------------------------------

_BULK = ("accept", "dismiss", "merge", "defer")
_BULK_MOST = 100


@allowed("clue.read")
@require_POST
def bulk(request: HttpRequest) -> HttpResponse:
    """One verb over several clues: first what would happen, then, once confirmed, the outcome of each."""
    person, post = person_of(request), request.POST
    name = post.get("move", "")
    chosen = dict(v.partition(":")[::2] for v in post.getlist("clue")[:_BULK_MOST])
    if name not in _BULK or not chosen:
        raise Http404
    move = MOVES[name]
    if not person.may(move.permission):
        raise missing(move.permission)
    rows = supervision.clue_rows(person, chosen, at=timezone.now())
    context: dict[str, Any] = {"move": move, "done": "sure" in post}
    if "sure" in post:
        outcomes = [(row, _outcome(name, post, row, chosen[row.number], person)) for row in rows]
        context["failed"] = sum(bool(words) for _row, words in outcomes)
        context["succeeded"] = len(outcomes) - context["failed"]
    else:
        outcomes = [(row, _hindrance(move, row)) for row in rows]
        context["able"] = sum(not words for _row, words in outcomes)
        context["reasons"] = [(code, pick(zh, en)) for code, zh, en in supervision.reasons("dismiss_reasons")]
    context["outcomes"] = outcomes
    if request.headers.get("X-Fragment"):
        return render(request, "desk/parts/bulk.html", context)
    return page_of(request, "desk/bulk.html", "queue", context)


def _hindrance(move: Move, row: supervision.ClueRow) -> str:
    try:
        check(move.name, State(row.state))
    except NotPossible as error:
        return pick(error.zh, error.en)
    return ""


def _outcome(name: str, post: Any, row: supervision.ClueRow, seen: str, person: Person) -> str:
    """Empty when the clue was moved, else why not; each clue stands for itself."""
    try:
        _ACTS[name](
            post,
            clue_number=row.number,
            by=person,
            at=timezone.now(),
            expected_version=int(seen) if seen.isdigit() else None,
        )
    except actions.Refused as refused:
        return pick(refused.zh, refused.en)
    return ""


def _move_options(request: HttpRequest, found: supervision.ClueDetail) -> dict[str, Any]:
    def listed(name: str) -> list[tuple[str, str]]:
        return [(code, pick(zh, en)) for code, zh, en in supervision.reasons(name)]

    outcomes = []
    for outcome, zh, en in (
        (Outcome.CORRECTED, "依法监督纠正", "Corrected by supervision"),
        (Outcome.IMPROVED, "反馈并帮助改进", "Fed back and improved"),
    ):
        kinds = REFERENCE.outcome_kinds[outcome.value].items()
        outcomes.append(
            (outcome.value, pick(zh, en), [(k, pick(w.zh, w.en), f"{outcome.value}:{k}") for k, w in kinds])
        )
    return {
        "reasons": {
            "dismiss": listed("dismiss_reasons"),
            "send_back": listed("send_back_reasons"),
            "unfounded": listed("unfounded_reasons"),
        },
        "offices": _offices(request),
        "departments": [
            (d.code, pick(d.name_zh, d.name_en)) for d in accounts.departments_of(found.row.office_code)
        ],
        "findings": [
            (f.value, pick(STATE_WORDS[State(f.value)].zh, STATE_WORDS[State(f.value)].en)) for f in Finding
        ],
        "agencies": _agencies(found),
        "outcomes": outcomes,
        "tracks": _tracks(found),
        "results": [(code, pick(k.zh, k.en), k.unit) for code, k in results.kinds().items()],
        "inquiry_ways": [(code, pick(w.zh, w.en)) for code, w in REFERENCE.inquiry.ways.items()],
        "inquiry_least": REFERENCE.inquiry.people_least.value,
        "registers": [(f.code, pick(f.title.zh, f.title.en)) for f in ingestion.case_query_feeds()],
        "ways": [(code, pick(w.zh, w.en)) for code, w in REFERENCE.interference_ways.items()],
        "calls": call_results(),
        "matters": [(m.pk, m.title) for m in matters.open_matters(person_of(request))],
        "people": [
            (p.username, f"{p.name}・{pick(p.office.short_zh, p.office.short_en)}")
            for p in accounts.colleagues([found.row.office_code, person_of(request).office_id])
        ],
    }


def _tracks(found: supervision.ClueDetail) -> list[tuple[str, str]]:
    """The tracks of the clue's domain first, then the others."""
    every = sorted(tracks().values(), key=lambda t: found.domain not in t.domains)
    return [(t.code, pick(t.zh, t.en)) for t in every]


def _agencies(found: supervision.ClueDetail) -> list[tuple[str, str]]:
    named = {f.agency.code: pick(f.agency.zh, f.agency.en) for f in ingestion.catalog().values()}
    if found.responsible:
        named[found.responsible] = pick(found.responsible_zh, found.responsible_en)
    return sorted(named.items())


@allowed("clue.read")
@require_POST
def move(request: HttpRequest, number: str, move: str) -> HttpResponse:
    act = _ACTS.get(move)
    if act is None:
        raise Http404
    post = request.POST
    version = post.get("version", "")
    try:
        act(
            post,
            clue_number=number,
            by=person_of(request),
            at=timezone.now(),
            expected_version=int(version) if version.isdigit() else None,
        )
    except actions.Refused as refused:
        typed = {**post.dict(), "move": move, "people": post.getlist("people")}
        return _clue_page(request, number, refused=pick(refused.zh, refused.en), typed=typed, status=409)
    done = MOVES[move].words
    messages.success(
        request, _("%(number)s 已办理：%(move)s") % {"number": number, "move": pick(done.zh, done.en)}
    )
    # One may have moved it out of one's own sight (recusal, sealing, handing over to another office).
    if not supervision.sees(person_of(request), number):
        return redirect("desk:queue")
    return redirect("desk:clue", number=number)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise actions.Refused(
            "日期无法识别，请写成 2026-11-05", "date not understood, write 2026-11-05"
        ) from None


def _known(kind: Any, value: str) -> str:
    try:
        return str(kind(value).value)
    except ValueError:
        raise actions.Refused("请选择一项", "choose one") from None


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else 0


def _settle(post: Any, **act: Any) -> Any:
    outcome, _sep, kind = post.get("outcome", "").partition(":")
    columns = (post.getlist(f"result_{name}") for name in ("kind", "amount", "proof"))
    return actions.settle(
        outcome=_known(Outcome, outcome),
        kind=kind,
        note=post.get("note", ""),
        results=list(zip(*columns, strict=False)),
        **act,
    )


def _step(post: Any, **act: Any) -> Any:
    return actions.step(
        step=post.get("step", ""),
        happened_on=_date(post.get("happened_on", "")),
        official_number=post.get("official_number", "")[:60],
        approver=post.get("approver", "")[:60],
        variant=post.get("variant", ""),
        reason=post.get("step_reason", ""),
        note=post.get("note", ""),
        **act,
    )


def _clock(post: Any, **act: Any) -> Any:
    return actions.clock(
        clock=_number(post.get("clock", "")),
        how=post.get("how", ""),
        on=_date(post.get("on", "")),
        note=post.get("note", ""),
        **act,
    )


def _extension(post: Any, **act: Any) -> Any:
    until = post.get("until", "")
    return actions.extension(
        letter=_number(post.get("letter", "")),
        how=post.get("how", ""),
        until=_date(until) if until and post.get("how") == "grant" else None,
        note=post.get("note", ""),
        **act,
    )


def _inquire(post: Any, **act: Any) -> Any:
    return actions.inquire(
        happened_on=_date(post.get("happened_on", "")),
        way=post.get("way", ""),
        place=post.get("place", ""),
        people=post.getlist("people")[:20],
        present=post.get("present", ""),
        text=post.get("text", ""),
        **act,
    )


def _feed_back(post: Any, **act: Any) -> Any:
    agency, with_records = post.get("agency", ""), bool(post.get("records"))
    return actions.feed_back(
        agency=agency,
        subject=post.get("subject", "")[:120],
        text=post.get("text", ""),
        records=agreed(act["by"], act["clue_number"], agency, post.get("seen", ""), at=act["at"])
        if with_records
        else None,
        **act,
    )


def _conclude(post: Any, **act: Any) -> Any:
    reason = post.get("unfounded_reason", "")
    finding = _known(Finding, post.get("finding", ""))
    if reason and finding != Finding.UNFOUNDED:
        raise actions.Refused(
            "只有查否才填写查否原因，请去掉原因或改选“查否”",
            "a reason for “unfounded” goes with that conclusion alone: leave it out or choose “Unfounded”",
        )
    return actions.conclude(
        finding=finding,
        note=post.get("note", ""),
        reasons=[reason] if reason else [],
        **act,
    )


_ACTS: dict[str, Any] = {
    "accept": lambda p, **a: actions.accept(note=p.get("note", ""), **a),
    "dismiss": lambda p, **a: actions.dismiss(reason=p.get("reason", ""), note=p.get("note", ""), **a),
    "merge": lambda p, **a: actions.merge(into=p.get("into", "").strip(), note=p.get("note", ""), **a),
    "defer": lambda p, **a: actions.defer(until=_date(p.get("until", "")), note=p.get("note", ""), **a),
    "dispatch": lambda p, **a: actions.dispatch(
        office=p.get("office", ""),
        department=p.get("department", ""),
        designated=p.get("designated", ""),
        note=p.get("note", ""),
        **a,
    ),
    "urge": lambda p, **a: actions.urge(note=p.get("note", ""), **a),
    "escalate": lambda p, **a: actions.escalate(note=p.get("note", ""), **a),
    "call": lambda p, **a: actions.call(
        spoke_with=p.get("spoke_with", ""), result=p.get("result", ""), note=p.get("note", ""), **a
    ),
    "detach": lambda p, **a: actions.detach(note=p.get("note", ""), **a),
    "join_matter": lambda p, **a: actions.join_matter(
        matter=_number(p.get("matter", "")), note=p.get("note", ""), **a
    ),
    "leave_matter": lambda p, **a: actions.leave_matter(note=p.get("note", ""), **a),
    "receive": lambda p, **a: actions.receive(**a),
    "send_back": lambda p, **a: actions.send_back(reason=p.get("reason", ""), note=p.get("note", ""), **a),
    "conclude": _conclude,
    "resume": lambda p, **a: actions.resume(note=p.get("note", ""), **a),
    "act": lambda p, **a: actions.act(track=p.get("track", ""), note=p.get("note", ""), **a),
    "step": _step,
    "inquire": _inquire,
    "strike": lambda p, **a: actions.strike(taken=_number(p.get("taken", "")), note=p.get("note", ""), **a),
    "clock": _clock,
    "extension": _extension,
    "feed_back": _feed_back,
    "settle": _settle,
    "take_over": lambda p, **a: actions.take_over(note=p.get("note", ""), **a),
    "hand_over": lambda p, **a: actions.hand_over(person=p.get("person", ""), note=p.get("note", ""), **a),
    "recuse": lambda p, **a: actions.recuse(person=p.get("person", ""), note=p.get("note", ""), **a),
    "seal": lambda p, **a: actions.seal(note=p.get("note", ""), **a),
    "unseal": lambda p, **a: actions.unseal(note=p.get("note", ""), **a),
    "readmit": lambda p, **a: actions.readmit(person=p.get("person", ""), note=p.get("note", ""), **a),
    "admit": lambda p, **a: actions.admit(person=p.get("person", ""), note=p.get("note", ""), **a),
}


@allowed("clue.read")
@require_POST
def unmask(request: HttpRequest, number: str) -> HttpResponse:
    """Give the reason, then see the clue with its numbers."""
    reason = request.POST.get("reason", "")
    try:
        actions.unmask(clue_number=number, by=person_of(request), at=timezone.now(), reason=reason)
    except actions.Refused as refused:
        typed = {"reason": reason, "move": "unmask"}
        return _clue_page(request, number, refused=pick(refused.zh, refused.en), typed=typed, status=409)
    return redirect(reverse("desk:clue", args=[number]) + "?numbers=1")


@allowed("clue.read")
@require_POST
def case_query(request: HttpRequest, number: str) -> HttpResponse:
    """Ask a sealed register about the clue's subject; the answer is this one page."""
    post = request.POST
    try:
        answer = case_queries.ask(
            clue_number=number,
            by=person_of(request),
            at=timezone.now(),
            feed=post.get("feed", ""),
            case_number=post.get("case_number", ""),
            reason=post.get("reason", ""),
        )
    except case_queries.NotAsked as refused:
        typed = {**post.dict(), "move": "case_query"}
        return _clue_page(request, number, refused=pick(refused.zh, refused.en), typed=typed, status=409)
    records = [[(pick(column.zh, column.en), text) for column, text in found] for found in answer.records]
    context = {
        "answer": answer,
        "records": records,
        "register": pick(answer.feed.title.zh, answer.feed.title.en),
    }
    return render(request, "desk/case_query.html", context)


@allowed("clue.read")
@require_POST
def interference(request: HttpRequest, number: str) -> HttpResponse:
    """Write down that somebody asked about or meddled with the clue (三个规定)."""
    post = request.POST
    try:
        actions.record_interference(
            clue_number=number,
            by=person_of(request),
            at=timezone.now(),
            who=post.get("who", ""),
            position=post.get("position", ""),
            way=post.get("way", ""),
            occurred_on=_date(post.get("occurred_on", "")),
            text=post.get("text", ""),
        )
    except actions.Refused as refused:
        typed = {**post.dict(), "move": "interference"}
        return _clue_page(request, number, refused=pick(refused.zh, refused.en), typed=typed, status=409)
    messages.success(request, _("已记录"))
    return redirect("desk:clue", number=number)


# ---- manual entry, feeds -----------------------------------------------------------------------


@allowed("clue.enter")
def enter(request: HttpRequest) -> HttpResponse:
    form = EntryForm(request.POST or None, initial=entry_of_frame(request))
    refused = ""
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.enter(by=person_of(request), at=timezone.now(), **form.cleaned_data)
        except actions.Refused as error:
            refused = pick(error.zh, error.en)
        else:
            messages.success(request, _("线索已录入。"))
            return redirect("desk:clue", number=made.number)
    context = {
        "form": form,
        "refused": refused,
        "offices": _offices(request),
        "levels": _levels(),
    }
    return page_of(
        request, "desk/enter.html", "enter", context, 409 if refused else (400 if form.errors else 200)
    )


@allowed("clue.read", "batch.import")
@require_safe
def feeds(request: HttpRequest) -> HttpResponse:
    states = ingestion.feed_states()
    titles = {s.code: s for s in states}
    tally = Counter(s.state for s in states)
    order = {code: (feed.agency.code, i) for i, (code, feed) in enumerate(ingestion.catalog().items())}
    context = {
        "states": [(s, supervision.rules_by_feed().get(s.code, [])) for s in states],
        "catalogue": sorted(states, key=lambda s: order[s.code]),
        "tally": [(state, tally[state]) for state in ("ok", "late", "silent", "never") if tally[state]],
        "held": len(holding.held_batches(person_of(request))),
        "batches": [(b, titles.get(b.feed), reasons) for b, reasons in ingestion.latest_deliveries()],
    }
    return page_of(request, "desk/feeds.html", "feeds", context)
