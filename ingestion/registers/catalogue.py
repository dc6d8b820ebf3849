"""The data catalogue: every feed and field with agreement, freshness and quality, searched and filtered."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from ingestion.catalog.load import Catalog
from ingestion.catalog.spec import Column, FeedSpec
from ingestion.health.reading import health_of
from ingestion.models import Agreement, BatchMeasure
from ingestion.registers.agreement_actions import in_force
from ingestion.registers.reading import agreements_of_feeds
from ingestion.selectors import FeedState, feed_states


@dataclass(frozen=True)
class Entry:
    """One feed of the catalogue with the fields that were asked for. ``empty``: share of empty cells, last batch."""

    feed: FeedSpec
    columns: list[Column]
    agreement: Agreement | None
    in_force: bool
    state: FeedState | None
    health: str
    quarantined_share: float | None
    empty: dict[str, float]

    def covered(self, column: Column) -> bool:
        names = self.agreement.fields.get(self.feed.code, []) if self.agreement and self.in_force else []
        return "*" in names or column.name in names


@dataclass(frozen=True)
class Wanted:
    """What is looked for; empty means everything."""

    text: str = ""
    agency: str = ""
    sensitivity: str = ""
    kind: str = ""


def _fits(column: Column, feed: FeedSpec, wanted: Wanted, feed_named: bool) -> bool:
    if wanted.sensitivity and column.sensitivity != wanted.sensitivity:
        return False
    if wanted.kind and column.type != wanted.kind:
        return False
    if not wanted.text or feed_named:
        return True
    text = wanted.text.lower()
    return any(text in word.lower() for word in (column.name, column.zh, column.en, *column.headers))


def catalogue(feeds: Catalog, today: date, wanted: Wanted) -> list[Entry]:
    """Feeds with a fitting field, in catalogue order; a feed whose own name fits shows all its fields. Five queries."""
    states = {s.code: s for s in feed_states(on=today)}
    measures = {
        feed: (empty, findings)
        for feed, empty, findings in BatchMeasure.objects.order_by("feed", "-landing")
        .distinct("feed")
        .values_list("feed", "empty", "findings")
    }
    covering = agreements_of_feeds(today)
    found = []
    for code, feed in feeds.items():
        if wanted.agency and feed.agency.code != wanted.agency:
            continue
        text = wanted.text.lower()
        named = bool(text) and any(
            text in word.lower()
            for word in (code, feed.title.zh, feed.title.en, feed.agency.zh, feed.agency.en, feed.note)
        )
        columns = [c for c in feed.columns if _fits(c, feed, wanted, named)]
        if not columns:
            continue
        state, agreement = states.get(code), covering.get(code)
        empty, findings = measures.get(code, ({}, []))
        found.append(
            Entry(
                feed,
                columns,
                agreement,
                agreement is not None and in_force(agreement, today),
                state,
                health_of(state.state, findings, "") if state else "never",
                state.quarantined_last / state.rows_last if state and state.rows_last else None,
                empty,
            )
        )
    return found
