"""Division codes of the prefecture, old ones included, and the office that answers for each."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

import polars as pl

_FILE = Path(__file__).parent / "data" / "divisions.csv"
_PREFECTURE = "532300"
_BEFORE_NAME = r"^(云南省?)?(楚雄彝族自治州|楚雄州)?"


@lru_cache(maxsize=1)
def _rows() -> list[dict[str, str]]:
    with _FILE.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


@lru_cache(maxsize=1)
def _names() -> dict[str, str]:
    """Full and short names → code. 楚雄县 and 禄丰县 keep their old codes, 楚雄 and 禄丰 mean today's."""
    rows = sorted(_rows(), key=lambda row: row["note"] == "")
    short = {row["name"].rstrip("县市"): row["code"] for row in rows}
    return short | {row["name"]: row["code"] for row in rows} | {"楚雄州": _PREFECTURE}


def office_codes() -> tuple[str, ...]:
    """The prefecture office and the ten county offices, in code order."""
    return tuple(sorted({row["office"] for row in _rows()}))


def codes(values: pl.Series) -> pl.Series:
    """Six digits as delivered (old codes kept) from a code of 6, 9 or 12 digits or a name; null when neither.

    A name may carry the province and prefecture before it and a township after it.
    """
    by_code = values.set(~values.str.contains(r"^[1-9][0-9]{5}([0-9]{3}|[0-9]{6})?$").fill_null(False), None)
    whole = values.is_in([f"{p}{n}" for p in ("", "云南省", "云南") for n in ("楚雄彝族自治州", "楚雄州")])
    bare = values.str.replace(_BEFORE_NAME, "")
    by_name = bare.replace_strict(_names(), default=None, return_dtype=pl.String)
    full = "|".join(row["name"] for row in _rows() if row["code"] != _PREFECTURE)
    begins = bare.str.extract(f"^({full})", 1).replace_strict(_names(), default=None, return_dtype=pl.String)
    prefecture = pl.Series([_PREFECTURE]).new_from_index(0, len(values)).set(~whole.fill_null(False), None)
    found = by_code.str.slice(0, 6).to_frame("a").with_columns(b=prefecture, c=by_name, d=begins)
    return found.select(pl.coalesce("a", "b", "c", "d")).to_series().alias(values.name)


def today(code: pl.Series) -> pl.Series:
    """Today's code of a county that had another one (楚雄县, 禄丰县); every other value stays."""
    return code.replace({row["code"]: row["office"] for row in _rows() if row["note"]})


def office(code: pl.Series) -> pl.Series:
    """The office of a division code; null for places outside the prefecture."""
    mapping = {row["code"]: row["office"] for row in _rows()}
    return code.replace_strict(mapping, default=None, return_dtype=pl.String)


def office_of_text(values: pl.Series) -> pl.Series:
    """The office of the first county named in an address; null when none is."""
    full = "|".join(row["name"] for row in _rows() if row["code"] != _PREFECTURE)
    mapping = {row["name"]: row["office"] for row in _rows()}
    return values.str.extract(f"({full})", 1).replace_strict(mapping, default=None, return_dtype=pl.String)
