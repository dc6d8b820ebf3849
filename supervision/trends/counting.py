"""Counts of clues by month, domain, county, department, model and origin. Pure: a frame of counts in, tables out.

Whatever is put together, the parts add up to the whole: found = checked + pending + closed_unchecked, checked = confirmed +
unfounded, confirmed = corrected + improved + in_progress.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, TypeAlias

import pandas as pd

Dimension: TypeAlias = Literal["domain", "office", "department", "rule", "origin"]
DIMENSIONS: tuple[Dimension, ...] = ("domain", "office", "department", "rule", "origin")
Measure: TypeAlias = Literal[
    "found",
    "pending",
    "closed_unchecked",
    "checked",
    "unfounded",
    "confirmed",
    "corrected",
    "improved",
    "in_progress",
]
#: in the order of a ledger's columns
MEASURES: tuple[Measure, ...] = (
    "found", "pending", "closed_unchecked", "checked", "unfounded", "confirmed", "corrected", "improved", "in_progress",
)  # fmt: skip
#: what one group of clues is: the stage that each clue is counted under
STAGES = ("pending", "closed_unchecked", "unfounded", "corrected", "improved", "in_progress")
#: stage → the measures it counts for
_COUNTS_FOR: dict[str, tuple[str, ...]] = {
    "pending": ("found", "pending"),
    "closed_unchecked": ("found", "closed_unchecked"),
    "unfounded": ("found", "checked", "unfounded"),
    "corrected": ("found", "checked", "confirmed", "corrected"),
    "improved": ("found", "checked", "confirmed", "improved"),
    "in_progress": ("found", "checked", "confirmed", "in_progress"),
}
COLUMNS = ("month", *DIMENSIONS, "stage", "clues")


def stages_of(measure: Measure) -> list[str]:
    """The stages that a measure counts."""
    return [stage for stage, measures in _COUNTS_FOR.items() if measure in measures]


@dataclass(frozen=True)
class Period:
    """Whole months, both included; each by its first day."""

    first: date
    last: date

    def months(self) -> list[str]:
        """YYYY-MM, in order."""
        first = self.first.year * 12 + self.first.month - 1
        last = self.last.year * 12 + self.last.month - 1
        return [f"{m // 12:04d}-{m % 12 + 1:02d}" for m in range(first, last + 1)]


@dataclass(frozen=True)
class Series:
    """One group over the months; ``key`` None = all together."""

    key: str | None
    counts: tuple[int, ...]
    total: int


@dataclass(frozen=True)
class Line:
    """One group of a ledger: a count for each measure."""

    key: str | None
    counts: dict[str, int]


def frame(rows: Sequence[Sequence[Any]]) -> pd.DataFrame:
    """(month, domain, office, department, rule, origin, stage, clues) as a frame."""
    made = pd.DataFrame(list(rows), columns=list(COLUMNS))
    return made.astype({"clues": "int64"})


def over_months(
    counted: pd.DataFrame, by: Dimension, measure: Measure, months: Sequence[str], keys: Sequence[str] = ()
) -> list[Series]:
    """A row for all together, then one a group: ``keys`` first in their order, even with nothing, then others by code."""
    chosen = counted[counted["stage"].isin(stages_of(measure))]
    table = (
        chosen.pivot_table(index=by, columns="month", values="clues", aggfunc="sum", fill_value=0)
        if len(chosen)
        else pd.DataFrame()
    )
    order = [*keys, *sorted(set(table.index) - set(keys))]
    table = table.reindex(index=order, columns=list(months), fill_value=0).astype("int64")
    rows = [Series(key, tuple(int(n) for n in table.loc[key]), int(table.loc[key].sum())) for key in order]
    whole = tuple(int(n) for n in table.sum(axis=0))
    return [Series(None, whole, sum(whole)), *rows]


def ledger(counted: pd.DataFrame, by: Dimension, keys: Sequence[str] = ()) -> list[Line]:
    """One line a group, in the order of ``over_months``; the whole comes last."""
    table = (
        counted.pivot_table(index=by, columns="stage", values="clues", aggfunc="sum", fill_value=0)
        if len(counted)
        else pd.DataFrame()
    )
    order = [*keys, *sorted(set(table.index) - set(keys))]
    table = table.reindex(index=order, columns=list(STAGES), fill_value=0).astype("int64")
    lines = [Line(key, _measured(table.loc[key].to_dict())) for key in order]
    return [*lines, Line(None, _measured(table.sum(axis=0).to_dict()))]


def _measured(stages: dict[Any, Any]) -> dict[str, int]:
    return {m: sum(int(stages[s]) for s in stages_of(m)) for m in MEASURES}
