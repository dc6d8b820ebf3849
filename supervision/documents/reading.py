"""What a person may see and do of a clue's documents."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime

from cryptography.exceptions import InvalidTag

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.vault.keys import keys
from ingestion.catalog.seals import shut
from supervision import selectors
from supervision.clues.actions import Refused
from supervision.clues.lifecycle import STATE_WORDS, State
from supervision.documents import facts, filling, layout
from supervision.documents.paper import Paper, read
from supervision.documents.spec import FACTS, Blank, Kind, kinds
from supervision.models import Clue, Document

#: facts that the drafter may word otherwise: whom it goes to, and how long they have
OPEN_FACTS = {
    "受文单位": ("受文单位", "Addressee"),
    "回复期限": ("回复期限", "Term for the reply"),
}


@dataclass(frozen=True)
class Offer:
    """A kind that fits the clue's present step; ``drafted`` when a version of it stands."""

    kind: Kind
    drafted: bool


@dataclass(frozen=True)
class Listed:
    document: Document
    kind: Kind


@dataclass(frozen=True)
class Panel:
    """The documents of one clue."""

    offers: list[Offer]
    documents: list[Listed]
    #: the clue is being acted on and no track was chosen, so that no legal document fits
    choose_track: bool


@dataclass(frozen=True)
class Input:
    """One blank as the form asks for it."""

    name: str
    zh: str
    en: str
    value: str
    #: holds more than a line
    long: bool


@dataclass(frozen=True)
class Preview:
    """A draft as it would come out."""

    kind: Kind
    detail: selectors.ClueDetail
    paper: Paper
    inputs: list[Input]
    #: names of facts that the clue does not hold, to be completed in the file
    missing: list[str]
    next_version: int
    refused: Refused | None


@dataclass(frozen=True)
class Found:
    """One document, and what the person may do with it."""

    document: Document
    kind: Kind
    clue: Clue
    title_zh: str
    may_read: bool
    may_number: bool
    may_void: bool
    #: numbers of persons may be opened in it now; or once a reason is given on the clue's page
    numbers: bool
    numbers_after_reason: bool
    versions: list[Document]


def panel(person: Person, detail: selectors.ClueDetail) -> Panel:
    """The documents of a clue that the person sees; one query."""
    with person_scope(person):
        found = list(Document.objects.filter(clue__number=detail.row.number).defer("sealed", "typed"))
    standing = {d.kind for d in found if d.state != Document.State.VOID}
    fitting = [k for k in kinds().values() if k.number != "none" and hindrance(k, detail, person) is None]
    return Panel(
        [Offer(k, k.code in standing) for k in fitting],
        [Listed(d, kinds()[d.kind]) for d in found if d.kind in kinds()],
        detail.row.state in (State.CONFIRMED, State.ACTED)
        and not any(t.ended_on is None for t in detail.tracks)
        and person.may("clue.act"),
    )


def hindrance(kind: Kind, detail: selectors.ClueDetail, person: Person) -> Refused | None:
    """Why the person cannot draft such a document now; None when nothing stands in the way."""
    if not person.may(kind.permission):
        return Refused(f"您的角色不能起草{kind.zh}", f"your roles do not allow drafting: {kind.en}")
    if kind.by_handler and detail.handler not in ("", person.username) and not person.may("clue.hand_over"):
        return Refused(
            f"这条线索由{detail.handler_name}承办，由承办人起草",
            f"{detail.handler_name} handles this clue and drafts its documents",
        )
    if detail.row.state not in kind.states:
        words = STATE_WORDS[State(detail.row.state)]
        return Refused(
            f"线索“{words.zh}”时不起草{kind.zh}",
            f"not drafted while the clue stands at “{words.en}”: {kind.en}",
        )
    if kind.on_track and not _on_track(kind, detail):
        return Refused(
            f"现在的办理轨道没有到“{kind.zh}”这一步；先选择轨道、登记前面的步骤",
            f"the track has no step for it now ({kind.en}): choose the track and enter the steps before it",
        )
    if kind.number in ("order", "letter") and not facts.own_number(kind, detail):
        return Refused(
            "还没有交办" if kind.number == "order" else "还没有反馈；先在右栏“反馈单位”",
            "not dispatched yet" if kind.number == "order" else "no feedback yet: feed back first",
        )
    return None


def _on_track(kind: Kind, detail: selectors.ClueDetail) -> bool:
    return any(
        kind.code
        in {s.document for s in track.open} | {s.step.document for s in track.steps if not s.struck_reason}
        for track in detail.tracks
        if track.ended_on is None
    )


