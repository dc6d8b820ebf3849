"""What other rooms may read of intake."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import connection, connections
from django.utils import timezone

from chuxiong.accounts.scope import scope
from ingestion.catalog.cadence import next_end
from ingestion.catalog.load import Catalog, live, load_catalog
from ingestion.catalog.seals import CASE_QUERY, KINDS, RECORDED, opens
from ingestion.catalog.spec import FeedSpec
from ingestion.intake.normalising import Reason
from ingestion.models import Batch, FeedIssue, FeedStanding
from ingestion.pool import pool_columns
from ingestion.telemetry.devices import silent_devices as silent_devices
from ingestion.telemetry.devices import unknown_devices as unknown_devices


@lru_cache(maxsize=1)
def catalog() -> Catalog:
    """The live feeds; read once per process."""
    return live(load_catalog(settings.FEEDS_DIR))


def batch_feed(batch_id: int) -> FeedSpec:
    return catalog()[Batch.objects.values_list("feed", flat=True).get(pk=batch_id)]


def last_landing() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(max(number), 0) from ingestion_landing")
        return int(cursor.fetchone()[0])


def covered_until(feeds: Iterable[str], *, landing: int) -> dict[str, date | None]:
    """Per feed, the day up to which delivered data are complete, as known at ``landing``.

    None also for a feed that is sealed as a whole, where the open scope does not read it: to whom its rows are not
    there, their absence proves nothing.
    """
    wanted = list(feeds)
    with connection.cursor() as cursor:
        cursor.execute(
            "select feed, max(covers_until) from ingestion_landing where feed = any(%s) and number <= %s group by feed",
            [wanted, landing],
        )
        found = dict(cursor.fetchall())
        hidden = _hidden(cursor, wanted)
    return {feed: None if feed in hidden else found.get(feed) for feed in wanted}


def _hidden(cursor: Any, feeds: Iterable[str]) -> set[str]:
    """The feeds all of whose rows are sealed against the open scope."""
    whole = {
        feed: kinds
        for feed in feeds
        if feed in catalog() and any(seal.column is None for seal in catalog()[feed].seals)
        for kinds in [[seal.kind for seal in catalog()[feed].seals]]
    }
    if not whole:
        return set()
    cursor.execute(
        "select coalesce(current_setting('cx.purpose', true), ''),"
        " coalesce(current_setting('cx.department', true), ''), audit_written(%s)",
        [RECORDED],
    )
    purpose, department, recorded = cursor.fetchone()
    return {
        feed
        for feed, kinds in whole.items()
        if not all(opens(purpose, department, kind, recorded=recorded) for kind in kinds)
    }


def case_query_feeds() -> list[FeedSpec]:
    """The feeds some of whose rows are read by a recorded case query alone, in code order."""
    return [
        feed
        for feed in catalog().values()
        if any(KINDS[seal.kind].purpose == CASE_QUERY for seal in feed.seals)
    ]


def records_about(feed: FeedSpec, kind: str, ref: str) -> list[dict[str, Any]]:
    """The current records of ``feed`` that name the subject, in order of arrival; under the caller's scope."""
    names = [c.name for c in feed.columns]
    tests, params = [], []
    for column in feed.columns:
        # An identity number stands in a text as a mention; whose kind it is the mention says.
        if column.pool_type == "uuid" and column.subject == kind:
            tests.append(f'"{column.name}"::text = %s')
            params.append(ref)
        elif column.subject and column.type == "text":
            tests.append(f'strpos("{column.name}", %s) > 0')
            params.append(f":{ref}〕")
    if not tests:
        return []
    listed = ", ".join(f'"{name}"' for name in names)
    with connection.cursor() as cursor:
        cursor.execute(
            f'select record_id, {listed} from pool."{feed.code}" where to_landing is null and ({" or ".join(tests)})'
            " order by record_id limit 200",
            params,
        )
        return [dict(zip(["record_id", *names], row, strict=True)) for row in cursor.fetchall()]


