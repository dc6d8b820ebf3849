"""Much the same rows in another file: what the pool holds is staged without its values, and the outcome is the same."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Iterator

import polars as pl
import pytest
from django.db import connections

from ingestion.intake import merge, take_in
from ingestion.intake.ahead import ahead
from ingestion.selectors import catalog
from tests.prefecture import agreements, bring, citizen, payment, sheet

FEED = "hr_pension_payment"
_ROWS = 400


def _file(draw: random.Random, rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """The rows once more: some changed, one gone, one new, keys twice in both orders (changed first, unchanged first)."""
    again = [dict(r) for r in rows]
    for row in draw.sample(again, draw.randrange(1, 8)):
        row["amount_cny"] = f"{float(row['amount_cny']) + 1:.2f}"
    one, other = draw.sample(range(len(rows)), 2)
    again.append(dict(rows[one]) | {"amount_cny": "7.00"})
    again.insert(0, dict(rows[other]) | {"amount_cny": "8.00"})
    again.pop(draw.randrange(1, len(rows) - 1))
    again.append(payment(citizen(999), "202609", "9.00"))
    return again


def _pool() -> list[tuple[object, ...]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select pay_month, amount_cny, from_landing, to_landing, encode(natural_hash, 'hex') from pool.hr_pension_payment"
            " order by natural_hash, from_landing, to_landing"
        )
        return cursor.fetchall()


@pytest.mark.parametrize("snapshot", [False, True])
def test_bare_staging_comes_to_the_same(
    database: None, monkeypatch: pytest.MonkeyPatch, snapshot: bool
) -> None:
    seed = secrets.randbits(32)
    print("seed", seed)
    rows = [payment(citizen(n // 4), f"2026{5 + n % 4:02d}", f"{1000 + n}.00") for n in range(_ROWS)]
    bared = 0
    stage_bare = merge._stage_bare

    def counted(*given):  # type: ignore[no-untyped-def]
        nonlocal bared
        left = stage_bare(*given)
        bared += given[3].height - left.height
        return left

    monkeypatch.setattr(merge, "_stage_bare", counted)
    outcomes = []
    for bare in (True, False):
        if not bare:
            _forget()
            monkeypatch.setattr(merge, "_mostly_held", lambda *_: False)
        agreements()
        bring(FEED, sheet(FEED, rows))
        batch = bring(FEED, sheet(FEED, _file(random.Random(seed), rows)), snapshot=snapshot)
        assert batch.state == "landed", batch.problem
        counts = (
            batch.received,
            batch.loaded,
            batch.unchanged,
            batch.duplicate,
            batch.removed,
            batch.covers_until,
        )
        # Refs are minted anew, so keys are told apart by what stands under them.
        outcomes.append((counts, sorted((a, b, c, d or 0) for a, b, c, d, _key in _pool())))
    assert outcomes[0] == outcomes[1]
    assert bared > 0.9 * _ROWS


def _forget() -> None:
    from tests.conftest import empty_tables

    empty_tables()


def test_a_record_that_changes_between_staging_and_landing_sends_the_reader_back(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreements()
    rows = [payment(citizen(n), "202605", f"{1000 + n}.00") for n in range(50)]
    bring(FEED, sheet(FEED, rows))
    land, reads = merge.land, 0

    def overtaken(*given, **more):  # type: ignore[no-untyped-def]
        nonlocal reads
        reads += 1
        if reads == 1:
            # As if another landing had corrected a record meanwhile.
            with connections["owner"].cursor() as cursor:
                cursor.execute(
                    "update pool.hr_pension_payment set row_hash = decode('00', 'hex'), amount_cny = 1 where record_id ="
                    " (select min(record_id) from pool.hr_pension_payment)"
                )
        return land(*given, **more)

    monkeypatch.setattr(take_in.merge, "land", overtaken)
    batch = bring(FEED, sheet(FEED, [*rows, payment(citizen(77), "202605", "5.00")]))
    assert (batch.state, batch.loaded, batch.unchanged, reads) == ("landed", 2, 49, 2)
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select count(*) from pool.hr_pension_payment where to_landing is null and amount_cny is null"
        )
        assert cursor.fetchone()[0] == 0


def test_a_column_left_out_is_as_empty_as_one_left_blank() -> None:
    """The same values have the same hash, whatever columns the file has beside them."""
    feed = catalog()[FEED]
    frame = pl.DataFrame(
        {
            "row_no": [2, 3], "county": ["532301", "532302"], "citizen_id": ["a", "b"], "pay_month": ["2026-05-01"] * 2,
            "recovered_cny": pl.Series([None, None], dtype=pl.Int64),
        }
    )  # fmt: skip
    names = ["citizen_id", "pay_month"]
    with_blank = merge._hashed(feed, frame, [*names, "recovered_cny"])
    without = merge._hashed(feed, frame.drop("recovered_cny"), names)
    assert with_blank["row_hash"].to_list() == without["row_hash"].to_list()
    filled = merge._hashed(
        feed, frame.with_columns(recovered_cny=pl.Series([1, None])), [*names, "recovered_cny"]
    )
    same = [a == b for a, b in zip(filled["row_hash"], without["row_hash"], strict=True)]
    assert same == [False, True]


def test_what_runs_ahead_is_ended_where_it_ran() -> None:
    """A reader that leaves early must not find its own connection closed by the one that ran ahead."""
    ended: list[int] = []

    def numbers() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            ended.append(threading.get_ident())

    for number in ahead(numbers()):
        if number == 3:
            break
    deadline = time.monotonic() + 10
    while not ended and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(ended) == 1 and ended[0] != threading.get_ident()
