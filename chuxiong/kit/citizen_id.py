"""Citizen identity numbers, GB 11643-1999, one by one and a column at a time.

The region code is never a reason to refuse: 532301 holds births before 1983, 532302 births before 2021.
"""

from __future__ import annotations

import re
from datetime import date
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"
_EIGHTEEN = r"^[1-9][0-9]{16}[0-9X]$"
_FIFTEEN = r"^[1-9][0-9]{14}$"
_MASKED = r"^[1-9][0-9]{0,16}\*{2,17}[0-9X]{0,16}$"
_ODD_CHECK = r"^[1-9][0-9]{16}[x×✕╳хХ*＊]$"
#: years: hardly anybody has lived longer, and a number with an earlier year is a slip; part of what a number is, like
#: its check character, and no policy
_OLDEST = 120
_MONTH_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_PLACES = np.array([100_000, 10_000, 1_000, 100, 10, 1])
_ISSUED = Path(__file__).parent / "data" / "issued_codes.csv"


class Verdict(StrEnum):
    """Only the first two may be matched automatically."""

    VALID = "valid"
    VALID_REGION_UNKNOWN = "valid_region_unknown"
    BAD_CHECKSUM = "bad_checksum"
    BAD_DATE = "bad_date"
    MASKED = "masked"
    NOT_AN_ID = "not_an_id"


SOUND = (Verdict.VALID, Verdict.VALID_REGION_UNKNOWN)
_ORDER = [v.value for v in Verdict]
_WRONG = (Verdict.BAD_DATE.value, Verdict.BAD_CHECKSUM.value, Verdict.VALID_REGION_UNKNOWN.value)


@lru_cache(maxsize=1)
def issued_codes() -> frozenset[str]:
    """Every division code issued since 1981."""
    return frozenset(_ISSUED.read_text(encoding="ascii").split()[1:])


@lru_cache(maxsize=1)
def _issued_table() -> Any:
    """True at the index of every issued code."""
    table = np.zeros(1_000_000, bool)
    table[[int(code) for code in issued_codes()]] = True
    return table


def check_digit(body: str) -> str:
    """Check character of the first 17 digits."""
    return _CHECK[sum(int(d) * w for d, w in zip(body[:17], _WEIGHTS, strict=True)) % 11]


def to_eighteen(old: str) -> str:
    """15 → 18 digits; sequences 996–999 marked centenarians born in the 1800s."""
    century = "18" if old[12:] >= "996" else "19"
    body = f"{old[:6]}{century}{old[6:]}"
    return body + check_digit(body)


def judge(text: str, *, on: date) -> tuple[Verdict, str]:
    """(verdict, canonical number). ``text`` is NFKC-normalised, without blanks; ``on`` bounds the birth date."""
    value = text.upper()
    if re.fullmatch(_FIFTEEN, value, re.ASCII):
        value = to_eighteen(value)
    if not re.fullmatch(_EIGHTEEN, value, re.ASCII):
        masked = len(value) in (15, 18) and re.fullmatch(_MASKED, value, re.ASCII)
        return (Verdict.MASKED if masked else Verdict.NOT_AN_ID), value
    try:
        born = date(int(value[6:10]), int(value[10:12]), int(value[12:14]))
    except ValueError:
        return Verdict.BAD_DATE, value
    if born > on or on.year - born.year > _OLDEST:
        return Verdict.BAD_DATE, value
    if check_digit(value) != value[17]:
        return Verdict.BAD_CHECKSUM, value
    return (Verdict.VALID if value[:6] in issued_codes() else Verdict.VALID_REGION_UNKNOWN), value


def plain_check(text: str) -> str:
    """The check character as X where the first 17 digits ask for X and what stands there only looks like it.

    Lower case, a multiplication sign, a Cyrillic Kha, one star: certain, because no other character would fit.
    """
    odd = re.fullmatch(_ODD_CHECK, text, re.ASCII)
    return text[:17] + "X" if odd and check_digit(text) == "X" else text


