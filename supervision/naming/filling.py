"""Brings the names and addresses that can be searched up to the latest landing, feed by feed, in columns.

Incremental: of what changed, spellings that came are added, and those that ended go where no current record has them any
more. Sealed records tell no name: the worker does not see them, and a record that becomes sealed ends its open version.
"""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl
from django.db import connection, transaction
from django.utils import timezone

from chuxiong.accounts.scope import all_offices, scope
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.catalog.spec import FeedSpec
from supervision.identity.search import Kind, spelled
from supervision.identity.spellings import spelling
from supervision.models import Derivation

logger = logging.getLogger(__name__)
WHAT = "names"
_BETWEEN = chr(31)
_LOCK = 0x43584E4D
_CHUNK = 100_000
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_REF = {"person": "citizen_id", "organisation": "credit_code"}
_HASH = (
    "decode(md5(concat_ws(chr(31), %(feed)s, %(role)s, coalesce({0}.county, ''), coalesce({0}.subject::text, ''),"
    " {0}.written)), 'hex')"
)


@dataclass(frozen=True)
class Source:
    """One column that names: what it names, SQL of the full number that stands beside it, the fields read."""

    kind: Kind
    role: str
    column: str
    number: str
    fields: frozenset[str]


@dataclass(frozen=True)
class Filled:
    """What one run did."""

    read_to: int
    feeds: int
    added: int
    gone: int


def sources(feed: FeedSpec) -> list[Source]:
    """The names of the feed's mentions, and every address, with the number of the mention it belongs to."""
    found = [
        Source(
            m.kind,
            m.role,
            m.name,
            _number(feed, m.number, m.kind),
            frozenset({m.name, *([m.number] if m.number else [])}),
        )
        for m in feed.mentions
        # A text column holds whatever the sender writes there, lists of people and remarks.
        if feed.column(m.name).type != "text"
    ]
    for column in feed.columns:
        if column.type == "address":
            owner = next((m for m in feed.mentions if m.address == column.name), None)
            number = _number(feed, owner.number, owner.kind) if owner else "null::uuid"
            read = {column.name, *([owner.number] if owner and owner.number else [])}
            found.append(Source("address", column.name, column.name, number, frozenset(read)))
    return found


def _number(feed: FeedSpec, column: str | None, kind: str) -> str:
    if column is None:
        return "null::uuid"
    if feed.column(column).type == _REF[kind]:
        return f't."{column}"'
    return f"(regexp_match(t.\"{column}\", '〔{_REF[kind]}:({_UUID})〕'))[1]::uuid"


def readable_feeds(on: Any) -> list[str]:
    """Feeds whose names may be read on the day."""
    return [
        code
        for code, feed in ingestion.catalog().items()
        if (told := sources(feed))
        and agreements.check({code: set().union(*(s.fields for s in told))}, on=on).allowed
    ]


