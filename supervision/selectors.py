"""What screens and other rooms may read of rules and clues. Every read is under a person's scope."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.db.models import Case, Count, Prefetch, Q, QuerySet, Value, When
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac

from chuxiong.accounts.models import Office, Person
from chuxiong.accounts.scope import Scope, person_scope, scope
from chuxiong.audit.record import record
from chuxiong.kit import mask
from chuxiong.vault import refs
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.catalog.permit import permit
from ingestion.catalog.seals import purposes, shut
from supervision import case_query, tally
from supervision.alarms.spec import AlarmSpec, load_alarms
from supervision.alarms.states import OPEN
from supervision.alarms.states import State as AlarmState
from supervision.clues import lifecycle
from supervision.clues.lifecycle import CLOSED, ORIGIN_WORDS, STATE_WORDS, State
from supervision.models import Alarm, Clue, ClueRank, Inquiry, Letter, LetterFile, Matter, Order, RuleState
from supervision.models import Run as RunEntry  # noqa: F401  re-exported
from supervision.ranking import expected, explaining
from supervision.reference import REFERENCE
from supervision.river import alarm_on_river as alarm_on_river
from supervision.river import river_page as river_page
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.load import LoadedRule, Rulebook, load_rulebook
from supervision.rulebook.reading import follows_subjects
from supervision.rulebook.sentence import condition_lines, rule_sentence
from supervision.rulebook.spec import FIELD_KEYS, fields_of, leaves
from supervision.runs import BACKTEST_STEPS as BACKTEST_STEPS
from supervision.runs import RunFilters as RunFilters
from supervision.runs import ask as ask_backtest  # noqa: F401  re-exported
from supervision.runs import budget as run_budget  # noqa: F401  re-exported
from supervision.runs import cancel as cancel_run  # noqa: F401  re-exported
from supervision.runs import rules_that_ran as rules_that_ran
from supervision.runs import run_detail as run_detail
from supervision.runs import runs as runs
from supervision.spine.selectors import Namesakes, namesakes
from supervision.tracks import reading as tracks

PAGE = 20
_CODE = re.compile(r"[a-z0-9_]{1,60}")
#: how long a reason for seeing numbers holds
REASON_HOLDS = timedelta(days=1)
_REF = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MENTION = re.compile(rf"〔(?:[a-z_]+:)?({_REF.pattern})〕")
#: Clues that a search names one by one.
_FEW = 2000
#: So far a narrowed queue is counted; beyond, it is said that there are more.
COUNTED = 10_000


def _reach(
    person: Person, *, feeds: Iterable[str] = (), purpose: str = "supervision"
) -> AbstractContextManager[Scope]:
    """The person's scope; an empty one for somebody whose roles do not allow looking at clues."""
    return (
        person_scope(person, feeds=feeds, purpose=purpose) if person.may("clue.read") else scope(offices=())
    )


def reach(person: Person, *, feeds: Iterable[str] = ()) -> AbstractContextManager[Scope]:
    """What the person may see of clues and all that hangs on them, for readers of this room."""
    return _reach(person, feeds=feeds)


@lru_cache(maxsize=1)
def rulebook() -> Rulebook:
    """The shipped rules; read once per process."""
    return load_rulebook(settings.RULES_DIR, ingestion.catalog())


def live_rules() -> list[str]:
    return list(RuleState.objects.filter(status="live").values_list("rule", flat=True))


def rules_reading(landing: int) -> list[str]:
    """Live rules that read the feed which landed as ``landing``; of a landing of no feed, which tells that identities
    or relations have changed, those that rest on these."""
    feeds = ingestion.landed_feeds(since=landing - 1, until=landing)
    if "" in feeds:
        return rules_following_subjects()
    catalog = ingestion.catalog()
    return [
        rule_id
        for rule_id in live_rules()
        if feeds & (set(compile_rule(rulebook()[rule_id], catalog).fields_read))
    ]


def rules_following_subjects() -> list[str]:
    """Live rules that rest on relations or on resolved mentions."""
    return [rule_id for rule_id in live_rules() if follows_subjects(rulebook()[rule_id])]


@lru_cache(maxsize=1)
def alarms() -> dict[str, AlarmSpec]:
    """The alarm definitions; read once per process."""
    return load_alarms(ingestion.catalog())


def alarms_reading(landing: int) -> list[str]:
    """Definitions that read the feed which landed as ``landing``."""
    feeds = ingestion.landed_feeds(since=landing - 1, until=landing)
    return [spec.id for spec in alarms().values() if spec.feed in feeds]


@lru_cache(maxsize=1)
def rules_by_feed() -> dict[str, list[LoadedRule]]:
    """Per feed, the shipped rules that read it: whose results a late feed leaves undecided."""
    found: dict[str, list[LoadedRule]] = {}
    for rule in rulebook().values():
        plan = compile_rule(rule, ingestion.catalog())
        for feed in sorted(set(plan.fields_read) | plan.feeds_absent):
            found.setdefault(feed, []).append(rule)
    return found


