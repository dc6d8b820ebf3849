"""The only reader of the environment.

Process environment first; what it lacks comes from ``var/env.json``, which the embedded services
write (mode 0600). All missing variables are named together.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

BASE_DIR = Path(__file__).resolve().parents[2]
ROLES = ("owner", "intake", "worker", "web", "wall", "front")
#: Which doors a web process opens; see ``chuxiong/up/README.md``.
FACES = ("all", "inner", "front")


@dataclass(frozen=True)
class DatabaseAddress:
    """One ``postgresql://`` address taken apart; a Unix socket directory stands in ``?host=``."""

    name: str
    user: str
    password: str
    host: str
    port: str

    @classmethod
    def parse(cls, url: str) -> DatabaseAddress:
        parts = urlsplit(url)
        query = parse_qs(parts.query)
        return cls(
            name=unquote(parts.path.lstrip("/")),
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            host=query.get("host", [parts.hostname or ""])[0],
            port=query.get("port", [str(parts.port or "")])[0],
        )


def _read() -> dict[str, str]:
    found = {key: value for key, value in os.environ.items() if key.startswith("CHUXIONG_")}
    var = Path(found.get("CHUXIONG_VAR", BASE_DIR / "var"))
    written = var / "env.json"
    # A supervised child is given exactly what its duty needs; it must not read the rest.
    if "CHUXIONG_SEALED_ENV" not in found and written.is_file() and os.access(written, os.R_OK):
        found = {**json.loads(written.read_text()), **found}
    found.setdefault("CHUXIONG_VAR", str(var))
    return found


_values = _read()


def optional(name: str, default: str = "") -> str:
    return _values.get(name, default)


def flag(name: str) -> bool:
    return optional(name).lower() in {"1", "true", "yes"}


def require(*names: str) -> dict[str, str]:
    """Return the named variables, or raise one error that names every missing one."""
    missing = [name for name in names if not _values.get(name)]
    if missing:
        var = Path(_values["CHUXIONG_VAR"])
        raise ImproperlyConfigured(
            f"缺少环境变量 / missing environment variables: {', '.join(missing)}\n"
            f"{var / 'env.json'} 中也没有。内置服务：先运行 make run；中心以 --var DIR 启动的，先 export CHUXIONG_VAR=DIR。"
            "自备服务请自行设置这些变量。\n"
            f"Nor are they in {var / 'env.json'}. Embedded services: `make run` first; for a centre started with"
            " --var DIR, export CHUXIONG_VAR=DIR. Servers of your own: set these variables."
        )
    return {name: _values[name] for name in names}


def role() -> str:
    chosen = optional("CHUXIONG_ROLE", "worker")
    if chosen not in ROLES:
        raise ImproperlyConfigured(f"CHUXIONG_ROLE={chosen!r}: expected one of {', '.join(ROLES)}")
    return chosen


def face() -> str:
    chosen = optional("CHUXIONG_FACE", "all")
    if chosen not in FACES:
        raise ImproperlyConfigured(f"CHUXIONG_FACE={chosen!r}: expected one of {', '.join(FACES)}")
    return chosen


def databases() -> dict[str, DatabaseAddress]:
    """Addresses by role, for the roles whose secret this process was given."""
    present = {
        name: DatabaseAddress.parse(_values[f"CHUXIONG_DATABASE_URL_{name.upper()}"])
        for name in ROLES
        if _values.get(f"CHUXIONG_DATABASE_URL_{name.upper()}")
    }
    own = role()
    if own not in present:
        also = () if own == "front" else ("CHUXIONG_REDIS_URL",)
        require(f"CHUXIONG_DATABASE_URL_{own.upper()}", "CHUXIONG_SECRET_KEY", *also)
    return present
