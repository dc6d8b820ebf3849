"""From cells as sent to typed columns, vectorised; what fails goes aside with its reason.

``received = good + distinct failing rows``, rows that are blank or a sheet's footer counted apart.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import Enum
from typing import NamedTuple

import polars as pl

from chuxiong.kit import (
    case_number,
    citizen_id,
    coordinate,
    credit_code,
    dates,
    discharge_permit,
    divisions,
    factor,
    money,
    parcel_unit,
    phone,
    plate,
    text,
)
from chuxiong.kit.distinct import over_distinct
from ingestion.catalog.spec import Column, FeedSpec

_FOOTER = r"^(合计|小计|总计|共计|填表人|填报人|制表人?|审核人?|负责人|报送单位|填报单位|填报日期|制表日期|联系人|说明|注)\s*([:：]|$)|^(合计|小计|总计|共计)"
_NUMBER, _MOMENT = "\x01", "\x02"
_SCIENTIFIC = r"^[0-9](\.[0-9]+)?[eE]\+?[0-9]+$"
_EXACT_DIGITS = 15  # a spreadsheet number keeps no more
#: what clerks write for "as in the row above"
_DITTO = ("同上", "同 上", "〃", "″", "〞", '"', "''", "ditto")
#: columns in which noughts alone mean that nothing is known
_NOUGHT_IS_EMPTY = frozenset(
    {"citizen_id", "credit_code", "phone", "bank_account", "plate", "date", "month", "datetime"}
)
_NOUGHTS = r"^[0]+([-/.][0]+)*( [0:]+)?$"
#: lengths at which systems cut texts off, and how a text ends that was not cut
_CUT_LENGTHS = (255, 500, 1000, 2000, 4000)
_WHOLE_END = r"[。！？!?.;；）)”」』…]$"
#: a check character or a mask that is no plain ASCII digit, letter or star
_MARKED = "[x×✕╳хХ*＊•●]"
_OTHER_DOCUMENT = r"^([A-Z]{1,3}[0-9]{6,10}|[0-9]{8})$"


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
    OTHER_DOCUMENT = (
        "是护照、通行证等其他证件的号码",
        "number of a passport or another document",
        "有居民身份证的填写身份证号",
    )
    LEGACY_CODE = (
        "是旧注册号或组织机构代码",
        "former registration number or organisation code",
        "填写 18 位统一社会信用代码",
    )
    BAD_PLATE = ("号牌号码不符合 GA 36", "number plate does not fit GA 36", "与行驶证核对后更正，如 云E12345")
    BAD_PARCEL_UNIT = (
        "不动产单元号不是完整的 28 位",
        "real-estate unit number is not whole",
        "与不动产登记簿核对后更正",
    )
    BAD_PERMIT = (
        "排污许可证编号不是完整的 22 位",
        "discharge permit number is not whole",
        "与许可证副本核对后更正",
    )
    BAD_DEVICE = (
        "设备编码的位数或字符不符",
        "device number has a wrong length or character",
        "与设备备案表核对后更正",
    )
    BAD_FACTOR = ("监测因子无法识别", "factor not recognised", "填写 HJ 212 因子编码，如 w01018")
    BAD_COORDINATE = (
        "经纬度无法识别或不在国内",
        "coordinate not understood or outside the country",
        "写成十进制度，如 101.546000、25.032000",
    )
    OUT_OF_RANGE = ("数值超出可能的范围", "value cannot be true", "与原始记录核对后更正")
    DITTO = ("“同上”之前没有可取的行", "ditto mark without a row above", "填写实际内容")
    CONVERTED_ID = (
        "15 位旧证件号，已换算为 18 位",
        "old number of 15 digits, made into 18",
        "今后填写 18 位号码",
    )
    SEVERAL = ("一格填了多个值，只取第一个", "several values in a cell, the first was taken", "每格只填一个")
    SWAPPED = (
        "经度与纬度互换，已换回",
        "longitude and latitude were swapped and put right",
        "按列名填写经度、纬度",
    )
    BELOW_DETECTION = (
        "低于检出限，按检出限的一半计",
        "below detection, taken as half of the limit",
        "无须更正",
    )
    OUT_OF_ORDER = (
        "时间先后颠倒（可能是设备时钟偏差）",
        "times out of order, perhaps a clock is wrong",
        "核对设备时钟或填写的日期",
    )
    TRUNCATED = (
        "长文本恰在系统长度上限处中断",
        "long text ends at a system's limit",
        "导出完整文本后重新报送",
    )
    IDENTITY_CONFLICT = ("同一证件号下有不同姓名", "one number under different names", "与户籍信息核对后更正")

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

    ``ten_thousands``: money columns whose header says 万元. ``absent``: other columns that no header feeds.
    """

    columns: dict[str, str]
    ignored: list[str]
    unknown: list[str]
    missing: list[str]
    ten_thousands: frozenset[str] = frozenset()
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Normalised:
    """What became of one chunk.

    ``good``: ``row_no``, typed columns (identifiers still as canonical text), ``county``.
    ``bad``: (row_no, column, reason, raw), one line per fault, ``column`` in the sender's words.
    ``blank``: rows without content, footers among them (``footers``).
    ``notes``: as ``bad``, for rows that were kept: a value left out, mended, or worth a look.
    """

    good: pl.DataFrame
    bad: pl.DataFrame
    blank: int
    footers: int = 0
    notes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_FAULT_SCHEMA))
    #: of the rows in ``bad`` whose natural key can be read: ``row_no`` and the key's columns
    aside: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"row_no": pl.Int64}))


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
    absent = tuple(c.name for c in feed.delivered if not c.required and c.name not in columns.values())
    return Mapping(columns, ignored, unknown, missing, frozenset(ten_thousands), absent)


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
    frames |= _coordinates(present, frames) | _orders(feed, frames)
    frames |= _conflicts(present, frames)
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
    every = _assembled(chunk["row_no"], feed, present, frames)
    good = every.filter(kept & ~spoiled)
    notes = _reported(chunk, header_of, [(c, frames[c.name]["note"]) for c in present], kept & ~spoiled)
    return Normalised(
        good=good,
        bad=pl.concat([bad, torn]).sort("row_no", maintain_order=True) if torn.height else bad,
        blank=int(blank.sum()) + int(footer.sum()),
        footers=int(footer.sum()),
        notes=notes,
        aside=_with_key(every, feed, dict((c.name, fault) for c, fault in faults), kept & whole & spoiled),
    )


