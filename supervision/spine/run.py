"""Brings the identity spine up to the latest landing. One transaction: a killed run leaves nothing.

Incremental: the sounds of names whose records changed, or on which people gave their word, are recomputed whole; nothing
else can change. A run that changes whom a mention stands for makes a landing of its own, whose touches (cause identity)
name every old and new subject.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
from django.db import connection, transaction
from django.db.models import Max
from django.db.models.functions import Greatest
from django.utils import timezone

from chuxiong.accounts.scope import all_offices, scope
from chuxiong.work.jobs import enqueue
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.catalog.mentions import Mention
from ingestion.catalog.spec import FeedSpec
from supervision.identity import tiers
from supervision.identity.spellings import spelling
from supervision.identity.tiers import ATTRIBUTES, NODE_SCHEMA, Judged, Kind
from supervision.models import IdentityJudgement, IdentityState
from supervision.spine import frequency, reading, writing
from supervision.spine.stage import copy, execute, prepare, read

logger = logging.getLogger(__name__)
KINDS: tuple[Kind, ...] = ("person", "organisation")
_LOCK = 0x43584944
#: mentions and tellings of names that are resolved at once
_TOGETHER = 150_000
_FOLDER = Path(tiers.__file__).parent


@dataclass(frozen=True)
class SpineRun:
    """What one run did. ``mode``: full, part or idle; ``landing``: the one it made, null when nothing changed."""

    mode: str
    read_to: int
    mentions: int
    changed: int
    merged: int
    split: int
    pairs: int
    landing: int | None


def bring_up_to_date(*, at: datetime, full: bool = False, recount: bool = False) -> SpineRun:
    """Read what landed since the last run, recompute, write. ``recount``: new frequencies first."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", [_LOCK])
        feeds = _readable(timezone.localdate(at))
        states = {kind: IdentityState.objects.get_or_create(kind=kind)[0] for kind in KINDS}
        with scope(offices=all_offices(), feeds=feeds, purpose=agreements.PURPOSE):
            return _run(feeds, states, at, full or recount, recount)


def _readable(on: date) -> dict[str, FeedSpec]:
    """Feeds with mentions whose agreements let the spine read them today."""
    return {
        code: feed
        for code, feed in ingestion.catalog().items()
        if feed.mentions
        and agreements.check({code: set().union(*(m.fields() for m in feed.mentions))}, on=on).allowed
    }


def _digest(feeds: Mapping[str, FeedSpec]) -> str:
    told = [repr((code, feed.mentions)) for code, feed in sorted(feeds.items())]
    told += [(_FOLDER / name).read_text(encoding="utf-8") for name in ("spine.yaml", "person.yaml")]
    told.append(spelling())
    return hashlib.sha256("\n".join(told).encode()).hexdigest()


def _run(
    feeds: dict[str, FeedSpec], states: dict[Kind, IdentityState], at: datetime, full: bool, recount: bool
) -> SpineRun:
    landing, digest = ingestion.last_landing(), _digest(feeds)
    since = min(state.landing for state in states.values())
    judged_at = IdentityJudgement.objects.aggregate(last=Greatest(Max("at"), Max("withdrawn_at")))["last"]
    full = (
        full or any(s.digest != digest or not s.version for s in states.values()) or _cleared(since, landing)
    )
    if not full and not _landed(feeds, since, landing) and judged_at == states["person"].judged_at:
        for state in states.values():
            state.landing, state.ran_at = landing, at
            state.save(update_fields=["landing", "ran_at"])
        return SpineRun("idle", landing, _count(), 0, 0, 0, 0, None)
    prepare()
    if not full:
        _choose(feeds, since, landing, states["person"].judged_at)
    _tell(feeds, landing, full)
    _want(feeds, landing, full)
    for kind, state in states.items():
        grown = frequency.records_now(kind) >= tiers.spine_model().refresh * max(state.records, 1)
        if recount or not state.version or (grown and full):
            frequency.renew(state, landing)
        elif grown:
            # Shares have moved: everything weighs otherwise, so everything is looked at again.
            return _run(feeds, states, at, True, False)
    pairs = sum(_resolve(kind, state, full) for kind, state in states.items())
    done = writing.write(full=full, at=at)
    for state in states.values():
        state.landing, state.digest, state.ran_at, state.judged_at = landing, digest, at, judged_at
        state.save()
    if done.landing is not None:
        enqueue("landed", str(done.landing), {"landing": done.landing}, priority=2)
    mode = "full" if full else "part"
    logger.info("identity %s to landing %s: %s mentions changed", mode, landing, done.changed)
    return SpineRun(mode, landing, _count(), done.changed, done.merged, done.split, pairs, done.landing)


