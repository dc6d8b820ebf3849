"""The one writer of agreements: register, renew, end, name custodians; ask for a clearing and decide on it.

Ending stops use at once and takes one person. Clearing cannot be undone: one asks, another approves, and the database
holds them to it (check constraint and trigger).
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import IO, Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from chuxiong.accounts.models import Office, Person
from chuxiong.accounts.refused import Refused
from chuxiong.accounts.scope import scope
from chuxiong.audit.record import record
from chuxiong.work.jobs import enqueue
from ingestion.agreements import PURPOSE
from ingestion.catalog.load import Catalog
from ingestion.models import Agreement, AgreementClearing, AgreementEvent

CLASSES = ("L1", "L2", "L3", "L4")
_DIGEST = re.compile(r"[0-9a-f]{64}")
State = AgreementClearing.State
OPEN_CLEARINGS = (State.REQUESTED, State.COUNTED, State.APPROVED, State.CLEARING)


@dataclass(frozen=True)
class Terms:
    """What the paper says. ``fields``: feed → columns, ``["*"]`` for all; ``counties`` empty for the prefecture."""

    number: str
    agency: str
    title: str
    signed_on: date
    valid_from: date
    valid_to: date
    fields: Mapping[str, Sequence[str]]
    custodian: str
    agency_custodian: str
    counties: Sequence[str] = ()
    purposes: Sequence[str] = (PURPOSE,)
    data_class: str = ""
    may_be_fed_back: bool = False
    document_name: str = ""
    document_digest: str = ""


def digest_of(document: IO[bytes]) -> str:
    """SHA-256 of a scan; the scan itself stays in the archive."""
    digest = hashlib.sha256()
    while block := document.read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


def _words(value: str, most: int, zh: str, en: str) -> str:
    value = unicodedata.normalize("NFKC", value).strip() if zh != "文号" else value.strip()
    if not value or len(value) > most or any(unicodedata.category(c).startswith("C") for c in value):
        raise Refused(f"请填写{zh}（至多 {most} 字）", f"fill in the {en} (at most {most} characters)")
    return value


def _permitted(by: Person, permission: str) -> None:
    if not by.may(permission):
        raise Refused("这项操作不在您的职责内", "this is not among your duties")


def _trace(
    agreement: Agreement, kind: str, by: Person, at: datetime, *, note: str = "", **detail: Any
) -> None:
    AgreementEvent.objects.create(
        agreement=agreement, at=at, actor=by.username, kind=kind, note=note[:300], detail=detail
    )
    record(
        at=at, actor=by.username, office=by.office_id, action=f"agreement.{kind}", object_kind="agreement",
        object_ref=agreement.number[:80], reason=note, detail=detail,
    )  # fmt: skip


def highest_class(fields: Mapping[str, Sequence[str]], feeds: Catalog) -> str:
    """The class of the most sensitive column covered (就高从严)."""
    return max(
        column.sensitivity
        for code, names in fields.items()
        for column in feeds[code].columns
        if "*" in names or column.name in names
    )


def _checked(terms: Terms, feeds: Catalog) -> dict[str, Any]:
    """The terms as a row; raises ``Refused`` naming the field and the cure."""
    number = _words(terms.number, 60, "文号", "number")
    own = {code: feed for code, feed in feeds.items() if feed.agency.code == terms.agency}
    if not own:
        raise Refused("请选择数据提供单位", "choose the data provider")
    if not terms.fields:
        raise Refused("请至少选择一个数据源", "choose at least one feed")
    fields: dict[str, list[str]] = {}
    for code, names in terms.fields.items():
        if code not in own:
            raise Refused(f"数据源 {code} 不属于这个单位", f"feed {code} is not this provider's")
        known = [c.name for c in own[code].columns]
        if unknown := [n for n in names if n != "*" and n not in known]:
            raise Refused(
                f"数据源 {code} 没有字段 {'、'.join(unknown)}",
                f"feed {code} has no field {', '.join(unknown)}",
            )
        if not names:
            raise Refused(f"请为数据源 {code} 选择字段", f"choose the fields of feed {code}")
        fields[code] = ["*"] if "*" in names or set(names) == set(known) else [n for n in known if n in names]
    if terms.valid_to < terms.valid_from:
        raise Refused("有效期止不能早于起日，请核对", "it ends before it begins: check the period")
    if terms.signed_on > terms.valid_from:
        raise Refused("签订日不能晚于有效期起日，请核对", "it was signed after it begins: check the dates")
    offices = set(Office.objects.values_list("code", flat=True))
    counties = sorted(set(terms.counties))
    if not set(counties) <= offices:
        raise Refused("县市代码有误", "an unknown county")
    highest = highest_class(fields, feeds)
    data_class = terms.data_class or highest
    if data_class not in CLASSES or data_class < highest:
        raise Refused(
            f"所列字段最高为 {highest} 级，数据级别不能低于它",
            f"the fields go up to {highest}: the class must not be lower",
        )
    digest = terms.document_digest.strip().lower()
    if digest and not _DIGEST.fullmatch(digest):
        raise Refused(
            "原件摘要须为 64 位十六进制（SHA-256）", "the digest is 64 hexadecimal digits (SHA-256)"
        )
    purposes = list(dict.fromkeys(p.strip() for p in terms.purposes if p.strip()))
    if not purposes:
        raise Refused("请填写用途", "name a purpose")
    return {
        "number": number,
        "agency": terms.agency,
        "agency_zh": next(iter(own.values())).agency.zh,
        "title": _words(terms.title, 120, "名称", "title"),
        "signed_on": terms.signed_on,
        "valid_from": terms.valid_from,
        "valid_to": terms.valid_to,
        "purposes": purposes,
        "fields": fields,
        "counties": counties,
        "data_class": data_class,
        "custodian": _words(terms.custodian, 60, "我方专管员", "custodian here"),
        "agency_custodian": _words(terms.agency_custodian, 60, "单位专管员", "custodian at the provider"),
        "may_be_fed_back": terms.may_be_fed_back,
        "document_name": terms.document_name.strip()[:200],
        "document_digest": digest,
    }


def register(
    *, by: Person, at: datetime, feeds: Catalog, terms: Terms, renews: int | None = None
) -> Agreement:
    """Enter one signed agreement; a renewal names the one it follows and has a number of its own."""
    _permitted(by, "agreement.write")
    row = _checked(terms, feeds)
    with scope(offices=(), person=by.username):
        before = None
        if renews is not None:
            before = Agreement.objects.filter(pk=renews).first()
            if before is None or before.agency != terms.agency:
                raise Refused("续签的原协议有误", "the agreement to renew is another provider's")
        try:
            with transaction.atomic():
                agreement = Agreement.objects.create(
                    **row, renews=before, registered_by=by.username, registered_at=at
                )
        except IntegrityError:
            raise Refused(
                f"文号 {row['number']} 已登记；续签或补充协议请用新文号",
                f"{row['number']} is registered already: a renewal or supplement has a number of its own",
            ) from None
        _trace(
            agreement, "register", by, at, feeds=sorted(row["fields"]), valid_from=str(row["valid_from"]),
            valid_to=str(row["valid_to"]), renews=before.number if before else None,
        )  # fmt: skip
        if before is not None:
            AgreementEvent.objects.create(
                agreement=before, at=at, actor=by.username, kind="renewed", note=agreement.number
            )
    return agreement


def in_force(agreement: Agreement, on: date) -> bool:
    return agreement.valid_from <= on <= agreement.last_day


def _locked(pk: int) -> Agreement:
    # No lock: the web role may change two columns and the trigger refuses what was ended meanwhile.
    agreement = Agreement.objects.filter(pk=pk).first()
    if agreement is None:
        raise Refused("没有这份协议", "no such agreement")
    return agreement


def end(*, by: Person, pk: int, at: datetime, on: date, reason: str) -> Agreement:
    """End it before its term: ``on`` is its last day in force, yesterday at the earliest (it stops at once).

    An end that was planned can be brought forward, never put off.
    """
    _permitted(by, "agreement.write")
    reason = _words(reason, 200, "原因", "reason")
    today = timezone.localdate(at)
    with scope(offices=(), person=by.username):
        agreement = _locked(pk)
        planned = agreement.ended_on
        if planned is not None and planned < today:
            raise Refused(f"协议已于 {planned} 终止", f"it was ended on {planned}")
        if planned is not None and on >= planned:
            raise Refused(
                f"协议已定于 {planned} 终止，只能改为更早",
                f"it ends on {planned}; only an earlier day is possible",
            )
        if agreement.valid_to < today:
            raise Refused("协议已到期，无须终止", "it has expired: there is nothing to end")
        if not today - timedelta(days=1) <= on <= agreement.valid_to:
            raise Refused(
                f"最后有效日须在 {today - timedelta(days=1)} 至 {agreement.valid_to} 之间",
                f"the last day lies between {today - timedelta(days=1)} and {agreement.valid_to}",
            )
        agreement.ended_on = on
        standing = Q(ended_on__isnull=True) | Q(ended_on__gt=on)
        changed = Agreement.objects.filter(standing, pk=pk).update(ended_on=on)
        if not changed:
            raise Refused("协议刚由他人终止", "somebody has just ended it")
        _trace(agreement, "end", by, at, note=reason, last_day=str(on))
    return agreement


def name_custodians(*, by: Person, pk: int, at: datetime, custodian: str, agency_custodian: str) -> Agreement:
    """Who answers for the data on both sides: people change, the terms do not."""
    _permitted(by, "agreement.write")
    ours = _words(custodian, 60, "我方专管员", "custodian here")
    theirs = _words(agency_custodian, 60, "单位专管员", "custodian at the provider")
    with scope(offices=(), person=by.username):
        agreement = _locked(pk)
        before = {"custodian": agreement.custodian, "agency_custodian": agreement.agency_custodian}
        agreement.custodian, agreement.agency_custodian = ours, theirs
        agreement.save(update_fields=["custodian", "agency_custodian"])
        _trace(agreement, "custodians", by, at, before=before, after=[ours, theirs])
    return agreement


# ---- clearing -----------------------------------------------------------------------------------


def request_clearing(*, by: Person, pk: int, at: datetime, reason: str) -> AgreementClearing:
    """Ask that what was delivered under an ended agreement be removed. The counting begins; nothing goes yet."""
    _permitted(by, "agreement.write")
    reason = _words(reason, 200, "清除依据", "basis")
    with scope(offices=(), person=by.username):
        agreement = _locked(pk)
        if agreement.valid_from <= timezone.localdate(at) <= agreement.last_day:
            raise Refused("协议仍有效，先终止才能清除", "it is in force: end it first")
        if AgreementClearing.objects.filter(agreement=agreement, state__in=OPEN_CLEARINGS).exists():
            raise Refused("已有一份清除申请在办", "a clearing of it is under way already")
        try:
            with transaction.atomic():
                clearing = AgreementClearing.objects.create(
                    agreement=agreement, reason=reason, requested_by=by.username, requested_at=at
                )
        except IntegrityError:
            raise Refused("已有一份清除申请在办", "a clearing of it is under way already") from None
        _trace(agreement, "clearing_requested", by, at, note=reason, clearing=clearing.pk)
        enqueue("clearing", str(clearing.pk), {"clearing": clearing.pk}, priority=7)
    return clearing


def decide_clearing(*, by: Person, pk: int, at: datetime, approve: bool, note: str) -> AgreementClearing:
    """Approve or decline what somebody else asked for, with the counts before one's eyes."""
    _permitted(by, "agreement.clear")
    note = _words(note, 200, "意见", "words")
    with scope(offices=(), person=by.username):
        clearing = AgreementClearing.objects.select_for_update(of=("self",)).filter(pk=pk).first()
        if clearing is None:
            raise Refused("没有这份清除申请", "no such clearing")
        if clearing.state != State.COUNTED:
            raise Refused("申请不在待批准状态", "it does not wait for a decision")
        if clearing.requested_by == by.username:
            raise Refused("须由另一人批准", "somebody else has to decide")
        agreement = clearing.agreement
        if approve and agreement.valid_from <= timezone.localdate(at) <= agreement.last_day:
            raise Refused("协议仍有效，不能清除", "the agreement is in force")
        clearing.state = State.APPROVED if approve else State.DECLINED
        clearing.decided_by, clearing.decided_at, clearing.decision = by.username, at, note
        clearing.save(update_fields=["state", "decided_by", "decided_at", "decision"])
        kind = "clearing_approved" if approve else "clearing_declined"
        _trace(agreement, kind, by, at, note=note, clearing=clearing.pk)
        if approve:
            enqueue("clearing", str(clearing.pk), {"clearing": clearing.pk}, priority=7)
    return clearing


def warn(today: date, *, at: datetime, days: int, machine: str) -> list[str]:
    """Once per agreement, ``days`` before its last day: leave a notice in its history. Returns the numbers."""
    soon = [
        a
        for a in Agreement.objects.exclude(events__kind="warned")
        if today <= a.last_day <= today + timedelta(days=days) and a.valid_from <= today
    ]
    AgreementEvent.objects.bulk_create(
        AgreementEvent(agreement=a, at=at, actor=machine, kind="warned", detail={"last_day": str(a.last_day)})
        for a in soon
    )
    return [a.number for a in soon]
