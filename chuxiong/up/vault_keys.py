"""The vault's keys: made once, never overwritten. ``python -m chuxiong.up.vault_keys`` makes them by hand."""

from __future__ import annotations

import json
import os
import secrets
import sys
from pathlib import Path


def ensure(path: Path) -> None:
    """Write fresh keys to ``path`` (mode 0600) unless it exists."""
    if not path.is_file():
        document = {"lookup": secrets.token_hex(32), "seal": {"k1": secrets.token_hex(32)}, "current": "k1"}
        write_private(path, document)


def write_private(path: Path, document: object) -> None:
    """Write JSON that only its owner may read, whole or not at all."""
    fresh = path.with_suffix(f".{secrets.token_hex(4)}")
    with open(fresh, "w", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        json.dump(document, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    fresh.replace(path)


if __name__ == "__main__":
    where = os.environ.get("CHUXIONG_VAULT_KEYS")
    if not where:
        sys.exit("缺少环境变量 / missing environment variable: CHUXIONG_VAULT_KEYS")
    ensure(Path(where))
