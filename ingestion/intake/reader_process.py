"""The child that opens untrusted files. Runs under limits, knows nothing of the house.

Standard input: one JSON request. Standard output: one JSON line (layout or refusal), then an Arrow stream
of text columns ``c0…``, ``row_no`` and ``ragged`` (the raw line where the cells do not fit the header).
"""

from __future__ import annotations

import codecs
import io
import json
import os
import resource
import sys
import zipfile
from collections.abc import Iterator
from typing import Any

NUMBER, MOMENT = "\x01", "\x02"
_CHUNK = 50_000
_HEAD_ROWS = 15


class Refusal(Exception):
    """The file cannot be read; what was found, what was expected, what to do."""

    def __init__(self, what: str, cure: str) -> None:
        super().__init__(what)
        self.what, self.cure = what, cure


def main() -> None:
    request = json.loads(sys.stdin.buffer.readline())
    limits = request["limits"]
    resource.setrlimit(resource.RLIMIT_AS, (limits["memory"], limits["memory"]))
    resource.setrlimit(resource.RLIMIT_CPU, (limits["cpu_seconds"], limits["cpu_seconds"] + 5))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    out = sys.stdout.buffer
    try:
        layout, batches = _open(request)
        out.write(json.dumps(layout, ensure_ascii=False).encode() + b"\n")
        _stream(out, len(layout["headers"]), batches)
    except Refusal as refusal:
        _refuse(out, refusal.what, refusal.cure)
    except MemoryError:
        _refuse(out, "展开后超过内存上限", "请拆成较小的文件，或另存为 CSV 后重发")
    out.flush()
    # Skip interpreter teardown: nothing here needs it, and readers of hostile files may hang in it.
    os._exit(0)


def _refuse(out: io.BufferedWriter | Any, what: str, cure: str) -> None:
    out.write(json.dumps({"refused": {"what": what, "cure": cure}}, ensure_ascii=False).encode() + b"\n")


def _stream(out: Any, width: int, batches: Iterator[tuple[list[list[str | None]] | Any, list[int], list[str | None]]]) -> None:
    import pyarrow as pa

    names = [f"c{i}" for i in range(width)]
    schema = pa.schema([(n, pa.string()) for n in names] + [("row_no", pa.int64()), ("ragged", pa.string())])
    with pa.ipc.new_stream(out, schema) as writer:
        for columns, numbers, ragged in batches:
            arrays = [c if isinstance(c, pa.Array) else pa.array(c, pa.string()) for c in columns]
            writer.write_batch(
                pa.record_batch([*arrays, pa.array(numbers, pa.int64()), pa.array(ragged, pa.string())], schema=schema)
            )


def _open(request: dict[str, Any]) -> tuple[dict[str, Any], Any]:
    path, accepted = request["path"], set(request["accepted"])
    with open(path, "rb") as source:
        head = source.read(8)
    if not head:
        raise Refusal("文件是空的", "请向提供单位索取完整文件")
    if head.startswith(b"PK\x03\x04"):
        return _table(_xlsx_rows(path, request["limits"]), accepted, "xlsx")
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        return _table(_xls_rows(path), accepted, "xls")
    if head.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8", b"Rar!", b"7z\xbc\xaf", b"\x1f\x8b")):
        raise Refusal("不是表格文件（按内容识别为文档、图片或压缩包）", "请导出为 CSV 或 XLSX 后重发")
    return _text(path, accepted)


# ---- spreadsheets ----------------------------------------------------------------------------


def _xlsx_rows(path: str, limits: dict[str, Any]) -> Iterator[list[str | None]]:
    _check_zip(path, limits)
    import defusedxml  # noqa: F401  openpyxl parses with it when present
    import openpyxl
    from openpyxl import DEFUSEDXML

    if not DEFUSEDXML:
        raise Refusal("缺少安全的 XML 解析器", "请联系系统管理员重新安装")
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        sheet = book.worksheets[0]
        sheet.reset_dimensions()
        cells = sheet.iter_rows(max_col=limits["columns"], values_only=True)
        empty = 0
        for row in cells:
            if any(v is not None for v in row):
                yield from ([] for _ in range(min(empty, limits["gap"])))
                if empty > limits["gap"]:
                    raise Refusal(f"工作表中间有 {empty} 个空行（可能有远处的杂散单元格）", "请删除空行后另存重发")
                empty = 0
                yield [_cell(v) for v in row]
            else:
                empty += 1
    except Refusal:
        raise
    except MemoryError:
        raise
    except Exception as error:
        raise Refusal(f"不是完好的 XLSX 文件（{type(error).__name__}）", "请用 Excel 或 WPS 打开后另存为 XLSX 重发") from error


