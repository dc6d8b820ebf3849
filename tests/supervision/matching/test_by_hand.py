"""What a person would write by hand, for each engine, gives the very rows of the compiled rule: facts, conditions, records."""

from __future__ import annotations

import random
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection, connections, transaction

from bench.rules_by_hand import BARE, SLIDING, TODAY
from chuxiong.accounts.scope import scope
from ingestion import selectors as ingestion
from supervision.matching import engines
from supervision.matching.run import parameters, reach_of
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.load import read_rule
from supervision.selectors import rulebook
from tests.conftest import acting_as
from tests.supervision.matching.landings import landed
from tests.supervision.matching.test_agreement import mirror
from tests.supervision.rulebook.pool import ref

PEOPLE = [f"P{n}" for n in range(12)]
#: one whom every rule finds, whatever is drawn
SURE = "P12"


def _day(draw: random.Random) -> date:
    return date(2025, 1, 1) + timedelta(days=draw.randrange(500))


def _payment(draw: random.Random) -> dict[str, Any]:
    who = draw.choice(PEOPLE)
    row: dict[str, Any] = {
        "citizen_id": who,
        # One name and one county a person: by hand nobody asks which record came first.
        "person_name": f"甲{who}",
        "county": ["532301", "532324"][int(who[1:]) % 2],
        "pay_month": _day(draw).replace(day=1),
        "survival_check_date": _day(draw),
        "amount_cny": draw.choice([0, 150000, 210000, 250000]),
        "recovered_cny": draw.choice([None, None, 100000, 250000]),
        "pay_status": draw.choice(["正常", "正常", "补发", "暂停", None]),
    }
    return {name: value for name, value in row.items() if value is not None}


def _worlds(draw: random.Random) -> dict[str, list[dict[str, Any]]]:
    def dates(*names: str) -> dict[str, date]:
        return {name: _day(draw) for name in names if draw.random() < 0.85}

    sure = [
        {"citizen_id": SURE, "person_name": "甲", "pay_month": date(2026, month, 1), "amount_cny": 250000,
         "survival_check_date": date(2026, month, 9), "pay_status": "正常"}
        for month in (3, 4, 5)
    ]  # fmt: skip
    died = {"citizen_id": SURE, "household_status": "死亡注销", "death_date": date(2025, 6, 1)}
    term = {"citizen_id": SURE, "person_category": "监狱服刑", "is_minor": False, "start_date": date(2025, 1, 1),
            "end_date": date(2027, 1, 1)}  # fmt: skip
    return {
        "hr_pension_payment": sure + [_payment(draw) for _ in range(90)],
        "ps_population_death": [died] + [
            {"citizen_id": draw.choice(PEOPLE), "household_status": draw.choice(["死亡注销", "在籍"]), **dates("death_date")}
            for _ in range(10)
        ],
        "ca_funeral": [{"citizen_id": draw.choice(PEOPLE), **dates("death_date")} for _ in range(8)],
        "ja_penalty_execution": [term] + [
            {"citizen_id": draw.choice(PEOPLE), "person_category": draw.choice(["监狱服刑", "缓刑"]),
             "is_minor": draw.random() < 0.2, **dates("start_date", "end_date")}
            for _ in range(14)
        ],
    }  # fmt: skip


@pytest.mark.parametrize("name", sorted(BARE))
def test_by_hand_gives_the_same_rows(database, request, name):
    from bench.rules_contest import Contest

    seed = random.SystemRandom().randrange(2**32)
    print("drawn seed", request.node.name, seed)
    draw = random.Random(seed)
    sliding, problems = read_rule(SLIDING, "bench", ingestion.catalog())
    assert sliding is not None, problems
    rule = sliding if name == sliding.id else rulebook()[name]
    plan, reach = compile_rule(rule, ingestion.catalog()), reach_of(rule)
    for _ in range(3):
        rows = _worlds(draw)
        landed(draw, rows)
        with connections["owner"].cursor() as cursor:
            for feed in rows:
                cursor.execute(
                    f'update pool."{feed}" set from_landing = 1, to_landing = null where citizen_id = %s',
                    [str(ref(SURE))],
                )
        mirror(set(rows))
        with (
            acting_as("worker"),
            transaction.atomic(),
            scope(offices=reach.offices, feeds=rows, purpose=reach.purpose, department=reach.department),
            connection.cursor() as cursor,
        ):
            landing = ingestion.last_landing()
            with engines.columns(
                plan, reach, landing=landing, memory_mb=512, bring_up=False, threads=1
            ) as duck:
                assert Contest(plan, parameters(plan, landing, TODAY), cursor, duck).check() > 0
