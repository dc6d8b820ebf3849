"""A real listener process on a free port, its register and access list."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from django.db import connections

from ingestion.telemetry.generate import LIMITS, device_number
from tests.prefecture import agreements

ROOT = Path(__file__).resolve().parents[3]
FEED = "ee_auto_monitor"


@pytest.fixture
def ready(database):  # type: ignore[no-untyped-def]
    """An agreement in force and this machine on the access list."""
    from ingestion.telemetry.registering import allow

    agreements()
    allow("127.0.0.0/8", label="本机", max_connections=64, since=date(2026, 1, 1))


def register_devices(count: int, *, silent_after: int = 60, first: int = 0) -> None:
    from ingestion.telemetry.registering import COLUMNS, register

    rows = [",".join(COLUMNS)]
    for index in range(first, first + count):
        for factor, limit in LIMITS.items():
            values = {
                "mn": device_number(index),
                "county": "532301",
                "org_name": f"示例排污单位{index}",
                "outlet_no": "DW001",
                "outlet_name": "总排口",
                "silent_after_minutes": str(silent_after),
                "active_from": "2026-01-01",
                "factor": factor,
                "limit": str(limit),
                "limit_from": "2026-01-01",
                "source": "示例",
            }
            rows.append(",".join(values.get(column, "") for column in COLUMNS))
    register(rows, name="devices.csv")


class Running:
    """A process of the centre that a test may stop or kill."""

    def __init__(self, arguments: list[str], environment: dict[str, str], log: Path) -> None:
        self.log = log
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment | {"DJANGO_SETTINGS_MODULE": "chuxiong.settings", "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=open(log, "ab"),
            text=True,
            start_new_session=True,
        )

    def line(self) -> dict[str, Any]:
        assert self.process.stdout
        text = self.process.stdout.readline()
        assert text, self.log.read_text()[-2000:]
        return json.loads(text)

    def stop(self) -> dict[str, Any]:
        self.process.terminate()
        report = self.line()
        self.process.wait(20)
        return report

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def memory(self) -> int:
        """Peak resident memory in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024


@pytest.fixture
def start_listener(services, tmp_path) -> Iterator[Callable[[], tuple[Running, int]]]:  # type: ignore[no-untyped-def]
    started: list[Running] = []

    def start() -> tuple[Running, int]:
        arguments = ["telemetry", "listen", "--port", "0", "--json"]
        # Only intake's secret: the listener needs no other.
        environment = services.of_duty("worker") | {"CHUXIONG_ROLE": "intake"}
        del environment["CHUXIONG_DATABASE_URL_WORKER"]
        running = Running(arguments, environment, tmp_path / "listener.log")
        started.append(running)
        return running, int(running.line()["port"])

    yield start
    for running in started:
        running.kill()


@pytest.fixture
def worker(services, tmp_path) -> Iterator[Running]:  # type: ignore[no-untyped-def]
    running = Running(["work", "--forever", "--quick"], services.of_duty("worker"), tmp_path / "worker.log")
    yield running
    running.kill()


def ask(query: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(query, parameters)
        return list(cursor.fetchall())


def packets_counted() -> dict[str, int]:
    """Packets over all flushes: changed, repeated, refused."""
    ((changed, repeated, refused, off),) = ask(
        "select coalesce(sum((layout->'packets'->>'changed')::int), 0), coalesce(sum((layout->'packets'->>'repeated')::int), 0),"
        " coalesce(sum((layout->'packets'->>'refused')::int), 0),"
        " count(*) filter (where received <> loaded + unchanged + duplicate + quarantined)"
        " from ingestion_batch where received_by = 'HJ 212'"
    )
    assert off == 0
    return {"changed": changed, "repeated": repeated, "refused": refused}


def wait_until(condition: Callable[[], bool], *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


@contextmanager
def database_held() -> Iterator[None]:
    """Nothing can land while this lasts: another session holds the landing table."""
    other = connections["owner"].copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("begin")
            cursor.execute("lock table ingestion_landing in access exclusive mode")
        yield
    finally:
        with other.cursor() as cursor:
            cursor.execute("rollback")
        other.close()
