"""Brings the relations up to the latest landing, feed by feed, set by set. One transaction: a killed run leaves nothing.

Incremental: a record version that came adds its relations, one that ended ends them. Where that changes who is related, the
run makes a landing of its own, whose touches (cause relation) name both ends and whoever shares the value, so that rules
over relations look at them again.
"""

from __future__ import annotations

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
from ingestion.catalog.spec import Column, FeedSpec
from supervision.identity.addresses import place_keys
from supervision.identity.relations import SUBJECTS, Relations, Tie, digest, relations
from supervision.models import Derivation

logger = logging.getLogger(__name__)
WHAT = "relations"
_LOCK = 0x43584C4B
_CHUNK = 100_000
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_END = "a_kind, a_ref, b_kind, b_ref, via"


@dataclass(frozen=True)
class Derived:
    """What one run did; ``landing``: the one it made, null when nobody's relations changed."""

    read_to: int
    feeds: int
    added: int
    ended: int
    landing: int | None


def bring_up_to_date(*, at: datetime) -> Derived:
    """Read what landed since the last run, write, touch."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        said = relations()
        feeds = _readable(said, at)
        with (
            scope(offices=all_offices(), feeds=feeds, purpose=agreements.PURPOSE),
            connection.cursor() as cursor,
        ):
            return _run(cursor, said, feeds, at)


def _readable(said: Relations, at: datetime) -> dict[str, FeedSpec]:
    """Feeds whose agreements let their ties be read today."""
    on, catalog = timezone.localdate(at), ingestion.catalog()
    return {
        code: catalog[code]
        for code, ties in said.feeds.items()
        if code in catalog
        and agreements.check({code: set().union(*(tie.fields() for tie in ties))}, on=on).allowed
    }


def _run(cursor: Any, said: Relations, feeds: dict[str, FeedSpec], at: datetime) -> Derived:
    landing = ingestion.last_landing()
    states = {state.feed: state for state in Derivation.objects.filter(what=WHAT)}
    cursor.execute(
        "drop table if exists relation_moved; create temp table relation_moved (feed text, a_kind text, a_ref uuid,"
        " b_kind text, b_ref uuid, via text, came boolean) on commit drop"
    )
    added = ended = read = 0
    # What is declared no more is related no more.
    for code in set(states) - set(said.feeds):
        ended += _forget(cursor, code)
        states.pop(code).delete()
    for code, feed in feeds.items():
        state = states.get(code) or Derivation(what=WHAT, feed=code)
        told = digest(code)
        if state.digest == told and not ingestion.landed_feeds(since=state.landing, until=landing) & {
            code,
            "",
        }:
            continue
        read += 1
        since = state.landing
        if state.digest != told:
            ended += _forget(cursor, code)
            since = 0
        else:
            ended += _end(cursor, code, since, landing)
            if ingestion.cleared(since=since, until=landing):
                ended += _prune(cursor, code)
        for tie in said.feeds[code]:
            added += _add(cursor, feed, tie, said.kinds[tie.kind].shared or "", since, landing)
        state.landing, state.digest = landing, told
        state.save()
    made = _touch(cursor, said, at) if added or ended else None
    logger.info("relations to landing %s: %s came, %s ended", landing, added, ended)
    return Derived(landing, read, added, ended, made)


def _forget(cursor: Any, code: str) -> int:
    """Delete what a feed told: by another declaration it is told anew, from the beginning."""
    cursor.execute(
        "with gone as (delete from supervision_relation where feed = %s returning *)"
        f" insert into relation_moved select feed, {_END}, false from gone where to_landing is null",
        [code],
    )
    return int(cursor.rowcount)


def _prune(cursor: Any, code: str) -> int:
    """Delete what rests on records that were cleared away."""
    cursor.execute(
        "with gone as (delete from supervision_relation r where feed = %s and not exists"
        f' (select 1 from pool."{code}" t where t.record_id = r.record_id) returning *)'
        f" insert into relation_moved select feed, {_END}, false from gone where to_landing is null",
        [code],
    )
    return int(cursor.rowcount)


def _end(cursor: Any, code: str, since: int, landing: int) -> int:
    cursor.execute(
        "with gone as (update supervision_relation r set to_landing = t.to_landing"
        f' from pool."{code}" t where t.to_landing > %s and t.to_landing <= %s and r.feed = %s'
        " and r.record_id = t.record_id and r.to_landing is null returning r.*)"
        f" insert into relation_moved select feed, {_END}, false from gone",
        [since, landing, code],
    )
    return int(cursor.rowcount)


def _add(cursor: Any, feed: FeedSpec, tie: Tie, shared: str, since: int, landing: int) -> int:
    columns = {c.name: c for c in feed.columns}
    params: dict[str, Any] = {"feed": feed.code, "kind": tie.kind, "since": since, "landing": landing}
    join, where = [_named(columns[tie.a], "a")], ["a.ref is not null"]
    if shared == "phone":
        end = f"""'', null::uuid, 'phone:' || t."{tie.b}\""""
        where.append(f't."{tie.b}" is not null')
    elif shared == "address":
        _places(cursor, feed, tie, params)
        join.append(f'join relation_place p on p.written = t."{tie.b}"')
        end = "'', null::uuid, 'address:' || p.place"
    else:
        join.append(_named(columns[tie.b], "b"))
        where.append("b.ref is not null")
        # Of a list with itself each two stand once.
        where.append("a.ref < b.ref" if tie.a == tie.b else "a.ref <> b.ref")
        end = "b.kind, b.ref, ''"
    for n, (name, value) in enumerate(tie.when.items()):
        where.append(f't."{name}"::text = %(value{n})s')
        params[f"value{n}"] = value
    cursor.execute(
        f"with came as (insert into supervision_relation (kind, {_END}, feed, county, record_id, natural_hash,"
        f" from_landing, to_landing) select distinct %(kind)s, a.kind, a.ref, {end}, %(feed)s, t.county, t.record_id,"
        " t.natural_hash, t.from_landing, case when t.to_landing <= %(landing)s then t.to_landing end"
        f' from pool."{feed.code}" t {" ".join(join)}'
        f" where t.from_landing > %(since)s and t.from_landing <= %(landing)s and {' and '.join(where)} returning *)"
        f" insert into relation_moved select feed, {_END}, true from came where to_landing is null",
        params,
    )
    return int(cursor.rowcount)


