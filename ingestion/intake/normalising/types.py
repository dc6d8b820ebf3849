"""Cells of one type each: numbers of persons and organisations, dates, amounts, words."""

from __future__ import annotations

import unicodedata

import polars as pl

from chuxiong.kit import (
    case_number,
    citizen_id,
    credit_code,
    dates,
    divisions,
    money,
    phone,
    plate,
    text,
)
from ingestion.catalog.health import limits
from ingestion.catalog.spec import Column
from ingestion.intake.normalising.cells import _EXACT_DIGITS, _SCIENTIFIC, _Cells, _damaged, _Typed, _where
from ingestion.intake.normalising.parties import _OTHER_DOCUMENT
from ingestion.intake.normalising.reasons import Reason

#: how a text ends that was not cut
_WHOLE_END = r"[。！？!?.;；）)”」』…]$"
#: a check character or a mask that is no plain ASCII digit, letter or star
_MARKED = "[x×✕╳хХ*＊•●]"


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
    cut = cells.text.str.len_chars().is_in(list(limits().cut_lengths)).fill_null(False)
    if not cut.any():
        return _Typed(cells.text)
    return _Typed(cells.text, (), [(cut & ~cells.text.str.contains(_WHOLE_END), Reason.TRUNCATED)])
