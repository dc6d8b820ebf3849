"""The key that signs segments and anchors: Ed25519, a file outside the database, readable by its owner alone."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

SEAL = b"chuxiong-audit-seal\0"
ANCHOR = b"chuxiong-audit-anchor\0"


class KeyUnusable(Exception):
    """Says which file and what to do."""


@dataclass(frozen=True)
class SigningKey:
    """``id`` is the fingerprint of the public half, 16 hexadecimal digits."""

    private: Ed25519PrivateKey
    id: str

    def sign(self, kind: bytes, digest: bytes) -> bytes:
        return self.private.sign(kind + digest)


class TrustedKeys:
    """Public keys whose signatures count, by fingerprint."""

    def __init__(self, keys: Iterable[Ed25519PublicKey]) -> None:
        self._keys = {fingerprint(key): key for key in keys}

    def __bool__(self) -> bool:
        return bool(self._keys)

    def holds(self, key: str, kind: bytes, digest: bytes, signature: bytes) -> bool:
        known = self._keys.get(key)
        if known is None:
            return False
        try:
            known.verify(signature, kind + digest)
        except InvalidSignature:
            return False
        return True


def fingerprint(key: Ed25519PublicKey) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.Raw, PublicFormat.Raw)).hexdigest()[:16]


def load(path: Path) -> SigningKey:
    try:
        if path.stat().st_mode & 0o077:
            raise KeyUnusable(f"{path} 可被他人读取，请执行 chmod 600 / readable by others: chmod 600 it")
        private = load_pem_private_key(path.read_bytes(), None)
    except (OSError, ValueError) as error:
        raise KeyUnusable(
            f"审计签名密钥不可用：{path}（{type(error).__name__}）。请从保管处恢复该文件；确已遗失时执行 "
            f"manage.py audit key --new / signing key missing: restore the file, or if it is lost `audit key --new`"
        ) from error
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyUnusable(f"{path} 不是 Ed25519 密钥 / not an Ed25519 key")
    return SigningKey(private, fingerprint(private.public_key()))


def create(path: Path) -> SigningKey:
    """Make the key unless it exists; of two processes that try at once both load the same.

    Its public half is kept beside it, so that signatures can be checked after the key is replaced or lost.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    fresh = path.with_suffix(f".{secrets.token_hex(4)}")
    _write(fresh, made, 0o600)
    with suppress(FileExistsError):
        os.link(fresh, path)
    fresh.unlink()
    key = load(path)
    with suppress(FileExistsError):
        _write(path.with_name(f"{path.stem}-{key.id}.pub.pem"), public_pem(key), 0o644)
    return key


def renew(path: Path) -> SigningKey:
    """A new key in place of the old one, whose signatures still count by the public half beside it."""
    path.unlink(missing_ok=True)
    return create(path)


def public_pem(key: SigningKey) -> bytes:
    return key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def trusted(path: Path, extra: Iterable[Path] = ()) -> TrustedKeys:
    """The present key, the retired ones beside it, and public keys brought from elsewhere."""
    found = [load(path).private.public_key()] if path.is_file() else []
    for file in [*sorted(path.parent.glob(f"{path.stem}-*.pub.pem")), *extra]:
        try:
            key = load_pem_public_key(file.read_bytes())
        except (OSError, ValueError) as error:
            raise KeyUnusable(f"公钥文件无法读取：{file} / public key not readable") from error
        if isinstance(key, Ed25519PublicKey):
            found.append(key)
    if not found:
        raise KeyUnusable(
            f"没有可用的审计公钥：{path} 不存在。请恢复密钥文件或用 --public-key 指定 / no public key: restore the file"
            " or name one with --public-key"
        )
    return TrustedKeys(found)


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as out:
        out.write(data)
        out.flush()
        os.fsync(out.fileno())
