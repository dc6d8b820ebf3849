"""What follows a confirmed clue: lawful handling, feedback, settling."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.utils import timezone

from chuxiong.accounts.models import Person
from ingestion import selectors as ingestion
from supervision.clues.actions.moving import Refused, moving
from supervision.clues.lifecycle import Outcome
from supervision.clues.numbers import take_number
from supervision.models import Clue, Letter
from supervision.reference import REFERENCE


def act(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    note: str,
    kind: str = "",
    expected_version: int | None = None,
) -> Clue:
    """Start the lawful handling; its documents and clocks follow the clue's track."""
    with moving("act", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.clue.kind, move.note = kind, note
    return move.clue


def feed_back(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    agency: str,
    subject: str,
    text: str,
    due_on: date | None = None,
    expected_version: int | None = None,
) -> Letter:
    """Send a feedback letter (反馈函) to an agency; it answers through its REST door."""
    if not subject.strip() or not text.strip():
        raise Refused("请填写标题和内容", "fill in subject and text")
    with moving(
        "feed_back", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        names = dict(ingestion.agencies())
        if move.clue.responsible:
            names[move.clue.responsible] = move.clue.responsible_zh
        if agency not in names:
            raise Refused("请选择单位", "choose an agency", move.clue.version)
        letter = Letter.objects.create(
            number=take_number("FK", timezone.localdate(at).year),
            clue=move.clue,
            agency=agency,
            agency_zh=names[agency],
            subject=subject,
            text=text,
            sent_at=at,
            due_on=due_on or REFERENCE.limit("feedback").after(timezone.localdate(at)),
            updated_at=at,
        )
        move.clue.due_on = letter.due_on
        move.detail |= {"letter": letter.number, "agency": agency}
    return letter


def settle(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    outcome: str,
    note: str,
    kind: str = "",
    results: dict[str, Any] | None = None,
    expected_version: int | None = None,
) -> Clue:
    """Close a confirmed clue as corrected or improved, with its results as typed facts."""
    chosen = Outcome(outcome)
    if not note.strip():
        raise Refused("请写明办结情况", "say how it was settled")
    with moving("settle", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.clue.outcome, move.clue.settled_at, move.clue.due_on = chosen.value, at, None
        move.clue.kind = kind or move.clue.kind
        move.clue.results = {**move.clue.results, **(results or {})}
        move.note = note
        move.detail |= {"outcome": chosen.value, "results": results or {}}
    return move.clue
