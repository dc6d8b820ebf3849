"""How a clue's lawful handling stands: its track, steps, clocks, and what may come next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from supervision.models import Clue, ClueTrack, TrackClock, TrackStep
from supervision.tracks.spec import Clock, Named, Requirement, Step, TrackSpec, tracks
from supervision.tracks.terms import Term

Standing = Literal["runs", "soon", "over", "stands", "stopped"]


@dataclass(frozen=True)
class ClockView:
    id: int
    clock: Clock
    term: Term
    starts_on: date
    due_on: date | None
    provisional: bool
    standing: Standing
    #: days from today to the end; negative when it is over; None when it stands or was stopped
    left: int | None
    stopped_on: date | None
    #: stopped after its end
    late: bool
    pauses: list[dict[str, str]]
    extended_to: date | None
    extended_reason: str


@dataclass(frozen=True)
class StepView:
    id: int
    step: Step
    happened_on: date
    official_number: str
    approver: str
    #: the reason that was chosen with it, if it has some
    reason: Named | None
    note: str
    entered_by: str
    entered_at: datetime
    struck_reason: str
    #: the last one standing: it alone may be struck
    last: bool
    clocks: list[ClockView]


@dataclass(frozen=True)
class TrackView:
    spec: TrackSpec
    opened_at: datetime
    ended_on: date | None
    steps: list[StepView]
    #: steps that may come now
    open: list[Step]
    #: why some of them must wait all the same, by code
    waits: dict[str, Requirement]
    clocks: list[ClockView]


def of_clue(clue: Clue, today: date) -> list[TrackView]:
    """The clue's tracks in the order of their beginning; three queries."""
    found = list(ClueTrack.objects.filter(clue=clue))
    if not found:
        return []
    steps: dict[int, list[TrackStep]] = {}
    for one in TrackStep.objects.filter(clue=clue):
        steps.setdefault(one.track_id, []).append(one)
    clocks: dict[int, list[TrackClock]] = {}
    for clock in TrackClock.objects.filter(clue=clue):
        clocks.setdefault(clock.track_id, []).append(clock)
    views = []
    for track in found:
        spec = tracks()[track.code]
        taken = steps.get(track.pk, [])
        standing = [t for t in taken if t.struck_at is None]
        seen = {c.pk: _clock(c, spec, today) for c in clocks.get(track.pk, [])}
        void = {t.pk for t in taken if t.struck_at}
        done = {t.step for t in standing}
        chosen = {c.step: c.variant for c in clocks.get(track.pk, []) if c.started_by_id not in void}
        coming = [] if track.ended_on else spec.open_steps(done)
        views.append(
            TrackView(
                spec=spec,
                opened_at=track.opened_at,
                ended_on=track.ended_on,
                steps=[
                    StepView(
                        id=t.pk, step=spec.step(t.step), happened_on=t.happened_on, official_number=t.official_number,
                        approver=t.approver, reason=spec.step(t.step).reasons.get(t.reason), note=t.note, entered_by=t.entered_by, entered_at=t.entered_at,
                        struck_reason=t.struck_reason if t.struck_at else "",
                        last=bool(standing) and t.pk == standing[-1].pk,
                        clocks=[seen[c.pk] for c in clocks.get(track.pk, []) if c.started_by_id == t.pk],
                    )
                    for t in taken
                ],
                open=coming,
                waits={s.code: w for s in coming if (w := spec.missing(s, done, chosen))},
                clocks=[
                    seen[c.pk] for c in clocks.get(track.pk, []) if c.stopped_on is None and c.started_by_id not in void
                ],
            )
        )  # fmt: skip
    return views


def spec_of(detail: dict[str, Any]) -> TrackSpec | None:
    """The track that an event tells of, if any."""
    return tracks().get(detail.get("track", ""))


def _clock(row: TrackClock, spec: TrackSpec, today: date) -> ClockView:
    clock = spec.step(row.step).clock
    assert clock is not None  # noqa: S101  clocks are made of steps that have one
    left = (row.due_on - today).days if row.due_on and row.stopped_on is None else None
    if row.stopped_on is not None:
        standing: Standing = "stopped"
    elif left is None:
        standing = "stands"
    else:
        standing = "over" if left < 0 else "soon" if left <= clock.warn else "runs"
    return ClockView(
        id=row.pk,
        clock=clock,
        term=clock.variants[row.variant].term if row.variant else clock.term,
        starts_on=row.starts_on,
        due_on=row.due_on,
        provisional=row.provisional,
        standing=standing,
        left=left,
        stopped_on=row.stopped_on,
        late=bool(row.stopped_on and row.due_on and row.stopped_on > row.due_on),
        pauses=row.pauses,
        extended_to=row.extended_to,
        extended_reason=row.extended_reason,
    )
