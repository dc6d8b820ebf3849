"""What only several columns, or several rows, can tell: places against offices, dates against dates, one number under two names."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from chuxiong.kit import (
    coordinate,
)
from ingestion.catalog.spec import Column, FeedSpec
from ingestion.intake.normalising.reasons import _REASONS, Reason


def _noted(frame: pl.DataFrame, mask: pl.Series, reason: Reason) -> pl.DataFrame:
    """``frame`` with a note where ``mask`` holds and nothing was noted yet."""
    where = mask.fill_null(False) & frame["note"].is_null()
    return frame.with_columns(note=frame["note"].set(where, _REASONS.index(reason))) if where.any() else frame


def _coordinates(present: Sequence[Column], frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Longitude and latitude put right when swapped (certain: their ranges do not meet), left out when abroad."""
    axes = {c.form: c for c in present if c.form in ("longitude", "latitude")}
    found = {c.name: frames[c.name] for c in axes.values()}
    if len(axes) == 2:
        east, north = axes["longitude"].name, axes["latitude"].name
        lon, lat = found[east]["value"], found[north]["value"]
        swapped = (coordinate.is_latitude(lon) & coordinate.is_longitude(lat)).fill_null(False)
        if swapped.any():
            found[east] = found[east].with_columns(value=lon.zip_with(~swapped, lat))
            found[north] = found[north].with_columns(value=lat.zip_with(~swapped, lon))
            found[east] = _noted(found[east], swapped, Reason.SWAPPED)
    for form, column in axes.items():
        frame = found[column.name]
        inside = coordinate.is_longitude if form == "longitude" else coordinate.is_latitude
        abroad = ~inside(frame["value"]).fill_null(True)
        if not abroad.any():
            continue
        if column.required:
            fault = frame["fault"].set(
                abroad & frame["fault"].is_null(), _REASONS.index(Reason.BAD_COORDINATE)
            )
            frame = frame.with_columns(fault=fault)
        else:
            frame = _noted(frame, abroad, Reason.BAD_COORDINATE)
        found[column.name] = frame.with_columns(value=frame["value"].set(abroad, None))
    return found


def _orders(feed: FeedSpec, frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Notes where the earlier of two columns is later than the other; nothing is changed, a person decides."""
    found: dict[str, pl.DataFrame] = {}
    for first, second in feed.in_order:
        if first in frames and second in frames:
            early, late = frames[first]["value"], frames[second]["value"]
            if early.dtype != late.dtype:
                early, late = _days(early), _days(late)
            found[second] = _noted(found.get(second, frames[second]), early > late, Reason.OUT_OF_ORDER)
    return found


def _days(values: pl.Series) -> pl.Series:
    return values if values.dtype == pl.Date else values.dt.date()


def _conflicts(present: Sequence[Column], frames: dict[str, pl.DataFrame]) -> dict[str, pl.DataFrame]:
    """Notes where one identity number stands with different whole names in this chunk. Nothing is merged."""
    found: dict[str, pl.DataFrame] = {}
    for column in present:
        if column.name_in not in frames:
            continue
        names = frames[column.name_in]["value"]
        whole = ~names.str.contains(r"[*某]").fill_null(True)
        pairs = pl.DataFrame([frames[column.name]["value"].alias("id"), names.alias("name")]).filter(whole)
        numbers = pairs.drop_nulls().unique()["id"]
        several = numbers.filter(numbers.is_duplicated()).unique()
        if len(several):
            clash = frames[column.name]["value"].is_in(several.to_list()) & whole
            found[column.name] = _noted(frames[column.name], clash, Reason.IDENTITY_CONFLICT)
    return found
