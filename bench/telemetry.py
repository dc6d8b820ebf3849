"""2,000 packets a second for half a minute through the real listener, database and worker: none lost, alarms in time.

Every packet holds three factors. 2,000 devices send one packet a second each; one of a hundred packets, each from a
device of its own, is above its limit, and what is measured is the time from its sending to the alarm that others see.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import resource
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.report import ROOT, Figure, at_least, at_most, processor_of, write

RATE, SECONDS, DEVICES, CONNECTIONS = 2000, 30, 2000, 40
#: packets sent before measuring
WARMING = 8
#: seconds from a reading to its alarm, 99 of 100
ALARM_TARGET = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.telemetry")
    parser.add_argument("--seconds", type=int, default=SECONDS)
    parser.add_argument("--rate", type=int, default=RATE)
    options = parser.parse_args()
    from chuxiong.up import services

    folder = Path(tempfile.mkdtemp(prefix="cx-bench-"))
    load_before = os.getloadavg()[0]
    running = services.start(folder)
    children: list[subprocess.Popen[str]] = []
    try:
        _prepare(running)
        figures = _measure(running, children, options.rate, options.seconds)
    finally:
        for child in children:
            child.kill()
            child.wait()
        from django.db import connections

        connections.close_all()
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return write("telemetry", figures, notes={"load_before": round(load_before, 2)})


def _prepare(running: Any) -> None:
    os.environ.update(running.environment)
    os.environ |= {"CHUXIONG_ROLE": "owner", "DJANGO_SETTINGS_MODULE": "chuxiong.settings"}
    import django

    django.setup()
    from django.core.management import call_command

    with open(os.devnull, "w") as nowhere:
        call_command("migrate", database="owner", verbosity=0)
        for words in (("office", "sync"), ("feed", "sync"), ("rule", "sync"), ("demo", "seed")):
            call_command(*words, stdout=nowhere)


def _start(running: Any, children: list[subprocess.Popen[str]], command: list[str]) -> subprocess.Popen[str]:
    log = open(running.var / "log" / f"{len(children)}.log", "w")  # noqa: SIM115  the child's as long as it lives
    child = subprocess.Popen(
        [sys.executable, *command],
        cwd=ROOT,
        env=running.of_duty("alarms" if "--quick" in command else "worker")
        | {"DJANGO_SETTINGS_MODULE": "chuxiong.settings", "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE if command[0] == "manage.py" else log,
        stderr=log,
        text=True,
    )
    children.append(child)
    return child


def _measure(running: Any, children: list[subprocess.Popen[str]], rate: int, seconds: int) -> list[Figure]:
    from django.utils import timezone

    from ingestion.telemetry.generate import LIMITS, Shares, device_number, generate
    from ingestion.telemetry.registering import COLUMNS, allow, register
    from ingestion.telemetry.send import send, share_out

    seed = secrets.randbits(32)
    draw = random.Random(seed)  # noqa: S311
    allow("127.0.0.0/8", label="bench", max_connections=CONNECTIONS, since=timezone.localdate())
    count = rate * seconds
    start = timezone.localtime().replace(microsecond=0)
    pieces = list(
        generate(
            count,
            start=start,
            devices=DEVICES,
            every=1.0,
            shares=Shares(asking=0.5, repeated=0.01),
            seed=seed,
        )
    )
    # The loud ones: each once, from a device of its own, among all others.
    loud = [
        piece
        for index in range(count // 100)
        for piece in generate(
            1, start=start + timedelta(seconds=index), devices=1, shares=Shares(above=1), seed=seed + index,
            first=DEVICES + index,
        )
    ]  # fmt: skip
    for piece in loud:
        pieces.insert(draw.randrange(len(pieces)), piece)
    base = {"county": "532301", "org_name": "示例", "outlet_no": "DW001", "outlet_name": "总排口",
            "silent_after_minutes": "60", "active_from": "2022-01-01", "limit_from": "2022-01-01", "source": "示例"}  # fmt: skip
    rows = [",".join(COLUMNS)]
    for index in range(DEVICES + len(loud)):
        for factor, limit in LIMITS.items():
            row = base | {"mn": device_number(index), "factor": factor, "limit": str(limit)}
            rows.append(",".join(row.get(column, "") for column in COLUMNS))
    register(rows, name="bench.csv")
    listener = _start(running, children, ["manage.py", "telemetry", "listen", "--port", "0", "--json"])
    celery = [
        "-m",
        "celery",
        "-A",
        "chuxiong.celery_app",
        "worker",
        "--pool",
        "solo",
        "--loglevel",
        "warning",
    ]
    worker = _start(running, children, [*celery, "-n", "a@bench", "--without-gossip", "--without-mingle"])
    alarms = _start(running, children, ["manage.py", "work", "--forever", "--quick"])
    port = json.loads(listener.stdout.readline())["port"]  # type: ignore[union-attr]
    _warm(port, start)
    database_before = processor_of(running.postgres.process.pid)
    watch = _Watch()
    watch.start()
    lines = share_out(pieces, CONNECTIONS)
    sending = asyncio.run(send(lines, host="127.0.0.1", port=port, rate=rate * 1.05, wait=20, seed=seed))
    usage = _usage(listener.pid) | {
        "worker": _usage(worker.pid)["cpu"],
        "alarms": _usage(alarms.pid)["cpu"],
        "database": processor_of(running.postgres.process.pid) - database_before,
    }
    wanted = {p.device for p in loud}
    watch.finish(wanted, seconds=30)
    listener.terminate()
    report = json.loads(listener.stdout.readline())  # type: ignore[union-attr]
    listener.wait(30)
    return _figures(pieces, sending, watch, wanted, report, usage, rate)


def _warm(port: int, start: datetime) -> None:
    """A centre that has been running: both workers have read their rules. These packets raise nothing."""
    from django.db import connections

    from ingestion.telemetry.generate import generate
    from ingestion.telemetry.send import send

    for number in range(WARMING):
        piece = list(generate(1, start=start, devices=1, first=10**9 + number))
        asyncio.run(send([piece], host="127.0.0.1", port=port, rate=0))
        time.sleep(1)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                "select count(*) from work_job where kind <> 'match' and state in ('queued', 'running')"
            )
            if cursor.fetchone() == (0,):
                return
        time.sleep(0.2)


def _figures(
    pieces: list[Any], sending: Any, watch: _Watch, wanted: set[str], report: Any, usage: Any, rate: int
) -> list[Figure]:
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select count(*), count(distinct natural_hash) from pool.ee_auto_monitor where to_landing is null"
        )
        current, keys = cursor.fetchone()
        cursor.execute("select count(*) from ingestion_landing")
        landings = cursor.fetchone()[0]
    new = sum(p.fate == "stored" for p in pieces)
    asked = {(p.device, p.qn) for p in pieces if b"Flag=5" in p.data}
    delays = sorted(watch.seen[d] - sending.sent_at[d] for d in wanted if d in watch.seen)
    at = [delays[min(len(delays) - 1, int(len(delays) * q))] if delays else float("inf") for q in (0.5, 0.99)]
    return [
        at_least("packets sent per second", sending.packets / sending.sending_seconds, "1/s", rate),
        Figure("packets sent", sending.packets, ""),
        at_most("packets lost", new - (current / 3 - WARMING), "", 0),
        at_most("readings stored twice", current - keys, "", 0),
        at_most("answers missing", len(asked - sending.answered), "", 0),
        at_most("alarms missing", len(wanted) - len(delays), "", 0),
        Figure("alarms", len(delays), ""),
        Figure("reading to alarm, median", round(at[0], 3), "s"),
        at_most("reading to alarm, 99 %", round(at[1], 3), "s", ALARM_TARGET),
        Figure("landings", landings, ""),
        Figure("times that reading stood still", report["pauses"], ""),
        Figure("listener: peak memory", usage["memory"], "MiB"),
        Figure("listener: processor", round(usage["cpu"], 1), "s"),
        Figure("rules: processor", round(usage["worker"], 1), "s"),
        Figure("alarms: processor", round(usage["alarms"], 1), "s"),
        Figure("database: processor", round(usage["database"], 1), "s"),
        Figure("sender: processor", round(resource.getrusage(resource.RUSAGE_SELF).ru_utime, 1), "s"),
    ]


def _usage(pid: int) -> dict[str, float]:
    status = Path(f"/proc/{pid}/status").read_text()
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    ticks = int(fields[11]) + int(fields[12])
    return {
        "memory": int(status.split("VmHWM:")[1].split()[0]) // 1024,
        "cpu": ticks / os.sysconf("SC_CLK_TCK"),
    }


class _Watch(threading.Thread):
    """Sees every alarm as others do, by asking twenty times a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.seen: dict[str, float] = {}
        self.ended = False

    def run(self) -> None:
        from django.db import connections

        last = 0
        while not self.ended:
            with connections["owner"].cursor() as cursor:
                cursor.execute("select id, subject_ref from supervision_alarm where id > %s", [last])
                rows = cursor.fetchall()
            now = time.monotonic()
            for number, device in rows:
                self.seen.setdefault(device, now)
                # Numbers may be given out of the order of their commits: look back a little.
                last = max(last, number - 500)
            time.sleep(0.05)
        connections["owner"].close()

    def finish(self, wanted: set[str], *, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not wanted <= set(self.seen) and time.monotonic() < deadline:
            time.sleep(0.1)
        self.ended = True
        self.join()


if __name__ == "__main__":
    sys.exit(main())
