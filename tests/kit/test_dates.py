from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chuxiong.kit import dates

ON = date(2026, 11, 1)
SHANGHAI = ZoneInfo("Asia/Shanghai")


def one(text: str | None, numeric: bool = False) -> date | None:
    return dates.dates(pl.Series([text], dtype=pl.String), pl.Series([numeric]), on=ON)[0]


FORMS = [
    "{0:%Y-%m-%d}",
    "{0.year}-{0.month}-{0.day}",
    "{0.year}.{0.month}.{0.day}",
    "{0.year}/{0.month}/{0.day}",
    "{0:%Y%m%d}",
    "{0.year}年{0.month}月{0.day}日",
    "{0:%Y-%m-%d} 00:00:00",
    "{0:%Y-%m-%d}T08:30:00",
    "{0.year}/{0.month}/{0.day} 8:30",
    "{0.year}年{0.month}月{0.day}日 8时30分",
    "{0:%Y%m%d}083000",
]


@settings(derandomize=True, max_examples=80, deadline=None)
@given(st.dates(date(1920, 1, 1), date(2035, 12, 31)))
def test_every_form_of_a_day(day: date) -> None:
    texts = pl.Series([form.format(day) for form in FORMS])
    assert dates.dates(texts, on=ON).to_list() == [day] * len(FORMS)


@pytest.mark.parametrize(
    "text",
    [
        "2022-02-30",
        "2022年9月",
        "2022",
        "44819",
        "x",
        "0000-00-00",
        "2022-13-01",
        "20221301",
        "２０２２",
        None,
    ],
)
def test_what_is_no_day(text: str | None) -> None:
    assert one(text) is None


def test_short_years_lie_around_the_day_of_receipt() -> None:
    assert one("22-9-16") == date(2022, 9, 16)
    assert one("85-2-14") == date(1985, 2, 14)
    assert one("30.1.1") == date(2030, 1, 1)


def test_serials_only_in_number_cells() -> None:
    assert one("44819", numeric=True) == date(2022, 9, 15)
    assert one("20220916", numeric=True) == date(2022, 9, 16)
    assert one("7", numeric=True) is None


def test_months() -> None:
    texts = ["202209", "2022-9", "2022年9月", "2022年9月份", "2022.09", "2022-09-16", "2022/9/16"]
    found = dates.months(pl.Series(texts), on=ON)
    assert found.to_list() == [date(2022, 9, 1)] * len(texts)
    assert dates.months(pl.Series(["202213", "9月", None], dtype=pl.String), on=ON).to_list() == [None] * 3


def test_moments_are_in_shanghai() -> None:
    texts = [
        "2022-09-16 10:30:05",
        "2022/9/16 10:30",
        "20220916103005",
        "2022-09-16T02:30:05Z",
        "2022年9月16日10时30分",
    ]
    found = dates.moments(pl.Series(texts), on=ON).to_list()
    full, minute = (
        datetime(2022, 9, 16, 10, 30, 5, tzinfo=SHANGHAI),
        datetime(2022, 9, 16, 10, 30, tzinfo=SHANGHAI),
    )
    assert found == [full, minute, full, full, minute]
    assert dates.moments(pl.Series(["2022-09-16 25:00"]), on=ON)[0] is None


def test_serial_moment_keeps_its_time() -> None:
    found = dates.moments(pl.Series(["44819.5"]), pl.Series([True]), on=ON)[0]
    assert found == datetime(2022, 9, 15, tzinfo=SHANGHAI) + timedelta(hours=12)
