"""People's word on two that may be one: the only writer. Kept, reused by every run, withdrawn but never changed."""

from __future__ import annotations

from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.work.jobs import enqueue
from ingestion import agreements
from supervision.models import IdentityJudgement, IdentityPair
from supervision.spine.selectors import readable_feeds

VERDICTS = ("same", "different", "unsure")
LONGEST = 500


class NotPossible(Exception):
    """Refused; ``code``: gone, verdict, reason or another (said of another number already)."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def judge(person: Person, pk: int, verdict: str, reason: str, *, at: datetime) -> IdentityJudgement:
    """Give one's word on a pair that one sees; the spine is brought in line by a job."""
    if verdict not in VERDICTS:
        raise NotPossible("verdict")
    if not reason.strip() or len(reason) > LONGEST:
        raise NotPossible("reason")
    on = timezone.localdate(at)
    try:
        with person_scope(person, feeds=readable_feeds(on), purpose=agreements.PURPOSE):
            pair = IdentityPair.objects.filter(pk=pk).first()
            if pair is None:
                raise NotPossible("gone")
            if verdict == "same" and _said_of_another(pair):
                raise NotPossible("another")
            with transaction.atomic():
                made = IdentityJudgement.objects.create(
                    kind=pair.kind,
                    left=pair.left,
                    right=pair.right,
                    sounds=[pair.sound],
                    verdict=verdict,
                    reason=reason.strip(),
                    office=person.office_id,
                    person=person.username,
                    at=at,
                )
            _trace(person, "identity.judge", made.pk, reason, {"verdict": verdict, "pair": pk}, at)
            enqueue("identity", f"judged {made.pk}", priority=4)
            return made
    except IntegrityError as error:
        raise NotPossible("gone") from error


def _said_of_another(pair: IdentityPair) -> bool:
    """Whether one side was said to be the holder of a number, and the other side is the holder of a different one."""
    for side, number in ((pair.left, pair.right), (pair.right, pair.left)):
        if number.startswith("ref/") and not side.startswith("ref/"):
            same = IdentityJudgement.objects.filter(
                Q(left=side) | Q(right=side), verdict="same", withdrawn_at=None
            )
            others = {key for keys in same.values_list("left", "right") for key in keys}
            if any(key.startswith("ref/") and key != number for key in others):
                return True
    return False


def withdraw(person: Person, pk: int, reason: str, *, at: datetime) -> None:
    """Take a word back, one's own or one given in the office."""
    if not reason.strip() or len(reason) > LONGEST:
        raise NotPossible("reason")
    with person_scope(person):
        done = IdentityJudgement.objects.filter(pk=pk, withdrawn_at=None).update(
            withdrawn_at=at, withdrawn_by=person.username, withdrawn_reason=reason.strip()
        )
        if not done:
            raise NotPossible("gone")
        _trace(person, "identity.withdraw", pk, reason, {}, at)
        enqueue("identity", f"withdrawn {pk}", priority=4)


def _trace(
    person: Person, action: str, pk: int, reason: str, detail: dict[str, object], at: datetime
) -> None:
    record(
        at=at,
        actor=person.username,
        office=person.office_id,
        action=action,
        object_kind="identity_judgement",
        object_ref=str(pk),
        reason=reason,
        detail=detail,
    )