def _check_zip(path: str, limits: dict[str, Any]) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except zipfile.BadZipFile as error:
        raise Refusal("压缩结构损坏，不是完好的 XLSX", "请重新导出并重发") from error
    names = {m.filename for m in members}
    if "xl/workbook.xml" not in names:
        raise Refusal("是压缩包而不是 XLSX 工作簿", "请直接发送表格文件，不要打包")
    if len(members) > limits["members"]:
        raise Refusal(f"包内有 {len(members)} 个部件，超过 {limits['members']}", "请另存为普通 XLSX")
    if any(n.endswith("vbaProject.bin") for n in names):
        raise Refusal("含有宏", "请另存为不含宏的 .xlsx")
    total = 0
    for member in members:
        total += member.file_size
        if member.file_size > 1 << 20 and member.file_size > limits["ratio"] * max(1, member.compress_size):
            raise Refusal(f"部件 {member.filename} 压缩比异常（疑似压缩炸弹）", "请重新导出；若内容确需如此请改用 CSV")
    if total > limits["unpacked"]:
        raise Refusal(f"展开后 {total >> 20} MB，超过上限 {limits['unpacked'] >> 20} MB", "请拆分文件或改用 CSV")


def _xls_rows(path: str) -> Iterator[list[str | None]]:
    from python_calamine import CalamineWorkbook

    try:
        book = CalamineWorkbook.from_path(path)
        rows = book.get_sheet_by_index(0).to_python(skip_empty_area=False)
    except Exception as error:
        raise Refusal(f"不是完好的 XLS 文件，或已加密（{type(error).__name__}）", "请取消密码、另存为 XLSX 后重发") from error
    for row in rows:
        yield [_cell(v if v != "" else None) for v in row]


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


def _table(rows: Iterator[list[str | None]], accepted: set[str], kind: str) -> tuple[dict[str, Any], Any]:
    head: list[list[str | None]] = []
    for row in rows:
        while row and row[-1] is None:
            row.pop()
        head.append(row)
        if len(head) >= _HEAD_ROWS:
            break
    if not any(any(c for c in row) for row in head):
        raise Refusal("工作表是空的", "请确认数据在第一张工作表")
    first, depth, headers = _find_header(head, accepted)
    layout = {"headers": headers, "header_row": first + depth, "encoding": kind}
    return layout, _rows_to_batches(head[first + depth :], rows, len(headers), first + depth)


def _rows_to_batches(
    rest: list[list[str | None]], rows: Iterator[list[str | None]], width: int, skipped: int
) -> Iterator[tuple[Any, list[int], list[str | None]]]:
    columns: list[list[str | None]] = [[] for _ in range(width)]
    numbers: list[int] = []
    ragged: list[str | None] = []

    def all_rows() -> Iterator[list[str | None]]:
        yield from rest
        yield from rows

    for number, row in enumerate(all_rows(), start=skipped + 1):
        extra = [c for c in row[width:] if c]
        for index in range(width):
            columns[index].append(row[index] if index < len(row) else None)
        numbers.append(number)
        ragged.append(f"多出 {len(extra)} 格" if extra else None)
        if len(numbers) >= _CHUNK:
            yield columns, numbers, ragged
            columns, numbers, ragged = [[] for _ in range(width)], [], []
    yield columns, numbers, ragged


def _find_header(head: list[list[str | None]], accepted: set[str]) -> tuple[int, int, list[str]]:
    """(row index, number of header rows, headers): the best of the first rows, one or two rows deep."""
    best: tuple[int, int, int, list[str]] = (-1, 0, 9, [])
    for index, row in enumerate(head):
        single = [_label(c) for c in row]
        options = [(1, single)]
        if index + 1 < len(head):
            filled, last = [], ""
            for cell in single:
                last = cell or last
                filled.append(last)
            below = [_label(c) for c in head[index + 1]] + [""] * (len(single) - len(head[index + 1]))
            options.append((2, [b if b in accepted else (s or f) for s, f, b in zip(single, filled, below, strict=False)]))
        for depth, labels in options:
            hits = len({x for x in labels if x in accepted})
            if (hits, -depth) > (best[0], -best[2]):
                best = (hits, index, depth, labels)
    hits, index, depth, labels = best
    if hits <= 0:
        # Nothing known: the first row with at least two cells is what the sender calls a header.
        index = next((i for i, row in enumerate(head) if sum(1 for c in row if c) >= 2), 0)
        depth, labels = 1, [_label(c) for c in head[index]]
    while labels and not labels[-1]:
        labels.pop()
    return index, depth, _distinct(labels)


