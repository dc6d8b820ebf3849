"""A ledger of counts as a workbook: text stays text, counts are numbers, nothing is a formula."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO

from django.utils import timezone
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.kit.spreadsheet import harmless

_EDGE = Border(*(Side(style="thin", color="C7CED8"),) * 4)


def workbook(
    by: Person,
    *,
    at: datetime,
    title: str,
    note: str,
    head: Sequence[str],
    rows: Sequence[Sequence[str | int]],
    last_is_total: bool = True,
) -> bytes:
    """``rows`` under ``head``; the first cell of a row names it. The export is on record."""
    with person_scope(by):
        record(
            at=at, actor=by.username, office=by.office_id, action="trend.export", object_kind="queue", object_ref="",
            detail={"title": title, "note": note, "rows": len(rows)},
        )  # fmt: skip
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title[:31])
    sheet.column_dimensions["A"].width = 34
    for n in range(2, len(head) + 1):
        sheet.column_dimensions[get_column_letter(n)].width = 13
    sheet.freeze_panes = "B4"
    sheet.print_title_rows = "1:3"
    sheet.page_setup.orientation, sheet.page_setup.paperSize = "landscape", 9
    sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = 1, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    sheet.oddFooter.center.text = "第 &P 页，共 &N 页"

    def cell(
        value: str | int, *, bold: bool = False, size: int = 10, edged: bool = True, filled: bool = False
    ) -> WriteOnlyCell:
        made = WriteOnlyCell(sheet, value if isinstance(value, int) else harmless(value))
        if isinstance(value, str):
            made.data_type, made.number_format = "s", "@"
        else:
            made.number_format = "#,##0"
        made.font = Font(bold=bold, size=size)
        if edged:
            made.border, made.alignment = (
                _EDGE,
                Alignment(vertical="center", wrap_text=isinstance(value, str)),
            )
        if filled:
            made.fill = PatternFill("solid", fgColor="E9EEF5")
        return made

    sheet.append([cell(title, bold=True, size=14, edged=False)])
    stamp = f"{by.office.name_zh}　{by.name}　{timezone.localtime(at):%Y-%m-%d %H:%M}"
    sheet.append([cell(f"{stamp}　{note}", edged=False)])
    sheet.append([cell(words, bold=True, filled=True) for words in head])
    for n, row in enumerate(rows, 1):
        total = last_is_total and n == len(rows)
        sheet.append([cell(value, bold=total, filled=total) for value in row])
    out = BytesIO()
    book.save(out)
    return out.getvalue()
