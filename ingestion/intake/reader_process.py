"""The child that opens untrusted files. Runs under limits, knows nothing of the house.

Standard input: one JSON request. With ``key`` the file lies encrypted (``chuxiong/vault/envelope.py`` writes it): its
frames are opened one at a time, as they are read, so that the plain file is nowhere whole. Standard output: one JSON
line (the layout), then an Arrow stream of text columns ``c0…``, ``row_no`` and ``ragged`` (the raw line where the cells
do not fit the header). A refusal, at any moment, is a JSON object on standard error and exit code 3.
"""

from __future__ import annotations

import bisect
import codecs
import contextlib
import csv
import functools
import io
import itertools
import json
import os
import re
import resource
import struct
import sys
import types
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

NUMBER, MOMENT = "\x01", "\x02"
REFUSED = 3
_CHUNK = 32_768
#: lines of JSON that are held at a time
_JSON_CHUNK = 5_000
#: visible sheets of a workbook that are looked at
_SHEETS = 64
_HEAD_ROWS = 15
_LONGEST_ROW = 8 << 20
_LONGEST_CELL = 2 << 20  # characters; the longest judgments have a tenth of it
_LONGEST_REPORT = 4_000
_END = "\x03end"
_DAMAGED = (
    "存放的文件已损坏或被改动",
    "请提供单位重新报送，并报告系统管理员",
    "the stored file was damaged or altered",
    "ask for it again and tell the system administrator",
)

Cells = list["str | None"]
#: opens the file from its start, as often as wanted
Source = Callable[[], Any]
#: merged cells: first row, last row, first column, counted from 1
Merged = list[tuple[int, int, int]]
_MERGED = re.compile(rb'<mergeCell ref="([A-Z]{1,3})([0-9]{1,7}):[A-Z]{1,3}([0-9]{1,7})"')


class Refusal(Exception):
    """The file cannot be read: what was found and what to do, in both languages."""

    def __init__(self, what: str, cure: str, what_en: str, cure_en: str) -> None:
        super().__init__(what)
        self.words = {"what": what, "cure": cure, "what_en": what_en, "cure_en": cure_en}


def main() -> None:
    answer(json.loads(sys.stdin.buffer.readline()), sys.stdout.buffer)


def answer(request: dict[str, Any], stdout: Any) -> None:
    """Read one file under the request's limits and end this process."""
    limits = request["limits"]
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory"], limits["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Libraries may say what they like on standard error; only refusals reach the parent.
    report = os.dup(2)
    # pyarrow imports pandas at the first array: not needed here, and slow. An empty one of no version stops it.
    sys.modules["pandas"] = types.ModuleType("pandas")
    sys.modules["pandas"].__version__ = "0"  # type: ignore[attr-defined]
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        _read(request, stdout)
    except Refusal as refusal:
        _refuse(report, refusal.words)
    except MemoryError:
        _refuse(
            report,
            Refusal(
                "展开后超过内存上限",
                "请拆成较小的文件，或另存为 CSV 后重发",
                "too large once unpacked",
                "split it, or save it as CSV and send again",
            ).words,
        )
    except Exception as error:  # a fault of ours must still end in words
        kind = type(error).__name__
        if kind == "InvalidTag":
            _refuse(
                report,
                Refusal(*_DAMAGED).words,
            )
        _refuse(
            report,
            Refusal(
                f"读取程序出错（{kind}）",
                "请另存为 CSV 后重发，并把文件名告诉系统管理员",
                f"the reader failed ({kind})",
                "save it as CSV and send again; tell the system administrator the file's name",
            ).words,
        )
    # Skip interpreter teardown: nothing here needs it, and readers of hostile files may hang in it.
    os._exit(0)


def _read(request: dict[str, Any], out: Any) -> None:
    layout, batches = _open(request)
    out.write(json.dumps(layout, ensure_ascii=False).encode() + b"\n")
    out.flush()
    _stream(out, len(layout["headers"]), batches)
    out.flush()


def _refuse(report: int, words: dict[str, str]) -> None:
    os.write(report, json.dumps(words, ensure_ascii=False).encode())
    os._exit(REFUSED)


