"""The ledger of clues (线索台账) as a workbook: columns chosen and kept by each person, cells that stay text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from io import BytesIO

from django.db.models import QuerySet
from django.utils import timezone
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter

from chuxiong.accounts.models import Department, Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.kit.spreadsheet import harmless
from supervision import selectors
from supervision.clues.actions import Refused
from supervision.clues.lifecycle import ORIGIN_WORDS, STATE_WORDS, State
from supervision.documents.facts import LEVELS
from supervision.documents.layout import CHECK_ONLY
from supervision.models import Clue, Document, LedgerChoice
from supervision.reference import REFERENCE

_EDGE = Border(*(Side(style="thin", color="C7CED8"),) * 4)


@dataclass(frozen=True)
class Column:
    code: str
    zh: str
    en: str
    #: in characters
    width: int
    usual: bool = True


COLUMNS = (
    Column("number", "线索号", "Clue", 17),
    Column("title", "事项", "Matter", 40),
    Column("level", "级别", "Level", 8),
    Column("state", "状态", "State", 10),
    Column("office", "承办院", "Office", 12),
    Column("department", "承办部门", "Department", 16, False),
    Column("handler", "承办人", "Handler", 10),
    Column("origin", "来源", "Origin", 10),
    Column("rule", "规则", "Model", 22),
    Column("sources", "数据来源", "Data sources", 30, False),
    Column("place", "发生地", "Place", 14),
    Column("responsible", "责任单位", "Responsible agency", 24),
    Column("raised", "发现日期", "Raised", 12),
    Column("due", "期限", "Due", 12),
    Column("checked", "核查日期", "Checked", 12, False),
    Column("confirmed", "查实日期", "Confirmed", 12),
    Column("documents", "文书编号", "Official numbers", 30),
    Column("letters", "反馈函", "Letters", 26, False),
    Column("outcome", "处理结果", "Outcome", 16),
    Column("kind", "结果种类", "Kind of outcome", 14, False),
    Column("settled", "办结日期", "Settled", 12),
)
_BY_CODE = {c.code: c for c in COLUMNS}
_OUTCOMES = {"corrected": "依法监督纠正", "improved": "反馈并帮助改进"}
_FIRST_ROW = 4


@dataclass(frozen=True)
class Asked:
    """What the ledger holds: clues raised from–to (both days included), of these states and offices; empty means all."""

    since: date
    until: date
    states: tuple[str, ...] = ()
    offices: tuple[str, ...] = ()


def chosen(person: Person) -> list[Column]:
    """The person's columns in their order; the usual ones until some were chosen."""
    with person_scope(person):
        kept = LedgerChoice.objects.filter(person=person.username).values_list("columns", flat=True).first()
    known = [_BY_CODE[code] for code in kept or () if code in _BY_CODE]
    return known or [c for c in COLUMNS if c.usual]


def moved(codes: Sequence[str], code: str, by: int) -> list[str]:
    """The columns with one moved by so many places, never beyond an end; as they were when it is not among them."""
    found = list(codes)
    if code in found:
        place = found.index(code)
        found.insert(max(0, min(len(found) - 1, place + by)), found.pop(place))
    return found


def choose(*, by: Person, at: datetime, codes: Sequence[str]) -> list[Column]:
    """Keep the columns for the next time. Raises ``Refused`` when none or an unknown one is named."""
    wanted = list(dict.fromkeys(codes))
    if not wanted or any(code not in _BY_CODE for code in wanted):
        raise Refused("请至少选择一列", "choose at least one column")
    with person_scope(by):
        kept, made = LedgerChoice.objects.get_or_create(
            person=by.username, defaults={"columns": wanted, "updated_at": at}
        )
        if not made:
            kept.columns, kept.updated_at = wanted, at
            kept.save()
    return [_BY_CODE[code] for code in wanted]


def count(person: Person, asked: Asked) -> int:
    """How many clues the ledger would hold."""
    with person_scope(person):
        return _found(asked).count()


def workbook(*, by: Person, at: datetime, asked: Asked, columns: Sequence[Column]) -> bytes:
    """The ledger as .xlsx, in the order of the clues' numbers; on record. Titles stand as the person may read them.

    Raises ``Refused`` when the period holds more clues than one ledger takes, or none.
    """
    most = REFERENCE.ledger.clues_most.value
    with person_scope(by):
        clues = list(_found(asked).order_by("number")[: most + 1])
        if len(clues) > most:
            raise Refused(
                f"超过 {most} 条，请缩短起止日期或按县市分别导出",
                f"more than {most} clues: narrow the period or the offices",
            )
        if not clues:
            raise Refused("这段时间没有线索", "no clue in this period")
        issued: dict[int, list[str]] = {}
        for clue_id, number in (
            Document.objects.filter(clue__in=clues, state=Document.State.ISSUED)
            .order_by("pk")
            .values_list("clue_id", "official_number")
        ):
            issued.setdefault(clue_id, []).append(number)
        letters: dict[int, list[str]] = {}
        for clue in (
            Clue.objects.filter(pk__in=[c.pk for c in clues], letters__isnull=False)
            .distinct()
            .prefetch_related("letters")
        ):
            letters[clue.pk] = [letter.number for letter in clue.letters.all()]
        record(
            at=at, actor=by.username, office=by.office_id, action="ledger.read", object_kind="queue", object_ref="",
            detail={
                "from": asked.since.isoformat(), "to": asked.until.isoformat(), "clues": len(clues),
                "columns": [c.code for c in columns],
            },
        )  # fmt: skip
    titles = selectors.titles_of(by, clues)
    people = dict(
        Person.objects.filter(username__in={c.handler for c in clues if c.handler}).values_list(
            "username", "name"
        )
    )
    departments = {(d.office_id, d.code): d.name_zh for d in Department.objects.all()}
    rows = [
        _row(c, titles, people, issued, letters)
        | {"department": departments.get((c.office, c.department), c.department)}
        for c in clues
    ]
    unconfirmed = any(c.confirmed_at is None for c in clues)
    return _book(rows, columns, asked, by, at, unconfirmed)


