"""``docker-compose.yml`` against the application: read without an engine, and its programs run as written.

The run puts real embedded servers in the place of the two server containers; what the engine itself does (images,
networks, mounts) is read only.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest
import yaml

from chuxiong.settings.env import ROLES
from chuxiong.up import valkey
from chuxiong.up.postgres import _SETTINGS, Postgres
from chuxiong.up.services import DUTIES, socket_folder

pytestmark = pytest.mark.alone

ROOT = Path(__file__).resolve().parents[2]
OWN_FRONT = ("FRONT_SUPERUSER", "FRONT_APPLICATION")
SECRETS = [
    f"{n}_SECRET" for n in ("SUPERUSER", *(r.upper() for r in ROLES), "VALKEY", "APPLICATION", *OWN_FRONT)
]
ONCE = {"prepare", "migrate", "front-prepare"}
DATABASES = {"postgres", "front-database"}
RAW = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
_VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::([-?])([^}]*))?\})")


def _filled(node, variables):  # type: ignore[no-untyped-def]
    """The document with its variables put in, as the compose specification says."""
    if isinstance(node, dict):
        return {key: _filled(value, variables) for key, value in node.items()}
    if isinstance(node, list):
        return [_filled(value, variables) for value in node]
    if not isinstance(node, str):
        return node

    def one(found: re.Match[str]) -> str:
        name, kind, words = found.groups()
        if name is None:
            return "$"
        if variables.get(name):
            return variables[name]
        assert kind == "-", f"{name} is required: {words}"
        return words

    return _VARIABLE.sub(one, node)


COMPOSE = _filled(RAW, {name: f"s-{name.lower()}" for name in SECRETS})
SERVICES = COMPOSE["services"]
CENTRE = {name for name, service in SERVICES.items() if service["image"].startswith("chuxiong-centre:")}


def test_it_consists_of_servers_preparations_and_programs():
    assert set(SERVICES) == {"valkey", *DATABASES, *CENTRE}
    assert {*ONCE, "web", "worker", "beat", "exchange", "front", "telemetry", "alarms"} == CENTRE


def test_no_secret_stands_in_it_and_the_script_makes_each_one(tmp_path):
    with pytest.raises(AssertionError, match="SECRET is required"):
        _filled(RAW, {})
    (tmp_path / "docker").mkdir()
    shutil.copy(ROOT / "docker/secrets.sh", tmp_path / "docker")
    script = ["sh", str(tmp_path / "docker/secrets.sh")]
    subprocess.run(script, check=True)
    made = dict(line.split("=") for line in (tmp_path / ".env").read_text().splitlines())
    assert set(made) == set(SECRETS)
    assert len(set(made.values())) == len(SECRETS) and {len(v) for v in made.values()} == {48}
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    _filled(RAW, made)
    assert subprocess.run(script, capture_output=True).returncode == 1, (
        "a second call would lock everybody out"
    )
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_images_are_pinned_and_carry_the_servers_of_the_wheels():
    images = {name: service["image"].rsplit(":", 1) for name, service in SERVICES.items()}
    assert all(len(image) == 2 and re.match(r"\d+\.\d+", image[1]) for image in images.values()), images
    base = re.search(r"^FROM (\S+)$", (ROOT / "docker/Dockerfile").read_text(), re.M)
    assert base and re.fullmatch(r"python:3\.11[-.\w]*", base.group(1))
    from chuxiong.up.postgres import binaries

    said = subprocess.run([binaries() / "postgres", "--version"], capture_output=True, text=True).stdout
    assert said.split()[-1] == images["postgres"][1]
    said = subprocess.run([valkey._binary(), "--version"], capture_output=True, text=True).stdout
    assert f"v={images['valkey'][1]} " in said


def test_every_container_is_shut_in():
    for name, service in SERVICES.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["user"].split(":")[0] not in {"0", "root", ""}, name
        assert not {"privileged", "network_mode", "pid", "devices", "env_file"} & set(service), name
        assert name in ONCE or service["healthcheck"]["test"], name
        assert service["restart"] == ("no" if name in ONCE else "unless-stopped"), name


def test_web_front_and_telemetry_are_reached_from_outside_and_not_through_each_other():
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert {name for name, service in SERVICES.items() if service.get("ports")} == {
        "web",
        "front",
        "telemetry",
    }
    assert networks["front"] & networks["web"] == set()
    assert networks["telemetry"] == {"inside", "devices"}
    assert [name for name, joined in networks.items() if "devices" in joined] == ["telemetry"]
    for name in ("web", "worker", "beat", "alarms", "telemetry", "prepare", "migrate", "postgres", "valkey"):
        assert "front" not in networks[name] and "inside" in networks[name], name
    for name in ("front", "front-database", "front-prepare"):
        assert "inside" not in networks[name], f"{name} reaches inward"
    # The one that goes between listens to nobody.
    assert {n for n, held in networks.items() if {"inside", "front"} <= held} == {"exchange"}
    for name, network in COMPOSE["networks"].items():
        masquerade = network.get("driver_opts", {}).get("com.docker.network.bridge.enable_ip_masquerade")
        assert network.get("internal") or masquerade == "false", f"{name} has a way out"
    for service in ("web", "front", "telemetry"):
        (port,) = SERVICES[service]["ports"]
        assert port.startswith("127.0.0.1:"), "another interface is the operator's word"


def test_dependencies_and_volumes_exist_and_order_is_possible():
    named = set(COMPOSE["volumes"])
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            assert volume.split(":")[0] in named, (name, volume)
        for needed, how in service.get("depends_on", {}).items():
            once = needed in ONCE
            assert how["condition"] == ("service_completed_successfully" if once else "service_healthy")
            assert needed in SERVICES
    order = _in_order()
    assert [n for n in order if n in {"postgres", "valkey", "prepare", "migrate"}] == [
        "postgres",
        "valkey",
        "prepare",
        "migrate",
    ]


def _in_order() -> list[str]:
    done: list[str] = []
    while len(done) < len(SERVICES):
        ready = [
            n for n, s in SERVICES.items() if n not in done and set(s.get("depends_on", {})) <= set(done)
        ]
        assert ready, "services wait for each other"
        done += ready
    return done


def test_secrets_go_where_they_are_needed_and_nowhere_else():
    def holders(secret: str) -> set[str]:
        mark = f"s-{secret.lower()}_secret"
        return {n for n, s in SERVICES.items() if any(mark in str(v) for v in s["environment"].values())}

    inner = tuple(role for role in ROLES if role != "front")
    duties = {"prepare": inner, "migrate": ("owner",), "front-prepare": ("front",)} | {
        name: DUTIES[{"telemetry": "listener"}.get(name, name)]
        for name in ("web", "worker", "beat", "exchange", "front", "telemetry", "alarms")
    }
    for role in ROLES:
        assert holders(role) == {name for name, roles in duties.items() if role in roles}
    at_front = {"front", "front-prepare"}
    assert holders("superuser") == {"postgres", "prepare"}
    assert holders("application") == CENTRE - {"prepare", *at_front}
    assert holders("valkey") == CENTRE - {"prepare", *at_front} | {"valkey"}
    assert holders("front_superuser") == {"front-database", "front-prepare"}
    assert holders("front_application") == at_front
    keys = {name: [v for v in s.get("volumes", []) if v.startswith("keys:")] for name, s in SERVICES.items()}
    held = {"web", "worker", "exchange", "telemetry"}
    assert {name for name, mounts in keys.items() if mounts} == {"migrate", *held}
    assert all(m.endswith(":ro") for name in held for m in keys[name])
    assert "volumes" not in SERVICES["front"]


def test_the_servers_are_set_as_the_embedded_ones():
    given = dict(word.removeprefix("-c").split("=") for word in SERVICES["postgres"]["command"][1:])
    assert {name: _SETTINGS[name] for name in given} == given
    assert {"log_min_error_statement", "log_error_verbosity"} <= set(given)
    script = SERVICES["valkey"]["command"][-1].replace("\\\n", " ")
    words = re.search(r"for word in (.*?); do", script, re.S)
    assert words and set(words.group(1).split()) == set(valkey._OFF)


def _settings(environment: dict[str, str]) -> list[str]:
    program = "from django.conf import settings as s; print(*sorted(s.DATABASES), s.DATABASES['default']['USER'], s.ROOT_URLCONF)"
    base = {"PATH": os.environ["PATH"], "DJANGO_SETTINGS_MODULE": "chuxiong.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=base | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-800:]
    return done.stdout.split()


@pytest.mark.parametrize("name", sorted(CENTRE - {"prepare"}))
def test_the_settings_find_all_they_require_and_nothing_is_superfluous(name):
    environment = SERVICES[name]["environment"]
    *aliases, user, urls = _settings(environment)
    assert user == f"cx_{environment['CHUXIONG_ROLE']}"
    assert set(aliases) - {"default"} == {
        r for r in ROLES if f"CHUXIONG_DATABASE_URL_{r.upper()}" in environment
    }
    faces = {"web": "chuxiong.urls_inner"} | dict.fromkeys(("front", "front-prepare"), "chuxiong.urls_front")
    assert urls == faces.get(name, "chuxiong.urls")


def test_the_front_knows_the_way_to_its_interface_alone():
    from django.urls import Resolver404, get_resolver, resolve

    from chuxiong import urls, urls_front, urls_inner

    def doors(urlconf: str, prefix: str = "", patterns=None) -> set[str]:  # type: ignore[no-untyped-def]
        found: set[str] = set()
        for one in patterns if patterns is not None else get_resolver(urlconf).url_patterns:
            path = prefix + str(one.pattern)
            found |= doors(urlconf, path, one.url_patterns) if hasattr(one, "url_patterns") else {path}
        return found

    front, inner, both = (doors(module.__name__) for module in (urls_front, urls_inner, urls))
    assert front and all(path.startswith("api/v1/") for path in front)
    assert inner & front == set() and inner | front == both
    assert not any(path.startswith("api/v1/") for path in inner)
    for path in ("/", "/login", "/wall/", "/i18n/setlang/"):
        assert resolve(path, urlconf=urls_inner.__name__)
        with pytest.raises(Resolver404):
            resolve(path, urlconf=urls_front.__name__)


# -- the programs, as written -------------------------------------------------------------------------


class Engine:
    """Runs the programs of the file beside embedded servers: addresses, paths and ports are put in, no more."""

    def __init__(self, var: Path) -> None:
        for name in ("log", "keys", "run"):
            (var / name).mkdir(parents=True)
        self.var, self.ports = var, {name: _free_port() for name in ("web", "front", "telemetry")}
        sockets = socket_folder(var)
        self.postgres = Postgres(var / "postgres", sockets, var / "log/postgres.log", "s-superuser_secret")
        self.valkey = valkey.Valkey(
            sockets / "valkey.sock", var / "valkey", var / "log/valkey.log", "s-valkey_secret"
        )
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def here(self, name: str, words: str) -> str:
        place = f"?host={quote(str(self.postgres.sockets))}&port=5432"
        words = re.sub(r"@postgres:5432/(\w+)", rf"@/\1{place}", words)
        words = re.sub(r"@front-database:5432/(\w+)", rf"@/\1{place}", words)
        # One embedded server stands for both: its superuser's password is one.
        words = words.replace("s-front_superuser_secret", "s-superuser_secret")
        words = words.replace("redis://:s-valkey_secret@valkey:6379/0", self.valkey.url())
        words = words.replace("/var/lib/chuxiong", str(self.var))
        words = re.sub(r"/tmp/(beat|front|heard|looked)", rf"{self.var}/\1", words)  # noqa: S108
        words = re.sub(r"\bpython\b(?= -m| manage)", sys.executable, words)
        if name in self.ports:
            words = re.sub(r"\b(8000|9212)\b", str(self.ports[name]), words).replace("0.0.0.0", "127.0.0.1")  # noqa: S104
        return sys.executable if words == "python" else words

    def popen(self, name: str, command: list[str]) -> subprocess.Popen[bytes]:
        kept = {n: os.environ[n] for n in ("PATH", "HOME") if n in os.environ}
        environment = {k: self.here(name, v) for k, v in SERVICES[name]["environment"].items()}
        with open(self.var / "log" / f"{name}.log", "ab") as out:
            return subprocess.Popen(
                [self.here(name, word) for word in command],
                cwd=ROOT, env=kept | {"LC_ALL": "C.UTF-8"} | environment, stdout=out, stderr=out,
            )  # fmt: skip

    def once(self, name: str) -> None:
        assert self.popen(name, SERVICES[name]["command"]).wait(120) == 0, self.log(name)

    def start(self, name: str) -> None:
        self.running[name] = self.popen(name, SERVICES[name]["command"])

    def healthy(self, name: str, seconds: float = 90) -> bool:
        kind, *words = SERVICES[name]["healthcheck"]["test"]
        command = words if kind == "CMD" else ["sh", "-c", *words]
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and self.running[name].poll() is None:
            if self.popen(name, command).wait(60) == 0:
                return True
            time.sleep(0.5)
        return False

    def log(self, name: str) -> str:
        return (self.var / "log" / f"{name}.log").read_text(errors="replace")[-3000:]

    def get(self, name: str, path: str) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[name], timeout=5)
        connection.request("GET", path)
        return connection.getresponse().status

    def stop(self) -> None:
        for process in self.running.values():
            process.terminate()
        for process in self.running.values():
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        self.valkey.stop()
        self.postgres.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_the_programs_run_as_written_and_call_themselves_healthy(tmp_path):
    engine = Engine(tmp_path / "var")
    try:
        engine.postgres.start()
        engine.valkey.start()
        for _ in range(2):  # a second `docker compose up` changes nothing
            engine.once("prepare")
            engine.once("migrate")
            engine.once("front-prepare")
        keys = (engine.var / "keys/vault.json").read_text()
        assert keys and (engine.var / "keys/vault.json").stat().st_mode & 0o777 == 0o600
        programs = [name for name in _in_order() if name in CENTRE - ONCE]
        for name in programs:
            engine.start(name)
        for name in programs:
            assert engine.healthy(name), f"{name}: {engine.log(name)}"
        assert [engine.get("front", path) for path in ("/login", "/wall/", "/", "/ws/desk/")] == [404] * 4
        assert engine.get("front", "/api/v1/received") == 401
        assert (engine.get("web", "/login"), engine.get("web", "/api/v1/received")) == (200, 404)
        # The health checks can say no.
        for name in programs:
            engine.running[name].terminate()
            engine.running[name].wait(30)
        assert not any(
            engine.popen(n, SERVICES[n]["healthcheck"]["test"][1:]).wait(60) == 0 for n in ("web", "front")
        )
    finally:
        engine.stop()
