"""The register (台账) of one track: every clue of its rules, how far each has come, and that the sums agree."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum
from django.db.models.fields import BigIntegerField
from django.db.models.fields.json import KT
from django.db.models.functions import Cast
from django.utils import timezone

from chuxiong.accounts.models import Person
from ingestion import agreements
from ingestion import selectors as ingestion
from supervision import selectors
from supervision.clues.lifecycle import State
from supervision.models import Clue, ClueTrack, TrackStep
from supervision.selectors import ClueRow
from supervision.tracks.results import Kind, kinds
from supervision.tracks.spec import Named, Step, TrackSpec, tracks

PAGE = 50
#: a share is shown from so many cases
FEW = 20
_GONE = [State.MERGED.value, State.WITHDRAWN.value]
_NOT_TAKEN = [State.DISMISSED.value, State.UNFOUNDED.value]


@dataclass(frozen=True)
class Group:
    """Clues that stand alike: not begun, not taken up, under way, or ended by a step (with a reason)."""

    code: str
    words: Named
    clues: int
    reasons: list[tuple[Named, int]]


@dataclass(frozen=True)
class Line:
    clue: ClueRow
    handler: str
    step: Step | None
    happened_on: date | None
    reason: Named | None
    ended: bool
    due_on: date | None
    amounts: list[int | None]
    results: list[tuple[Kind, int]]


@dataclass(frozen=True)
class Share:
    """One figure of the rate's history. Money in 分; None where fewer than ``FEW`` cases stand behind it."""

    on: date
    cases: int
    with_part: int
    whole: int
    part: int

    @property
    def by_amount(self) -> float | None:
        return self.part / self.whole if self.cases >= FEW and self.whole else None

    @property
    def by_case(self) -> float | None:
        return self.with_part / self.cases if self.cases >= FEW else None


@dataclass(frozen=True)
class Register:
    """``total`` = the sum of the groups' clues."""

    spec: TrackSpec
    total: int
    groups: list[Group]
    amounts: list[tuple[Named, int]]
    results: list[tuple[Kind, int]]
    #: empty where the track has no rate; why it is not shown
    rate: list[Share]
    rate_stopped: str
    lines: list[Line]
    page: int
    pages: int


def with_register() -> list[TrackSpec]:
    return [spec for spec in tracks().values() if spec.rules]


