"""Own gap-free numbers for clues, orders and letters (线索、交办单、反馈函)."""

from django.db import connection

from supervision.reference import REFERENCE


def take_number(series: str, year: int) -> str:
    """The next number of a series; gap-free because it is taken in the transaction that uses it."""
    return format_number(series, year, take_numbers(series, year, 1))


def take_numbers(series: str, year: int, count: int) -> int:
    """Reserve ``count`` numbers, returns the last."""
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into supervision_counter (series, year, value) values (%s, %s, %s)"
            " on conflict (series, year) do update set value = supervision_counter.value + excluded.value returning value",
            [series, year, count],
        )
        return int(cursor.fetchone()[0])


def format_number(series: str, year: int, value: int) -> str:
    return REFERENCE.numbering[series].format(year=year, value=value)
