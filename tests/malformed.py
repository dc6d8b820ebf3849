"""Files as they should not be: generated over all feeds and formats, seeded. Nobody is meant.

Every file says what is known of it: how many rows with content it holds (None where the damage makes that a matter of
opinion), and what must become of it.
"""

from __future__ import annotations

import csv
import io
import json
import random
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import openpyxl

from ingestion.catalog.spec import Column, FeedSpec
from tests.prefecture import citizen

Rows = list[list[Any]]
_DAY = date(2026, 3, 1)
#: cells that agencies, systems and enemies have put into any column
WILD = (
    "2026-02-30", "20261332", "1899-12-31", "9999-99-99", "0000-00-00", "44000", "-1", "1e400", "NaN", "inf", "∞",
    "５３２３０１", "5.32301E+17", "同上", "〃", "=1+1", "=cmd|' /C calc'!A0", "@SUM(A1)", "+A1", "-A1+1", "\t甲",
    '=HYPERLINK("http://x.invalid","点")', "#REF!", "#N/A", "NULL", "null", " ", "　", "\u200b", "\ufeff甲", "甲\x07乙",
    "甲\u202e乙", "🧾", "𠮷", "a" * 40_000, "9" * 400, "0x1F", "１２月", "2026年", "202613", "24:61", "{}", "[]", "<b>甲</b>",
    "'; drop table pool; --", "../../etc/passwd", "%s%n", "٣٤٥", "Ⅻ", "½", "壹佰元整", "１，０００．５", "--", "/", "0", "00",
)  # fmt: skip


#: numbers that no column can hold: exponents beyond all bounds, more digits than 64 bits, days beyond the calendar
TOO_LARGE = (
    "1e999999", "-1E+1000001", "1e999999万元", "1e-1000001", "9" * 400, "92233720368547758.08", "9223372036854775808",
    "-9223372036854775809", "1e308", "1e309", "99999999999-12-31", "2958466", "10000-01-01", "9" * 30 + "亿元", "0." + "9" * 400,
)  # fmt: skip


@dataclass(frozen=True)
class File:
    """One generated file. ``rows``: rows with content below the header, where that is certain."""

    feed: str
    name: str
    kind: str
    content: bytes
    rows: int | None = None


def generate(feeds: Mapping[str, FeedSpec], count: int, *, seed: int, most_rows: int = 12) -> list[File]:
    """``count`` files, every kind and every feed in turn."""
    draw = random.Random(seed)
    codes, kinds = sorted(feeds), sorted(_KINDS)
    draw.shuffle(codes)
    draw.shuffle(kinds)
    found = []
    for index in range(count):
        feed, kind = feeds[codes[index % len(codes)]], kinds[index % len(kinds)]
        rows = [_row(feed, draw, serial) for serial in range(draw.randrange(1, most_rows + 1))]
        content, known = _KINDS[kind](feed, rows, draw)
        found.append(File(feed.code, f"{index:05d}-{kind}", kind, content, known))
    return found


# ---- cells and rows ----------------------------------------------------------------------------


def _header(feed: FeedSpec, draw: random.Random) -> list[str]:
    return [draw.choice(column.headers) for column in feed.delivered]


def _row(feed: FeedSpec, draw: random.Random, serial: int) -> list[str]:
    return [_cell(column, draw, serial) for column in feed.delivered]


def _cell(column: Column, draw: random.Random, serial: int) -> str:
    if not column.required and draw.random() < 0.1:
        return ""
    if column.codes:
        return draw.choice([*column.codes, *column.codes.values()])
    day = _DAY + timedelta(days=draw.randrange(200))
    made: dict[str, Callable[[], str]] = {
        "citizen_id": lambda: citizen(draw.randrange(1000)),
        "credit_code": lambda: "91532300MA6K000000",
        "phone": lambda: f"13{draw.randrange(10**9):09d}",
        "bank_account": lambda: f"62{draw.randrange(10**16):016d}",
        "date": lambda: day.strftime(draw.choice(["%Y-%m-%d", "%Y/%m/%d", "%Y%m%d"])),
        "month": lambda: day.strftime(draw.choice(["%Y-%m", "%Y%m"])),
        "datetime": lambda: f"{day} 10:{draw.randrange(60):02d}:00",
        "money": lambda: f"{draw.randrange(10**6) / 100:.2f}",
        "int": lambda: str(draw.randrange(1, 100)),
        "number": lambda: f"{draw.random() * 90:.3f}",
        "bool": lambda: draw.choice("是否"),
        "division": lambda: draw.choice(["532301", "532331", "禄丰市"]),
    }
    return made.get(column.type, lambda: f"示例{column.name[:3]}{serial}{draw.randrange(100)}")()


