"""How long a clock runs: months, days, worked days, pauses, extensions."""

from __future__ import annotations

import csv
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chuxiong.kit import working_days
from supervision.tracks.terms import Due, Pause, Term, due

DAYS = st.dates(date(2018, 1, 1), date(2026, 12, 31))


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2025-12-31", 2, "2026-02-28"),
        ("2023-12-31", 2, "2024-02-29"),
        ("2026-01-30", 1, "2026-02-28"),
        ("2026-08-15", 2, "2026-10-15"),
        ("2026-11-30", 3, "2027-02-28"),
        ("2026-02-28", 2, "2026-04-28"),
    ],
)
def test_months_end_on_the_day_of_the_same_number_or_the_months_last(
    start: str, months: int, end: str
) -> None:
    assert Term(months=months).after(date.fromisoformat(start)) == date.fromisoformat(end)


def test_the_first_day_does_not_count() -> None:
    assert Term(days=15).after(date(2026, 11, 2)) == date(2026, 11, 17)
    # 2026-02-13 is a Friday; the week of the Spring Festival rests until the 23rd, the 14th is worked instead.
    assert Term(working_days=1).after(date(2026, 2, 13)) == date(2026, 2, 14)
    assert Term(working_days=2).after(date(2026, 2, 13)) == date(2026, 2, 24)


def test_a_last_day_that_rests_moves_on() -> None:
    # 2026-10-01 begins seven days of rest; the 8th is worked.
    assert due(date(2026, 8, 1), Term(months=2), rolls=True) == Due(date(2026, 10, 8), False)
    assert due(date(2026, 8, 1), Term(months=2)) == Due(date(2026, 10, 1), False)


def test_what_lies_beyond_the_last_notice_is_provisional() -> None:
    assert due(date(2026, 11, 25), Term(months=2), rolls=True) == Due(date(2027, 1, 25), True)
    assert due(date(2026, 11, 25), Term(months=2)).provisional is False, "no worked day was asked for"


@given(DAYS, st.integers(1, 24), st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), max_size=4))
def test_pauses_add_the_days_that_they_lasted_and_no_day_twice(
    start: date, months: int, gaps: list[tuple[int, int]]
) -> None:
    term = Term(months=months)
    pauses = [Pause(start + timedelta(days=a), start + timedelta(days=a + n)) for a, n in gaps]
    stood = {a + i for a, n in gaps for i in range(n)}
    assert due(start, term, pauses=pauses).day == term.after(start) + timedelta(days=len(stood))
    assert due(start, term, pauses=[*pauses, Pause(start)]).day is None


@given(DAYS, st.integers(1, 30))
def test_worked_days_are_counted_one_by_one(start: date, count: int) -> None:
    end = working_days.plus(start, count)
    between = [start + timedelta(days=n) for n in range(1, (end - start).days + 1)]
    assert sum(not working_days.rests(d) for d in between) == count and not working_days.rests(end)


def test_the_days_are_those_of_the_notices(shared) -> None:
    with (shared / "data" / "holidays" / "china_days.csv").open(encoding="utf-8") as rows:
        told = {date.fromisoformat(r["date"]): r["is_workday"] == "1" for r in csv.DictReader(rows)}
    wrong = [d for d, works in told.items() if d.year >= 2018 and working_days.rests(d) == works]
    assert wrong == []
