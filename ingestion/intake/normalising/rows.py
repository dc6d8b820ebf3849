"""One chunk of a file from cells as sent to typed columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from chuxiong.kit import (
    divisions,
    text,
)
from chuxiong.kit.distinct import over_distinct
from ingestion.catalog.spec import Column, FeedSpec
from ingestion.intake.normalising.across import _conflicts, _coordinates, _orders
from ingestion.intake.normalising.converting import _MOMENT, _NUMBER, _converted
from ingestion.intake.normalising.headers import Mapping
from ingestion.intake.normalising.reasons import _FAULT_SCHEMA, _REASONS, Reason

_FOOTER = r"^(合计|小计|总计|共计|填表人|填报人|制表人?|审核人?|负责人|报送单位|填报单位|填报日期|制表日期|联系人|说明|注)\s*([:：]|$)|^(合计|小计|总计|共计)"


@dataclass(frozen=True)
class Normalised:
    """What became of one chunk.

    ``good``: ``row_no``, typed columns (identifiers still as canonical text), ``county``.
    ``bad``: (row_no, column, reason, raw), one line per fault, ``column`` in the sender's words.
    ``blank``: rows without content, footers among them (``footers``).
    ``notes``: as ``bad``, for rows that were kept: a value left out, mended, or worth a look.
    """

    good: pl.DataFrame
    bad: pl.DataFrame
    blank: int
    footers: int = 0
    notes: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema=_FAULT_SCHEMA))
    #: of the rows in ``bad`` whose natural key can be read: ``row_no`` and the key's columns
    aside: pl.DataFrame = field(default_factory=lambda: pl.DataFrame(schema={"row_no": pl.Int64}))


def normalise(chunk: pl.DataFrame, feed: FeedSpec, mapping: Mapping, *, received_on: date) -> Normalised:
    """One chunk of ``Table.chunks()`` → typed rows and faults. ``received_on`` bounds births and short years."""
    header_of = {name: header for header, name in mapping.columns.items()}
    present = [c for c in feed.columns if c.name in header_of]
    frames = {
        c.name: _converted(
            chunk[header_of[c.name]], c, received_on, c.name in mapping.ten_thousands, chunk["row_no"]
        )
        for c in present
    }
    frames |= _coordinates(present, frames) | _orders(feed, frames)
    frames |= _conflicts(present, frames)
    ragged = chunk["ragged"] if "ragged" in chunk.columns else pl.Series([None], dtype=pl.String)
    ragged = ragged if len(ragged) == chunk.height else ragged.new_from_index(0, chunk.height)
    whole = ragged.is_null()
    filled = pl.DataFrame([frames[c.name]["filled"].alias(c.name) for c in present])
    count = filled.sum_horizontal() if present else pl.Series([0] * chunk.height)
    blank = whole & (count == 0)
    footer = whole & ~blank & _footers(chunk, len(present), count)
    kept = ~(blank | footer)
    faults = [(c, _with_missing(c, frames[c.name], whole)) for c in present]
    spoiled = ~whole
    for _, fault in faults:
        if fault.null_count() != len(fault):
            spoiled = spoiled | fault.is_not_null()
    bad = _reported(chunk, header_of, faults, kept & whole)
    torn = chunk.filter(~whole).select(
        "row_no", column=pl.lit(""), reason=pl.lit(Reason.RAGGED.code), raw="ragged"
    )
    every = _assembled(chunk["row_no"], feed, present, frames)
    good = every.filter(kept & ~spoiled)
    notes = _reported(chunk, header_of, [(c, frames[c.name]["note"]) for c in present], kept & ~spoiled)
    return Normalised(
        good=good,
        bad=pl.concat([bad, torn]).sort("row_no", maintain_order=True) if torn.height else bad,
        blank=int(blank.sum()) + int(footer.sum()),
        footers=int(footer.sum()),
        notes=notes,
        aside=_with_key(every, feed, dict((c.name, fault) for c, fault in faults), kept & whole & spoiled),
    )


def _with_key(
    every: pl.DataFrame, feed: FeedSpec, faults: dict[str, pl.Series], among: pl.Series
) -> pl.DataFrame:
    """Rows of ``among`` whose natural key holds no fault."""
    if not feed.natural_key or not among.any():
        return pl.DataFrame(schema={"row_no": pl.Int64})
    for name in feed.natural_key:
        if name in faults:
            among = among & faults[name].is_null()
    columns = ["row_no", *(name for name in feed.natural_key if name in every.columns)]
    return every.select(columns).filter(among)


def _footers(chunk: pl.DataFrame, width: int, count: pl.Series) -> pl.Series:
    """Totals and signatures: few cells filled, and the row's first cell (mapped or not) says so."""
    found = pl.Series([False]).new_from_index(0, chunk.height)
    rows = ((count > 0) & (count <= max(2, width // 3))).arg_true()
    if not len(rows):
        return found
    few = chunk.drop("row_no", "ragged", strict=False)[rows]
    cells = few.with_columns(pl.all().str.strip_chars_start(_NUMBER + _MOMENT)).get_columns()
    first = pl.DataFrame([text.cleaned(cell) for cell in cells]).select(pl.coalesce(pl.all())).to_series()
    totals = first.str.replace_all(" ", "").str.contains(_FOOTER).fill_null(False)
    return found.scatter(rows, totals)


def _with_missing(column: Column, frame: pl.DataFrame, whole: pl.Series) -> pl.Series:
    fault = frame["fault"]
    if not column.required:
        return fault
    lacking = whole & ~frame["filled"]
    return fault.set(lacking, _REASONS.index(Reason.MISSING)) if lacking.any() else fault


def _reported(
    chunk: pl.DataFrame,
    header_of: dict[str, str],
    faults: Sequence[tuple[Column, pl.Series]],
    among: pl.Series,
) -> pl.DataFrame:
    parts = []
    for column, fault in faults:
        if fault.null_count() == len(fault):
            continue
        rows = (fault.is_not_null() & among).arg_true()
        words = pl.Series([r.code for r in _REASONS])
        header = header_of[column.name]
        parts.append(
            pl.DataFrame(
                {
                    "row_no": chunk["row_no"].gather(rows),
                    "column": pl.Series([header]).new_from_index(0, len(rows)),
                    "reason": words.gather(fault.gather(rows).cast(pl.UInt32)),
                    "raw": chunk[header].gather(rows).str.strip_chars_start(_NUMBER + _MOMENT),
                },
                schema=_FAULT_SCHEMA,
            )
        )
    return (
        pl.concat(parts).sort("row_no", maintain_order=True) if parts else pl.DataFrame(schema=_FAULT_SCHEMA)
    )


def _assembled(
    row_no: pl.Series, feed: FeedSpec, present: Sequence[Column], frames: dict[str, pl.DataFrame]
) -> pl.DataFrame:
    columns = [row_no.alias("row_no")]
    for column in present:
        columns.append(frames[column.name]["value"].alias(column.name))
        if column.companion:
            name, kind = column.companion
            beside = frames[column.name]["beside"]
            columns.append((beside if kind == "text" else beside.cast(pl.Float64)).alias(name))
    county = pl.Series([None], dtype=pl.String).new_from_index(0, len(row_no))
    for column in present:
        if column.name == feed.county_column:
            values, by_code = frames[column.name]["value"], column.type == "division"
            county = over_distinct(values, _office_of_code if by_code else _office_of_text).to_series()
    return pl.DataFrame([*columns, county.alias("county")])


def _office_of_code(known: pl.Series) -> pl.DataFrame:
    return divisions.office(known).to_frame()


def _office_of_text(known: pl.Series) -> pl.DataFrame:
    return divisions.office_of_text(known).to_frame()
