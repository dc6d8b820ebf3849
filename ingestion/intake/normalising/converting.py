"""One column of a chunk: ditto marks, empty cells, then the conversion of its type or form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import polars as pl

from chuxiong.kit import (
    text,
)
from chuxiong.kit.distinct import over_distinct
from ingestion.catalog.spec import Column
from ingestion.intake.normalising.cells import _Cells, _first, _none, _Typed
from ingestion.intake.normalising.forms import (
    _coordinate,
    _document,
    _factor,
    _gb28181,
    _measured,
    _mn,
    _parcel_unit,
    _permit,
)
from ingestion.intake.normalising.parties import _identities, _identity, _taxpayer
from ingestion.intake.normalising.reasons import _REASONS, Reason
from ingestion.intake.normalising.types import (
    _account,
    _as_text,
    _bool,
    _case,
    _citizen,
    _code,
    _credit,
    _date,
    _division,
    _enum,
    _moment,
    _money,
    _month,
    _number,
    _org,
    _person,
    _phone,
    _plate,
)

_NUMBER, _MOMENT = "\x01", "\x02"
#: what clerks write for "as in the row above"
_DITTO = ("同上", "同 上", "〃", "″", "〞", '"', "''", "ditto")
#: columns in which noughts alone mean that nothing is known
_NOUGHT_IS_EMPTY = frozenset(
    {"citizen_id", "credit_code", "phone", "bank_account", "plate", "date", "month", "datetime"}
)
_NOUGHTS = r"^[0]+([-/.][0]+)*( [0:]+)?$"


def _converted(
    raw: pl.Series, column: Column, on: date, ten_thousands: bool, row_no: pl.Series
) -> pl.DataFrame:
    """Frame of value, beside, filled (never null), fault and note (index of the reason, or null)."""

    def convert(values: pl.Series) -> pl.DataFrame:
        return _convert(values, column, on, ten_thousands)

    ditto = raw.str.strip_chars().is_in(list(_DITTO)).fill_null(False)
    if not ditto.any():
        return over_distinct(raw, convert).with_columns(pl.col("filled").fill_null(False))
    filled, headless = _as_above(raw, ditto, row_no)
    return over_distinct(filled, convert).with_columns(
        filled=pl.col("filled").fill_null(False) | headless,
        fault=pl.when(headless).then(_REASONS.index(Reason.DITTO)).otherwise("fault").cast(pl.UInt8),
    )


def _as_above(raw: pl.Series, ditto: pl.Series, row_no: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Ditto marks replaced by the cell above them, an empty one included; and the marks that nothing stands above.

    The row above is the one before in the file: where that is in another chunk, or lost its cells, nobody can tell.
    """
    empty = "\x00"
    above = (
        pl.DataFrame({"cell": raw.fill_null(empty).set(ditto, None), "row_no": row_no})
        .with_columns(stretch=(pl.col("row_no").diff() != 1).fill_null(True).cum_sum())
        .select(pl.col("cell").forward_fill().over("stretch"))
        .to_series()
    )
    headless = above.is_null()
    return above.set((above == empty).fill_null(False), None), headless


def _convert(raw: pl.Series, column: Column, on: date, ten_thousands: bool) -> pl.DataFrame:
    numeric = raw.str.starts_with(_NUMBER).fill_null(False)
    moment = raw.str.starts_with(_MOMENT).fill_null(False)
    plain = raw.str.strip_prefix(_NUMBER).str.strip_prefix(_MOMENT) if (numeric | moment).any() else raw
    control = plain.str.contains(text.CONTROL).fill_null(False)
    cleaned = text.cleaned(plain)
    if column.type in _NOUGHT_IS_EMPTY or column.form in ("identity", "identities", "taxpayer"):
        noughts = cleaned.str.starts_with("0").fill_null(False)
        if noughts.any():
            noughts = noughts & cleaned.str.contains(_NOUGHTS).fill_null(False)
            cleaned = cleaned.set(noughts, None)
    cells = _Cells(cleaned, numeric if numeric.any() else None, column, on, ten_thousands)
    typed = (_FORMS.get(column.form or "") or _TYPES.get(column.type, _as_text))(cells)
    return pl.DataFrame(
        {
            "value": typed.value,
            "beside": _none(raw) if typed.beside is None else typed.beside,
            "filled": cells.filled,
            "fault": _first([(control, Reason.CONTROL), *typed.faults], len(raw)),
            "note": _first(typed.notes, len(raw)),
        }
    )


_TYPES: dict[str, Callable[[_Cells], _Typed]] = {
    "citizen_id": _citizen,
    "credit_code": _credit,
    "bank_account": _account,
    "phone": _phone,
    "plate": _plate,
    "date": _date,
    "month": _month,
    "datetime": _moment,
    "money": _money,
    "int": _number,
    "number": _number,
    "bool": _bool,
    "division": _division,
    "enum": _enum,
    "case_no": _case,
    "person_name": _person,
    "org_name": _org,
    "code": _code,
}
_FORMS: dict[str, Callable[[_Cells], _Typed]] = {
    "identity": _identity,
    "identities": _identities,
    "taxpayer": _taxpayer,
    "parcel_unit": _parcel_unit,
    "discharge_permit": _permit,
    "document_no": _document,
    "mn": _mn,
    "gb28181": _gb28181,
    "factor": _factor,
    "measured": _measured,
    "longitude": _coordinate,
    "latitude": _coordinate,
}
