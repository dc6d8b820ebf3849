"""Numbers that leave the house: asked for, approved by a second person, opened once. The only writer of disclosures.

Nothing is shown by the approval: who asked opens the list within its days, the audit row is written first, and the
numbers exist in that one answer alone. A second opening is another request.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone
from django.utils.crypto import salted_hmac

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record, without_identifiers
from chuxiong.vault import refs
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.catalog.seals import purposes
from supervision.clues import lifecycle
from supervision.clues.actions import Refused
from supervision.clues.lifecycle import State
from supervision.models import Clue, Disclosure, DisclosureClue
from supervision.reference import REFERENCE

_ASKED = Disclosure.State.ASKED.value
_APPROVED = Disclosure.State.APPROVED.value


@dataclass(frozen=True)
class Line:
    """One number as it leaves: whose, which, and from which record."""

    clue: str
    source_zh: str
    source_en: str
    name: str
    kind_zh: str
    kind_en: str
    number: str


@dataclass(frozen=True)
class Opened:
    """What one opening yields; it is kept nowhere."""

    disclosure: Disclosure
    lines: list[Line]
    #: nothing of it is confirmed yet for at least one clue: 线索材料 仅供核查
    unconfirmed: bool
    #: sources whose agreement keeps their numbers inside: (title zh, title en)
    kept_inside: list[tuple[str, str]]


def ask(
    *,
    by: Person,
    at: datetime,
    clues: Sequence[str],
    basis: str,
    addressee: str,
    reason: str,
    agency: str = "",
) -> Disclosure:
    """Ask to give the numbers behind ``clues`` to ``addressee`` (an agency by its code, where it is one)."""
    _may(by, "identifier.disclose", "申请对外提供号码", "ask for a disclosure")
    numbers, most = list(dict.fromkeys(clues)), REFERENCE.disclosure.clues_most.value
    if not numbers:
        raise Refused("请填写线索号", "name the clues")
    if len(numbers) > most:
        raise Refused(
            f"一次最多 {most} 条线索，请分次申请", f"at most {most} clues at once: ask in several requests"
        )
    if not basis.strip() or not reason.strip() or not addressee.strip():
        raise Refused("请填写依据文号、接收单位和事由", "fill in the basis, the addressee and the reason")
    with person_scope(by):
        found = {c.number: c for c in Clue.objects.filter(number__in=numbers)}
        if missing := [n for n in numbers if n not in found]:
            raise Refused(
                f"没有线索 {'、'.join(missing)}，或不在您的范围内；请核对线索号",
                f"no clue {', '.join(missing)} within your scope: check the numbers",
            )
        for clue in found.values():
            _handled(clue, by)
        made = Disclosure.objects.create(
            office=by.office_id,
            asked_by=by.username,
            asked_at=at,
            basis=_plain(basis, 120),
            agency=agency[:30],
            addressee=_plain(addressee, 120),
            reason=_plain(reason, 300),
            named_clues=len(numbers),
        )
        DisclosureClue.objects.bulk_create(
            [DisclosureClue(disclosure=made, clue=found[number]) for number in numbers]
        )
        _trace("disclosure.ask", made, by, at, reason=made.reason, clues=numbers, basis=made.basis)
    return made


def decide(*, by: Person, at: datetime, pk: int, approve: bool, note: str = "") -> Disclosure:
    """Approve or refuse; somebody else than who asked, who sees every clue concerned."""
    _may(by, "disclosure.approve", "审批对外提供号码", "approve disclosures")
    if not approve and not note.strip():
        raise Refused("请写明不予批准的理由", "say why it is refused")
    with person_scope(by):
        found = _locked(pk)
        if found.asked_by == by.username:
            raise Refused(
                "不能审批本人的申请；请另一位负责人审批", "a second person decides: ask another head"
            )
        if found.state != _ASKED:
            raise Refused(f"该申请{found.get_state_display()}，不再审批", "it has been decided already")
        if not _sees_all(found):
            raise Refused(
                "所涉线索有您不能查看的；请由能查看的负责人审批",
                "you do not see all of its clues: a head who does decides",
            )
        found.state = Disclosure.State.APPROVED if approve else Disclosure.State.REFUSED
        found.decided_by, found.decided_at, found.decision_note = by.username, at, _plain(note, 300)
        if approve:
            found.expires_at = at + timedelta(days=REFERENCE.disclosure.valid_days.value)
        found.save()
        _trace("disclosure.approve" if approve else "disclosure.refuse", found, by, at, reason=note[:300])
        found.refresh_from_db()
    return found


def withdraw(*, by: Person, at: datetime, pk: int) -> Disclosure:
    with person_scope(by):
        found = _own(pk, by)
        if found.state not in (_ASKED, _APPROVED):
            raise Refused(f"该申请{found.get_state_display()}，不能撤回", "it can be withdrawn no more")
        found.state = Disclosure.State.WITHDRAWN
        found.save()
        _trace("disclosure.withdraw", found, by, at)
    return found


def open_once(*, by: Person, at: datetime, pk: int) -> Opened:
    """The numbers, once. The audit row comes first; without it the database opens nothing."""
    _may(by, "identifier.disclose", "打开披露清单", "open a disclosure")
    with person_scope(by):
        # Asked for several times at once, the quota is still counted one after the other.
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"disclose {by.username}"])
        found = _own(pk, by)
        _openable(found, by)
        if not _sees_all(found):
            raise Refused(
                "所涉线索有您已不能查看的；请撤回后重新申请",
                "you no longer see all of its clues: withdraw it and ask anew",
            )
        clues = list(found.clues.order_by("number"))
        _trace(
            "identifier.disclose", found, by, at, reason=found.reason,
            clues=[c.number for c in clues], addressee=found.addressee, basis=found.basis,
            approved_by=found.decided_by,
        )  # fmt: skip
        found.state, found.opened_at = Disclosure.State.OPENED, at
        found.save()
        feeds = {item["feed"] for clue in clues for item in clue.evidence}
        inside = agreements.kept_inside(feeds, agency=found.agency, on=timezone.localdate(at))
        lines = _lines(clues, found, feeds - inside, by)
        found.numbers = len(lines)
        found.digest = _digest(lines)
        found.save(update_fields=["numbers", "digest"])
        found.refresh_from_db()
    titles = [ingestion.catalog()[feed].title for feed in sorted(inside) if feed in ingestion.catalog()]
    return Opened(found, lines, any(c.confirmed_at is None for c in clues), [(t.zh, t.en) for t in titles])


def _openable(found: Disclosure, by: Person) -> None:
    if found.state == _ASKED:
        raise Refused("尚未批准；请等待审批", "not approved yet: wait for the decision")
    if found.state != _APPROVED:
        raise Refused(
            f"该申请{found.get_state_display()}，不能再打开；需要时请重新申请",
            "it cannot be opened again: ask anew if needed",
        )
    # The database's clock decides, as it does in the trigger.
    with connection.cursor() as cursor:
        cursor.execute("select now()")
        now = cursor.fetchone()[0]
    if found.expires_at is None or now >= found.expires_at:
        raise Refused("批准已过期；请重新申请", "the approval has expired: ask anew")
    most = REFERENCE.disclosure.open_per_day.value
    today = Disclosure.objects.filter(asked_by=by.username, opened_at__gt=now - timedelta(days=1))
    if today.count() >= most:
        raise Refused(
            f"一天内最多打开 {most} 份，今天已用完；请明天再打开",
            f"{most} a day may be opened and today's are used up: open it tomorrow",
        )


def _lines(clues: Iterable[Clue], found: Disclosure, feeds: set[str], by: Person) -> list[Line]:
    """Every number once a clue, name and kind, in the order of the clues and their evidence."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select clue, feed, record_id, ref, kind, box, key_id from supervision_disclosed(%s)", [found.pk]
        )
        rows = cursor.fetchall()
    opened = {
        str(ref): number
        for ref, number in refs.unseal((r[3], r[4], r[5], r[6]) for r in rows if r[1] in feeds).items()
    }
    wanted: dict[str, set[int]] = {}
    for _clue, feed, record_id, *_rest in rows:
        if feed in feeds:
            wanted.setdefault(feed, set()).add(record_id)
    department = by.department.code if by.department else ""
    records: dict[tuple[str, int], dict[str, Any]] = {}
    seals = {seal for clue in clues for seal in clue.seals}
    for purpose in ("supervision", *purposes(seals, department)):
        with person_scope(by, feeds=wanted, purpose=purpose):
            records |= ingestion.records(wanted)
    lines: dict[tuple[str, str, str, str], Line] = {}
    for clue in clues:
        for item in clue.evidence:
            held = records.get((item["feed"], item["record_id"]))
            if held is None:
                continue
            for line in _of_record(clue.number, item["feed"], held, opened):
                lines.setdefault((line.clue, line.name, line.kind_zh, line.number), line)
    return list(lines.values())


