"""One clue with all that hangs on it, as a person may see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Prefetch, Q
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.audit.record import record
from chuxiong.vault import refs
from ingestion import selectors as ingestion
from supervision import case_query, tally
from supervision.clues import lifecycle
from supervision.clues.lifecycle import ORIGIN_WORDS, STATE_WORDS, State
from supervision.models import Alarm, Clue, Inquiry, Letter, LetterFile, Matter, Order
from supervision.ranking import explaining
from supervision.rulebook.load import LoadedRule
from supervision.rulebook.sentence import condition_lines, rule_sentence
from supervision.selectors.evidence import (
    ALL_SOURCES,
    MAX_SOURCES,
    EvidenceSource,
    Fact,
    _conditions_of_columns,
    _evidence,
    _Refs,
)
from supervision.selectors.rows import ClueRow, Possible, _knows_names, _offered, _offices, _row
from supervision.selectors.rules import _reach, rulebook
from supervision.spine.selectors import Namesakes, namesakes
from supervision.tracks import reading as tracks

#: how long a reason for seeing numbers holds
REASON_HOLDS = timedelta(days=1)


@dataclass(frozen=True)
class Condition:
    id: str
    label_zh: str
    label_en: str
    value: str
    threshold: str
    truth: bool | None
    reason: str


@dataclass(frozen=True)
class Basis:
    law: str
    article: str
    note: str


@dataclass(frozen=True)
class Event:
    at: datetime
    actor: str
    kind: str
    zh: str
    en: str
    to_state: str
    note: str
    detail: dict[str, Any]


@dataclass(frozen=True)
class ClueDetail:
    """Everything the clue page shows."""

    row: ClueRow
    #: why the clue stands where it does; None of a closed one
    standing: explaining.Standing | None
    #: how many others bear the subject's name, for those who know it
    namesakes: Namesakes | None
    sentence_zh: str
    sentence_en: str
    text: str
    conditions: list[Condition]
    facts: list[Fact]
    sources: list[EvidenceSource]
    sources_total: int
    #: sources that no agreement covers today, with the reason: their records are not shown
    stopped: list[tuple[Any, str]]
    #: sources with records sealed against the person, and how many: that they exist is all that is shown
    sealed_legs: list[tuple[Any, int]]
    basis: list[Basis]
    checking_points_zh: list[str]
    checking_points_en: list[str]
    events: list[Event]
    moves: list[Possible]
    #: whether names stand in clear, numbers stand in clear, the person may ask for them, and has said why
    named: bool
    numbers: bool
    may_open: bool
    reason_given: bool
    #: whether the person may query sealed registers about the clue's subject
    may_query: bool
    #: whether a profile of the clue's subject opens from here: of one's own clue, or of a matter that one leads
    may_profile: bool
    sealed: bool
    closed_to: str
    #: about who may look on, beside the handling
    aside: list[Possible]
    letters: list[Letter]
    inquiries: list[Inquiry]
    #: the clue's field of supervision ("" when nobody said)
    domain: str
    #: the lawful handling
    tracks: list[tracks.TrackView]
    source_changes: list[dict[str, Any]]
    material: dict[str, Any]
    others: list[ClueRow]
    handler: str
    handler_name: str
    #: what kind of outcome (reference list ``outcome_kinds``), empty before
    kind: str
    #: the alarms that were made this clue
    alarms: list[Alarm]
    #: of a clue without a rule: the day that was entered
    occurred_on: date | None
    responsible: str
    responsible_zh: str
    responsible_en: str
    #: the office of the organ's level ("" = open)
    competent: str
    #: its orders, newest first, each with its calls
    orders: list[Order]
    matter: Matter | None
    #: the clue it was merged into, and those merged into it
    into: str
    parts: list[str]
    #: the clue that came before under the same fingerprint, and those that came after
    previous: str
    later: list[str]
    checked_at: datetime | None
    confirmed_at: datetime | None
    settled_at: datetime | None


_EVENT_WORDS = {
    "raised": ("发现线索", "Clue raised"),
    "direct": ("按权责清单直接交办", "Delivered directly by the duty list"),
    "withdrawn": ("来源更正，自动撤回", "Withdrawn after a source correction"),
    "source_changed": ("来源有更正", "Source changed"),
    "case_query": ("办案查询封存数据", "Case query of sealed data"),
    "clock_warned": ("期限将到", "A clock runs out soon"),
    "clock_overdue": ("期限已过", "A clock has run out"),
    "clock_escalated": ("逾期，已提请上级关注", "Long over: brought before the office above"),
    "moved": ("首条记录有变，同一情形沿用本线索", "Its first record changed; the occurrence keeps this clue"),
    "joined": ("与另一线索成为同一情形", "Now one occurrence with another clue"),
    "took_in": ("另一线索的记录并入同一情形", "Another clue's records are now part of this occurrence"),
    "parted": ("部分记录分出，成为另一情形", "Some records are now an occurrence of their own"),
    "parted_from": ("由另一线索的情形分出", "Parted from another clue's occurrence"),
    "order_overdue": ("超过签收时限未签收", "Not signed for in time"),
    "order_escalated": ("长时间未签收，已提请督办", "Long without receipt: brought before the prefecture"),
    "acknowledged": ("单位签收", "Signed for by the agency"),
    "answered": ("单位答复", "Answered by the agency"),
}


def clue_detail(
    person: Person,
    number: str,
    *,
    at: datetime,
    numbers: bool = False,
    every_source: bool = False,
    refs: bool = False,
) -> ClueDetail | None:
    """One clue with its evidence; None when it does not exist or lies outside the person's scope.

    ``numbers`` shows the identifiers in clear, for whoever has given the reason (``actions.unmask``) within a day;
    without one they stay masked. Each such look is on record before anything is opened. ``every_source`` shows up
    to ``ALL_SOURCES`` records of the evidence instead of ``MAX_SOURCES``; ``refs`` mentions identifiers as 〔ref〕, for
    what is kept and opened later (``opened_numbers``).

    Opening it is a read of a sensitive page and leaves one audit row.
    """
    with _reach(person):
        clue = Clue.objects.filter(number=number).first()
        if clue is None:
            return None
        record(
            at=at,
            actor=person.username,
            office=person.office_id,
            action="clue.read",
            object_kind="clue",
            object_ref=number,
        )
        rule = rulebook().get(clue.rule) if clue.rule else None
        offices = _offices()
        likes = tally.verdicts({clue.rule})
        others = list(
            Clue.objects.filter(subject_kind=clue.subject_kind, subject_ref=clue.subject_ref)
            .exclude(pk=clue.pk)
            .exclude(subject_ref="")[:5]
        )
        named = _knows_names(clue, person)
        given = clue.unmaskings.filter(person=person.username, at__gt=at - REASON_HOLDS).exists()
        opened = open_numbers(clue, person, at) if numbers and given and may_open(clue, person) else {}
        events = [_event(e, clue) for e in clue.events.all()]
        letters = list(
            clue.letters.defer("sealed").prefetch_related(
                "answers", "extensions", Prefetch("files", LetterFile.objects.defer("sealed"))
            )
        )
        inquiries = list(clue.inquiries.all())
        standing = explaining.standing(clue.pk, timezone.localdate(at)) if clue.open else None
        handling = tracks.of_clue(clue, timezone.localdate(at))
        alike = (
            namesakes(clue.subject_ref) if named and clue.subject_kind in ("person", "organisation") else None
        )
        origin = list(clue.alarms.all()) if clue.origin == "alert" else []
        orders = list(clue.orders.prefetch_related("calls"))
        matter = clue.matter
        kin = _kin(clue)
    handler = Person.objects.filter(username=clue.handler).values_list("name", flat=True).first()
    most = ALL_SOURCES if every_source else MAX_SOURCES
    facts, sources, stopped, hidden = _evidence(
        person, clue, rule, named, _Refs() if refs else opened, timezone.localdate(at), most
    )
    told = None if hidden else clue.material
    act_date = _act_date(clue)
    return ClueDetail(
        row=_row(clue, person, offices, likes, answered=_has_answer(clue, letters)),
        standing=standing,
        namesakes=alike,
        sentence_zh=rule_sentence(rule, told, "zh") if rule else "",
        sentence_en=rule_sentence(rule, told, "en") if rule else "",
        text=str(clue.material.get("text", "")) if rule is None else "",
        conditions=_conditions(clue, rule, hidden),
        facts=facts,
        sources=sources,
        sources_total=len(clue.evidence),
        stopped=[(ingestion.catalog()[feed].title, why) for feed, why in sorted(stopped.items())],
        sealed_legs=[(ingestion.catalog()[feed].title, rows) for feed, rows in sorted(hidden.items())],
        basis=[Basis(b.law, b.article, b.note) for b in rule.basis_on(act_date)] if rule else [],
        checking_points_zh=[p.zh for p in rule.checking_points] if rule else [],
        checking_points_en=[p.en for p in rule.checking_points] if rule else [],
        events=events,
        moves=_offered(clue, person),
        aside=_offered(clue, person, aside=True),
        named=named,
        numbers=bool(opened),
        may_open=may_open(clue, person) and any(source.masked for source in sources),
        reason_given=given,
        may_query=case_query.may_ask(clue, person),
        may_profile=clue.subject_kind in ("person", "organisation")
        and clue.subject_ref != ""
        and (
            named
            or clue.handler == person.username
            or (matter is not None and matter.lead == person.username)
        ),
        sealed=clue.sealed,
        closed_to=clue.closed_to,
        letters=letters,
        inquiries=inquiries,
        domain=rule.domain if rule else str(clue.material.get("domain", "")),
        tracks=handling,
        source_changes=clue.source_changes,
        material=clue.material,
        others=[_row(c, person, offices, {}) for c in others],
        handler=clue.handler,
        handler_name=handler or clue.handler,
        kind=clue.kind,
        alarms=origin,
        occurred_on=act_date if rule is None and "occurred_on" in clue.material else None,
        responsible=clue.responsible,
        responsible_zh=clue.responsible_zh,
        responsible_en=clue.responsible_en,
        competent=clue.competent,
        orders=orders,
        matter=matter,
        **kin,
        checked_at=clue.checked_at,
        confirmed_at=clue.confirmed_at,
        settled_at=clue.settled_at,
    )


def _kin(clue: Clue) -> dict[str, Any]:
    """Clues that hang together with this one, by number, as far as they are in sight; one query."""
    ties = Q(merged_into=clue) | Q(previous=clue)
    for pk in (clue.merged_into_id, clue.previous_id):
        if pk:
            ties |= Q(pk=pk)
    found = list(Clue.objects.filter(ties).order_by("pk").only("number", "merged_into", "previous"))
    return {
        "into": next((c.number for c in found if c.pk == clue.merged_into_id), ""),
        "parts": [c.number for c in found if c.merged_into_id == clue.pk],
        "previous": next((c.number for c in found if c.pk == clue.previous_id), ""),
        "later": [c.number for c in found if c.previous_id == clue.pk],
    }


def _conditions(clue: Clue, rule: LoadedRule | None, hidden: Mapping[str, int]) -> list[Condition]:
    """The rule's conditions as they came out; of a source sealed against the person the values are not shown."""
    if rule is None:
        return []
    lines = condition_lines(rule, clue.conditions)
    if hidden:
        columns = _conditions_of_columns(rule).items()
        numbers = {number for (feed, _column), listed in columns for number in listed if feed in hidden}
        lines = [
            {**line, "value": ingestion.MASK, "threshold": ingestion.MASK} if n in numbers else line
            for n, line in enumerate(lines, 1)
        ]
    return [Condition(**line) for line in lines]


