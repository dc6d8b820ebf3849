"""Which days are worked, by the State Council's notices (``data/moved_days.csv``). Pure."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

_FILE = Path(__file__).parent / "data" / "moved_days.csv"
_SATURDAY = 5


@lru_cache(maxsize=1)
def _moved() -> dict[date, bool]:
    """Day → whether it rests, for the days that differ from the week."""
    with _FILE.open(encoding="utf-8", newline="") as rows:
        return {date.fromisoformat(r["day"]): r["rests"] == "yes" for r in csv.DictReader(rows)}


def known_until() -> date:
    """The last day that a notice covers; later days are reckoned by the week alone."""
    return date(max(_moved()).year, 12, 31)


def rests(day: date) -> bool:
    return _moved().get(day, day.weekday() >= _SATURDAY)


def on_or_after(day: date) -> date:
    """The day itself, or the first worked day after it."""
    while rests(day):
        day += timedelta(days=1)
    return day


def plus(day: date, count: int) -> date:
    """The ``count``-th worked day after ``day``, which does not count itself."""
    while count > 0:
        day += timedelta(days=1)
        count -= not rests(day)
    return day
