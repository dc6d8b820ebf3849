"""The health of feeds as pages read it: where each stands, and one feed's batches. A constant number of queries each."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from statistics import median
from typing import Any

from django.db import connection
from django.utils import timezone

from ingestion.catalog.health import Limits, Usual, limits, usual
from ingestion.catalog.load import Catalog
from ingestion.catalog.spec import FeedSpec
from ingestion.models import Agreement, Batch, BatchMeasure, FeedIssue
from ingestion.registers.reading import agreements_of_feeds
from ingestion.selectors import FeedState, catalog, deliveries_of_feeds, feed_states, quarantine_reasons

#: from the worst; the words stand in the glossary
HEALTH = ("silent", "late", "odd", "never", "ok")
#: deliveries listed on a feed's page
RECENT = 24


@dataclass(frozen=True)
class Health:
    """Where one feed stands. ``health`` is silent, late, odd (last batch unusual, held or refused), never or ok."""

    feed: FeedSpec
    state: FeedState
    health: str
    findings: list[dict[str, Any]]
    last_batch: str
    quarantined_share: float | None
    agreement: Agreement | None
    covered: bool
    band: Usual


@dataclass(frozen=True)
class AgencyHealth:
    """The feeds of one provider, in catalogue order."""

    code: str
    zh: str
    en: str
    feeds: list[Health] = field(default_factory=list)

    @property
    def worst(self) -> str:
        return min((f.health for f in self.feeds), key=HEALTH.index)


def board(today: date | None = None) -> list[AgencyHealth]:
    """Every live feed under its provider, providers in code order."""
    today = today or timezone.localdate()
    states = {s.code: s for s in feed_states(on=today)}
    findings = _last_findings()
    lasts = _last_batches()
    covering = agreements_of_feeds(today)
    given = limits()
    groups: dict[tuple[str, str], AgencyHealth] = {}
    for code, feed in catalog().items():
        state, agreement = states[code], covering.get(code)
        last = lasts.get(code, "")
        found = findings.get(code, [])
        covered = agreement is not None and _covers(agreement, today)
        entry = Health(
            feed,
            state,
            health_of(state.state, found, last),
            found,
            last,
            state.quarantined_last / state.rows_last if state.rows_last else None,
            agreement,
            covered,
            usual(feed, state.recent[::-1][1:], given),
        )
        key = (feed.agency.code, feed.agency.zh)
        groups.setdefault(key, AgencyHealth(feed.agency.code, feed.agency.zh, feed.agency.en)).feeds.append(
            entry
        )
    return [groups[key] for key in sorted(groups)]


def health_of(state: str, findings: list[dict[str, Any]], last_batch: str) -> str:
    """The one word for a feed: lateness outranks oddity, oddity health."""
    if state in ("silent", "late", "never"):
        return "odd" if state == "never" and last_batch in ("held", "refused") else state
    return "odd" if findings or last_batch in ("held", "refused") else "ok"


def _covers(agreement: Agreement, today: date) -> bool:
    return agreement.valid_from <= today <= agreement.last_day


def _last_findings() -> dict[str, list[dict[str, Any]]]:
    rows = BatchMeasure.objects.order_by("feed", "-landing").distinct("feed").values_list("feed", "findings")
    return dict(rows)


def _last_batches() -> dict[str, str]:
    """Per feed, the state of the last delivery that is through: one step down the index a feed, however many there were."""
    with deliveries_of_feeds(), connection.cursor() as cursor:
        cursor.execute(
            "select f.code, b.state from unnest(%s::text[]) f(code) cross join lateral (select state from ingestion_batch"
            " where feed = f.code and state in ('landed', 'held', 'refused') order by id desc limit 1) b",
            [list(catalog())],
        )
        return dict(cursor.fetchall())


@dataclass(frozen=True)
class Delivery:
    """One delivery with its measure, if it has one, and why rows stood aside."""

    batch: Batch
    measure: BatchMeasure | None
    reasons: list[tuple[str, Any, int]]

    @property
    def share(self) -> float | None:
        return self.batch.quarantined / self.batch.received if self.batch.received else None


@dataclass(frozen=True)
class FeedHealth:
    """One feed's page: deliveries newest first, empty cells by column over time, the usual interval and volume."""

    feed: FeedSpec
    health: str
    state: FeedState
    deliveries: list[Delivery]
    findings: list[dict[str, Any]]
    columns: list[tuple[str, list[float | None], float | None]]  # name, shares old→new, usual
    interval_days: float | None
    expected_days: int | None
    band: Usual
    issues: list[FeedIssue]
    agreement: Agreement | None
    covered: bool
    given: Limits


