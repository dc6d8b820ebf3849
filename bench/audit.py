"""How fast audit rows are written, chained and verified, on a durable server of this run's own.

``make bench BENCH=audit``; rows of the verification by ``AUDIT_ROWS`` (default a million).
"""

from __future__ import annotations

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

    written = _write()
    with connections["owner"].cursor() as cursor:
        for start in range(written, ROWS, 10_000):
            cursor.execute(
                "insert into audit_auditevent (at, actor, office, action, object_kind, object_ref, reason, ip, device, session)"
                " select now(), 'p' || n % 300, '532301', 'clue.read', 'clue', 'XS-2026-' || lpad(n::text, 7, '0'), '',"
                " '10.1.2.3', 'Chrome 131 · Linux', '0123456789abcdef' from generate_series(%s, %s) n",
                [start, min(start + 10_000, ROWS) - 1],
            )
        cursor.execute("vacuum analyze audit_auditevent")
    began = time.monotonic()
    sealed = sealer.seal(using="worker")
    sealing = sealed.rows / (time.monotonic() - began)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    report = verify()
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert report.exit_code == 0, report.document()
    assert report.rows == sealed.rows >= ROWS
    return [
        _figure(
            f"rows written by {WRITERS} writers, each in its own transaction",
            written / SECONDS,
            "rows/s",
            184,
            500,
        ),
        _figure(f"chained, signed and anchored, {sealed.rows} rows", sealing, "rows/s", None, 30_000),
        _figure(f"verified, {report.rows} rows", report.rows / report.seconds, "rows/s", 136_000, 67_000),
        _figure(f"seconds to verify {report.rows} rows", report.seconds, "s", None, 15, less=True),
        _figure("memory that verification added", grown, "MiB", None, 100, less=True),
    ]


def _write() -> int:
    """Rows that ``record()`` wrote in the time, over all writers."""
    from django.db import connections
    from django.utils import timezone

    from chuxiong.audit.record import record

    counts = [0] * WRITERS
    until = time.monotonic() + SECONDS

    def writer(index: int) -> None:
        while time.monotonic() < until:
            record(
                at=timezone.now(),
                actor=f"p{index}",
                office="532301",
                action="clue.read",
                object_kind="clue",
                object_ref=f"XS-2026-{counts[index]:06d}",
            )
            counts[index] += 1
        connections.close_all()

    threads = [threading.Thread(target=writer, args=(i,)) for i in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts)


def _figure(
    name: str, value: float, unit: str, peer: float | None, target: float, *, less: bool = False
) -> dict[str, Any]:
    ok = value <= target if less else value >= target
    return {"name": name, "value": round(value, 1), "unit": unit, "peer": peer, "target": target, "ok": ok}


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
