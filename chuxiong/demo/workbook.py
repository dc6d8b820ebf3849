"""Spreadsheets as offices make them: a title, groups over the header, merged cells, footers. Same rows, same bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

_FIXED_TIME = (2020, 1, 1, 0, 0, 0)
_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
_TYPES = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_REL = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
#: the parts around the sheet: one sheet, two formats (plain, and a bold centred title)
_PARTS = {
    "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    f'<Override PartName="/xl/workbook.xml" ContentType="{_TYPES}.sheet.main+xml"/>'
    f'<Override PartName="/xl/styles.xml" ContentType="{_TYPES}.styles+xml"/>'
    f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{_TYPES}.worksheet+xml"/></Types>',
    "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{_REL}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
    "xl/workbook.xml": f'<workbook {_MAIN} xmlns:r="{_REL}"><sheets><sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>',
    "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    f'<Relationship Id="rId1" Type="{_REL}/worksheet" Target="worksheets/sheet1.xml"/>'
    f'<Relationship Id="rId2" Type="{_REL}/styles" Target="styles.xml"/></Relationships>',
    "xl/styles.xml": f'<styleSheet {_MAIN}><fonts count="2"><font><sz val="11"/><name val="宋体"/></font>'
    '<font><b/><sz val="14"/><name val="宋体"/></font></fonts><fills count="1"><fill><patternFill patternType="none"/></fill></fills>'
    '<borders count="1"><border/></borders><cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf/>'
    '<xf fontId="1" applyFont="1" applyAlignment="1"><alignment horizontal="center"/></xf></cellXfs></styleSheet>',
}


@dataclass(frozen=True)
class Sheet:
    """Layout of a spreadsheet: a title row, groups of headers (name, count) over the header row, footers."""

    title: str
    groups: tuple[tuple[str, int], ...] = ()
    footer: tuple[tuple[str, ...], ...] = ()
    #: headers whose cells are merged down while all of them stay the same
    merged: tuple[str, ...] = ()

    @property
    def header_rows(self) -> int:
        return 1 + bool(self.title) + bool(self.groups)


def runs(rows: Sequence[dict[str, Any]], sheet: Sheet) -> list[tuple[int, int, int]]:
    """(first row, last row, column) of the cells that are merged down."""
    if not sheet.merged:
        return []
    found, headers, start = [], list(rows[0]), 0
    for at in range(1, len(rows) + 1):
        if at < len(rows) and all(rows[at][h] == rows[start][h] and rows[at][h] for h in sheet.merged):
            continue
        if at - start > 1:
            found += [(start, at - 1, headers.index(h)) for h in sheet.merged]
        start = at
    return found


def write_workbook(
    path: Path,
    headers: list[str],
    rows: list[list[Any]],
    sheet: Sheet,
    merged: Sequence[tuple[int, int, int]] = (),
) -> None:
    """One sheet; text cells, apart from values that are numbers already. ``merged`` as ``runs`` gives it."""
    lines: list[Sequence[Any]] = [[sheet.title]] if sheet.title else []
    ranges = [(1, 0, 1, len(headers) - 1)] if sheet.title else []
    if sheet.groups:
        above, below, over = _grouped(headers, sheet, len(lines) + 1)
        lines += [above, below]
        ranges += over
    else:
        lines.append(headers)
    for first, last, column in merged:
        for row in rows[first + 1 : last + 1]:
            row[column] = None
        top = first + 1 + sheet.header_rows
        ranges.append((top, column, top + last - first, column))
    lines += [*rows, *sheet.footer]
    letters = [letter(at) for at in range(max(len(line) for line in lines))]
    body = "".join(
        _line(number, line, letters, bool(sheet.title)) for number, line in enumerate(lines, start=1)
    )
    places = [f"{letters[a]}{top}:{letters[b]}{bottom}" for top, a, bottom, b in ranges]
    spans = "".join(f'<mergeCell ref="{place}"/>' for place in places)
    tail = f'<mergeCells count="{len(places)}">{spans}</mergeCells>' if places else ""
    page = f"<worksheet {_MAIN}><sheetData>{body}</sheetData>{tail}</worksheet>"
    with zipfile.ZipFile(path, "w") as sink:
        for name, content in {**_PARTS, "xl/worksheets/sheet1.xml": page}.items():
            member = zipfile.ZipInfo(name, _FIXED_TIME)
            member.compress_type = zipfile.ZIP_DEFLATED
            sink.writestr(member, _HEAD + content, compresslevel=1)


def _line(number: int, cells: Sequence[Any], letters: list[str], titled: bool) -> str:
    style = ' s="1"' if titled and number == 1 else ""
    found = []
    for at, value in enumerate(cells):
        if value is None or value == "":
            continue
        if isinstance(value, int | float):
            found.append(f'<c r="{letters[at]}{number}"><v>{value!r}</v></c>')
        else:
            text = escape(str(value))
            found.append(
                f'<c r="{letters[at]}{number}"{style} t="inlineStr"><is><t xml:space="preserve">{text}</t></is></c>'
            )
    return f'<row r="{number}">{"".join(found)}</row>'


def _grouped(
    headers: list[str], sheet: Sheet, at: int
) -> tuple[list[str | None], list[str | None], list[tuple[int, int, int, int]]]:
    """(group names over their columns, headers below them, merged ranges); single headers stand over both rows."""
    above: list[str | None] = []
    below: list[str | None] = []
    ranges = []
    for name, count in sheet.groups:
        start = len(above)
        if count == 1 and not name:
            above.append(headers[start])
            below.append(None)
            ranges.append((at, start, at + 1, start))
        else:
            above += [name] + [None] * (count - 1)
            below += headers[start : start + count]
            ranges.append((at, start, at, start + count - 1))
    return above, below, ranges


def letter(column: int) -> str:
    """The name of a column, from 0: A … Z, AA …"""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(65 + rest) + name
    return name