def _count() -> int:
    frame = read("select count(*) from supervision_mention where to_landing is null", {}, {"n": pl.Int64})
    return int(frame["n"][0])


def _cleared(since: int, landing: int) -> bool:
    """Whether records were deleted: what they named is not in the pool any more."""
    frame = read(
        "select count(*) from ingestion_landing"
        " where number > %(since)s and number <= %(landing)s and feed = '' and kind = 'clearing'",
        {"since": since, "landing": landing},
        {"n": pl.Int64},
    )
    return bool(frame["n"][0])


def _landed(feeds: Mapping[str, FeedSpec], since: int, landing: int) -> set[str]:
    return ingestion.landed_feeds(since=since, until=landing) & set(feeds)


def _mentions(feeds: Mapping[str, FeedSpec]) -> list[tuple[FeedSpec, Mention]]:
    return [(feed, mention) for feed in feeds.values() for mention in feed.mentions]


def _choose(feeds: Mapping[str, FeedSpec], since: int, landing: int, judged_at: datetime | None) -> None:
    """Fill ``spine_ref``, ``spine_record`` and, from what stands now, ``spine_sound``."""
    landed = _landed(feeds, since, landing)
    params = {"since": since, "landing": landing}
    for feed, mention in _mentions({code: feeds[code] for code in landed}):
        changed = (
            f'(select * from pool."{feed.code}" where from_landing > %(since)s and from_landing <= %(landing)s'
            f' union all select * from pool."{feed.code}" where to_landing > %(since)s and to_landing <= %(landing)s) t'
        )
        number = reading.number_of(feed, mention)
        if mention.number:
            execute(
                f"insert into spine_ref select distinct '{mention.kind}', {number} from {changed}"
                f" where {number} is not null on conflict do nothing",
                params,
            )
        held = reading.without_number(feed, mention)
        if held != "false":
            execute(
                f"insert into spine_record select distinct '{feed.code}', t.natural_hash from {changed}"
                f" where {held} on conflict do nothing",
                params,
            )
    execute(
        "insert into spine_sound select distinct a.kind, a.sound from supervision_appearance a"
        " join spine_ref r on r.kind = a.kind and r.ref = a.subject where a.sound is not null on conflict do nothing"
    )
    execute(
        "insert into spine_sound select distinct m.kind, m.sound from supervision_mention m join spine_record r"
        " on r.feed = m.feed and r.natural_hash = m.natural_hash"
        " where m.to_landing is null and m.sound is not null on conflict do nothing"
    )
    execute(
        "insert into spine_sound select distinct kind, unnest(sounds) from supervision_identityjudgement"
        " where %(at)s::timestamptz is null or at > %(at)s or withdrawn_at > %(at)s on conflict do nothing",
        {"at": judged_at},
    )


def _tell(feeds: Mapping[str, FeedSpec], landing: int, full: bool) -> None:
    """Renew what records with a number tell, of all or of the chosen; their sounds are to be recomputed."""
    for feed, mention in _mentions(feeds):
        for frame in reading.numbered(feed, mention, landing, chosen=not full):
            copy("spine_told", frame.with_columns(kind=pl.lit(mention.kind)))
    if full:
        execute("delete from supervision_appearance")
    else:
        execute(
            "delete from supervision_appearance a using spine_ref r where r.kind = a.kind and r.ref = a.subject"
        )
    columns = f"kind, subject, {', '.join(ATTRIBUTES)}"
    execute(f"insert into supervision_appearance ({columns}) select distinct {columns} from spine_told")
    execute(
        "insert into spine_sound select distinct kind, sound from spine_told where sound is not null"
        " on conflict do nothing"
    )
    execute("analyze supervision_appearance")


def _want(feeds: Mapping[str, FeedSpec], landing: int, full: bool) -> None:
    """Fill ``spine_wanted`` with the mentions that are to be resolved: the changed ones, and all of their sounds."""
    for feed, mention in _mentions(feeds):
        for frame in reading.unnumbered(feed, mention, landing, chosen=not full):
            rows = frame.with_columns(
                kind=pl.lit(mention.kind),
                feed=pl.lit(feed.code),
                role=pl.lit(mention.role),
                natural_hash="\\x" + pl.col("natural_hash"),
                first_landing=pl.col("record_landing"),
            )
            copy("spine_wanted", rows)
    execute("create index on spine_wanted (feed, natural_hash, role); analyze spine_wanted")
    # A record keeps the landing that it was first seen at, so that corrections rename nobody.
    execute(
        "update spine_wanted w set first_landing = m.first from (select feed, natural_hash, role,"
        " min(first_landing) as first from supervision_mention group by 1, 2, 3) m"
        " where m.feed = w.feed and m.natural_hash = w.natural_hash and m.role = w.role and m.first < w.first_landing"
    )
    execute(
        "insert into spine_sound select distinct kind, sound from spine_wanted where sound is not null"
        " on conflict do nothing"
    )
    if not full:
        _bind()
        columns = (
            f"feed, role, natural_hash, county, record_landing, first_landing, kind, {', '.join(ATTRIBUTES)}"
        )
        of_sound = ", ".join(f"m.{c.strip()}" for c in columns.split(","))
        execute(
            f"insert into spine_wanted ({columns}) select {of_sound} from supervision_mention m"
            " join spine_sound s on s.kind = m.kind and s.sound = m.sound where m.to_landing is null"
            " and not exists (select 1 from spine_record r where r.feed = m.feed and r.natural_hash = m.natural_hash)"
        )
    execute("create index on spine_wanted (kind, sound); analyze spine_wanted")


