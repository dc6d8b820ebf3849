"""Recording a query of the pool: on one's own clue, on a matter that one leads, or on a case by number. The one writer.

Without a record nothing opens. It says who asks, why and on what basis; it holds for some days, opens the profiles it led
to and no others, and every opening looks again whether the basis still stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record, without_identifiers
from supervision import selectors
from supervision.models import Clue, PoolQuery
from supervision.reference import REFERENCE

#: subjects that have a profile
SUBJECTS = ("person", "organisation")
_LONGEST_REASON, _LONGEST_CASE = 200, 60


class NotRecorded(Exception):
    """Nothing was looked up; the words say why and what to do."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(zh)
        self.zh, self.en = zh, en


@dataclass(frozen=True)
class Basis:
    """What allows a query: its kind, the clue behind it (of one's own, of one's matter), or the case's number."""

    kind: PoolQuery.Basis
    clue: Clue | None
    case_number: str
    reason: str


def may_search(person: Person) -> bool:
    """Those who may see identifiers may search the pool for a case."""
    return person.may("clue.read") and person.may("identifier.unmask")


def own(person: Person, clue: Clue) -> PoolQuery.Basis | None:
    """Whether the clue is the person's own (handled, or waiting for their move) or of a matter they lead; None if neither."""
    if clue.handler == person.username or selectors.knows_names(person, clue):
        return PoolQuery.Basis.CLUE
    if clue.matter is not None and clue.matter.lead == person.username and clue.matter.ended_at is None:
        return PoolQuery.Basis.MATTER
    return None


def said(reason: str) -> str:
    """The purpose as it is kept; identifiers struck out. Raises ``NotRecorded`` when it says nothing."""
    words = without_identifiers(" ".join(reason.split()))[:_LONGEST_REASON]
    if len(words) < 2:
        raise NotRecorded(
            "请写明查询目的（例如：核实当事人是否仍在领取补贴），记入审计",
            "say what the query is for (for example: whether the party still draws benefits); it goes on record",
        )
    return words


def for_case(person: Person, case_number: str, reason: str) -> Basis:
    """The basis of a search. Raises ``NotRecorded`` with the cure."""
    if not may_search(person):
        raise NotRecorded(
            "您的职责不能检索数据池；请由检察官或部门负责人检索，或从本人承办的线索打开全息画像",
            "your roles do not allow searching the pool: ask a prosecutor or head, or open the profile from a clue you handle",
        )
    number = without_identifiers(" ".join(case_number.split()))[:_LONGEST_CASE]
    if not number:
        raise NotRecorded(
            "请填写案号或受理号；没有案件时，请从本人线索打开全息画像",
            "fill in the case number; without a case, open the profile from a clue of your own",
        )
    return Basis(PoolQuery.Basis.CASE, None, number, said(reason))


def of_clue(person: Person, number: str, reason: str) -> Basis:
    """The basis that a clue gives, under the open scope. Raises ``NotRecorded`` with the cure."""
    clue = Clue.objects.select_related("matter").filter(number=number.strip()).first()
    if clue is None:
        raise NotRecorded(
            f"没有线索 {without_identifiers(number.strip())[:24]}，或不在您的范围内；请核对线索号",
            "no such clue within your scope: check its number",
        )
    basis = own(person, clue)
    if basis is None:
        raise NotRecorded(
            "只能从本人承办、等您办理或您牵头类案中的线索打开全息画像；请先签收或请承办人查询，或凭案号登记办案查询",
            "a profile opens from a clue that you handle, that waits for you, or of a matter you lead: sign for it first, ask its handler, or record a case query",
        )
    if clue.subject_kind not in SUBJECTS or not _is_ref(clue.subject_ref):
        raise NotRecorded(
            "这条线索的对象不是有号码或可识别的个人、单位，没有全息画像；请按姓名、名称或地点检索",
            "this clue is not about an identified person or organisation: search by name or place instead",
        )
    return Basis(basis, clue, "", said(reason))


def _is_ref(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def within_the_day(person: Person, at: datetime) -> None:
    """Raises ``NotRecorded`` when the person has recorded as many queries as a day allows."""
    most = REFERENCE.pool_query.per_day.value
    if PoolQuery.objects.filter(person=person.username, at__gt=at - timedelta(days=1)).count() >= most:
        raise NotRecorded(
            f"一天内最多登记 {most} 次查询，今天已用完；请明天再查，或请部门负责人查询",
            f"{most} recorded queries a day, and today's are used up: ask tomorrow, or ask your head of department",
        )


def keep(
    person: Person,
    basis: Basis,
    *,
    at: datetime,
    kind: str,
    text: str,
    subjects: Sequence[dict[str, str]],
    records: Sequence[dict[str, Any]] = (),
    more: bool = False,
) -> PoolQuery:
    """Write the record, under the open scope; the caller has left the audit row."""
    return PoolQuery.objects.create(
        person=person.username, office=person.office_id, at=at,
        expires_at=at + timedelta(days=REFERENCE.pool_query.valid_days.value), basis=basis.kind, clue=basis.clue,
        case_number=basis.case_number, reason=basis.reason, kind=kind, text=text, subjects=list(subjects),
        records=list(records), more=more,
    )  # fmt: skip


def open_clue(person: Person, number: str, reason: str, *, at: datetime) -> PoolQuery:
    """Record that the profile of a clue's subject is looked at, and why."""
    with person_scope(person):
        within_the_day(person, at)
        basis = of_clue(person, number, reason)
        assert basis.clue is not None  # noqa: S101  of_clue gives one
        subject = {"kind": basis.clue.subject_kind, "ref": str(UUID(basis.clue.subject_ref))}
        query = keep(person, basis, at=at, kind="subject", text="", subjects=[subject])
        record(
            at=at, actor=person.username, office=person.office_id, action="profile.ask", object_kind="pool_query",
            object_ref=str(query.code), reason=basis.reason, detail={"basis": basis.kind.value, "clue": basis.clue.number},
        )  # fmt: skip
    return query


def standing(person: Person, code: UUID, *, at: datetime) -> PoolQuery | None:
    """One's own query, under the open scope; None where there is none. Raises ``NotRecorded`` when it opens nothing more."""
    query = PoolQuery.objects.select_related("clue__matter").filter(code=code, person=person.username).first()
    if query is None:
        return None
    if query.expires_at <= at:
        day = timezone.localdate(query.at)
        raise NotRecorded(
            f"这次查询登记于 {day}，已过有效期；请重新登记查询",
            f"this query of {day} has run out: record it anew",
        )
    if query.basis == PoolQuery.Basis.CASE:
        if not may_search(person):
            raise NotRecorded(
                "您的职责已不能检索数据池；请由检察官或部门负责人查询",
                "your roles no longer allow searching the pool: ask a prosecutor or head",
            )
    elif query.clue_id is not None:
        # The clue may have gone out of sight (回避, 移交) since.
        clue = Clue.objects.select_related("matter").filter(pk=query.clue_id).first()
        if clue is None or own(person, clue) is None:
            raise NotRecorded(
                "这次查询所依据的线索已不由您办理，画像不再打开；需要时请现承办人查询",
                "the clue behind this query is no longer yours, so the profile stays shut: ask its present handler",
            )
    return query


def recorded(person: Person, *, at: datetime, most: int = 30) -> list[PoolQuery]:
    """One's own queries that still hold, latest first."""
    with person_scope(person):
        return list(
            PoolQuery.objects.select_related("clue")
            .filter(person=person.username, expires_at__gt=at)
            .order_by("-at", "-pk")[:most]
        )