def _of_record(clue: str, code: str, held: dict[str, Any], opened: dict[str, str]) -> list[Line]:
    feed = ingestion.catalog()[code]
    #: the name last come by, of a person and of an organisation: the number beside it is theirs
    named = {"person_name": "", "org_name": ""}
    lines = []
    for column in feed.columns:
        value = held.get(column.name)
        if column.type in named:
            named[column.type] = str(value or "")
        if value is None:
            continue
        name = named["org_name" if column.type == "credit_code" else "person_name"]
        if column.name_in:
            name = str(held.get(column.name_in) or "")
        lines += [
            Line(clue, feed.title.zh, feed.title.en, name, column.zh, column.en, opened[ref])
            for ref in ingestion.refs_in(column, value)
            if ref in opened
        ]
    return lines


def _digest(lines: list[Line]) -> str:
    told = json.dumps([vars(line) for line in lines], ensure_ascii=False, sort_keys=True)
    return salted_hmac("supervision.disclosure", told, algorithm="sha256").hexdigest()


def _handled(clue: Clue, by: Person) -> None:
    """Numbers leave for a clue that is being checked or acted on, by its handler's word or that of the head."""
    if State(clue.state) not in lifecycle.HANDLED:
        raise Refused(
            f"线索 {clue.number} 不在核查或处置中；签收核查后再申请",
            f"clue {clue.number} is not being checked or acted on: ask once checking has begun",
        )
    if clue.handler != by.username and not by.may("clue.hand_over"):
        raise Refused(
            f"线索 {clue.number} 不由您承办；请承办人或部门负责人申请",
            f"you do not handle clue {clue.number}: its handler or the head asks",
        )


