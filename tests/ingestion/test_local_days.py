"""A day is a day here: half past eleven at night of UTC is already tomorrow morning in Shanghai."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from ingestion.intake.receive import ImportRefused, receive
from ingestion.intake.take_in import take_in
from ingestion.models import Agreement
from ingestion.selectors import catalog, freshness
from tests.prefecture import agreements, citizen, death, sheet

FEED = "ps_population_death"
#: 2027-01-01 07:30 in Shanghai
AT = datetime(2026, 12, 31, 23, 30, tzinfo=UTC)


def _receive(born: str = "19500101"):  # type: ignore[no-untyped-def]
    feed = catalog()[FEED]
    source = sheet(FEED, [death(citizen(1, born=born), "2026-10-01")])
    return receive(source, feed=feed, file_name="d.csv", by="测试", at=AT)[0]


def test_an_agreement_from_new_year_on_covers_new_years_morning(database):
    agreements()
    Agreement.objects.using("owner").filter(number=f"T-{FEED}").update(valid_from=date(2027, 1, 1))
    assert _receive().agreement.number == f"T-{FEED}"


def test_an_agreement_to_the_last_of_the_year_does_not(database):
    agreements(valid_to=date(2026, 12, 31))
    with pytest.raises(ImportRefused):
        _receive()


@pytest.mark.parametrize(("born", "loaded"), [("20270101", 1), ("20270102", 0)])
def test_who_was_born_this_morning_is_born(database, born, loaded):
    agreements()
    batch = take_in(_receive(born).pk, catalog()[FEED], fence=1, at=AT)
    assert (batch.state, batch.loaded, batch.quarantined) == ("landed", loaded, 1 - loaded), batch.problem


def test_a_landing_without_a_covered_day_counts_from_its_local_day():
    feed = catalog()[FEED]
    _, due = freshness(feed, None, AT, date(2027, 1, 1))
    assert due is not None
    assert (due - date(2027, 1, 1)).days == feed.max_lag_days
