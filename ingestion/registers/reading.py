"""The agreements register as pages read it. A constant number of queries each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from django.db.models import Count, Sum

from ingestion.catalog.health import limits
from ingestion.catalog.load import Catalog
from ingestion.catalog.spec import FeedSpec
from ingestion.models import Agreement, AgreementClearing, AgreementEvent, Batch
from ingestion.registers.agreement_actions import OPEN_CLEARINGS, in_force
from ingestion.selectors import deliveries_of_feeds

#: standing of an agreement on a day, in the order of urgency
STANDINGS = ("soon", "valid", "coming", "over", "ended")


@dataclass(frozen=True)
class AgreementRow:
    """One agreement with its standing. ``days_left`` counts to its last day; ``followed``: a later one takes over."""

    agreement: Agreement
    standing: str  # soon | valid | coming | over | ended
    last_day: date
    days_left: int
    feeds: list[FeedSpec]
    followed: bool
    clearing: str


@dataclass(frozen=True)
class Uncovered:
    """A live feed for which no agreement is in force: nothing of it is taken in."""

    feed: FeedSpec
    last: Agreement | None


def standing(agreement: Agreement, today: date, warn_days: int) -> str:
    last = agreement.last_day
    if today < agreement.valid_from:
        return "coming"
    if today > last:
        return "ended" if agreement.ended_on and agreement.ended_on < agreement.valid_to else "over"
    return "soon" if last - today <= timedelta(days=warn_days) else "valid"


def register(feeds: Catalog, today: date) -> tuple[list[AgreementRow], list[Uncovered]]:
    """Every agreement, what needs a person first, then by provider; and the feeds that none covers."""
    every = list(Agreement.objects.all())
    clearing = dict(
        AgreementClearing.objects.filter(state__in=[*OPEN_CLEARINGS, "done"])
        .order_by("pk")
        .values_list("agreement", "state")
    )
    days = limits().agreement.warn_days
    rows = []
    for agreement in every:
        last = agreement.last_day
        rows.append(
            AgreementRow(
                agreement,
                standing(agreement, today, days),
                last,
                (last - today).days,
                [feeds[code] for code in agreement.fields if code in feeds],
                _followed(agreement, every, last),
                clearing.get(agreement.pk, ""),
            )
        )
    rows.sort(key=lambda r: (STANDINGS.index(r.standing), r.agreement.agency, r.agreement.number))
    covered = {code for a in every if in_force(a, today) for code in a.fields}
    uncovered = [
        Uncovered(feed, max((a for a in every if code in a.fields), key=lambda a: a.last_day, default=None))
        for code, feed in feeds.items()
        if code not in covered
    ]
    return rows, uncovered


def _followed(agreement: Agreement, every: list[Agreement], last: date) -> bool:
    """Every feed of it is covered by others on the day after its last."""
    following = last + timedelta(days=1)
    others = {code for a in every if a.pk != agreement.pk and in_force(a, following) for code in a.fields}
    return set(agreement.fields) <= others


def running_out(today: date) -> list[Agreement]:
    """Agreements in their last days that nothing follows; for the notice on pages of data."""
    every = list(Agreement.objects.all())
    days = limits().agreement.warn_days
    return [a for a in every if standing(a, today, days) == "soon" and not _followed(a, every, a.last_day)]


@dataclass(frozen=True)
class AgreementDetail:
    agreement: Agreement
    standing: str
    last_day: date
    days_left: int
    followed: bool
    feeds: list[tuple[FeedSpec, list[str], int, int]]  # feed, columns by name, batches, rows
    events: list[AgreementEvent]
    clearings: list[AgreementClearing]
    renewals: list[Agreement]


def agreement_detail(pk: int, feeds: Catalog, today: date) -> AgreementDetail | None:
    """One agreement with its scope, what came under it, its history and its clearings."""
    every = list(Agreement.objects.select_related("renews"))
    agreement = next((a for a in every if a.pk == pk), None)
    if agreement is None:
        return None
    with deliveries_of_feeds(agreement.fields):
        came = {
            feed: (n, rows or 0)
            for feed, n, rows in Batch.objects.filter(agreement=agreement, state="landed")
            .exclude(feed="")
            .order_by()
            .values_list("feed")
            .annotate(n=Count("pk"), rows=Sum("loaded"))
        }
    last = agreement.last_day
    scope = []
    for code, names in agreement.fields.items():
        if code in feeds:
            columns = [c.name for c in feeds[code].columns if "*" in names or c.name in names]
            scope.append((feeds[code], columns, *came.get(code, (0, 0))))
    return AgreementDetail(
        agreement,
        standing(agreement, today, limits().agreement.warn_days),
        last,
        (last - today).days,
        _followed(agreement, every, last),
        scope,
        list(agreement.events.all()),
        list(agreement.clearings.all()),
        [a for a in every if a.renews_id == agreement.pk],
    )


def agreements_of_feeds(today: date) -> dict[str, Agreement]:
    """Per feed, the agreement in force that lasts longest; else the one that lapsed last."""
    found: dict[str, Agreement] = {}
    for agreement in Agreement.objects.all():
        for code in agreement.fields:
            known = found.get(code)
            rank = (in_force(agreement, today), agreement.last_day)
            if known is None or rank > (in_force(known, today), known.last_day):
                found[code] = agreement
    return found
