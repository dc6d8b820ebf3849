"""What an agency does with a letter."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from chuxiong.audit.record import record
from supervision.clues.actions.moving import Refused
from supervision.clues.events import ClueMoved, announce
from supervision.models import Letter


def take_answer(
    *, letter: Letter, client: str, at: datetime, answer: str | None, text: str = "", expected_version: int
) -> Letter:
    """An agency acknowledges (``answer`` None) or answers a letter. The same answer again changes nothing."""
    with transaction.atomic():
        locked = Letter.objects.select_for_update().get(pk=letter.pk)
        if answer is None and locked.acknowledged_at:
            return locked
        if answer is not None and (locked.answer, locked.answer_text) == (answer, text):
            return locked
        if locked.version != expected_version:
            raise Refused(
                "内容已变化，请重新获取后再提交", "the letter changed; fetch it again", locked.version
            )
        locked.version, locked.updated_at = locked.version + 1, at
        if locked.acknowledged_at is None:
            locked.acknowledged_at, locked.acknowledged_by = at, client
        if answer is not None:
            locked.answer, locked.answer_text = Letter.Answer(answer).value, text
            locked.answered_at, locked.answered_by = at, client
        locked.save()
        # The agency's connection sees no clue: the event is written by number through a function that
        # checks that the letter is the agency's own.
        with connection.cursor() as cursor:
            cursor.execute(
                "select supervision_letter_event(%s, %s, %s, %s)",
                [locked.pk, at, "answered" if answer else "acknowledged", locked.get_answer_display() or ""],
            )
            clue_id, office, state = cursor.fetchone()[0].strip("()").split(",")
        record(
            at=at,
            actor=client,
            action="letter.answer" if answer else "letter.acknowledge",
            object_kind="letter",
            object_ref=locked.number,
        )
        moved = ClueMoved(int(clue_id), office.strip('"'), state.strip('"'))
        transaction.on_commit(lambda: announce(moved))
    return locked