def share_at(feed: str, key: str, whole: str, part: str, *, before: datetime) -> tuple[int, int, int, int]:
    """(cases with a whole, of them with a part, sum of wholes, sum of parts) as the pool stood ``before`` a moment.

    One case is one ``key``, however many rows it has; names are the catalogue's. Under the caller's scope.
    """
    spec = catalog()[feed]
    cells = [f't."{spec.column(name).name}"' for name in (key, whole, part)]
    with connection.cursor() as cursor:
        cursor.execute(
            "with seen as (select max(number) as number from ingestion_landing where landed_at < %s),"
            f' cases as (select max({cells[1]}) as whole, max(coalesce({cells[2]}, 0)) as part from pool."{spec.code}" t, seen'
            " where t.from_landing <= seen.number and (t.to_landing is null or t.to_landing > seen.number)"
            f" group by {cells[0]} having max({cells[1]}) > 0)"
            " select count(*), count(*) filter (where part > 0), coalesce(sum(whole), 0), coalesce(sum(least(part, whole)), 0)"
            " from cases",
            [before],
        )
        cases, with_part, of, got = cursor.fetchone()
        return int(cases), int(with_part), int(of), int(got)


def may_be_sealed(feed: str) -> bool:
    """Whether rows of the feed can stand under a seal."""
    return feed in catalog() and bool(catalog()[feed].seals)


def landed_feeds(*, since: int, until: int) -> set[str]:
    """Feeds with a landing in (since, until]."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select distinct feed from ingestion_landing where number > %s and number <= %s", [since, until]
        )
        return {feed for (feed,) in cursor.fetchall()}


def cleared(*, since: int, until: int) -> bool:
    """Whether records were deleted by a landing in (since, until]: what rested on them is not in the pool any more."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select exists (select 1 from ingestion_landing"
            " where number > %s and number <= %s and feed = '' and kind = 'clearing')",
            [since, until],
        )
        return bool(cursor.fetchone()[0])


def names_river_places(landing: int) -> bool:
    """Whether what landed names sections or outfalls. Telemetry names none: its devices stand in a register."""
    return bool(landed_feeds(since=landing - 1, until=landing) & {"ee_surface_water", "ee_discharge_permit"})


@dataclass(frozen=True)
class FeedState:
    """One feed as the data page and the wall show it."""

    code: str
    title_zh: str
    title_en: str
    agency_zh: str
    agency_en: str
    cadence: str
    covers_until: date | None
    landed_at: datetime | None
    expected_by: date | None
    state: str  # ok | late | silent | never
    rows_last: int
    quarantined_last: int
    issues: int
    landings: int
    #: rows received with the last twelve landings, oldest first
    recent: list[int]


_WORST_FIRST = {"silent": 0, "late": 1, "never": 2, "ok": 3}


def feed_states(*, on: date | None = None) -> list[FeedState]:
    """Every live feed, worst first, then in catalogue order."""
    today = on or timezone.localdate()
    landed = {standing.feed: standing for standing in FeedStanding.objects.all()}
    with connection.cursor() as cursor:
        cursor.execute("select feed, count(*) from ingestion_feedissue where open group by feed")
        issues = dict(cursor.fetchall())
    states = [
        _state(feed, landed.get(feed.code), issues.get(feed.code, 0), today) for feed in catalog().values()
    ]
    return sorted(states, key=lambda s: _WORST_FIRST[s.state])


def freshness(
    feed: FeedSpec, covers: date | None, landed_at: datetime | None, today: date
) -> tuple[str, date | None]:
    """(state, expected by): ok, late beyond the agreed lag, silent beyond twice of it, never.

    Expected by: the end of the period after the one that was delivered, and the agreed lag. A delivery of which nobody
    said what it covers is reckoned from its landing alone. Nothing is covered beyond ``today``.
    """
    if covers is None and landed_at is None:
        return "never", None
    reached = next_end(feed.cadence, min(covers, today)) if covers else timezone.localdate(landed_at)
    due = reached + timedelta(days=feed.max_lag_days)
    if today <= due:
        return "ok", due
    return ("silent" if today > due + timedelta(days=feed.max_lag_days) else "late"), due


def _state(feed: FeedSpec, standing: FeedStanding | None, issues: int, today: date) -> FeedState:
    covers, landed_at = (standing.covers_until, standing.landed_at) if standing else (None, None)
    recent: list[int] = standing.recent if standing else []
    state, due = freshness(feed, covers, landed_at, today)
    return FeedState(
        code=feed.code,
        title_zh=feed.title.zh,
        title_en=feed.title.en,
        agency_zh=feed.agency.zh,
        agency_en=feed.agency.en,
        cadence=feed.cadence,
        covers_until=covers,
        landed_at=landed_at,
        expected_by=due,
        state=state,
        rows_last=recent[0] if recent else 0,
        quarantined_last=standing.quarantined if standing else 0,
        issues=issues,
        landings=standing.landings if standing else 0,
        recent=recent[::-1],
    )


