"""Every form of date met, a column at a time. Excel serials only where the cell was a number."""

from __future__ import annotations

from datetime import date

import polars as pl

_EXCEL_EPOCH = -25569  # days from 1970-01-01 back to 1899-12-30
_FIRST_SERIAL, _LAST_SERIAL = 20_000, 60_000
#: two-digit years up to so many years ahead belong to this century: contracts and terms reach some years ahead, births
#: lie behind; a way of reading, and no policy
_AHEAD = 10
_ISO = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_ISO_MIDNIGHT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2} 00:00:00$"
_CLOCK = r"[ T日]\s*([0-9]{1,2}):([0-9]{1,2})(?::([0-9]{1,2})(?:\.[0-9]+)?)?"
_ZONE = r"[0-9](Z|[+-][0-9]{2}:?[0-9]{2})$"


def dates(values: pl.Series, numeric: pl.Series | None = None, *, on: date) -> pl.Series:
    """Days; null where it is no whole date (a month alone is none).

    ``numeric``: which cells were numbers in a spreadsheet. ``on`` places two-digit years: 85-2-14 is 1985.
    """
    found = _iso(values)
    left = found.is_null() & values.is_not_null()
    if not left.any():
        return found
    rows = left.arg_true()
    rest = values.gather(rows)
    slow = _written(rest, on)
    if numeric is not None:
        slow = slow.zip_with(
            ~numeric.gather(rows), slow.to_frame().select(pl.coalesce(_serial(rest), slow)).to_series()
        )
    return found.scatter(rows, slow)


def _iso(values: pl.Series) -> pl.Series:
    """YYYY-MM-DD at full speed, with midnight as spreadsheets add it."""
    plain = values.str.contains(_ISO).fill_null(False)
    if not plain.all():
        midnight = values.str.contains(_ISO_MIDNIGHT).fill_null(False)
        plain = plain | midnight
        values = values.set(~plain, None)
        if midnight.any():
            values = values.str.slice(0, 10)
    return values.str.to_date("%Y-%m-%d", strict=False)


def _serial(values: pl.Series) -> pl.Series:
    serial = values.cast(pl.Float64, strict=False)
    fits = ((serial >= _FIRST_SERIAL) & (serial <= _LAST_SERIAL)).fill_null(False)
    return (serial.set(~fits, None).floor().cast(pl.Int32) + _EXCEL_EPOCH).cast(pl.Date)


def _written(values: pl.Series, on: date) -> pl.Series:
    """2022年9月16日, 2022.9.16, 2022/9/16, 20220916, 22-9-16, each with or without a time of day."""
    text = values.str.replace(r"(?:[ T]|日)\s*[0-9]{1,2}[:时].*$", "")
    text = text.str.replace_all("[年月./]", "-").str.replace_all(r"[日号\s]", "").str.strip_chars("-")
    text = text.str.replace(r"^((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})(?:[0-9]{6})?$", "${1}-${2}-${3}")
    text = _whole_year(text, on)
    text = text.str.replace(r"-([0-9])-", "-0${1}-").str.replace(r"-([0-9])$", "-0${1}")
    shaped = text.str.contains(_ISO).fill_null(False)
    return text.set(~shaped, None).str.to_date("%Y-%m-%d", strict=False)


def _whole_year(text: pl.Series, on: date) -> pl.Series:
    short = text.str.contains(r"^[0-9]{2}-[0-9]{1,2}-[0-9]{1,2}$").fill_null(False)
    if not short.any():
        return text
    rows = short.arg_true()
    parts = text.gather(rows)
    this_century = parts.str.slice(0, 2).cast(pl.Int32) <= on.year % 100 + _AHEAD
    century = pl.Series(["19", "20"]).gather(this_century.cast(pl.UInt32))
    return text.scatter(rows, century + parts)


def months(values: pl.Series, numeric: pl.Series | None = None, *, on: date) -> pl.Series:
    """First day of the month: 202209, 2022-09, 2022年9月, 2022.9, or a whole date."""
    text = values.str.replace_all("[年./]", "-").str.replace_all(r"[月份\s]", "").str.strip_chars("-")
    text = text.str.replace(r"^((?:19|20)[0-9]{2})([0-9]{2})(?:\.0)?$", "${1}-${2}")
    text = text.str.replace(r"^([0-9]{4})-([0-9])$", "${1}-0${2}")
    shaped = text.str.contains(r"^[0-9]{4}-[0-9]{2}$").fill_null(False)
    found = (text.set(~shaped, None) + "-01").str.to_date("%Y-%m-%d", strict=False)
    rows = (found.is_null() & values.is_not_null() & ~shaped).arg_true()
    if not len(rows):
        return found
    whole = dates(values.gather(rows), None if numeric is None else numeric.gather(rows), on=on)
    return found.scatter(rows, whole.dt.truncate("1mo"))


def moments(values: pl.Series, numeric: pl.Series | None = None, *, on: date) -> pl.Series:
    """Times in Asia/Shanghai, whole seconds; a date alone is its midnight. A stated zone is respected."""
    text = values.str.replace_all("[时分]", ":").str.replace("秒", "").str.strip_chars_end(":")
    text = text.str.replace(r"^((?:19|20)[0-9]{6})([0-9]{2})([0-9]{2})([0-9]{2})$", "${1} ${2}:${3}:${4}")
    zone = text.str.extract(_ZONE, 1)
    text = text.set(zone.is_not_null(), None).fill_null(text.str.replace(r"(Z|[+-][0-9]{2}:?[0-9]{2})$", ""))
    days = dates(text, numeric, on=on)
    clock = [text.str.extract(_CLOCK, part).cast(pl.Int64, strict=False).fill_null(0) for part in (1, 2, 3)]
    possible = (clock[0] < 24) & (clock[1] < 60) & (clock[2] < 60)
    seconds = clock[0] * 3600 + clock[1] * 60 + clock[2]
    if numeric is not None:
        day_part = (text.cast(pl.Float64, strict=False) % 1 * 86_400).round(0).cast(pl.Int64, strict=False)
        seconds = seconds.zip_with(~numeric, day_part.fill_null(0))
    local = days.set(~possible, None).cast(pl.Datetime("us")) + (seconds * 1_000_000).cast(pl.Duration("us"))
    placed = local.dt.replace_time_zone("Asia/Shanghai", ambiguous="earliest", non_existent="null")
    return _with_zone(placed, local, zone) if zone.is_not_null().any() else placed


def _with_zone(placed: pl.Series, local: pl.Series, zone: pl.Series) -> pl.Series:
    digits = zone.str.replace("Z", "+0000").str.replace(":", "")
    minutes = digits.str.slice(1, 2).cast(pl.Int64) * 60 + digits.str.slice(3, 2).cast(pl.Int64)
    sign = pl.Series([1, -1]).gather((digits.str.slice(0, 1) == "-").fill_null(False).cast(pl.UInt32))
    offset = (minutes * sign * 60_000_000).cast(pl.Duration("us"))
    stated = (local - offset).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Shanghai")
    return placed.zip_with(zone.is_null(), stated)
