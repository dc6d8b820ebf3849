"""The data-element template (数据要素模板) as .xlsx: two header rows, Chinese names above field names. Pure.

Whoever fills it in keeps both header rows and puts data from the third row on; one sheet a table. What comes back is read
under caps, and only its two header rows: nothing of what stands below is looked at.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable, Sequence
from io import BytesIO
from xml.etree.ElementTree import ParseError

from openpyxl import Workbook, load_workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter

from chuxiong.kit.problems import Problem
from chuxiong.kit.spreadsheet import harmless
from supervision.packs.elements import Element, Need
from supervision.packs.limits import LIMITS

NOTES = "说明"
_EDGE = Border(bottom=Side(style="thin", color="7A8A9E"))
_HEAD = PatternFill("solid", fgColor="E9F0FA")
_TITLE = re.compile(r"[\[\]:*?/\\]")
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_BROKEN = (
    zipfile.BadZipFile,
    KeyError,
    ValueError,
    OSError,
    EOFError,
    ParseError,
    TypeError,
    NotImplementedError,
)


class Unreadable(Exception):
    """The workbook cannot be taken as it is; ``problem`` names place and cure."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def write(title: str, listed: Sequence[Element], remarks: Sequence[tuple[str, str]] = ()) -> bytes:
    """A template: the notes first, then one sheet a feed. ``remarks``: further lines of the notes."""
    book = Workbook()
    notes = book.active
    assert notes is not None  # noqa: S101  a new workbook has one
    notes.title = NOTES
    notes.append([harmless(title)])
    notes["A1"].font = Font(bold=True, size=13)
    notes.append(["每个表一张工作表：第 1 行为中文名，第 2 行为字段名，请保留这两行，数据从第 3 行填起。"])
    for name, text in remarks:
        notes.append([harmless(name), harmless(text)])
    notes.append([])
    notes.append(["表", "表代码", "提供单位", "中文名", "字段名", "类型", "敏感级别", "必填"])
    head = notes.max_row
    for cell in notes[head]:
        cell.font, cell.fill = Font(bold=True), _HEAD
    for e in listed:
        notes.append(
            [
                harmless(text)
                for text in (
                    e.feed.title.zh, e.feed.code, e.feed.agency.zh, e.column.zh, e.column.name, e.column.type,
                    e.column.sensitivity, "是" if e.column.required else "",
                )
            ]
        )  # fmt: skip
    for letter, width in zip("ABCDEFGH", (34, 24, 26, 26, 26, 14, 10, 8), strict=True):
        notes.column_dimensions[letter].width = width
    notes.freeze_panes = f"A{head + 1}"
    by_feed: dict[str, list[Element]] = {}
    for e in listed:
        by_feed.setdefault(e.feed.code, []).append(e)
    used = {NOTES}
    for own in by_feed.values():
        sheet = book.create_sheet(_name(own[0].feed.title.zh, used))
        for index, e in enumerate(own, 1):
            top, below = (
                sheet.cell(1, index, harmless(e.column.zh)),
                sheet.cell(2, index, harmless(e.column.name)),
            )
            top.font, below.font = Font(bold=True), Font(color="617085")
            top.fill, below.border = _HEAD, _EDGE
            top.alignment = Alignment(wrap_text=True, vertical="top")
            dimension = sheet.column_dimensions[get_column_letter(index)]
            dimension.width = min(32, max(14, 2 * len(e.column.zh) + 4))
            dimension.number_format = "@"
        sheet.freeze_panes = "A3"
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def _name(title: str, used: set[str]) -> str:
    """A sheet's name: at most 31 characters, without what Excel forbids, each once."""
    base = _TITLE.sub(" ", title).strip("' ")[:31] or "表"
    name, n = base, 2
    while name in used:
        name, n = f"{base[:28]} {n}", n + 1
    used.add(name)
    return name


