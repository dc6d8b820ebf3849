"""Unified social credit codes, GB 32100-2015, scalar and as a polars expression."""

from __future__ import annotations

import re

import polars as pl

_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_WEIGHTS = tuple(pow(3, i, 31) for i in range(17))
_SHAPE = r"^[0-9A-HJ-NP-RTUWXY]{2}\d{6}[0-9A-HJ-NP-RTUWXY]{10}$"
_SHAPE_RE = re.compile(_SHAPE)


def check_character(body: str) -> str:
    """Check character of the first 17."""
    total = sum(_ALPHABET.index(c) * w for c, w in zip(body[:17], _WEIGHTS, strict=True))
    return _ALPHABET[(31 - total % 31) % 31]


def is_valid(text: str) -> bool:
    """``text`` in upper case without spaces."""
    return bool(_SHAPE_RE.fullmatch(text)) and check_character(text) == text[17]


def valid(values: pl.Expr) -> pl.Expr:
    """Vectorised ``is_valid``; null stays null."""
    codes = [
        values.str.slice(i, 1).replace_strict(
            list(_ALPHABET), list(range(31)), default=None, return_dtype=pl.Int32
        )
        for i in range(18)
    ]
    total = pl.sum_horizontal([c * w for c, w in zip(codes[:17], _WEIGHTS, strict=True)])
    check = (31 - total % 31) % 31
    return values.str.contains(_SHAPE) & (check == codes[17]).fill_null(False)
