"""From cells as sent to typed columns, vectorised; what fails goes aside with its reason.

``received = good + distinct failing rows``, rows that are blank or a sheet's footer counted apart.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import NamedTuple

import polars as pl

from chuxiong.kit import case_number, citizen_id, credit_code, dates, divisions, money, text
from chuxiong.kit.distinct import over_distinct
from ingestion.catalog.spec import Column, FeedSpec

_FOOTER = r"^(合计|小计|总计|共计|填表人|填报人|制表人?|审核人?|负责人|报送单位|填报单位|填报日期|制表日期|联系人|说明|注)\s*([:：]|$)|^(合计|小计|总计|共计)"
_NUMBER, _MOMENT = "\x01", "\x02"
_SCIENTIFIC = r"^[0-9](\.[0-9]+)?[eE]\+?[0-9]+$"
_EXACT_DIGITS = 15  # a spreadsheet number keeps no more


class Reason(Enum):
    """Why a row stands aside: words for the sender, and how to mend it. The list is closed."""

    MISSING = ("必填项为空", "required value is empty", "补填后重新报送")
    RAGGED = ("本行单元格数与表头不符", "cells do not fit the header", "检查多余的分隔符或缺失的引号")
    CONTROL = ("含有不可见的控制字符", "holds control characters", "从源系统重新导出，不要经过二次转换")
    NUMERIC_ID = (
        "号码存成了数值，末几位已丢失",
        "identifier stored as a number, digits are lost",
        "把该列设为文本格式，从源系统重新导出",
    )
    SCIENTIFIC_ID = (
        "号码成了科学计数，无法还原",
        "identifier in scientific notation",
        "把该列设为文本格式，从源系统重新导出",
    )
    BAD_CHECKSUM = ("证件号校验位不符", "check digit does not fit", "与原始证件核对后更正")
    BAD_BIRTH_DATE = (
        "证件号中的出生日期无效",
        "birth date within the number is invalid",
        "与原始证件核对后更正",
    )
    NOT_AN_ID = ("不是有效的证件号", "not an identity number", "与原始证件核对后更正")
    MASKED_KEY = ("必填的号码被遮掩", "a required number is masked", "按协议报送完整号码")
    BAD_CREDIT_CODE = ("统一社会信用代码校验不符", "credit code does not check", "与登记信息核对后更正")
    BAD_PHONE = ("电话号码无法识别", "telephone number not understood", "填写 11 位手机号或带区号的固定电话")
    BAD_DATE = (
        "日期无法识别或不完整",
        "date not understood or not complete",
        "写到日，如 2026-11-05；月份列写成 2026-11",
    )
    BAD_AMOUNT = ("金额无法识别", "amount not understood", "写成以元为单位的数字")
    BAD_NUMBER = ("数字无法识别", "number not understood", "写成阿拉伯数字")
    BAD_CODE = ("取值不在约定的代码表内", "value outside the agreed codes", "按模板下拉项填写")
    BAD_DIVISION = ("行政区划无法识别", "division not recognised", "填写六位区划代码或县市名称")

    @property
    def zh(self) -> str:
        return self.value[0]

    @property
    def en(self) -> str:
        return self.value[1]

    @property
    def cure(self) -> str:
        return self.value[2]

    @property
    def code(self) -> str:
        """As stored: ``bad_date``."""
        return self.name.lower()


_REASONS = tuple(Reason)
_FAULT_SCHEMA = {"row_no": pl.Int64, "column": pl.String, "reason": pl.String, "raw": pl.String}


@dataclass(frozen=True)
class Mapping:
    """Which header feeds which column. ``missing``: required columns (names) that no header feeds.

    ``ten_thousands``: money columns whose header says 万元.
    """

    columns: dict[str, str]
    ignored: list[str]
    unknown: list[str]
    missing: list[str]
    ten_thousands: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Normalised:
    """What became of one chunk.

    ``good``: ``row_no``, typed columns (identifiers still as canonical text), ``county``.
    ``bad``: (row_no, column, reason, raw), one line per fault, ``column`` in the sender's words.
    ``blank``: rows without content, footers among them (``footers``).
    ``notes``: as ``bad``, for values left out of rows that were kept.
    """

    good: pl.DataFrame
    bad: pl.DataFrame
    blank: int
    footers: int = 0
    notes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_FAULT_SCHEMA))


class _Typed(NamedTuple):
    """A column's values; faults fail the row, notes leave the value out; ``masked`` for identifiers."""

    value: pl.Series
    faults: Sequence[tuple[pl.Series, Reason]] = ()
    notes: Sequence[tuple[pl.Series, Reason]] = ()
    masked: pl.Series | None = None


