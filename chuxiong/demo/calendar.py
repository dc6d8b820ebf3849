"""Days and months relative to today."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np


def month_first(day: date, shift: int = 0) -> date:
    """The first day of the month ``shift`` months after that of ``day``."""
    number = day.year * 12 + day.month - 1 + shift
    return date(number // 12, number % 12 + 1, 1)


def month_last(first: date) -> date:
    return month_first(first, 1) - timedelta(days=1)


def between(draw: np.random.Generator, low: int, high: int) -> int:
    """A whole number, both ends included."""
    return int(draw.integers(low, high + 1))


def day_in(draw: np.random.Generator, first: date) -> date:
    """A day of the month, well inside it."""
    return first + timedelta(days=between(draw, 3, 24))


def days_ago(draw: np.random.Generator, today: date, low: int, high: int) -> date:
    return today - timedelta(days=between(draw, low, high))
