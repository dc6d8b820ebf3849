"""What an agency does with a letter: sign for it, hand in attachments, answer."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from chuxiong.audit.record import record
from chuxiong.vault.keys import keys
from ingestion.api.limits import LIMITS
from supervision.clues.actions.moving import Refused
from supervision.clues.events import ClueMoved, announce
from supervision.models import Letter, LetterAnswer, LetterFile

_ENGLISH = {
    "corrected": "Put right",
    "partly": "Partly put right",
    "extension": "Asks for time",
    "objection": "Objects",
    "not_ours": "Not our duty",
    "data_error": "Data are wrong",
}


def answer_kinds() -> list[dict[str, Any]]:
    """The answers that a letter takes, in order: code, words, and which fields each needs."""
    return [
        {
            "code": code,
            "zh": str(label),
            "en": _ENGLISH[code],
            "needs": ([] if code == Letter.Answer.CORRECTED else ["text"])
            + (["until"] if code == Letter.Answer.EXTENSION else []),
        }
        for code, label in Letter.Answer.choices
    ]


def attach(
    *, letter: Letter, client: str, at: datetime, name: str, content: bytes, code: uuid.UUID | None = None
) -> LetterFile:
    """Keep one attachment of the agency's; the same ``code`` again is the same attachment."""
    types, most = LIMITS.attachment_types.value, LIMITS.attachment_bytes.value
    if not name or len(name) > 120 or name.rpartition(".")[2].lower() not in types or "/" in name:
        raise Refused(
            f"附件“{name[:40]}”的格式不收；可用：{'、'.join(types)}",
            f"attachment “{name[:40]}”: only {', '.join(types)} are taken",
        )
    if len(content) > most:
        raise Refused(
            f"附件“{name[:40]}”超过 {most >> 20} MB；请压缩后再传",
            f"attachment “{name[:40]}” is larger than {most >> 20} MB",
        )
    code, ring = code or uuid.uuid4(), keys()
    file, _ = LetterFile.objects.get_or_create(
        code=code,
        defaults={
            "letter": letter,
            "name": name,
            "size": len(content),
            "digest": hashlib.sha256(content).hexdigest(),
            "sealed": ring.wrap(content, _place(code)),
            "key_id": ring.current,
            "at": at,
            "by": client,
        },
    )
    return file


def opened(file: LetterFile) -> bytes:
    """The attachment itself. Callers leave an audit row first."""
    return keys().unwrap(bytes(file.sealed), file.key_id, _place(file.code))


def _place(code: uuid.UUID) -> str:
    return f"letter-file:{code}"


def take_answer(
    *,
    letter: Letter,
    client: str,
    at: datetime,
    answer: str | None,
    text: str = "",
    until: date | None = None,
    files: Sequence[uuid.UUID] = (),
    expected_version: int,
) -> Letter:
    """An agency acknowledges (``answer`` None) or answers a letter. The same answer again changes nothing."""
    with transaction.atomic():
        locked = Letter.objects.select_for_update().defer("sealed").get(pk=letter.pk)
        if answer is None and locked.acknowledged_at:
            return locked
        if answer is not None and _same(locked, answer, text, until, files):
            return locked
        if locked.version != expected_version:
            raise Refused(
                "内容已变化，请重新获取后再提交", "the letter changed; fetch it again", locked.version
            )
        if answer is not None:
            _fitting(locked, answer, text, until, files)
        locked.version, locked.updated_at = locked.version + 1, at
        if locked.acknowledged_at is None:
            locked.acknowledged_at, locked.acknowledged_by = at, client
        if answer is not None:
            locked.answer, locked.answer_text, locked.answer_until = answer, text, until
            locked.answered_at, locked.answered_by = at, client
            LetterAnswer.objects.bulk_create(
                [
                    LetterAnswer(
                        letter=locked,
                        at=at,
                        by=client,
                        answer=answer,
                        text=text,
                        until=until,
                        files=list(files),
                    )
                ]
            )
        locked.save()
        _trace(locked, client, at, answer)
    return locked


def _same(letter: Letter, answer: str, text: str, until: date | None, files: Sequence[uuid.UUID]) -> bool:
    if (letter.answer, letter.answer_text, letter.answer_until) != (answer, text, until):
        return False
    last = LetterAnswer.objects.filter(letter=letter).last()
    return (list(last.files) if last else []) == list(files)


def _fitting(letter: Letter, answer: str, text: str, until: date | None, files: Sequence[uuid.UUID]) -> None:
    kind = next((k for k in answer_kinds() if k["code"] == answer), None)
    if kind is None:
        raise Refused("请选择答复", "choose an answer", letter.version)
    if "text" in kind["needs"] and not text.strip():
        raise Refused(f"“{kind['zh']}”须写明说明", f"“{kind['en']}” needs words", letter.version)
    if len(text) > 5000 or "\x00" in text:
        raise Refused("说明至多 5000 字", "at most 5000 characters", letter.version)
    if ("until" in kind["needs"]) != (until is not None):
        raise Refused("申请延期须写明延至哪一天", "say until which day more time is asked", letter.version)
    if until is not None and until <= letter.due_on:
        raise Refused(
            f"延至的日期须晚于现在的期限 {letter.due_on}",
            f"it must lie after {letter.due_on}",
            letter.version,
        )
    if len(files) > LIMITS.attachments.value:
        raise Refused(
            f"附件至多 {LIMITS.attachments.value} 件", f"at most {LIMITS.attachments.value} attachments",
            letter.version,
        )  # fmt: skip
    held = set(LetterFile.objects.filter(letter=letter, code__in=files).values_list("code", flat=True))
    if set(files) - held:
        raise Refused(
            "附件没有传到，请重新上传", "an attachment did not arrive: hand it in again", letter.version
        )


def _trace(letter: Letter, client: str, at: datetime, answer: str | None) -> None:
    # The agency's connection sees no clue: the event is written by number through a function that
    # checks that the letter is the agency's own.
    with connection.cursor() as cursor:
        cursor.execute(
            "select supervision_letter_event(%s, %s, %s, %s)",
            [letter.pk, at, "answered" if answer else "acknowledged", letter.get_answer_display() or ""],
        )
        clue_id, office, state = cursor.fetchone()[0].strip("()").split(",")
    record(
        at=at,
        actor=client,
        action="letter.answer" if answer else "letter.acknowledge",
        object_kind="letter",
        object_ref=letter.number,
    )
    moved = ClueMoved(int(clue_id), office.strip('"'), state.strip('"'))
    transaction.on_commit(lambda: announce(moved))
