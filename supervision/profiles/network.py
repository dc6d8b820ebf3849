"""Who stands near the subject of a recorded query: bounded steps along relations that records tell, each with its sources."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.kit import mask
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.catalog.spec import Words
from supervision.identity.relations import relations
from supervision.models import Clue, PoolQuery
from supervision.profiles import queries
from supervision.profiles.profile import knowing, of_subject
from supervision.profiles.records import same
from supervision.relations.selectors import neighbourhood_for

#: clues named beside a node
_CLUES = 3


@dataclass(frozen=True)
class Node:
    """``number`` is its place in the table and in the drawing; 0 is the subject asked for."""

    number: int
    kind: str
    hop: int
    name: str
    clues: tuple[str, ...]
    #: how many of the shown relations end here
    degree: int


@dataclass(frozen=True)
class Tie:
    """One relation between nodes ``a`` and ``b``: its kind in words, what both share, by how many records of which feeds."""

    number: int
    a: int
    b: int
    kind: str
    words: Words
    #: phone, address or ""
    via: str
    feeds: tuple[Words, ...]
    records: int


@dataclass(frozen=True)
class Network:
    """``cut``: more than the bounds let through. ``crowded``: values that too many share to relate anybody."""

    query: PoolQuery
    place: int
    hops: int
    most_hops: int
    most_nodes: int
    nodes: tuple[Node, ...]
    ties: tuple[Tie, ...]
    cut: bool
    crowded: dict[str, int]
    caps: dict[str, int]
    as_of: datetime


def network(person: Person, code: UUID, place: int, hops: int, *, at: datetime) -> Network | None:
    """The relations of a subject of one's own query within ``hops`` (held to the bounds); None where there is none.

    Raises ``NotRecorded`` when the query's time or basis has gone. Each look leaves an audit row with the purpose.
    """
    said = relations()
    hops = min(max(hops, 1), said.bounds.hops)
    with person_scope(person):
        query = queries.standing(person, code, at=at)
        if query is None or not 0 <= place < len(query.subjects):
            return None
        named, _ = knowing(person, query)
    kind, ref = query.subjects[place]["kind"], same(query.subjects[place]["ref"])
    _, own_names = of_subject(person, kind, ref, at=at)
    near = neighbourhood_for(person, kind, ref, at=at, hops=hops)
    with person_scope(person, purpose=agreements.PURPOSE):
        record(
            at=at, actor=person.username, office=person.office_id, action="network.read", object_kind="pool_query",
            object_ref=str(query.code), reason=query.reason,
            detail={
                "basis": query.basis, "clue": query.clue.number if query.clue else "", "case": query.case_number,
                "subject": ref, "hops": hops, "nodes": [n.ref for n in near.nodes],
            },
        )  # fmt: skip
        clues: dict[str, list[str]] = {}
        told = Clue.objects.filter(subject_ref__in=[n.ref for n in near.nodes]).order_by("-pk")
        for of, number in told.values_list("subject_ref", "number")[: 200 * _CLUES]:
            clues.setdefault(of, []).append(number)
    numbers = {n.ref: i for i, n in enumerate(near.nodes)}
    degree = dict.fromkeys(numbers, 0)
    edges = sorted(
        (e for e in near.edges if e.a in numbers and e.b in numbers),
        key=lambda e: (*sorted((numbers[e.a], numbers[e.b])), e.kind, e.via),
    )
    for edge in edges:
        degree[edge.a] += 1
        degree[edge.b] += 1
    nodes = []
    for node in near.nodes:
        names = node.names or (own_names if node.ref == ref else ())
        name = names[0] if names else ""
        if name and node.kind == "person" and not named:
            name = mask.person_name(name)
        nodes.append(
            Node(
                numbers[node.ref],
                node.kind,
                node.hop,
                name,
                tuple(clues.get(node.ref, ())[:_CLUES]),
                degree[node.ref],
            )
        )
    catalog = ingestion.catalog()
    ties: list[Tie] = []
    for edge in edges:
        if edge.kind not in said.kinds:
            continue
        first, second = sorted((numbers[edge.a], numbers[edge.b]))
        words = Words(zh=said.kinds[edge.kind].zh, en=said.kinds[edge.kind].en)
        feeds = tuple(catalog[f].title for f in sorted(edge.feeds) if f in catalog)
        ties.append(Tie(len(ties) + 1, first, second, edge.kind, words, edge.via, feeds, edge.records))
    caps: dict[str, int] = {value: cap.most for value, cap in said.caps.items()}
    return Network(
        query,
        place,
        hops,
        said.bounds.hops,
        said.bounds.nodes,
        tuple(nodes),
        tuple(ties),
        near.cut,
        near.crowded,
        caps,
        at,
    )