def _has_answer(clue: Clue, letters: list[Letter]) -> bool:
    return clue.state == State.ACTED.value and any(letter.answered_at for letter in letters)


def _event(event: Any, clue: Clue) -> Event:
    move = lifecycle.MOVES.get(event.kind)
    zh, en = (
        (move.words.zh, move.words.en) if move else _EVENT_WORDS.get(event.kind, (event.kind, event.kind))
    )
    if event.kind == "enter":
        zh, en = ORIGIN_WORDS[clue.origin]
    if event.kind == "conclude":
        words = STATE_WORDS[State(event.to_state)]
        zh, en = f"核查结论：{words.zh}", f"Concluded: {words.en}"
    if event.kind == "extension":
        granted = event.detail.get("how") == "grant"
        zh, en = ("同意延期", "Time granted") if granted else ("不同意延期", "Time refused")
    if track := tracks.spec_of(event.detail):
        step = next((s for s in track.steps if s.code == event.detail.get("step")), track)
        zh, en = f"{zh}：{step.zh}", f"{en}: {step.en}"
    return Event(event.at, event.actor, event.kind, zh, en, event.to_state, event.note, event.detail)


def _act_date(clue: Clue) -> date:
    """The day of the act, by which law is cited; the day the clue was raised when no fact names it."""
    for key in ("act_date", "last_month", "last_day", "last_found", "occurred_on"):
        value = clue.material.get(key)
        if isinstance(value, str):
            try:
                return date.fromisoformat(value[:10])
            except ValueError:
                continue
    return timezone.localdate(clue.raised_at)


