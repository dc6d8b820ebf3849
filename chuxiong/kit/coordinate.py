"""Longitudes and latitudes as agencies write them: decimal degrees, or degrees, minutes and seconds."""

from __future__ import annotations

import re

import polars as pl

_PLAIN = r"^[+-]?[0-9]{1,3}(\.[0-9]+)?$"
# NFKC leaves ′ in place and makes ″ of two of them.
_WRITTEN = re.compile(
    r"(?:东经|北纬|[EN])?(\d{1,3})[°度](?:(\d{1,2}(?:\.\d+)?)(?:[′'’分](?:(\d{1,2}(?:\.\d+)?)(?:[″\"”秒]|[′'’]{2})?)?)?)?(?:[EN])?"
)
#: the country's extent in degrees; the two ranges do not meet, so a swap is certain
_EAST, _NORTH = (73.0, 136.0), (3.0, 54.0)


def degrees(values: pl.Series) -> pl.Series:
    """Decimal degrees; null where the text is no coordinate."""
    bare = values.str.replace_all(r"\s", "").str.to_uppercase()
    plain = bare.str.strip_chars_start("东经北纬EN").str.strip_chars_end("°度EN")
    shaped = plain.str.contains(_PLAIN).fill_null(False)
    found = plain.set(~shaped, None).cast(pl.Float64, strict=False)
    rows = (found.is_null() & bare.is_not_null()).arg_true()
    if not len(rows):
        return found
    return found.scatter(
        rows, pl.Series([_degrees(v) for v in bare.gather(rows).to_list()], dtype=pl.Float64)
    )


def _degrees(text: str) -> float | None:
    match = _WRITTEN.fullmatch(text)
    if not match:
        return None
    whole, minutes, seconds = (float(part or 0) for part in match.groups())
    # Seven decimals are a centimetre; more would be noise of the division.
    return round(whole + minutes / 60 + seconds / 3600, 7) if minutes < 60 and seconds < 60 else None


def is_longitude(values: pl.Series) -> pl.Series:
    """Whether each value lies between the country's westernmost and easternmost degree; null stays null."""
    return (values >= _EAST[0]) & (values <= _EAST[1])


def is_latitude(values: pl.Series) -> pl.Series:
    """Whether each value lies between the country's southernmost and northernmost degree; null stays null."""
    return (values >= _NORTH[0]) & (values <= _NORTH[1])
