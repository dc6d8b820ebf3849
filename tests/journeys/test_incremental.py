"""Incremental runs give what a full run gives, whatever arrives in whatever order."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from supervision.matching.run import run_rule
from supervision.models import Hit
from supervision.selectors import live_rules
from tests.conftest import acting_as
from tests.prefecture import NOW, TODAY, agreements, citizen, cremation, death, land_rows, payment

PEOPLE = [citizen(serial) for serial in range(100, 108)]


def _random_delivery(draw: random.Random) -> None:
    kind = draw.choice(["deaths", "deaths", "cremations", "payments", "payments", "snapshot"])
    chosen = draw.sample(PEOPLE, draw.randint(1, 5))
    if kind in ("deaths", "snapshot"):
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


@pytest.mark.parametrize("seed", range(6))
def test_incremental_equals_full(database, seed):
    draw = random.Random(seed)
    agreements()
    as_of = TODAY
    seen = set()
    for step in range(10):
        _random_delivery(draw)
        if draw.random() < 0.2:
            as_of += timedelta(days=draw.choice([-3, 1, 40]))
        with acting_as("worker"):
            for rule in live_rules():
                seen.add(run_rule(rule, at=NOW, as_of=as_of).mode)
            incremental = _state()
            for rule in live_rules():
                again = run_rule(rule, at=NOW, as_of=as_of, full=True)
                assert (again.changed, again.removed, again.raised, again.withdrawn) == (0, 0, 0, 0), (
                    f"step {step}"
                )
            assert _state() == incremental
    assert "subjects" in seen
