"""From cells as sent to typed columns, vectorised; what fails goes aside with its reason.

``received = good + distinct failing rows``, rows that are blank or a sheet's footer counted apart.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum

import polars as pl

from chuxiong.kit import case_number, citizen_id, credit_code, dates, divisions, money, text
from ingestion.catalog.spec import Column, FeedSpec

_FOOTER = r"^(合计|小计|总计|共计|填表人|填报人|制表人?|审核人?|负责人|报送单位|填报日期|联系人)[:：]?"
_NUMBER, _MOMENT = "\x01", "\x02"


class Reason(Enum):
    """Why a row stands aside: words for the sender, and how to mend it."""

    MISSING = ("必填项为空", "required value is empty", "补填后重新报送")
    NUMERIC_ID = ("证件号存成了数值，末几位已丢失", "identifier stored as a number, digits are lost", "把该列设为文本格式，从源系统重新导出")
    SCIENTIFIC_ID = ("证件号成了科学计数，无法还原", "identifier in scientific notation", "把该列设为文本格式，从源系统重新导出")
    BAD_CHECKSUM = ("证件号校验位不符", "check digit does not fit", "与原始证件核对后更正")
    BAD_BIRTH_DATE = ("证件号中的出生日期无效", "birth date within the number is invalid", "与原始证件核对后更正")
    NOT_AN_ID = ("不是有效的证件号", "not an identity number", "与原始证件核对后更正")
    MASKED_KEY = ("证件号被遮掩，不能作为主键", "masked number in the key", "按协议报送完整号码")
    BAD_CREDIT_CODE = ("统一社会信用代码校验不符", "credit code does not check", "与登记信息核对后更正")
    BAD_DATE = ("日期无法识别", "date not understood", "写成 2026-11-05 的形式")
    BAD_AMOUNT = ("金额无法识别", "amount not understood", "写成以元为单位的数字")
    BAD_NUMBER = ("数字无法识别", "number not understood", "写成阿拉伯数字")
    BAD_CODE = ("取值不在约定的代码表内", "value outside the agreed codes", "按模板下拉项填写")
    BAD_DIVISION = ("行政区划无法识别", "division not recognised", "填写六位区划代码或县市名称")
    BAD_PHONE = ("电话号码无法识别", "telephone number not understood", "填写 11 位手机号或带区号的固定电话")
    RAGGED = ("本行单元格数与表头不符", "cells do not fit the header", "检查多余的逗号或缺失的引号")

    @property
    def zh(self) -> str:
        return self.value[0]

    @property
    def en(self) -> str:
        return self.value[1]

    @property
    def cure(self) -> str:
        return self.value[2]


@dataclass(frozen=True)
class Mapping:
    """Which header feeds which column."""

    columns: dict[str, str]
    ignored: list[str]
    unknown: list[str]
    missing: list[str]


@dataclass(frozen=True)
class Normalised:
    """``good``: typed columns, ``row_no``, ``county``; identifiers still as canonical text.
    ``bad``: (row_no, column, reason), one line per fault. ``blank``: rows without content, and footers."""

    good: pl.DataFrame
    bad: pl.DataFrame
    blank: int


def map_headers(headers: Sequence[str], feed: FeedSpec) -> Mapping:
    """Match headers (brackets and blanks unified) or column names; the first of doubles wins."""
    wanted = {_plain(h): column.name for column in feed.columns for h in column.headers}
    wanted |= {column.name: column.name for column in feed.columns}
    ignored_names = {_plain(h) for h in feed.ignored_headers}
    columns: dict[str, str] = {}
    ignored, unknown = [], []
    for header in headers:
        plain = _plain(header)
        name = wanted.get(plain)
        if name and name not in columns.values():
            columns[header] = name
        elif plain in ignored_names:
            ignored.append(header)
        elif not (header.startswith("第") and header.endswith("列")):
            unknown.append(header)
    missing = [c.name for c in feed.columns if c.required and c.name not in columns.values()]
    return Mapping(columns, ignored, unknown, missing)


def _plain(header: str) -> str:
    return header.replace("(", "（").replace(")", "）").replace(" ", "").replace("\u3000", "").upper()


def normalise(chunk: pl.DataFrame, feed: FeedSpec, mapping: Mapping, *, received_on: date) -> Normalised:
    """One chunk of ``Table.chunks()`` → typed rows and faults."""
    named = chunk.select(
        "row_no",
        "ragged",
        *[pl.col(header).alias(name) for header, name in mapping.columns.items()],
    )
    present = [c for c in feed.columns if c.name in named.columns]
    named = named.with_columns(
        *[(pl.col(c.name).str.slice(0, 1) == _NUMBER).fill_null(False).alias(_num(c)) for c in present],
        *[text.cleaned(pl.col(c.name).str.strip_chars_start(_NUMBER + _MOMENT)).alias(c.name) for c in present],
    )
    some = pl.any_horizontal([pl.col(c.name).is_not_null() for c in present]) | pl.col("ragged").is_not_null()
    first = pl.coalesce([pl.col(c.name) for c in present])
    filled = pl.sum_horizontal([pl.col(c.name).is_not_null().cast(pl.Int32) for c in present])
    footer = (first.str.contains(_FOOTER) & (filled <= max(2, len(present) // 3))).fill_null(False)
    kept = named.filter(some & ~footer)
    blank = named.height - kept.height
    values: list[pl.Expr] = []
    faults: list[tuple[Column | None, Reason, pl.Expr]] = [(None, Reason.RAGGED, pl.col("ragged").is_not_null())]
    for column in present:
        for expression in _typed(column, received_on, faults):
            values.append(expression)
    typed = kept.with_columns(*values) if values else kept
    typed = _amounts_in_words(typed, [c for c in present if c.type == "money"])
    flags = typed.select(*[e.fill_null(False).alias(f"f{i}") for i, (_, _, e) in enumerate(faults)])
    typed = typed.with_columns(flags)
    bad = _collect(typed, faults)
    good = typed.filter(~pl.any_horizontal([pl.col(f"f{i}") for i in range(len(faults))]))
    return Normalised(_shape(good, feed, present), bad, blank)


def _num(column: Column) -> str:
    return f"{column.name}::num"


def _new(name: str) -> str:
    return f"{name}::new"


def _typed(column: Column, on: date, faults: list[tuple[Column | None, Reason, pl.Expr]]) -> list[pl.Expr]:
    """Expressions for the column's new values; its faults are appended."""
    name, kind = column.name, column.type
    raw, numeric = pl.col(name), pl.col(_num(column))
    new = pl.col(_new(name))
    if column.required:
        faults.append((column, Reason.MISSING, raw.is_null() & pl.col("ragged").is_null()))
    present = raw.is_not_null()

    def unreadable(reason: Reason) -> None:
        faults.append((column, reason, present & new.is_null()))

    if kind == "citizen_id":
        return _citizen(column, on, faults)
    if kind == "credit_code":
        bare = text.without_blanks(raw).str.to_uppercase()
        faults.append((column, Reason.NUMERIC_ID, present & numeric & (bare.str.len_chars() >= 15)))
        faults.append((column, Reason.BAD_CREDIT_CODE, present & ~numeric & ~credit_code.valid(bare)))
        return [bare.alias(_new(name))]
    if kind == "bank_account":
        bare = text.without_blanks(raw).str.replace_all("-", "")
        faults.append((column, Reason.NUMERIC_ID, present & numeric & (bare.str.len_chars() >= 16)))
        faults.append((column, Reason.SCIENTIFIC_ID, present & bare.str.contains(r"^\d(\.\d+)?[eE]\+?\d+$")))
        return [bare.alias(_new(name))]
    if kind == "phone":
        bare = text.without_blanks(raw).str.replace_all(r"[-()（）]", "").str.replace(r"^(\+?86|0086)", "")
        shape = bare.str.contains(r"^(1[3-9]\d{9}|0\d{9,11}|\d{7,8})$")
        return [pl.when(shape).then(bare).otherwise(None).alias(_new(name))]
    if kind == "plate":
        return [text.without_blanks(raw).str.to_uppercase().alias(_new(name))]
    if kind == "date":
        unreadable(Reason.BAD_DATE)
        return [dates.dates(raw, numeric).alias(_new(name))]
    if kind == "month":
        unreadable(Reason.BAD_DATE)
        return [dates.months(raw, pl.lit(False)).alias(_new(name))]
    if kind == "datetime":
        unreadable(Reason.BAD_DATE)
        return [dates.moments(raw, numeric).alias(_new(name))]
    if kind == "money":
        unreadable(Reason.BAD_AMOUNT)
        return [money.fen(raw, ten_thousands=column.ten_thousands).alias(_new(name))]
    if kind in ("int", "number"):
        unreadable(Reason.BAD_NUMBER)
        plain = raw.str.replace_all(r"[,，\s]", "").str.replace(r"(岁|人|天|个|次|米|吨|L|mg/L)$", "")
        whole = plain.cast(pl.Float64, strict=False)
        return [(whole.cast(pl.Int64, strict=False) if kind == "int" else whole).alias(_new(name))]
    if kind == "bool":
        unreadable(Reason.BAD_CODE)
        lowered = raw.str.to_lowercase()
        yes = lowered.is_in(["是", "有", "y", "yes", "true", "1"])
        no = lowered.is_in(["否", "没有", "n", "no", "false", "0"])
        return [pl.when(yes).then(True).when(no).then(False).otherwise(None).alias(_new(name))]  # noqa: FBT003
    if kind == "division":
        unreadable(Reason.BAD_DIVISION)
        return [divisions.codes(text.without_blanks(raw)).alias(_new(name))]
    if kind == "enum" and column.codes:
        unreadable(Reason.BAD_CODE)
        return [_coded(raw, column).alias(_new(name))]
    if kind == "case_no":
        return [case_number.unified(raw).alias(_new(name))]
    if kind == "person_name":
        return [text.same_dots(raw).alias(_new(name))]
    if kind == "code":
        return [text.without_blanks(raw).alias(_new(name))]
    return [raw.alias(_new(name))]


