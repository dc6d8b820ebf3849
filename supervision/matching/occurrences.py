"""An occurrence keeps its clue when its name changes.

An occurrence is named by its first record (``cluster`` of a rule). A correction of that record, or an earlier one
that arrives late, renames it; a record between two occurrences makes one of them, and its removal two. Names are
therefore not what an occurrence is known by: its records are (``members``: natural hashes of the driver's rows,
which no correction of other cells changes). The driver's alone, because what it is linked to may stand behind
every occurrence of the subject.

- **Renamed**: a hit under a name that no open clue bears goes to a clue whose own name is no hit any more and which
  shares records with it: open clues first, then those that people have decided, then withdrawn ones; most shared,
  then earliest; one to one. The clue takes the new name with all its episodes, and from there all goes as if the
  occurrence had always borne it. So a decided clue (settled, dismissed, unfounded) is not raised anew by a new name:
  it returns, as ever, only as a linked episode when its material facts differ from those people decided on.
- **Joined**: a clue that is left without a hit while another clue's hit holds its records. One that a correction may
  take back is merged into the other, and comes back should they part; one in people's hands stays and says so.
- **Parted**: a clue raised, or come back, over records that another clue held says from which, and the other to which.

A sealed clue is not told of to the others: nothing is merged into it, and its number stays its own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from supervision.rulebook.load import LoadedRule

#: subject kind, subject ref, bucket
Name = tuple[str, str, str]


@dataclass(frozen=True)
class Edge:
    """A clue without a hit of its own, and a hit without an open clue, that share records."""

    clue: int
    to: Name
    shared: int
    open: bool
    #: closed by people, as against taken back by the engine
    decided: bool
    #: a (closed) clue already bears the hit's name
    named: bool


def pair(edges: Iterable[Edge]) -> dict[int, Name]:
    """Clue → the name it takes; one to one, the same whatever the order of ``edges``."""
    fit = [edge for edge in edges if edge.open or not edge.named]
    fit.sort(key=lambda e: (not e.open, not e.decided, e.named, -e.shared, e.clue, e.to))
    taken: dict[int, Name] = {}
    gone: set[Name] = set()
    for edge in fit:
        if edge.clue not in taken and edge.to not in gone:
            taken[edge.clue] = edge.to
            gone.add(edge.to)
    return taken


def share(cursor: Any, rule: LoadedRule) -> None:
    """``run_shared``: for each clue (newest episode) and changed hit of its subject, the number of records in both.

    Only of subjects where an occurrence appears or disappears. A clue from before members were kept is known by
    its evidence, whose records are read as they stood: superseded ones too.
    """
    feed = rule.sources[rule.driver].feed
    cursor.execute(
        "create temp table run_shared on commit drop as with restless as ("
        " select distinct r.subject_kind, r.subject_ref from run_changed r"
        " where r.verdict is distinct from 'hit' or r.old_verdict is distinct from 'hit' or not exists ("
        " select 1 from supervision_clue c where c.rule = %(rule)s and c.open and (c.subject_kind, c.subject_ref, c.bucket)"
        " = (r.subject_kind, r.subject_ref, r.bucket))), known as ("
        " select distinct on (c.subject_kind, c.subject_ref, c.bucket) c.id, c.subject_kind, c.subject_ref, c.bucket,"
        " c.members, c.evidence from supervision_clue c join restless using (subject_kind, subject_ref)"
        " where c.rule = %(rule)s order by c.subject_kind, c.subject_ref, c.bucket, c.episode desc), held as ("
        " select k.id, k.subject_kind, k.subject_ref, k.bucket, m.record from known k"
        " cross join lateral jsonb_array_elements_text(coalesce(k.members, (select"
        " jsonb_agg(distinct encode(p.natural_hash, 'hex')) from jsonb_array_elements(k.evidence) e"
        f" join pool.\"{feed}\" p on p.record_id = (e ->> 'record_id')::bigint where e ->> 'alias' = %(driver)s))) m(record)"
        "), found as (select r.subject_kind, r.subject_ref, r.bucket, m.record from run_changed r"
        " join restless using (subject_kind, subject_ref)"
        " cross join lateral jsonb_array_elements_text(r.members) m(record) where r.verdict = 'hit')"
        " select h.id as clue, h.bucket as was, h.subject_kind, h.subject_ref, f.bucket, count(*) as shared,"
        # Whether the clue's records are those of a hit that stood until this run.
        " exists (select 1 from run_changed r where r.old_verdict = 'hit' and (r.subject_kind, r.subject_ref, r.bucket)"
        " = (h.subject_kind, h.subject_ref, h.bucket)) as current"
        " from held h join found f using (subject_kind, subject_ref, record)"
        " group by h.id, h.subject_kind, h.subject_ref, h.bucket, f.bucket",
        {"rule": rule.id, "driver": rule.driver},
    )


def follow(cursor: Any, params: dict[str, Any]) -> None:
    """Give clues whose occurrence is renamed its new name (``run_moved``: clue, was). The clues are locked."""
    cursor.execute(
        "create temp table run_moved (clue bigint primary key, was text, now text) on commit drop;"
        " select s.clue, s.subject_kind, s.subject_ref, s.bucket, s.shared, c.open,"
        " c.state <> 'withdrawn' and not ("
        + JOINED
        + ") as decided, exists (select 1 from supervision_clue o"
        " where o.rule = %(rule)s and (o.subject_kind, o.subject_ref, o.bucket) = (s.subject_kind, s.subject_ref, s.bucket))"
        " from run_shared s join supervision_clue c on c.id = s.clue where s.bucket <> s.was"
        " and not exists (select 1 from supervision_hit h where h.rule = %(rule)s and h.verdict = 'hit'"
        " and (h.subject_kind, h.subject_ref, h.bucket) = (s.subject_kind, s.subject_ref, s.was))"
        " and not exists (select 1 from supervision_clue o where o.rule = %(rule)s and o.open"
        " and (o.subject_kind, o.subject_ref, o.bucket) = (s.subject_kind, s.subject_ref, s.bucket))",
        params,
    )
    moves = pair(
        Edge(clue, (kind, ref, bucket), shared, is_open, decided, named)
        for clue, kind, ref, bucket, shared, is_open, decided, named in cursor.fetchall()
    )
    if not moves:
        return
    cursor.execute(
        "insert into run_moved select m.clue, c.bucket, m.bucket from"
        " unnest(%(clues)s::bigint[], %(buckets)s::text[]) m(clue, bucket) join supervision_clue c on c.id = m.clue;"
        # All episodes go along, behind those of a closed clue that bears the name already.
        " update supervision_clue c set bucket = m.now, episode = c.episode + coalesce((select max(o.episode)"
        " from supervision_clue o where o.rule = c.rule and o.subject_kind = c.subject_kind"
        " and o.subject_ref = c.subject_ref and o.bucket = m.now), 0)"
        " from run_moved m join supervision_clue n on n.id = m.clue where c.rule = %(rule)s"
        " and (c.subject_kind, c.subject_ref, c.bucket) = (n.subject_kind, n.subject_ref, n.bucket);"
        " insert into supervision_clueevent (clue_id, at, actor, kind, from_state, to_state, note, detail)"
        " select c.id, %(at)s, %(engine)s, 'moved', c.state, c.state, '', jsonb_build_object('landing', %(landing)s::bigint,"
        " 'before', m.was, 'after', m.now) from run_moved m join supervision_clue c on c.id = m.clue order by c.id",
        {**params, "clues": list(moves), "buckets": [name[2] for name in moves.values()]},
    )


#: Of a merged clue ``c``: merged by ``join``, not by a person.
JOINED = (
    "c.state = 'merged' and coalesce((select e.kind from supervision_clueevent e where e.clue_id = c.id"
    " and e.to_state = 'merged' and e.from_state <> 'merged' order by e.id desc limit 1), '') = 'joined'"
)


def find_joined(cursor: Any, params: dict[str, Any]) -> None:
    """``run_joined``: open clues left without a hit → the open clue whose hit holds most of their records."""
    cursor.execute(
        "create temp table run_joined on commit drop as select distinct on (k.id) k.id as clue, o.id as other,"
        " o.number as told, case when not c.sealed then c.number end as number"
        " from run_clue k join run_changed r using (subject_kind, subject_ref, bucket)"
        " join supervision_clue c on c.id = k.id join run_shared s on s.clue = k.id"
        " join supervision_clue o on o.rule = %(rule)s and o.open and not o.sealed"
        " and (o.subject_kind, o.subject_ref, o.bucket) = (s.subject_kind, s.subject_ref, s.bucket)"
        " where r.verdict is distinct from 'hit' and k.state <> all(%(closed)s)"
        " order by k.id, s.shared desc, o.id",
        params,
    )


def join(cursor: Any, params: dict[str, Any]) -> int:
    """Merge the joined clues that a correction may take back, and tell both sides; returns how many were merged."""
    cursor.execute(
        "with merged as (update supervision_clue c set state = 'merged', merged_into_id = j.other, supported = false,"
        " version = c.version + 1, landing = %(landing)s from run_joined j join run_clue k on k.id = j.clue"
        " where c.id = j.clue and k.state = any(%(withdrawable)s)"
        " and not exists (select 1 from supervision_letter l where l.clue_id = c.id) returning c.id),"
        " told as (insert into supervision_clueevent (clue_id, at, actor, kind, from_state, to_state, note, detail)"
        " select k.id, %(at)s, %(engine)s, 'joined', k.state, case when m.id is null then k.state else 'merged' end, '',"
        " jsonb_build_object('landing', %(landing)s::bigint, 'into', j.told)"
        " from run_joined j join run_clue k on k.id = j.clue left join merged m on m.id = k.id order by k.id)"
        " insert into supervision_clueevent (clue_id, at, actor, kind, from_state, to_state, note, detail)"
        " select o.id, %(at)s, %(engine)s, 'took_in', o.state, o.state, '',"
        " jsonb_build_object('landing', %(landing)s::bigint, 'clue', j.number)"
        " from run_joined j join supervision_clue o on o.id = j.other where j.number is not null order by j.clue;"
        " select count(*) from run_joined j join supervision_clue c on c.id = j.clue where c.state = 'merged'",
        params,
    )
    return int(cursor.fetchone()[0])


def tell_parted(cursor: Any, params: dict[str, Any], fresh: list[int]) -> None:
    """Clues just raised or come back over another clue's records: both say so."""
    cursor.execute(
        "with parted as (select distinct on (c.id) c.id, c.state, p.id as other, p.state as other_state,"
        " case when not c.sealed then c.number end as number, case when not p.sealed then p.number end as told"
        " from supervision_clue c join run_shared s on (s.subject_kind, s.subject_ref, s.bucket)"
        " = (c.subject_kind, c.subject_ref, c.bucket) join supervision_clue p on p.id = s.clue"
        " where c.id = any(%(fresh)s) and s.current and p.bucket <> c.bucket and p.rule = %(rule)s"
        " order by c.id, s.shared desc, p.id),"
        " here as (insert into supervision_clueevent (clue_id, at, actor, kind, from_state, to_state, note, detail)"
        " select id, %(at)s, %(engine)s, 'parted_from', state, state, '',"
        " jsonb_build_object('landing', %(landing)s::bigint, 'clue', told) from parted where told is not null order by id)"
        " insert into supervision_clueevent (clue_id, at, actor, kind, from_state, to_state, note, detail)"
        " select other, %(at)s, %(engine)s, 'parted', other_state, other_state, '',"
        " jsonb_build_object('landing', %(landing)s::bigint, 'clue', number) from parted where number is not null"
        " order by id",
        {**params, "fresh": fresh},
    )
