"""Real-estate unit numbers (不动产单元号), GB/T 37346-2019: 28 characters, the first 19 are the parcel."""

from __future__ import annotations

import polars as pl

# division 6, cadastral district 3 and sub-district 3, ownership and use of land 2, serial 5;
# fixture 1 and unit 8, which is all zero where the parcel bears no fixture (W).
_SHAPE = r"^[1-9][0-9]{11}[GJZ][ABSXCDEFHGWY][0-9]{5}(?:[FLQ][0-9]{8}|W0{8})$"
_PARCEL = 19


def valid(values: pl.Series) -> pl.Series:
    """Whether each value (upper case, without blanks) is a whole unit number; null stays null."""
    return values.str.contains(_SHAPE)


def parcel(values: pl.Series) -> pl.Series:
    """The parcel (宗地代码) of each unit number: parcels match on these 19 characters, units on all 28."""
    return values.str.slice(0, _PARCEL).set(~valid(values).fill_null(False), None)
