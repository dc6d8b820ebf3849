"""The embedded servers under every guise, and what is left of a start that was killed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from chuxiong.up import logs, services
from chuxiong.up.children import ServiceFailed
from chuxiong.up.database import from_environment
from tests.up.test_up import ROOT, Tree

pytestmark = pytest.mark.alone

_PROGRAM = """
import json, sys
from pathlib import Path
import psycopg2, redis
from chuxiong.up import children, services
if sys.argv[2] == "changed":
    children._mapped = lambda uid, gid: None
running = services.start(Path(sys.argv[1]), durable=False)
answers = {}
for role in ("owner", "web"):
    connection = psycopg2.connect(running.environment[f"CHUXIONG_DATABASE_URL_{role.upper()}"])
    cursor = connection.cursor()
    cursor.execute("select current_user")
    answers[role] = cursor.fetchone()[0]
answers["uid"] = Path(f"/proc/{running.postgres.process.pid}").stat().st_uid
answers["valkey"] = redis.Redis.from_url(running.environment["CHUXIONG_REDIS_URL"]).ping()
running.stop()
print(json.dumps(answers))
"""
_root = pytest.mark.skipif(os.geteuid() != 0, reason="changing user needs root")


def _start(var: Path, guise: str, prefix: tuple[str, ...] = ()) -> dict[str, object]:
    done = subprocess.run(
        [*prefix, sys.executable, "-c", _PROGRAM, str(var), guise],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def open_folder():
    """A folder that another user may reach (pytest's own are root's alone)."""
    folder = Path(tempfile.mkdtemp(prefix="cx-up-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@_root
def test_root_by_either_guise_on_the_same_data(open_folder):
    var = open_folder / "大数据 中心"  # also: a path that must be quoted, and too odd for a socket's
    for guise in ("mapped", "changed", "mapped"):
        answers = _start(var, guise)
        assert (answers["owner"], answers["web"], answers["valkey"]) == ("cx_owner", "cx_web", True)
        assert bool(answers["uid"]) == (guise == "changed")
    shutil.rmtree(services.socket_folder(var))


@_root
def test_an_ordinary_user(open_folder):
    os.chown(open_folder, 65534, 65534)
    prefix = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all", "--")
    try_it = [*prefix, sys.executable, "-c", "import psycopg2, redis"]
    if subprocess.run(try_it, capture_output=True).returncode:
        pytest.skip("this Python lies where only root may reach it")
    answers = _start(open_folder / "var", "mapped", prefix)
    assert (answers["owner"], answers["uid"]) == ("cx_owner", 65534)
    assert (open_folder / "var" / "env.json").stat().st_mode & 0o777 == 0o600


def test_a_first_start_killed_at_any_moment_heals(tmp_path):
    """kill -9 of every process of the tree while initdb, the roles or the migrations are under way."""
    tree = Tree(tmp_path / "var")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CHUXIONG_", "DJANGO_"))}
    command = [sys.executable, "manage.py", "up", "--json", "--var", str(tree.var), "--port", str(tree.port)]
    for moment in ("initdb", "half an initdb", "roles", "migrations"):
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, start_new_session=True
        )
        deadline = time.monotonic() + 60
        while not _reached(moment, tree.var) and time.monotonic() < deadline:
            time.sleep(0.005)
        assert process.poll() is None and time.monotonic() < deadline, moment
        os.kill(process.pid, signal.SIGKILL)  # the death signal carries it on to all others
        process.wait()
        assert tree.gone() == {}, moment
    tree.start()
    assert tree.get() == 200
    assert list(tree.var.glob("postgres.*")) == []
    tree.process.send_signal(signal.SIGTERM)
    assert tree.process.wait(30) == 0
    assert tree.gone() == {}


def _reached(moment: str, var: Path) -> bool:
    fresh = list(var.glob("postgres.new-*"))
    if moment == "initdb":
        return bool(fresh)
    if moment == "half an initdb":
        return any((folder / "base" / "1").is_dir() for folder in fresh)
    if moment == "roles":
        return (var / "postgres" / "postmaster.pid").is_file()
    return (var / "env.json").is_file()


def test_logs_are_put_aside_and_the_oldest_goes(tmp_path):
    log = tmp_path / "web.log"
    for number in range(logs.KEPT + 3):
        log.write_text(str(number))
        logs.begin(tmp_path)
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == {f"web.log.{n}": str(logs.KEPT + 3 - n) for n in range(1, logs.KEPT + 1)}


def test_an_own_server_is_prepared_from_the_environment(services):
    environment = dict(services.environment) | {"CHUXIONG_SUPERUSER_URL": "postgresql://"}
    with pytest.raises(ServiceFailed, match="CHUXIONG_DATABASE_URL_WEB"):
        from_environment({k: v for k, v in environment.items() if not k.endswith("_WEB")})
    with pytest.raises(ServiceFailed, match="cx_wall"):
        from_environment(environment | {"CHUXIONG_DATABASE_URL_WALL": "postgresql://root:x@h/chuxiong"})


def test_a_duty_receives_its_own_secrets_alone(services):
    from chuxiong.up.services import of_duty

    everything = services.environment | {"CHUXIONG_SUPERUSER_URL": "postgresql://postgres:x@h/"}
    given = {
        duty: set(of_duty(duty, everything))
        for duty in ("web", "worker", "beat", "front", "page", "exchange")
    }
    assert not any("CHUXIONG_SUPERUSER_URL" in names for names in given.values())
    addresses = {
        duty: {n.removeprefix("CHUXIONG_DATABASE_URL_") for n in names if "DATABASE_URL" in n}
        for duty, names in given.items()
    }
    assert addresses == {
        "web": {"WEB", "WALL"},
        "worker": {"WORKER", "INTAKE"},
        "beat": {"WORKER"},
        "page": {"WEB", "WALL", "FRONT"},
        "exchange": {"WEB", "INTAKE", "FRONT"},
        "front": {"FRONT"},
    }
    assert "CHUXIONG_VAULT_KEYS" not in given["front"]