def opened_numbers(person: Person, number: str, *, at: datetime) -> dict[str, str] | None:
    """The numbers behind a clue by ref, for whoever has given the reason (``actions.unmask``) within a day and may
    see them; None otherwise. The look is on record before anything is opened."""
    with _reach(person):
        clue = Clue.objects.filter(number=number).first()
        if clue is None or not may_open(clue, person):
            return None
        given = clue.unmaskings.filter(person=person.username, at__gt=at - REASON_HOLDS).exists()
        return open_numbers(clue, person, at) if given else None


def knows_names(person: Person, clue: Clue) -> bool:
    """Whether names of the clue stand in clear for the person now."""
    return _knows_names(clue, person)


def may_open(clue: Clue, person: Person) -> bool:
    """Whether the person's roles and part in the clue allow seeing its numbers now."""
    begun = clue.handler != person.username or State(clue.state) in lifecycle.HANDLED
    return begun and person.may("identifier.unmask")


def open_numbers(clue: Clue, person: Person, at: datetime) -> dict[str, str]:
    """The numbers behind the clue's records by ref; the look is written down first."""
    record(
        at=at,
        actor=person.username,
        office=person.office_id,
        action="identifier.read",
        object_kind="clue",
        object_ref=clue.number,
    )
    with connection.cursor() as cursor:
        cursor.execute("select ref, kind, box, key_id from supervision_identifiers(%s)", [clue.pk])
        return {str(ref): number for ref, number in refs.unseal(cursor.fetchall()).items()}
