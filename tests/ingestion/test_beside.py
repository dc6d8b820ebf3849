"""What lands or fails beside a file that is being read: it is read again only when it must be, and never without end."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connections

from ingestion.intake import take_in as taking
from ingestion.models import Landing
from tests.prefecture import agreements, bring, citizen, payment, sheet

FEED = "hr_pension_payment"
ROWS = [payment(citizen(n), "202609", f"{1000 + n}.00") for n in range(5)]


class Readings(list[int]):
    def __init__(self) -> None:
        super().__init__()
        self.beside: list[Any] = []


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    """One entry for every time that a file is read; tests append what happens meanwhile to ``readings.beside``."""
    read, seen = taking._stage_all, Readings()

    def stage_all(*args: Any) -> Any:
        found = read(*args)
        seen.append(len(seen) + 1)
        for happen in seen.beside:
            happen()
        return found

    monkeypatch.setattr(taking, "_stage_all", stage_all)
    return seen


def _derived(what: str) -> int:
    with connections["owner"].cursor() as cursor:
        cursor.execute("select supervision_derived_landing(%s, now())", [what])
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("what", ["identity", "relations"])
def test_a_file_is_read_once_whatever_is_derived_meanwhile(
    database: None, readings: Readings, what: str
) -> None:
    agreements()
    derived: list[int] = []
    readings.beside.append(lambda: derived.append(_derived(what)))
    batch = bring(FEED, sheet(FEED, ROWS))
    assert (batch.state, batch.loaded, readings) == ("landed", 5, [1])
    assert Landing.objects.using("owner").get(number=derived[0]).kind == "derived"
    assert Landing.objects.using("owner").get(number=batch.landing).kind == "file"


def test_clearings_without_end_leave_the_file_to_a_person(
    database: None, readings: Readings, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreements()
    monkeypatch.setattr(taking, "_last_clearing", lambda: len(readings))
    batch = bring(FEED, sheet(FEED, ROWS))
    assert (batch.state, readings) == ("held", [1, 2, 3])
    assert batch.problem["what"] and batch.problem["cure"] and batch.problem["cure_en"]
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"select count(*) from pool.{FEED}")
        assert cursor.fetchone() == (0,)
        cursor.execute("select count(*) from pg_tables where schemaname = 'staging'")
        assert cursor.fetchone() == (0,), "staging was left behind"