def bring_up_to_date(*, at: datetime) -> Filled:
    """Read what landed since the last run; one transaction."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        feeds = readable_feeds(timezone.localdate(at))
        with (
            scope(offices=all_offices(), feeds=feeds, purpose=agreements.PURPOSE),
            connection.cursor() as cursor,
        ):
            return _run(cursor, feeds)


def _run(cursor: Any, feeds: list[str]) -> Filled:
    landing, catalog = ingestion.last_landing(), ingestion.catalog()
    states = {state.feed: state for state in Derivation.objects.filter(what=WHAT)}
    prepare(cursor)
    read = added = gone = 0
    for code in set(states) - set(catalog):
        cursor.execute("delete from supervision_naming where feed = %s", [code])
        gone += cursor.rowcount
        states.pop(code).delete()
    for code in feeds:
        state = states.get(code) or Derivation(what=WHAT, feed=code)
        told = sources(catalog[code])
        digest = hashlib.sha256(repr((told, spelling())).encode()).hexdigest()
        if state.digest == digest and not ingestion.landed_feeds(since=state.landing, until=landing) & {
            code,
            "",
        }:
            continue
        read += 1
        since = state.landing
        if state.digest != digest or ingestion.cleared(since=since, until=landing):
            cursor.execute("delete from supervision_naming where feed = %s", [code])
            gone += cursor.rowcount
            since = 0
        for source in told:
            if since:
                gone += _drop(cursor, code, source, since, landing)
            added += _fill(cursor, code, source, since, landing)
        state.landing, state.digest = landing, digest
        state.save()
    logger.info("names to landing %s: %s came, %s gone", landing, added, gone)
    return Filled(landing, read, added, gone)


def prepare(cursor: Any) -> None:
    """The empty temporary table that ``write`` goes through."""
    cursor.execute(
        "create temp table if not exists naming_told (county text, subject uuid, written text, name text, core text,"
        " keys text) on commit drop"
    )


def _fill(cursor: Any, code: str, source: Source, since: int, landing: int) -> int:
    came = 0
    sql = (
        f'select distinct t.county, {source.number} as subject, t."{source.column}" as written from pool."{code}" t'
        f" where t.from_landing > %(since)s and t.from_landing <= %(landing)s and t.to_landing is null"
        f' and t."{source.column}" is not null'
    )
    for frame in _chunks(sql, {"since": since, "landing": landing}):
        came += write(cursor, code, source, frame.with_columns(spelled(source.kind, frame["written"])))
    return came


def write(cursor: Any, code: str, source: Source, rows: pl.DataFrame) -> int:
    """Add ``rows`` (county, subject, written, name, core, keys); returns how many were new."""
    # A cell of signs and remarks alone names nobody.
    rows = rows.filter(pl.col("name").is_not_null() & (pl.col("name") != ""))
    if rows.is_empty():
        return 0
    cursor.execute("truncate naming_told")
    # A sign that no name holds stands between the keys.
    listed = pl.col("keys").list.join(_BETWEEN)
    buffer = io.BytesIO()
    rows.select("county", "subject", "written", "name", "core", listed.alias("keys")).write_csv(
        buffer, include_header=False, quote_style="necessary"
    )
    buffer.seek(0)
    # Nothing is text here, not null.
    cursor.copy_expert(
        "copy naming_told (county, subject, written, name, core, keys) from stdin (format csv, force_not_null (core, keys))",
        buffer,
    )
    cursor.execute(
        "insert into supervision_naming (hash, kind, feed, role, county, subject, written, name, core, keys)"
        f" select {_HASH.format('n')}, %(kind)s, %(feed)s, %(role)s, county, subject, written, name, core,"
        " string_to_array(keys, chr(31)) from naming_told n on conflict (hash) do nothing",
        {"feed": code, "role": source.role, "kind": source.kind},
    )
    return int(cursor.rowcount)


def _drop(cursor: Any, code: str, source: Source, since: int, landing: int) -> int:
    """Spellings of versions that ended and that no current record has."""
    told = f't.county, {source.number} as subject, t."{source.column}" as written'
    cursor.execute(
        f'with ended as (select distinct {told} from pool."{code}" t where t.to_landing > %(since)s'
        f' and t.to_landing <= %(landing)s and t."{source.column}" is not null), lost as (select e.* from ended e'
        f' where not exists (select 1 from pool."{code}" t where t.to_landing is null and t.county is not distinct from'
        f' e.county and t."{source.column}" = e.written and ({source.number}) is not distinct from e.subject))'
        f" delete from supervision_naming n using lost where n.hash = {_HASH.format('lost')}",
        {"feed": code, "role": source.role, "since": since, "landing": landing},
    )
    return int(cursor.rowcount)


def _chunks(sql: str, params: dict[str, Any]) -> Iterator[pl.DataFrame]:
    schema = dict.fromkeys(("county", "subject", "written"), pl.String)
    with connection.chunked_cursor() as rows:
        rows.execute(f"select county, subject::text, written from ({sql}) x", params)
        while chunk := rows.fetchmany(_CHUNK):
            yield pl.DataFrame(chunk, schema=schema, orient="row")
