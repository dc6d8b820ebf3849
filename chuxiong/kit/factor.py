"""Monitored factors of water: HJ 212 codes of 2017, those of 2005, and the names that agencies write."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import polars as pl

_FILE = Path(__file__).parent / "data" / "factors.csv"
#: a code of the standard's shape whose meaning this table does not hold is still a code
_SHAPE = r"^[a-z][0-9]{5}$|^[0-9]{3}$|^B[0-9]{2}$"


@dataclass(frozen=True)
class Factor:
    """``unit`` as the standard gives it; ``before_2017``: the code of the 2005 edition, may be empty."""

    code: str
    before_2017: str
    zh: str
    en: str
    unit: str


@lru_cache(maxsize=1)
def factors() -> dict[str, Factor]:
    """By today's code."""
    with _FILE.open(encoding="utf-8", newline="") as source:
        return {
            row["code"]: Factor(row["code"], row["before_2017"], row["zh"], row["en"], row["unit"])
            for row in csv.DictReader(source)
        }


def named(code: str) -> Factor:
    """The factor of a code; one that the table does not hold bears its code as its name."""
    return factors().get(code) or Factor(code, "", code, code, "")


@lru_cache(maxsize=1)
def _written() -> dict[str, str]:
    """Every way to write a factor, lower case → code."""
    known: dict[str, str] = {}
    with _FILE.open(encoding="utf-8", newline="") as source:
        for row in csv.DictReader(source):
            words = (row["code"], row["before_2017"], row["zh"], *row["also"].split("/"))
            known |= {word.lower(): row["code"] for word in words if word}
    return known


def canonical(values: pl.Series) -> pl.Series:
    """Code of 2017 for a code of either edition or a name; other codes as they are; null where it is none."""
    lowered = values.str.replace_all(r"[\s\-]", "").str.to_lowercase()
    known = lowered.replace_strict(_written(), default=None, return_dtype=pl.String)
    shaped = values.set(~values.str.contains(_SHAPE).fill_null(False), None)
    return known.to_frame("a").with_columns(b=shaped).select(pl.coalesce("a", "b")).to_series()
