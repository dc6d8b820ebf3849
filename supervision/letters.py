"""Letters as their agency's people meet them on the portal: a list, one, an answer with attachments. Nothing of the clue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import transaction
from django.db.models import Prefetch

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import agency_scope, person_scope
from chuxiong.audit.record import record
from chuxiong.vault.keys import keys
from ingestion.api.limits import LIMITS
from supervision.clues import actions
from supervision.clues.actions.letters import opened
from supervision.models import Letter, LetterAnswer, LetterFile

#: the most that one page lists
MOST = 200


@dataclass(frozen=True)
class Given:
    """One answer of the agency with its attachments, as the page shows it."""

    answer: LetterAnswer
    files: list[LetterFile]


@dataclass(frozen=True)
class Received:
    letter: Letter
    #: newest first
    answers: list[Given]


def received(agency: str, *, waiting: bool = False) -> list[Letter]:
    """Letters to the agency: those without an answer first by term, then the answered ones, newest first."""
    with agency_scope(agency):
        found = Letter.objects.filter(agency=agency).defer("sealed", "text")
        open_ = list(found.filter(answer="").order_by("due_on", "-pk")[:MOST])
        if waiting:
            return open_
        return open_ + list(found.exclude(answer="").order_by("-answered_at", "-pk")[: MOST - len(open_)])


def name_of(agency: str) -> str:
    """The agency's name as its last letter says it; for those that deliver no data."""
    with agency_scope(agency):
        last = (
            Letter.objects.filter(agency=agency).order_by("-pk").values_list("agency_zh", flat=True).first()
        )
    return last or ""


def waiting_count(agency: str) -> int:
    """Letters without an answer, for the navigation."""
    with agency_scope(agency):
        return Letter.objects.filter(agency=agency, answer="").count()


def received_one(person: Person, number: str, *, at: datetime) -> Received | None:
    """One letter of the person's agency; the look is on record."""
    with agency_scope(person.agency):
        letter = _of(person, number)
        if letter is None:
            return None
        record(
            at=at, actor=person.username, action="letter.read", object_kind="letter", object_ref=number,
            detail={"agency": person.agency},
        )  # fmt: skip
        return Received(letter, given(letter))


def given(letter: Letter) -> list[Given]:
    """The answers to a letter whose answers and attachments were read with it, newest first."""
    files = {file.code: file for file in letter.files.all()}
    return [
        Given(one, [files[code] for code in one.files if code in files])
        for one in reversed(list(letter.answers.all()))
    ]


def with_answers(number: str) -> Letter | None:
    """One letter within the present scope, with answers and attachments, what is sealed left where it is."""
    return (
        Letter.objects.filter(number=number)
        .defer("sealed")
        .prefetch_related("answers", "extensions", Prefetch("files", LetterFile.objects.defer("sealed")))
        .first()
    )


def _of(person: Person, number: str) -> Letter | None:
    letter = with_answers(number)
    return letter if letter is not None and letter.agency == person.agency else None


def sign(person: Person, number: str, *, at: datetime, version: int) -> None:
    """Sign for a letter; twice changes nothing."""
    answer(person, number, at=at, answer=None, text="", until=None, uploads=(), version=version)


def answer(
    person: Person,
    number: str,
    *,
    at: datetime,
    answer: str | None,
    text: str,
    until: date | None,
    uploads: Sequence[tuple[str, bytes]],
    version: int,
) -> None:
    """Answer a letter with attachments (name, content), all or nothing. Raises ``actions.Refused``."""
    if len(uploads) > LIMITS.attachments.value:
        raise actions.Refused(
            f"附件至多 {LIMITS.attachments.value} 件", f"at most {LIMITS.attachments.value} attachments"
        )
    with agency_scope(person.agency), transaction.atomic():
        letter = _of(person, number)
        if letter is None:
            raise actions.Refused("没有这一件", "no such letter")
        files = [
            actions.attach(letter=letter, client=person.username, at=at, name=name, content=content).code
            for name, content in uploads
        ]
        actions.take_answer(
            letter=letter, client=person.username, at=at, answer=answer, text=text, until=until, files=files,
            expected_version=version,
        )  # fmt: skip


def file_of_agency(person: Person, code: str, *, at: datetime) -> tuple[str, bytes] | None:
    """(name, content) of an attachment of one's own agency; the look is on record."""
    with agency_scope(person.agency):
        file = LetterFile.objects.filter(code=code, letter__agency=person.agency).first()
        return _looked(file, person, at)


def file_of_clue(person: Person, code: str, *, at: datetime) -> tuple[str, bytes] | None:
    """(name, content) of an attachment to a letter about a clue that the person sees; the look is on record."""
    with person_scope(person):
        file = LetterFile.objects.filter(code=code).first()
        return _looked(file, person, at)


def _looked(file: LetterFile | None, person: Person, at: datetime) -> tuple[str, bytes] | None:
    if file is None:
        return None
    record(
        at=at, actor=person.username, office=person.office_id, action="letter.file", object_kind="letter",
        object_ref=str(file.code),
    )  # fmt: skip
    return file.name, opened(file)


def records_of_agency(person: Person, number: str, *, at: datetime) -> bytes | None:
    """The records that went with a letter (JSON), for its agency; the look is on record."""
    with agency_scope(person.agency):
        letter = Letter.objects.filter(number=number, agency=person.agency, sealed__isnull=False).first()
        if letter is None:
            return None
        record(
            at=at, actor=person.username, action="letter.records", object_kind="letter", object_ref=number,
            detail={"agency": person.agency, "rows": letter.records},
        )  # fmt: skip
        return keys().unwrap(bytes(letter.sealed or b""), letter.key_id, f"letter:{letter.number}")
