"""One rule, one landing, four readings: kept up subject by subject, computed at once, by DuckDB, by the interpreter."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.utils import timezone

from chuxiong.accounts.scope import scope
from ingestion.mirror import writing
from ingestion.mirror.tables import FURTHER
from ingestion.selectors import catalog
from supervision.matching import engines
from supervision.matching.compare import side_by_side
from supervision.matching.run import choose_subjects, reach_of, replace_hits
from supervision.models import RuleState
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.operators import OPERATORS
from supervision.rulebook.spec import RuleSpec
from supervision.selectors import rulebook
from tests.conftest import acting_as
from tests.supervision.matching.landings import World, landed
from tests.supervision.rulebook import interpreter
from tests.supervision.rulebook.pool import ref
from tests.supervision.rulebook.test_engine import (
    _as_stored,
    _random_rows,
    _thick_readings,
    _thick_sightings,
)
from tests.supervision.rulebook.test_operators import (
    LEAVES,
    LINKS,
    MENTION,
    WHOLES,
    WITHOUT,
    make_rule,
    make_world,
)

RULES = sorted(rulebook())
#: what a hit says; when the coverage that it shows was learnt is not part of it
_TRUTHS = (
    "(select jsonb_agg(jsonb_build_array(c -> 'id', c -> 'truth')) from jsonb_array_elements(conditions) c)"
)
_FACTS = (
    f"subject_kind, subject_ref, bucket, verdict, level, county, material, {_TRUTHS} as conditions, evidence,"
)
_HITS = f"select {_FACTS} next_due, members from"

_WAYS: dict[str, dict[str, Any]] = {
    "relation": {"by": "relation", "left": "acc.citizen_id", "right": "twin.citizen_id", "kinds": ["household"]},
    "two steps": {"by": "relation", "left": "acc.citizen_id", "right": "twin.citizen_id", "kinds": ["household"],
                  "hops": 2},
    "mention": {"by": "identity", "left": "acc.citizen_id", "right": "twin.citizen_id", "tier": "C",
                "left_role": "party", "right_role": "party"},
    "mention or none": {"by": "identity", "left": "acc.citizen_id", "right": "dead.citizen_id", "tier": "D",
                        "left_role": "party", "optional": True},
}  # fmt: skip
_DEAD = {"by": "identity", "left": "acc.citizen_id", "right": "dead.citizen_id", "optional": True}


@pytest.fixture
def draw(request) -> random.Random:
    seed = random.SystemRandom().randrange(2**32)
    print("drawn seed", request.node.name, seed)
    return random.Random(seed)


def mirror(feeds: set[str]) -> None:
    with acting_as("worker"):
        for name in (*sorted(feeds), *FURTHER):
            writing.bring_up(name, catalog(), at=timezone.now(), rebuild=name not in FURTHER)


def agree(rule: Any, world: World, days: tuple[date, date], read: dict[tuple[str, str], Any]) -> int:
    """How many results all four have; fails with the rule and what differs."""
    with acting_as("worker"):
        plan, reach = compile_rule(rule, catalog()), reach_of(rule)
        covers = [{f"covers_{f}": told.get(f) for f in plan.feeds_absent} for told in world.covers]
        with transaction.atomic():
            with (
                scope(offices=reach.offices, feeds=plan.fields_read, purpose=reach.purpose, department=reach.department),
                connection.cursor() as cursor,
            ):  # fmt: skip
                cursor.execute("delete from supervision_hit where rule = %s", [rule.id])
                first = {"landing": 1, "as_of": days[0], **covers[0]}
                engines.evaluate(cursor, plan, first, None)
                replace_hits(cursor, rule.id, 1, complete=True)
                cursor.execute("drop table run_result; drop table run_changed")
                params = {"landing": world.last, "as_of": days[1], **covers[1]}
                state = RuleState(rule=rule.id, landing=1, as_of=days[0])
                if choose_subjects(cursor, plan, rule.id, state, world.last, days[1]):
                    engines.evaluate(cursor, plan, params, None, scope="subjects")
                    replace_hits(cursor, rule.id, world.last, complete=False)
                    cursor.execute("drop table run_result; drop table run_changed")
                engines.evaluate(cursor, plan, params, None, name="run_whole")
                with engines.columns(
                    plan, reach, landing=world.last, memory_mb=512, bring_up=False, threads=1
                ) as duck:
                    engines.evaluate(cursor, plan, params, duck, name="run_other")
                other = side_by_side(cursor, "run_whole", "run_other")
                cursor.execute(
                    f"create temp table run_kept as {_HITS} supervision_hit where rule = %(rule)s;"
                    f" create temp table run_facts as {_HITS} run_whole",
                    {"rule": rule.id},
                )
                kept = side_by_side(cursor, "run_facts", "run_kept")
                cursor.execute("select subject_ref, bucket, verdict, level from run_whole")
                compiled = {
                    (ref_, bucket): (verdict, level) for ref_, bucket, verdict, level in cursor.fetchall()
                }
            transaction.set_rollback(True)
    told = rule.model_dump_json(include={"id", "when", "link", "without", "score", "measures", "having"})
    assert not (other["only_a"] or other["only_b"] or other["different"]), ("DuckDB", other, told)
    assert not (kept["only_a"] or kept["only_b"] or kept["different"]), ("kept up", kept, told)
    assert compiled == {key: (r["verdict"], r["level"]) for key, r in read.items()}, ("interpreter", told)
    return len(compiled)


def _shipped(draw: random.Random, told: Counter[str]) -> None:
    """One world for all shipped rules, from the values of their stored tests."""
    rules = [rulebook()[rule_id] for rule_id in draw.sample(RULES, len(RULES))]
    rows: dict[str, list[dict[str, Any]]] = {}
    for rule in rules:
        for feed, made in _random_rows(draw, rule).items():
            rows.setdefault(feed, []).extend(made)
    rows = {feed: draw.sample(made, min(len(made), 16)) for feed, made in rows.items()}
    if draw.random() < 0.5:
        rows |= _thick_readings(draw) | _thick_sightings(draw)
    world = landed(draw, rows)
    absent = set().union(*(compile_rule(rule, catalog()).feeds_absent for rule in rules))
    before: dict[str, date | None] = {f: draw.choice([None, date(2026, 6, 1)]) for f in sorted(absent)}
    # Coverage moves by a landing of the feed alone.
    after = {
        f: draw.choice([day, date(2027, 6, 1)]) if f in world.feeds else day for f, day in before.items()
    }
    world.covers = (before, after)
    first = date(2026, draw.randint(1, 12), draw.randint(1, 28))
    days = (first, first + timedelta(days=draw.choice([0, 0, 1, 90])))
    mirror(set(catalog()))
    for rule in rules:
        found = interpreter.run(rule, world.seen_by(rule), as_of=days[1], covers=after)
        read = {(_as_stored(rule, s), bucket): r for (s, bucket), r in found.items()}
        told[rule.id] += agree(rule, world, days, read)


def _drawn(
    rule: RuleSpec, draw: random.Random, told: Counter[str], *, role: str = "", kind: str = ""
) -> None:
    world = landed(draw, make_world(draw), role=role, kind=kind)
    choices = [None, date(2026, 3, 4), date(2026, 6, 1)]
    before = {f: draw.choice(choices) for f in world.feeds}
    world.covers = (before, {f: draw.choice([day, date(2026, 6, 1)]) for f, day in before.items()})
    first = date(2026, 4, draw.randint(1, 28))
    days = (first, first + timedelta(days=draw.choice([0, 0, 1, 40])))
    mirror(world.feeds | set(compile_rule(rule, catalog()).fields_read))
    found = interpreter.run(rule, world.rows, as_of=days[1], covers=world.covers[1])
    told["results"] += agree(rule, world, days, {(str(ref(s)), b): r for (s, b), r in found.items()})


def _some_rule(draw: random.Random, ops: list[str]) -> tuple[RuleSpec, dict[str, str]]:
    """A rule of the operators, with links, absences, a score, measures put together by chance."""
    leaves = [draw.choice(LEAVES[op]) for op in ops]
    more: dict[str, Any] = {}
    further: dict[str, str] = {}
    way = draw.choice([*_WAYS, "", ""])
    if way:
        twin = _WAYS[way] if "twin" in _WAYS[way]["right"] else draw.choice(list(LINKS.values()))[0]
        more["link"] = [twin, _WAYS[way] if "dead" in _WAYS[way]["right"] else _DEAD]
        if any(leaf["field"].startswith("claim.") for leaf in leaves):
            more["link"].append(MENTION)
        further = {"role": "party"} if "mention" in way else {"kind": "household"}
    if draw.random() < 0.3:
        more["without"] = [
            {"id": "gone", "zh": "没有", "en": "none", "feed": "hr_labour_arbitration",
             "match": {"acc.citizen_id": "applicant_id"}, "date": "apply_date",
             **draw.choice(list(WITHOUT.values()))}
        ]  # fmt: skip
    if draw.random() < 0.4:
        measure, op, key, value = draw.choice(WHOLES)
        more["measures"] = {"rows": {"count": "rows"}, "figure": measure}
        more["having"] = {
            "all": [{"id": "whole", "zh": "整体", "en": "whole", "field": "figure", "op": op, key: value}]
        }
    elif draw.random() < 0.4:
        plain = [
            op for op in sorted(LEAVES) if not any(leaf["field"].startswith("claim.") for leaf in LEAVES[op])
        ]
        chosen = draw.sample(plain, 3)
        items = [
            {"when": {"id": f"s{n}", **draw.choice(LEAVES[op])}, "points": points}
            for n, (op, points) in enumerate(zip(chosen, ["few", "some", "triple"], strict=True))
        ]
        more["score"] = {"id": "weighed", "zh": "评分", "en": "score", "items": items, "at_least": "mark"}
        more["measures"] = {"rows": {"count": "rows"}, "points": {"max": "score.points"}}
    return make_rule(draw, leaves, **more), further


def test_shipped_rules_agree(database, draw):
    told: Counter[str] = Counter()
    _shipped(draw, told)
    print(told)
    assert sum(told.values()) > 0


@pytest.mark.parametrize("way", sorted(_WAYS))
def test_links_by_mention_and_relation_agree(database, draw, way):
    told: Counter[str] = Counter()
    links = [_WAYS[way], _DEAD] if "twin" in _WAYS[way]["right"] else [LINKS["number"][0], _WAYS[way]]
    further = {"role": "party"} if "mention" in way else {"kind": "household"}
    for _ in range(2):
        _drawn(make_rule(draw, [LEAVES["is_known"][0], LEAVES["<"][0]], link=links), draw, told, **further)


def test_drawn_rules_agree(database, draw):
    told: Counter[str] = Counter()
    ops = draw.sample(sorted(OPERATORS), len(OPERATORS))
    for start in range(0, len(ops), 3):
        rule, further = _some_rule(draw, ops[start : start + 3])
        _drawn(rule, draw, told, **further)
    print(told)
    assert told["results"] > 0


@pytest.mark.drill
@pytest.mark.timeout(3600)
def test_many_drawn_rules_agree(database, draw):
    told: Counter[str] = Counter()
    for n in range(1500):
        rule, further = _some_rule(draw, draw.sample(sorted(OPERATORS), draw.randint(1, 3)))
        _drawn(rule, draw, told, **further)
        if n % 60 == 0:
            _shipped(draw, told)
    print(told)
    assert told["results"] > 0
