"""Readings lie in a partition per month; a month is made when its first reading lands."""

from __future__ import annotations

import pytest
from django.db import InternalError, ProgrammingError, connections

from ingestion import pool
from ingestion.selectors import catalog
from tests.prefecture import land_rows, reading


def _ask(query: str, role: str = "owner"):  # type: ignore[no-untyped-def]
    with connections[role].cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


def _month(query: str) -> str:
    return f"select tableoid::regclass::text, count(*) from pool.ee_auto_monitor where {query} group by 1"


def test_a_reading_lies_in_its_month_and_a_broken_clock_in_none(database):
    land_rows(
        "ee_auto_monitor", [reading("M1", "2026-10-31", "1", hour=23), reading("M1", "2026-11-01", "1")]
    )
    land_rows("ee_auto_monitor", [reading("M1", "2071-01-01", "1")])
    assert _ask(_month("data_time < '2026-11-01'")) == [("pool.ee_auto_monitor_2026_10", 1)]
    assert _ask(_month("data_time between '2026-11-01' and '2026-12-01'")) == [
        ("pool.ee_auto_monitor_2026_11", 1)
    ]
    assert _ask(_month("data_time > '2070-01-01'")) == [("pool.ee_auto_monitor_other", 1)]


def test_a_month_made_late_takes_its_readings_from_the_rest(database):
    with connections["owner"].cursor() as cursor:
        cursor.execute("drop table if exists pool.ee_auto_monitor_2001_05")
        cursor.execute(
            "insert into pool.ee_auto_monitor (natural_hash, row_hash, batch_id, row_no, from_landing, mn, st, data_type,"
            " data_time, factor, received_at) values ('a', 'a', 1, 1, 1, 'M1', '32', '2031', '2001-05-03', 'w01018', now())"
        )
    assert _ask(_month("true")) == [("pool.ee_auto_monitor_other", 1)]
    assert _ask("select pool_month('ee_auto_monitor', '2001-05-20')", "intake") == [(True,)]
    assert _ask(_month("true")) == [("pool.ee_auto_monitor_2001_05", 1)]
    assert _ask("select pool_month('ee_auto_monitor', '2001-05-20')", "intake") == [(True,)]


def test_intake_makes_months_of_split_tables_and_nothing_else(database):
    assert _ask("select pool_month('ee_auto_monitor', '2999-01-01')", "intake") == [(False,)]
    with pytest.raises(InternalError, match="not split"):
        _ask("select pool_month('pr_case', '2026-01-01')", "intake")
    connections["intake"].close()
    for role in ("web", "worker"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            _ask("select pool_month('ee_auto_monitor', '2026-01-01')", role)
        connections[role].close()


def test_a_month_is_reached_through_the_table_alone(database):
    land_rows("ee_auto_monitor", [reading("M1", "2026-11-01", "1")])
    with pytest.raises(ProgrammingError, match="permission denied"):
        _ask("select * from pool.ee_auto_monitor_2026_11", "worker")
    connections["worker"].close()
    # No scope, no rows: the table's policy holds for all of its months.
    assert _ask("select count(*) from pool.ee_auto_monitor", "worker") == [(0,)]


def test_a_second_sync_changes_nothing():
    assert pool.sync(catalog()) == []
