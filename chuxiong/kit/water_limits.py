"""Limits of water: classes of surface water and limits of discharge, each row with the days it holds.

A permit's own limit goes before these, a sector's standard before GB 8978. What is not held here is not
guessed: ``limit`` answers None and says so by that.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

_DATA = Path(__file__).parent / "data"
CLASSES = ("Ⅰ", "Ⅱ", "Ⅲ", "Ⅳ", "Ⅴ")
BELOW = "劣Ⅴ"
#: rivers are classed without these (环办〔2011〕22号)
NOT_FOR_RIVERS = frozenset({"w01010", "w21001"})

Water = Literal["river", "lake"]


@dataclass(frozen=True)
class Limit:
    """``at_least`` and ``at_most`` in ``unit``; the averaging is over ``period`` (sample, day, month)."""

    standard: str
    grade: str
    factor: str
    period: str
    at_least: float | None
    at_most: float | None
    unit: str
    valid_from: date
    valid_to: date | None
    condition: str

    def holds(self, value: float) -> bool:
        return (self.at_least is None or value >= self.at_least) and (
            self.at_most is None or value <= self.at_most
        )


@lru_cache(maxsize=2)
def _rows(name: str) -> tuple[Limit, ...]:
    with (_DATA / name).open(encoding="utf-8", newline="") as source:
        return tuple(
            Limit(
                row["standard"],
                row["grade"],
                row["factor"],
                row["period"],
                float(row["at_least"]) if row["at_least"] else None,
                float(row["at_most"]) if row["at_most"] else None,
                row["unit"],
                date.fromisoformat(row["valid_from"]),
                date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
                row["condition"],
            )
            for row in csv.DictReader(source)
        )


def _in_force(limit: Limit, on: date) -> bool:
    return limit.valid_from <= on and (limit.valid_to is None or on <= limit.valid_to)


def limit(
    standard: str, grade: str, factor: str, *, period: str, on: date, condition: str = ""
) -> Limit | None:
    """The limit of discharge in force on day ``on``; None when the table holds none for this period."""
    for row in _rows("discharge_limits.csv"):
        wanted = (row.standard, row.grade, row.factor, row.period, row.condition)
        if wanted == (standard, grade, factor, period, condition) and _in_force(row, on):
            return row
    return None


def class_limits(factor: str, *, on: date, water: Water = "river") -> dict[str, Limit]:
    """Class → limit of one factor of surface water, best class first; empty for a factor without classes."""
    rows = [
        row
        for row in _rows("surface_water_classes.csv")
        if row.factor == factor and row.condition in ("", water) and _in_force(row, on)
    ]
    return {row.grade: row for row in sorted(rows, key=lambda row: CLASSES.index(row.grade))}


def water_class(values: Mapping[str, float], *, on: date, water: Water = "river") -> tuple[str, list[str]]:
    """(class, factors that decide it): the worst single factor. ``("", [])`` when none has classes."""
    worst, deciding = -1, list[str]()
    for factor, value in values.items():
        if water == "river" and factor in NOT_FOR_RIVERS:
            continue
        limits = class_limits(factor, on=on, water=water)
        if not limits:
            continue
        reached = next((CLASSES.index(c) for c, row in limits.items() if row.holds(value)), len(CLASSES))
        if reached > worst:
            worst, deciding = reached, [factor]
        elif reached == worst:
            deciding.append(factor)
    return ("", []) if worst < 0 else ((*CLASSES, BELOW)[worst], deciding)
