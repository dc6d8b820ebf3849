"""Trends and fixed ledgers over clues, and over records taken in, within a person's scope; and the clues behind a count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, time

import pandas as pd
from django.conf import settings
from django.db import connection
from django.db.models import Q, QuerySet
from django.utils import timezone

from chuxiong.accounts.models import Department, Office, Person
from chuxiong.accounts.scope import person_scope
from ingestion import agreements
from ingestion import selectors as ingestion
from supervision import selectors
from supervision.clues.lifecycle import ORIGIN_WORDS, State
from supervision.models import Clue
from supervision.selectors import ClueRow
from supervision.trends import counting
from supervision.trends.counting import Dimension, Line, Measure, Period, Series

#: clues on one page behind a count; months that one look covers at most
PAGE, MOST_MONTHS = 50, 36
#: exercises are never counted, nor what became part of another clue or was taken back
_UNCOUNTED = (State.MERGED.value, State.WITHDRAWN.value)
# Which stage a clue counts under. Check constraints hold confirmed, checked and outcome to the state.
_STAGE = (
    "case when c.outcome = 'corrected' then 'corrected' when c.outcome = 'improved' then 'improved'"
    " when c.confirmed_at is not null then 'in_progress' when c.checked_at is not null then 'unfounded'"
    " when c.open then 'pending' else 'closed_unchecked' end"
)
_STAGE_IS: dict[str, Q] = {
    "corrected": Q(outcome="corrected"),
    "improved": Q(outcome="improved"),
    "in_progress": Q(confirmed_at__isnull=False, outcome=None),
    "unfounded": Q(checked_at__isnull=False, confirmed_at=None),
    "pending": Q(checked_at=None, open=True),
    "closed_unchecked": Q(checked_at=None, open=False),
}


@dataclass(frozen=True)
class Chosen:
    """Which clues: raised in the period, and of one group of each dimension named. ``key`` "" is a group of its own."""

    period: Period
    domain: str | None = None
    office: str | None = None
    department: str | None = None
    rule: str | None = None
    origin: str | None = None
    measure: Measure = "found"


@dataclass(frozen=True)
class Behind:
    """The clues behind a count, one page of them."""

    rows: list[ClueRow]
    total: int
    page: int
    pages: int


def counts(person: Person, period: Period) -> pd.DataFrame:
    """Counts of the clues in the person's scope that were raised in the period; one statement."""
    start, end = _span(period)
    with person_scope(person), connection.cursor() as cursor:
        cursor.execute(
            f"""
            select to_char(c.raised_at at time zone %(zone)s, 'YYYY-MM'), case when c.rule = '' then coalesce(c.material ->> 'domain', '') end,
                c.office, c.department, c.rule, c.origin, {_STAGE}, count(*)
            from supervision_clue c
            where c.raised_at >= %(start)s and c.raised_at < %(end)s and not c.exercise and c.state <> all (%(uncounted)s)
            group by 1, 2, 3, 4, 5, 6, 7
            """,
            {"zone": settings.TIME_ZONE, "start": start, "end": end, "uncounted": list(_UNCOUNTED)},
        )
        rows = cursor.fetchall()
    domains = {rule.id: rule.domain for rule in selectors.rulebook().values()}
    return counting.frame(
        [
            (
                month,
                domains.get(rule, "") if domain is None else domain,
                office,
                department,
                rule,
                origin,
                stage,
                clues,
            )
            for month, domain, office, department, rule, origin, stage, clues in rows
        ]
    )


def trend(person: Person, period: Period, by: Dimension, measure: Measure) -> list[Series]:
    """All together, then each group of ``by`` in the order of its codes."""
    return counting.over_months(counts(person, period), by, measure, period.months(), _keys(person, by))


def ledger(person: Person, period: Period, by: Dimension) -> list[Line]:
    """One line a group of ``by``, the whole last."""
    return counting.ledger(counts(person, period), by, _keys(person, by))


