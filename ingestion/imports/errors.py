"""The error receipt: the sender's own quarantined rows in the sender's own columns, with why and how to mend them."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any

from django.db import connection
from django.utils import timezone
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment, Font, PatternFill
from openpyxl.utils import get_column_letter

from chuxiong.vault import envelope
from chuxiong.vault.keys import keys
from ingestion.catalog.spec import FeedSpec
from ingestion.imports.columns import ADDED
from ingestion.imports.workbook import add_sheet, save
from ingestion.intake.normalising import Reason
from ingestion.intake.sealed_rows import may_be_sealed
from ingestion.models import Batch, Quarantine

_KIND = "\x01\x02"
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_FORMULA = tuple("=@\t\r\n＝＠")
_SIGNED = tuple("+-＋－")
_PLAIN_NUMBER = re.compile(r"[+\-＋－]?[\d０-９][\d０-９.,，．]*%?")
_LONGEST = 32_767  # characters of a cell
_HEAD = PatternFill("solid", fgColor="E9F0FA")
_BAD = PatternFill("solid", fgColor="F8D5D2")
_SAID = PatternFill("solid", fgColor="FFF4DE")


@dataclass(frozen=True)
class Row:
    """One quarantined row as it came: ``cells`` by header in the file's order, ``torn`` the raw line of a broken one."""

    number: int
    reasons: list[tuple[str, Reason]]
    cells: dict[str, str | None]
    torn: str = ""
    #: may stand under a seal: nothing of it is shown
    sealed: bool = False


def open_rows(batch: Batch, feed: FeedSpec) -> list[Row]:
    """The quarantined rows of a batch, opened. The caller has written down, in this transaction, that they are.

    A row that may stand under a seal (封存) is named by its number alone: its cells are empty.
    """
    with connection.cursor() as cursor:
        cursor.execute("select sealed, key_id from ingestion_quarantine_key(%s)", [batch.pk])
        sealed, key_id = cursor.fetchone()
    data_key = keys().unwrap(sealed, key_id, f"batch:{batch.pk}")
    found = []
    for row in Quarantine.objects.filter(batch=batch).order_by("row_no").iterator(chunk_size=2000):
        cells = json.loads(envelope.open_text(bytes(row.sealed), data_key, f"{batch.pk}:{row.row_no}"))
        sealed_row = may_be_sealed(feed, cells)
        torn = cells.pop("ragged", None) or ""
        if sealed_row:
            cells, torn = dict.fromkeys(cells), ""
        reasons = [(r["column"], Reason[r["reason"].upper()]) for r in row.reasons]
        found.append(Row(row.row_no, reasons, cells, torn, sealed_row))
    return found


def write_error_receipt(
    feed: FeedSpec, batch: Batch, rows: list[Row], out: IO[bytes], *, at: datetime
) -> None:
    """A workbook that its provider mends and sends back as it is: the added columns are not taken, nothing is a formula."""
    headers = list(dict.fromkeys(h for row in rows for h in row.cells))
    book = Workbook(write_only=True)
    sheet = add_sheet(book, "需更正的行")
    sheet.freeze_panes = "A2"
    for index, header in enumerate(headers, start=1):
        sheet.column_dimensions[get_column_letter(index)].width = min(34, max(12, 2 * len(header) + 2))
    for index, width in enumerate((12, 44, 48), start=len(headers) + 1):
        sheet.column_dimensions[get_column_letter(index)].width = width
    sheet.append([_cell(sheet, h, fill=_HEAD, bold=True) for h in (*headers, *ADDED)])
    for row in rows:
        sheet.append(_row(sheet, row, headers))
    _notes(book, feed, batch, rows, at)
    save(book, out)


def _row(sheet: Any, row: Row, headers: list[str]) -> list[Any]:
    bad = dict(row.reasons)
    cells = [
        _cell(sheet, _told(row.cells.get(h), bad.get(h)), fill=_BAD if h in bad else None) for h in headers
    ]
    why = [f"{column}：{reason.zh}" if column else reason.zh for column, reason in row.reasons]
    if row.torn and headers:
        # Its cells cannot be told apart: the line stands as it came in the first one.
        cells[0] = _cell(sheet, plain(row.torn), fill=_BAD)
    cures = dict.fromkeys(reason.cure for _, reason in row.reasons)
    said = [str(row.number), "；".join(why), "；".join(cures)]
    return cells + [_cell(sheet, text, fill=_SAID, wrap=True) for text in said]


def _told(raw: str | None, reason: Reason | None) -> str:
    """The sender's cell. A number that lost its digits stays one that nobody can take for whole: handed back as text
    it could pass its check by chance."""
    text = plain(raw)
    if reason is Reason.NUMERIC_ID:
        with contextlib.suppress(ValueError, OverflowError):
            return f"{float(text):.5E}"
    return text


def plain(raw: str | None) -> str:
    """A cell as the sender sees it: a whole number or day without the reader's mark of its kind."""
    if raw is None:
        return ""
    text = raw.lstrip(_KIND)
    return text.removesuffix(" 00:00:00") if raw.startswith(_KIND[1]) else text


def harmless(text: str) -> str:
    """An apostrophe before what a spreadsheet would compute; signs before plain numbers stay."""
    text = _CONTROL.sub("", text)[:_LONGEST]
    bare = text.lstrip()
    if bare.startswith(_FORMULA) or (bare.startswith(_SIGNED) and not _PLAIN_NUMBER.fullmatch(bare.strip())):
        return f"'{text}"
    return text


def _cell(
    sheet: Any, text: str, *, fill: PatternFill | None = None, bold: bool = False, wrap: bool = False
) -> Any:
    cell = WriteOnlyCell(sheet, harmless(text))
    # Text, in the file's type and in the cell's format: no digits are lost when it is edited and saved again.
    cell.data_type, cell.number_format = "s", "@"
    if fill:
        cell.fill = fill
    if bold:
        cell.font = Font(bold=True)
    if wrap:
        cell.alignment = Alignment(wrap_text=True, vertical="top")
    return cell


def _notes(book: Any, feed: FeedSpec, batch: Batch, rows: list[Row], at: datetime) -> None:
    sheet = add_sheet(book, "说明")
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 20, 90
    lines: Iterable[tuple[str, str]] = (
        ("用途", "本表是贵单位报送文件中未能入库的行，仅供更正后重新报送，不得转作他用。"),
        ("更正", "请在标红的单元格改正后，原样报送本表；末尾三列可以保留，不会被读取。"),
        ("数据源", f"{feed.title.zh}（{feed.code}）"),
        ("提供单位", feed.agency.zh),
        ("原文件", batch.file_name),
        ("文件摘要", f"SHA-256 {batch.digest}"),
        ("批次", str(batch.pk)),
        ("行数", f"本批接收 {batch.received} 行，其中 {len(rows)} 行未入库"),
        *(
            [("封存", "可能属于封存材料的行只列行号、列名和原因，请按行号在原文件中更正。")]
            if any(row.sealed for row in rows)
            else []
        ),
        ("生成时间", f"{timezone.localtime(at):%Y-%m-%d %H:%M}"),
    )
    for name, text in lines:
        sheet.append([_cell(sheet, name, bold=True), _cell(sheet, text, wrap=True)])
