"""What cannot work is said in words, without a trace, before anything is started."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def manage(*words: str, **more: str) -> subprocess.CompletedProcess[str]:
    bare = {k: v for k, v in os.environ.items() if not k.startswith(("CHUXIONG_", "DJANGO_"))}
    return subprocess.run(
        [sys.executable, "manage.py", *words],
        cwd=ROOT, env=bare | more, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def test_a_port_in_use_stops_the_start_at_once(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = manage("up", "--var", str(tmp_path), "--port", port)
        assert done.returncode == 1 and f"端口 {port} 不能用" in done.stdout.replace("\n", "")
        assert "✓" not in done.stdout and not (tmp_path / "postgres").exists()
        done = manage("up", "--var", str(tmp_path), "--port", "0", "--telemetry", port)
        assert done.returncode == 1 and "--telemetry" in done.stdout


def test_a_command_without_a_centre_says_which_folder_it_looked_in(tmp_path: Path) -> None:
    for words in (("feed", "status"), ("migrate",), ("agreement", "list")):
        done = manage(*words, CHUXIONG_VAR=str(tmp_path))
        assert done.returncode == 1, words
        assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 3, done.stderr
        assert str(tmp_path / "env.json") in done.stderr and "export CHUXIONG_VAR=DIR" in done.stderr
