"""D35 over a whole file: two names of one number need not stand in the same chunk, nor in the same delivery's new rows."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest
from django.db import connections

from ingestion.intake import merge
from ingestion.intake.reading import Table
from tests.prefecture import agreements, bring, citizen, payment, sheet

FEED, HEADER = "hr_pension_payment", "社会保障号码"


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    read = Table.chunks

    def chunks(self: Table) -> Iterator[pl.DataFrame]:
        for chunk in read(self):
            yield from chunk.iter_slices(2)

    monkeypatch.setattr(Table, "chunks", chunks)


def rows(*names: str, first: int = 1) -> list[dict[str, str]]:
    """One number under all of the names, a month each, among rows of others."""
    found = []
    for place, name in enumerate(names):
        found.append(payment(citizen(0), f"2026{place + 1:02d}", "1.00") | {"person_name": name})
        found.append(payment(citizen(first + place), "202601", "1.00"))
    return found


def noted(found) -> list[dict[str, object]]:  # type: ignore[no-untyped-def]
    assert found.state == "landed", found.problem
    return [n for n in found.layout["notes"] if n["note"] == "identity_conflict"]


def test_two_names_in_two_chunks_are_noted(database: None, small_chunks: None) -> None:
    agreements()
    batch = bring(FEED, sheet(FEED, rows("赵样本", "钱样本", "赵*")))
    assert noted(batch) == [{"column": HEADER, "note": "identity_conflict", "rows": 2}]
    assert batch.loaded == 6, "nothing is merged"
    assert noted(bring(FEED, sheet(FEED, rows("孙样本", "孙样本", "孙某", first=20)))) == []


def test_a_name_that_the_pool_holds_already_counts_too(
    database: None, small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreements()
    bring(FEED, sheet(FEED, rows("赵样本")))
    monkeypatch.setattr(merge, "_mostly_held", lambda *_: True)
    both = [*rows("赵样本"), payment(citizen(0), "202605", "1.00") | {"person_name": "钱样本"}]
    batch = bring(FEED, sheet(FEED, both))
    assert (batch.unchanged, batch.loaded) == (2, 1)
    assert noted(batch) == [{"column": HEADER, "note": "identity_conflict", "rows": 2}]


def test_one_chunk_says_the_same(database: None) -> None:
    agreements()
    batch = bring(FEED, sheet(FEED, rows("赵样本", "钱样本")))
    assert noted(batch) == [{"column": HEADER, "note": "identity_conflict", "rows": 2}]
    with connections["owner"].cursor() as cursor:
        cursor.execute("select count(*) from pg_tables where schemaname = 'staging'")
        assert cursor.fetchone() == (0,)
