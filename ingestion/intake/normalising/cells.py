"""What the conversions of all types share: cells, typed values with faults and notes, damaged characters."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

import polars as pl

from ingestion.catalog.spec import Column
from ingestion.intake.normalising.reasons import _REASONS, Reason

_SCIENTIFIC = r"^[0-9](\.[0-9]+)?[eE]\+?[0-9]+$"
_EXACT_DIGITS = 15  # a spreadsheet number keeps no more


class _Typed(NamedTuple):
    """A column's values; faults fail the row, notes leave the value out; ``beside``: its companion's (``Column.companion``)."""

    value: pl.Series
    faults: Sequence[tuple[pl.Series, Reason]] = ()
    notes: Sequence[tuple[pl.Series, Reason]] = ()
    beside: pl.Series | None = None


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
