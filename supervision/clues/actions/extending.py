"""What is decided when an agency asks for more time: the letter's term moves or stays, and the request stays on record."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from django.utils import timezone

from chuxiong.accounts.models import Person
from supervision.clues.actions.handling import clues_due
from supervision.clues.actions.moving import Refused, moving
from supervision.models import Letter, LetterAnswer, LetterExtension


def extension(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    letter: int,
    how: Literal["grant", "refuse"],
    until: date | None = None,
    note: str = "",
    expected_version: int | None = None,
) -> LetterExtension:
    """Grant the time that an agency asks for, up to ``until`` (the day it asked for when None), or refuse with a reason.

    Either way the letter waits for its answer again.
    """
    if how not in ("grant", "refuse"):
        raise Refused("请选择同意或不同意", "choose to grant or to refuse")
    if how == "refuse" and not note.strip():
        raise Refused("不同意延期须写明理由，单位会看到", "say why it is refused: the agency reads it")
    with moving(
        "extension", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        found = Letter.objects.select_for_update().defer("sealed").filter(clue=move.clue, pk=letter).first()
        asked = LetterAnswer.objects.filter(letter=found).last() if found else None
        if found is None or asked is None or found.answer != Letter.Answer.EXTENSION or asked.until is None:
            raise Refused(
                "没有待决定的延期申请：单位可能已另作答复，或已由别人决定",
                "no request for more time waits here: the agency may have answered otherwise, or somebody decided",
                move.clue.version,
            )
        before, after = found.due_on, found.due_on
        if how == "grant":
            after = until or asked.until
            if after <= before:
                raise Refused(
                    f"新期限须晚于现在的期限 {before}",
                    f"the new term must lie after {before}",
                    move.clue.version,
                )
        made = LetterExtension.objects.create(
            letter=found, answer=asked, granted=how == "grant", due_before=before, asked_until=asked.until,
            due_after=after, reason=note.strip()[:200], by=by.username, by_name=by.name, at=at,
        )  # fmt: skip
        # The request is decided: no answer stands, the one that was asked for is awaited.
        found.due_on, found.version, found.updated_at = after, found.version + 1, at
        found.answer, found.answer_text, found.answer_until = "", "", None
        found.answered_at, found.answered_by = None, ""
        found.save(
            update_fields=["due_on", "version", "updated_at", "answer", "answer_text", "answer_until", "answered_at", "answered_by"]
        )  # fmt: skip
        move.clue.due_on = clues_due(move.clue, timezone.localdate(at))
        move.note = note.strip()
        move.detail |= {"letter": found.number, "how": how, "until": after.isoformat()}
    return made
