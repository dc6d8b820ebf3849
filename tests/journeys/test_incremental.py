"""Incremental runs give what a full run gives, whatever arrives in whatever order."""

from __future__ import annotations

import random
import threading
import time
from datetime import timedelta

from django.db import connections, transaction

from supervision.clues import actions
from supervision.matching.run import run_rule
from supervision.models import Clue, Hit
from tests.conftest import acting_as, empty_tables
from tests.prefecture import (
    NOW,
    TODAY,
    agreements,
    arbitration,
    case_card,
    citizen,
    cremation,
    death,
    land_rows,
    patrol,
    payment,
    person,
    reading,
    suit,
    term,
    wage_clue,
)

#: what these worlds deliver for; the other rules have worlds of their own
RULES = {
    "discharge_exceedance",
    "pension_after_death",
    "pension_while_serving",
    "recovery_not_pursued",
    "river_rubbish",
    "wage_support_suit",
}
PEOPLE = [citizen(serial) for serial in range(100, 108)]


_DAYS = ["2026-05-01", "2026-07-15", "2026-08-20", "2026-10-01"]
_OTHERS = {
    "terms": (
        "ja_penalty_execution",
        lambda d, n, i: term(n, d.choice(["监狱服刑", "监狱服刑", "缓刑"]), "2025-12-10"),
    ),
    "wages": (
        "hr_wage_arrears",
        lambda d, n, i: wage_clue(
            n, i, d.choice(_DAYS), d.choice(["900", "5000", "30000"]), d.choice(["立案", "办结"])
        ),
    ),
    "arbitrations": ("hr_labour_arbitration", lambda d, n, i: arbitration(n, i, d.choice(_DAYS))),
    "suits": ("ct_trial_case", lambda d, n, i: suit([n, d.choice(PEOPLE)], i, d.choice(_DAYS))),
    "cases": (
        "pr_case",
        lambda d, n, i: case_card(
            i,
            d.choice(["", "9000", "60000"]),
            d.choice(["", "0", "8000"]),
            d.choice(["未处置", "已发还", ""]),
        ),
    ),
}


_RIVER_DAYS = ["2026-11-10", "2026-11-11", "2026-11-12", "2026-11-14", "2026-10-30"]
_OTHERS |= {
    "patrols": (
        "wr_river_patrol",
        lambda d, n, i: patrol(
            i,
            d.choice(_RIVER_DAYS),
            d.choice(["101.500", "101.501", "101.502", "101.503", "101.530", ""]),
            kind=d.choice(["河岸垃圾", "河岸垃圾", "河面漂浮物", "河长牌"]),
            status=d.choice(["处理中", "处理中", "处理中", "已整改", "复核不通过"]),
            reopened=d.choice(["", "0", "2"]),
        ),
    ),
    "readings": (
        "ee_auto_monitor",
        lambda d, n, i: reading(
            d.choice(["M1", "M2"]),
            f"2026-{d.choice(['10', '11'])}-{d.randint(1, 18):02d}",
            d.choice(["20", "60", "70", "120", ""]),
            limit=d.choice(["50", "50", "50", ""]),
            mark=d.choice(["N", "N", "N", "C"]),
        ),
    ),
}


_PENSION = ["deaths", "cremations", "payments"]


def _random_delivery(draw: random.Random, kind: str = "") -> None:
    kind = kind or draw.choice(
        [*_OTHERS, "deaths", "deaths", "cremations", "payments", "payments", "snapshot"]
    )
    chosen = draw.sample(PEOPLE, draw.randint(1, 5))
    if kind in _OTHERS:
        feed, make = _OTHERS[kind]
        covers = draw.choice([None, TODAY - timedelta(days=60), TODAY + timedelta(days=200)])
        land_rows(feed, [make(draw, n, PEOPLE.index(n)) for n in chosen], covers=covers)
    elif kind in ("deaths", "snapshot"):
        rows = [
            death(
                number,
                draw.choice(["", "2026-02-11", "2026-05-30", "2026-08-01"]),
                status=draw.choice(["死亡注销", "死亡注销", "在籍"]),
                division=draw.choice(["532301", "532302"]),
            )
            for number in chosen
        ]
        land_rows("ps_population_death", rows, snapshot=kind == "snapshot")
    elif kind == "cremations":
        land_rows(
            "ca_funeral",
            [cremation(n, draw.choice(["2026-02-12", "2026-06-01"]), PEOPLE.index(n)) for n in chosen],
        )
    else:
        land_rows(
            "hr_pension_payment",
            [
                payment(
                    number,
                    f"2026{draw.randint(1, 10):02d}",
                    draw.choice(["0", "1800", "6000"]),
                    status=draw.choice(["正常", "正常", "补发", "暂停"]),
                    recovered=draw.choice(["", "", "1800", "6000"]),
                )
                for number in chosen
                for _ in range(2)
            ],
        )


