"""A clue on one A4 sheet (线索一页纸): as full as fits, and what is left out is counted. Made when asked for, kept nowhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from supervision import selectors
from supervision.clues.actions import Refused
from supervision.documents import facts, filling, layout
from supervision.documents.fonts import NoFont
from supervision.documents.paper import Paper, read
from supervision.documents.pdf import measured, pdf_of
from supervision.documents.spec import kinds
from supervision.models import Clue

#: records, points and characters a line that are tried, the fullest first
_FULLNESS = (
    (16, 12, 400), (12, 10, 300), (8, 8, 200), (6, 6, 140), (4, 5, 100), (3, 4, 80), (2, 3, 60), (2, 2, 40), (1, 1, 20),
)  # fmt: skip
#: points left free at the foot: a browser's lines may run a little wider
_SLACK = 60


@dataclass(frozen=True)
class Sheet:
    detail: selectors.ClueDetail
    content: bytes
    made: datetime

    @property
    def paper(self) -> Paper:
        return read(self.content)

    def pdf(self) -> bytes:
        """Raises ``Refused`` where no font draws it."""
        try:
            return pdf_of(self.content, title=f"线索登记表 {self.detail.row.number}", made=self.made)
        except NoFont as fault:
            raise Refused(fault.zh, fault.en) from fault


def sheet_of(person: Person, number: str, *, at: datetime, form: str) -> Sheet | None:
    """The sheet as the person may see the clue, without numbers of persons; None outside the person's scope.

    Both the read of the clue and the sheet (with ``form``: page, docx, pdf) are on record.
    """
    detail = selectors.clue_detail(person, number, at=at, every_source=True)
    if detail is None:
        return None
    with person_scope(person):
        clue = Clue.objects.get(number=number)
        record(
            at=at, actor=person.username, office=person.office_id, action="clue.sheet", object_kind="clue",
            object_ref=number, detail={"form": form},
        )  # fmt: skip
    known = facts.facts_of(kinds()["sheet"], detail, clue, at=at)
    return Sheet(detail, fitted(known, confirmed=clue.confirmed_at is not None), at)


def fitted(known: facts.Facts, *, confirmed: bool) -> bytes:
    """The sheet as .docx, as full as one page takes."""
    template, header = kinds()["sheet"].template.read_bytes(), "" if confirmed else layout.CHECK_ONLY
    content = b""
    for records, points, characters in _FULLNESS:
        content = filling.fill(template, _shortened(known, records, points, characters), header=header)
        try:
            pages, left = measured(content)
        except NoFont:
            # The .docx and the page need no font of ours: they get what fits anywhere.
            continue
        if pages == 1 and left >= _SLACK:
            break
    return content


def _shortened(known: facts.Facts, records: int, points: int, characters: int) -> facts.Facts:
    most = {"证据清单": records, "法律依据": points, "核查要点": points, "查明事实": points}
    return {name: _cut(value, most.get(name, points), characters) for name, value in known.items()} | {
        name: "（无）"
        for name in ("核查结论", "责任单位", "行为日期", "核查要点", "法律依据", "证据清单", "承办人")
        if not known.get(name)
    }


def _cut(value: str | list[str], lines: int, characters: int) -> str | list[str]:
    if isinstance(value, str):
        rows = value.splitlines()
        return "\n".join(_cut(rows, lines, characters)) if len(rows) > 1 else _short(value, characters * 2)
    kept = [_short(line, characters) for line in value[:lines]]
    rest = len(value) - len(kept)
    return [*kept, f"（另有 {rest} 项，见线索页）"] if rest else kept


def _short(text: str, characters: int) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"
