"""How far feeds have come is kept with every landing, and says what adding all landings up would say."""

from __future__ import annotations

from datetime import date

from django.db import connections
from django.test.utils import CaptureQueriesContext

from ingestion.models import FeedStanding
from ingestion.selectors import feed_states
from tests.prefecture import TODAY, agreements, bring, citizen, cremation, payment, sheet

FEED = "hr_pension_payment"

_ADDED_UP = (
    "select l.feed, max(l.landed_at), max(l.covers_until), count(*), (array_agg(b.quarantined order by l.number desc))[1],"
    " to_jsonb((array_agg(b.received order by l.number desc))[1:12])::text"
    " from ingestion_landing l join ingestion_batch b on b.id = l.batch_id where l.feed <> '' group by 1 order by 1"
)


def agree() -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute(_ADDED_UP)
        wanted = cursor.fetchall()
        cursor.execute(
            "select feed, landed_at, covers_until, landings, quarantined, recent::text from ingestion_feedstanding order by 1"
        )
        assert cursor.fetchall() == wanted and wanted


def test_standing_is_what_all_landings_add_up_to(database: None) -> None:
    agreements()
    for turn in range(14):
        rows = [payment(citizen(n), "2026-09", f"{turn + 1}.00") for n in range(turn % 3 + 1)]
        if turn % 4 == 0:
            rows.append(payment("1", "2026-09", "1.00"))
        batch = bring(FEED, sheet(FEED, rows), name=f"{turn}.csv", covers=date(2026, 10, 31 - turn))
        assert batch.state == "landed", batch.problem
    bring(
        "ca_funeral", sheet("ca_funeral", [cremation(citizen(1), "2026-09-01", 1)]), covers=date(2026, 10, 1)
    )
    agree()
    standing = FeedStanding.objects.get(feed=FEED)
    assert (standing.covers_until, standing.landings, len(standing.recent)) == (date(2026, 10, 31), 14, 12)
    with connections["owner"].cursor() as cursor:
        cursor.execute("select landings, covers_until from wall_feed where feed = %s", [FEED])
        assert cursor.fetchall() == [(14, date(2026, 10, 31))]
    # A clearing takes the claim of coverage away.
    with connections["intake"].cursor() as cursor:
        cursor.execute("update ingestion_landing set covers_until = null where covers_until > '2026-10-25'")
    agree()


def test_the_states_of_feeds_ask_two_questions(database: None) -> None:
    with CaptureQueriesContext(connections["default"]) as queries:
        feed_states(on=TODAY)
    assert len(queries) == 2 and not any("ingestion_landing" in q["sql"] for q in queries)
