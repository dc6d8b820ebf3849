"""Both embedded servers, their secrets, and the environment that processes receive."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from . import database
from .postgres import Postgres
from .valkey import Valkey

#: Which database roles' addresses a duty receives; see docs/architecture.md.
DUTIES = {
    "owner": ("owner", "web", "intake", "worker", "wall"),
    "web": ("web", "wall"),
    "worker": ("worker", "intake"),
    "beat": ("worker",),
}


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
        """The process environment of one duty: its own secrets and no others."""
        own = {f"CHUXIONG_DATABASE_URL_{role.upper()}" for role in DUTIES[duty]}
        kept = {
            name: value
            for name, value in self.environment.items()
            if not name.startswith("CHUXIONG_DATABASE_URL_") or name in own
        }
        base = {k: v for k, v in os.environ.items() if not k.startswith("CHUXIONG_")}
        role = "worker" if duty == "beat" else duty
        return base | kept | {"CHUXIONG_SEALED_ENV": "1", "CHUXIONG_ROLE": role}


def socket_folder(var: Path) -> Path:
    """A private folder with a short path: a socket's name may not exceed 107 bytes."""
    digest = hashlib.sha256(str(var.resolve()).encode()).hexdigest()[:12]
    folder = Path(tempfile.gettempdir()) / f"cx-{os.geteuid()}-{digest}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.geteuid():
        raise PermissionError(f"{folder} belongs to somebody else")
    folder.chmod(0o700)
    return folder


def start(var: Path, *, durable: bool = True) -> Services:
    """Start both servers on ``var`` and prepare the database; secrets are made once and kept."""
    var = var.resolve()
    for name in ("", "run", "log", "keys"):
        (var / name).mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = _secrets(var / "keys" / "services.json")
    vault = var / "keys" / "vault.json"
    if not vault.is_file():
        _write_private(
            vault,
            {"lookup": secrets.token_hex(32), "seal": {"k1": secrets.token_hex(32)}, "current": "k1"},
        )
    sockets = socket_folder(var)
    postgres = Postgres(var / "postgres", sockets, var / "log" / "postgres.log", kept["postgres"], durable)
    postgres.start()
    valkey = Valkey(
        sockets / "valkey.sock", var / "run" / "valkey", var / "log" / "valkey.log", kept["valkey"]
    )
    try:
        database.prepare(postgres, kept)
        valkey.start()
    except BaseException:
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
    _write_private(var / "env.json", environment)
    return Services(var, postgres, valkey, environment)


def _secrets(path: Path) -> dict[str, str]:
    if not path.is_file():
        names = ("postgres", "valkey", "django", *database.ROLES)
        _write_private(
            path, {name: secrets.token_urlsafe(32).replace("-", "x").replace("_", "y") for name in names}
        )
    kept: dict[str, str] = json.loads(path.read_text())
    return kept


def _write_private(path: Path, document: object) -> None:
    fresh = path.with_suffix(f".{secrets.token_hex(4)}")
    with open(fresh, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        json.dump(document, out, indent=1)
    fresh.replace(path)
