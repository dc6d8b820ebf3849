"""Writes what a run found: versions of mentions, keys and what became of them, pairs to look at, touches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import polars as pl

from supervision.identity.tiers import ATTRIBUTES, Resolved
from supervision.spine.stage import copy, execute, read

_SAME_RECORD = "m.feed = w.feed and m.role = w.role and m.natural_hash = w.natural_hash"
_VALUES = (
    "county", "record_landing", "first_landing", "kind", *ATTRIBUTES, "subject", "tier", "score", "reasons",
)  # fmt: skip


@dataclass(frozen=True)
class Written:
    """Mentions that changed, keys that merged and split, the landing that tells of it (null: nothing changed)."""

    changed: int
    merged: int
    split: int
    landing: int | None


def stage(found: Resolved) -> None:
    """Put one part's result beside the others'."""
    parts = (
        found.mentions["key"]
        .str.split_exact("/", 2)
        .struct.rename_fields(["feed", "role", "hash"])
        .struct.unnest()
    )
    copy(
        "spine_found",
        found.mentions.drop("key").with_columns(
            feed=parts["feed"], role=parts["role"], natural_hash="\\x" + parts["hash"]
        ),
    )
    copy("spine_pair", found.pairs.rename({"left": "left_key", "right": "right_key"}))


def write(*, full: bool, at: datetime) -> Written:
    """Bring the tables in line with what was staged."""
    execute("create index on spine_found (feed, natural_hash, role); analyze spine_found")
    # Read anew below the landing: what a run takes out of another transaction's sight it must not end.
    within = (
        ""
        if full
        else (
            " and (exists (select 1 from spine_record r where r.feed = m.feed and r.natural_hash = m.natural_hash)"
            " or exists (select 1 from spine_sound s where s.kind = m.kind and s.sound = m.sound))"
        )
    )
    columns = ", ".join(f"w.{c}" for c in _VALUES[:-4])
    execute(
        "create temp table spine_final on commit drop as select w.feed, w.role, w.natural_hash,"
        f" {columns}, f.subject, f.tier::varchar as tier, f.score, f.reasons from spine_wanted w"
        " join spine_found f on f.feed = w.feed and f.role = w.role and f.natural_hash = w.natural_hash"
    )
    old, new = (", ".join(f"{t}.{c}" for c in _VALUES) for t in ("m", "w"))
    execute(
        "create temp table spine_change on commit drop as"
        " select m.id, w.feed, w.role, w.natural_hash, coalesce(m.kind, w.kind) as kind, m.subject as old, w.subject as new,"
        " m.id is null or w.feed is null or m.subject <> w.subject or m.tier <> w.tier"
        "  or m.record_landing <> w.record_landing as telling"
        " from (select * from supervision_mention m where m.to_landing is null" + within + ") m"
        f" full join spine_final w on {_SAME_RECORD}"
        f" where m.id is null or w.feed is null or ({old}) is distinct from ({new})"
    )
    changed = int(read("select count(*) from spine_change", {}, {"n": pl.Int64})["n"][0])
    landing = None
    merged = split = 0
    if changed:
        landing = int(
            read("select supervision_derived_landing('identity', %(at)s)", {"at": at}, {"n": pl.Int64})["n"][
                0
            ]
        )
        _versions(landing)
        merged, split = _keys(landing, at)
        execute(
            "insert into ingestion_touch (landing, feed, kind, ref, cause) select distinct %(landing)s::bigint, '', c.kind,"
            " s.ref::text, 'identity' from spine_change c cross join lateral (values (c.old), (c.new)) s(ref)"
            " where c.telling and s.ref is not null",
            {"landing": landing},
        )
    _pairs(full)
    return Written(changed, merged, split, landing)


def _versions(landing: int) -> None:
    execute(
        "update supervision_mention m set to_landing = %(landing)s from spine_change c where c.id = m.id",
        {"landing": landing},
    )
    columns = ", ".join(("feed", "role", "natural_hash", *_VALUES))
    execute(
        f"insert into supervision_mention ({columns}, from_landing) select {columns}, %(landing)s"
        " from spine_final w where exists (select 1 from spine_change c where c.feed = w.feed and c.role = w.role"
        " and c.natural_hash = w.natural_hash)",
        {"landing": landing},
    )


def _keys(landing: int, at: datetime) -> tuple[int, int]:
    """Merges, splits and the profiles of the subjects concerned; old keys lead to the present ones."""
    execute(
        "create temp table spine_move on commit drop as"
        " select c.kind, c.old, c.new, count(*) as members, count(*) over (partition by c.old) as ways,"
        " exists (select 1 from supervision_mention m where m.subject = c.old and m.to_landing is null)"
        "  or exists (select 1 from supervision_appearance a where a.subject = c.old) as lives"
        " from spine_change c where c.old is not null and c.new is not null and c.old <> c.new"
        " group by c.kind, c.old, c.new"
    )
    execute(
        "insert into supervision_subjectevent (subject, other, kind, landing, at, reason)"
        " select old, new, case when not lives and ways = 1 then 'merged' else 'split' end, %(landing)s, %(at)s, ''"
        " from spine_move",
        {"landing": landing, "at": at},
    )
    execute(
        "create temp table spine_concerned on commit drop as select distinct c.kind, s.ref from spine_change c"
        " cross join lateral (values (c.old), (c.new)) s(ref) where s.ref is not null"
    )
    execute(
        "insert into supervision_subject (key, kind, tier, names, births, merged_into)"
        " select k.ref, k.kind, coalesce(min(t.tier), ''),"
        " coalesce(array_agg(distinct t.name order by t.name) filter (where t.name is not null), '{}'),"
        " coalesce(array_agg(distinct t.birth order by t.birth) filter (where t.birth is not null), '{}'), null"
        " from spine_concerned k left join lateral (select 'A'::varchar as tier, name, birth from supervision_appearance a"
        "  where a.subject = k.ref union all select nullif(tier, ''), name, birth from supervision_mention m"
        "  where m.subject = k.ref and m.to_landing is null) t on true group by k.ref, k.kind"
        " on conflict (key) do update set tier = excluded.tier, births = excluded.births, merged_into = null,"
        " names = case when excluded.names = '{}' then supervision_subject.names else excluded.names end"
    )
    execute(
        "update supervision_subject s set merged_into = m.new from (select distinct on (old) old, new from spine_move"
        " where not lives order by old, members desc, new) m where m.old = s.key"
    )
    frame = read(
        "select count(*) filter (where not lives and ways = 1), count(*) filter (where lives or ways > 1) from spine_move",
        {},
        {"merged": pl.Int64, "split": pl.Int64},
    )
    return int(frame["merged"][0]), int(frame["split"][0])


def _pairs(full: bool) -> None:
    execute(
        "delete from supervision_identitypair p"
        + ("" if full else " using spine_sound s where s.kind = p.kind and s.sound = p.sound")
    )
    execute(
        "create temp table spine_key on commit drop as select feed || '/' || role || '/' || encode(natural_hash, 'hex') as key,"
        " kind, sound, subject, county, feed from spine_final"
    )
    execute("create index on spine_key (key); analyze spine_key")
    execute(
        'insert into supervision_identitypair (kind, sound, "left", "right", left_subject, right_subject, counties, feeds,'
        " score, reasons) select coalesce(a.kind, b.kind), coalesce(a.sound, b.sound), p.left_key, p.right_key,"
        " coalesce(a.subject, substr(p.left_key, 5)::uuid), coalesce(b.subject, substr(p.right_key, 5)::uuid),"
        " array(select distinct c from unnest(array[a.county, b.county]) c where c is not null),"
        " array(select distinct f from unnest(array[a.feed, b.feed]) f where f is not null), p.score, p.reasons"
        " from spine_pair p left join spine_key a on a.key = p.left_key left join spine_key b on b.key = p.right_key"
        " where coalesce(a.kind, b.kind) is not null on conflict do nothing"
    )
