"""Lawful handling along a track: steps, clocks, and what an entry by mistake takes back."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Literal

from django.db.models import Q
from django.utils import timezone

from chuxiong.accounts.models import Person
from supervision.clues.actions.moving import Act, Refused, moving
from supervision.models import Clue, ClueTrack, Letter, TrackClock, TrackStep
from supervision.reference import REFERENCE
from supervision.tracks.spec import Clock, Step, TrackSpec, tracks
from supervision.tracks.terms import Due, Pause, due


def act(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    track: str,
    note: str,
    expected_version: int | None = None,
) -> Clue:
    """Start the lawful handling along a track (``supervision/tracks``)."""
    spec = tracks().get(track)
    if spec is None:
        raise Refused("请选择办理轨道", "choose a track")
    if not note.strip():
        raise Refused("请写明依法处置的依据", "say on what basis")
    with moving("act", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        if running := running_track(move.clue):
            raise Refused(
                f"正在按“{tracks()[running.code].zh}”办理，结案后才能另开轨道",
                f"“{tracks()[running.code].en}” is under way: end it before another begins",
                move.clue.version,
            )
        ClueTrack.objects.create(
            clue=move.clue, code=spec.code, version=spec.version, opened_at=at, opened_by=by.name
        )
        move.clue.kind, move.note = spec.kind, note
        move.clue.due_on = clues_due(move.clue, timezone.localdate(at))
        move.detail |= {"track": spec.code}
    return move.clue


def step(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    step: str,
    happened_on: date,
    official_number: str = "",
    approver: str = "",
    variant: str = "",
    reason: str = "",
    note: str = "",
    expected_version: int | None = None,
) -> TrackStep:
    """Enter one step of the track with its date; starts and stops the clocks that hang on it."""
    with moving("step", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        track, spec = _track_of(move)
        taken = list(track.steps.filter(struck_at=None))
        wanted = next((s for s in spec.open_steps({t.step for t in taken}) if s.code == step), None)
        if wanted is None:
            raise Refused(
                "这一步现在不能登记，请先完成前面的步骤", "this step cannot come now: enter those before it"
            )
        _fitting(wanted, happened_on, official_number, approver, taken, spec, timezone.localdate(at))
        _required(wanted, spec, track, {t.step for t in taken})
        if wanted.reasons and reason not in wanted.reasons:
            raise Refused(f"“{wanted.zh}”请选择原因", f"“{wanted.en}”: choose the reason")
        made = TrackStep.objects.create(
            track=track, clue=move.clue, step=step, happened_on=happened_on, official_number=official_number.strip(),
            approver=approver.strip(), reason=reason if wanted.reasons else "", note=note.strip(), entered_by=by.name, entered_at=at,
        )  # fmt: skip
        for clock in track.clocks.filter(stopped_on=None):
            if step in (_clock(spec, clock.step)).stops:
                clock.stopped_on, clock.stopped_by = happened_on, made
                clock.save()
        if wanted.clock:
            _start(wanted, made, variant)
        if wanted.ends:
            track.ended_on = happened_on
            track.save()
        move.clue.due_on = clues_due(move.clue, timezone.localdate(at))
        move.note = note.strip()
        move.detail |= {
            "step": step,
            "track": track.code,
            "happened_on": happened_on.isoformat(),
            "official_number": made.official_number,
        } | ({"step_reason": made.reason} if made.reason else {})
    return made


def strike(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    taken: int,
    note: str,
    expected_version: int | None = None,
) -> TrackStep:
    """Take back the last step, entered by mistake; what its entry did to clocks and track is undone."""
    if not note.strip():
        raise Refused("请写明撤销的理由", "say why it is struck")
    with moving("strike", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        track = ClueTrack.objects.filter(clue=move.clue).last()
        last = track.steps.filter(struck_at=None).last() if track else None
        if track is None or last is None or last.pk != taken:
            raise Refused(
                "只能撤销最后登记的一步；要改较早的步骤，请从后往前依次撤销",
                "only the last step is struck; go back one by one",
                move.clue.version,
            )
        track.clocks.filter(started_by=last).update(stopped_on=timezone.localdate(at), stopped_by=last)
        track.clocks.filter(stopped_by=last).exclude(started_by=last).update(stopped_on=None, stopped_by=None)
        if tracks()[track.code].step(last.step).ends:
            track.ended_on = None
            track.save()
        last.struck_at, last.struck_by, last.struck_reason = at, by.name, note.strip()[:200]
        last.save()
        move.clue.due_on = clues_due(move.clue, timezone.localdate(at))
        move.note = note.strip()
        move.detail |= {"step": last.step, "track": track.code, "happened_on": last.happened_on.isoformat()}
    return last


def clock(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    clock: int,
    how: Literal["pause", "resume", "extend"],
    on: date,
    note: str,
    expected_version: int | None = None,
) -> TrackClock:
    """Let a clock stand still from ``on``, go on again on ``on``, or end on ``on`` (extended). The reason stays."""
    if not note.strip():
        raise Refused("请写明调整期限的依据", "say on what basis")
    with moving("clock", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        found = TrackClock.objects.filter(clue=move.clue, pk=clock, stopped_on=None).first()
        if found is None:
            raise Refused("没有这个在走的期限", "no such clock is running", move.clue.version)
        stands = bool(found.pauses) and found.pauses[-1]["until"] is None
        if how == "pause":
            if stands or on < found.starts_on or on > timezone.localdate(at):
                raise Refused(
                    "期限已中止，或日期不在起算日与今天之间", "it stands already, or the day does not fit"
                )
            found.pauses = [
                *found.pauses,
                {"since": on.isoformat(), "until": None, "reason": note.strip()[:200]},
            ]
        elif how == "resume":
            since = date.fromisoformat(found.pauses[-1]["since"]) if stands else on
            if not stands or not since <= on <= timezone.localdate(at):
                raise Refused(
                    "期限没有中止，或恢复日不在中止日与今天之间",
                    "it does not stand, or the day lies outside the pause",
                )
            found.pauses = [*found.pauses[:-1], {**found.pauses[-1], "until": on.isoformat()}]
        elif how == "extend":
            if stands or on <= (found.due_on or found.starts_on):
                raise Refused("延长后的日期须晚于现在的期满日", "the new end must lie after the present one")
            found.extended_to, found.extended_reason = on, note.strip()[:200]
        else:
            raise Refused("请选择中止、恢复或延长", "choose pause, resume or extend")
        _reckon(found, _clock(tracks()[found.track.code], found.step))
        # A later end is warned of anew.
        found.warned_at = found.overdue_at = found.escalated_at = None
        found.save()
        move.clue.due_on = clues_due(move.clue, timezone.localdate(at))
        move.note = note.strip()
        move.detail |= {"step": found.step, "track": found.track.code, "how": how, "on": on.isoformat()}
    return found


def running_track(clue: Clue) -> ClueTrack | None:
    return ClueTrack.objects.filter(clue=clue, ended_on=None).first()


def _track_of(move: Act) -> tuple[ClueTrack, TrackSpec]:
    track = running_track(move.clue)
    if track is None:
        raise Refused("还没有选择办理轨道，或轨道已结案", "no track is under way", move.clue.version)
    return track, tracks()[track.code]


def _fitting(
    wanted: Step,
    happened_on: date,
    official_number: str,
    approver: str,
    taken: list[TrackStep],
    spec: TrackSpec,
    today: date,
) -> None:
    if happened_on > today:
        raise Refused(f"{wanted.date_zh}不能晚于今天", f"“{wanted.date_en}” cannot lie in the future")
    before = [t.happened_on for t in taken if t.step in wanted.after]
    if before and happened_on < min(before) and not wanted.earlier:
        earlier = min((t for t in taken if t.step in wanted.after), key=lambda t: t.happened_on)
        raise Refused(
            f"{wanted.date_zh}早于“{spec.step(earlier.step).zh}”（{earlier.happened_on}），请核对",
            f"it lies before “{spec.step(earlier.step).en}” ({earlier.happened_on}): check the day",
        )
    if wanted.official and not (official_number.strip() and approver.strip()):
        raise Refused(
            "请照全国检察业务应用系统填写文书号（案号）和审批人",
            "enter the official number and who approved it, as in the national business system",
        )


def _required(wanted: Step, spec: TrackSpec, track: ClueTrack, done: set[str]) -> None:
    """Refuses a step that what was chosen before makes wait for another."""
    if not wanted.requires:
        return
    chosen = dict(track.clocks.filter(started_by__struck_at=None).values_list("step", "variant"))
    if needed := spec.missing(wanted, done, chosen):
        raise Refused(f"“{wanted.zh}”：{needed.zh}", f"“{wanted.en}”: {needed.en}")


def _clock(spec: TrackSpec, step: str) -> Clock:
    found = spec.step(step).clock
    assert found is not None  # noqa: S101  clocks are made of steps that have one
    return found


def _start(wanted: Step, made: TrackStep, variant: str) -> None:
    clock = wanted.clock
    assert clock is not None  # noqa: S101
    if variant and variant not in clock.variants:
        raise Refused("没有这种期限，请重新选择", "no such length: choose again")
    fresh = TrackClock(
        track=made.track,
        clue=made.clue,
        started_by=made,
        step=wanted.code,
        variant=variant,
        starts_on=made.happened_on,
    )
    _reckon(fresh, clock)
    fresh.save()


def _reckon(row: TrackClock, clock: Clock) -> None:
    reckoned = reckon(row, clock)
    row.due_on, row.provisional = reckoned.day, reckoned.provisional


def reckon(row: TrackClock, clock: Clock) -> Due:
    """When the clock runs out by its document, its pauses and its extension."""
    term = clock.variants[row.variant].term if row.variant else clock.term
    pauses = [
        Pause(date.fromisoformat(p["since"]), date.fromisoformat(p["until"]) if p["until"] else None)
        for p in row.pauses
    ]
    return due(row.starts_on, term, rolls=clock.rolls, pauses=pauses, extended_to=row.extended_to)


def clues_due(clue: Clue, today: date) -> date | None:
    """The next day on which something runs out: the track's clocks, letters that wait for an answer, or the house's own limit."""
    clocks = TrackClock.objects.filter(clue=clue, stopped_on=None, due_on__isnull=False)
    # Who asked for time has not answered yet.
    letters = clue.letters.filter(Q(answered_at=None) | Q(answer=Letter.Answer.EXTENSION))
    days: list[Any] = [*clocks.values_list("due_on", flat=True), *letters.values_list("due_on", flat=True)]
    return min(days, default=today + timedelta(days=REFERENCE.limit("acting").days))