def _state() -> list[tuple[object, ...]]:
    fields = (
        "rule",
        "subject_ref",
        "bucket",
        "verdict",
        "level",
        "county",
        "material",
        "conditions",
        "evidence",
    )
    return sorted(Hit.objects.values_list(*fields), key=str)


def test_incremental_equals_full(database):
    hit: set[str] = set()
    narrow: set[str] = set()
    for seed in range(6):
        empty_tables()
        _one_world(random.Random(seed), hit, narrow)
    # Worlds in which a rule never fires, or never runs on touched subjects alone, would test nothing.
    assert hit == narrow == RULES


def _one_world(draw: random.Random, hit: set[str], narrow: set[str]) -> None:
    agreements()
    as_of = TODAY
    for kind in draw.sample([*_OTHERS, *_PENSION], len(_OTHERS) + len(_PENSION)):
        _random_delivery(draw, kind)
    for step in range(14):
        _random_delivery(draw)
        if draw.random() < 0.2:
            as_of += timedelta(days=draw.choice([-3, 1, 40]))
        with acting_as("worker"):
            for rule in sorted(RULES):
                if run_rule(rule, at=NOW, as_of=as_of).mode == "subjects":
                    narrow.add(rule)
            incremental = _state()
            for rule in sorted(RULES):
                again = run_rule(rule, at=NOW, as_of=as_of, full=True)
                assert (again.changed, again.removed, again.raised, again.withdrawn) == (0, 0, 0, 0), (
                    f"step {step}"
                )
            assert _state() == incremental
            hit |= set(Hit.objects.filter(verdict="hit").values_list("rule", flat=True))


def test_a_move_that_commits_during_a_run_is_not_undone(database):
    """The run waits for the clue and judges it by what the person has made of it: dispatched, so not withdrawn."""
    agreements()
    number = citizen(7)
    land_rows("ps_population_death", [death(number, "2026-01-15")])
    land_rows("ca_funeral", [cremation(number, "2026-01-15", 1)])
    land_rows("hr_pension_payment", [payment(number, f"20260{month}", "1500") for month in range(4, 8)])
    with acting_as("worker"):
        run_rule("pension_after_death", at=NOW, as_of=TODAY)
    handler = person("a", office="532301")
    clue = Clue.objects.using("owner").get()
    actions.accept(clue_number=clue.number, by=handler, at=NOW)
    recovered = [payment(number, f"20260{month}", "1500", recovered="1500") for month in range(4, 8)]
    land_rows("hr_pension_payment", recovered)

    moved, failed = threading.Event(), []

    def move() -> None:
        try:
            with transaction.atomic():
                actions.dispatch(
                    clue_number=clue.number, by=handler, at=NOW, office="532301", department="public_interest"
                )
                moved.set()
                _until_somebody_waits()
        except Exception as error:
            failed.append(error)
        finally:
            moved.set()
            connections.close_all()

    mover = threading.Thread(target=move)
    mover.start()
    moved.wait(20)
    with acting_as("worker"):
        result = run_rule("pension_after_death", at=NOW, as_of=TODAY)
    mover.join()
    assert not failed
    clue.refresh_from_db(using="owner")
    assert (clue.state, clue.supported) == ("dispatched", False)
    assert (result.withdrawn, result.source_changed) == (0, 1)


def _until_somebody_waits() -> None:
    """Hold what is locked until another connection waits for it."""
    for _ in range(400):
        with connections["owner"].cursor() as cursor:
            cursor.execute("select exists (select 1 from pg_locks where not granted)")
            if cursor.fetchone()[0]:
                return
        time.sleep(0.05)
    raise AssertionError("nobody waits")
