"""When the period after a delivered one ends. Pure; the lengths are data (``cadence.yaml``)."""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

_FILE = Path(__file__).with_name("cadence.yaml")


class Periods(BaseModel):
    """``cadence.yaml``: word → length in days or months."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    since: str
    days: dict[str, int]
    months: dict[str, int]


@lru_cache(maxsize=1)
def periods() -> Periods:
    return Periods.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))


def next_end(cadence: str, covered: date) -> date:
    """The last day of the period after the one that ended on ``covered``. A month's end is followed by a month's end;
    nothing lies after the last day of the calendar."""
    try:
        return _next_end(cadence, covered)
    except (OverflowError, ValueError):
        return date.max


def _next_end(cadence: str, covered: date) -> date:
    if cadence in periods().days:
        return covered + timedelta(days=periods().days[cadence])
    months = periods().months.get(cadence)
    if months is None:
        return covered
    number = covered.year * 12 + covered.month - 1 + months
    year, month = divmod(number, 12)
    last = monthrange(year, month + 1)[1]
    ended = covered.day == monthrange(covered.year, covered.month)[1]
    return date(year, month + 1, last if ended else min(covered.day, last))