def _found(asked: Asked) -> QuerySet[Clue]:
    start = timezone.make_aware(datetime.combine(asked.since, time.min))
    end = timezone.make_aware(datetime.combine(asked.until, time.min)) + timedelta(days=1)
    found = Clue.objects.filter(raised_at__gte=start, raised_at__lt=end)
    if asked.states:
        found = found.filter(state__in=asked.states)
    if asked.offices:
        found = found.filter(office__in=asked.offices)
    return found


def _row(
    clue: Clue,
    titles: dict[str, tuple[str, str]],
    people: dict[str, str],
    issued: dict[int, list[str]],
    letters: dict[int, list[str]],
) -> dict[str, str]:
    title, office = titles[clue.number]
    rule = selectors.rulebook().get(clue.rule)
    kinds = REFERENCE.outcome_kinds.get(clue.outcome or "", {})
    return {
        "number": clue.number,
        "title": title,
        "level": LEVELS.get(clue.level, clue.level),
        "state": STATE_WORDS[State(clue.state)].zh,
        "office": office,
        "handler": people.get(clue.handler, clue.handler),
        "origin": ORIGIN_WORDS[clue.origin][0],
        "rule": f"{rule.code} {rule.title.zh}" if rule else "",
        "sources": "、".join(selectors.source_titles(clue)),
        "place": clue.township,
        "responsible": clue.responsible_zh,
        "raised": _day(clue.raised_at),
        "due": clue.due_on.isoformat() if clue.due_on else "",
        "checked": _day(clue.checked_at),
        "confirmed": _day(clue.confirmed_at),
        "documents": "；".join(issued.get(clue.pk, ())),
        "letters": "；".join(letters.get(clue.pk, ())),
        "outcome": _OUTCOMES.get(clue.outcome or "", ""),
        "kind": kinds[clue.kind].zh if clue.kind in kinds else "",
        "settled": _day(clue.settled_at),
    }


def _day(at: datetime | None) -> str:
    return timezone.localdate(at).isoformat() if at else ""


def _book(
    rows: list[dict[str, str]],
    columns: Sequence[Column],
    asked: Asked,
    by: Person,
    at: datetime,
    unconfirmed: bool,
) -> bytes:
    """Every cell text: numbers of documents and dates stay as written, and nothing is a formula."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("线索台账")
    for n, column in enumerate(columns, 1):
        sheet.column_dimensions[get_column_letter(n)].width = column.width
    sheet.freeze_panes = f"B{_FIRST_ROW}"
    last = get_column_letter(len(columns))
    sheet.auto_filter.ref = f"A{_FIRST_ROW - 1}:{last}{_FIRST_ROW - 1 + len(rows)}"
    sheet.print_title_rows = f"1:{_FIRST_ROW - 1}"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.oddHeader.center.text = CHECK_ONLY if unconfirmed else "线索台账"
    sheet.oddFooter.center.text = "第 &P 页，共 &N 页"

    def cell(
        text: str, *, bold: bool = False, size: int = 10, edged: bool = True, filled: bool = False
    ) -> WriteOnlyCell:
        made = WriteOnlyCell(sheet, harmless(text))
        made.data_type, made.number_format = "s", "@"
        made.font = Font(bold=bold, size=size)
        if edged:
            made.border, made.alignment = _EDGE, Alignment(wrap_text=True, vertical="top")
        if filled:
            made.fill = PatternFill("solid", fgColor="E9EEF5")
        return made

    note = f"　{CHECK_ONLY}" if unconfirmed else ""
    sheet.append([cell(f"线索台账{note}", bold=True, size=14, edged=False)])
    made = f"{by.office.name_zh}　{by.name}　{timezone.localtime(at):%Y-%m-%d %H:%M}"
    sheet.append([cell(f"{made}　发现日期 {asked.since} 至 {asked.until}　共 {len(rows)} 条", edged=False)])
    sheet.append([cell(c.zh, bold=True, filled=True) for c in columns])
    for row in rows:
        sheet.append([cell(row[c.code]) for c in columns])
    out = BytesIO()
    book.save(out)
    return out.getvalue()
