"""The checking list (核查清单) as a workbook: written out, and read back line by line. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.datavalidation import DataValidation

from chuxiong.kit.spreadsheet import harmless

#: header, width in characters; the answers stand in the last four
COLUMNS: tuple[tuple[str, int], ...] = (
    ("序号", 6),
    ("线索号", 18),
    ("事项", 34),
    ("承办院", 10),
    ("数据来源", 18),
    ("来源单位主键", 24),
    ("事实", 44),
    ("核查结果", 12),
    ("查否原因", 14),
    ("核查说明", 36),
    ("核查人", 12),
)
_ANSWERS = {"核查结果", "查否原因", "核查说明", "核查人"}
_HEADER_ROW = 4
_EDGE = Border(*(Side(style="thin", color="C7CED8"),) * 4)


@dataclass(frozen=True)
class Line:
    """One clue on the list, all in words."""

    number: str
    title: str
    office: str
    source: str
    key: str
    facts: str


@dataclass(frozen=True)
class Answer:
    """One line as it came back. ``finding`` and ``reason`` are codes; "" when left empty."""

    row_no: int
    number: str
    finding: str
    reason: str
    note: str
    checker: str
    #: what is wrong with the line, in both languages; empty when nothing is
    wrong: tuple[str, str] = ("", "")


def write(
    number: str,
    lines: Sequence[Line],
    *,
    made: datetime,
    by: str,
    findings: Mapping[str, str],
    reasons: Mapping[str, str],
) -> bytes:
    """The list as .xlsx. ``findings`` and ``reasons``: code → word, offered as drop-downs."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None  # noqa: S101  a fresh workbook has its sheet
    sheet.title = "核查清单"
    last = get_column_letter(len(COLUMNS))
    for row, text in enumerate(
        (
            f"核查清单　{number}　线索材料 仅供核查",
            f"{by}　{made:%Y-%m-%d %H:%M}　共 {len(lines)} 条",
            "只填右边四列：核查结果、查否原因（查否时必填）、核查说明（必填）、核查人。不要改动线索号；填好后在“核查清单”页面上传。",
        ),
        1,
    ):
        sheet.merge_cells(f"A{row}:{last}{row}")
        sheet.cell(row, 1, text).font = Font(bold=row == 1, size=14 if row == 1 else 10)
    for column, (header, width) in enumerate(COLUMNS, 1):
        cell = sheet.cell(_HEADER_ROW, column, header)
        cell.font, cell.border = Font(bold=True), _EDGE
        cell.fill = PatternFill("solid", fgColor="FFF4DE" if header in _ANSWERS else "E9EEF5")
        sheet.column_dimensions[get_column_letter(column)].width = width
    for index, line in enumerate(lines, 1):
        values = (index, line.number, line.title, line.office, line.source, line.key, line.facts)
        for column in range(1, len(COLUMNS) + 1):
            cell = sheet.cell(_HEADER_ROW + index, column)
            if column <= len(values):
                value = values[column - 1]
                cell.value = harmless(value) if isinstance(value, str) else value
            cell.border = _EDGE
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    for header, words in (("核查结果", findings), ("查否原因", reasons)):
        letter = get_column_letter([h for h, _ in COLUMNS].index(header) + 1)
        choice = DataValidation(type="list", formula1=f'"{",".join(words.values())}"', allow_blank=True)
        choice.error, choice.errorTitle = "请从下拉列表中选择", header
        sheet.add_data_validation(choice)
        choice.add(f"{letter}{_HEADER_ROW + 1}:{letter}{_HEADER_ROW + max(1, len(lines))}")
    sheet.freeze_panes = f"C{_HEADER_ROW + 1}"
    sheet.print_title_rows = f"{_HEADER_ROW}:{_HEADER_ROW}"
    sheet.page_setup.orientation, sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = (
        "landscape",
        1,
        0,
    )
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def answers(
    rows: Iterable[Mapping[str, object]], *, findings: Mapping[str, str], reasons: Mapping[str, str]
) -> list[Answer]:
    """What came back, one answer a line; lines without clue number and without answer are passed over.

    ``rows``: cells as text by header, with ``row_no``. What is wrong with a line is said, and the others stand.
    """
    by_word = {word: code for code, word in findings.items()}
    reason_by_word = {word: code for code, word in reasons.items()}
    found: list[Answer] = []
    seen: dict[str, int] = {}
    for row in rows:
        number, result, reason, note, checker = (
            str(row.get(header) or "").strip()
            for header in ("线索号", "核查结果", "查否原因", "核查说明", "核查人")
        )
        row_no = int(str(row["row_no"]))
        if not number and not result:
            continue
        wrong = ("", "")
        if number in seen:
            wrong = (f"与第 {seen[number]} 行是同一条线索", f"the same clue as row {seen[number]}")
        elif result and result not in by_word:
            wrong = (f"核查结果“{result[:20]}”不在列表中", f"“{result[:20]}” is no result of the list")
        elif reason and reason not in reason_by_word:
            wrong = (f"查否原因“{reason[:20]}”不在列表中", f"“{reason[:20]}” is no reason of the list")
        elif result and not note:
            wrong = ("缺核查说明", "the note is missing")
        elif by_word.get(result) == "unfounded" and not reason:
            wrong = ("查否须选择原因", "choose a reason for “unfounded”")
        elif reason and by_word.get(result) != "unfounded":
            wrong = ("只有查否才填查否原因", "a reason goes with “unfounded” alone")
        seen.setdefault(number, row_no)
        found.append(
            Answer(row_no, number, by_word.get(result, ""), reason_by_word.get(reason, ""), note[:2000], checker[:60], wrong)
        )  # fmt: skip
    return found
