"""Unified social credit codes, GB 32100-2015, one by one and a column at a time."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl

from chuxiong.kit.citizen_id import characters

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
_SHAPE = r"^[0-9A-HJ-NP-RTUWXY]{2}[0-9]{6}[0-9A-HJ-NP-RTUWXY]{10}$"


def _value_table() -> Any:
    table = np.zeros(128, np.int64)
    for value, character in enumerate(_ALPHABET):
        table[ord(character)] = value
    return table


_VALUES = _value_table()


def check_character(body: str) -> str:
    """Check character of the first 17."""
    total = sum(_ALPHABET.index(c) * w for c, w in zip(body[:17], _WEIGHTS, strict=True))
    return _ALPHABET[(31 - total % 31) % 31]


def is_valid(text: str) -> bool:
    """``text`` in upper case without blanks."""
    return bool(re.fullmatch(_SHAPE, text, re.ASCII)) and check_character(text) == text[17]


def is_legacy(text: str) -> bool:
    """Whether ``text`` is what stood for a firm before 2015: a registration number (15 digits, GS 15) or an
    organisation code (9 characters, GB 11714), by its own check character. Neither leads to the credit code.
    """
    bare = text.replace("-", "")
    if re.fullmatch(r"[0-9]{15}", bare, re.ASCII):
        product = 5
        for digit in bare:
            product = ((product or 10) * 2 % 11 + int(digit)) % 10
        return product == 1
    if not re.fullmatch(r"[0-9A-Z]{8}[0-9X]", bare, re.ASCII):
        return False
    total = sum(int(c, 36) * w for c, w in zip(bare[:8], _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11] == bare[8]


def valid(values: pl.Series) -> pl.Series:
    """``is_valid`` for a column; null stays null."""
    shaped = values.str.contains(_SHAPE)
    rows = shaped.fill_null(False).arg_true()
    if not len(rows):
        return shaped
    codes = _VALUES[characters(values.gather(rows), 18)]
    check = (31 - (codes[:, :17] @ np.array(_WEIGHTS)) % 31) % 31
    return shaped.scatter(rows, pl.Series(check == codes[:, 17]))
