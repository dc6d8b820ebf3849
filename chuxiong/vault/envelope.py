"""Bytes at rest under a key per batch: the batch store and the originals of quarantined rows."""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_FRAME = 1 << 20
_NONCE = 12


def new_data_key() -> bytes:
    return AESGCM.generate_key(bit_length=256)


def store(source: BinaryIO, target: Path, data_key: bytes) -> tuple[str, int]:
    """Encrypt ``source`` to ``target`` in frames of 1 MiB; returns SHA-256 and size of the plain bytes.

    Every frame is bound to its number and to being the last one, so a cut or reordered file is noticed.
    """
    cipher, digest, size, number = AESGCM(data_key), hashlib.sha256(), 0, 0
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "wb", opener=_private) as out:
        frame = source.read(_FRAME)
        while True:
            following = source.read(_FRAME) if frame else b""
            digest.update(frame)
            size += len(frame)
            nonce = os.urandom(_NONCE)
            box = cipher.encrypt(nonce, frame, struct.pack(">Q?", number, not following))
            out.write(nonce + struct.pack(">I", len(box)) + box)
            if not following:
                break
            frame, number = following, number + 1
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest(), size


def restore(source: Path, target: BinaryIO, data_key: bytes) -> None:
    """Decrypt a stored file; raises ``InvalidTag`` if it was altered, ``EOFError`` if it was cut."""
    for frame in frames(source, data_key):
        target.write(frame)


def frames(source: Path, data_key: bytes) -> Iterator[bytes]:
    """A stored file, decrypted a frame at a time; nothing but the last frame is ever empty. Raises as ``restore`` does."""
    cipher, number = AESGCM(data_key), 0
    with open(source, "rb") as stored:
        while True:
            head = stored.read(_NONCE + 4)
            if len(head) < _NONCE + 4:
                raise EOFError(f"{source.name}: cut after frame {number}")
            (length,) = struct.unpack(">I", head[_NONCE:])
            box = stored.read(length)
            last = not stored.peek(1)
            yield cipher.decrypt(head[:_NONCE], box, struct.pack(">Q?", number, last))
            if last:
                return
            number += 1


def seal_text(text: str, data_key: bytes, place: str) -> bytes:
    return seal_bytes(text.encode(), data_key, place)


def open_text(sealed: bytes, data_key: bytes, place: str) -> str:
    return open_bytes(sealed, data_key, place).decode()


def seal_bytes(body: bytes, data_key: bytes, place: str) -> bytes:
    """A short body in one piece, bound to its place; files go through ``store``."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(data_key).encrypt(nonce, body, place.encode())


def open_bytes(sealed: bytes, data_key: bytes, place: str) -> bytes:
    """Raises ``InvalidTag`` when altered or moved to another place."""
    sealed = bytes(sealed)
    return AESGCM(data_key).decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
