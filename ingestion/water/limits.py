"""Which limit holds for an outfall or a section on a day: the permit's own first, then the standard's. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from chuxiong.kit import water_limits
from chuxiong.kit.water_limits import Limit

#: averaging periods of HJ 212 commands
PERIODS = {"2011": "sample", "2051": "sample", "2061": "hour", "2031": "day"}


@dataclass(frozen=True)
class PermitLimit:
    """One line of a permit: the limit of a factor over a period, and the days it holds."""

    factor: str
    period: Literal["sample", "hour", "day", "month"]
    at_least: float | None
    at_most: float | None
    unit: str
    valid_from: date
    valid_to: date | None
    source: str

    def holds_on(self, day: date) -> bool:
        return self.valid_from <= day and (self.valid_to is None or day <= self.valid_to)


def of_outfall(
    own: Sequence[PermitLimit],
    standard: str,
    grade: str,
    factor: str,
    *,
    period: str,
    on: date,
    condition: str = "",
) -> Limit | None:
    """The limit in force on day ``on`` for this averaging period; None when neither permit nor table holds one."""
    fitting = [row for row in own if row.factor == factor and row.period == period and row.holds_on(on)]
    if fitting:
        row = max(fitting, key=lambda r: r.valid_from)
        return Limit(
            row.source,
            "",
            factor,
            period,
            row.at_least,
            row.at_most,
            row.unit,
            row.valid_from,
            row.valid_to,
            "",
        )
    if not standard:
        return None
    return water_limits.limit(standard, grade, factor, period=period, on=on, condition=condition)


def of_section(target: str, factor: str, *, on: date) -> Limit | None:
    """The limit of the section's target class on day ``on``; None for a factor that rivers are not classed by."""
    if factor in water_limits.NOT_FOR_RIVERS:
        return None
    return water_limits.class_limits(factor, on=on).get(target)
