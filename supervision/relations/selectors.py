"""The shelf of the relations: who is near whom, within the caller's scope."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from ingestion import agreements
from ingestion import selectors as ingestion
from supervision.identity.relations import relations


@dataclass(frozen=True)
class Node:
    """A subject, ``hop`` steps from the one asked for; ``names`` as the feeds in scope write them, none when none does."""

    kind: str
    ref: str
    hop: int
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Edge:
    """``a`` and ``b`` are refs; ``via``: phone or address when they share one, else empty; by how many records of which feeds."""

    kind: str
    a: str
    b: str
    via: str
    feeds: tuple[str, ...]
    records: int


@dataclass(frozen=True)
class Neighbourhood:
    """``cut``: there are more than the bounds let through. ``crowded``: values that too many share to relate anybody."""

    nodes: list[Node]
    edges: list[Edge]
    cut: bool = False
    crowded: dict[str, int] = field(default_factory=dict)


def neighbourhood(
    kind: str, ref: str, *, hops: int = 1, most: int | None = None, landing: int | None = None
) -> Neighbourhood:
    """Who is at most ``hops`` relations away at ``landing`` (now: None), nearest first, under the open scope.

    Bounds of ``relations.yaml`` hold whatever is asked for. Raises ValueError for hops out of bounds.
    """
    said = relations()
    if not 1 <= hops <= said.bounds.hops:
        raise ValueError(f"hops: 1 至 {said.bounds.hops}，而不是 {hops}")
    room = min(most or said.bounds.nodes, said.bounds.nodes)
    at = landing if landing is not None else ingestion.last_landing()
    reached: dict[str, Node] = {ref: Node(kind, ref, 0)}
    found: dict[tuple[str, str, str, str], Edge] = {}
    crowded: dict[str, int] = {}
    edge_of, cut = [ref], False
    for hop in range(1, hops + 1):
        fresh: list[str] = []
        # One row more than there is room for tells that there are more.
        for step in _steps(edge_of, at, crowded, most=room * 20):
            other_kind, other, edge = step
            if other not in reached:
                if len(reached) > room:
                    cut = True
                    continue
                reached[other] = Node(other_kind, other, hop)
                fresh.append(other)
            known = found.get((edge.kind, edge.a, edge.b, edge.via))
            if known is None or known.records < edge.records:
                found[edge.kind, edge.a, edge.b, edge.via] = edge
        edge_of = fresh
        if not fresh:
            break
    names = _names(reached)
    nodes = [Node(n.kind, n.ref, n.hop, names.get(n.ref, ())) for n in reached.values()]
    return Neighbourhood(nodes, list(found.values()), cut, crowded)


_VISIBLE = "{0}.from_landing <= %(at)s and ({0}.to_landing is null or {0}.to_landing > %(at)s)"


def _steps(
    refs: list[str], at: int, crowded: dict[str, int], *, most: int
) -> Iterable[tuple[str, str, Edge]]:
    """(kind, ref, edge) of whoever is one relation away from one of the refs."""
    params: dict[str, Any] = {"refs": refs, "at": at, "most": most}
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            select kind, a_kind, a_ref::text, b_kind, b_ref::text, array_agg(distinct feed), count(*) from (
                select * from supervision_relation r where a_ref = any (%(refs)s::uuid[]) and b_ref is not null and {_VISIBLE.format("r")}
                union
                select * from supervision_relation r where b_ref = any (%(refs)s::uuid[]) and {_VISIBLE.format("r")}
            ) x group by 1, 2, 3, 4, 5 order by count(*) desc, 1, 3, 5 limit %(most)s
            """,
            params,
        )
        for kind, a_kind, a, b_kind, b, feeds, records in cursor.fetchall():
            edge = Edge(kind, a, b, "", tuple(feeds), records)
            if a in refs:
                yield b_kind, b, edge
            if b in refs:
                yield a_kind, a, edge
        shared = _shared(cursor, params, crowded)
        if not shared:
            return
        cursor.execute(
            f"""
            select l.kind, l.a_ref::text, r.a_kind, r.a_ref::text, split_part(l.via, ':', 1),
                array_agg(distinct r.feed), count(distinct (r.feed, r.record_id))
            from supervision_relation l join supervision_relation r on r.via = l.via and r.a_ref <> l.a_ref
            where l.a_ref = any (%(refs)s::uuid[]) and l.via = any (%(vias)s)
                and {_VISIBLE.format("l")} and {_VISIBLE.format("r")}
            group by 1, 2, 3, 4, 5 order by 7 desc, 1, 2, 4 limit %(most)s
            """,
            {**params, "vias": shared},
        )
        for kind, a, other_kind, other, via, feeds, records in cursor.fetchall():
            first, second = sorted((a, other))
            yield other_kind, other, Edge(kind, first, second, via, tuple(feeds), records)


def _shared(cursor: Any, params: dict[str, Any], crowded: dict[str, int]) -> list[str]:
    """The values of the refs that few enough hold: counted over the whole pool, not over what the caller sees."""
    caps = {value: cap.most for value, cap in relations().caps.items()}
    cursor.execute(
        "select d.via, d.holders from supervision_relation_holders(array(select distinct r.via from supervision_relation r"
        f" where r.a_ref = any (%(refs)s::uuid[]) and r.via <> '' and {_VISIBLE.format('r')}), %(at)s, %(cap)s) d",
        {**params, "cap": max(caps.values()) + 1},
    )
    kept = []
    for via, holders in cursor.fetchall():
        value = via.split(":")[0]
        if holders > caps[value]:
            crowded[value] = crowded.get(value, 0) + 1
        elif holders > 1:
            kept.append(via)
    return kept


def _names(refs: Iterable[str]) -> dict[str, tuple[str, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("select ref::text, names from supervision_naming_of(%s::uuid[])", [list(refs)])
        return {ref: tuple(names) for ref, names in cursor.fetchall()}


def readable_feeds(at: datetime) -> list[str]:
    """Feeds whose ties may be read on the day of ``at``."""
    said, on = relations(), timezone.localdate(at)
    return [
        code
        for code, ties in said.feeds.items()
        if code in ingestion.catalog()
        and agreements.check({code: set().union(*(tie.fields() for tie in ties))}, on=on).allowed
    ]


def neighbourhood_for(person: Person, kind: str, ref: str, *, at: datetime, hops: int = 1) -> Neighbourhood:
    """As ``neighbourhood``, within the person's scope. The page that calls it writes the audit row."""
    with person_scope(person, feeds=readable_feeds(at), purpose=agreements.PURPOSE):
        return neighbourhood(kind, ref, hops=hops)
