"""The carrier between the inner side and the front, one round a call; the front as a process of its own."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg2
from django.utils import timezone

ROOT = Path(__file__).resolve().parent.parent


def carry() -> int:
    from ingestion.exchange.front import carrying

    with closing(psycopg2.connect(os.environ["CHUXIONG_DATABASE_URL_FRONT"])) as front:
        return carrying.carry(front, at=timezone.now())


@contextmanager
def live() -> Iterator[str]:
    """The front's own process on the tests' servers; yields its address."""
    from chuxiong.up.services import of_duty
    from tests.conftest import _services

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", "chuxiong.asgi:application", "--port", str(port), "--ws", "none",
               "--no-access-log"]  # fmt: skip
    process = subprocess.Popen(
        command, cwd=ROOT, env=of_duty("front", _services.environment), stderr=subprocess.PIPE, text=True
    )
    assert process.stderr
    try:
        assert any("running on" in line for line in process.stderr), "the front did not start"
        # What it says later must not fill the pipe.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(15)