def feed_health(code: str, feeds: Catalog, today: date | None = None) -> FeedHealth | None:
    feed = feeds.get(code)
    if feed is None:
        return None
    today, given = today or timezone.localdate(), limits()
    with deliveries_of_feeds([code]):
        batches = list(
            Batch.objects.filter(feed=code).select_related("measure", "agreement").order_by("-pk")[:RECENT]
        )
        reasons = quarantine_reasons([b.pk for b in batches if b.quarantined])
    deliveries = [Delivery(b, getattr(b, "measure", None), reasons.get(b.pk, [])) for b in batches]
    landed = [b for b in batches if b.state == Batch.State.LANDED]
    state = next(s for s in feed_states(on=today) if s.code == code)
    measured = [d.measure for d in deliveries if d.measure is not None]
    through = next((b.state for b in batches if b.state in ("landed", "held", "refused")), "")
    found = measured[0].findings if measured else []
    agreement = agreements_of_feeds(today).get(code)
    return FeedHealth(
        feed,
        health_of(state.state, found, through),
        state,
        deliveries,
        found,
        _columns(feed, measured, given),
        _interval([b.landed_at for b in landed if b.landed_at]),
        given.cadence_days.get(feed.cadence),
        usual(feed, [b.received for b in landed[1:] if not _supplements(b)], given),
        list(FeedIssue.objects.filter(feed=code, open=True).order_by("-pk")[:50]),
        agreement,
        agreement is not None and _covers(agreement, today),
        given,
    )


def _supplements(batch: Batch) -> bool:
    measured = getattr(batch, "measure", None)
    return measured is not None and measured.supplement


def _columns(
    feed: FeedSpec, measured: list[BatchMeasure], given: Limits
) -> list[tuple[str, list[float | None], float | None]]:
    """Columns that have or had empty cells, those that changed most first."""
    if not measured:
        return []
    series = measured[: given.history][::-1]
    rows = []
    for column in feed.delivered:
        shares: list[float | None] = [m.empty.get(column.name) for m in series]
        known = [s for s in shares if s is not None]
        if known and max(known) > 0:
            before = known[:-1]
            rows.append((column.name, shares, median(before) if before else None))
    rows.sort(key=lambda r: -abs((r[1][-1] or 0.0) - (r[2] if r[2] is not None else (r[1][-1] or 0.0))))
    return rows


def _interval(moments: list[datetime]) -> float | None:
    """Median days between landings; None with fewer than three."""
    if len(moments) < 3:
        return None
    ordered = sorted(moments)
    gaps = [(b - a) / timedelta(days=1) for a, b in pairwise(ordered)]
    return median(gaps)


def deliveries_of(codes: list[str], limit: int = 12) -> dict[str, list[Delivery]]:
    """Per feed its last deliveries, newest first, with the reasons of quarantine; for the provider's page."""
    if not codes:
        return {}
    with deliveries_of_feeds(codes):
        with connection.cursor() as cursor:
            cursor.execute(
                "select b.id from unnest(%s::text[]) f(code) cross join lateral (select id from ingestion_batch"
                " where feed = f.code order by id desc limit %s) b",
                [codes, limit],
            )
            wanted = [pk for (pk,) in cursor.fetchall()]
        batches = list(Batch.objects.filter(pk__in=wanted).select_related("measure").order_by("-pk"))
        reasons = quarantine_reasons([b.pk for b in batches if b.quarantined])
    found: dict[str, list[Delivery]] = {code: [] for code in codes}
    for batch in batches:
        found[batch.feed].append(Delivery(batch, getattr(batch, "measure", None), reasons.get(batch.pk, [])))
    return found
