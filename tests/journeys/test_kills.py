"""kill -9 at random points: nothing lost, nothing twice."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connections

from chuxiong.accounts.scope import all_offices, scope
from ingestion.models import Batch
from supervision.models import Clue
from tests.prefecture import NOW, agreements, citizen, death, payment, sheet

ROOT = Path(__file__).resolve().parents[2]


def _worker(services) -> subprocess.Popen[bytes]:
    environment = services.of_duty("worker") | {"DJANGO_SETTINGS_MODULE": "chuxiong.settings"}
    return subprocess.Popen(
        [sys.executable, "manage.py", "work", "--forever"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


def _kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    # The dead worker's lease would run for a minute; the test does not wait for it.
    with connections["owner"].cursor() as cursor:
        cursor.execute("update work_job set lease_until = now() where state = 'running'")
        cursor.execute("update work_job set run_after = now() where state = 'queued'")


def _deliver(files: int, people: int) -> set[str]:
    """Deaths once, then payments in many files; returns the people who must become clues."""
    from ingestion.intake.receive import receive
    from ingestion.selectors import catalog

    numbers = [citizen(500 + i) for i in range(people)]
    jobs = [("ps_population_death", [death(n, "2026-01-15") for n in numbers])]
    jobs += [
        ("hr_pension_payment", [payment(n, f"2026{m:02d}", "1500", division="532301") for n in numbers])
        for m in range(3, 3 + files)
    ]
    for index, (feed, rows) in enumerate(jobs):
        receive(sheet(feed, rows), feed=catalog()[feed], file_name=f"{index}.csv", by="测试", at=NOW)
    return set(numbers)


def _left() -> int:
    with connections["owner"].cursor() as cursor:
        cursor.execute("select count(*) from work_job where state in ('queued', 'running')")
        return int(cursor.fetchone()[0])


def _run_with_kills(services, *, kills: int, seed: int, patience: float) -> None:
    draw = random.Random(seed)
    for _ in range(kills):
        worker = _worker(services)
        time.sleep(draw.uniform(0.8, 2.6))
        _kill(worker)
    worker = _worker(services)
    deadline = time.monotonic() + patience
    try:
        while _left() and time.monotonic() < deadline:
            time.sleep(0.5)
    finally:
        _kill(worker)
    assert _left() == 0


def _check(files: int, people: int) -> None:
    batches = list(Batch.objects.using("owner").all())
    assert {b.state for b in batches} == {"landed"}
    assert len({b.landing for b in batches}) == files + 1
    with connections["owner"].cursor() as cursor:
        cursor.execute("select count(*), count(distinct natural_hash) from pool.hr_pension_payment")
        assert cursor.fetchone() == (files * people, files * people)
        cursor.execute("select count(*) from pg_tables where schemaname = 'staging'")
        assert cursor.fetchone()[0] == 0
    with scope(offices=all_offices()):
        clues = list(Clue.objects.all())
        assert len(clues) == people
        assert {c.material["months"] for c in clues} == {files}
        assert sorted(c.number for c in clues) == [f"XS-{NOW.year}-{n:06d}" for n in range(1, people + 1)]


def test_a_worker_killed_at_random_points_loses_and_repeats_nothing(database, services):
    agreements()
    _deliver(files=6, people=40)
    _run_with_kills(services, kills=5, seed=7, patience=60)
    _check(6, 40)


@pytest.mark.drill
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.timeout(1200)
def test_many_kills(database, services, seed):
    agreements()
    _deliver(files=8, people=150)
    _run_with_kills(services, kills=25, seed=seed, patience=180)
    _check(8, 150)
