"""Division codes of the prefecture, old ones included, and the office that answers for each."""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

import polars as pl

_FILE = Path(__file__).parent / "data" / "divisions.csv"


@lru_cache(maxsize=1)
def _rows() -> list[dict[str, str]]:
    with _FILE.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def codes(values: pl.Expr) -> pl.Expr:
    """Six digits from a code of six or more digits, or from a name with or without 县/市 and prefixes."""
    names = {row["name"]: row["code"] for row in _rows()}
    names |= {row["name"].rstrip("县市"): row["code"] for row in _rows() if row["code"] != "532321"}
    bare = values.str.replace(r"^(云南省)?(楚雄彝族自治州|楚雄州)", "")
    by_name = bare.replace_strict(list(names), list(names.values()), default=None, return_dtype=pl.String)
    by_code = pl.when(values.str.contains(r"^\d{6}(\d{3}|\d{6})?$")).then(values.str.slice(0, 6)).otherwise(None)
    whole = pl.when(values.is_in(["楚雄彝族自治州", "楚雄州", "云南省楚雄彝族自治州"])).then(pl.lit("532300")).otherwise(None)
    return pl.coalesce(by_code, whole, by_name)


def office(code: pl.Expr) -> pl.Expr:
    """The office of a division code; null for places outside the prefecture."""
    mapping = {row["code"]: row["office"] for row in _rows()}
    return code.replace_strict(list(mapping), list(mapping.values()), default=None, return_dtype=pl.String)


def office_of_text(values: pl.Expr) -> pl.Expr:
    """The office of the first county named in an address; null when none is."""
    found: list[pl.Expr] = []
    for row in _rows():
        if row["code"] != "532300":
            found.append(pl.when(values.str.contains(row["name"], literal=True)).then(pl.lit(row["office"])).otherwise(None))
    return pl.coalesce(found)