@contextmanager
def deliveries_of_feeds(codes: Iterable[str] | None = None) -> Iterator[None]:
    """Deliveries of these feeds, or of all, are there to read, with what they put aside; nothing else is."""
    with scope(offices=(), feeds=list(catalog() if codes is None else codes), purpose="deliveries"):
        yield


def latest_deliveries(*, limit: int = 50) -> list[tuple[Batch, list[tuple[str, Reason, int]]]]:
    """Latest files of all feeds, newest first, with why rows of them stood aside (see ``quarantine_reasons``)."""
    with deliveries_of_feeds():
        rows = Batch.objects.select_related("agreement").order_by("-pk")
        # A stream lands every second: it would hide the files.
        found = list(rows.exclude(received_by="HJ 212").exclude(feed="")[:limit])
        reasons = quarantine_reasons([b.pk for b in found if b.quarantined])
    return [(batch, reasons.get(batch.pk, [])) for batch in found]


def quarantine_reasons(
    batch_ids: Iterable[int], *, using: str = "default"
) -> dict[int, list[tuple[str, Reason, int]]]:
    """Per batch: (column in the sender's words, reason, rows), most rows first."""
    found: dict[int, list[tuple[str, Reason, int]]] = {}
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select q.batch_id, r->>'column', r->>'reason', count(*) from ingestion_quarantine q,"
            " jsonb_array_elements(q.reasons) r where q.batch_id = any(%s) group by 1, 2, 3 order by 1, 4 desc",
            [list(batch_ids)],
        )
        for batch, column, reason, rows in cursor.fetchall():
            found.setdefault(batch, []).append((column, Reason[reason.upper()], rows))
    return found


def notes(batch: Batch) -> list[tuple[str, Reason, int]]:
    """What was left out, converted or swapped in rows that were kept: (column in the sender's words, note, rows),
    most rows first. Empty before the landing."""
    return [(n["column"], Reason[n["note"].upper()], n["rows"]) for n in batch.layout.get("notes", [])]


def records(evidence: Mapping[str, Iterable[int]]) -> dict[tuple[str, int], dict[str, Any]]:
    """Pool rows by (feed, record id), with batch, row number and landings; under the caller's scope."""
    found: dict[tuple[str, int], dict[str, Any]] = {}
    for code, ids in evidence.items():
        feed = catalog()[code]
        columns = list(pool_columns(feed))
        listed = ", ".join(f't."{name}"' for name in columns)
        with connection.cursor() as cursor:
            cursor.execute(
                "select t.record_id, t.batch_id, t.row_no, t.from_landing, t.to_landing, b.digest, l.landed_at,"
                f' l.covers_until, {listed} from pool."{code}" t'
                " join ingestion_batch b on b.id = t.batch_id join ingestion_landing l on l.number = t.from_landing"
                " where t.record_id = any(%s)",
                [list(ids)],
            )
            names = ["record_id", "batch_id", "row_no", "from_landing", "to_landing", "digest", "landed_at"]
            names += ["covers_until", *columns]
            for row in cursor.fetchall():
                record = dict(zip(names, row, strict=True))
                found[code, record["record_id"]] = record
    return found


#: what stands for an identifier
MASK = "● ● ● ●"


def display(column: Any, value: Any) -> str:
    """A value as people read it; identifiers stay refs and show as a mask."""
    if column.type in ("citizen_id", "credit_code", "phone", "bank_account", "plate"):
        return MASK
    if column.type == "money":
        return f"{value / 100:,.2f} 元"
    if column.type == "month":
        return f"{value:%Y-%m}"
    if column.type == "datetime":
        return f"{timezone.localtime(value):%Y-%m-%d %H:%M}"
    if column.type == "enum" and column.codes:
        return str(column.codes.get(value, value))
    return _MENTION.sub(MASK, value) if column.type == "text" else str(value)


_REF = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
#: a number that a text mentions, as the pool holds it
_MENTION = re.compile(rf"〔(?:[a-z_]+:)?{_REF.pattern}〕")


def refs_in(column: Any, value: Any) -> list[str]:
    """The refs that a value of the column is or mentions, in their order."""
    if column.pool_type == "uuid":
        return [str(value)]
    return _REF.findall(value) if column.type == "text" else []


def agencies() -> list[tuple[str, str]]:
    """(code, name) of every agency that delivers data, in code order."""
    return sorted({feed.agency.code: feed.agency.zh for feed in catalog().values()}.items())


def open_issue(pk: int | None) -> FeedIssue | None:
    """One open issue of a feed's layout."""
    return FeedIssue.objects.filter(pk=pk, open=True).first() if pk is not None else None