def _with_key(
    every: pl.DataFrame, feed: FeedSpec, faults: dict[str, pl.Series], among: pl.Series
) -> pl.DataFrame:
    """Rows of ``among`` whose natural key holds no fault."""
    if not feed.natural_key or not among.any():
        return pl.DataFrame(schema={"row_no": pl.Int64})
    for name in feed.natural_key:
        if name in faults:
            among = among & faults[name].is_null()
    columns = ["row_no", *(name for name in feed.natural_key if name in every.columns)]
    return every.select(columns).filter(among)


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


# ---- across columns --------------------------------------------------------------------------


def _noted(frame: pl.DataFrame, mask: pl.Series, reason: Reason) -> pl.DataFrame:
    """``frame`` with a note where ``mask`` holds and nothing was noted yet."""
    where = mask.fill_null(False) & frame["note"].is_null()
    return frame.with_columns(note=frame["note"].set(where, _REASONS.index(reason))) if where.any() else frame


def _coordinates(present: Sequence[Column], frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Longitude and latitude put right when swapped (certain: their ranges do not meet), left out when abroad."""
    axes = {c.form: c for c in present if c.form in ("longitude", "latitude")}
    found = {c.name: frames[c.name] for c in axes.values()}
    if len(axes) == 2:
        east, north = axes["longitude"].name, axes["latitude"].name
        lon, lat = found[east]["value"], found[north]["value"]
        swapped = (coordinate.is_latitude(lon) & coordinate.is_longitude(lat)).fill_null(False)
        if swapped.any():
            found[east] = found[east].with_columns(value=lon.zip_with(~swapped, lat))
            found[north] = found[north].with_columns(value=lat.zip_with(~swapped, lon))
            found[east] = _noted(found[east], swapped, Reason.SWAPPED)
    for form, column in axes.items():
        frame = found[column.name]
        inside = coordinate.is_longitude if form == "longitude" else coordinate.is_latitude
        abroad = ~inside(frame["value"]).fill_null(True)
        if not abroad.any():
            continue
        if column.required:
            fault = frame["fault"].set(
                abroad & frame["fault"].is_null(), _REASONS.index(Reason.BAD_COORDINATE)
            )
            frame = frame.with_columns(fault=fault)
        else:
            frame = _noted(frame, abroad, Reason.BAD_COORDINATE)
        found[column.name] = frame.with_columns(value=frame["value"].set(abroad, None))
    return found


def _orders(feed: FeedSpec, frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Notes where the earlier of two columns is later than the other; nothing is changed, a person decides."""
    found: dict[str, pl.DataFrame] = {}
    for first, second in feed.in_order:
        if first in frames and second in frames:
            early, late = frames[first]["value"], frames[second]["value"]
            if early.dtype != late.dtype:
                early, late = _days(early), _days(late)
            found[second] = _noted(found.get(second, frames[second]), early > late, Reason.OUT_OF_ORDER)
    return found


def _days(values: pl.Series) -> pl.Series:
    return values if values.dtype == pl.Date else values.dt.date()


def _conflicts(present: Sequence[Column], frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Notes where one identity number stands with different whole names in this chunk. Nothing is merged."""
    found: dict[str, pl.DataFrame] = {}
    for column in present:
        if column.name_in not in frames:
            continue
        names = frames[column.name_in]["value"]
        whole = ~names.str.contains(r"[*某]").fill_null(True)
        pairs = pl.DataFrame([frames[column.name]["value"].alias("id"), names.alias("name")]).filter(whole)
        numbers = pairs.drop_nulls().unique()["id"]
        several = numbers.filter(numbers.is_duplicated()).unique()
        if len(several):
            clash = frames[column.name]["value"].is_in(several.to_list()) & whole
            found[column.name] = _noted(frames[column.name], clash, Reason.IDENTITY_CONFLICT)
    return found


# ---- one column ------------------------------------------------------------------------------


def _converted(raw: pl.Series, column: Column, on: date, ten_thousands: bool) -> pl.DataFrame:
    """Frame of value, masked, filled (never null), fault and note (index of the reason, or null)."""

    def convert(values: pl.Series) -> pl.DataFrame:
        return _convert(values, column, on, ten_thousands)

    filled = _as_above(raw)
    frame = over_distinct(filled, convert).with_columns(pl.col("filled").fill_null(False))
    # Only marks at the head of the chunk have nothing above them.
    if len(filled) and filled[0] in _DITTO:
        headless = filled.is_in(list(_DITTO)).fill_null(False)
        frame = frame.with_columns(fault=frame["fault"].set(headless, _REASONS.index(Reason.DITTO)))
    return frame


def _as_above(raw: pl.Series) -> pl.Series:
    """Ditto marks replaced by the cell above them, an empty one included."""
    ditto = raw.is_in(list(_DITTO)).fill_null(False)
    if not ditto.any():
        return raw
    empty = "\x00"
    filled = raw.fill_null(empty).set(ditto, None).forward_fill()
    return filled.set((filled == empty).fill_null(False), None).zip_with(filled.is_not_null() | ~ditto, raw)


def _convert(raw: pl.Series, column: Column, on: date, ten_thousands: bool) -> pl.DataFrame:
    numeric = raw.str.starts_with(_NUMBER).fill_null(False)
    moment = raw.str.starts_with(_MOMENT).fill_null(False)
    plain = raw.str.strip_prefix(_NUMBER).str.strip_prefix(_MOMENT) if (numeric | moment).any() else raw
    control = plain.str.contains(text.CONTROL).fill_null(False)
    cleaned = text.cleaned(plain)
    if column.type in _NOUGHT_IS_EMPTY or column.form in ("identity", "identities", "taxpayer"):
        noughts = cleaned.str.starts_with("0").fill_null(False)
        if noughts.any():
            noughts = noughts & cleaned.str.contains(_NOUGHTS).fill_null(False)
            cleaned = cleaned.set(noughts, None)
    cells = _Cells(cleaned, numeric if numeric.any() else None, column, on, ten_thousands)
    typed = (_FORMS.get(column.form or "") or _TYPES.get(column.type, _as_text))(cells)
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
    bare = text.without_blanks(cells.text)
    if bare.str.contains(_MARKED).any():
        bare = citizen_id.with_plain_check(bare).str.replace_all("[×＊•●]", "*")
    damaged = [(bare.str.contains(_SCIENTIFIC), Reason.SCIENTIFIC_ID)]
    if cells.numeric is not None:  # even 15 digits: nobody can tell what stood there before
        damaged.append((cells.numeric, Reason.NUMERIC_ID))
    verdict, canonical = citizen_id.verdicts(bare, on=cells.on)
    sound = verdict.is_in([v.value for v in citizen_id.SOUND]).fill_null(False)
    old = [((bare.str.len_chars() == _EXACT_DIGITS) & sound, Reason.CONVERTED_ID)]
    if sound.all():
        return _Typed(canonical, damaged, old)
    stranger = verdict == citizen_id.Verdict.NOT_AN_ID.value
    masked = (verdict == citizen_id.Verdict.MASKED.value).fill_null(False)
    company = other = pl.Series([False]).new_from_index(0, len(bare))
    if not cells.column.required and stranger.any():
        # Firms stand in the parties' columns too, guests show passports; the row is worth more than this cell.
        company = credit_code.valid(bare.str.to_uppercase()).fill_null(False)
        other = bare.str.to_uppercase().str.contains(_OTHER_DOCUMENT).fill_null(False) & stranger
    faults = [
        *damaged,
        (verdict == citizen_id.Verdict.BAD_CHECKSUM.value, Reason.BAD_CHECKSUM),
        (verdict == citizen_id.Verdict.BAD_DATE.value, Reason.BAD_BIRTH_DATE),
        (stranger & ~company & ~other, Reason.NOT_AN_ID),
    ]
    if cells.column.required:
        faults.append((masked, Reason.MASKED_KEY))
    notes = [*old, (company, Reason.NOT_AN_ID), (other, Reason.OTHER_DOCUMENT)]
    return _Typed(_where(sound, canonical), faults, notes, _where(masked, bare))


def _credit(cells: _Cells) -> _Typed:
    bare = text.without_blanks(cells.text).str.to_uppercase()
    wrong = ~credit_code.valid(bare)
    damaged = _damaged(cells, bare)
    if not wrong.any():
        return _Typed(bare, damaged)
    rows = wrong.fill_null(False).arg_true()
    known = pl.Series([credit_code.is_legacy(v) for v in bare.gather(rows).to_list()], dtype=pl.Boolean)
    legacy = pl.Series([False]).new_from_index(0, len(bare)).scatter(rows, known)
    faults = [*damaged, (wrong & ~legacy, Reason.BAD_CREDIT_CODE)]
    if cells.column.required:
        return _Typed(bare, [*faults, (legacy, Reason.LEGACY_CODE)])
    return _Typed(_where(~wrong, bare), faults, [(legacy, Reason.LEGACY_CODE)])


def _account(cells: _Cells) -> _Typed:
    bare = text.without_blanks(cells.text).str.replace_all("-", "")
    return _Typed(bare, _damaged(cells, bare))


def _phone(cells: _Cells) -> _Typed:
    """A number nobody can ring is left out and noted; the row stays unless the number is required."""
    value = phone.canonical(cells.text)
    several = (phone.several(cells.text), Reason.SEVERAL)
    return _excused(cells, value, Reason.BAD_PHONE, several)


def _plate(cells: _Cells) -> _Typed:
    """As a telephone number: a plate that cannot be is left out, the row stays unless the plate is required."""
    bare = plate.unified(cells.text)
    return _excused(cells, _where(plate.valid(bare), bare), Reason.BAD_PLATE)


def _excused(cells: _Cells, value: pl.Series, reason: Reason, *notes: tuple[pl.Series, Reason]) -> _Typed:
    unread = (cells.unread(value), reason)
    if cells.column.required:
        return _Typed(value, [unread], notes)
    return _Typed(value, (), [unread, *notes])


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
    value = _amount(plain)
    percent = plain.str.ends_with("%").fill_null(False)
    if percent.any():
        # 35.1% and 0.351 are one, unless the header counts in per cent already.
        by = 1 if any("%" in header for header in cells.column.headers) else 100
        value = value.zip_with(~percent, (_amount(plain.str.strip_suffix("%")) / by).round(12))
    if cells.column.type == "int":
        whole = (value == value.floor()) & (value.abs() < 2**53)
        value = _where(whole, value).cast(pl.Int64)
    return _Typed(value, [(cells.unread(value), Reason.BAD_NUMBER), *_beyond(cells.column, value)])


def _amount(plain: pl.Series) -> pl.Series:
    shaped = plain.str.contains(r"^[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?$")
    value = _where(shaped, plain).cast(pl.Float64, strict=False)
    return _where(value.is_finite(), value)


def _beyond(column: Column, value: pl.Series) -> list[tuple[pl.Series, Reason]]:
    found = []
    if column.at_least is not None:
        found.append((value < column.at_least, Reason.OUT_OF_RANGE))
    if column.at_most is not None:
        found.append((value > column.at_most, Reason.OUT_OF_RANGE))
    return found


def _measured(cells: _Cells) -> _Typed:
    """A laboratory's figure: 0.025L lies below the detection limit of 0.025 and counts as half of it."""
    limit = cells.text.str.extract(r"^(?:<\s*([0-9.]+)|[0-9.]+\s*[Ll])$", 1)
    limit = limit.fill_null(cells.text.str.extract(r"^([0-9.]+)\s*[Ll]$", 1))
    below = limit.is_not_null()
    if not below.any():
        return _number(cells)
    value = _amount(cells.text.str.replace_all(r"[,\s]", "")).zip_with(~below, _amount(limit) / 2)
    faults = [(cells.unread(value), Reason.BAD_NUMBER), *_beyond(cells.column, value)]
    return _Typed(value, faults, [(below, Reason.BELOW_DETECTION)])


def _coordinate(cells: _Cells) -> _Typed:
    """Decimal degrees; whether they fit is told when both axes are known (``_coordinates``)."""
    return _excused(cells, coordinate.degrees(cells.text), Reason.BAD_COORDINATE)


#: how a yes/no column says no, in lower case
NO = ("否", "不是", "没有", "n", "no", "false", "f", "0", "×")


def _bool(cells: _Cells) -> _Typed:
    lowered = cells.text.str.to_lowercase()
    yes = lowered.is_in(["是", "有", "对", "y", "yes", "true", "t", "1", "√"]).fill_null(False)
    no = lowered.is_in(NO).fill_null(False)
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
    # Cells are NFKC-normalised before they are compared: Ⅲ is III there.
    return {unicodedata.normalize("NFKC", word): code for word, code in known.items()}


def _case(cells: _Cells) -> _Typed:
    return _Typed(case_number.unified(cells.text))


def _person(cells: _Cells) -> _Typed:
    # A blank between two Chinese characters is layout (张 三); between letters it is part of the name.
    joined = cells.text.str.replace_all(r"(\p{Han})\s+", "${1}")
    return _Typed(text.same_dots(joined))


def _org(cells: _Cells) -> _Typed:
    """One form of brackets, no layout blanks. Short and former names stay: the credit code tells who it is."""
    return _Typed(text.same_brackets(cells.text).str.replace_all(r"([\p{Han})])\s+", "${1}"))


def _code(cells: _Cells) -> _Typed:
    bare = text.without_blanks(cells.text)
    return _Typed(bare, _damaged(cells, bare) if cells.numeric is not None else ())


def _as_text(cells: _Cells) -> _Typed:
    cut = cells.text.str.len_chars().is_in(list(_CUT_LENGTHS)).fill_null(False)
    if not cut.any():
        return _Typed(cells.text)
    return _Typed(cells.text, (), [(cut & ~cells.text.str.contains(_WHOLE_END), Reason.TRUNCATED)])


# ---- forms -----------------------------------------------------------------------------------


def _shaped(
    bare: pl.Series, cells: _Cells, sound: pl.Series, reason: Reason, canonical: pl.Series | None = None
) -> _Typed:
    return _Typed(
        bare if canonical is None else canonical, [*_damaged(cells, bare), (~sound & cells.filled, reason)]
    )


def _bare_code(cells: _Cells) -> pl.Series:
    return text.without_blanks(cells.text).str.to_uppercase()


def _parcel_unit(cells: _Cells) -> _Typed:
    bare = _bare_code(cells)
    return _shaped(bare, cells, parcel_unit.valid(bare), Reason.BAD_PARCEL_UNIT)


def _permit(cells: _Cells) -> _Typed:
    bare = _bare_code(cells)
    return _shaped(bare, cells, discharge_permit.valid(bare), Reason.BAD_PERMIT)


def _mn(cells: _Cells) -> _Typed:
    """HJ 212: 14 characters in 2005, 24 of 0-9 and A-F since 2017."""
    bare = _bare_code(cells)
    return _shaped(bare, cells, bare.str.contains(r"^([0-9A-Z]{14}|[0-9A-F]{24})$"), Reason.BAD_DEVICE)


def _gb28181(cells: _Cells) -> _Typed:
    """20 digits: 8 of the centre, 2 of the trade, 3 of the type, 1 of the network, 6 of order."""
    bare = _bare_code(cells)
    return _shaped(bare, cells, bare.str.contains(r"^[0-9]{20}$"), Reason.BAD_DEVICE)


def _factor(cells: _Cells) -> _Typed:
    canonical = factor.canonical(cells.text)
    return _shaped(cells.text, cells, canonical.is_not_null(), Reason.BAD_FACTOR, canonical)


def _document(cells: _Cells) -> _Typed:
    bare = text.same_brackets(text.without_blanks(cells.text))
    return _Typed(bare, _damaged(cells, bare) if cells.numeric is not None else ())


class _Party(NamedTuple):
    """One identifier of a person or an organisation; ``fault`` fails the row, ``note`` leaves it out."""

    value: str | None
    fault: Reason | None = None
    note: Reason | None = None


def _party(written: str, on: date, *, taxpayer: bool) -> _Party:
    bare = re.sub(r"[\s'‘’`]", "", written)
    bare = re.sub("[×＊•●]", "*", citizen_id.plain_check(bare)).upper()
    if credit_code.is_valid(bare):
        return _Party(bare)
    verdict, number = citizen_id.judge(bare, on=on)
    if verdict in citizen_id.SOUND:
        return _Party(number, note=Reason.CONVERTED_ID if len(bare) == _EXACT_DIGITS else None)
    if verdict is citizen_id.Verdict.MASKED:
        return _Party(bare, note=Reason.MASKED_KEY)
    if credit_code.is_legacy(bare):
        return _Party(None, note=Reason.LEGACY_CODE)
    if taxpayer and len(bare) == 20 and citizen_id.judge(bare[:18], on=on)[0] in citizen_id.SOUND:
        # A sole trader's number is the person's with two digits of order; the hyphen keeps both apart.
        return _Party(f"{bare[:18]}-{bare[18:]}")
    if re.fullmatch(_OTHER_DOCUMENT, bare):
        return _Party(None, note=Reason.OTHER_DOCUMENT)
    if re.match(_SCIENTIFIC, bare):
        return _Party(None, fault=Reason.SCIENTIFIC_ID)
    if verdict is citizen_id.Verdict.BAD_CHECKSUM:
        return _Party(None, fault=Reason.BAD_CHECKSUM)
    if re.fullmatch(r"[0-9A-Z]{18}", bare) and (verdict is citizen_id.Verdict.NOT_AN_ID or bare[0] == "9"):
        return _Party(None, fault=Reason.BAD_CREDIT_CODE)
    dated = verdict is citizen_id.Verdict.BAD_DATE
    return _Party(None, fault=Reason.BAD_BIRTH_DATE if dated else Reason.NOT_AN_ID)


def _parties(cells: _Cells, read: Callable[[str], _Party]) -> _Typed:
    known = {written: read(written) for written in cells.text.drop_nulls().unique().to_list()}
    found = [known[w] if w is not None else _Party(None) for w in cells.text.to_list()]
    required = cells.column.required
    faults, notes = [], []
    for reason in {p.fault for p in known.values()} | {p.note for p in known.values()} - {None}:
        if reason is None:
            continue
        mild = pl.Series([p.note is reason for p in found], dtype=pl.Boolean)
        faults.append((pl.Series([p.fault is reason for p in found], dtype=pl.Boolean), reason))
        strict = required and reason is not Reason.CONVERTED_ID
        if strict:
            faults.append((mild, reason))
        elif reason is not Reason.MASKED_KEY:
            notes.append((mild, reason))
    if cells.numeric is not None:
        digits = cells.text.str.replace(r"\.0$", "").str.len_chars()
        faults.insert(0, (cells.numeric & (digits >= _EXACT_DIGITS), Reason.NUMERIC_ID))
    return _Typed(pl.Series([p.value for p in found], dtype=pl.String), faults, notes)


def _identity(cells: _Cells) -> _Typed:
    return _parties(cells, lambda written: _party(written, cells.on, taxpayer=False))


def _taxpayer(cells: _Cells) -> _Typed:
    return _parties(cells, lambda written: _party(written, cells.on, taxpayer=True))


def _identities(cells: _Cells) -> _Typed:
    """Several identifiers, parted by 、; each keeps its place beside the names, 无 where it is left out."""

    def read(written: str) -> _Party:
        parts: list[_Party] = []
        for piece in re.split(r"[、,;/|]", written):
            whole = _party(piece, cells.on, taxpayer=False) if piece.strip() else None
            if whole and whole.fault and " " in piece.strip():
                parts += [_party(word, cells.on, taxpayer=False) for word in piece.split()]
            elif whole:
                parts.append(_Party(None) if piece.strip() in text.NULL_TOKENS else whole)
        if all(p.value is None for p in parts):
            return _Party(
                None,
                next((p.fault for p in parts if p.fault), None),
                next((p.note for p in parts if p.note), None),
            )
        return _Party(
            "、".join(p.value or "无" for p in parts),
            next((p.fault for p in parts if p.fault), None),
            next((p.note for p in parts if p.note), None),
        )

    return _parties(cells, read)


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
    "org_name": _org,
    "code": _code,
}
_FORMS: dict[str, Callable[[_Cells], _Typed]] = {
    "identity": _identity,
    "identities": _identities,
    "taxpayer": _taxpayer,
    "parcel_unit": _parcel_unit,
    "discharge_permit": _permit,
    "document_no": _document,
    "mn": _mn,
    "gb28181": _gb28181,
    "factor": _factor,
    "measured": _measured,
    "longitude": _coordinate,
    "latitude": _coordinate,
}