def _label(cell: str | None) -> str:
    import unicodedata

    text = unicodedata.normalize("NFKC", (cell or "").lstrip("\x01\x02"))
    text = "".join(c for c in text if not unicodedata.category(c).startswith("C") and not c.isspace())
    # NFKC turns （元） into (元); headers in feed files use the full-width brackets.
    return text.replace("(", "（").replace(")", "）")


def _distinct(labels: list[str]) -> list[str]:
    seen: dict[str, int] = {}
    found = []
    for index, label in enumerate(labels):
        name = label or f"第{index + 1}列"
        seen[name] = seen.get(name, 0) + 1
        found.append(name if seen[name] == 1 else f"{name}#{seen[name]}")
    return found


# ---- text ------------------------------------------------------------------------------------


def _text(path: str, accepted: set[str]) -> tuple[dict[str, Any], Any]:
    encoding, skip = _encoding(path)
    utf8 = path if encoding == "utf-8" and not skip else _transcoded(path, encoding, skip)
    with open(utf8, "rb") as source:
        start = source.read(1 << 16)
    stripped = start.lstrip()
    if stripped[:1] == b"{":
        return _json_lines(utf8, encoding)
    if stripped[:1] == b"<":
        raise Refusal("是网页或 XML 文件（有的系统把网页存成 .xls）", "请用 Excel 打开后另存为 XLSX 重发")
    if start.count(b"\x00") > len(start) // 100 + 1:
        raise Refusal("是二进制文件，不是文本表格", "请导出为 CSV 或 XLSX 后重发")
    return _csv(utf8, encoding, accepted, start)


def _encoding(path: str) -> tuple[str, int]:
    """(encoding, bytes of BOM). BOM, then strict UTF-8, then strict GB18030; never a guess."""
    with open(path, "rb") as source:
        head = source.read(4)
    for bom, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be")):
        if head.startswith(bom):
            return name, len(bom)
    for name in ("utf-8", "gb18030"):
        place = _first_bad_byte(path, name)
        if place is None:
            return name, 0
    raise Refusal(
        f"编码既不是 UTF-8 也不是 GB18030（第 {place} 字节处无法解码）", "请用“另存为 → CSV UTF-8”重新导出，不要手工改编码"
    )


def _first_bad_byte(path: str, encoding: str) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    done = 0
    with open(path, "rb") as source:
        try:
            while block := source.read(1 << 22):
                decoder.decode(block)
                done += len(block)
            decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            return done + error.start + 1
    return None


def _transcoded(path: str, encoding: str, skip: int) -> str:
    """The same text as UTF-8 in memory; lives and dies with this process."""
    target = os.memfd_create("cx-utf8")
    decoder = codecs.getincrementaldecoder(encoding)("strict")
    with open(path, "rb") as source, os.fdopen(os.dup(target), "wb") as out:
        source.seek(skip)
        try:
            while block := source.read(1 << 22):
                out.write(decoder.decode(block).encode())
            out.write(decoder.decode(b"", final=True).encode())
        except UnicodeError as error:
            raise Refusal(f"声明为 {encoding}，但内容无法按此解码", "请重新导出为 CSV UTF-8") from error
    return f"/proc/self/fd/{target}"


