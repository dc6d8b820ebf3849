"""Removal of what was delivered under an ended agreement, feed by feed, each in one transaction; set-based.

What goes: every version of a record that came with the agreement's batches, unless it is evidence (the holds that
supervision has written) or another agreement in force covers its feed; identifiers that nothing names any more; the
stored files, their keys and the quarantine of batches of which nothing is left; attachments of tickets; measures;
kept frames of the agreement's cameras. Columns that the other agreement does not cover are emptied, except in what is
evidence, and with them go the files and quarantined rows that still hold them. What stays is counted with its reason.

One clearing at a time counts or removes: two that look at the same identifiers would each spare them for the other.

The database lets the intake role delete only what belongs to a clearing in state ``clearing``, and lets nothing become
that without two people (``ingestion/rights.py``, ``ingestion/pool.py``).
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from datetime import date, datetime
from typing import Any

from django.db import connections, transaction

from chuxiong.work.jobs import enqueue
from ingestion.cameras import clearing as frames
from ingestion.catalog.load import Catalog
from ingestion.catalog.spec import FeedSpec
from ingestion.intake.merge import drop_staging, next_number
from ingestion.intake.receive import ALIAS, store_path
from ingestion.intake.shelter import REF_TYPES
from ingestion.models import Agreement, AgreementClearing, AgreementEvent, Batch, Landing
from ingestion.registers.agreement_actions import in_force

State = AgreementClearing.State
#: who a landing without a delivery comes from
RECEIVED_BY = "协议清除"
_CLEARING_LOCK = 0x43584352
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


class NotApproved(Exception):
    """The clearing is not in a state that allows the step."""


def count(clearing_id: int, feeds: Catalog, *, at: datetime, today: date) -> dict[str, Any]:
    """What a clearing would remove and leave, per feed; nothing is changed. The holds must be written before."""
    with transaction.atomic(using=ALIAS):
        clearing = _locked(clearing_id)
        if clearing.state != State.REQUESTED:
            return clearing.preview
        _begin_counting()
        preview = {
            code: _feed(clearing, code, feeds, today, dry=True, at=at)
            for code in sorted(clearing.agreement.fields)
            if code in feeds
        }
        with connections[ALIAS].cursor() as cursor:
            kept = frames.count(cursor, clearing=clearing.pk, agreement=clearing.agreement.number)
        if kept["records"]:
            preview[frames.FRAMES] = kept
        clearing.preview, clearing.state, clearing.counted_at = preview, State.COUNTED, at
        clearing.save(using=ALIAS, update_fields=["preview", "state", "counted_at"])
    return preview


def begin(clearing_id: int, *, today: date) -> AgreementClearing:
    """Approved → clearing; raises ``NotApproved`` when it is not approved or the agreement is in force again."""
    with transaction.atomic(using=ALIAS):
        clearing = _locked(clearing_id)
        if clearing.state == State.CLEARING:
            return clearing
        if clearing.state != State.APPROVED or in_force(clearing.agreement, today):
            raise NotApproved(clearing_id)
        clearing.state = State.CLEARING
        clearing.save(using=ALIAS, update_fields=["state"])
    return clearing


def clear_feed(clearing_id: int, code: str, feeds: Catalog, *, at: datetime, today: date) -> dict[str, Any]:
    """Clear one feed in one transaction; a repeated call finds it done. Files go after the commit."""
    with transaction.atomic(using=ALIAS):
        clearing = _locked(clearing_id)
        if clearing.state != State.CLEARING:
            raise NotApproved(clearing_id)
        done: dict[str, Any] | None = clearing.result.get(code)
        if done is None:
            _begin_counting()
            done = _feed(clearing, code, feeds, today, dry=False, at=at)
            clearing.result = {**clearing.result, code: done}
            clearing.save(using=ALIAS, update_fields=["result"])
            # The mirror forgets it too; its writer sees by the result that it must write anew.
            enqueue("mirror", code, {"name": code}, priority=4, using=ALIAS)
    _unlink(clearing.agreement_id, code)
    return done


def finish(clearing_id: int, *, at: datetime) -> AgreementClearing:
    """All feeds are done: the receipt is struck and the holds go."""
    with transaction.atomic(using=ALIAS):
        clearing = _locked(clearing_id)
        if clearing.state == State.DONE:
            return clearing
        if clearing.state != State.CLEARING:
            raise NotApproved(clearing_id)
        with connections[ALIAS].cursor() as cursor:
            kept = frames.clear(cursor, clearing=clearing.pk, agreement=clearing.agreement.number, at=at)
        if kept["records"]:
            clearing.result = {**clearing.result, frames.FRAMES: kept}
        document = {
            "agreement": clearing.agreement.number,
            "clearing": clearing.pk,
            "requested_by": clearing.requested_by,
            "decided_by": clearing.decided_by,
            "finished_at": at.isoformat(),
            "result": clearing.result,
        }
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        clearing.receipt = hashlib.sha256(text.encode()).hexdigest()
        clearing.state, clearing.finished_at = State.DONE, at
        clearing.save(using=ALIAS, update_fields=["receipt", "result", "state", "finished_at"])
        AgreementEvent.objects.using(ALIAS).create(
            agreement=clearing.agreement,
            at=at,
            actor=RECEIVED_BY,
            kind="cleared",
            detail={"clearing": clearing.pk, "receipt": clearing.receipt},
        )
        with connections[ALIAS].cursor() as cursor:
            cursor.execute("delete from ingestion_clearinghold where clearing_id = %s", [clearing.pk])
    return clearing


def _locked(clearing_id: int) -> AgreementClearing:
    return (
        AgreementClearing.objects.using(ALIAS)
        .select_for_update(of=("self",))
        .select_related("agreement")
        .get(pk=clearing_id)
    )


def _begin_counting() -> None:
    """``counted``: records of feeds already counted away, so that a preview sees what the clearing will see."""
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(%s)", [_CLEARING_LOCK])
        cursor.execute("create temp table counted (feed text, record_id bigint) on commit drop")


def _others(agreement: Agreement, code: str, today: date) -> list[Agreement]:
    """Other agreements in force that cover the feed."""
    others = Agreement.objects.using(ALIAS).filter(fields__has_key=code).exclude(pk=agreement.pk)
    return [a for a in others if in_force(a, today)]


def _feed(
    clearing: AgreementClearing, code: str, feeds: Catalog, today: date, *, dry: bool, at: datetime
) -> dict[str, Any]:
    feed, others = feeds[code], _others(clearing.agreement, code, today)
    uncovered = _uncovered(feed, others)
    table = f'pool."{code}"'
    with connections[ALIAS].cursor() as cursor:
        if not dry and uncovered:
            _stop(cursor, clearing, code)
        cursor.execute("select coalesce(max(number), 0) from ingestion_landing")
        seen = int(cursor.fetchone()[0])
        cursor.execute(
            "create temp table doomed on commit drop as select t.record_id, t.batch_id"
            + (f', t."{feed.valid_time}" as split' if feed.partition else "")
            + f" from {table} t join ingestion_batch b on b.id = t.batch_id where b.agreement_id = %s",
            [clearing.agreement_id],
        )
        cursor.execute("select count(*) from doomed")
        told: dict[str, Any] = {"records": cursor.fetchone()[0], "cleared": 0, "held": 0}
        cursor.execute(
            "delete from doomed d using ingestion_clearinghold h where h.clearing_id = %s and h.feed = %s"
            " and h.record_id = d.record_id",
            [clearing.pk, code],
        )
        told["held"] = cursor.rowcount
        if others:
            told |= {"kept_by": [a.number for a in others], "emptied_columns": uncovered}
            if uncovered:
                told |= _narrowed(cursor, clearing, feed, feeds, uncovered, dry)
            cursor.execute("drop table doomed")
            return told
        cursor.execute("create index on doomed (record_id); analyze doomed; select count(*) from doomed")
        told["cleared"] = cursor.fetchone()[0]
        told |= _identifiers(cursor, clearing, feed, feeds)
        told |= _batches(cursor, clearing, code)
        if dry:
            cursor.execute("insert into counted select %s, record_id from doomed", [code])
        else:
            told["landing"] = _remove(cursor, clearing, feed, feeds, seen, at)
        cursor.execute("drop table doomed; drop table doomed_ref; drop table emptied")
    return told


def _uncovered(feed: FeedSpec, others: list[Agreement]) -> list[str]:
    """Columns that no other agreement in force covers; of what another keeps, never the keys."""
    granted = {name for a in others for name in a.fields[feed.code]}
    if "*" in granted:
        return []
    keys = {*feed.natural_key, feed.valid_time, feed.county_column} if others else set()
    return [c.name for c in feed.columns if c.name not in granted and c.name not in keys]


def _stop(cursor: Any, clearing: AgreementClearing, code: str) -> None:
    """What is on its way in, or waits for a person, lands no more: whoever reads it meets a newer fence.

    First of all: one that lands at this moment is waited for, and its records are seen by what follows.
    """
    words = {
        "place": f"{clearing.agreement.number} {code}",
        "what": "所依据的数据协议已终止，数据正在清除",
        "cure": "如有新的协议，请提供单位按新协议重新报送。",
        "what_en": "The agreement it came under has ended and its data are being cleared",
        "cure_en": "If there is a new agreement, ask the provider to deliver it again under that one.",
    }
    cursor.execute(
        "update ingestion_batch set state = 'refused', fence = fence + 1, problem = %s"
        " where agreement_id = %s and feed = %s and state in ('received', 'reading', 'held')",
        [json.dumps(words, ensure_ascii=False), clearing.agreement_id, code],
    )


def _narrowed(
    cursor: Any, clearing: AgreementClearing, feed: FeedSpec, feeds: Catalog, uncovered: list[str], dry: bool
) -> dict[str, Any]:
    """Another agreement keeps the records; columns that it does not cover are emptied.

    The files as they came, and the rows that stood aside, still hold those columns: they go with them.
    """
    told = _batches(cursor, clearing, feed.code)
    told |= _identifiers(cursor, clearing, feed, feeds, only=uncovered)
    if not dry:
        names = list(uncovered)
        names += [c.companion[0] for c in feed.columns if c.name in uncovered and c.companion]
        emptied = ", ".join(f'"{n}" = null' for n in names)
        # The hash becomes that of no delivered row: whatever comes next under the same key is a new version.
        cursor.execute(
            f"update pool.\"{feed.code}\" t set {emptied}, row_hash = decode(md5(row_hash), 'hex') from doomed d"
            f" where t.record_id = d.record_id{_same_part(feed)}"
        )
        cursor.execute("delete from vault_identifier v using doomed_ref r where v.ref = r.ref")
        _empty_batches(cursor)
    cursor.execute("drop table doomed_ref; drop table emptied")
    return told


def _same_part(feed: FeedSpec) -> str:
    return f' and t."{feed.valid_time}" = d.split' if feed.partition else ""


def _named_by(feed: FeedSpec) -> tuple[list[str], list[str]]:
    """(columns that hold refs, text columns that may mention some)."""
    refs = [c.name for c in feed.columns if c.type in REF_TYPES]
    texts = [c.name for c in feed.columns if c.pool_type == "text"]
    return refs, texts


def _identifiers(
    cursor: Any,
    clearing: AgreementClearing,
    feed: FeedSpec,
    feeds: Catalog,
    *,
    only: list[str] | None = None,
) -> dict[str, int]:
    """``doomed_ref``: what only the doomed records name. ``only``: in these columns, which alone are emptied."""
    cursor.execute("create temp table doomed_ref (ref uuid primary key) on commit drop")
    refs, texts = _named_by(feed)
    if only is not None:
        refs, texts = [n for n in refs if n in only], [n for n in texts if n in only]
    table = f'pool."{feed.code}"'
    same = _same_part(feed)
    for name in refs:
        cursor.execute(
            f'insert into doomed_ref select distinct t."{name}" from {table} t join doomed d'
            f' on t.record_id = d.record_id{same} where t."{name}" is not null on conflict do nothing'
        )
    for name in texts:
        cursor.execute(
            f"insert into doomed_ref select distinct (m.part)[1]::uuid from {table} t join doomed d"
            f" on t.record_id = d.record_id{same},"
            f" regexp_matches(t.\"{name}\", '〔\\w+:({_UUID})〕', 'g') m(part)"
            f" where t.\"{name}\" like '%〔%' on conflict do nothing"
        )
    cursor.execute("analyze doomed_ref; select count(*) from doomed_ref")
    named = int(cursor.fetchone()[0])
    if named:
        for other in feeds.values():
            _spare(cursor, other, other.code == feed.code, emptied=only)
        cursor.execute(
            "delete from doomed_ref r using ingestion_clearinghold h where h.clearing_id = %s and h.ref = r.ref",
            [clearing.pk],
        )
        cursor.execute(
            "delete from doomed_ref r using ingestion_telemetrydevice v where v.organisation = r.ref"
        )
    cursor.execute("select count(*) from doomed_ref")
    gone = int(cursor.fetchone()[0])
    return {"identifiers": named, "identifiers_cleared": gone}


def _spare(
    cursor: Any, feed: FeedSpec, itself: bool, *, since: int | None = None, emptied: list[str] | None = None
) -> None:
    """What a record that stays names, in this or another feed, stays. ``since``: records of later landings alone.

    ``emptied``: of the feed itself the records stay and these columns go.
    """
    table = f'pool."{feed.code}"'
    cursor.execute("select to_regclass(%s)", [table])
    if cursor.fetchone()[0] is None:
        return
    stays = (
        " and not exists (select 1 from doomed d where d.record_id = t.record_id)"
        if itself
        else f" and not exists (select 1 from counted g where g.feed = '{feed.code}' and g.record_id = t.record_id)"
    )
    if since is not None:
        stays += f" and t.from_landing > {since}"
    refs, texts = _named_by(feed)
    going, all_stay = stays, itself and emptied is not None
    for name in refs:
        stays = "" if all_stay and name not in (emptied or ()) else going
        cursor.execute(
            f'delete from doomed_ref r where exists (select 1 from {table} t where t."{name}" = r.ref{stays})'
        )
    for name in texts:
        stays = "" if all_stay and name not in (emptied or ()) else going
        cursor.execute(
            f"delete from doomed_ref r using (select distinct (m.part)[1]::uuid as ref from {table} t,"
            f" regexp_matches(t.\"{name}\", '〔\\w+:({_UUID})〕', 'g') m(part)"
            f" where t.\"{name}\" like '%〔%'{stays}) s where s.ref = r.ref"
        )


def _batches(cursor: Any, clearing: AgreementClearing, code: str) -> dict[str, int]:
    """``emptied``: batches of which no record stays; their files, keys and quarantine go."""
    cursor.execute(
        "create temp table emptied on commit drop as select b.id from ingestion_batch b"
        " where b.agreement_id = %s and b.feed = %s and not exists (select 1 from ingestion_clearinghold h"
        f' join pool."{code}" t on t.record_id = h.record_id'
        " where h.clearing_id = %s and h.feed = %s and t.batch_id = b.id)",
        [clearing.agreement_id, code, clearing.pk, code],
    )
    cursor.execute(
        "select (select count(*) from ingestion_batch where agreement_id = %s and feed = %s),"
        " (select count(*) from emptied), (select count(*) from ingestion_quarantine q join emptied e on e.id = q.batch_id)",
        [clearing.agreement_id, code],
    )
    batches, emptied, quarantined = cursor.fetchone()
    return {"batches": batches, "batches_cleared": emptied, "quarantine_cleared": quarantined}


def _remove(
    cursor: Any, clearing: AgreementClearing, feed: FeedSpec, feeds: Catalog, seen: int, at: datetime
) -> int:
    """Touch, delete, and void what the feed said of its coverage; returns the number of the landing that tells of it.

    ``seen``: the last landing when it was looked at what other records name.
    """
    table, same = f'pool."{feed.code}"', _same_part(feed)
    number = _landing(cursor, clearing, feed, at)
    # Under the lock of landings nothing lands any more: what came meanwhile keeps what it names.
    for other in feeds.values():
        _spare(cursor, other, other.code == feed.code, since=seen)
    for column in feed.columns:
        if not column.subject:
            continue
        ref = f't."{column.name}"::text'
        if column.type == "text":
            ref = f"(regexp_matches(t.\"{column.name}\", '〔\\w+:({_UUID})〕', 'g'))[1]"
        cursor.execute(
            "insert into ingestion_touch (landing, feed, kind, ref, cause)"
            f" select distinct %s::bigint, %s, %s, {ref}, 'agreement' from {table} t join doomed d"
            f' on t.record_id = d.record_id{same} where t."{column.name}" is not null',
            [number, feed.code, column.subject],
        )
    cursor.execute(f"delete from {table} t using doomed d where t.record_id = d.record_id{same}")
    # Without the records their absence says nothing any more.
    cursor.execute(
        "update ingestion_landing l set covers_until = null from ingestion_batch b"
        " where b.id = l.batch_id and b.agreement_id = %s and l.feed = %s and l.covers_until is not null",
        [clearing.agreement_id, feed.code],
    )
    cursor.execute("delete from vault_identifier v using doomed_ref r where v.ref = r.ref")
    _empty_batches(cursor)
    cursor.execute("delete from ingestion_batchmeasure m using emptied e where m.batch_id = e.id")
    # Places on rivers that were read from the feed's records; those of what is left come back with the next delivery.
    cursor.execute("delete from ingestion_riverplace where origin = %s", [feed.code])
    return number


def _empty_batches(cursor: Any) -> None:
    """The files of ``emptied`` become unreadable; what stood aside of them goes."""
    for statement in (
        "delete from vault_batchkey k using emptied e where k.batch = e.id",
        "delete from ingestion_quarantine q using emptied e where q.batch_id = e.id",
        "delete from ingestion_telemetryframes f using emptied e where f.batch_id = e.id",
        "update ingestion_batch b set layout = b.layout || '{\"cleared\": true}' from emptied e where b.id = e.id",
        "update ingestion_dataticket t set sealed = null, key_id = '' from emptied e"
        " where t.batch_id = e.id and t.sealed is not null",
    ):
        cursor.execute(statement)


def _landing(cursor: Any, clearing: AgreementClearing, feed: FeedSpec, at: datetime) -> int:
    """A landing of no feed: rules read its touches, and no feed looks fresher for it."""
    number = next_number(cursor)
    batch = Batch.objects.using(ALIAS).create(
        feed="",
        file_name=f"{clearing.agreement.number} {feed.code}"[:255],
        digest=hashlib.sha256(f"clearing:{clearing.pk}:{feed.code}".encode()).hexdigest(),
        size=0,
        agreement=clearing.agreement,
        received_at=at,
        received_by=RECEIVED_BY,
        state=Batch.State.LANDED,
        landing=number,
        landed_at=at,
    )
    Landing.objects.using(ALIAS).create(
        number=number, feed="", kind=Landing.Kind.CLEARING, batch=batch, landed_at=at
    )
    enqueue("landed", str(number), {"landing": number}, priority=2, using=ALIAS)
    return number


def _unlink(agreement_id: int, code: str) -> None:
    """Stored files of cleared batches, unreadable since their keys are gone, and what was staged of those that were stopped."""
    cleared = Batch.objects.using(ALIAS).filter(agreement_id=agreement_id, feed=code, layout__cleared=True)
    for batch in cleared.filter(state=Batch.State.REFUSED):
        drop_staging(connections[ALIAS], batch)
    for name in cleared.values_list("layout__store", flat=True):
        if name:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(store_path(name))
