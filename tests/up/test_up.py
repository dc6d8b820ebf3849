"""The whole tree as a user starts it: it comes up, survives the death of a part, dies as a whole, heals."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _processes(var: Path) -> dict[int, str]:
    """Live processes that belong to this var folder, by command line or environment."""
    mark = str(var).encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if words and (mark in words or b"CHUXIONG_VAR=" + mark in environment):
            found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")[:80]
    return found


class Tree:
    def __init__(self, var: Path) -> None:
        self.var, self.port = var, _free_port()
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> float:
        """Start; returns the seconds until the page answers."""
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("CHUXIONG_", "DJANGO_"))}
        began = time.monotonic()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "manage.py",
                "up",
                "--json",
                "--var",
                str(self.var),
                "--port",
                str(self.port),
                "--workers",
                "1",
            ],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        for line in self.process.stdout:
            said = json.loads(line)
            assert "failed" not in said, said
            if "ready" in said:
                return time.monotonic() - began
        raise AssertionError("the tree ended before it was ready")

    def get(self, path: str = "/api/v1/openapi.json") -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", path)
        return connection.getresponse().status

    def gone(self, seconds: float = 15) -> dict[int, str]:
        deadline = time.monotonic() + seconds
        while (left := _processes(self.var)) and time.monotonic() < deadline:
            time.sleep(0.1)
        return left


@pytest.fixture
def tree(tmp_path):
    tree = Tree(tmp_path / "var")
    yield tree
    if tree.process and tree.process.poll() is None:
        tree.process.kill()
    tree.gone()


def _pid_of(tree: Tree, word: str) -> int:
    return next(pid for pid, words in _processes(tree.var).items() if word in words)


def test_the_tree_lives_dies_and_heals(tree):
    tree.start()
    assert tree.get() == 200
    # A second start on the same folder is refused and says why.
    second = subprocess.run(
        [sys.executable, "manage.py", "up", "--json", "--var", str(tree.var)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert second.returncode == 1
    assert str(tree.process.pid) in second.stdout
    # A part that dies comes back by itself.
    os.kill(_pid_of(tree, "uvicorn"), signal.SIGKILL)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            if tree.get() == 200:
                break
        except OSError:
            time.sleep(0.2)
    assert tree.get() == 200
    # The head dies without a word: nobody is left behind.
    os.kill(tree.process.pid, signal.SIGKILL)
    tree.process.wait()
    assert tree.gone() == {}
    # The next start heals, and is quick.
    assert tree.start() < 30
    assert tree.get() == 200
    tree.process.send_signal(signal.SIGINT)
    assert tree.process.wait(30) == 0
    assert tree.gone() == {}
