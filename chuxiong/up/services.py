"""Both embedded servers, their secrets, and the environment that processes receive."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from chuxiong.audit import signing
from ingestion.exchange import sealing

from . import database
from .children import ServiceFailed
from .postgres import Postgres
from .valkey import Valkey
from .vault_keys import ensure, write_private

#: Which database roles' addresses a duty receives; see docs/architecture.md.
DUTIES = {
    "owner": ("owner", "web", "intake", "worker", "wall"),
    "web": ("web", "wall"),
    "worker": ("worker", "intake"),
    "beat": ("worker",),
    "front": ("web",),
    "listener": ("intake",),
}
#: What the outside machine's face does without: nothing it shows holds an identifier.
_NOT_FOR_THE_FRONT = {"CHUXIONG_VAULT_KEYS"}


def of_duty(duty: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The process environment of one duty: its own secrets of ``environment`` and no others."""
    own = {f"CHUXIONG_DATABASE_URL_{role.upper()}" for role in DUTIES[duty]}
    kept = {
        name: value
        for name, value in environment.items()
        if name in own or not name.startswith(("CHUXIONG_DATABASE_URL_", "CHUXIONG_SUPERUSER_"))
    }
    # The audit's key and marks may lie on another disk: where is the machine's own matter.
    base = {
        k: v
        for k, v in os.environ.items()
        if not k.startswith("CHUXIONG_") or k.startswith("CHUXIONG_AUDIT_")
    }
    if duty == "front":
        kept = {k: v for k, v in kept.items() if k not in _NOT_FOR_THE_FRONT} | {"CHUXIONG_FACE": "front"}
    role = {"beat": "worker", "front": "web", "listener": "intake"}.get(duty, duty)
    return base | kept | {"CHUXIONG_SEALED_ENV": "1", "CHUXIONG_ROLE": role}


@dataclass
class Services:
    """Running servers of one ``var`` folder."""

    var: Path
    postgres: Postgres
    valkey: Valkey
    environment: dict[str, str]

    def stop(self) -> None:
        self.valkey.stop()
        self.postgres.stop()

    def of_duty(self, duty: str) -> dict[str, str]:
        """The process environment of one duty."""
        return of_duty(duty, self.environment)


def given(var: Path) -> dict[str, str]:
    """The addresses and secrets of servers that run elsewhere: the environment, then a centre's ``env.json``.

    Raises ``ServiceFailed`` naming what the front lacks.
    """
    written = var / "env.json"
    found = json.loads(written.read_text()) if written.is_file() else {}
    found |= {k: v for k, v in os.environ.items() if k.startswith("CHUXIONG_")}
    needed = ("CHUXIONG_DATABASE_URL_WEB", "CHUXIONG_REDIS_URL", "CHUXIONG_SECRET_KEY")
    if missing := [name for name in needed if not found.get(name)]:
        raise ServiceFailed(
            f"{var} 中没有运行过的中心，环境变量也缺 {', '.join(missing)}；请先启动中心（--role inner）"
            " / no centre has run in this folder and these variables are not set: start one first"
        )
    return found


#: what a socket's path may hold without quoting in any of the addresses and settings it stands in
_PLAIN = re.compile(r"[A-Za-z0-9/._-]{1,80}")


def socket_folder(var: Path) -> Path:
    """``var/run``, or where that is too long for a socket's name (107 bytes) a private folder in /tmp."""
    if _PLAIN.fullmatch(str(var / "run")):
        return var / "run"
    digest = hashlib.sha256(str(var).encode()).hexdigest()[:12]
    folder = Path("/tmp") / f"cx-{os.geteuid()}-{digest}"  # noqa: S108  ours alone, checked below
    folder.mkdir(mode=0o700, exist_ok=True)
    found = folder.lstat()
    if found.st_uid != os.geteuid() or not stat.S_ISDIR(found.st_mode):
        raise ServiceFailed(f"{folder} 属于别的用户；请删除它 / belongs to somebody else: remove it")
    folder.chmod(0o700)
    return folder


def start(var: Path, *, durable: bool = True) -> Services:
    """Start both servers on ``var`` and prepare the database; secrets are made once and kept."""
    var = var.resolve()
    for name in ("", "run", "log", "keys"):
        (var / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = _secrets(var / "keys" / "services.json")
    vault = var / "keys" / "vault.json"
    ensure(vault)
    sealing.ensure(var / "keys" / "exchange.pem")
    signing.create(var / "keys" / "exchange-signing.pem")
    sockets = socket_folder(var)
    postgres = Postgres(var / "postgres", sockets, var / "log" / "postgres.log", kept["postgres"], durable)
    valkey = Valkey(sockets / "valkey.sock", var / "valkey", var / "log" / "valkey.log", kept["valkey"])
    try:
        postgres.start()
        database.prepare(postgres.dsn, kept, durable=durable)
        valkey.start()
    except BaseException:
        valkey.stop()
        postgres.stop()
        raise
    environment = {
        f"CHUXIONG_DATABASE_URL_{role.upper()}": postgres.url(database.DATABASE, f"cx_{role}", kept[role])
        for role in database.ROLES
    } | {
        "CHUXIONG_REDIS_URL": valkey.url(),
        "CHUXIONG_SECRET_KEY": kept["django"],
        "CHUXIONG_VAULT_KEYS": str(vault),
        "CHUXIONG_VAR": str(var),
    }
    write_private(var / "env.json", environment)
    return Services(var, postgres, valkey, environment)


def _secrets(path: Path) -> dict[str, str]:
    if not path.is_file():
        names = ("postgres", "valkey", "django", *database.ROLES)
        write_private(
            path, {name: secrets.token_urlsafe(32).replace("-", "x").replace("_", "y") for name in names}
        )
    kept: dict[str, str] = json.loads(path.read_text())
    return kept