def register(person: Person, spec: TrackSpec, page: int, *, at: datetime) -> Register:
    """One page of the track's register within the person's sight; one audit row for the names on it."""
    with selectors.reach(person):
        clues = _clues(spec)
        groups = _groups(spec, clues)
        total = sum(group.clues for group in groups)
        pages = max(1, -(-total // PAGE))
        page = min(max(1, page), pages)
        chosen = list(clues.order_by("office", "pk")[(page - 1) * PAGE : page * PAGE])
        amounts = _amounts(spec, clues)
        results = _results(clues)
        steps = _last_steps(spec, chosen)
    rows = {
        r.number: r
        for r in selectors.clue_rows(person, [c.number for c in chosen], at=at, action="register.read")
    }
    names = dict(
        Person.objects.filter(username__in={c.handler for c in chosen}).values_list("username", "name")
    )
    rate, stopped = _rate(person, spec, timezone.localdate(at))
    return Register(
        spec=spec,
        total=total,
        groups=groups,
        amounts=amounts,
        results=results,
        rate=rate,
        rate_stopped=stopped,
        lines=[_line(spec, c, rows[c.number], names, steps.get(c.pk)) for c in chosen if c.number in rows],
        page=page,
        pages=pages,
    )


def _clues(spec: TrackSpec) -> QuerySet[Clue]:
    """The clues of the track's rules and those led onto it otherwise; what was merged or withdrawn is no case."""
    on_track = Exists(ClueTrack.objects.filter(clue=OuterRef("pk"), code=spec.code))
    return Clue.objects.filter(Q(rule__in=spec.rules) | on_track).exclude(state__in=_GONE)


def _groups(spec: TrackSpec, clues: QuerySet[Clue]) -> list[Group]:
    own = ClueTrack.objects.filter(clue=OuterRef("pk"), code=spec.code)
    not_begun, begun = clues.filter(~Exists(own)).order_by(), clues.filter(Exists(own)).order_by()
    refused = not_begun.filter(state__in=_NOT_TAKEN).count()
    ahead = not_begun.exclude(state__in=_NOT_TAKEN).count()
    running = begun.filter(Exists(own.filter(ended_on=None)))
    ending = [s.code for s in spec.steps if s.ends]
    # The last ended track of each clue tells how it ended; one that runs again is under way.
    last = (
        TrackStep.objects.filter(clue__in=begun.exclude(pk__in=running.values("pk")).values("pk"))
        .filter(track__code=spec.code, step__in=ending, struck_at=None)
        .order_by("clue", "-pk")
        .distinct("clue")
        .values_list("step", "reason")
    )
    by_end: dict[str, dict[str, int]] = {}
    for code, reason in last:
        by_end.setdefault(code, {}).setdefault(reason, 0)
        by_end[code][reason] += 1
    groups = [
        Group("ahead", Named(zh="尚未立轨办理", en="not begun"), ahead, []),
        Group("refused", Named(zh="排除、查否", en="dismissed or unfounded"), refused, []),
        Group("runs", Named(zh="办理中", en="under way"), running.count(), []),
    ]
    for step in spec.steps:
        if step.ends:
            found = by_end.get(step.code, {})
            reasons = [(step.reasons[why], n) for why, n in sorted(found.items()) if why in step.reasons]
            groups.append(Group(step.code, Named(zh=step.zh, en=step.en), sum(found.values()), reasons))
    return groups


def _amounts(spec: TrackSpec, clues: QuerySet[Clue]) -> list[tuple[Named, int]]:
    if not spec.amounts:
        return []
    sums = clues.order_by().aggregate(
        **{name: Sum(Cast(KT(f"material__{name}"), BigIntegerField())) for name in spec.amounts}
    )
    return [(words, sums[name] or 0) for name, words in spec.amounts.items()]


def _results(clues: QuerySet[Clue]) -> list[tuple[Kind, int]]:
    """What settled clues have brought, kind by kind."""
    told: dict[str, int] = {}
    for facts in clues.filter(results__has_key="facts").values_list("results__facts", flat=True):
        for fact in facts:
            told[fact["code"]] = told.get(fact["code"], 0) + fact["amount"]
    return [(kind, told[code]) for code, kind in kinds().items() if code in told]


def _last_steps(spec: TrackSpec, clues: list[Clue]) -> dict[int, TrackStep]:
    found = (
        TrackStep.objects.filter(clue__in=[c.pk for c in clues], track__code=spec.code, struck_at=None)
        .select_related("track")
        .annotate(ended_on=F("track__ended_on"))
        .order_by("clue", "-pk")
        .distinct("clue")
    )
    return {step.clue_id: step for step in found}


def _line(spec: TrackSpec, clue: Clue, row: ClueRow, names: dict[str, str], last: TrackStep | None) -> Line:
    step = next((s for s in spec.steps if last and s.code == last.step), None)
    facts = [(kinds()[f["code"]], f["amount"]) for f in clue.results.get("facts", []) if f["code"] in kinds()]
    values = [clue.material.get(name) for name in spec.amounts]
    return Line(
        clue=row,
        handler=names.get(clue.handler, ""),
        step=step,
        happened_on=last.happened_on if last else None,
        reason=step.reasons.get(last.reason) if step and last else None,
        ended=bool(last and last.track.ended_on),
        due_on=row.due_on,
        amounts=[value if isinstance(value, int) else None for value in values],
        results=facts,
    )


def _rate(person: Person, spec: TrackSpec, today: date) -> tuple[list[Share], str]:
    """The rate at the end of each of the last months and today, as the pool stood then."""
    rate = spec.rate
    if rate is None:
        return [], ""
    read = {rate.feed: [rate.key, rate.whole, rate.part]}
    if stopped := agreements.check(read, on=today).refused:
        return [], stopped[rate.feed]
    first = today.replace(day=1)
    ends = [first]
    for _ in range(rate.months - 1):
        ends.append((ends[-1] - timedelta(days=1)).replace(day=1))
    days = [end - timedelta(days=1) for end in reversed(ends)] + [today]
    shares = []
    with selectors.reach(person, feeds=[rate.feed]):
        for day in days:
            midnight = timezone.make_aware(datetime.combine(day + timedelta(days=1), time.min))
            told = ingestion.share_at(rate.feed, rate.key, rate.whole, rate.part, before=midnight)
            if told[0]:
                shares.append(Share(day, *told))
    return shares, ""