def _bind() -> None:
    """Sounds that a person's word binds to a chosen one are chosen as well."""
    while execute(
        "insert into spine_sound select distinct j.kind, u.sound from supervision_identityjudgement j"
        " cross join lateral unnest(j.sounds) u(sound) where j.withdrawn_at is null and exists (select 1"
        " from spine_sound s where s.kind = j.kind and s.sound = any (j.sounds)) on conflict do nothing"
    ):
        pass


_MENTION_KEY = "feed || '/' || role || '/' || encode(natural_hash, 'hex')"


def _resolve(kind: Kind, state: IdentityState, full: bool) -> int:
    """Fill ``spine_found`` and ``spine_pair``, some sounds at a time; returns the pairs to show."""
    frequencies = frequency.current(state)
    judged, bound = _judged(kind)
    sizes = read(
        "select sound, count(*) from spine_wanted where kind = %(kind)s and sound is not null group by sound",
        {"kind": kind},
        {"sound": pl.String, "n": pl.Int64},
    )
    # Sounds that people's words bind together are resolved together; the others in the order of their names.
    told = sizes.with_columns(group=pl.col("sound").replace(bound)).sort("group", "sound")
    told = told.with_columns(part=pl.col("n").sum().over("group"))
    order = told.unique("group", maintain_order=True).with_columns(part=pl.col("part").cum_sum() // _TOGETHER)
    parts = told.select("sound", "group").join(order.select("group", "part"), on="group")
    # The other side of a judgement may have a number and another sound.
    extra = {s for s, g in bound.items() if g in set(parts["group"])}
    pairs = 0
    for (_number,), part in parts.group_by("part", maintain_order=True):
        groups = set(part["group"])
        sounds = [*part["sound"].to_list(), *(s for s in extra if bound[s] in groups)]
        nodes = _nodes(kind, sounds)
        found = tiers.resolve(kind, nodes, frequencies, judged)
        writing.stage(found)
        pairs += found.pairs.height
    nameless = _nodes(kind, None)
    if nameless.height:
        writing.stage(tiers.resolve(kind, nameless, frequencies, judged))
    return pairs


def _judged(kind: Kind) -> tuple[Judged, dict[str, str]]:
    """People's words in force, and for every sound they concern the first of those bound to it."""
    same: set[tuple[str, str]] = set()
    different: set[tuple[str, str]] = set()
    bound: dict[str, str] = {}

    def root(sound: str) -> str:
        while bound.setdefault(sound, sound) != sound:
            sound = bound[sound]
        return sound

    rows = IdentityJudgement.objects.filter(kind=kind, withdrawn_at=None).order_by("left", "right")
    for judgement in rows:
        if judgement.verdict in ("same", "different"):
            (same if judgement.verdict == "same" else different).add((judgement.left, judgement.right))
            roots = sorted({root(s) for s in judgement.sounds})
            for other in roots[1:]:
                bound[other] = roots[0]
    return Judged(frozenset(same), frozenset(different)), {s: root(s) for s in list(bound)}


def _nodes(kind: Kind, sounds: list[str] | None) -> pl.DataFrame:
    """Mentions and tellings of the sounds as nodes; null: the mentions that name nobody."""
    told = ", ".join(f"{c}::text" for c in ATTRIBUTES)
    params: dict[str, Any] = {"kind": kind, "sounds": sounds}
    of = "sound = any (%(sounds)s)" if sounds is not None else "sound is null"
    sql = f"select {_MENTION_KEY}, null::text, first_landing, {told} from spine_wanted where kind = %(kind)s and {of}"
    if sounds is not None:
        sql += (
            f" union all select 'ref/' || subject, subject::text, 0, {told} from supervision_appearance"
            f" where kind = %(kind)s and {of}"
        )
    return read(sql, params, NODE_SCHEMA)
