"""Bytes sealed to the inner side: whoever holds the public half can lay down, the inner side alone can open.

A data key per file, wrapped by X25519 → HKDF-SHA256 → AES-256-GCM with a fresh pair each time. The private half is a
file beside the vault's keys; the front machine and the desk are never given it.
"""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

_PUBLIC, _NONCE = 32, 12
_INFO = b"chuxiong exchange v1"


class SealBroken(Exception):
    """The box was altered, belongs to another file, or was sealed to another key."""


def seal_key(public: bytes, data_key: bytes, place: str) -> bytes:
    """``data_key`` for the holder of ``public`` (32 raw bytes), bound to ``place``."""
    own = X25519PrivateKey.generate()
    sender = own.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    cipher = _cipher(own.exchange(X25519PublicKey.from_public_bytes(public)), sender + public)
    nonce = os.urandom(_NONCE)
    return sender + nonce + cipher.encrypt(nonce, data_key, place.encode())


def open_key(private: X25519PrivateKey, box: bytes, place: str) -> bytes:
    """Raises ``SealBroken``."""
    box = bytes(box)
    sender, nonce = box[:_PUBLIC], box[_PUBLIC : _PUBLIC + _NONCE]
    try:
        shared = private.exchange(X25519PublicKey.from_public_bytes(sender))
        return _cipher(shared, sender + raw_public(private)).decrypt(
            nonce, box[_PUBLIC + _NONCE :], place.encode()
        )
    except (InvalidTag, ValueError) as error:
        raise SealBroken(place) from error


def raw_public(private: X25519PrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def ensure(path: Path) -> X25519PrivateKey:
    """The key in ``path`` (mode 0600), made unless it exists; its public half lies beside it as ``.pub`` in hex."""
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        pem = X25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        with open(fresh, "xb", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
            out.write(pem)
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):
            os.link(fresh, path)
        fresh.unlink()
    private = load(path)
    path.with_suffix(".pub").write_text(raw_public(private).hex() + "\n")
    return private


def load(path: Path) -> X25519PrivateKey:
    private = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(private, X25519PrivateKey):
        raise ValueError(f"{path} 不是 X25519 私钥 / not an X25519 key")
    return private


def public_beside(path: Path) -> bytes:
    """The public half by which the desk and the front lay files down."""
    return bytes.fromhex(path.with_suffix(".pub").read_text().strip())


def _cipher(shared: bytes, parties: bytes) -> AESGCM:
    return AESGCM(HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=_INFO + parties).derive(shared))