def _named(column: Column, alias: str) -> str:
    """SQL: the subjects that a column of ``t`` names, as ``kind`` and ``ref``."""
    if column.type in SUBJECTS:
        inner = f"""select '{SUBJECTS[column.type]}'::text as kind, t."{column.name}" as ref"""
    else:
        inner = (
            "select case m[1] when 'citizen_id' then 'person' else 'organisation' end as kind, m[2]::uuid as ref"
            f" from regexp_matches(t.\"{column.name}\", '〔(citizen_id|credit_code):({_UUID})〕', 'g') m"
        )
    return f"cross join lateral ({inner}) {alias}"


def _places(cursor: Any, feed: FeedSpec, tie: Tie, params: dict[str, Any]) -> None:
    """Fill ``relation_place`` with the digest of every place that the new records name."""
    cursor.execute(
        "drop table if exists relation_place; create temp table relation_place (written text primary key, place text)"
        " on commit drop"
    )
    for written in _distinct(
        f'select distinct "{tie.b}" from pool."{feed.code}" where from_landing > %(since)s'
        f' and from_landing <= %(landing)s and "{tie.b}" is not null',
        params,
    ):
        known = pl.DataFrame({"written": written, "place": place_keys(written)}).drop_nulls()
        cursor.execute(
            "insert into relation_place select w, md5(p) from unnest(%s::text[], %s::text[]) x(w, p)",
            [known["written"].to_list(), known["place"].to_list()],
        )
    cursor.execute("analyze relation_place")


def _distinct(sql: str, params: dict[str, Any]) -> Iterator[pl.Series]:
    with connection.chunked_cursor() as rows:
        rows.execute(sql, params)
        while chunk := rows.fetchmany(_CHUNK):
            yield pl.Series("written", [row[0] for row in chunk], dtype=pl.String)


def _touch(cursor: Any, said: Relations, at: datetime) -> int | None:
    """A landing whose touches name both ends of what changed and all who share its value.

    A version that only continues what the one before told changes nothing.
    """
    cursor.execute(
        f"create temp table relation_changed on commit drop as select feed, {_END} from relation_moved"
        f" group by feed, {_END} having count(*) filter (where came) = 0 or count(*) filter (where not came) = 0"
    )
    cursor.execute("select exists (select 1 from relation_changed)")
    if not cursor.fetchone()[0]:
        return None
    cursor.execute("select supervision_derived_landing('relations', %s)", [at])
    landing = int(cursor.fetchone()[0])
    # One more than the cap had shared it before or shares it now: their relation ends or begins as well.
    most = max(cap.most for cap in said.caps.values()) + 1
    cursor.execute(
        "insert into ingestion_touch (landing, feed, kind, ref, cause) select distinct %(landing)s, feed, kind, ref::text,"
        " 'relation' from (select feed, a_kind as kind, a_ref as ref from relation_changed"
        " union all select feed, b_kind, b_ref from relation_changed where b_ref is not null"
        " union all select c.feed, s.a_kind, s.a_ref from (select distinct feed, via from relation_changed where via <> '') c"
        " cross join lateral (select distinct r.a_kind, r.a_ref from supervision_relation r where r.via = c.via"
        " and r.to_landing is null limit %(most)s) s) x",
        {"landing": landing, "most": most},
    )
    return landing
