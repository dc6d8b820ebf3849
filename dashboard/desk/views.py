"""Prosecutors' pages. Every view: translate in, one call, translate out."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts import selectors as accounts
from chuxiong.accounts.models import Person
from dashboard.desk.forms import EntryForm
from ingestion import selectors as ingestion
from supervision import selectors as supervision
from supervision.clues import actions
from supervision.clues.lifecycle import STATE_WORDS, Finding, Outcome, State
from supervision.reference import REFERENCE


def _english() -> bool:
    return (get_language() or "").startswith("en")


def _pick(zh: str, en: str) -> str:
    return en if _english() else zh


def _person(request: HttpRequest) -> Person:
    assert isinstance(request.user, Person)  # noqa: S101  views here require a signed-in person
    return request.user


def _page(
    request: HttpRequest, template: str, here: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    frame = {"here": here, "counts": supervision.clue_counts(_person(request))}
    return render(request, template, frame | context, status=status)


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


@login_required
@never_cache
@require_safe
def queue(request: HttpRequest) -> HttpResponse:
    filters, page = _filters(request)
    found = supervision.clue_page(_person(request), filters, page)
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "page": found,
        "filters": filters,
        "narrowed": filters != supervision.ClueFilters(),
        "query": query.urlencode() + "&" if query else "",
        "previous": found.page - 1,
        "following": found.page + 1,
    }
    if request.headers.get("X-Fragment"):
        return render(request, "desk/parts/queue_list.html", context)
    counts = supervision.clue_counts(_person(request))
    tabs = [
        {
            "state": s.value,
            "words": _pick(STATE_WORDS[s].zh, STATE_WORDS[s].en),
            "count": counts[s.value],
            "current": filters.states == (s.value,),
        }
        for s in _TABS
        if counts[s.value] or filters.states == (s.value,)
    ]
    options = {
        "levels": _levels(),
        "offices": _offices(request),
        "rules": [
            (r.id, f"{r.code} {_pick(r.title.zh, r.title.en)}") for r in supervision.rulebook().values()
        ],
    }
    return _page(request, "desk/queue.html", "queue", context | {"tabs": tabs, "options": options})


def _filters(request: HttpRequest) -> tuple[supervision.ClueFilters, int]:
    get = request.GET

    def chosen(name: str) -> tuple[str, ...]:
        return tuple(v for v in get.getlist(name) if v)

    page = get.get("page", "1")
    filters = supervision.ClueFilters(
        states=tuple(s for s in chosen("state") if s in State._value2member_map_),
        levels=chosen("level"),
        offices=chosen("office"),
        rules=chosen("rule"),
        origins=chosen("origin"),
        text=get.get("text", "").replace("\x00", "").strip()[:60],
        closed=bool(get.get("closed")),
    )
    return filters, int(page) if page.isascii() and page.isdigit() and len(page) < 8 else 1


def _levels() -> list[tuple[str, str]]:
    return [("urgent", _("紧急")), ("important", _("重点")), ("ordinary", _("一般"))]


def _offices(request: HttpRequest) -> list[tuple[str, str]]:
    return [(o.code, _pick(o.short_zh, o.short_en)) for o in accounts.offices_of(_person(request))]


# ---- one clue ----------------------------------------------------------------------------------


@login_required
@never_cache
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
    found = supervision.clue_detail(_person(request), number, at=timezone.now())
    if found is None:
        raise Http404
    context = {
        "clue": found,
        "refused": refused,
        "typed": typed or {},
        "move_options": _move_options(request, found),
    }
    return _page(request, "desk/clue.html", "queue", context, status)


def _move_options(request: HttpRequest, found: supervision.ClueDetail) -> dict[str, Any]:
    def listed(name: str) -> list[tuple[str, str]]:
        return [(code, _pick(zh, en)) for code, zh, en in supervision.reasons(name)]

    outcomes = []
    for outcome, zh, en in (
        (Outcome.CORRECTED, "依法监督纠正", "Corrected by supervision"),
        (Outcome.IMPROVED, "反馈并帮助改进", "Fed back and improved"),
    ):
        kinds = REFERENCE.outcome_kinds[outcome.value].items()
        outcomes.append(
            (outcome.value, _pick(zh, en), [(k, _pick(w.zh, w.en), f"{outcome.value}:{k}") for k, w in kinds])
        )
    return {
        "reasons": {
            "dismiss": listed("dismiss_reasons"),
            "send_back": listed("send_back_reasons"),
            "unfounded": listed("unfounded_reasons"),
        },
        "offices": _offices(request),
        "departments": [
            (d.code, _pick(d.name_zh, d.name_en)) for d in accounts.departments_of(found.row.office_code)
        ],
        "findings": [
            (f.value, _pick(STATE_WORDS[State(f.value)].zh, STATE_WORDS[State(f.value)].en)) for f in Finding
        ],
        "agencies": ingestion.agencies(),
        "outcomes": outcomes,
    }


@login_required
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
            by=_person(request),
            at=timezone.now(),
            expected_version=int(version) if version.isdigit() else None,
        )
    except actions.Refused as refused:
        typed = {**post.dict(), "move": move}
        return _clue_page(request, number, refused=_pick(refused.zh, refused.en), typed=typed, status=409)
    messages.success(request, _("已办理，可继续下一步。"))
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


def _settle(post: Any, **act: Any) -> Any:
    outcome, _sep, kind = post.get("outcome", "").partition(":")
    return actions.settle(outcome=_known(Outcome, outcome), kind=kind, note=post.get("note", ""), **act)


def _feed_back(post: Any, **act: Any) -> Any:
    agency = post.get("agency", "")
    names = dict(ingestion.agencies())
    if agency not in names:
        raise actions.Refused("请选择单位", "choose an agency")
    return actions.feed_back(
        agency=agency,
        agency_zh=names[agency],
        subject=post.get("subject", "")[:120],
        text=post.get("text", ""),
        **act,
    )


def _conclude(post: Any, **act: Any) -> Any:
    reason = post.get("unfounded_reason", "")
    finding = _known(Finding, post.get("finding", ""))
    return actions.conclude(
        finding=finding,
        note=post.get("note", ""),
        reasons=[reason] if reason and finding == Finding.UNFOUNDED else [],
        **act,
    )


_ACTS: dict[str, Any] = {
    "accept": lambda p, **a: actions.accept(note=p.get("note", ""), **a),
    "dismiss": lambda p, **a: actions.dismiss(reason=p.get("reason", ""), note=p.get("note", ""), **a),
    "merge": lambda p, **a: actions.merge(into=p.get("into", "").strip(), note=p.get("note", ""), **a),
    "defer": lambda p, **a: actions.defer(until=_date(p.get("until", "")), note=p.get("note", ""), **a),
    "dispatch": lambda p, **a: actions.dispatch(
        office=p.get("office", ""), department=p.get("department", ""), note=p.get("note", ""), **a
    ),
    "receive": lambda p, **a: actions.receive(**a),
    "send_back": lambda p, **a: actions.send_back(reason=p.get("reason", ""), note=p.get("note", ""), **a),
    "conclude": _conclude,
    "resume": lambda p, **a: actions.resume(note=p.get("note", ""), **a),
    "act": lambda p, **a: actions.act(note=p.get("note", ""), **a),
    "feed_back": _feed_back,
    "settle": _settle,
}


# ---- manual entry, feeds -----------------------------------------------------------------------


@login_required
@never_cache
def enter(request: HttpRequest) -> HttpResponse:
    form = EntryForm(request.POST or None)
    refused = ""
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.enter(by=_person(request), at=timezone.now(), **form.cleaned_data)
        except actions.Refused as error:
            refused = _pick(error.zh, error.en)
        else:
            messages.success(request, _("线索已录入。"))
            return redirect("desk:clue", number=made.number)
    errors = [(name, form.fields[name].label or name, found[0]) for name, found in form.errors.items()]
    context = {
        "form": form,
        "refused": refused,
        "form_errors": errors,
        "offices": _offices(request),
        "levels": _levels(),
    }
    return _page(request, "desk/enter.html", "enter", context, 409 if refused else (400 if errors else 200))


@login_required
@never_cache
@require_safe
def feeds(request: HttpRequest) -> HttpResponse:
    return _page(
        request,
        "desk/feeds.html",
        "feeds",
        {"states": ingestion.feed_states(), "batches": ingestion.batches()},
    )