def _may(by: Person, permission: str, zh: str, en: str) -> None:
    if not by.may(permission):
        raise Refused(
            f"您的角色不能{zh}；需要时请由安全管理员授予角色",
            f"your roles do not allow you to {en}; ask the security administrator for the role",
        )


def _locked(pk: int) -> Disclosure:
    found = Disclosure.objects.select_for_update().filter(pk=pk).first()
    if found is None:
        raise Refused("没有这份申请，或不在您的范围内", "no such request within your scope")
    return found


def _own(pk: int, by: Person) -> Disclosure:
    found = _locked(pk)
    if found.asked_by != by.username:
        raise Refused("只有申请人可以办理", "only who asked may do this")
    return found


def _sees_all(found: Disclosure) -> bool:
    """Whether the open scope sees every clue concerned; those out of sight are missing from both sides of the join."""
    with connection.cursor() as cursor:
        cursor.execute("select supervision_disclosure_whole(%s)", [found.pk])
        return bool(cursor.fetchone()[0])


def _plain(text: str, most: int) -> str:
    return without_identifiers(text.strip())[:most]


def _trace(
    action: str, found: Disclosure, by: Person, at: datetime, *, reason: str = "", **detail: Any
) -> None:
    record(
        at=at, actor=by.username, office=by.office_id, action=action, object_kind="disclosure",
        object_ref=str(found.pk), reason=reason, detail=detail,
    )  # fmt: skip