class _Cells(NamedTuple):
    """Cleaned text of cells; ``numeric``: which were numbers in a spreadsheet (None: none was)."""

    text: pl.Series
    numeric: pl.Series | None
    column: Column
    on: date
    ten_thousands: bool

    @property
    def filled(self) -> pl.Series:
        return self.text.is_not_null()

    def unread(self, value: pl.Series) -> pl.Series:
        return self.filled & value.is_null()


# ---- headers ---------------------------------------------------------------------------------


def map_headers(headers: Sequence[str], feed: FeedSpec) -> Mapping:
    """Match headers (width, brackets, blanks and case unified) or column names; the first of doubles wins."""
    wanted = {_plain(h): column.name for column in feed.delivered for h in (column.name, *column.headers)}
    money_columns = {c.name for c in feed.columns if c.type == "money"}
    ignored_names = {_plain(h) for h in feed.ignored_headers}
    columns: dict[str, str] = {}
    ten_thousands: set[str] = set()
    ignored, unknown = [], []
    for header in headers:
        plain = _plain(header)
        name, unit = wanted.get(plain), None
        if name is None or name in money_columns:
            unit = "万元" if "万元" in plain else "元" if "元" in plain else None
            without_unit = plain.replace("(万元)", "").replace("(元)", "").removesuffix("万元")
            by_unit = wanted.get(without_unit) or wanted.get(without_unit + "(元)")
            name = name or (by_unit if unit and by_unit in money_columns else None)
        if name and name not in columns.values():
            columns[header] = name
            if unit == "万元" or (unit is None and feed.column(name).ten_thousands):
                ten_thousands.add(name)
        elif plain in ignored_names:
            ignored.append(header)
        elif not _without_name(header):
            unknown.append(header)
    missing = [c.name for c in feed.columns if c.required and c.name not in columns.values()]
    return Mapping(columns, ignored, unknown, missing, frozenset(ten_thousands))


def _plain(header: str) -> str:
    return "".join(unicodedata.normalize("NFKC", header).split()).casefold()


def _without_name(header: str) -> bool:
    """The reader calls a column without header 第3列."""
    return header.startswith("第") and header.endswith("列") and header[1:-1].isdigit()


# ---- rows ------------------------------------------------------------------------------------


def normalise(chunk: pl.DataFrame, feed: FeedSpec, mapping: Mapping, *, received_on: date) -> Normalised:
    """One chunk of ``Table.chunks()`` → typed rows and faults. ``received_on`` bounds births and short years."""
    header_of = {name: header for header, name in mapping.columns.items()}
    present = [c for c in feed.columns if c.name in header_of]
    frames = {
        c.name: _converted(chunk[header_of[c.name]], c, received_on, c.name in mapping.ten_thousands)
        for c in present
    }
    ragged = chunk["ragged"] if "ragged" in chunk.columns else pl.Series([None], dtype=pl.String)
    ragged = ragged if len(ragged) == chunk.height else ragged.new_from_index(0, chunk.height)
    whole = ragged.is_null()
    filled = pl.DataFrame([frames[c.name]["filled"].alias(c.name) for c in present])
    count = filled.sum_horizontal() if present else pl.Series([0] * chunk.height)
    blank = whole & (count == 0)
    footer = whole & ~blank & _footers(chunk, len(present), count)
    kept = ~(blank | footer)
    faults = [(c, _with_missing(c, frames[c.name], whole)) for c in present]
    spoiled = ~whole
    for _, fault in faults:
        if fault.null_count() != len(fault):
            spoiled = spoiled | fault.is_not_null()
    bad = _reported(chunk, header_of, faults, kept & whole)
    torn = chunk.filter(~whole).select(
        "row_no", column=pl.lit(""), reason=pl.lit(Reason.RAGGED.code), raw="ragged"
    )
    good = _assembled(chunk["row_no"], feed, present, frames).filter(kept & ~spoiled)
    notes = _reported(chunk, header_of, [(c, frames[c.name]["note"]) for c in present], kept & ~spoiled)
    return Normalised(
        good=good,
        bad=pl.concat([bad, torn]).sort("row_no", maintain_order=True) if torn.height else bad,
        blank=int(blank.sum()) + int(footer.sum()),
        footers=int(footer.sum()),
        notes=notes,
    )


