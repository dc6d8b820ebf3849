"""Audit rows as a file. Cells are text: nothing a person typed becomes a formula in anybody's spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from typing import IO

from django.utils import timezone
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell

from chuxiong.audit.selectors import Event
from chuxiong.kit.spreadsheet import harmless

HEADERS = {
    "zh": ("编号", "时间", "人员", "院", "行为", "对象类型", "对象", "事由", "目的", "地址", "设备", "会话", "说明"),
    "en": (
        "No.", "Time", "Person", "Office", "Action", "Kind of object", "Object", "Reason", "Purpose", "Address", "Device",
        "Session", "Detail",
    ),
}  # fmt: skip


def write_csv(events: Iterator[Event], out: IO[bytes], language: str) -> None:
    """UTF-8 with a mark, so that spreadsheets read the Chinese."""
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(HEADERS[language])
    for event in events:
        writer.writerow([harmless(cell) for cell in _cells(event)])
    text.detach()


def write_xlsx(events: Iterator[Event], out: IO[bytes], language: str) -> None:
    book = Workbook(write_only=True)
    sheet = book.create_sheet("审计" if language == "zh" else "Audit")
    sheet.freeze_panes = "A2"
    sheet.append(list(HEADERS[language]))
    for event in events:
        row = []
        for text in _cells(event):
            cell = WriteOnlyCell(sheet, harmless(text))
            cell.data_type = "s"
            row.append(cell)
        sheet.append(row)
    book.save(out)


def _cells(event: Event) -> tuple[str, ...]:
    return (
        str(event.id),
        f"{timezone.localtime(event.at):%Y-%m-%d %H:%M:%S}",
        event.actor,
        event.office,
        event.action,
        event.object_kind,
        event.object_ref,
        event.reason,
        event.purpose,
        event.ip,
        event.device,
        event.session,
        json.dumps(event.detail, ensure_ascii=False) if event.detail else "",
    )
