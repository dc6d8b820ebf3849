"""The records of a letter as a workbook: text cells only, and the clause that lets each source leave."""

from __future__ import annotations

import io
import json

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Font

from chuxiong.kit.spreadsheet import harmless


def workbook(content: bytes) -> bytes:
    """A sheet a source; ``content`` is the JSON that the interface gives."""
    book = Workbook(write_only=True)
    for n, source in enumerate(json.loads(content)["sources"], 1):
        sheet = book.create_sheet(f"{n} {source['title_zh']}"[:28])
        sheet.freeze_panes = "A3"

        def row(texts: list[str], bold: bool = False, sheet=sheet) -> None:  # type: ignore[no-untyped-def]
            cells = []
            for text in texts:
                cell = WriteOnlyCell(sheet, harmless(text))
                cell.data_type, cell.font = "s", Font(bold=bold)
                cells.append(cell)
            sheet.append(cells)

        row([source["clause"]["zh"]])
        row([column["zh"] for column in source["columns"]], bold=True)
        for values in source["rows"]:
            row(["" if value is None else str(value) for value in values])
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()
