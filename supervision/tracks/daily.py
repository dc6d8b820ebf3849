"""Each day: warn of clocks that run out soon, note those that have, tell the office above of those long over."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import transaction

from chuxiong.accounts.scope import all_offices, scope
from supervision.clues.events import ClueMoved, announce
from supervision.models import ClueEvent, TrackClock
from supervision.tracks.spec import tracks

#: who speaks, as the history names it
MACHINE = "期限提醒"


def look(*, at: datetime, today: date) -> dict[str, int]:
    """Each clock is warned of, noted over and escalated once; returns how many of each. Safe to repeat."""
    told = {"clock_warned": 0, "clock_overdue": 0, "clock_escalated": 0}
    with scope(offices=all_offices()):
        running = TrackClock.objects.filter(
            stopped_on=None, due_on__isnull=False, track__ended_on=None, started_by__struck_at=None
        )
        for row in running.select_related("track", "clue").select_for_update(of=("self",)):
            clock = tracks()[row.track.code].step(row.step).clock
            if clock is None or row.due_on is None:
                continue
            marks = (
                ("clock_warned", "warned_at", row.due_on - timedelta(days=clock.warn)),
                ("clock_overdue", "overdue_at", row.due_on + timedelta(days=1)),
                ("clock_escalated", "escalated_at", row.due_on + timedelta(days=clock.escalate)),
            )
            fresh = [(kind, mark) for kind, mark, day in marks if getattr(row, mark) is None and today >= day]
            if not fresh:
                continue
            # What was missed meanwhile is marked, the most pressing alone is told.
            for _kind, mark in fresh:
                setattr(row, mark, at)
            row.save()
            kind = fresh[-1][0]
            told[kind] += 1
            ClueEvent.objects.bulk_create(
                [
                    ClueEvent(
                        clue=row.clue, at=at, actor=MACHINE, kind=kind, from_state=row.clue.state, to_state=row.clue.state,
                        detail={"track": row.track.code, "step": row.step, "due_on": row.due_on.isoformat()},
                    )
                ]
            )  # fmt: skip
            moved = ClueMoved(row.clue_id, row.clue.office, row.clue.state)
            transaction.on_commit(lambda moved=moved: announce(moved))  # type: ignore[misc]
    return told
