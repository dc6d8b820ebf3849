"""Every form of date met, as polars expressions. Excel serials only where the cell was a number."""

from __future__ import annotations

import polars as pl

_EXCEL_EPOCH = -25569  # days from 1970-01-01 back to 1899-12-30
FIRST_SERIAL, LAST_SERIAL = 10000, 60000


def _unified(values: pl.Expr) -> pl.Expr:
    """2022年9月16日, 2022.9.16, 2022/9/16, 20220916, 22-9-16 → 2022-9-16 (parts not padded)."""
    text = values.str.replace_all("[年月./]", "-").str.replace_all("[日号]", "").str.strip_chars(" -")
    text = pl.when(text.str.contains(r"^(19|20)\d{6}$")).then(
        pl.concat_str([text.str.slice(0, 4), text.str.slice(4, 2), text.str.slice(6, 2)], separator="-")
    ).otherwise(text)
    return pl.when(text.str.contains(r"^\d{2}-\d{1,2}-\d{1,2}$")).then(pl.concat_str([pl.lit("20"), text])).otherwise(text)


def dates(values: pl.Expr, numeric: pl.Expr) -> pl.Expr:
    """Days. ``numeric``: the cell was a number in a spreadsheet. Null where it is no date."""
    serial = values.cast(pl.Float64, strict=False)
    from_serial = (
        pl.when((serial >= FIRST_SERIAL) & (serial <= LAST_SERIAL))
        .then((serial.floor().cast(pl.Int32, strict=False) + _EXCEL_EPOCH).cast(pl.Date))
        .otherwise(None)
    )
    text = _unified(values.str.replace(r"[ T]\d{1,2}:\d{2}.*$", ""))
    padded = text.str.replace(r"^(\d{4})-(\d)-", "${1}-0${2}-").str.replace(r"-(\d)$", "-0${1}")
    from_text = pl.when(padded.str.contains(r"^\d{4}-\d{2}-\d{2}$")).then(padded.str.to_date("%Y-%m-%d", strict=False)).otherwise(None)
    return pl.when(numeric).then(pl.coalesce(from_serial, from_text)).otherwise(from_text)


def months(values: pl.Expr, numeric: pl.Expr) -> pl.Expr:
    """First day of the month: 202209, 2022-09, 2022年9月, or a full date."""
    text = values.str.replace_all("[年./]", "-").str.replace_all("[月日号]", "").str.strip_chars(" -")
    text = text.str.replace(r"^((?:19|20)\d{2})(\d{2})$", "${1}-${2}")
    padded = text.str.replace(r"^(\d{4})-(\d)$", "${1}-0${2}")
    short = (
        pl.when(padded.str.contains(r"^\d{4}-\d{2}$"))
        .then(pl.concat_str([padded, pl.lit("-01")]).str.to_date("%Y-%m-%d", strict=False))
        .otherwise(None)
    )
    return pl.coalesce(short, dates(values, numeric).dt.truncate("1mo"))


def moments(values: pl.Expr, numeric: pl.Expr) -> pl.Expr:
    """Times in Asia/Shanghai; a date alone is its midnight."""
    day = dates(values, numeric)
    clock = values.str.extract(r"[ T日](\d{1,2}:\d{2}(?::\d{2})?)", 1)
    compact = values.str.extract(r"^(?:19|20)\d{6}(\d{6})$", 1)
    clock = pl.coalesce(
        clock,
        pl.concat_str([compact.str.slice(0, 2), compact.str.slice(2, 2), compact.str.slice(4, 2)], separator=":"),
    )
    day = pl.coalesce(day, dates(values.str.extract(r"^((?:19|20)\d{6})\d{6}$", 1), pl.lit(False)))
    full = pl.when(clock.str.count_matches(":") == 1).then(pl.concat_str([clock, pl.lit(":00")])).otherwise(clock)
    seconds = (
        full.str.split(":").list.get(0, null_on_oob=True).cast(pl.Int64, strict=False) * 3600
        + full.str.split(":").list.get(1, null_on_oob=True).cast(pl.Int64, strict=False) * 60
        + full.str.split(":").list.get(2, null_on_oob=True).cast(pl.Int64, strict=False)
    ).fill_null(0)
    return (day.cast(pl.Datetime("us")) + pl.duration(seconds=seconds)).dt.replace_time_zone(
        "Asia/Shanghai", ambiguous="earliest", non_existent="null"
    )
