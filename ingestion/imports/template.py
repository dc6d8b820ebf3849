"""The blank sheet of a feed, from its YAML: what an agency fills in."""

from __future__ import annotations

from typing import IO, Any

from openpyxl import Workbook
from openpyxl.styles import Alignment, Border, Font, PatternFill, Side
from openpyxl.utils import get_column_letter, quote_sheetname
from openpyxl.worksheet.datavalidation import DataValidation

from chuxiong.kit.citizen_id import check_digit
from ingestion.catalog.spec import Column, FeedSpec
from ingestion.imports.columns import NOTES

#: rows that offer choices; more may be filled in
_CHOICES_TO = 5000
_HEADER_ROW = 4
_SHEET, _LISTS = "报送表", "选项"
_REQUIRED = PatternFill("solid", fgColor="FFF4DE")
_OPTIONAL = PatternFill("solid", fgColor="E9F0FA")
_EDGE = Border(bottom=Side(style="thin", color="7A8A9E"))
_NOTE = Font(color="617085", italic=True, size=9)

#: how a value is written, by type and form: (words, an example that is nobody's)
_HOW: dict[str, tuple[str, str]] = {
    "text": ("文字", "示例"),
    "code": ("编号，按文本填写", "A0001"),
    "person_name": ("姓名全称", "示例人"),
    "org_name": ("单位全称", "示例有限公司"),
    "address": ("详细地址", "楚雄市示例镇示例村1号"),
    "case_no": ("案号全称", "（2026）云2301民初1号"),
    "enum": ("按下拉项填写", ""),
    "division": ("六位区划代码或县市名称", "532301"),
    "date": ("日期，写到日", "2026-11-05"),
    "month": ("年月", "2026-11"),
    "datetime": ("日期和时间", "2026-11-05 08:30"),
    "money": ("金额，以元为单位", "1234.50"),
    "int": ("整数", "1"),
    "number": ("数字", "1.5"),
    "bool": ("是 或 否", "否"),
    "citizen_id": ("18 位身份证号，按文本填写", "53230119000101000" + check_digit("53230119000101000")),
    "phone": ("11 位手机号或带区号的固定电话", "0878-0000000"),
    "bank_account": ("账号，按文本填写", "0000000000000000"),
    "credit_code": ("18 位统一社会信用代码", "（示例从略）"),
    "plate": ("号牌号码", "云E00000"),
    "identity": ("身份证号或统一社会信用代码", "（示例从略）"),
    "identities": ("多个号码用、隔开，与姓名顺序一致", "（示例从略）"),
    "taxpayer": ("纳税人识别号", "（示例从略）"),
    "parcel_unit": ("28 位不动产单元号", "（示例从略）"),
    "discharge_permit": ("22 位排污许可证编号", "（示例从略）"),
    "document_no": ("文号全称", "示例〔2026〕1号"),
    "mn": ("设备编码，14 位或 24 位", "00000000000000"),
    "gb28181": ("20 位设备编码", "00000000000000000000"),
    "factor": ("HJ 212 因子编码", "w01018"),
    "measured": ("监测值，低于检出限写成 0.025L", "0.025L"),
    "longitude": ("经度，十进制度", "101.546000"),
    "latitude": ("纬度，十进制度", "25.032000"),
}


def how(column: Column) -> tuple[str, str]:
    """(how a value is written, an example)."""
    words, example = _HOW.get(column.form or "", _HOW.get(column.type, ("文字", "示例")))
    options = choices(column)
    if column.type == "enum":
        return (words, options[0]) if options else ("文字", "示例")
    if column.ten_thousands:
        words = "金额，以万元为单位" if "万元" in column.headers[0] else words
    return words, example


def choices(column: Column) -> list[str]:
    """What a cell of the column may hold, where the catalogue says so."""
    if column.type == "bool":
        return ["是", "否"]
    return [label if label else code for code, label in column.codes.items()] if column.codes else []


