"""DuckDB over the mirror says what Postgres says, to the last column; and what a run may not do, it cannot do."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date
from typing import Any

import duckdb
import pytest
import sqlglot
from django.utils import timezone

from ingestion.mirror import writing
from ingestion.models import Batch, Landing
from ingestion.selectors import catalog
from supervision.matching import engines
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.operators import OPERATORS
from supervision.rulebook.spec import RuleSpec
from supervision.selectors import rulebook
from tests.conftest import acting_as
from tests.supervision.matching.agreeing import differences
from tests.supervision.rulebook.pool import fill
from tests.supervision.rulebook.test_engine import _random_rows, _thick_readings, _thick_sightings
from tests.supervision.rulebook.test_operators import LEAVES, make_rule, make_world

RULES = sorted(rulebook())


@pytest.fixture
def draw() -> random.Random:
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    return random.Random(seed)


def _landed() -> None:
    batch = Batch.objects.using("owner").create(
        feed="x", file_name="f", digest="1", size=1, received_at=timezone.now(), received_by="t"
    )
    Landing.objects.using("owner").create(number=1, feed="x", batch=batch, landed_at=timezone.now())


def _world(rows: dict[str, list[dict[str, Any]]], feeds: set[str]) -> None:
    fill(rows)
    with acting_as("worker"):
        for code in feeds:
            writing.bring_up(code, catalog(), at=timezone.now(), rebuild=True)


def test_all_rules_say_the_same_in_both_engines(database, draw):
    _landed()
    rules = [rulebook()[rule_id] for rule_id in RULES]
    read = {rule.id: set(compile_rule(rule, catalog()).fields_read) for rule in rules}
    seen: dict[str, int] = dict.fromkeys(RULES, 0)
    for _ in range(2):
        rows: dict[str, list[dict[str, Any]]] = {}
        for rule in rules:
            for feed, made in _random_rows(draw, rule).items():
                rows.setdefault(feed, []).extend(made)
        for feed, made in (*_thick_readings(draw).items(), *_thick_sightings(draw).items()):
            rows.setdefault(feed, []).extend(made)
        _world(rows, set().union(*read.values()))
        as_of = date(2026, draw.randint(1, 12), draw.randint(1, 28))
        for rule in rules:
            absent = compile_rule(rule, catalog()).feeds_absent
            covers = {
                f"covers_{feed}": draw.choice([None, date(2026, 6, 1), date(2027, 6, 1)]) for feed in absent
            }
            with acting_as("worker"):
                found = differences(rule, {"landing": 1, "as_of": as_of, **covers}, landing=1)
            assert (found["only_a"], found["only_b"], found["different"]) == (0, 0, 0), (
                rule.id,
                found,
            )
            seen[rule.id] += found["results"]
    print(seen)
    assert sum(seen.values()) > 0


def _say_the_same(rule: RuleSpec, draw: random.Random, told: Counter[str]) -> None:
    """Postgres and DuckDB on a drawn world, which the interpreter reads too (``agree``)."""
    days = [None, date(2026, 3, 4), date(2026, 6, 1)]
    as_of = date(2026, 4, draw.randint(1, 28))
    plan = compile_rule(rule, catalog())
    covers = {feed: draw.choice(days) for feed in plan.feeds_absent}
    rows = make_world(draw)
    _world(rows, set(plan.fields_read))
    with acting_as("worker"):
        params = {"landing": 1, "as_of": as_of, **{f"covers_{f}": day for f, day in covers.items()}}
        found = differences(rule, params, landing=1)
    assert (found["only_a"], found["only_b"], found["different"]) == (0, 0, 0), (
        found,
        rule.model_dump_json(include={"when", "link", "without", "score", "measures", "having"}),
    )
    told["results"] += found["results"]


@pytest.mark.parametrize("op", sorted(OPERATORS))
def test_every_operator_says_the_same_in_both_engines(database, draw, op):
    _landed()
    told: Counter[str] = Counter()
    for leaf in LEAVES[op]:
        others = draw.choice(LEAVES[draw.choice(sorted(LEAVES))])
        _say_the_same(make_rule(draw, [leaf, others]), draw, told)


@pytest.mark.parametrize("rule_id", RULES)
def test_every_rule_parses_in_sparks_words(rule_id):
    plan = compile_rule(rulebook()[rule_id], catalog())
    assert isinstance(sqlglot.parse_one(plan.query("spark").sql, read="spark"), sqlglot.exp.Query)


def test_the_engine_opens_the_mirror_and_nothing_else(database, draw, tmp_path):
    _landed()
    plan = compile_rule(rulebook()["pension_after_death"], catalog())
    reach = engines.Reach(("532301",), "", "")
    outside = tmp_path / "x.csv"
    outside.write_text("a\n1\n")
    with acting_as("worker"), engines.columns(plan, reach, landing=1, memory_mb=256) as engine:
        with pytest.raises(duckdb.PermissionException):
            engine.execute(f"select * from read_csv('{outside}')")
        with pytest.raises(duckdb.Error):
            engine.execute("set enable_external_access = true")
        assert engine.execute('select count(*) from pool."hr_pension_payment"').fetchone() == (0,)
        with pytest.raises(duckdb.CatalogException):
            engine.execute('select * from pool."ee_auto_monitor"')
