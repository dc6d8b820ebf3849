"""Cells whose text has a form of its own: measured values, coordinates, permits, devices."""

from __future__ import annotations

import polars as pl

from chuxiong.kit import (
    coordinate,
    discharge_permit,
    factor,
    parcel_unit,
    text,
)
from ingestion.intake.normalising.cells import _Cells, _damaged, _Typed
from ingestion.intake.normalising.reasons import Reason
from ingestion.intake.normalising.types import _amount, _beyond, _excused, _number


def _measured(cells: _Cells) -> _Typed:
    """A laboratory's figure: 0.025L lies below the detection limit of 0.025 and counts as half of it. The limit is kept

    beside it, so that nobody takes half of it for a figure that was measured.
    """
    limit = cells.text.str.extract(r"^[<≤]\s*([0-9.]+)\s*[Ll]?$", 1)
    limit = limit.fill_null(cells.text.str.extract(r"^([0-9.]+)\s*[Ll]$", 1))
    below = limit.is_not_null()
    if not below.any():
        return _number(cells)
    value = _amount(cells.text.str.replace_all(r"[,\s]", "")).zip_with(~below, _amount(limit) / 2)
    faults = [(cells.unread(value), Reason.BAD_NUMBER), *_beyond(cells.column, value)]
    return _Typed(value, faults, [(below, Reason.BELOW_DETECTION)], _amount(limit).cast(pl.String))


def _coordinate(cells: _Cells) -> _Typed:
    """Decimal degrees; whether they fit is told when both axes are known (``_coordinates``)."""
    return _excused(cells, coordinate.degrees(cells.text), Reason.BAD_COORDINATE)


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