@lru_cache(maxsize=1)
def rules_by_field() -> dict[tuple[str, str], list[LoadedRule]]:
    """Per (feed, column), the shipped rules that read it; in the order of the rulebook."""
    found: dict[tuple[str, str], list[LoadedRule]] = {}
    for rule in rulebook().values():
        for feed, columns in compile_rule(rule, ingestion.catalog()).fields_read.items():
            for column in columns:
                found.setdefault((feed, column), []).append(rule)
    return found


def rules_that_stop(numbers: Iterable[str], *, on: date) -> dict[str, list[LoadedRule]]:
    """Per agreement number: the rules that the agreements in force on ``on`` cover, but would not without it."""
    wanted, terms = list(numbers), agreements.terms()
    found: dict[str, list[LoadedRule]] = {number: [] for number in wanted}
    for rule in rulebook().values():
        read = compile_rule(rule, ingestion.catalog()).fields_read
        if not permit(read, agreements.PURPOSE, terms, on).allowed:
            continue
        for number in wanted:
            without = [t for t in terms if t.number != number]
            if not permit(read, agreements.PURPOSE, without, on).allowed:
                found[number].append(rule)
    return found


def rules_that_lapse(last_days: Mapping[str, date]) -> dict[str, list[LoadedRule]]:
    """Per agreement number: the rules that are covered on its last day and not on the day after."""
    terms = agreements.terms()
    found: dict[str, list[LoadedRule]] = {number: [] for number in last_days}
    for rule in rulebook().values():
        read = compile_rule(rule, ingestion.catalog()).fields_read
        covered: dict[date, bool] = {}

        def allowed(on: date) -> bool:
            if on not in covered:  # noqa: B023  used within this turn alone
                covered[on] = permit(read, agreements.PURPOSE, terms, on).allowed  # noqa: B023
            return covered[on]  # noqa: B023

        for number, last in last_days.items():
            own = {feed for t in terms if t.number == number for feed in t.fields}
            if own & set(read) and allowed(last) and not allowed(last + timedelta(days=1)):
                found[number].append(rule)
    return found


# ---- the queue -------------------------------------------------------------------------------


@dataclass(frozen=True)
class ClueFilters:
    """What the queue is narrowed to; empty means everything open."""

    states: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    offices: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()
    #: why a clue asks for a look today: overdue, soon, new, changed, rebound, answered
    attention: str = ""
    text: str = ""
    closed: bool = False


@dataclass(frozen=True)
class ClueRow:
    """One line of the queue."""

    id: int
    number: str
    level: str
    title_zh: str
    title_en: str
    rule_code: str
    rule_title_zh: str
    rule_title_en: str
    sources_zh: list[str]
    sources_en: list[str]
    office_code: str
    office_zh: str
    office_en: str
    department: str
    state: str
    outcome: str | None
    origin: str
    checked_like: int
    confirmed_like: int
    due_on: date | None
    due_kind: str
    deferred_until: date | None
    raised_at: datetime
    township: str
    flags: list[str]
    version: int


@dataclass(frozen=True)
class CluePage:
    rows: list[ClueRow]
    total: int
    page: int
    pages: int
    #: there are more than ``total``
    more: bool = False


#: by expected yield (``supervision.ranking``), then the newest
_ORDER = ("-place", "-clue_id")
_BACKWARDS = ("place", "clue_id")
_KEYS = _BACKWARDS