def _coded(raw: pl.Expr, column: Column) -> pl.Expr:
    """Code, label, code with label (110企业职工, 110-企业职工) or zero-padded code → code."""
    known: dict[str, str] = {}
    for code, label in column.codes.items():
        for form in (code, label, f"{code}{label}", f"{code}-{label}", f"{code} {label}", f"{code}、{label}"):
            known[form] = code
        if code.isdigit():
            known.setdefault(code.lstrip("0") or "0", code)
            known.setdefault(f"0{code}", code)
    return raw.replace_strict(list(known), list(known.values()), default=None, return_dtype=pl.String)


def _citizen(column: Column, on: date, faults: list[tuple[Column | None, Reason, pl.Expr]]) -> list[pl.Expr]:
    name = column.name
    numeric = pl.col(_num(column))
    bare = text.without_blanks(pl.col(name)).str.replace(r"[×＊]", "*").str.replace_all("[＊×•●]", "*")
    verdict, canonical = citizen_id.verdicts(bare, on=on)
    scientific = bare.str.contains(r"^\d(\.\d+)?[eE]\+?\d+$").fill_null(False)
    v = pl.col(f"{name}::verdict")
    plain = ~numeric & ~scientific
    faults.append((column, Reason.NUMERIC_ID, pl.col(name).is_not_null() & numeric & ~scientific))
    faults.append((column, Reason.SCIENTIFIC_ID, scientific))
    faults.append((column, Reason.BAD_CHECKSUM, plain & (v == "bad_checksum")))
    faults.append((column, Reason.BAD_BIRTH_DATE, plain & (v == "bad_date")))
    faults.append((column, Reason.NOT_AN_ID, plain & (v == "not_an_id")))
    if column.required:
        faults.append((column, Reason.MASKED_KEY, plain & (v == "masked")))
    is_valid = verdict == "valid"
    return [
        verdict.alias(f"{name}::verdict"),
        pl.when(is_valid).then(canonical).otherwise(None).alias(_new(name)),
        pl.when(verdict == "masked").then(bare).otherwise(None).alias(f"{name}_masked::new"),
    ]


