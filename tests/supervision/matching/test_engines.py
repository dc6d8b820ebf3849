"""DuckDB over the mirror says what Postgres says, to the last column; and what a run may not do, it cannot do."""

from __future__ import annotations

import random

import duckdb
import pytest
import sqlglot

from ingestion.selectors import catalog
from supervision.matching import engines
from supervision.rulebook.compiler import compile_rule
from supervision.selectors import rulebook
from tests.conftest import acting_as
from tests.supervision.matching.landings import landed_once
from tests.supervision.rulebook.test_operators import LEAVES, make_rule

RULES = sorted(rulebook())


@pytest.mark.parametrize("rule_id", RULES)
def test_every_rule_parses_in_sparks_words(rule_id):
    plan = compile_rule(rulebook()[rule_id], catalog())
    assert isinstance(sqlglot.parse_one(plan.query("spark").sql, read="spark"), sqlglot.exp.Query)


def test_every_operator_parses_in_sparks_words():
    draw = random.Random(1)
    for listed in LEAVES.values():
        sql = compile_rule(make_rule(draw, listed), catalog()).query("spark").sql
        assert isinstance(sqlglot.parse_one(sql, read="spark"), sqlglot.exp.Query)


def test_the_engine_opens_the_mirror_and_nothing_else(database, tmp_path):
    landed_once()
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
