"""The provider's own failed rows as a spreadsheet, sealed under the vault's keys until somebody may open it.

Each line refers back by the provider's own row number and key: cells as the provider wrote them, nothing of ours and
nothing of any other provider. Records sealed by law (封存) are named by row number alone.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font, PatternFill

from chuxiong.kit.spreadsheet import harmless
from chuxiong.vault import envelope
from chuxiong.vault.keys import keys
from ingestion.catalog.spec import FeedSpec
from ingestion.intake.normalising import Reason
from ingestion.intake.receive import data_key_of
from ingestion.intake.sealed_rows import may_be_sealed, whole
from ingestion.models import Batch, DataTicket, Quarantine

_FAULT = PatternFill("solid", fgColor="FFF3D1")
_HEAD = Font(bold=True)
_WIDTHS = {"行号": 8, "列": 18, "您单位填写": 24, "问题": 30, "如何更正": 40}


def seal(ticket: DataTicket, content: bytes) -> tuple[bytes, str]:
    """(sealed, key id): bound to the ticket, so that it opens nowhere else."""
    ring = keys()
    return ring.wrap(content, f"ticket:{ticket.pk}"), ring.current


def opened(ticket: DataTicket) -> bytes:
    """The spreadsheet of a ticket. Callers leave an audit row first."""
    return keys().unwrap(bytes(ticket.sealed or b""), ticket.key_id, f"ticket:{ticket.pk}")


def of_quarantine(batch: Batch, feed: FeedSpec, most: int) -> tuple[bytes, int]:
    """(.xlsx, rows of the file told about) of the batch's quarantine, in the order of the file, at most ``most`` rows."""
    rows = list(
        Quarantine.objects.using("intake")
        .filter(batch=batch)
        .order_by("row_no")
        .values_list("row_no", "reasons", "sealed")[:most]
    )
    closed = whole(feed)
    data_key = b"" if closed else data_key_of(batch)
    told: list[tuple[int, list[dict[str, str]], dict[str, str]]] = []
    for row_no, reasons, box in rows:
        cells = {}
        if not closed:
            original = json.loads(envelope.open_text(bytes(box), data_key, f"{batch.pk}:{row_no}"))
            cells = {} if may_be_sealed(feed, original) else _cells(original)
        told.append((row_no, reasons, cells))
    return _book(feed, told, closed), len(rows)


def _cells(original: dict[str, Any]) -> dict[str, str]:
    """The row as the provider wrote it; the mark of a cell's kind is ours and falls away."""
    return {
        header: str(value).lstrip("\x01\x02")
        for header, value in original.items()
        if value is not None and header != "ragged"
    }


def _book(
    feed: FeedSpec, told: Iterable[tuple[int, list[dict[str, str]], dict[str, str]]], closed: bool
) -> bytes:
    own = [] if closed else [feed.column(name) for name in feed.natural_key]
    head = [
        "行号",
        *(c.headers[0] for c in own),
        "列",
        *([] if closed else ["您单位填写"]),
        "问题",
        "如何更正",
    ]
    book = Workbook(write_only=True)
    sheet = book.create_sheet("待更正")
    for index, name in enumerate(head):
        sheet.column_dimensions[chr(65 + index) if index < 26 else "Z"].width = _WIDTHS.get(name, 20)
    sheet.freeze_panes = "B2"
    line = []
    for name in head:
        cell = WriteOnlyCell(sheet, harmless(name))
        cell.font = _HEAD
        line.append(cell)
    sheet.append(line)
    for row_no, reasons, cells in told:
        keys_ = [next((cells[h] for h in c.headers if h in cells), "") for c in own]
        for fault in reasons:
            reason = Reason[fault["reason"].upper()]
            column = fault["column"] or ""
            texts = [*keys_, column, *([] if closed else [cells.get(column, "")]), reason.zh, reason.cure]
            line = [WriteOnlyCell(sheet, row_no)]
            for place, text in enumerate(texts):
                cell = WriteOnlyCell(sheet, harmless(text))
                cell.data_type = "s"
                if not closed and place == len(own) + 1:
                    cell.fill = _FAULT
                line.append(cell)
            sheet.append(line)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