def _csv(path: str, encoding: str, accepted: set[str], start: bytes) -> tuple[dict[str, Any], Any]:
    import csv

    sample = start.decode("utf-8", "ignore")
    delimiter = max(",\t;|", key=lambda d: (sum(d in line for line in sample.splitlines()[:_HEAD_ROWS]), sample.count(d)))
    csv.field_size_limit(1 << 22)
    head: list[list[str | None]] = []
    with open(path, encoding="utf-8", newline="") as source:
        reader = csv.reader(source, delimiter=delimiter)
        try:
            for row in reader:
                head.append([c or None for c in row])
                if len(head) >= _HEAD_ROWS:
                    break
        except csv.Error as error:
            raise Refusal(f"第 {len(head) + 1} 行无法按 CSV 解析（{error}）", "请检查引号是否成对后重新导出") from error
    if not head or not any(head):
        raise Refusal("文件里没有内容", "请向提供单位索取完整文件")
    first, depth, headers = _find_header(head, accepted)
    layout = {"headers": headers, "header_row": first + depth, "encoding": encoding}
    # A trailing comma makes one empty header more than labels.
    width = max(len(headers), len(head[first]))
    while len(headers) < width:
        headers.append(f"第{len(headers) + 1}列")
    return layout, _csv_batches(path, delimiter, first + depth, width)


def _csv_batches(path: str, delimiter: str, skip: int, width: int) -> Iterator[tuple[Any, list[int], list[str | None]]]:
    import numpy as np
    import pyarrow as pa
    from pyarrow import csv as pcsv

    ragged: list[tuple[int, str]] = []

    def keep(row: Any) -> str:
        ragged.append((row.number, row.text))
        return "skip"

    names = [f"c{i}" for i in range(width)]
    try:
        stream = pcsv.open_csv(
            path,
            read_options=pcsv.ReadOptions(
                use_threads=False, block_size=8 << 20, skip_rows_after_names=0, skip_rows=0, column_names=names
            ),
            parse_options=pcsv.ParseOptions(
                delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False, invalid_row_handler=keep
            ),
            convert_options=pcsv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True, null_values=[""]
            ),
        )
        number = 0  # physical records seen so far, valid or not
        for batch in stream:
            count = batch.num_rows
            skipped = sorted(n for n, _ in ragged if n > number)
            numbers = np.arange(number + 1, number + 1 + count, dtype=np.int64)
            for gone in skipped:
                if gone > numbers[-1] if count else True:
                    break
                numbers[numbers >= gone] += 1
            number = int(numbers[-1]) if count else number
            body = numbers > skip
            for at in range(0, count, _CHUNK):
                part = batch.slice(at, _CHUNK)
                wanted = pa.array(body[at : at + _CHUNK])
                part = part.filter(wanted)
                own = numbers[at : at + _CHUNK][body[at : at + _CHUNK]]
                yield list(part.columns), own.tolist(), [None] * len(own)
    except pa.ArrowInvalid as error:
        raise Refusal(f"CSV 结构有误（{str(error)[:120]}）", "请检查引号是否成对、单元格是否过长后重新导出") from error
    lost = [(n, t) for n, t in ragged if n > skip]
    for at in range(0, len(lost), _CHUNK):
        part = lost[at : at + _CHUNK]
        yield (
            [[None] * len(part) for _ in range(width)],
            [n for n, _ in part],
            [t for _, t in part],
        )


def _json_lines(path: str, encoding: str) -> tuple[dict[str, Any], Any]:
    rows: list[dict[str, Any] | None] = []
    raw: list[str] = []
    headers: dict[str, None] = {}
    with open(path, encoding="utf-8") as source:
        for line in source:
            raw.append(line.rstrip("\n"))
            try:
                row = json.loads(line)
            except ValueError:
                row = None
            if isinstance(row, dict):
                headers |= dict.fromkeys(str(k) for k in row)
            else:
                row = None
            rows.append(row)
    if not headers:
        raise Refusal("看起来是 JSON，但没有一行是完整的对象", "请导出为每行一个对象的 JSON Lines")
    names = list(headers)

    def batches() -> Iterator[tuple[Any, list[int], list[str | None]]]:
        for at in range(0, len(rows), 5_000):
            part = rows[at : at + 5_000]
            columns = [[_json_cell(r.get(n)) if r is not None else None for r in part] for n in names]
            bad = [raw[at + i] if r is None else None for i, r in enumerate(part)]
            yield columns, list(range(at + 1, at + 1 + len(part))), bad

    return {"headers": names, "header_row": 0, "encoding": encoding}, batches()


def _json_cell(value: Any) -> str | None:
    if isinstance(value, (dict, list)):
        return json.dumps(value, ensure_ascii=False)
    return _cell(value)


if __name__ == "__main__":
    main()