def _amounts_in_words(typed: pl.DataFrame, columns: list[Column]) -> pl.DataFrame:
    """The few amounts written in Chinese numerals, one by one."""
    for column in columns:
        left = typed.filter(pl.col(column.name).is_not_null() & pl.col(_new(column.name)).is_null())
        if left.is_empty():
            continue
        known = {t: money.from_words(t) for t in left[column.name].unique().to_list()}
        amounts = pl.col(column.name).replace_strict(
            list(known), list(known.values()), default=None, return_dtype=pl.Int64
        )
        typed = typed.with_columns(pl.coalesce(_new(column.name), amounts).alias(_new(column.name)))
    return typed


def _collect(typed: pl.DataFrame, faults: list[tuple[Column | None, Reason, pl.Expr]]) -> pl.DataFrame:
    parts = []
    for index, (column, reason, _) in enumerate(faults):
        hit = typed.filter(pl.col(f"f{index}"))
        if hit.height:
            parts.append(
                hit.select(
                    "row_no",
                    pl.lit(column.headers[0] if column else "").alias("column"),
                    pl.lit(reason.name.lower()).alias("reason"),
                )
            )
    if not parts:
        return pl.DataFrame(schema={"row_no": pl.Int64, "column": pl.String, "reason": pl.String})
    return pl.concat(parts).sort("row_no", maintain_order=True)


def _shape(good: pl.DataFrame, feed: FeedSpec, present: list[Column]) -> pl.DataFrame:
    values: list[pl.Expr] = [pl.col("row_no")]
    for column in present:
        values.append(pl.col(_new(column.name)).alias(column.name))
        if column.type == "citizen_id" and not column.required:
            values.append(pl.col(f"{column.name}_masked::new").alias(f"{column.name}_masked"))
    names = {c.name: c for c in present}
    county: pl.Expr = pl.lit(None, dtype=pl.String)
    if feed.county_column in names:
        source = pl.col(_new(feed.county_column))  # type: ignore[arg-type]
        by_code = names[feed.county_column].type == "division"  # type: ignore[index]
        county = divisions.office(source) if by_code else divisions.office_of_text(source)
    return good.select(*values, county.alias("county"))
