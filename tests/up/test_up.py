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
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path

import psycopg2
import pytest
import redis

from chuxiong.up.postgres import cluster_name

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parents[2]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _processes(var: Path) -> dict[int, str]:
    """Live processes that belong to this var folder, by command line, environment or cluster."""
    mark, cluster = str(var).encode(), cluster_name(var / "postgres").encode()
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words, environment = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
        except OSError:
            continue
        if words and (mark in words or cluster in words or b"CHUXIONG_VAR=" + mark in environment):
            found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")[:400]
    return found


class Tree:
    def __init__(self, var: Path) -> None:
        self.var, self.port = var, _free_port()
        self.process: subprocess.Popen[str] | None = None

    def start(self, *words: str) -> float:
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
                *words,
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

    def get(self, path: str = "/api/v1/openapi.json", **headers: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        connection.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})
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


def _soon(true: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with suppress(OSError, StopIteration, redis.RedisError):
            if true():
                return True
        time.sleep(0.1)
    return False


def _answers(var: Path) -> bool:
    address = json.loads((var / "env.json").read_text())["CHUXIONG_REDIS_URL"]
    return bool(redis.Redis.from_url(address).ping())


def _knocks(tree: Tree) -> int:
    """A stranger's key: refused by who has looked it up in the database."""
    stamp = str(int(time.time() * 1000))
    return tree.get(
        "/api/v1/received", X_App_Key="nobody", X_Nonce="12345678", X_Signature="0", X_Timestamp=stamp
    )


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
    # A part that dies comes back by itself: the page, and the servers behind it.
    for part, question in (
        ("uvicorn", lambda: tree.get() == 200),
        ("bin/postgres -D", lambda: _knocks(tree) == 401),
        ("valkey-server", lambda: _answers(tree.var)),
    ):
        before = _pid_of(tree, part)
        os.kill(before, signal.SIGKILL)
        assert _soon(lambda part=part, before=before: _pid_of(tree, part) != before), part
        assert _soon(question), part
    # The whole tree dies at once.
    for pid in _processes(tree.var):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    tree.process.wait()
    assert tree.gone() == {}
    tree.start()
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


def _inner_has_come(address: str) -> bool:
    with closing(psycopg2.connect(address)) as front, front.cursor() as cursor:
        cursor.execute("select count(*) from front_key where side = 'inner'")
        return bool(cursor.fetchone()[0] == 1)


def test_the_front_shows_agencies_their_interface_alone(tree):
    """``inner`` and ``front`` on one machine: each shows its own doors and nothing of the other's."""
    front = Tree(tree.var)
    front.start("--role", "front")
    tree.start("--role", "inner")
    try:
        assert [front.get(path) for path in ("/", "/login", "/wall/", "/ws/wall/", "/i18n/setlang/")] == [
            404
        ] * 5
        assert (front.get(), _knocks(front)) == (200, 401)
        assert (tree.get(), tree.get("/login")) == (404, 200)
        environment = Path(f"/proc/{_pid_of(front, f'--port {front.port} --ws none')}/environ").read_bytes()
        names = {entry.split(b"=")[0].decode() for entry in environment.split(b"\0")}
        assert {n for n in names if n.startswith("CHUXIONG_")} == {
            "CHUXIONG_DATABASE_URL_FRONT", "CHUXIONG_FACE", "CHUXIONG_ROLE", "CHUXIONG_SEALED_ENV",
            "CHUXIONG_SECRET_KEY", "CHUXIONG_VAR",
        }  # fmt: skip
        # Nothing of the front's folder opens anything of the centre's.
        own, centre = (
            json.loads((place / "env.json").read_text()) for place in (tree.var / "front", tree.var)
        )
        assert not set(own.values()) & set(centre.values())
        # The inner side comes to the front by itself.
        assert _soon(lambda: _inner_has_come(own["CHUXIONG_DATABASE_URL_FRONT"]), 30)
    finally:
        front.process.send_signal(signal.SIGINT)
        assert front.process.wait(30) == 0
    assert tree.get("/login") == 200
    tree.process.send_signal(signal.SIGINT)
    assert tree.process.wait(30) == 0
    assert tree.gone() == {}
