"""A workbook that is written in memory: openpyxl by itself puts every sheet into a temporary file, in the clear."""

from __future__ import annotations

from io import BytesIO
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile

from openpyxl import Workbook
from openpyxl.drawing.spreadsheet_drawing import SpreadsheetDrawing
from openpyxl.worksheet._write_only import WriteOnlyWorksheet
from openpyxl.worksheet._writer import WorksheetWriter
from openpyxl.writer.excel import ExcelWriter


class _Sheet(WriteOnlyWorksheet):  # type: ignore[misc]
    _writer: Any

    def _get_writer(self) -> None:
        if self._writer is None:
            self._writer = WorksheetWriter(self, out=BytesIO())
            self._writer.write_top()


class _Writer(ExcelWriter):  # type: ignore[misc]
    def write_worksheet(self, ws: _Sheet) -> None:
        ws._drawing = SpreadsheetDrawing()
        if not ws.closed:
            ws.close()
        ws._rels = ws._writer._rels
        self._archive.writestr(ws.path[1:], ws._writer.out.getvalue())
        self.manifest.append(ws)


def add_sheet(book: Workbook, title: str) -> Any:
    """A sheet of a write-only workbook, to be saved with ``save``."""
    sheet = _Sheet(book, title)
    book._add_sheet(sheet)
    return sheet


def save(book: Workbook, out: IO[bytes]) -> None:
    with ZipFile(out, "w", ZIP_DEFLATED, allowZip64=True) as archive:
        _Writer(book, archive).save()