def clue_page(
    person: Person,
    filters: ClueFilters,
    page: int = 1,
    counts: Mapping[str, int] | None = None,
    *,
    at: datetime | None = None,
) -> CluePage:
    """One page of the queue, in its order. Names stand on it, so every look leaves one audit row: what was asked for
    and which clues were shown, nothing of it in clear.

    ``counts`` of ``clue_standing`` (by state and by reason, where the caller has them) spare counting once more.
    """
    with _reach(person) as reach:
        parts = [part.values_list(*_KEYS) for part in _parts(filters, reach.offices, person)]
        total = _told(filters, counts or {})
        more = False
        if total is None:
            found = _together([part[: COUNTED + 1] for part in parts]).count()
            total, more = min(found, COUNTED), found > COUNTED
        pages = max(1, -(-total // PAGE))
        page = min(max(1, page), pages)
        # Each part gives no more than its own rows up to the page, read from its index from the nearer end.
        order, start, end = _ORDER, (page - 1) * PAGE, page * PAGE
        if not more and 0 < total - start < end:
            order, start, end = _BACKWARDS, max(0, total - end), total - start
        nearest = [part.order_by(*order)[:end] for part in parts]
        keys = [pk for *_rest, pk in _together(nearest).order_by(*order)[start:end]]
        if order is _BACKWARDS:
            keys.reverse()
        rows = _rows(keys, person)
        _looked(person, at, "queue.read", rows, page=page, **_asked(filters))
    return CluePage(rows, total, page, pages, more)


def _rows(keys: Sequence[int], person: Person) -> list[ClueRow]:
    """The clues as lines of the queue, in the order of the keys, within the caller's scope."""
    clues = Clue.objects.in_bulk(keys)
    shown = [clues[pk] for pk in keys if pk in clues]
    likes = tally.verdicts({c.rule for c in shown if c.rule})
    offices = _offices()
    answered = set(Clue.objects.filter(_answered(), pk__in=list(clues)).values_list("pk", flat=True))
    return [_row(clue, person, offices, likes, answered=clue.pk in answered) for clue in shown]


def clue_numbers(person: Person, filters: ClueFilters, states: Sequence[str], most: int) -> list[str]:
    """The numbers of the queue's clues in these states, in its order, at most ``most``."""
    with _reach(person) as reach:
        parts = [part.filter(state__in=states) for part in _parts(filters, reach.offices, person)]
        nearest = [part.order_by(*_ORDER)[:most].values_list(*_KEYS) for part in parts]
        keys = [pk for *_rest, pk in _together(nearest).order_by(*_ORDER)[:most]]
        numbers = dict(Clue.objects.filter(pk__in=keys).values_list("pk", "number"))
    return [numbers[pk] for pk in keys]


def titles_of(person: Person, clues: Iterable[Clue]) -> dict[str, tuple[str, str]]:
    """Clue number → (title as the person may read it, office), in Chinese."""
    offices = _offices()
    return {
        c.number: (
            _title(c, rulebook().get(c.rule), named=_knows_names(c, person))[0],
            offices[c.office].short_zh,
        )
        for c in clues
    }


def source_titles(clue: Clue) -> list[str]:
    """The titles of the feeds behind a clue's evidence, in code order."""
    feeds = sorted({e["feed"] for e in clue.evidence})
    return [ingestion.catalog()[code].title.zh for code in feeds if code in ingestion.catalog()]


def _looked(person: Person, at: datetime | None, action: str, rows: Iterable[ClueRow], **asked: Any) -> None:
    """The audit row of a list of clues: the numbers shown, and what was asked for."""
    record(
        at=at or timezone.now(),
        actor=person.username,
        office=person.office_id,
        action=action,
        object_kind="queue",
        object_ref="",
        detail={**asked, "shown": [row.number for row in rows]},
    )


def _asked(filters: ClueFilters) -> dict[str, Any]:
    """The filters for the audit. Words that were searched for may name a person: a keyed digest tells alike searches."""
    told = {
        # What is typed into an address is no code until it looks like one.
        name: [code for code in value if _CODE.fullmatch(code)] if isinstance(value, tuple) else value
        for name, value in vars(filters).items()
        if value and name != "text"
    }
    if words := " ".join(filters.text.split()):
        digest = salted_hmac("supervision.queue.text", words.lower(), algorithm="sha256").hexdigest()
        told["text"] = digest[:16]
    return told


def _told(filters: ClueFilters, counts: Mapping[str, int]) -> int | None:
    """How many clues the filters leave, when kept counts tell it: those at hand, or those of one fact."""
    if counts and filters.attention and filters == ClueFilters(attention=filters.attention):
        return counts.get(filters.attention)
    if filters == ClueFilters(states=filters.states, offices=filters.offices, closed=filters.closed):
        if counts and not (filters.offices or filters.closed or _closed_states(filters)):
            return sum(counts[state] for state in set(filters.states or ("open",)))
        still = [s.value for s in State if filters.closed or s not in CLOSED]
        return tally.total(filters.states or still, filters.offices)
    if filters.rules and filters == ClueFilters(rules=filters.rules, offices=filters.offices):
        return tally.total_open("rule", filters.rules, filters.offices)
    if filters.levels and filters == ClueFilters(levels=filters.levels, offices=filters.offices):
        return tally.total_open("level", filters.levels, filters.offices)
    return None


def _closed_states(filters: ClueFilters) -> set[str]:
    return {s.value for s in CLOSED} & set(filters.states)


def _parts(
    filters: ClueFilters, reach: Sequence[str], person: Person | None = None
) -> list[QuerySet[ClueRank]]:
    """The clues a queue is narrowed to, without those that name people (sealed, kept away from), and those alone.

    Where office and department decide who sees a clue, an index holds all that policy and filters ask, and the many
    are put in order from it. Asked for together with the few others, every row would be looked at.
    """
    found = _filtered(filters, reach, person)
    return [found.filter(personal=False), found.filter(personal=True)]


def _together(parts: Sequence[QuerySet[Any, Any]]) -> QuerySet[Any, Any]:
    return parts[0].union(*parts[1:], all=True)


def clue_counts(person: Person) -> dict[str, int]:
    """Open clues by state, and all open, for the navigation."""
    return clue_standing(person)[0]


def _attention() -> dict[str, Q]:
    today = timezone.localdate()
    midnight = timezone.make_aware(datetime.combine(today, time.min))
    return {
        "overdue": Q(due_on__lt=today),
        "soon": Q(due_on__range=(today, today + timedelta(days=tally.SOON_DAYS))),
        "new": Q(raised_at__gte=midnight, raised_at__lt=midnight + timedelta(days=1)),
        "changed": Q(changed=True),
        "rebound": Q(rebound=True),
    }


def _answered() -> Q:
    """Acted on, and an agency has answered a letter."""
    return Q(state=State.ACTED.value, pk__in=Letter.objects.filter(answered_at__isnull=False).values("clue"))


def clue_standing(person: Person) -> tuple[dict[str, int], dict[str, int]]:
    """Open clues by state (and all, as “open”), and those that ask for a look today by reason; one clue may count
    under several reasons."""
    with _reach(person):
        counts, attention = tally.standing(timezone.localdate())
        # Counted from the few letters; as one more fact of every clue it would cost a look-up each.
        attention["answered"] = Clue.objects.filter(_answered()).count()
    return {**counts, "open": sum(counts.values())}, attention


# ---- today's few --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Pick:
    """One of the clues that a person should look at first today, and why."""

    row: ClueRow
    reason: explaining.Reason
    #: the further reasons, in words
    more: list[explaining.Reason]


def todays_few(person: Person, *, at: datetime) -> list[Pick]:
    """The clues that wait for the person, as many as ``ranking.yaml`` says, from the head of the queue; the places that
    explore go to rules that little is known of. One audit row."""
    today = timezone.localdate(at)
    slots = expected.slots(today, person.pk)
    with _reach(person) as reach:
        little_known = explaining.little_known(set(rulebook()))
        usual = _head(_mine(person, reach.offices), 2 * len(slots))
        rare = (
            _head([p.filter(model__in=little_known) for p in _mine(person, reach.offices)], len(slots))
            if little_known and any(slots)
            else []
        )
        chosen: list[int] = []
        exploring: set[int] = set()
        for explore in slots:
            rest = [pk for pk in rare if pk not in chosen] if explore else []
            if rest:
                exploring.add(rest[0])
            rest = rest or [pk for pk in usual if pk not in chosen]
            chosen += rest[:1]
        rows = _rows(chosen, person)
        reasons = explaining.reasons(chosen, today, exploring)
        _looked(person, at, "queue.today", rows)
    return [Pick(row, reasons[row.id][0], reasons[row.id][1:]) for row in rows]


def _head(parts: Sequence[QuerySet[ClueRank]], most: int) -> list[int]:
    """The first of the parts together, in the queue's order."""
    nearest = [part.order_by(*_ORDER)[:most].values_list(*_KEYS) for part in parts]
    return [pk for *_rest, pk in _together(nearest).order_by(*_ORDER)[:most]]


def _mine(person: Person, reach: Sequence[str]) -> list[QuerySet[ClueRank]]:
    """Clues that wait for what the person may do, and those in the person's own hands; none that waits for its day."""
    found = ClueRank.objects.filter(open=True, place__gt=expected.DEFERRED)
    if len(reach) == 1:
        found = found.filter(office=reach[0])
    waiting = found.filter(handler="", state__in=_waiting_for(person))
    own = found.filter(handler=person.username)
    return [part.filter(personal=personal) for part in (waiting, own) for personal in (False, True)]


def clue_rows(
    person: Person, numbers: Iterable[str], *, at: datetime | None = None, action: str = "queue.chosen"
) -> list[ClueRow]:
    """The named clues within the person's scope, in the order of the names; one audit row."""
    wanted = list(numbers)
    with _reach(person):
        found = {c.number: c for c in Clue.objects.filter(number__in=wanted)}
        offices = _offices()
        rows = [_row(found[n], person, offices, {}) for n in wanted if n in found]
        _looked(person, at, action, rows)
    return rows


def _filtered(filters: ClueFilters, reach: Sequence[str], person: Person | None = None) -> QuerySet[ClueRank]:
    """The clues a queue is narrowed to, within the caller's scope."""
    found = ClueRank.objects.all()
    if len(reach) == 1:
        # The policy's words; said once more, they let the index of one office's queue be read in its order.
        found = found.filter(office=reach[0])
    if filters.states:
        found = found.filter(state__in=filters.states)
    elif not filters.closed:
        found = found.filter(open=True)
    if not filters.closed and not _closed_states(filters):
        # Where the closed ones begin, the index ends, from whichever side it is read.
        found = found.filter(place__gt=expected.CLOSED)
    if filters.levels:
        found = found.filter(level__in=filters.levels)
    if filters.offices:
        found = found.filter(office__in=filters.offices)
    if filters.rules:
        found = found.filter(model__in=filters.rules)
    if filters.origins:
        found = found.filter(origin__in=filters.origins)
    if filters.attention in (reasons := _attention() | {"answered": _answered()}):
        found = found.filter(reasons[filters.attention])
    if words := " ".join(filters.text.split()):
        few = _search(words)
        holding = Q(clue__words__contains=Lower(Value(words))) if few is None else Q(pk__in=few)
        found = found.filter(holding)
        # Where a clue bears a name, only those who know it find the clue by it.
        nameless = ~Q(model__in=[rule for rule in rulebook() if _labelled_by_name(rule)])
        waiting = Q(handler="", state__in=_waiting_for(person)) if person else Q()
        own = Q(handler=person.username) if person else Q()
        found = found.filter(
            nameless | waiting | own | Q(clue__number__icontains=words) | Q(clue__township__icontains=words)
        )
    return found


def _waiting_for(person: Person) -> list[str]:
    """States in which a clue without a handler waits for what the person's roles allow."""
    return [
        state.value
        for state in State
        if any(m.name != "take_over" and person.may(m.permission) for m in lifecycle.possible(state))
    ]


def _search(words: str) -> list[int] | None:
    """Clues within the caller's scope that hold the words; None when they are many.

    Few are found through an index. Words that many clues hold are cheaper to look for along the queue, in its order.
    """
    with connection.cursor() as cursor:
        cursor.execute("select supervision_clue_search(%s, %s)", [words, _FEW + 1])
        found = [pk for (pk,) in cursor.fetchall()]
    return found if len(found) <= _FEW else None


def _offices() -> dict[str, Office]:
    return {office.code: office for office in Office.objects.all()}


def _row(
    clue: Clue,
    person: Person,
    offices: dict[str, Office],
    likes: dict[str, tuple[int, int]],
    *,
    answered: bool = False,
) -> ClueRow:
    rule = rulebook().get(clue.rule) if clue.rule else None
    feeds = sorted({e["feed"] for e in clue.evidence}) if clue.evidence else []
    titles = [ingestion.catalog()[code].title for code in feeds if code in ingestion.catalog()]
    checked, confirmed = likes.get(clue.rule, (0, 0))
    zh, en = _title(clue, rule, named=_knows_names(clue, person))
    office = offices[clue.office]
    return ClueRow(
        id=clue.pk,
        number=clue.number,
        level=clue.level,
        title_zh=zh,
        title_en=en,
        rule_code=rule.code if rule else "",
        rule_title_zh=rule.title.zh if rule else ORIGIN_WORDS[clue.origin][0],
        rule_title_en=rule.title.en if rule else ORIGIN_WORDS[clue.origin][1],
        sources_zh=[t.zh for t in titles],
        sources_en=[t.en for t in titles],
        office_code=clue.office,
        office_zh=office.short_zh,
        office_en=office.short_en,
        department=clue.department,
        state=clue.state,
        outcome=clue.outcome,
        origin=clue.origin,
        checked_like=checked,
        confirmed_like=confirmed,
        # What has ended has no limit any more.
        due_on=None if State(clue.state) in CLOSED else clue.due_on,
        due_kind={"raised": "triage", "triaged": "triage", "acted": "feedback"}.get(clue.state, "checking"),
        deferred_until=clue.deferred_until,
        raised_at=clue.raised_at,
        township=clue.township,
        flags=_flags(clue) + (["answered"] if answered else []),
        version=clue.version,
    )


#: moves of those above whom the clue does not wait for
_FROM_ABOVE = frozenset({"take_over", "urge", "call"})


def _knows_names(clue: Clue, person: Person) -> bool:
    """Names stand in clear for those whom the clue waits for now: who may make its next move. Others look on.

    Where the name may come from material sealed against the person it never does.
    """
    if clue.seals and shut(clue.seals, person.department.code if person.department else ""):
        return False
    return any(move.name not in _FROM_ABOVE for move in _offered(clue, person))


@lru_cache(maxsize=256)
def _labelled_by_name(rule: str) -> bool:
    """Whether the rule's clues bear a person's name."""
    alias, _, column = rulebook()[rule].clue.label.partition(".")
    feed = rulebook()[rule].sources[alias].feed
    return bool(feed) and ingestion.catalog()[str(feed)].column(column).type == "person_name"


def _title(clue: Clue, rule: LoadedRule | None, *, named: bool) -> tuple[str, str]:
    suspected_zh = "" if clue.confirmed_at else "疑似"
    suspected_en = "" if clue.confirmed_at else "Suspected: "
    if rule is None and clue.origin == "alert":
        return f"{suspected_zh}{clue.title}", f"{suspected_en}{clue.material.get('title_en') or clue.title}"
    if rule is None:
        return clue.title, clue.title
    zh, en = rule.clue_title(clue.material)
    shown = clue.label if named or not _labelled_by_name(rule.id) else mask.person_name(clue.label)
    label = f"・{shown}" if shown else ""
    en = f"{suspected_en}{en}{label}"
    return f"{suspected_zh}{zh}{label}", en[:1].upper() + en[1:]


def _flags(clue: Clue) -> list[str]:
    flags = []
    if clue.results.get("previous_state") == "settled":
        flags.append("rebound")
    elif clue.results.get("previous_state"):
        flags.append("returned")
    if clue.source_changes:
        flags.append("source_changed")
    if not clue.supported:
        # Its records are not gone when another clue's occurrence holds them.
        joined = bool(clue.source_changes) and clue.source_changes[-1].get("verdict") == "joined"
        flags.append("joined" if joined else "unsupported")
    if clue.exercise:
        flags.append("exercise")
    if clue.seals:
        flags.append("sealed_material")
    return flags


# ---- one clue --------------------------------------------------------------------------------


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
class Cell:
    text: str
    decisive: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Fact:
    key: str
    zh: str
    en: str


@dataclass(frozen=True)
class EvidenceSource:
    """One source's column of the evidence table."""

    letter: str
    feed_code: str
    title_zh: str
    title_en: str
    batch: int
    row_no: int
    landed_at: datetime
    covers_until: date | None
    replaced: bool
    cells: dict[str, Cell]
    #: whether some of the cells hold an identifier that is not shown
    masked: bool


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
class Possible:
    """A move as offered on the page."""

    name: str
    zh: str
    en: str
    needs: tuple[str, ...]


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
#: Evidence columns side by side; further rows are counted and shown on request, up to ``ALL_SOURCES``.
MAX_SOURCES = 6
ALL_SOURCES = 60


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
                "answers", Prefetch("files", LetterFile.objects.defer("sealed"))
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


def _offered(clue: Clue, person: Person, *, aside: bool = False) -> list[Possible]:
    """The moves that the clue's state, the person's roles and the handler's part allow."""
    others = clue.handler not in ("", person.username) and not person.may("clue.hand_over")
    return [
        Possible(m.name, m.words.zh, m.words.en, m.needs)
        for m in lifecycle.possible(State(clue.state), aside=aside)
        if person.may(m.permission)
        and not (m.by_handler and others)
        and (m.name != "take_over" or (person.office.is_prefecture and clue.office != person.office_id))
        and (m.name not in ("admit", "unseal") or clue.sealed)
        and (m.name != "seal" or not clue.sealed)
        and (m.name != "readmit" or clue.recused)
        and (m.name not in ("urge", "call") or person.office.is_prefecture or person.may("clue.hand_over"))
        and (m.name != "escalate" or (clue.office == person.office_id and not person.office.is_prefecture))
        and (m.name != "leave_matter" or clue.matter_id is not None)
        and (m.name != "join_matter" or not (clue.matter_id or clue.sealed or clue.closed_to))
    ]


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


class _Refs(dict[str, str]):
    """In place of the numbers by ref: each ref as its own mention."""

    def get(self, ref: str, default: Any = None) -> Any:
        return f"〔{ref}〕" if _REF.fullmatch(ref) else default


def opened_numbers(person: Person, number: str, *, at: datetime) -> dict[str, str] | None:
    """The numbers behind a clue by ref, for whoever has given the reason (``actions.unmask``) within a day and may
    see them; None otherwise. The look is on record before anything is opened."""
    with _reach(person):
        clue = Clue.objects.filter(number=number).first()
        if clue is None or not may_open(clue, person):
            return None
        given = clue.unmaskings.filter(person=person.username, at__gt=at - REASON_HOLDS).exists()
        return open_numbers(clue, person, at) if given else None


def mentions_opened(text: str, numbers: Mapping[str, str]) -> str:
    """A text whose mentioned refs are numbers, or masked where ``numbers`` does not hold them."""
    return _MENTION.sub(lambda m: numbers.get(m[1], ingestion.MASK), text)


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


def _evidence(
    person: Person,
    clue: Clue,
    rule: LoadedRule | None,
    named: bool,
    opened: dict[str, str],
    on: date,
    most: int,
) -> tuple[list[Fact], list[EvidenceSource], dict[str, str], dict[str, int]]:
    """The records behind the clue: facts as rows, sources as columns, identifiers masked.

    A source whose agreement does not cover the use ``on`` that day is not read; the third value says why, by feed.
    The fourth counts by feed the records that are sealed against the person.
    """
    if rule is None:
        return [], [], {}, {}
    shown = clue.evidence[:ALL_SOURCES]
    read = compile_rule(rule, ingestion.catalog()).fields_read
    wanted: dict[str, list[int]] = {}
    for item in shown:
        wanted.setdefault(item["feed"], []).append(item["record_id"])
    stopped = agreements.check({feed: read[feed] for feed in wanted}, on=on).refused
    wanted = {feed: ids for feed, ids in wanted.items() if feed not in stopped}
    shown = [item for item in shown if item["feed"] in wanted]
    department = person.department.code if person.department else ""
    records: dict[tuple[str, int], dict[str, Any]] = {}
    for purpose in ("supervision", *purposes(clue.seals, department)):
        with _reach(person, feeds=wanted, purpose=purpose):
            records |= ingestion.records(wanted)
    hidden = Counter(
        item["feed"]
        for item in shown
        if ingestion.may_be_sealed(item["feed"]) and (item["feed"], item["record_id"]) not in records
    )
    shown = _foremost(clue, rule, shown, records, most)
    # Records of one source stand together, the period they cover in order.
    feeds = list(wanted)
    shown.sort(key=lambda item: (feeds.index(item["feed"]), _period(records, item)))
    numbered = _conditions_of_columns(rule)
    facts: dict[str, Fact] = {}
    sources = []
    for index, item in enumerate(shown):
        found = records.get((item["feed"], item["record_id"]))
        if found is None:
            continue
        feed = ingestion.catalog()[item["feed"]]
        cells = {}
        for column in feed.columns:
            value = found.get(column.name)
            # Columns of one name mean one fact: they stand in one row, whatever each agency calls them.
            if value is None or not (column.name in read[item["feed"]] or column.name == "person_name"):
                continue
            facts.setdefault(column.name, Fact(column.name, column.zh, column.en))
            decisive = numbered.get((item["feed"], column.name), [])
            cells[column.name] = Cell(_shown(column, value, named, opened), decisive)
        sources.append(
            EvidenceSource(
                letter=_letter(index),
                feed_code=feed.code,
                title_zh=feed.title.zh,
                title_en=feed.title.en,
                batch=found["batch_id"],
                row_no=found["row_no"],
                landed_at=found["landed_at"],
                covers_until=found["covers_until"],
                replaced=found["to_landing"] is not None,
                cells=cells,
                masked=any(ingestion.MASK in cell.text for cell in cells.values()),
            )
        )
    driver = rule.sources[rule.driver].feed
    if driver:
        # Where several agencies name one fact differently, the main source's word stands.
        own = {c.name: c for c in ingestion.catalog()[driver].columns}
        facts = {k: Fact(k, own[k].zh, own[k].en) if k in own else f for k, f in facts.items()}
    return list(facts.values()), sources, dict(stopped), dict(hidden)


def _shown(column: Any, value: Any, named: bool, opened: dict[str, str]) -> str:
    if column.type == "person_name" and not named:
        return mask.person_name(str(value))
    if column.type == "text":
        return mentions_opened(value, opened)
    return opened.get(str(value)) or ingestion.display(column, value)


def _period(records: dict[tuple[str, int], dict[str, Any]], item: dict[str, Any]) -> tuple[date, int]:
    found = records.get((item["feed"], item["record_id"]), {})
    return found.get("covers_until") or date.min, item["record_id"]


def _letter(index: int) -> str:
    """A…Z, AA, AB…: the name of an evidence column."""
    before, own = divmod(index, 26)
    return (chr(ord("A") + before - 1) if before else "") + chr(ord("A") + own)


def _foremost(
    clue: Clue,
    rule: LoadedRule,
    evidence: list[dict[str, Any]],
    records: dict[tuple[str, int], dict[str, Any]],
    most: int,
) -> list[dict[str, Any]]:
    """The ``most`` rows to show: those whose values the conditions cite, one of every source, then the others."""
    keys = [(item["feed"], item["record_id"]) for item in evidence]
    cited = _cited(clue, rule, [key for key in keys if key in records], records)
    first = {feed: key for key in reversed(keys) for feed in [key[0]]}
    ranked = sorted(
        range(len(keys)),
        key=lambda i: (0 if keys[i] in cited else 1 if first[keys[i][0]] == keys[i] else 2, i),
    )
    return [evidence[i] for i in sorted(ranked[:most])]


def _cited(
    clue: Clue,
    rule: LoadedRule,
    keys: list[tuple[str, int]],
    records: dict[tuple[str, int], dict[str, Any]],
) -> set[tuple[str, int]]:
    """The evidence rows that bear the values standing in the clue's conditions."""
    found: set[tuple[str, int]] = set()
    values = {c["id"]: c.get("values", {}) for c in clue.conditions}
    for leaf in leaves(rule.when):
        sides = ((key, getattr(leaf, key)) for key in ("field", *FIELD_KEYS))
        for side, name in sides:
            wanted = _comparable(values.get(leaf.id, {}).get(side))
            members = dict(_members(rule, name)) if name and wanted is not None else {}
            bearing = (
                k for k in keys if k[0] in members and _comparable(records[k].get(members[k[0]])) == wanted
            )
            found.update(list(bearing)[:1])
    for leaf in leaves(rule.having) if rule.having else ():
        measure = rule.measures[leaf.field]
        if measure.kind not in ("min", "max") or not (name := measure.min or measure.max):
            continue
        members, pers = dict(_members(rule, name)), dict(_members(rule, measure.per or ""))
        figures = {
            k: value
            for k in keys
            if k[0] in members and (value := _figure(records[k], members[k[0]], pers.get(k[0]))) is not None
        }
        if figures:
            found.add((min if measure.kind == "min" else max)(figures, key=lambda k: figures[k]))
    return found


def _figure(record: dict[str, Any], column: str, per: str | None) -> Any:
    value = record.get(column)
    if value is None or per is None:
        return value
    return value / record[per] if record.get(per) else None


def _comparable(value: Any) -> Any:
    """A value of the pool and one kept as JSON, alike: numbers as floats, days and moments as local text."""
    if isinstance(value, datetime):
        value = timezone.localtime(value).isoformat() if timezone.is_aware(value) else value.isoformat()
    elif isinstance(value, date):
        value = value.isoformat()
    if isinstance(value, str):
        return value[:16].removesuffix("T00:00") if value[4:5] == "-" else value
    if isinstance(value, UUID):
        return str(value)
    return value if value is None or isinstance(value, bool) else float(value)


def _members(rule: LoadedRule, name: str) -> list[tuple[str, str]]:
    """(feed, column) behind a name as the rule writes it; several where a source is one of many."""
    alias, _dot, column = name.partition(".")
    if not column:
        return []
    source = rule.sources[alias]
    found: list[tuple[str, str]] = [(source.feed, column)] if source.feed else []
    return found + [(m.feed, m.columns[column]) for m in source.any_of or () if column in m.columns]


def _conditions_of_columns(rule: LoadedRule) -> dict[tuple[str, str], list[int]]:
    """(feed, column) → numbers of the conditions that it decides, counted as on the page from 1."""
    numbered: dict[tuple[str, str], list[int]] = {}
    conditions = [*leaves(rule.when), *(item.when for item in (rule.score.items if rule.score else ()))]
    for number, leaf in enumerate(conditions, 1):
        for name in fields_of(leaf):
            for member in _members(rule, name):
                numbered.setdefault(member, []).append(number)
    whole = leaves(rule.having) if rule.having else []
    before = len(conditions) + (rule.score is not None)
    for number, leaf in enumerate(whole, before + 1):
        measure = rule.measures[leaf.field]
        for name in filter(None, (measure.field if measure.kind != "count" else None, measure.per)):
            for member in _members(rule, name):
                numbered.setdefault(member, []).append(number)
    for number, leg in enumerate(rule.without, before + len(whole) + 1):
        for member in _members(rule, leg.since):
            numbered.setdefault(member, []).append(number)
    return numbered


def sees(person: Person, number: str) -> bool:
    """Whether the clue lies within the person's sight."""
    with _reach(person):
        return Clue.objects.filter(number=number).exists()


# ---- alarms ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class AlarmFilters:
    """What the list is narrowed to; ``states`` empty means those that still ask for somebody."""

    states: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()
    #: one alarm alone, whatever its state
    only: int | None = None


@dataclass(frozen=True)
class AlarmPage:
    rows: list[Alarm]
    total: int
    page: int
    pages: int
    #: state → count within the person's reach
    counts: dict[str, int]


def alarm_page(person: Person, filters: AlarmFilters, page: int = 1) -> AlarmPage:
    """One page of alarms: unreviewed and loudest first, then the latest reading."""
    with _reach(person):
        counts = dict(Alarm.objects.order_by().values_list("state").annotate(Count("pk")))
        found = Alarm.objects.filter(state__in=filters.states or [s.value for s in OPEN])
        if filters.only is not None:
            found = Alarm.objects.filter(pk=filters.only)
        if filters.levels:
            found = found.filter(level__in=filters.levels)
        total = found.count()
        pages = max(1, -(-total // PAGE))
        page = min(max(1, page), pages)
        ordered = found.select_related("clue").order_by(
            Case(When(state="unreviewed", then=0), default=1),
            Case(When(level="urgent", then=0), When(level="warning", then=1), default=2),
            "-last_at",
            "-pk",
        )
        rows = list(ordered[(page - 1) * PAGE : page * PAGE])
    return AlarmPage(rows, total, page, pages, {s.value: counts.get(s.value, 0) for s in AlarmState})


def alarm_count(person: Person) -> int:
    """Unreviewed alarms, for the navigation."""
    with _reach(person):
        return Alarm.objects.filter(state=AlarmState.UNREVIEWED.value).count()


# ---- agencies --------------------------------------------------------------------------------


def letters_of(
    agency: str,
    *,
    updated_since: datetime | None = None,
    after: int = 0,
    limit: int = 50,
    number: str | None = None,
) -> list[Letter]:
    """Letters to one agency in order of their id, with their answers and attachments; the caller has set the agency's
    scope. What is sealed stays where it is."""
    found = (
        Letter.objects.filter(agency=agency, pk__gt=after)
        .defer("sealed")
        .prefetch_related("answers", Prefetch("files", LetterFile.objects.defer("sealed")))
    )
    if number is not None:
        found = found.filter(number=number)
    if updated_since:
        found = found.filter(updated_at__gte=updated_since)
    return list(found.order_by("pk")[:limit])


def reasons(listing: str) -> Iterable[tuple[str, str, str]]:
    return [(code, words.zh, words.en) for code, words in REFERENCE.reasons(listing).items()]


def open_clues_of(
    person: Person, handlers: list[str], *, at: datetime | None = None
) -> dict[str, list[ClueRow]]:
    """Open clues within the person's scope by handler (user name), for hand-over; one audit row."""
    with _reach(person):
        found = Clue.objects.filter(handler__in=handlers, open=True)
        offices = _offices()
        rows: dict[str, list[ClueRow]] = {}
        for clue in found.order_by("handler", "due_on", "id")[:500]:
            rows.setdefault(clue.handler, []).append(_row(clue, person, offices, {}))
        _looked(person, at, "queue.hand_over", [row for listed in rows.values() for row in listed])
    return rows