def _wilder(rows: Rows, draw: random.Random) -> Rows:
    """Some cells replaced; one cell of every row stays, so that no row is blank."""
    spoilt = [list(row) for row in rows]
    for row in spoilt:
        for _ in range(draw.randrange(1, 4)):
            row[draw.randrange(len(row))] = draw.choice(WILD)
        row[draw.randrange(len(row))] = "留存"
    return spoilt


def _larger(rows: Rows, draw: random.Random) -> Rows:
    return [
        [draw.choice(TOO_LARGE) if draw.random() < 0.5 else cell for cell in row[:-1]] + ["留存"]
        for row in rows
    ]


# ---- text --------------------------------------------------------------------------------------


def _too_large(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    return _encoded(_text([_header(feed, draw), *_larger(rows, draw)]), draw), len(rows)


def _text(rows: Rows, *, separator: str = ",", end: str = "\r\n") -> str:
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator=end).writerows(rows)
    return out.getvalue()


def _encoded(text: str, draw: random.Random) -> bytes:
    return text.encode(draw.choice(["utf-8", "utf-8-sig", "gb18030", "utf-16"]))


def _wild_text(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    body = _text([_header(feed, draw), *_wilder(rows, draw)], separator=draw.choice(",\t;|"))
    return _encoded(body, draw), len(rows)


def _title_above(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    above = [["某局报送表"], [], ["报送单位：示例局", "", "2026年11月"], [], ["单位：元"], []]
    return _encoded(_text([*above, _header(feed, draw), *rows]), draw), len(rows)


def _totals_below(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    width = len(feed.delivered)
    below = [["合计", *[""] * (width - 2), "123.00"][:width], ["填表人：示例", *[""] * (width - 1)]]
    # In a table of few columns nobody can tell a total from a row with gaps.
    return _encoded(_text([_header(feed, draw), *rows, *below]), draw), len(rows) if width > 6 else None


def _blank_lines(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    lines = _text([_header(feed, draw), *rows]).splitlines(keepends=True)
    for _ in range(draw.randrange(1, 5)):
        lines.insert(draw.randrange(1, len(lines) + 1), draw.choice(["\r\n", ",,\r\n", "  \r\n"]))
    # A line of blanks in one cell is a row too few cells wide: its sender learns of it.
    known = len(rows) + sum(1 for line in lines if line == "  \r\n")
    return _encoded("".join(lines), draw), known if len(feed.delivered) > 3 else None


def _doubled_headers(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    header = _header(feed, draw)
    place = draw.randrange(len(header))
    return (
        _encoded(_text([[*header, header[place]], *[[*row, "重复"] for row in rows]]), draw),
        len(rows),
    )


def _odd_headers(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    odd = [
        "row_no",
        "ragged",
        "c1",
        "c0",
        "",
        "value",
        "county",
        "第1列",
        "甲#2",
        "甲",
        "甲",
        "__index__",
        "column_1",
    ]
    more = draw.sample(odd, draw.randrange(2, 8))
    table = [[*more, *_header(feed, draw)], *[[*more, *row] for row in rows]]
    if draw.random() < 0.3:
        # The names of a JSON object are as free as any; empty and doubled ones need not survive.
        objects = [json.dumps(dict(zip(table[0], row, strict=True)), ensure_ascii=False) for row in table[1:]]
        return "\n".join(objects).encode(), len(rows)
    return _encoded(_text(table), draw), len(rows)


def _shifted(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    moved = [list(row) for row in rows]
    for row in moved:
        if draw.random() < 0.5:
            row.insert(draw.randrange(len(row)), draw.choice(["多", "x,y"]))
        elif len(row) > 2:
            del row[draw.randrange(len(row))]
    return _encoded(_text([_header(feed, draw), *moved]), draw), None


def _cut(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    whole = _encoded(_text([_header(feed, draw), *rows]), draw)
    return whole[: draw.randrange(len(whole))], None


def _bytes_changed(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    content = bytearray(_encoded(_text([_header(feed, draw), *rows]), draw))
    for _ in range(draw.randrange(1, 6)):
        place = draw.randrange(len(content))
        content[place : place + draw.randrange(3)] = draw.choice(
            [b"", b",", b'"', b"\n", b"\r", b"\x00", b"\xff", b"\t", b"\x1a", b'""', b"\xa1"]
        )
    return bytes(content), None


def _mixed_encodings(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    lines = _text([_header(feed, draw), *rows]).splitlines(keepends=True)
    codecs = ["utf-8", "gb18030", "big5", "utf-16-le"]
    return b"".join(line.encode(draw.choice(codecs), "replace") for line in lines), None


def _nul_bytes(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    body = _text([_header(feed, draw), *rows])
    place = draw.randrange(len(body))
    return (body[:place] + "\x00" * draw.choice([1, 3, 5000]) + body[place:]).encode(), None


def _open_quote(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    lines = _text([_header(feed, draw), *rows]).splitlines(keepends=True)
    place = draw.randrange(len(lines))
    lines[place] = draw.choice(['"', ',"', 'x"y,"']) + lines[place]
    return _encoded("".join(lines), draw), None


def _huge_cell(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    grown = [list(row) for row in rows]
    length = draw.choice([70_000, 300_000, 2_200_000])
    grown[-1][draw.randrange(len(grown[-1]))] = "甲" * length
    return _text([_header(feed, draw), *grown]).encode(), None


def _no_header(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    return _encoded(_text(draw.choice([rows, [[]], [["甲"]], [_header(feed, draw)]])), draw), None


def _foreign_header(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    return _encoded(_text([[f"栏目{i}" for i in range(len(rows[0]))], *rows]), draw), None


def _other_newlines(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    lines = [
        line.removesuffix("\r\n") for line in _text([_header(feed, draw), *rows]).splitlines(keepends=True)
    ]
    return _encoded("".join(line + draw.choice(["\n", "\r\n"]) for line in lines), draw), len(rows)


def _nearly_nothing(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    return draw.choice(
        [b"", b"\n", b"\xef\xbb\xbf", b"\xff\xfe", b" ", b"\x00", b",", b'"', b"\r\n\r\n", b"\x1a"]
    ), None


def _other_magic(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    magic = draw.choice(
        [b"%PDF-1.7\n", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", b"Rar!\x1a\x07", b"7z\xbc\xaf\x27\x1c", b"\x1f\x8b\x08",
         b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"<?xml version='1.0'?>", b"<html>", b"[", b"SQLite format 3\x00",
         b"BM", b"\x7fELF", b"MZ", b"II*\x00"]
    )  # fmt: skip
    tail = draw.choice([draw.randbytes(600), _text([_header(feed, draw), *rows]).encode()])
    return magic + tail, None


def _json(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    header = _header(feed, draw)
    lines = [
        json.dumps(dict(zip(header, row, strict=True)), ensure_ascii=False) for row in _wilder(rows, draw)
    ]
    return ("\n".join(lines) + "\n").encode(draw.choice(["utf-8", "gb18030"])), len(rows)


def _damaged_json(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    lines = _json(feed, rows, draw)[0].decode("utf-8", "ignore").splitlines()
    place = draw.randrange(len(lines))
    lines[place] = draw.choice(
        ["{", "{}", "[1, 2]", "null", '{"a": ' * 2000, lines[place][:-3], '{"a": {"b": [1, {"c": null}]}}',
         '{"a": 1e999, "b": NaN}', lines[place] + lines[place], '{"a": "\\ud800"}', '{"": 1}', '{"a": 1, "a": 2}',
         '{"n": ' + "9" * 5000 + "}"]
    )  # fmt: skip
    return "\n".join(lines).encode("utf-8", "replace"), None


# ---- workbooks ---------------------------------------------------------------------------------


def _saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _book(*sheets: Rows) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    for index, rows in enumerate(sheets):
        sheet = book.active if index == 0 else book.create_sheet()
        for row in rows:
            sheet.append([_xlsx_value(v) for v in row])
    return book


def _xlsx_value(value: Any) -> Any:
    if isinstance(value, str):
        # What a workbook cannot hold at all.
        return "".join(c for c in value if c >= " " or c == "\t")[:32_000]
    return value


def _wild_book(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    spoilt = _wilder(rows, draw)
    for row in spoilt:
        place = draw.randrange(len(row))
        if row[place] != "留存":
            row[place] = draw.choice(
                [
                    532301195001010012,
                    1.5,
                    -3,
                    True,
                    datetime(2026, 2, 3, 4, 5),
                    date(1899, 12, 31),
                    1e300,
                    44_000,
                    "=A1",
                    None,
                ]
            )
    return _saved(_book([_header(feed, draw), *spoilt])), len(rows)


def _half_book(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    whole = _saved(_book([_header(feed, draw), *rows]))
    return whole[: draw.randrange(8, len(whole))], None


def _flipped_book(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    content = bytearray(_saved(_book([_header(feed, draw), *rows])))
    for _ in range(draw.randrange(1, 30)):
        content[draw.randrange(4, len(content))] = draw.randrange(256)
    return bytes(content), None


def _odd_sheets(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    table = [_header(feed, draw), *rows]
    sheets = [[], [["填表说明"], ["每月报送"]], table]
    draw.shuffle(sheets)
    book = _book(*sheets)
    if draw.random() < 0.5:
        return _saved(book), len(rows)
    for sheet in book.worksheets:
        sheet.sheet_state = "hidden" if sheet.max_row > 1 else "visible"
    return _saved(book), None


def _several_sheets(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    """The table in parts: again under its header, under part of it, or without; what becomes of it is the reader's to say."""
    header, cut = _header(feed, draw), draw.randrange(len(rows) + 1)
    above = draw.choice([[header], [header[:-1]], [], [[], ["续表"]]])
    sheets = [[header, *rows[:cut]], [*above, *rows[cut:]]]
    if draw.random() < 0.3:
        sheets += [[["代码", "名称"], ["01", "甲"]]] * draw.choice([1, 70])
    draw.shuffle(sheets)
    return _saved(_book(*sheets)), None


def _empty_book(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    return _saved(_book(draw.choice([[], [_header(feed, draw)], [[None, None], []]]))), None


def _merged_book(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    book = _book([["某局报送表"], *[[] for _ in range(5)], _header(feed, draw), *rows])
    sheet = book.active
    sheet.merge_cells(start_row=1, end_row=1, start_column=1, end_column=len(feed.delivered))
    if len(rows) > 2:
        column = draw.randrange(1, len(feed.delivered) + 1)
        sheet.merge_cells(start_row=8, end_row=9, start_column=column, end_column=column)
    return _saved(book), len(rows)


def _replaced(content: bytes, name: str, text: bytes, **more: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as good, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bad:
        for member in good.namelist():
            bad.writestr(member, text if member == name else good.read(member))
        for member, body in more.items():
            bad.writestr(member, body)
    return out.getvalue()


def _odd_parts(feed: FeedSpec, rows: Rows, draw: random.Random) -> tuple[bytes, int | None]:
    content = _saved(_book([_header(feed, draw), *rows]))
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        part = draw.choice(book.namelist())
        body = book.read(part)
    damage = draw.choice(
        [
            b"",
            body[: len(body) // 2],
            b"<x/>",
            b"\x00" * 50,
            body.replace(b"<", b"&lt;", 3),
            b"\xff\xfe" + body,
        ]
    )
    return _replaced(content, part, damage), None


SHEET = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'


def sheet_of(xml: bytes, **more: bytes) -> bytes:
    """A sound workbook whose only sheet is ``xml``."""
    return _replaced(_saved(_book([["姓名", "公民身份号码"]])), "xl/worksheets/sheet1.xml", xml, **more)


_KINDS: dict[str, Callable[[FeedSpec, Rows, random.Random], tuple[bytes, int | None]]] = {
    "wild_text": _wild_text, "too_large": _too_large, "title_above": _title_above, "totals_below": _totals_below, "blank_lines": _blank_lines,
    "doubled_headers": _doubled_headers, "odd_headers": _odd_headers, "shifted": _shifted, "cut": _cut, "bytes_changed": _bytes_changed,
    "mixed_encodings": _mixed_encodings, "nul_bytes": _nul_bytes, "open_quote": _open_quote, "huge_cell": _huge_cell,
    "no_header": _no_header, "foreign_header": _foreign_header, "other_newlines": _other_newlines,
    "nearly_nothing": _nearly_nothing, "other_magic": _other_magic, "json": _json, "damaged_json": _damaged_json,
    "wild_book": _wild_book, "half_book": _half_book, "flipped_book": _flipped_book, "odd_sheets": _odd_sheets,
    "several_sheets": _several_sheets,
    "empty_book": _empty_book, "merged_book": _merged_book, "odd_parts": _odd_parts,
}  # fmt: skip
