"""What is usual for a feed and what is not: pure judgment, and the measuring of a landed batch."""

from __future__ import annotations

import random
from datetime import date, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from ingestion.catalog.health import Measure, distance, judge, limits, usual
from ingestion.health import reading
from ingestion.health.measuring import measure
from ingestion.models import Batch, BatchMeasure, DataTicket
from ingestion.selectors import catalog
from tests.prefecture import NOW, TODAY, agreements, bring, citizen, payment, sheet

FEED = "hr_pension_payment"
GIVEN = limits()


def _month(draw: random.Random, **more: object) -> Measure:
    """A month like the others: about 350 rows, a third each of three kinds, with the chance of a sample."""
    rows = draw.randint(340, 360)
    kinds = draw.choices(["110", "120", "170"], k=rows)
    usual_ = {
        "received": rows,
        "quarantined": 2,
        "rows": rows,
        "empty": {"stop_month": sum(draw.random() < 0.9 for _ in range(rows)) / rows},
        "values": {"insurance_type": {k: kinds.count(k) / rows for k in ("110", "120", "170")}},
        "medians": {"amount_cny": 250000 + draw.randint(-9000, 9000)},
    }
    return Measure(**(usual_ | more))  # type: ignore[arg-type]


@pytest.fixture
def draw() -> random.Random:
    seed = random.SystemRandom().randrange(2**31)
    print("seed", seed)
    return random.Random(seed)


def _kinds(now: Measure, before: list[Measure]) -> set[tuple[str, str]]:
    return {(f.kind, f.column) for f in judge(catalog()[FEED], now, before, GIVEN)}


def test_months_alike_are_as_usual_whatever_the_draw(draw):
    for _ in range(30):
        before = [_month(draw) for _ in range(draw.randint(0, 12))]
        assert _kinds(_month(draw), before) == set()


def test_each_thing_out_of_the_usual_is_found_and_named(draw):
    before = [_month(draw) for _ in range(8)]
    few, many = _month(draw, received=120), _month(draw, received=800)
    assert ("volume_low", "") in _kinds(few, before) and ("volume_high", "") in _kinds(many, before)
    assert _kinds(_month(draw, quarantined=30), before) == {("quarantined", "")}
    assert _kinds(_month(draw, empty={"stop_month": 0.9, "amount_cny": 0.5}), before) == set(), (
        "unknown before"
    )
    emptied = [_month(draw, empty={"amount_cny": 0.0}) for _ in range(8)]
    assert _kinds(_month(draw, empty={"amount_cny": 0.5}), emptied) == {("empty", "amount_cny")}
    one = {"insurance_type": {"110": 1.0}}
    assert _kinds(_month(draw, values=one), before) == {("drift", "insurance_type")}
    assert _kinds(_month(draw, medians={"amount_cny": 25.0}), before) == {("middle", "amount_cny")}
    assert _kinds(_month(draw, received=120, supplement=True, values=one), before) == set(), (
        "a supplement is judged by nothing"
    )
    with_supplements = [_month(draw, received=10, supplement=True) for _ in range(9)] + before
    assert ("volume_low", "") in _kinds(few, with_supplements), "nor does it make the usual"
    assert _kinds(few, before[: GIVEN.telling_batches - 1]) == set(), "too little is known"
    small = _month(draw, rows=GIVEN.telling_rows - 1, values=one, received=350)
    assert _kinds(small, before) == set(), "too few rows say nothing of shares"


def test_the_band_follows_history_and_is_narrowed_by_the_feeds_own_expectations():
    feed = catalog()["ps_admin_penalty"]
    assert feed.expectations.minimum.rows == 1
    band = usual(feed, [1, 2, 1, 2, 1, 2], GIVEN)
    assert band.low == 1 and band.rows == 1.5
    assert usual(feed, [5], GIVEN).rows is None
    assert (
        distance({"a": 1.0}, {"b": 1.0}) == 1.0
        and distance({"a": 0.5, "b": 0.5}, {"a": 0.5, "b": 0.5}) == 0.0
    )


def _bring(month: int, numbers: list[str], *, amount: str = "2500", status: str = "正常"):
    rows = [payment(n, f"2026{month:02d}", amount, status=status) for n in numbers]
    return bring(FEED, sheet(FEED, rows), name=f"{month}.csv")


def test_a_batch_is_measured_once_judged_by_those_before_and_drafts_its_tickets(database):
    agreements(valid_to=TODAY + timedelta(days=500))
    people = [citizen(n) for n in range(30)]
    feed = catalog()[FEED]
    for month in range(2, 6):
        batch = _bring(month, people)
        assert measure(batch.landing, feed, at=NOW).findings == []
        assert measure(batch.landing, feed, at=NOW) is None
    assert BatchMeasure.objects.count() == 4 and not DataTicket.objects.using("owner").exists()
    first = BatchMeasure.objects.earliest("landing")
    assert first.rows == 30 and first.empty["stop_month"] == 1.0 and first.empty["amount_cny"] == 0.0
    assert first.values["insurance_type"] == {"170": 1.0} and first.medians["amount_cny"] == 250000
    assert first.values["division_code"] == {"532301": 1.0}
    assert not {c.name for c in feed.columns if c.sensitivity == "L4"} & {*first.values, *first.medians}
    assert not any(p in str(vars(first)) for p in people), "shares, never numbers"

    odd = _bring(6, [*people[:8], "532301195001010000", "532301195001019999"], amount="25000")
    measured = measure(odd.landing, feed, at=NOW)
    kinds = {(f["kind"], f["column"]) for f in measured.findings}
    assert kinds == {("volume_low", ""), ("quarantined", "")}, "ten rows say nothing of amounts"
    drafts = {t.kind: t for t in DataTicket.objects.using("owner").filter(batch=odd)}
    assert set(drafts) == {"quarantine", "anomaly"} and all(t.state == "open" for t in drafts.values())
    assert drafts["quarantine"].rows == odd.quarantined == 2
    correction = _bring(6, people[:2], status="停发")
    assert BatchMeasure.objects.filter(
        pk=measure(correction.landing, feed, at=NOW).pk, supplement=True
    ).exists()

    june = date(2026, 6, 10)
    health = reading.feed_health(FEED, catalog(), june)
    assert health.health == "ok" and health.deliveries[0].batch.pk == correction.pk
    assert [d.measure.supplement for d in health.deliveries] == [True] + 5 * [False]
    assert health.columns and health.columns[0][0] in {c.name for c in feed.columns}
    board = reading.board(june)
    one = next(h for group in board for h in group.feeds if h.feed.code == FEED)
    assert one.health == "ok" and sum(len(g.feeds) for g in board) == len(catalog())
    assert next(h for g in reading.board(TODAY) for h in g.feeds if h.feed.code == FEED).health == "silent"


def test_the_board_asks_as_often_for_many_batches_as_for_none(database):
    def asked() -> tuple[int, int]:
        with CaptureQueriesContext(connection) as board:
            reading.board(TODAY)
        with CaptureQueriesContext(connection) as page:
            reading.feed_health(FEED, catalog(), TODAY)
        return len(board), len(page)

    none = asked()
    for n in range(30):
        for feed in (FEED, "ca_funeral"):
            Batch.objects.using("owner").create(
                feed=feed,
                file_name=f"{n}",
                digest=f"{feed}{n}",
                size=1,
                received_at=NOW,
                received_by="t",
                state="held",
            )
    assert asked() == none
    assert {h.health for g in reading.board(TODAY) for h in g.feeds if h.feed.code == FEED} == {"odd"}