def taken_in(person: Person, period: Period) -> list[Series]:
    """Records taken in by month of their landing: all sources together, then each in the catalogue's order."""
    start, end = _span(period)
    catalog = ingestion.catalog()
    with person_scope(person, feeds=list(catalog), purpose=agreements.PURPOSE), connection.cursor() as cursor:
        cursor.execute(
            "select b.feed, to_char(b.landed_at at time zone %s, 'YYYY-MM'), sum(b.loaded)::bigint from ingestion_batch b"
            " where b.state = 'landed' and b.landed_at >= %s and b.landed_at < %s and b.feed <> '' group by 1, 2",
            [settings.TIME_ZONE, start, end],
        )
        found = {(feed, month): int(loaded) for feed, month, loaded in cursor.fetchall()}
    months = period.months()
    rows = [tuple(found.get((feed, month), 0) for month in months) for feed in catalog]
    whole = tuple(sum(column) for column in zip(*rows, strict=True)) if rows else ()
    return [
        Series(None, whole, sum(whole)),
        *(Series(f, row, sum(row)) for f, row in zip(catalog, rows, strict=True)),
    ]


def clues_behind(person: Person, chosen: Chosen, page: int, *, at: datetime) -> Behind:
    """The clues that a count counted, latest first; one audit row for those shown."""
    with person_scope(person):
        found = _found(chosen)
        total = found.count()
        pages = max(1, -(-total // PAGE))
        page = min(max(1, page), pages)
        numbers = list(
            found.order_by("-pk").values_list("number", flat=True)[(page - 1) * PAGE : page * PAGE]
        )
    return Behind(selectors.clue_rows(person, numbers, at=at, action="trend.clues"), total, page, pages)


def _found(chosen: Chosen) -> QuerySet[Clue]:
    start, end = _span(chosen.period)
    found = Clue.objects.filter(raised_at__gte=start, raised_at__lt=end, exercise=False).exclude(
        state__in=_UNCOUNTED
    )
    for name in ("office", "department", "rule", "origin"):
        if (value := getattr(chosen, name)) is not None:
            found = found.filter(**{name: value})
    if chosen.domain is not None:
        rules = [rule.id for rule in selectors.rulebook().values()]
        of = [rule.id for rule in selectors.rulebook().values() if rule.domain == chosen.domain]
        by_hand = Q(rule="", material__domain=chosen.domain)
        if chosen.domain == "":
            by_hand |= (
                Q(rule="", material__domain=None)
                | Q(rule="") & ~Q(material__has_key="domain")
                | ~Q(rule__in=["", *rules])
            )
        found = found.filter(Q(rule__in=of) | by_hand)
    stages = Q()
    for stage in counting.stages_of(chosen.measure):
        stages |= _STAGE_IS[stage]
    return found.filter(stages)


def _span(period: Period) -> tuple[datetime, datetime]:
    after = date(period.last.year + period.last.month // 12, period.last.month % 12 + 1, 1)
    return (
        timezone.make_aware(datetime.combine(period.first, time.min)),
        timezone.make_aware(datetime.combine(after, time.min)),
    )


def usual(today: date, months: int = 12) -> Period:
    """The last ``months`` months, this one included."""
    last = today.replace(day=1)
    return within(Period(back(last, months - 1), last))


def back(month: date, by: int) -> date:
    n = month.year * 12 + month.month - 1 - by
    return date(n // 12, n % 12 + 1, 1)


def within(period: Period) -> Period:
    """Held to as many months as one look covers; the latest stay."""
    return replace(period, first=max(period.first, back(period.last, MOST_MONTHS - 1)))


def _keys(person: Person, by: Dimension) -> list[str]:
    """The groups that stand there even with nothing: offices and departments in code order, never by their counts."""
    if by == "office":
        return sorted(person.office_codes)
    if by == "origin":
        return list(ORIGIN_WORDS)
    return []


def words(by: Dimension) -> Mapping[str, tuple[str, str]]:
    """key → (Chinese, English) of the groups of ``by``, of those that have words in the database or the rulebook."""
    if by == "office":
        return {o.code: (o.short_zh, o.short_en) for o in Office.objects.all()}
    if by == "department":
        # Offices call a department differently; the prefecture's word stands, or the first office's.
        return {d.code: (d.name_zh, d.name_en) for d in Department.objects.order_by("-office_id")}
    if by == "rule":
        return {
            r.id: (f"{r.code} {r.title.zh}", f"{r.code} {r.title.en}") for r in selectors.rulebook().values()
        }
    if by == "origin":
        return dict(ORIGIN_WORDS)
    return {}
