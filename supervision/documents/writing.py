"""The only writer of documents: drafted, numbered as the national system has it, voided; taken, with numbers or without."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.vault.keys import keys
from supervision import selectors
from supervision.clues.actions import Refused
from supervision.documents import facts, filling, layout, reading
from supervision.documents.fonts import NoFont
from supervision.documents.paper import Paper, read
from supervision.documents.pdf import pdf_of
from supervision.documents.spec import OFFICIAL, Kind, kinds
from supervision.models import Clue, Document

Form = Literal["docx", "pdf", "page"]
VOID = "已作废"
#: characters in one blank
TYPED_MOST = 4000


class Missing(LookupError):
    """Clue or document does not exist or lies outside the person's sight."""


@dataclass(frozen=True)
class Taken:
    name: str
    content: bytes


def draft(*, by: Person, at: datetime, clue_number: str, kind: str, typed: dict[str, str]) -> Document:
    """Draft the next version of a document from the clue's facts and what the drafter wrote into its blanks.

    Raises ``Missing``, ``Refused``. Numbers of persons are kept as refs alone.
    """
    spec = kinds().get(kind)
    detail = selectors.clue_detail(by, clue_number, at=at, every_source=True, refs=True) if spec else None
    if spec is None or detail is None or spec.number == "none":
        raise Missing(clue_number)
    if hindered := reading.hindrance(spec, detail, by):
        raise hindered
    written = _written(spec, typed)
    with person_scope(by):
        # One after the other: two drafts at once are two versions.
        clue = Clue.objects.select_for_update().get(number=clue_number)
        last = Document.objects.filter(clue=clue, kind=kind).order_by("-version").first()
        known = facts.facts_of(spec, detail, clue, at=at)
        number = facts.own_number(spec, detail)
        check_only = clue.confirmed_at is None
        content = filling.fill(
            spec.template.read_bytes(),
            facts.merged(known, written) | ({"文书编号": number} if number else {}),
            header=reading.header(check_only, spec),
        )
        made = Document(
            clue=clue,
            kind=kind,
            kind_version=spec.version,
            version=last.version + 1 if last else 1,
            check_only=check_only,
            digest=hashlib.sha256(content).hexdigest(),
            blanks=filling.blanks_of(content),
            holds_refs=any(selectors.mentions_opened(t, {}) != t for t in filling.texts(content)),
            made_by=by.username,
            made_by_name=by.name,
            made_at=at,
        )
        if number:
            # The house's own number was given with the act itself.
            made.state, made.official_number = Document.State.ISSUED, number
            made.dated_on, made.numbered_by, made.numbered_at = timezone.localdate(at), by.username, at
        ring = keys()
        made.key_id = ring.current
        made.sealed = ring.wrap(content, reading.place(made, "file"))
        made.typed = ring.wrap(json.dumps(written, ensure_ascii=False).encode(), reading.place(made, "typed"))
        made.save()
        _trace(made, by, at, "document.draft", {"blanks": len(made.blanks)})
    return made


def _written(kind: Kind, typed: dict[str, str]) -> dict[str, str]:
    asked = {b.name for b in kind.blanks} | (reading.OPEN_FACTS.keys() & set(kind.placeholders))
    written = {n: t.replace("\r\n", "\n").strip() for n, t in typed.items() if n in asked and t.strip()}
    for name, text in written.items():
        if len(text) > TYPED_MOST:
            raise Refused(
                f"“{name}”超过 {TYPED_MOST} 字，请精简，或下载后在文档中补写",
                f"“{name}” has more than {TYPED_MOST} characters: shorten it, or complete it in the file",
            )
    return written


def number(
    *,
    by: Person,
    at: datetime,
    pk: int,
    official_number: str,
    approver: str,
    dated_on: date | None,
    case_number: str = "",
) -> Document:
    """Enter what the national business system gave the document: number, case, who approved it, its date."""
    if not official_number.strip() or not approver.strip() or dated_on is None:
        raise Refused(
            "请照全国检察业务应用系统填写文书编号、审批人和签发日期",
            "enter number, approver and date as in the national business system",
        )
    if dated_on > timezone.localdate(at):
        raise Refused("签发日期不能晚于今天", "the date cannot lie in the future")
    with person_scope(by):
        found = _locked(by, pk)
        if kinds()[found.kind].number != "official":
            raise Refused(
                "这种文书用本院自己的编号，不能另填", "it bears a number of our own: no other is entered"
            )
        if found.state != Document.State.DRAFT:
            raise Refused(
                "这份文书已经登记编号或已作废；需要改正时先作废，再起草新版本",
                "it has its number already or is void: void it and draft another version",
            )
        found.official_number, found.case_number = official_number.strip()[:60], case_number.strip()[:60]
        found.approver, found.dated_on = approver.strip()[:60], dated_on
        found.numbered_by, found.numbered_at, found.state = by.username, at, Document.State.ISSUED
        found.save()
        _trace(found, by, at, "document.number", {"number": found.official_number})
    return found


