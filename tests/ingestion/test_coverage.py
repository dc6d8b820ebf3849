"""Up to which day a delivery counts as complete: never beyond its receipt, and a month up to its last day."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from ingestion.catalog.cadence import next_end
from ingestion.models import FeedIssue, Landing
from ingestion.selectors import catalog, covered_until, feed_states, freshness, last_landing
from tests.prefecture import NOW, TODAY, agreements, bring, citizen, payment, sheet

PAY, WATER = "hr_pension_payment", "ee_surface_water"


def covered(feed: str) -> date | None:
    return covered_until([feed], landing=last_landing())[feed]


def issues(feed: str) -> list[tuple[str, int]]:
    found = FeedIssue.objects.using("owner").filter(feed=feed, kind="coverage_ahead").order_by("pk")
    return [(issue.place, issue.seen) for issue in found]


def paid(*months: str, covers: date | None = None):  # type: ignore[no-untyped-def]
    rows = [payment(citizen(n), month, f"{n + 1}.00") for n, month in enumerate(months)]
    batch = bring(PAY, sheet(PAY, rows), covers=covers, name=f"{'-'.join(months)}-{covers}.csv")
    assert batch.state == "landed", batch.problem
    return batch


def test_a_month_counts_up_to_its_last_day_and_the_present_one_up_to_the_receipt(database: None) -> None:
    agreements()
    paid("202609", "202610")
    assert covered(PAY) == date(2026, 10, 31) and issues(PAY) == []
    feed, lag = catalog()[PAY], timedelta(days=catalog()[PAY].max_lag_days)
    assert feed.cadence == "monthly"
    assert freshness(feed, covered(PAY), NOW, date(2026, 11, 30) + lag)[0] == "ok", "late every month"
    assert freshness(feed, covered(PAY), NOW, date(2026, 12, 1) + lag)[0] == "late"
    paid("202611")
    assert covered(PAY) == TODAY and issues(PAY) == []


def test_one_date_ahead_covers_nothing_and_is_told(database: None) -> None:
    agreements()
    paid("202609", "206211")
    assert covered(PAY) == date(2026, 9, 30)
    (place, seen), = issues(PAY)  # fmt: skip
    text = FeedIssue.objects.using("owner").get(feed=PAY).text
    assert (place, seen) == (catalog()[PAY].column("pay_month").headers[0], 1) and "1 行" in text
    paid("206212")
    assert covered(PAY) == date(2026, 9, 30), "of dates ahead alone, nothing is covered"
    assert issues(PAY) == [(place, 2)]


@pytest.mark.parametrize("day", [TODAY + timedelta(days=1), date(9999, 12, 31)])
def test_a_day_ahead_on_the_hand_over_is_capped_and_told(database: None, day: date) -> None:
    agreements()
    batch = paid("202609", covers=day)
    assert Landing.objects.using("owner").get(number=batch.landing).covers_until == TODAY
    assert issues(PAY) == [("数据截至", 1)]
    assert {s.code: s.covers_until for s in feed_states(on=TODAY)}[PAY] == TODAY


@pytest.mark.parametrize("cadence", ["daily", "weekly", "monthly", "quarterly", "yearly", "whenever"])
def test_no_day_is_too_far_to_reckon_with(cadence: str) -> None:
    assert next_end(cadence, date.max) == date.max
    assert next_end(cadence, date(9999, 12, 1)) >= date(9999, 12, 1)


def test_what_was_believed_before_hides_no_silence(database: None) -> None:
    """A landing of an earlier version that claims to cover everything for ever: pages open, and it is late in time."""
    feed = catalog()[PAY]
    assert freshness(feed, date.max, NOW, TODAY)[0] == "ok"
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "insert into ingestion_feedstanding (feed, landed_at, covers_until, landings, quarantined, recent)"
            " values (%s, %s, '9999-12-31', 1, 0, '[]')",
            [PAY, NOW],
        )
    assert {s.code: s.state for s in feed_states(on=TODAY)}[PAY] == "ok"


def test_the_command_says_that_the_day_lies_ahead(database: None, tmp_path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "a.csv"
    path.write_bytes(sheet(PAY, [payment(citizen(1), "202609", "1.00")]).getvalue())
    with pytest.raises(CommandError, match="不能晚于今天"):
        call_command("feed", "import", PAY, str(path), "--covers-until", "9999-12-31")
