"""Telephone numbers: mobiles of 11 digits, fixed lines with their area code (0878 is Chuxiong)."""

from __future__ import annotations

import re

import polars as pl

_MARKS = r"[\s\-()]"
_COUNTRY = r"^(?:\+?86|0086)(1)"
_FIRST = r"^(1[3-9][0-9]{9}|0[0-9]{9,11}|[2-9][0-9]{6,7})(?:[/,、;；转].*)?$"
_SEVERAL = r"^[0-9]{7,12}[/,、;；][0-9]"

_WITHIN = re.compile(r"(?<!\d)(?:1[3-9]\d[\s-]?\d{4}[\s-]?\d{4}|0\d{2,3}[\s-]?\d{7,8}|[2-9]\d{6,7})(?!\d)")


def within(text: str) -> bool:
    """Whether a number that can be rung stands in what a person wrote."""
    return bool(_WITHIN.search(text))


def canonical(values: pl.Series) -> pl.Series:
    """Digits of the first number of each cell; null where nobody can ring it (138****0001)."""
    return _bare(values).str.extract(_FIRST, 1)


def several(values: pl.Series) -> pl.Series:
    """Whether a cell holds more than one number."""
    return _bare(values).str.contains(_SEVERAL).fill_null(False)


def _bare(values: pl.Series) -> pl.Series:
    return values.str.replace_all(_MARKS, "").str.replace(_COUNTRY, "${1}")