def preview(
    person: Person, number: str, code: str, typed: dict[str, str] | None, *, at: datetime
) -> Preview | None:
    """A draft as it would come out; None when clue or kind is not there for the person. Leaves the audit row of a read.

    ``typed`` None: what was written into the last version stands again.
    """
    kind = kinds().get(code)
    detail = selectors.clue_detail(person, number, at=at, every_source=True, refs=True) if kind else None
    if kind is None or detail is None:
        return None
    with person_scope(person):
        clue = Clue.objects.get(number=number)
        last = Document.objects.filter(clue=clue, kind=code).order_by("-version").first()
    written = (
        typed if typed is not None else (typed_in(last) if last and may_read(person, clue, last) else {})
    )
    known = facts.facts_of(kind, detail, clue, at=at)
    if kind.number in ("order", "letter"):
        known |= {"文书编号": facts.own_number(kind, detail)}
    content = filling.fill(
        kind.template.read_bytes(),
        facts.merged(known, written),
        header=header(clue.confirmed_at is None, kind),
    )
    asked = [*_open_facts(kind), *kind.blanks]
    return Preview(
        kind=kind,
        detail=detail,
        paper=read(filling.change(content, lambda text: opened(text, {}))),
        inputs=[_input(b, written.get(b.name, "") or _said(known.get(b.name, ""))) for b in asked],
        missing=[n for n in filling.blanks_of(content) if n in FACTS and n not in {b.name for b in asked}],
        next_version=last.version + 1 if last else 1,
        refused=hindrance(kind, detail, person),
    )


def _open_facts(kind: Kind) -> list[Blank]:
    return [Blank(name=n, zh=zh, en=en) for n, (zh, en) in OPEN_FACTS.items() if n in kind.placeholders]


def _input(asked: Blank, value: str) -> Input:
    return Input(asked.name, asked.zh, asked.en, value, asked.name not in OPEN_FACTS)


def _said(value: str | list[str]) -> str:
    return value if isinstance(value, str) else "\n".join(value)


def one(person: Person, pk: int, *, at: datetime) -> Found | None:
    """One document within the person's sight; None otherwise."""
    with person_scope(person):
        document = Document.objects.filter(pk=pk).select_related("clue").first()
        if document is None or not person.may("clue.read"):
            return None
        clue = document.clue
        versions = list(
            Document.objects.filter(clue=clue, kind=document.kind)
            .defer("sealed", "typed")
            .order_by("-version")
        )
        given = clue.unmaskings.filter(person=person.username, at__gt=at - selectors.REASON_HOLDS).exists()
    kind = kinds()[document.kind]
    acts = may_act(person, clue, kind)
    opens = document.holds_refs and selectors.may_open(clue, person) and may_read(person, clue, document)
    title, _office = selectors.titles_of(person, [clue])[clue.number]
    return Found(
        document=document,
        kind=kind,
        clue=clue,
        title_zh=title,
        may_read=may_read(person, clue, document),
        may_number=acts and kind.number == "official" and document.state == Document.State.DRAFT,
        may_void=acts and document.state != Document.State.VOID,
        numbers=opens and given,
        numbers_after_reason=opens and not given,
        versions=versions,
    )


def may_act(person: Person, clue: Clue, kind: Kind) -> bool:
    """Number and void: like drafting, by the handler or who may hand clues over."""
    mine = clue.handler in ("", person.username) or person.may("clue.hand_over") or not kind.by_handler
    return person.may(kind.permission if kind.number != "order" else "clue.dispatch") and mine


def may_read(person: Person, clue: Clue, document: Document) -> bool:
    """A document bears names: its drafter, the handler, who answers for the office's clues, and whom the clue waits for.

    Nobody against whom material of the clue is sealed.
    """
    if clue.seals and shut(clue.seals, person.department.code if person.department else ""):
        return False
    own = person.username in (document.made_by, clue.handler)
    return own or person.may("clue.hand_over") or selectors.knows_names(person, clue)


def header(check_only: bool, kind: Kind) -> str:
    return layout.CHECK_ONLY if check_only else layout.DRAFT if kind.number == "official" else ""


def opened(text: str, numbers: dict[str, str]) -> str:
    """A text with its refs turned into numbers, or into the mask where there are none."""
    return selectors.mentions_opened(text, numbers)


def place(document: Document, part: str) -> str:
    """What the sealed bytes are bound to: they open nowhere else."""
    return f"document:{document.clue_id}:{document.kind}:{document.version}:{part}"


def content_of(document: Document) -> bytes:
    """The .docx as drafted. Callers leave an audit row first."""
    return _unsealed(document, document.sealed, "file")


def typed_in(document: Document) -> dict[str, str]:
    """What the drafter wrote into its blanks."""
    found = json.loads(_unsealed(document, document.typed, "typed"))
    return {str(name): str(text) for name, text in found.items()}


def _unsealed(document: Document, box: bytes | memoryview[int], part: str) -> bytes:
    try:
        return keys().unwrap(bytes(box), document.key_id, place(document, part))
    except (InvalidTag, KeyError) as fault:
        raise Refused(
            "这份文书的存档打不开（密钥不符或已被改动），请联系系统管理员",
            "the stored file of this document does not open (wrong key or altered): ask the system administrator",
        ) from fault