def with_plain_check(values: pl.Series) -> pl.Series:
    """``plain_check`` for a column; null stays null."""
    odd = values.str.contains(_ODD_CHECK).fill_null(False)
    if not odd.any():
        return values
    rows = odd.arg_true()
    return values.scatter(rows, pl.Series([plain_check(v) for v in values.gather(rows)], dtype=pl.String))


def mask(value: str) -> str:
    """First four and last four characters; the rest starred."""
    return f"{value[:4]}{'*' * 10}{value[-4:]}"


def verdicts(values: pl.Series, *, on: date) -> tuple[pl.Series, pl.Series]:
    """``judge`` for a column: (verdict, canonical number), both text; null stays null."""
    canonical = _all_eighteen(values.str.to_uppercase())
    shaped = canonical.str.contains(_EIGHTEEN).fill_null(False)
    verdict = pl.Series([Verdict.NOT_AN_ID.value]).new_from_index(0, len(values))
    if not shaped.all():
        masked = canonical.str.contains(_MASKED) & canonical.str.len_chars().is_in([15, 18])
        verdict = verdict.set(masked.fill_null(False), Verdict.MASKED.value)
    if shaped.any():
        rows = shaped.arg_true()
        verdict = verdict.scatter(rows, _judge_shaped(canonical.filter(shaped), on))
    empty = values.is_null()
    return (verdict.set(empty, None) if empty.any() else verdict), canonical


def _all_eighteen(upper: pl.Series) -> pl.Series:
    old = upper.str.contains(_FIFTEEN).fill_null(False)
    if not old.any():
        return upper
    matrix = characters(upper.filter(old), 15)
    century = np.where((matrix[:, 12:15] * [100, 10, 1]).sum(1) - 48 * 111 >= 996, ord("8"), ord("9"))
    body = np.concatenate(
        [matrix[:, :6], np.full((len(matrix), 1), ord("1")), century[:, None], matrix[:, 6:]], axis=1
    )
    whole = np.concatenate([body, _check_characters(body)[:, None]], axis=1).astype(np.uint8)
    return upper.scatter(old.arg_true(), _as_text(whole))


def _judge_shaped(numbers: pl.Series, on: date) -> pl.Series:
    matrix = characters(numbers, 18)
    good_date = _good_dates(matrix[:, 6:14].astype(np.int64) - 48, on)
    good_check = _check_characters(matrix) == matrix[:, 17]
    known = _issued_table()[(matrix[:, :6].astype(np.int64) - 48) @ _PLACES]
    order = np.select([~good_date, ~good_check, ~known], [_ORDER.index(v) for v in _WRONG], 0)
    return pl.Series(_ORDER).gather(pl.Series(order.astype(np.uint32)))


def _good_dates(digits: Any, on: date) -> Any:
    year = digits[:, :4] @ np.array([1000, 100, 10, 1])
    month = digits[:, 4] * 10 + digits[:, 5]
    day = digits[:, 6] * 10 + digits[:, 7]
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    known_month = (month >= 1) & (month <= 12)
    last = _MONTH_DAYS[np.where(known_month, month, 0)] + (leap & (month == 2))
    past = year * 10_000 + month * 100 + day <= on.year * 10_000 + on.month * 100 + on.day
    return known_month & (day >= 1) & (day <= last) & past & (on.year - year <= _OLDEST) & (year >= 1)


def _check_characters(matrix: Any) -> Any:
    """ASCII code of the check character of each row's first 17 digits."""
    total = (matrix[:, :17].astype(np.int64) - 48) @ np.array(_WEIGHTS)
    return np.frombuffer(_CHECK.encode(), np.uint8)[total % 11]


def characters(values: pl.Series, width: int) -> Any:
    """Bytes of a column without nulls whose values all have ``width`` ASCII characters: (rows, width)."""
    arrow = values.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    offsets = np.frombuffer(arrow.buffers()[1], np.int64)[arrow.offset : arrow.offset + len(arrow) + 1]
    data = np.frombuffer(arrow.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    return data.reshape(-1, width)


def _as_text(matrix: Any) -> pl.Series:
    rows, width = matrix.shape
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int64)
    data = np.ascontiguousarray(matrix, np.uint8)
    array = pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(data))
    return pl.Series(array)
