"""Whatever is corrected, added, removed and decided: clues follow their occurrences as a plain reading says.

The reading (``_Desk``) knows rows, hits and clues as Python values and nothing of how the engine stores or finds them;
what is a hit comes from the rules' reference interpreter.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest

from supervision.matching.occurrences import Edge, pair
from supervision.matching.run import run_rule
from supervision.models import Clue, ClueEvent
from supervision.selectors import rulebook
from tests.conftest import acting_as, empty_tables
from tests.prefecture import NOW, SHANGHAI, TODAY, agreements, decided, land_rows, patrol
from tests.supervision.rulebook import interpreter

RULE = "river_rubbish"
_DECIDED = {"dismissed", "unfounded", "settled"}
_CLOSED = {*_DECIDED, "merged", "withdrawn"}


@dataclass(frozen=True)
class _Hit:
    members: frozenset[tuple[str, str]]
    facts: tuple[tuple[str, Any], ...]
    rows: tuple[tuple[tuple[str, str], ...], ...]


@dataclass
class _Clue:
    bucket: str
    hit: _Hit
    episode: int = 1
    previous: int | None = None
    state: str = "raised"
    supported: bool = True
    into: int | None = None
    by_engine: bool = False
    marks: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    members: frozenset[tuple[str, str]] = frozenset()

    @property
    def open(self) -> bool:
        return self.state not in _CLOSED

    @property
    def taken_back(self) -> bool:
        return self.state == "withdrawn" or self.by_engine


class _Desk:
    """What clues there must be after each run."""

    def __init__(self) -> None:
        self.clues: list[_Clue] = []
        self.hits: dict[str, _Hit] = {}

    def at(self, bucket: str) -> _Clue | None:
        return max((c for c in self.clues if c.bucket == bucket), key=lambda c: c.episode, default=None)

    def run(self, hits: dict[str, _Hit]) -> None:
        before, self.hits = self.hits, hits
        changed = [b for b in sorted(hits) if before.get(b) != hits[b]]
        newest = [c for c in self.clues if self.at(c.bucket) is c]
        # Held by a hit that stood until now and is no longer what it was.
        held = {id(c): c.bucket in before and before[c.bucket] != hits.get(c.bucket) for c in newest}
        shared = {(id(c), b): len(c.members & hits[b].members) for c in newest for b in changed}
        moved = self._rename(newest, changed, shared)
        joined = {
            id(c): max(others, key=lambda o: (shared[id(c), o.bucket], -self.clues.index(o)))
            for c in self.clues
            if c.open and self.at(c.bucket) is c and c.bucket not in hits and c.bucket in before
            if (others := [o for b in changed if shared.get((id(c), b)) and (o := self.at(b)) and o.open])
        }
        fresh: list[_Clue] = []
        for bucket in changed:
            clue = self.at(bucket)
            if clue is not None:
                self._follow(clue, hits[bucket], id(clue) in moved, fresh)
        for clue in [c for b in before if b not in hits and (c := self.at(b)) and c.open]:
            self._lose(clue, joined.get(id(clue)))
        for bucket in changed:
            clue = self.at(bucket)
            if clue is None or (clue.state in _DECIDED and clue.hit.facts != hits[bucket].facts):
                born = _Clue(bucket, hits[bucket], members=hits[bucket].members)
                born.kinds["raised"] += 1
                if clue:
                    born.episode, born.previous = clue.episode + 1, self.clues.index(clue)
                self.clues.append(born)
                fresh.append(born)
        for clue in fresh:
            parents = [p for p in newest if held[id(p)] and p.bucket != clue.bucket]
            parents = [p for p in parents if shared.get((id(p), clue.bucket))]
            if parents:
                parent = max(parents, key=lambda p: (shared[id(p), clue.bucket], -self.clues.index(p)))
                clue.kinds["parted_from"] += 1
                parent.kinds["parted"] += 1

    def _rename(
        self, newest: list[_Clue], changed: list[str], shared: dict[tuple[int, str], int]
    ) -> set[int]:
        stray = [c for c in newest if c.bucket not in self.hits]
        free = [b for b in changed if not ((c := self.at(b)) and c.open)]
        moved: set[int] = set()
        while True:
            fitting = [
                ((not c.open, c.taken_back, self.at(b) is not None, -n, self.clues.index(c), b), c, b)
                for c in stray
                for b in free
                if (n := shared[id(c), b]) and (c.open or self.at(b) is None)
            ]
            if not fitting:
                break
            _, clue, bucket = min(fitting, key=lambda f: f[0])
            stray.remove(clue)
            free.remove(bucket)
            last, was = (top.episode if (top := self.at(bucket)) else 0), clue.bucket
            for one in [c for c in self.clues if c.bucket == was]:
                one.bucket, one.episode = bucket, one.episode + last
            clue.kinds["moved"] += 1
            moved.add(id(clue))
        return moved

    def _follow(self, clue: _Clue, hit: _Hit, moved: bool, fresh: list[_Clue]) -> None:
        clue.members = hit.members
        if clue.taken_back:
            clue.state, clue.into, clue.by_engine, clue.supported, clue.hit = "raised", None, False, True, hit
            clue.kinds["raised"] += 1
            fresh.append(clue)
        elif clue.open:
            if clue.state != "raised" and (moved or hit.facts != clue.hit.facts):
                clue.marks += 1
                clue.kinds["source_changed"] += 1
            clue.hit, clue.supported = hit, True

    def _lose(self, clue: _Clue, other: _Clue | None) -> None:
        clue.supported = False
        if other is not None:
            clue.kinds["joined"] += 1
            other.kinds["took_in"] += 1
        if clue.state != "raised":
            clue.marks += 1
            clue.kinds["source_changed"] += 1
        elif other is not None:
            clue.state, clue.into, clue.by_engine = "merged", self.clues.index(other), True
        else:
            clue.state = "withdrawn"
            clue.kinds["withdrawn"] += 1


def _read(rows: list[dict[str, str]]) -> dict[str, _Hit]:
    """The hits of the rows by the interpreter."""
    given = [
        {
            **{k: row[k] for k in ("patrol_id", "problem_id", "river_code", "river_name", "problem_type", "status")},
            "found_time": datetime.strptime(row["found_time"], "%Y-%m-%d %H:%M").replace(tzinfo=SHANGHAI),
            "lon": float(row["lon"]), "lat": float(row["lat"]), "reopen_count": int(row["reopen_count"]),
        }
        for row in rows
    ]  # fmt: skip
    found = interpreter.run(rulebook()[RULE], {"wr_river_patrol": given}, as_of=TODAY, covers={})
    hits = {}
    for (_, bucket), result in found.items():
        if result["verdict"] == "hit":
            true = [c["patrol"] for truth, c in result["rows"] if truth]
            hits[bucket] = _Hit(
                frozenset((r["patrol_id"], r["problem_id"]) for r in true),
                tuple(sorted((k, str(v)) for k, v in result["measures"].items())),
                tuple(sorted(tuple(sorted((k, str(v)) for k, v in r.items())) for r in true)),
            )
    return hits


_PLACES = ["101.5000", "101.5015", "101.5030", "101.5045"]


def _sighting(draw: random.Random, serial: int) -> dict[str, str]:
    row = patrol(serial, "2026-11-01", draw.choice(_PLACES), reopened=draw.choice(["0", "0", "2"]))
    return row | _when(draw)


def _when(draw: random.Random) -> dict[str, str]:
    at = datetime(2026, 11, 1, 8) + timedelta(hours=draw.randrange(160))
    return {"found_time": f"{at:%Y-%m-%d %H:%M}"}


def _tamper(draw: random.Random, rows: list[dict[str, str]], serial: int) -> int:
    """One correction, addition or removal."""
    kind = draw.choice(["add", "add", "remove", "time", "place", "number", "cleared"])
    if kind == "add" or len(rows) < 4:
        rows.append(_sighting(draw, serial))
        return serial + 1
    index = draw.randrange(len(rows))
    if kind == "remove":
        del rows[index]
        return serial
    rows[index] = (
        rows[index]
        | {
            "time": _when(draw),
            "place": {"lon": draw.choice(_PLACES)},
            "number": {"problem_id": f"WT{draw.randint(0, 999):04d}{serial}"},
            "cleared": {"status": draw.choice(["已整改", "处理中"])},
        }[kind]
    )
    return serial + 1


def _decide(draw: random.Random, desk: _Desk, ids: list[int]) -> None:
    """Somebody takes a clue up or closes it."""
    choice = [i for i, c in enumerate(desk.clues) if c.open]
    if not choice:
        return
    index = draw.choice(choice)
    clue, how = (
        desk.clues[index],
        draw.choice(["checking", "checking", "dismissed", "unfounded", "settled", "merged"]),
    )
    change: dict[str, Any] = {"state": how} | decided(how)
    if how == "merged":
        others = [i for i in choice if i != index]
        if not others:
            return
        clue.into = draw.choice(others)
        change["merged_into_id"] = ids[clue.into]
        ClueEvent.objects.using("owner").create(
            clue_id=ids[index], at=NOW, actor="演示", kind="merge", from_state=clue.state, to_state=how
        )
        clue.kinds["merge"] += 1
    clue.state = how
    Clue.objects.using("owner").filter(pk=ids[index]).update(**change)


def _stored() -> tuple[list[int], list[tuple[Any, ...]]]:
    clues = list(Clue.objects.using("owner").order_by("id"))
    place = {clue.pk: i for i, clue in enumerate(clues)}
    kinds: dict[int, Counter[str]] = {clue.pk: Counter() for clue in clues}
    for clue_id, kind in ClueEvent.objects.using("owner").values_list("clue_id", "kind"):
        kinds[clue_id][kind] += 1
    return [c.pk for c in clues], [
        (c.bucket, c.episode, place.get(c.previous_id), c.state, c.supported, place.get(c.merged_into_id),
         len(c.source_changes), len(c.members), c.material["sightings"], kinds[c.pk])
        for c in clues
    ]  # fmt: skip


def _wanted(desk: _Desk) -> list[tuple[Any, ...]]:
    return [
        (c.bucket, c.episode, c.previous, c.state, c.supported, c.into, c.marks, len(c.members),
         int(dict(c.hit.facts)["sightings"]), c.kinds)
        for c in desk.clues
    ]  # fmt: skip


def _nothing_doubled_or_lost(desk: _Desk) -> None:
    """Whatever the reading says of the way there."""
    at_work = [c for c in desk.clues if c.open and c.supported]
    records = Counter(record for c in at_work for record in c.members)
    assert max(records.values(), default=0) <= 1
    assert {c.bucket for c in at_work} <= set(desk.hits)
    for bucket, hit in desk.hits.items():
        clue = desk.at(bucket)
        assert clue is not None
        assert clue.members == hit.members
        decided = clue.state in _DECIDED and clue.hit.facts == hit.facts
        assert (clue.open and clue.supported) or decided or (clue.state == "merged" and not clue.by_engine)


@pytest.fixture
def untriaged(monkeypatch):
    """The rule as if its clues went to triage: no direct delivery."""
    rule = rulebook()[RULE]
    plain = rule.model_copy(update={"route": rule.route.model_copy(update={"direct": False})})
    monkeypatch.setitem(rulebook(), RULE, plain)


def test_clues_follow_their_occurrences_in_any_world(database, untriaged):
    drawn = random.SystemRandom().randrange(10**9)
    print("drawn seed", drawn)
    seen: Counter[str] = Counter()
    for seed in (1, 2, drawn):
        empty_tables()
        agreements()
        _world(random.Random(seed), seen if seed != drawn else Counter(), f"seed {seed}")
    # Worlds in which these never happen would test nothing.
    assert min(seen[kind] for kind in ("moved", "joined", "took_in", "parted", "parted_from")) > 0, seen


def _world(draw: random.Random, seen: Counter[str], name: str) -> None:
    desk, serial = _Desk(), 6
    rows = [_sighting(draw, i) for i in range(serial)]
    for step in range(14):
        land_rows("wr_river_patrol", rows, snapshot=True)
        with acting_as("worker"):
            run_rule(RULE, at=NOW, as_of=TODAY, full=draw.random() < 0.2)
            if draw.random() < 0.3:
                again = run_rule(RULE, at=NOW, as_of=TODAY, full=True)
                assert (again.changed, again.raised, again.withdrawn, again.source_changed) == (0, 0, 0, 0)
        desk.run(_read(rows))
        _nothing_doubled_or_lost(desk)
        ids, stored = _stored()
        assert stored == _wanted(desk), f"{name}, step {step}"
        for _ in range(draw.randrange(3)):
            _decide(draw, desk, ids)
        for _ in range(draw.randint(1, 3)):
            serial = _tamper(draw, rows, serial)
    for clue in desk.clues:
        seen.update(clue.kinds)


def test_pairing_is_one_to_one_and_the_same_in_any_order():
    drawn = random.SystemRandom().randrange(10**9)
    print("drawn seed", drawn)
    draw = random.Random(drawn)
    for _ in range(200):
        edges = [
            Edge(
                clue,
                ("place", "R1", f"B{bucket}"),
                draw.randint(1, 3),
                clue % 2 == 0,
                clue % 3 == 0,
                bucket % 2 == 0,
            )
            for clue in range(draw.randint(1, 5))
            for bucket in range(draw.randint(1, 5))
            if draw.random() < 0.7
        ]
        taken = pair(edges)
        assert len(set(taken.values())) == len(taken)
        assert pair(draw.sample(edges, len(edges))) == taken
        for edge in edges:
            # Nothing is left over that could still be paired.
            fits = edge.open or not edge.named
            assert not fits or edge.clue in taken or edge.to in taken.values()