def void(*, by: Person, at: datetime, pk: int, reason: str) -> Document:
    """A draft given up, or a document withdrawn. The file stays."""
    if not reason.strip():
        raise Refused("请写明作废的理由", "say why it is void")
    with person_scope(by):
        found = _locked(by, pk)
        if found.state == Document.State.VOID:
            raise Refused("这份文书已经作废", "it is void already")
        found.state, found.void_reason = Document.State.VOID, reason.strip()[:200]
        found.voided_by, found.voided_at = by.username, at
        found.save()
        _trace(found, by, at, "document.void", {})
    return found


def take(*, by: Person, at: datetime, pk: int, form: Form, numbers: bool = False) -> Taken:
    """The document as .docx or .pdf; ``numbers`` opens the numbers of persons in it (a reason must have been given).

    The look is on record first. Raises ``Missing``, ``Refused``.
    """
    found, content = _ready(by, at, pk, form, numbers)
    kind = kinds()[found.kind]
    name = f"{kind.zh}-{found.clue.number}-第{found.version}版.{form}"
    if form != "pdf":
        return Taken(name, content)
    try:
        return Taken(name, pdf_of(content, title=f"{kind.zh} {found.clue.number}", made=found.made_at))
    except NoFont as fault:
        raise Refused(fault.zh, fault.en) from fault


def look(*, by: Person, at: datetime, pk: int) -> Paper:
    """The document as a page shows it, without numbers of persons; on record like any look."""
    return read(_ready(by, at, pk, "page", False)[1])


def _ready(by: Person, at: datetime, pk: int, form: Form, numbers: bool) -> tuple[Document, bytes]:
    with person_scope(by):
        found = Document.objects.filter(pk=pk).select_related("clue").first()
        if found is None or not by.may("clue.read"):
            raise Missing(str(pk))
        if not reading.may_read(by, found.clue, found):
            raise Refused(
                "文书含有姓名，只供起草人、承办人和部门负责人查看",
                "it bears names: open to its drafter, the clue's handler and the head of department",
            )
        _trace(found, by, at, "document.read", {"form": form, "numbers": numbers})
        opened: dict[str, str] = {}
        if numbers:
            shown = selectors.opened_numbers(by, found.clue.number, at=at)
            if shown is None:
                raise Refused(
                    "请先在线索页“查看完整号码”写明理由",
                    "give the reason on the clue's page first (full numbers)",
                )
            opened = shown
        content = reading.content_of(found)
        if hashlib.sha256(content).hexdigest() != found.digest:
            raise Refused("存档与登记的摘要不符", "the stored file does not match its digest")
    return found, filling.change(content, lambda text: _finished(text, found, opened))


def _finished(text: str, document: Document, numbers: dict[str, str]) -> str:
    """A run of the draft as it leaves: numbers opened or masked, what the national system gave entered, the header true."""
    text = reading.opened(text, numbers)
    entered: dict[str, Any] = {
        name: getattr(document, column) for name, column in OFFICIAL.items() if document.official_number
    }
    for name, value in entered.items():
        if value:
            said = facts.written(value) if isinstance(value, date) else str(value)
            text = text.replace(filling.blank(name), said)
    if text == layout.DRAFT and document.state == Document.State.VOID:
        return VOID
    # What has blanks still is a draft, whatever number it was given.
    if text == layout.DRAFT and document.state == Document.State.ISSUED and not document.open_blanks:
        return " "
    if text == layout.CHECK_ONLY and document.state == Document.State.VOID:
        return f"{text}　{VOID}"
    return text


def _locked(by: Person, pk: int) -> Document:
    found = Document.objects.select_for_update(of=("self",)).select_related("clue").filter(pk=pk).first()
    if found is None or not by.may("clue.read"):
        raise Missing(str(pk))
    if not reading.may_act(by, found.clue, kinds()[found.kind]):
        raise Refused("由承办人或部门负责人办理", "for the clue's handler or the head of department")
    return found


def _trace(document: Document, by: Person, at: datetime, action: str, detail: dict[str, Any]) -> None:
    record(
        at=at,
        actor=by.username,
        office=by.office_id,
        action=action,
        object_kind="document",
        object_ref=f"{document.clue.number} {document.kind} {document.version}",
        detail=detail,
    )