def write_template(feed: FeedSpec, out: IO[bytes]) -> None:
    """Title, how to write and an example stand above the header row, where intake does not look; rows go below it."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None  # noqa: S101  a new workbook has one
    sheet.title = _SHEET
    lists: dict[str, list[str]] = {}
    sheet.cell(1, 1, f"{feed.title.zh} 报送表").font = Font(bold=True, size=13)
    for index, column in enumerate(feed.delivered, start=1):
        words, example = how(column)
        top = sheet.cell(2, index, f"{'必填' if column.required else '选填'}：{words}")
        shown = sheet.cell(3, index, f"例 {example}" if example else "")
        head = sheet.cell(_HEADER_ROW, index, column.headers[0])
        top.font = shown.font = _NOTE
        top.alignment = Alignment(wrap_text=True, vertical="top")
        head.font, head.border = Font(bold=True), _EDGE
        head.fill = _REQUIRED if column.required else _OPTIONAL
        letter = get_column_letter(index)
        dimension = sheet.column_dimensions[letter]
        dimension.width = min(32, max(14, 2 * len(column.headers[0]) + 4))
        if column.type not in ("money", "int", "number"):
            dimension.number_format = "@"
        if options := choices(column):
            lists[letter] = options
    sheet.row_dimensions[2].height = 30
    sheet.freeze_panes = f"A{_HEADER_ROW + 1}"
    sheet.print_title_rows = f"{_HEADER_ROW}:{_HEADER_ROW}"
    sheet.page_setup.orientation = "landscape"
    _notes(book, feed)
    _drop_downs(book, sheet, lists)
    book.save(out)


def _drop_downs(book: Workbook, sheet: Any, lists: dict[str, list[str]]) -> None:
    if not lists:
        return
    store = book.create_sheet(_LISTS)
    store.sheet_state = "hidden"
    for index, (letter, options) in enumerate(lists.items(), start=1):
        for number, option in enumerate(options, start=1):
            cell = store.cell(number, index, option)
            cell.data_type, cell.number_format = "s", "@"
        place = get_column_letter(index)
        choice = DataValidation(
            type="list",
            formula1=f"{quote_sheetname(_LISTS)}!${place}$1:${place}${len(options)}",
            allow_blank=True,
            showErrorMessage=True,
            errorTitle="不在选项内",
            error="请从下拉项中选择；没有合适的选项请联系接收单位。",
        )
        choice.add(f"{letter}{_HEADER_ROW + 1}:{letter}{_CHOICES_TO}")
        sheet.add_data_validation(choice)


def _notes(book: Workbook, feed: FeedSpec) -> None:
    """One line a column: nothing on this sheet can be taken for a header row."""
    sheet = book.create_sheet(NOTES)
    facts = (
        ("数据源", f"{feed.title.zh}（{feed.code}）"),
        ("提供单位", feed.agency.zh),
        ("怎样填", "从“报送表”第 5 行起，每行一条；表头以上的说明和例子不会被读取，不必删除。"),
        ("号码", "身份证号、账号等长号码请保持文本格式；存成数值会丢失末几位，整行不能入库。"),
        ("同上", "每格填写实际内容，不写“同上”；没有内容留空。"),
        ("更新", {"snapshot": "每次报送全部记录。", "append": "每次只报送新增记录。"}.get(feed.load_mode, "每次报送新增和有变动的记录。")),
        ("同一条记录", "由这些列认定：" + "、".join(feed.column(n).zh for n in feed.natural_key) if feed.natural_key else "按整行认定"),
    )  # fmt: skip
    for name, text in facts:
        sheet.append([name, text])
    sheet.append([])
    sheet.append(["列名", "是否必填", "写法", "例子", "也可写作", "可选值"])
    for cell in sheet[sheet.max_row]:
        cell.font, cell.fill = Font(bold=True), _OPTIONAL
    for column in feed.delivered:
        words, example = how(column)
        options = choices(column)
        codes = [f"{code} {label}" for code, label in column.codes.items()] or options
        also = [h for h in column.headers[1:] if not h.isascii()]
        sheet.append(
            [
                column.headers[0],
                "必填" if column.required else "选填",
                words,
                example,
                "、".join(also),
                "、".join(codes),
            ]
        )
    for letter, width in zip("ABCDEF", (24, 44, 30, 24, 50, 60), strict=True):
        sheet.column_dimensions[letter].width = width
    for row in sheet.iter_rows():
        for cell in row:
            cell.number_format = "@"
            cell.alignment = Alignment(wrap_text=True, vertical="top")
            if cell.data_type == "f":
                cell.data_type = "s"