def _stream(out: Any, width: int, batches: Iterator[tuple[Any, Any, Any]]) -> None:
    import pyarrow as pa

    names = [f"c{i}" for i in range(width)]
    schema = pa.schema([(n, pa.string()) for n in names] + [("row_no", pa.int64()), ("ragged", pa.string())])
    with pa.ipc.new_stream(out, schema) as writer:
        for columns, numbers, ragged in batches:
            arrays = [c if isinstance(c, pa.Array) else pa.array(c, pa.string()) for c in columns]
            marks = pa.nulls(len(numbers), pa.string()) if ragged is None else pa.array(ragged, pa.string())
            writer.write_batch(
                pa.record_batch([*arrays, pa.array(numbers, pa.int64()), marks], schema=schema)
            )


def _open(request: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    accepted = {_key(header) for header in request["accepted"]}
    required = [{_key(header) for header in names} for names in request.get("required", [])]
    path = _source(request["path"], request.get("key", ""))
    with path() as source:
        head = source.read(8)
    if not head:
        raise Refusal(
            "文件是空的",
            "请向提供单位索取完整文件",
            "the file is empty",
            "ask the provider for the whole file",
        )
    if head.startswith(b"PK\x03\x04"):
        return _best_sheet(_xlsx_sheets(path, request["limits"]), accepted, required, "xlsx")
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _best_sheet(_xls_sheets(path), accepted, required, "xls")
    if head.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b")):
        raise Refusal(
            "不是表格文件（按内容识别为文档、图片或压缩包）",
            "请导出为 CSV 或 XLSX 后重发",
            "not a table (by its content a document, picture or archive)",
            "export it as CSV or XLSX and send again",
        )
    return _text(path, accepted)


def _source(path: str, key: str) -> Source:
    if not key:
        return lambda: open(path, "rb")
    return lambda: io.BufferedReader(_Sealed(path, bytes.fromhex(key)), 1 << 20)


class _Sealed(io.RawIOBase):
    """The plain bytes of an encrypted file, one frame of it in memory. Each frame is bound to its number and to being the
    last; one that was altered, moved or cut away ends the reading."""

    _NONCE, _TAG = 12, 16

    def __init__(self, path: str, key: bytes) -> None:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(key)
        self._stored = open(path, "rb", buffering=0)  # noqa: SIM115  as long as this stream
        #: where each frame's box lies and how long it is; where its plain bytes begin, and the end of all
        self._boxes: list[tuple[int, int]] = []
        self._begins = [0]
        end, at = self._stored.seek(0, io.SEEK_END), 0
        while at < end:
            self._stored.seek(at + self._NONCE)
            size = self._stored.read(4)
            if len(size) < 4:
                raise Refusal(*_DAMAGED)
            (length,) = struct.unpack(">I", size)
            self._boxes.append((at, length))
            self._begins.append(self._begins[-1] + length - self._TAG)
            at += self._NONCE + 4 + length
        self._at, self._number, self._plain = 0, -1, b""

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._begins[-1]}[whence]
        if base + offset < 0:
            raise ValueError("a place before the file")
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: Any) -> int:
        if self._at >= self._begins[-1]:
            return 0
        number = bisect.bisect_right(self._begins, self._at) - 1
        if number != self._number:
            self._plain, self._number = self._frame(number), number
        start = self._at - self._begins[number]
        count = min(len(buffer), len(self._plain) - start)
        buffer[:count] = self._plain[start : start + count]
        self._at += count
        return count

    def _frame(self, number: int) -> bytes:
        place, length = self._boxes[number]
        self._stored.seek(place)
        nonce = self._stored.read(self._NONCE)
        self._stored.seek(4, io.SEEK_CUR)
        bound = struct.pack(">Q?", number, number == len(self._boxes) - 1)
        return self._cipher.decrypt(nonce, self._stored.read(length), bound)

    def close(self) -> None:
        self._stored.close()
        super().close()


# ---- spreadsheets ----------------------------------------------------------------------------


def _xlsx_sheets(
    path: Source, limits: dict[str, Any]
) -> Iterator[tuple[str, Iterator[Cells], Callable[[], Merged]]]:
    _check_zip(path, limits)
    import defusedxml  # noqa: F401  openpyxl parses with it when present
    import openpyxl
    from openpyxl import DEFUSEDXML

    if not DEFUSEDXML:
        raise Refusal(
            "缺少安全的 XML 解析器",
            "请联系系统管理员重新安装",
            "the safe XML parser is missing",
            "ask the system administrator to install again",
        )
    with _mended("XLSX"):
        # By handle: openpyxl judges a path by its ending, we have judged the content.
        book = openpyxl.load_workbook(path(), read_only=True, data_only=True)
        sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
    for sheet in sheets:
        sheet.reset_dimensions()
        yield sheet.title, _xlsx_rows(sheet, limits), functools.partial(_xlsx_merged, book, sheet)