def _footers(chunk: pl.DataFrame, width: int, count: pl.Series) -> pl.Series:
    """Totals and signatures: few cells filled, and the row's first cell (mapped or not) says so."""
    found = pl.Series([False]).new_from_index(0, chunk.height)
    rows = ((count > 0) & (count <= max(2, width // 3))).arg_true()
    if not len(rows):
        return found
    few = chunk.drop("row_no", "ragged", strict=False)[rows]
    cells = few.with_columns(pl.all().str.strip_chars_start(_NUMBER + _MOMENT)).get_columns()
    first = pl.DataFrame([text.cleaned(cell) for cell in cells]).select(pl.coalesce(pl.all())).to_series()
    totals = first.str.replace_all(" ", "").str.contains(_FOOTER).fill_null(False)
    return found.scatter(rows, totals)


def _with_missing(column: Column, frame: pl.DataFrame, whole: pl.Series) -> pl.Series:
    fault = frame["fault"]
    if not column.required:
        return fault
    lacking = whole & ~frame["filled"]
    return fault.set(lacking, _REASONS.index(Reason.MISSING)) if lacking.any() else fault


def _reported(
    chunk: pl.DataFrame,
    header_of: dict[str, str],
    faults: Sequence[tuple[Column, pl.Series]],
    among: pl.Series,
) -> pl.DataFrame:
    parts = []
    for column, fault in faults:
        if fault.null_count() == len(fault):
            continue
        rows = (fault.is_not_null() & among).arg_true()
        words = pl.Series([r.code for r in _REASONS])
        header = header_of[column.name]
        parts.append(
            pl.DataFrame(
                {
                    "row_no": chunk["row_no"].gather(rows),
                    "column": pl.Series([header]).new_from_index(0, len(rows)),
                    "reason": words.gather(fault.gather(rows).cast(pl.UInt32)),
                    "raw": chunk[header].gather(rows).str.strip_chars_start(_NUMBER + _MOMENT),
                },
                schema=_FAULT_SCHEMA,
            )
        )
    return (
        pl.concat(parts).sort("row_no", maintain_order=True) if parts else pl.DataFrame(schema=_FAULT_SCHEMA)
    )


def _assembled(
    row_no: pl.Series, feed: FeedSpec, present: Sequence[Column], frames: dict[str, pl.DataFrame]
) -> pl.DataFrame:
    columns = [row_no.alias("row_no")]
    for column in present:
        columns.append(frames[column.name]["value"].alias(column.name))
        if column.type == "citizen_id" and not column.required:
            columns.append(frames[column.name]["masked"].alias(f"{column.name}_masked"))
    county = pl.Series([None], dtype=pl.String).new_from_index(0, len(row_no))
    for column in present:
        if column.name == feed.county_column:
            values, by_code = frames[column.name]["value"], column.type == "division"
            county = over_distinct(values, _office_of_code if by_code else _office_of_text).to_series()
    return pl.DataFrame([*columns, county.alias("county")])


def _office_of_code(known: pl.Series) -> pl.DataFrame:
    return divisions.office(known).to_frame()


def _office_of_text(known: pl.Series) -> pl.DataFrame:
    return divisions.office_of_text(known).to_frame()


# ---- one column ------------------------------------------------------------------------------


def _converted(raw: pl.Series, column: Column, on: date, ten_thousands: bool) -> pl.DataFrame:
    """Frame of value, masked, filled (never null), fault and note (index of the reason, or null)."""

    def convert(values: pl.Series) -> pl.DataFrame:
        return _convert(values, column, on, ten_thousands)

    frame = over_distinct(raw, convert)
    return frame.with_columns(frame["filled"].fill_null(False))


def _convert(raw: pl.Series, column: Column, on: date, ten_thousands: bool) -> pl.DataFrame:
    numeric = raw.str.starts_with(_NUMBER).fill_null(False)
    moment = raw.str.starts_with(_MOMENT).fill_null(False)
    plain = raw.str.strip_prefix(_NUMBER).str.strip_prefix(_MOMENT) if (numeric | moment).any() else raw
    control = plain.str.contains(text.CONTROL).fill_null(False)
    cells = _Cells(text.cleaned(plain), numeric if numeric.any() else None, column, on, ten_thousands)
    typed = _TYPES.get(column.type, _as_text)(cells)
    return pl.DataFrame(
        {
            "value": typed.value,
            "masked": _none(raw) if typed.masked is None else typed.masked,
            "filled": cells.filled,
            "fault": _first([(control, Reason.CONTROL), *typed.faults], len(raw)),
            "note": _first(typed.notes, len(raw)),
        }
    )


def _first(found: Sequence[tuple[pl.Series, Reason]], height: int) -> pl.Series:
    """Index of the first reason that holds in each row, null where none does."""
    result = pl.Series([None], dtype=pl.UInt8).new_from_index(0, height)
    for mask, reason in reversed(found):
        if mask.any():
            result = result.set(mask.fill_null(False), _REASONS.index(reason))
    return result


def _none(like: pl.Series) -> pl.Series:
    return pl.Series([None], dtype=pl.String).new_from_index(0, len(like))


def _where(mask: pl.Series, values: pl.Series) -> pl.Series:
    return values.set(~mask.fill_null(False), None)


def _damaged(cells: _Cells, bare: pl.Series) -> list[tuple[pl.Series, Reason]]:
    """Identifiers that a spreadsheet has spoilt: more digits than a number holds, or an exponent."""
    found = [(bare.str.contains(_SCIENTIFIC), Reason.SCIENTIFIC_ID)]
    if cells.numeric is not None:
        digits = bare.str.replace(r"\.0$", "").str.len_chars()
        found.append((cells.numeric & (digits > _EXACT_DIGITS), Reason.NUMERIC_ID))
    return found


def _citizen(cells: _Cells) -> _Typed:
    bare = text.without_blanks(cells.text).str.replace_all("[×＊•●]", "*")
    damaged = [(bare.str.contains(_SCIENTIFIC), Reason.SCIENTIFIC_ID)]
    if cells.numeric is not None:  # even 15 digits: nobody can tell what stood there before
        damaged.append((cells.numeric, Reason.NUMERIC_ID))
    verdict, canonical = citizen_id.verdicts(bare, on=cells.on)
    sound = verdict.is_in([v.value for v in citizen_id.SOUND]).fill_null(False)
    if sound.all():
        return _Typed(canonical, damaged)
    stranger = verdict == citizen_id.Verdict.NOT_AN_ID.value
    masked = (verdict == citizen_id.Verdict.MASKED.value).fill_null(False)
    company = pl.Series([False]).new_from_index(0, len(bare))
    if not cells.column.required and stranger.any():
        # Firms stand in the parties' columns too; the row is worth more than this cell.
        company = credit_code.valid(bare.str.to_uppercase()).fill_null(False)
    faults = [
        *damaged,
        (verdict == citizen_id.Verdict.BAD_CHECKSUM.value, Reason.BAD_CHECKSUM),
        (verdict == citizen_id.Verdict.BAD_DATE.value, Reason.BAD_BIRTH_DATE),
        (stranger & ~company, Reason.NOT_AN_ID),
    ]
    if cells.column.required:
        faults.append((masked, Reason.MASKED_KEY))
    return _Typed(_where(sound, canonical), faults, [(company, Reason.NOT_AN_ID)], _where(masked, bare))


def _credit(cells: _Cells) -> _Typed:
    bare = text.without_blanks(cells.text).str.to_uppercase()
    return _Typed(bare, [*_damaged(cells, bare), (~credit_code.valid(bare), Reason.BAD_CREDIT_CODE)])


def _account(cells: _Cells) -> _Typed:
    bare = text.without_blanks(cells.text).str.replace_all("-", "")
    return _Typed(bare, _damaged(cells, bare))


def _phone(cells: _Cells) -> _Typed:
    """A number nobody can ring is left out and noted; the row stays unless the number is required."""
    bare = (
        text.without_blanks(cells.text).str.replace_all(r"[-()]", "").str.replace(r"^(\+?86|0086)(1)", "${2}")
    )
    value = bare.str.extract(r"^(1[3-9][0-9]{9}|0[0-9]{9,11}|[2-9][0-9]{6,7})(?:[/,、;；转].*)?$", 1)
    unread = [(cells.unread(value), Reason.BAD_PHONE)]
    return _Typed(value, unread if cells.column.required else (), () if cells.column.required else unread)


def _plate(cells: _Cells) -> _Typed:
    return _Typed(text.without_blanks(cells.text).str.replace_all("[·.-]", "").str.to_uppercase())


def _date(cells: _Cells) -> _Typed:
    value = dates.dates(cells.text, cells.numeric, on=cells.on)
    return _Typed(value, [(cells.unread(value), Reason.BAD_DATE)])


def _month(cells: _Cells) -> _Typed:
    value = dates.months(cells.text, cells.numeric, on=cells.on)
    return _Typed(value, [(cells.unread(value), Reason.BAD_DATE)])


def _moment(cells: _Cells) -> _Typed:
    value = dates.moments(cells.text, cells.numeric, on=cells.on)
    return _Typed(value, [(cells.unread(value), Reason.BAD_DATE)])


def _money(cells: _Cells) -> _Typed:
    value = money.fen(cells.text, ten_thousands=cells.ten_thousands)
    return _Typed(value, [(cells.unread(value), Reason.BAD_AMOUNT)])


def _number(cells: _Cells) -> _Typed:
    plain = cells.text.str.replace_all(r"[,\s]", "").str.replace(
        r"(周?岁|人|天|个|次|件|米|公里|km|吨|L|mg/L)$", ""
    )
    shaped = plain.str.contains(r"^[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?$")
    value = _where(shaped, plain).cast(pl.Float64, strict=False)
    value = _where(value.is_finite(), value)
    if cells.column.type == "int":
        whole = (value == value.floor()) & (value.abs() < 2**53)
        value = _where(whole, value).cast(pl.Int64)
    return _Typed(value, [(cells.unread(value), Reason.BAD_NUMBER)])


def _bool(cells: _Cells) -> _Typed:
    lowered = cells.text.str.to_lowercase()
    yes = lowered.is_in(["是", "有", "对", "y", "yes", "true", "t", "1", "√"]).fill_null(False)
    no = lowered.is_in(["否", "不是", "没有", "n", "no", "false", "f", "0", "×"]).fill_null(False)
    value = _where(yes | no, yes)
    return _Typed(value, [(cells.unread(value), Reason.BAD_CODE)])


def _division(cells: _Cells) -> _Typed:
    value = divisions.codes(text.without_blanks(cells.text).str.replace(r"\.0$", ""))
    return _Typed(value, [(cells.unread(value), Reason.BAD_DIVISION)])


def _enum(cells: _Cells) -> _Typed:
    if not cells.column.codes:
        return _Typed(cells.text)
    value = cells.text.replace_strict(_accepted(cells.column), default=None, return_dtype=pl.String)
    return _Typed(value, [(cells.unread(value), Reason.BAD_CODE)])


def _accepted(column: Column) -> dict[str, str]:
    """Code, label, code with label (110企业职工, 110-企业职工) or a code that lost or won a zero → code."""
    known: dict[str, str] = {}
    for code, label in column.codes.items():
        for word in (label, *column.variants.get(code, ())):
            known |= dict.fromkeys(
                (word, f"{code}{word}", f"{code}-{word}", f"{code} {word}", f"{code}、{word}"), code
            )
        known[code] = code
    for code in column.codes:
        if code.isdigit():
            known.setdefault(code.lstrip("0") or "0", code)
            known.setdefault(f"0{code}", code)
    return known


def _case(cells: _Cells) -> _Typed:
    return _Typed(case_number.unified(cells.text))


def _person(cells: _Cells) -> _Typed:
    # A blank between two Chinese characters is layout (张 三); between letters it is part of the name.
    joined = cells.text.str.replace_all(r"(\p{Han})\s+", "${1}")
    return _Typed(text.same_dots(joined))


def _code(cells: _Cells) -> _Typed:
    bare = text.without_blanks(cells.text)
    return _Typed(bare, _damaged(cells, bare) if cells.numeric is not None else ())


def _as_text(cells: _Cells) -> _Typed:
    return _Typed(cells.text)


_TYPES: dict[str, Callable[[_Cells], _Typed]] = {
    "citizen_id": _citizen,
    "credit_code": _credit,
    "bank_account": _account,
    "phone": _phone,
    "plate": _plate,
    "date": _date,
    "month": _month,
    "datetime": _moment,
    "money": _money,
    "int": _number,
    "number": _number,
    "bool": _bool,
    "division": _division,
    "enum": _enum,
    "case_no": _case,
    "person_name": _person,
    "code": _code,
}
