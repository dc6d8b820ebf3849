"""How fast audit rows are written, chained and verified, on a durable server of this run's own.

``make bench BENCH=audit``; rows of the verification by ``AUDIT_ROWS`` (default a million).
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ROWS = int(os.environ.get("AUDIT_ROWS", "1000000"))
WRITERS, SECONDS = 4, 10


def main() -> int:
    from chuxiong.up import services

    folder = Path(tempfile.mkdtemp(prefix="cx-bench-"))
    running = services.start(folder)
    os.environ.update(running.environment)
    os.environ |= {"CHUXIONG_ROLE": "web", "DJANGO_SETTINGS_MODULE": "chuxiong.settings"}
    try:
        import django

        django.setup()
        from django.core.management import call_command

        call_command("migrate", database="owner", verbosity=0)
        return _report(_measure())
    finally:
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(running.postgres.sockets, ignore_errors=True)


def _measure() -> list[dict[str, Any]]:
    from django.db import connections

    from chuxiong.audit import sealer
    from chuxiong.audit.verify import verify

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "create table bench_head (digest text); insert into bench_head values ('');"
            " create table bench_chain (id bigint generated always as identity, actor text, object_ref text, digest text)"
        )
    written = _write(_product)
    peer = _write(_chained_in_line)
    with connections["owner"].cursor() as cursor:
        for start in range(written, ROWS, 10_000):
            cursor.execute(
                "insert into audit_auditevent (at, actor, office, action, object_kind, object_ref, reason, ip, device, session)"
                " select now(), 'p' || n %% 300, '532301', 'clue.read', 'clue', 'XS-2026-' || lpad(n::text, 7, '0'), '',"
                " '10.1.2.3', 'Chrome 131 · Linux', '0123456789abcdef' from generate_series(%s, %s) n",
                [start, min(start + 10_000, ROWS) - 1],
            )
        cursor.execute("vacuum analyze audit_auditevent")
    began = time.monotonic()
    sealed = sealer.seal(using="worker")
    sealing = sealed.rows / (time.monotonic() - began)
    slowest = _search()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    processor = time.process_time()
    report = verify()
    processor = time.process_time() - processor
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert report.exit_code == 0, report.document()
    assert report.rows >= sealed.rows >= ROWS
    return [
        _figure(
            f"rows written by {WRITERS} writers (peer: chained in line)",
            written / SECONDS,
            "rows/s",
            peer / SECONDS,
            peer / SECONDS,
        ),
        _figure(f"chained, signed and anchored, {sealed.rows} rows", sealing, "rows/s", None, 30_000),
        _figure(f"verified, {report.rows} rows", report.rows / report.seconds, "rows/s", None, 67_000),
        _figure(
            "verified, for each second of processor time", report.rows / processor, "rows/s", 136_000, 136_000
        ),
        _figure(f"seconds to verify {report.rows} rows", report.seconds, "s", None, 15, less=True),
        _figure("slowest of the searches, median of 5", slowest, "ms", None, 200, less=True),
        _figure("memory that verification added", grown, "MiB", None, 100, less=True),
    ]


def _write(act: Callable[[int, int], None]) -> int:
    """Rows written in the time by all writers, each row in its own durable transaction."""
    from django.db import connections

    counts = [0] * WRITERS
    until = time.monotonic() + SECONDS

    def writer(index: int) -> None:
        while time.monotonic() < until:
            act(index, counts[index])
            counts[index] += 1
        connections.close_all()

    threads = [threading.Thread(target=writer, args=(i,)) for i in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def _product(writer: int, number: int) -> None:
    from django.utils import timezone

    from chuxiong.audit.record import record

    record(
        at=timezone.now(),
        actor=f"p{writer}",
        office="532301",
        action="clue.read",
        object_kind="clue",
        object_ref=f"XS-2026-{number:06d}",
    )


def _chained_in_line(writer: int, number: int) -> None:
    """What the usual tamper-evident table does: every row takes the head's lock and the digest before it."""
    from django.db import connections, transaction

    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute("select digest from bench_head for update")
        digest = hashlib.sha256(cursor.fetchone()[0].encode() + f"p{writer}{number}".encode()).hexdigest()
        cursor.execute(
            "insert into bench_chain (actor, object_ref, digest) values (%s, %s, %s)",
            [f"p{writer}", f"XS-2026-{number:06d}", digest],
        )
        cursor.execute("update bench_head set digest = %s", [digest])


def _search() -> float:
    """Milliseconds of the slowest kind of search for one page, as the web role on behalf of an administrator."""
    from datetime import timedelta
    from statistics import median

    from django.contrib.auth.hashers import make_password
    from django.db import connections
    from django.utils import timezone

    from chuxiong.accounts import institutions
    from chuxiong.audit.selectors import Filters, Reader, events_page

    institutions.sync()
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "insert into accounts_person (username, password, name, office_id, roles, is_active, joined_at)"
            " values ('bench', %s, 'bench', '532300', '{audit_admin}', true, now())",
            [make_password(None)],
        )
    now, reader = timezone.now(), Reader("bench", "532300")
    kinds = (
        Filters(),
        Filters(actor="p17"),
        Filters(action="clue"),
        Filters(action="clue.none"),
        Filters(object_ref="XS-2026-0500000"),
        Filters(office="532328"),
        Filters(since=now - timedelta(days=400), until=now - timedelta(days=300)),
        Filters(actor="p17", action="clue.read", office="532301", until=now),
    )
    slowest = 0.0
    for filters in kinds:
        times = []
        for _ in range(5):
            began = time.monotonic()
            events_page(reader, filters, at=now)
            times.append((time.monotonic() - began) * 1000)
        slowest = max(slowest, median(times))
        print(f"  {median(times):8.1f} ms  {filters.told()}")
    return slowest


def _figure(
    name: str, value: float, unit: str, peer: float | None, target: float, *, less: bool = False
) -> dict[str, Any]:
    ok = value <= target if less else value >= target
    return {
        "name": name,
        "value": round(value, 1),
        "unit": unit,
        "peer": peer,
        "target": round(target, 1),
        "ok": ok,
    }


def _report(figures: list[dict[str, Any]]) -> int:
    for figure in figures:
        mark = "✓" if figure["ok"] else "✗"
        print(
            f"{mark} {figure['name']:<64} {figure['value']:>12} {figure['unit']:<8} target {figure['target']}"
        )
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True
    ).stdout.strip()
    out = ROOT / "var" / "bench" / "audit.json"
    out.parent.mkdir(parents=True, exist_ok=True)
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    out.write_text(
        json.dumps({"figures": figures, "machine": machine, "commit": commit}, ensure_ascii=False, indent=1)
    )
    return 0 if all(figure["ok"] for figure in figures) else 1


if __name__ == "__main__":
    sys.exit(main())