def _xlsx_merged(book: Any, sheet: Any) -> Merged:
    """Cells merged downwards. They stand at the end of the sheet's XML, so the part is passed over once."""
    found: Merged = []
    left = b""
    with _mended("XLSX"), book._archive.open(sheet._worksheet_path) as part:
        while block := part.read(1 << 20):
            text = left + block
            for column, first, last in _MERGED.findall(text):
                if int(last) > int(first):
                    found.append((int(first), int(last), _column_number(column)))
            # A reference may be cut in two by the block's end; one found twice does no harm.
            left = text[-64:]
    return found


def _column_number(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number


def _xlsx_rows(sheet: Any, limits: dict[str, Any]) -> Iterator[Cells]:
    empty = 0
    with _mended("XLSX"):
        for row in sheet.iter_rows(values_only=True):
            if all(v is None for v in row):
                empty += 1
                continue
            if empty > limits["gap"]:
                raise Refusal(
                    f"工作表中间有 {empty} 个空行（可能有远处的杂散单元格）",
                    "请删除空行后另存重发",
                    f"{empty} empty rows within the sheet (perhaps a stray cell far away)",
                    "delete them, save and send again",
                )
            if len(row) > limits["columns"] and any(v is not None for v in row[limits["columns"] :]):
                raise Refusal(
                    f"有 {len(row)} 列，超过 {limits['columns']} 列（可能有远处的杂散单元格）",
                    "请删除多余的列后另存重发",
                    f"{len(row)} columns, more than {limits['columns']} (perhaps a stray cell far away)",
                    "delete what is too much, save and send again",
                )
            yield from ([] for _ in range(empty))
            empty = 0
            yield [_cell(v) for v in row[: limits["columns"]]]


@contextlib.contextmanager
def _mended(kind: str) -> Iterator[None]:
    """Any failure of a third-party reader is a refusal that tells the sender what to do."""
    try:
        yield
    except (Refusal, MemoryError):
        raise
    except Exception as error:
        raise Refusal(
            f"不是完好的 {kind} 文件，或已加密（{type(error).__name__}）",
            "请取消密码，用 Excel 或 WPS 另存为 XLSX 后重发",
            f"not a sound {kind} file, or one with a password ({type(error).__name__})",
            "take the password off, save as XLSX and send again",
        ) from error


def _check_zip(path: Source, limits: dict[str, Any]) -> None:
    try:
        with path() as source, zipfile.ZipFile(source) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        # Whatever a damaged directory makes of itself: another version, an impossible place.
        raise Refusal(
            "压缩结构损坏，不是完好的 XLSX",
            "请重新导出并重发",
            "its archive is damaged: not a sound XLSX",
            "export and send again",
        ) from error
    names = {m.filename for m in members}
    if "xl/workbook.xml" not in names:
        raise Refusal(
            "是压缩包而不是 XLSX 工作簿",
            "请直接发送表格文件，不要打包",
            "an archive, not an XLSX workbook",
            "send the table itself, not packed",
        )
    if len(members) > limits["members"]:
        raise Refusal(
            f"包内有 {len(members)} 个部件，超过 {limits['members']}",
            "请另存为普通 XLSX",
            f"{len(members)} parts in it, more than {limits['members']}",
            "save it as a plain XLSX",
        )
    if any(n.endswith("vbaProject.bin") for n in names):
        raise Refusal(
            "含有宏", "请另存为不含宏的 .xlsx", "it holds macros", "save it as .xlsx without macros"
        )
    total = 0
    for member in members:
        total += member.file_size
        if member.file_size > 1 << 20 and member.file_size > limits["ratio"] * max(1, member.compress_size):
            raise Refusal(
                f"部件 {member.filename} 压缩比异常（疑似压缩炸弹）",
                "请重新导出；若内容确需如此请改用 CSV",
                f"part {member.filename} is packed suspiciously tight",
                "export again; if it must be so, use CSV",
            )
    if total > limits["unpacked"]:
        raise Refusal(
            f"展开后 {total >> 20} MB，超过上限 {limits['unpacked'] >> 20} MB",
            "请拆分文件或改用 CSV",
            f"{total >> 20} MB unpacked, more than {limits['unpacked'] >> 20} MB",
            "split the file or use CSV",
        )


def _xls_sheets(path: Source) -> Iterator[tuple[str, Iterator[Cells], Callable[[], Merged]]]:
    from python_calamine import CalamineWorkbook, SheetVisibleEnum

    with _mended("XLS"):
        book = CalamineWorkbook.from_filelike(path())
        names = [s.name for s in book.sheets_metadata if s.visible == SheetVisibleEnum.Visible]
    for name in names:
        with _mended("XLS"):
            sheet = book.get_sheet_by_name(name)
            rows = sheet.to_python(skip_empty_area=False)
            merged = [
                (top + 1, bottom + 1, left + 1)
                for (top, left), (bottom, _) in sheet.merged_cell_ranges or []
                if bottom > top
            ]
        cells = ([_cell(v if v != "" else None) for v in row] for row in rows)
        yield name, cells, functools.partial(list, merged)


class _Sheet(NamedTuple):
    """A visible sheet with something in its first rows, or further below."""

    title: str
    head: list[Cells]
    rows: Iterator[Cells]
    merged: Callable[[], Merged]
    hits: int
    headers: list[str]


def _best_sheet(
    sheets: Iterator[tuple[str, Iterator[Cells], Callable[[], Merged]]],
    accepted: set[str],
    required: list[set[str]],
    kind: str,
) -> tuple[dict[str, Any], Any]:
    """The visible sheet whose header fits best. No other may carry the table's columns as well, and whatever else holds
    rows is counted: nothing of a workbook is lost in silence."""
    found: list[_Sheet] = []
    for title, rows, merged in itertools.islice(sheets, _SHEETS):
        head = list(itertools.islice(rows, _HEAD_ROWS))
        hits, _, _, headers = _find_header(head, accepted) if any(map(any, head)) else (0, 0, 0, [])
        found.append(_Sheet(title, head, rows, merged, hits, headers))
    if next(sheets, None) is not None:
        raise Refusal(
            f"可见的工作表超过 {_SHEETS} 张",
            "请把数据放在一张工作表上，或拆成多个文件",
            f"more than {_SHEETS} visible sheets",
            "put the data on one sheet, or split the file",
        )
    filled = [sheet for sheet in found if any(map(any, sheet.head))]
    if not filled:
        raise Refusal(
            "工作表是空的",
            "请确认数据在可见的工作表中",
            "the sheet is empty",
            "put the data on a visible sheet",
        )
    best = max(filled, key=lambda sheet: sheet.hits)
    fitting = [sheet for sheet in filled if sheet is best or _carries(sheet, best, required)]
    if best.hits >= 2 and len(fitting) > 1:
        names = "、".join(sheet.title for sheet in fitting)
        raise Refusal(
            f"有 {len(fitting)} 张表头相同或都有必填列的工作表（{names}）",
            "请合并到一张工作表，或每张另存为一个文件",
            f"{len(fitting)} sheets with the same header or all required columns ({names})",
            "put them on one sheet, or each into a file of its own",
        )
    layout, batches = _table(best.head, best.rows, accepted, kind, best.title, best.merged())
    # As wide as the rows of the table are filled; where none stands in its head, as its header is.
    body = best.head[layout["header_row"] :]
    wide = max((sum(map(bool, row)) for row in body), default=0) or sum(map(bool, best.headers))
    layout["others"] = [told for sheet in found if sheet is not best if (told := _left_out(sheet, wide))]
    return layout, batches


def _carries(sheet: _Sheet, best: _Sheet, required: list[set[str]]) -> bool:
    """Whether the table might as well be read from this sheet."""
    if sheet.hits == best.hits:
        return True
    headers = {_key(header) for header in sheet.headers}
    return sheet.hits >= 2 and bool(required) and all(names & headers for names in required)


def _left_out(sheet: _Sheet, wide: int) -> dict[str, Any] | None:
    """Title and rows of a sheet that is not read; ``alike``: it has rows at least half as ``wide`` as the table's, so they
    may be more of it, as where an old workbook ended after 65,536 rows and went on, without a header, on the next sheet."""
    rows, widest = 0, 0
    # What is damaged further below counts as far as it can be read.
    with contextlib.suppress(Refusal):
        for cells in itertools.chain(sheet.head, sheet.rows):
            filled = sum(1 for cell in cells if cell)
            rows, widest = rows + bool(filled), max(widest, filled)
    if not rows:
        return None
    return {"sheet": sheet.title, "rows": rows, "alike": widest >= 2 and widest * 2 >= wide}


def _cell(value: Any) -> str | None:
    """Text as it is; numbers and moments keep their kind in the first character."""
    if value is None:
        return None
    if isinstance(value, bool):
        return "是" if value else "否"
    if isinstance(value, int):
        return f"{NUMBER}{value}"
    if isinstance(value, float):
        return f"{NUMBER}{int(value)}" if value.is_integer() and abs(value) < 1e21 else f"{NUMBER}{value!r}"
    if hasattr(value, "isoformat"):
        return f"{MOMENT}{value.isoformat(sep=' ') if hasattr(value, 'hour') and hasattr(value, 'year') else value.isoformat()}"
    return str(value).lstrip("\x01\x02")


def _table(
    head: list[Cells], rows: Iterator[Cells], accepted: set[str], kind: str, title: str, merged: Merged
) -> tuple[dict[str, Any], Any]:
    _, first, depth, headers = _find_header(head, accepted)
    layout = {"headers": headers, "header_row": first + depth, "encoding": kind, "sheet": title}
    body = itertools.chain(head[first + depth :], rows)
    filled = _filled_down(body, merged, first + depth) if merged else body
    return layout, _rows_to_batches(filled, len(headers), first + depth)


def _filled_down(rows: Iterator[Cells], merged: Merged, skipped: int) -> Iterator[Cells]:
    """Cells merged downwards say the same for each of their rows; rows without other content stay blank."""
    starts: dict[int, list[tuple[int, int]]] = {}
    for first, last, column in merged:
        if first > skipped:
            starts.setdefault(first, []).append((last, column - 1))
    open_now: dict[int, tuple[int, str | None]] = {}
    for number, row in enumerate(rows, start=skipped + 1):
        if any(row):
            for column, (last, value) in list(open_now.items()):
                if number > last:
                    del open_now[column]
                elif column >= len(row) or row[column] is None:
                    row += [None] * (column + 1 - len(row))
                    row[column] = value
        for last, column in starts.pop(number, ()):
            open_now[column] = (last, row[column] if column < len(row) else None)
        yield row


def _rows_to_batches(
    rows: Iterator[Cells], width: int, skipped: int
) -> Iterator[tuple[Any, list[int], list[str | None]]]:
    columns: list[list[str | None]] = [[] for _ in range(width)]
    numbers: list[int] = []
    ragged: list[str | None] = []

    for number, row in enumerate(rows, start=skipped + 1):
        extra = [c for c in row[width:] if c]
        for index in range(width):
            columns[index].append(row[index] if index < len(row) else None)
        numbers.append(number)
        ragged.append(f"多出 {len(extra)} 格" if extra else None)
        if len(numbers) >= _CHUNK:
            yield columns, numbers, ragged
            columns, numbers, ragged = [[] for _ in range(width)], [], []
    yield columns, numbers, ragged


def _find_header(head: list[Cells], accepted: set[str]) -> tuple[int, int, int, list[str]]:
    """(hits, row index, number of header rows, headers): the best of the first rows, one or two rows deep."""
    best: tuple[int, int, int, list[str]] = (0, 0, 0, [])
    for index, row in enumerate(head):
        single = [_label(c) for c in row]
        options = [(1, single)]
        if index + 1 < len(head):
            options.append((2, _two_rows(single, [_label(c) for c in head[index + 1]], accepted)))
        for depth, labels in options:
            hits = len({_key(label) for label in labels} & accepted)
            if hits > best[0] and (depth == 1 or hits > best[0] + 1):
                best = (hits, index, depth, labels)
    hits, index, depth, labels = best
    if not hits:
        # Nothing known: the first row with at least two cells is what the sender calls a header.
        first = next((i for i, row in enumerate(head) if any(row)), 0)
        index = next((i for i, row in enumerate(head) if sum(1 for c in row if c) >= 2), first)
        depth, labels = 1, [_label(c) for c in head[index]]
    while labels and not labels[-1]:
        labels.pop()
    return hits, index, depth, _distinct(labels)


def _two_rows(above: list[str], below: list[str], accepted: set[str]) -> list[str]:
    """Merged headers: the lower cell where it is a known header, else the upper one, filled to the right."""
    width = max(len(above), len(below))
    above, below = above + [""] * (width - len(above)), below + [""] * (width - len(below))
    filled, last = [], ""
    for cell in above:
        last = cell or last
        filled.append(last)
    return [
        b if _key(b) in accepted else (a if _key(a) in accepted or not b else b or f)
        for a, f, b in zip(above, filled, below, strict=True)
    ]


def _key(label: str) -> str:
    """What counts when headers are compared: width, blanks and case do not."""
    return "".join(unicodedata.normalize("NFKC", label).split()).casefold()


def _label(cell: str | None) -> str:
    text = unicodedata.normalize("NFKC", (cell or "").lstrip("\x01\x02"))
    text = "".join(c for c in text if not unicodedata.category(c).startswith("C") and not c.isspace())
    # NFKC turns （元） into (元); headers in feed files use the full-width brackets.
    return text.replace("(", "（").replace(")", "）")


def _distinct(labels: list[str]) -> list[str]:
    # The two columns that the reader adds itself have their names.
    taken = {"row_no", "ragged"}
    found = []
    for index, label in enumerate(labels):
        name = label or f"第{index + 1}列"
        number, free = 1, name
        while free in taken:
            number += 1
            free = f"{name}#{number}"
        taken.add(free)
        found.append(free)
    return found


# ---- text ------------------------------------------------------------------------------------


class _Utf8(io.RawIOBase):
    """A file of another encoding as UTF-8 bytes, decoded as it is read: never as a whole, on disc or in memory."""

    def __init__(self, path: Source, encoding: str, skip: int) -> None:
        self._source = path()
        self._source.seek(skip)
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")
        self._left = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while not self._left:
            block = self._source.read(1 << 20)
            self._left = memoryview(self._decoder.decode(block, final=not block).encode())
            if not block and not self._left:
                return 0
        count = min(len(buffer), len(self._left))
        buffer[:count] = self._left[:count]
        self._left = self._left[count:]
        return count

    def close(self) -> None:
        self._source.close()
        super().close()


class _Text:
    """A text file whose encoding has been proved, to be read from its start as often as wanted."""

    def __init__(self, path: Source, encoding: str, skip: int) -> None:
        self.path, self.encoding, self._skip = path, encoding, skip
        #: UTF-8 as it lies
        self.plain = encoding == "utf-8" and not skip

    def utf8(self) -> Any:
        """Its bytes in UTF-8, without a mark."""
        if self.plain:
            return self.path()
        return io.BufferedReader(_Utf8(self.path, self.encoding, self._skip), 1 << 20)

    def lines(self) -> Any:
        return io.TextIOWrapper(self.utf8(), encoding="utf-8", newline="")

    def quotes(self) -> int:
        """Quotation marks in it. No character of GB18030 has one among its bytes, so nothing is decoded."""
        bytewise = self.encoding in ("utf-8", "gb18030")
        with self.path() if bytewise else self.utf8() as source:
            return sum(block.count(b'"') for block in iter(lambda: source.read(1 << 20), b""))


def _text(path: Source, accepted: set[str]) -> tuple[dict[str, Any], Any]:
    text = _Text(path, *_encoding(path))
    with text.utf8() as source:
        start = source.read(1 << 16)
    stripped = start.lstrip()
    if stripped[:1] == b"{":
        return _json_lines(text)
    if stripped[:1] == b"[":
        raise Refusal(
            "是一个 JSON 数组",
            "请导出为每行一个对象的 JSON Lines，或 CSV",
            "one JSON array",
            "export JSON Lines, one object a line, or CSV",
        )
    if stripped[:1] == b"<":
        raise Refusal(
            "是网页或 XML 文件（有的系统把网页存成 .xls）",
            "请用 Excel 打开后另存为 XLSX 重发",
            "a web page or XML (some systems name such files .xls)",
            "open it in Excel, save as XLSX and send again",
        )
    if start.count(b"\x00") > len(start) // 100 + 1:
        raise Refusal(
            "是二进制文件，不是文本表格",
            "请导出为 CSV 或 XLSX 后重发",
            "binary, not a table in text",
            "export it as CSV or XLSX and send again",
        )
    return _csv(text, accepted, start)


def _encoding(path: Source) -> tuple[str, int]:
    """(encoding, bytes of BOM). BOM, then strict UTF-8, then strict GB18030; never a guess. The whole file is tried."""
    with path() as source:
        head = source.read(4)
    for bom, name in (
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
    ):
        if head.startswith(bom):
            if _first_bad_byte(path, name, len(bom)) is not None:
                raise Refusal(
                    f"声明为 {name}，但内容无法按此解码",
                    "请重新导出为 CSV UTF-8",
                    f"it says {name} and cannot be read as that",
                    "export again as CSV UTF-8",
                )
            return name, len(bom)
    for name in ("utf-8", "gb18030"):
        place = _first_bad_byte(path, name)
        if place is None:
            return name, 0
    raise Refusal(
        f"编码既不是 UTF-8 也不是 GB18030（第 {place} 字节处无法解码）",
        "请用“另存为 → CSV UTF-8”重新导出，不要手工改编码",
        f"neither UTF-8 nor GB18030 (byte {place} cannot be read)",
        "export again with “Save as → CSV UTF-8”; do not change the encoding by hand",
    )


def _first_bad_byte(path: Source, encoding: str, skip: int = 0) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    done = 0
    with path() as source:
        source.seek(skip)
        try:
            while block := source.read(1 << 20):
                # What decodes must also be text: half a character of UTF-16 does and is not.
                decoded = decoder.decode(block)
                if encoding.startswith("utf-16"):
                    decoded.encode()
                done += len(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return done + error.start + 1
        except UnicodeEncodeError:
            return done + 1
    return None


def _csv(text: _Text, accepted: set[str], start: bytes) -> tuple[dict[str, Any], Any]:
    lines = start.decode("utf-8", "ignore").splitlines()[:_HEAD_ROWS]
    delimiter = max(
        ",\t;|", key=lambda d: (sum(d in line for line in lines), sum(line.count(d) for line in lines))
    )
    csv.field_size_limit(_LONGEST_CELL)
    head: list[Cells] = []
    with text.lines() as source:
        try:
            for row in itertools.islice(csv.reader(source, delimiter=delimiter), _HEAD_ROWS):
                head.append([c or None for c in row])
        except csv.Error as error:
            why = "单元格过长" if "field larger" in str(error) else str(error)
            raise Refusal(
                f"第 {len(head) + 1} 行无法按 CSV 解析（{why}）",
                "请检查引号是否成对后重新导出",
                f"row {len(head) + 1} is no CSV ({why})",
                "check that quotation marks come in pairs and export again",
            ) from error
    if not any(any(row) for row in head):
        raise Refusal(
            "文件里没有内容",
            "请向提供单位索取完整文件",
            "there is nothing in the file",
            "ask the provider for the whole file",
        )
    _check_quotes(text, delimiter)
    _, first, depth, headers = _find_header(head, accepted)
    headers += [
        f"第{i + 1}列" for i in range(len(headers), _usual_width(head[first + depth :], len(headers)))
    ]
    layout = {"headers": headers, "header_row": first + depth, "encoding": text.encoding, "sheet": ""}
    return layout, _csv_batches(text, delimiter, first + depth, len(headers))


def _usual_width(rows: list[Cells], width: int) -> int:
    """Rows may end in empty cells that the header does not have; what most rows do is the table's width."""
    longer = [len(row) for row in rows if len(row) > width and not any(row[width:])]
    return max(longer, key=longer.count) if len(longer) * 2 > sum(1 for row in rows if row) else width


def _check_quotes(text: _Text, delimiter: str) -> None:
    """A quotation mark that is never closed swallows all rows after it: say where it begins."""
    if text.quotes() % 2 == 0:
        return
    with text.lines() as lines:
        number = 0
        last: list[str] = []
        try:
            for record in csv.reader(itertools.chain(lines, ["\n", _END]), delimiter=delimiter):
                number, last = number + 1, record
        except csv.Error:
            last = []
    if last != [_END]:
        raise Refusal(
            f"第 {number} 行的引号没有闭合，其后各行无法分开",
            "请补全该行的引号后重新导出",
            f"a quotation mark of row {number} is never closed, so the rows after it cannot be told apart",
            "close it and export again",
        )


def _csv_batches(text: _Text, delimiter: str, skip: int, width: int) -> Iterator[tuple[Any, Any, Any]]:
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    uneven: list[tuple[int, str]] = []

    def keep(row: Any) -> str:
        uneven.append((row.number, row.text))
        return "skip"

    names = [f"c{i}" for i in range(width)]
    number = seen = 0  # records so far, uneven ones among them; uneven records placed
    try:
        stream = arrow_csv.open_csv(
            text.utf8(),
            read_options=arrow_csv.ReadOptions(
                use_threads=False, block_size=_LONGEST_ROW, column_names=names
            ),
            parse_options=arrow_csv.ParseOptions(
                delimiter=delimiter,
                newlines_in_values=True,
                ignore_empty_lines=False,
                invalid_row_handler=keep,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
        for batch in stream:
            # Arrow reads a block ahead: uneven records beyond this batch belong to later ones.
            gone = np.array([n for n, _ in uneven[seen:]], dtype=np.int64)
            span = np.arange(number + 1, number + 1 + batch.num_rows + len(gone), dtype=np.int64)
            numbers = np.setdiff1d(span, gone, assume_unique=True)[: batch.num_rows]
            number = int(numbers[-1]) if len(numbers) else number
            seen += int((gone < number).sum())
            while seen < len(uneven) and uneven[seen][0] == number + 1:
                number, seen = number + 1, seen + 1
            start = int((numbers <= skip).sum())
            for at in range(start, batch.num_rows, _CHUNK):
                part = batch.slice(at, _CHUNK)
                yield part.columns, numbers[at : at + _CHUNK], None
            if seen >= _CHUNK:
                yield from _uneven(uneven[:seen], skip, delimiter, width)
                del uneven[:seen]
                seen = 0
    except pa.ArrowInvalid as error:
        raise Refusal(
            f"第 {number + 1} 行之后无法按 CSV 解析（单行超过 {_LONGEST_ROW >> 20} MB，或引号不成对）",
            "请检查引号是否成对、单元格是否过长后重新导出",
            f"no CSV after row {number + 1} (a row of more than {_LONGEST_ROW >> 20} MB, or quotation marks that do not pair)",
            "check quotation marks and long cells, and export again",
        ) from error
    yield from _uneven(uneven, skip, delimiter, width)


def _uneven(
    records: list[tuple[int, str]], skip: int, delimiter: str, width: int
) -> Iterator[tuple[Any, Any, Any]]:
    """Records that have too many or too few cells, as far as they lie below the header, in chunks of their own."""
    below = [(n, text) for n, text in records if n > skip]
    for at in range(0, len(below), _CHUNK):
        part = [(n, *_fitted(text, delimiter, width)) for n, text in below[at : at + _CHUNK]]
        columns = [[cells[i] for _, cells, _ in part] for i in range(width)]
        yield columns, [n for n, _, _ in part], [text for _, _, text in part]


def _fitted(text: str, delimiter: str, width: int) -> tuple[Cells, str | None]:
    """Cells of a record that has too many or too few; the raw text beside them unless only blanks are at stake."""
    cells: Cells = [
        c or None for c in next(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), [])
    ]
    if not any(cells[width:]) and (len(cells) >= width or not any(cells)):
        return (cells + [None] * width)[:width], None
    return [None] * width, text[:_LONGEST_REPORT]


def _json_lines(text: _Text) -> tuple[dict[str, Any], Any]:
    """Two passes: the last object may have a name that no other has, and rows are held a chunk at a time."""
    headers: dict[str, None] = {}
    with io.TextIOWrapper(text.utf8(), encoding="utf-8") as source:
        for line in source:
            headers |= dict.fromkeys(_json_object(line) or ())
    if not headers:
        raise Refusal(
            "看起来是 JSON，但没有一行是完整的对象",
            "请导出为每行一个对象的 JSON Lines",
            "it looks like JSON, and no line is a whole object",
            "export JSON Lines, one object a line",
        )
    names = list(headers)

    def batches() -> Iterator[tuple[Any, list[int], list[str | None]]]:
        at = 0
        with io.TextIOWrapper(text.utf8(), encoding="utf-8") as source:
            while part := list(itertools.islice(source, _JSON_CHUNK)):
                rows = [_json_object(line) for line in part]
                columns = [[_json_cell(r.get(n)) if r is not None else None for r in rows] for n in names]
                bad = [line.rstrip("\n") if r is None else None for line, r in zip(part, rows, strict=True)]
                yield columns, list(range(at + 1, at + 1 + len(part))), bad
                at += len(part)

    return {"headers": _distinct(names), "header_row": 0, "encoding": text.encoding, "sheet": ""}, batches()


def _json_object(line: str) -> dict[str, Any] | None:
    """None for what is no object, nested deeper than any table, or holds half a character."""
    try:
        row = json.loads(line)
        if "\\u" in line:
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _json_cell(value: Any) -> str | None:
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return _cell(value)


if __name__ == "__main__":
    main()
