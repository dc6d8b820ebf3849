"""One landed batch in figures, set-based, just after its landing; what is odd or stood aside becomes a draft ticket."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connections, transaction

from ingestion.catalog.health import REST, Finding, Limits, Measure, judge, limits
from ingestion.catalog.spec import Column, FeedSpec
from ingestion.intake.receive import ALIAS
from ingestion.models import Batch, BatchMeasure
from ingestion.tickets import drafting

_MIXED = ("enum", "division", "bool")
_NUMERIC = ("money", "int", "number")
#: the county a record belongs to is a mixture as well; a system column
_COUNTY = "county"


def measure(
    landing: int, feed: FeedSpec, *, at: datetime, given: Limits | None = None
) -> BatchMeasure | None:
    """Measure the batch of ``landing`` and judge it; None when that was done before or
    the batch was cleared. Safe to repeat."""
    given = given or limits()
    with transaction.atomic(using=ALIAS):
        batch = Batch.objects.using(ALIAS).select_for_update().get(landed__number=landing)
        if batch.layout.get("cleared") or BatchMeasure.objects.using(ALIAS).filter(batch=batch).exists():
            return None
        with connections[ALIAS].cursor() as cursor:
            now = _figures(cursor, feed, batch, given)
        found = judge(feed, now, earlier(feed.code, landing, given), given)
        kept = BatchMeasure.objects.using(ALIAS).create(
            batch=batch,
            feed=feed.code,
            landing=landing,
            supplement=now.supplement,
            rows=now.rows,
            empty=now.empty,
            values=now.values,
            medians=now.medians,
            findings=[f.document() for f in found],
            measured_at=at,
        )
        _draft(batch, feed, found, at, given)
    return kept


def earlier(feed: str, landing: int, given: Limits, using: str = ALIAS) -> list[Measure]:
    """The measures before a landing, newest first."""
    rows = (
        BatchMeasure.objects.using(using)
        .filter(feed=feed, landing__lt=landing)
        .order_by("-landing")
        .values_list("batch__received", "batch__quarantined", "rows", "empty", "values", "medians")
    )
    return [Measure(*row) for row in rows.filter(supplement=False)[: given.history]]


def _draft(batch: Batch, feed: FeedSpec, found: list[Finding], at: datetime, given: Limits) -> None:
    share = batch.quarantined / batch.received if batch.received else 0.0
    if batch.quarantined and (
        batch.quarantined >= given.quarantined.rows or share >= given.quarantined.share
    ):
        drafting.of_quarantine(batch, feed, at=at, most=given.ticket.rows)
    others = [f for f in found if f.kind != "quarantined"]
    if others:
        drafting.of_findings(batch, feed, others, at=at)


def _figures(cursor: Any, feed: FeedSpec, batch: Batch, given: Limits) -> Measure:
    """One scan for empty cells and medians, one for the mixtures; over the rows that came with the batch."""
    table = f'pool."{feed.code}"'
    where = "where t.from_landing = %(landing)s and t.batch_id = %(batch)s"
    params = {"landing": batch.landing, "batch": batch.pk}
    delivered = list(feed.delivered)
    numeric = [c for c in delivered if c.type in _NUMERIC and c.sensitivity != "L4"]
    parts = [f'count(*) filter (where t."{c.name}" is null{_or_masked(c)})' for c in delivered]
    parts += [f'percentile_cont(0.5) within group (order by t."{c.name}")' for c in numeric]
    cursor.execute(f"select count(*), {', '.join(parts)} from {table} t {where}", params)
    rows, *figures = cursor.fetchone()
    empties, middles = figures[: len(delivered)], figures[len(delivered) :]
    return Measure(
        received=batch.received,
        quarantined=batch.quarantined,
        rows=rows,
        empty={c.name: round(n / rows, 6) for c, n in zip(delivered, empties, strict=True)} if rows else {},
        values=_mixtures(cursor, feed, table, where, params, rows, given.commonest) if rows else {},
        medians={c.name: float(m) for c, m in zip(numeric, middles, strict=True) if m is not None},
        supplement=_supplement(cursor, feed, batch),
    )


def _supplement(cursor: Any, feed: FeedSpec, batch: Batch) -> bool:
    cursor.execute(
        "select l.covers_until <= max(e.covers_until) from ingestion_landing l"
        " join ingestion_landing e on e.feed = l.feed and e.number < l.number"
        " where l.number = %s and l.feed = %s group by l.covers_until",
        [batch.landing, feed.code],
    )
    row = cursor.fetchone()
    return bool(row and row[0])


def _or_masked(column: Column) -> str:
    """A masked number is no empty cell."""
    return f' and t."{column.companion[0]}" is null' if column.companion else ""


def _mixtures(
    cursor: Any, feed: FeedSpec, table: str, where: str, params: dict[str, Any], rows: int, most: int
) -> dict[str, dict[str, float]]:
    """Shares of the commonest values of columns with few values; columns of the highest class are left out."""
    names = [c.name for c in feed.delivered if c.type in _MIXED and c.sensitivity != "L4"]
    if feed.county_column and feed.column(feed.county_column).type != "division":
        names.append(_COUNTY)
    if not names:
        return {}
    cells = [f't."{n}"::text' for n in names]
    cursor.execute(
        f"select array[{', '.join(f'grouping({c})' for c in cells)}], array[{', '.join(cells)}], count(*)"
        f" from {table} t {where} group by grouping sets ({', '.join(f'({c})' for c in cells)})",
        params,
    )
    found: dict[str, list[tuple[str, int]]] = {name: [] for name in names}
    for grouped, values, count in cursor.fetchall():
        at = grouped.index(0)
        if values[at] is not None:
            found[names[at]].append((values[at], count))
    mixtures: dict[str, dict[str, float]] = {}
    for name, counts in found.items():
        filled = sum(n for _, n in counts)
        if not filled:
            continue
        counts.sort(key=lambda pair: (-pair[1], pair[0]))
        kept = {value[:40]: round(n / filled, 6) for value, n in counts[:most]}
        rest = sum(n for _, n in counts[most:])
        if rest:
            kept[REST] = round(rest / filled, 6)
        mixtures[name] = kept
    return mixtures
