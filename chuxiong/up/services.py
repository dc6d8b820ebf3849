"""Both embedded servers, their secrets, and the environment that processes receive."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import stat
from collections.abc import Mapping, Sequence
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
    "owner": ("owner", "web", "intake", "worker", "wall", "front"),
    "web": ("web", "wall"),
    # A centre that shows the agencies' interface itself has the front's database beside its own.
    "page": ("web", "wall", "front"),
    "worker": ("worker", "intake"),
    "beat": ("worker",),
    "front": ("front",),
    # Folders, sources, and the way to the front and back: acts for agencies within the web role.
    "exchange": ("web", "intake", "front"),
    "listener": ("intake",),
    "alarms": ("worker",),
}
#: What the front does without: nothing of the inner side is its own.
_NOT_FOR_THE_FRONT = {"CHUXIONG_VAULT_KEYS", "CHUXIONG_REDIS_URL"}


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
    role = {"beat": "worker", "page": "web", "exchange": "web", "listener": "intake", "alarms": "worker"}.get(
        duty, duty
    )
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


@dataclass
class Front:
    """The front's own server, if it is ours to run, and the environment of its page."""

    postgres: Postgres | None
    environment: dict[str, str]

    def stop(self) -> None:
        if self.postgres is not None:
            self.postgres.stop()


def start_front(home: Path) -> Front:
    """The front on ``home``: its own database, role and application key, or the database that the environment names.

    Nothing of a centre that may run in the folder above is read.
    """
    for name in ("", "run", "log", "keys"):
        (home / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = _secrets(home / "keys" / "services.json", ("postgres", "django", "front"))
    address = os.environ.get("CHUXIONG_DATABASE_URL_FRONT", "")
    postgres = None
    if not address:
        postgres = Postgres(
            home / "postgres", socket_folder(home), home / "log" / "postgres.log", kept["postgres"]
        )
        try:
            postgres.start()
            database.prepare_front(postgres.dsn, kept["front"])
        except BaseException:
            postgres.stop()
            raise
        address = postgres.url(database.FRONT, database.FRONT_ROLE, kept["front"])
    environment = {
        "CHUXIONG_DATABASE_URL_FRONT": address,
        "CHUXIONG_SECRET_KEY": os.environ.get("CHUXIONG_SECRET_KEY") or kept["django"],
        "CHUXIONG_VAR": str(home),
    }
    write_private(home / "env.json", environment)
    return Front(postgres, environment)


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
        database.prepare_front(postgres.dsn, kept["front"])
        valkey.start()
    except BaseException:
        valkey.stop()
        postgres.stop()
        raise
    environment = {
        f"CHUXIONG_DATABASE_URL_{role.upper()}": postgres.url(database.DATABASE, f"cx_{role}", kept[role])
        for role in database.ROLES
    } | {
        "CHUXIONG_DATABASE_URL_FRONT": postgres.url(database.FRONT, database.FRONT_ROLE, kept["front"]),
        "CHUXIONG_REDIS_URL": valkey.url(),
        "CHUXIONG_SECRET_KEY": kept["django"],
        "CHUXIONG_VAULT_KEYS": str(vault),
        "CHUXIONG_VAR": str(var),
    }
    write_private(var / "env.json", environment)
    return Services(var, postgres, valkey, environment)


def _secrets(
    path: Path, names: Sequence[str] = ("postgres", "valkey", "django", "front", *database.ROLES)
) -> dict[str, str]:
    """Made once and kept; a name that came with a later version is added."""
    kept: dict[str, str] = json.loads(path.read_text()) if path.is_file() else {}
    if lacking := [name for name in names if name not in kept]:
        kept |= {name: secrets.token_urlsafe(32).replace("-", "x").replace("_", "y") for name in lacking}
        write_private(path, kept)
    return kept