def read(content: bytes) -> list[Need]:
    """The elements of a template, a need a column, in order. Raises ``Unreadable`` naming sheet, cell and cure."""
    _check_frame(content)
    needs: list[Need] = []
    try:
        book = load_workbook(BytesIO(content), read_only=True, data_only=False, keep_links=False)
        try:
            if len(book.sheetnames) > LIMITS.sheets.value:
                raise Unreadable(
                    Problem(
                        "工作簿", f"有 {len(book.sheetnames)} 张工作表，超过上限 {LIMITS.sheets.value}", "请删去与模型无关的工作表。",
                        f"{len(book.sheetnames)} sheets, more than {LIMITS.sheets.value}", "Delete the sheets that are no part of the model.",
                    )
                )  # fmt: skip
            for sheet in book.worksheets:
                if sheet.title != NOTES:
                    needs += _sheet(sheet.title, _heads(sheet))
        finally:
            book.close()
    except _BROKEN as error:
        raise Unreadable(_not_a_workbook()) from error
    if not needs:
        raise Unreadable(
            Problem(
                "工作簿", "没有找到数据要素", "第 1 行写中文名，第 2 行写字段名；可先导出一个模型的模板作样子。",
                "no data element was found", "Names in row 1, field names in row 2; export a model's template as an example.",
            )
        )  # fmt: skip
    return needs


def _heads(sheet: object) -> list[list[object]]:
    rows = sheet.iter_rows(min_row=1, max_row=2, max_col=LIMITS.columns.value + 1)  # type: ignore[attr-defined]
    return [[(c.value, getattr(c, "data_type", "")) for c in row] for row in rows]


def _sheet(title: str, heads: Iterable[Sequence[object]]) -> list[Need]:
    rows = [*heads, [], []][:2]
    width = max((n for row in rows for n, cell in enumerate(row, 1) if _text(cell)), default=0)
    if width > LIMITS.columns.value:
        raise Unreadable(
            Problem(
                f"“{title}”", f"超过 {LIMITS.columns.value} 列", "请只留模型要用的列。",
                f"more than {LIMITS.columns.value} columns", "Keep the columns that the model reads.",
            )
        )  # fmt: skip
    needs = []
    for index in range(width):
        texts = []
        for number, row in enumerate(rows, 1):
            cell = row[index] if index < len(row) else None
            text = _text(cell)
            place = f"“{title}”{get_column_letter(index + 1)}{number}"
            if _formula(cell, text):
                raise Unreadable(
                    Problem(
                        place, "单元格里是公式，或以 = + - @ 开头", "表头只写文字；请改成文字后再上传。",
                        "a formula, or a text that begins like one", "Headers are words; write them as text and upload again.",
                    )
                )  # fmt: skip
            if len(text) > LIMITS.text.value:
                raise Unreadable(
                    Problem(
                        place, f"文字超过 {LIMITS.text.value} 字", "这一格不像表头；请核对前两行。",
                        f"more than {LIMITS.text.value} characters", "This is hardly a header; look at the first two rows.",
                    )
                )  # fmt: skip
            texts.append(text)
        if any(texts):
            needs.append(Need("", title, texts[1], texts[0]))
    return needs


def _text(cell: object) -> str:
    value = cell[0] if isinstance(cell, tuple) else None
    return "" if value is None else str(value).strip()


def _formula(cell: object, text: str) -> bool:
    return bool(text) and ((isinstance(cell, tuple) and cell[1] == "f") or text.startswith(_FORMULA))


def _check_frame(content: bytes) -> None:
    """A workbook is a zip: bounded before anything of it is unpacked."""
    if len(content) > LIMITS.sheet_bytes.value:
        raise Unreadable(
            Problem(
                "工作簿", f"{len(content)} 字节，超过上限 {LIMITS.sheet_bytes.value}", "模板只需两行表头；请删去数据行后再上传。",
                f"{len(content)} bytes, more than {LIMITS.sheet_bytes.value}", "Two header rows will do; delete the data rows.",
            )
        )  # fmt: skip
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = archive.infolist()
            total = sum(m.file_size for m in members)
    except _BROKEN as error:
        raise Unreadable(_not_a_workbook()) from error
    if len(members) > LIMITS.members.value or total > LIMITS.sheet_unpacked.value:
        raise Unreadable(
            Problem(
                "工作簿", "解开后过大", "模板只需两行表头；请另存为新的工作簿后再上传。",
                "too large when unpacked", "Two header rows will do; save it as a new workbook.",
            )
        )  # fmt: skip


def _not_a_workbook() -> Problem:
    return Problem(
        "工作簿", "不是有效的 .xlsx 工作簿", "请用表格软件另存为 .xlsx 后再上传。",
        "not a valid .xlsx workbook", "Save it as .xlsx in a spreadsheet program.",
    )  # fmt: skip
