"""Keys and the primitives on them. Nothing else in the house touches key material."""

from __future__ import annotations

import json
import os
import uuid
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from django.conf import settings

TOKEN_BYTES = 16
_NONCE = 12


@dataclass(frozen=True)
class Keys:
    """``lookup`` finds identifiers, ``seal`` keys (by id) keep them."""

    lookup: bytes
    seal: dict[str, bytes]
    current: str

    @classmethod
    def read(cls, path: Path) -> Keys:
        document = json.loads(path.read_text())
        return cls(
            lookup=bytes.fromhex(document["lookup"]),
            seal={name: bytes.fromhex(value) for name, value in document["seal"].items()},
            current=document["current"],
        )

    def token(self, domain: str, value: str) -> bytes:
        return self.tokens(domain, [value])[0]

    def tokens(self, domain: str, values: list[str]) -> list[bytes]:
        """HMAC-SM3 over ``domain | value``, first 16 bytes; one keyed context is copied per value."""
        base = HMAC(self.lookup, hashes.SM3())
        base.update(f"{domain}|v1|".encode())
        found = []
        for value in values:
            context = base.copy()
            context.update(value.encode())
            found.append(context.finalize()[:TOKEN_BYTES])
        return found

    def seal_many(self, values: list[str], refs: list[bytes], kind: str) -> list[bytes]:
        """AES-256-GCM, a fresh nonce each, bound to kind and ref (16 bytes)."""
        encrypt, bound = AESGCM(self.seal[self.current]).encrypt, kind.encode()
        random = os.urandom(_NONCE * len(values))
        nonces = [random[at : at + _NONCE] for at in range(0, len(random), _NONCE)]
        return [
            nonce + encrypt(nonce, value.encode(), bound + ref)
            for nonce, value, ref in zip(nonces, values, refs, strict=True)
        ]

    def open(self, sealed: bytes, key_id: str, ref: uuid.UUID, kind: str) -> str:
        """Raises ``cryptography.exceptions.InvalidTag`` when altered or moved to another ref."""
        sealed = bytes(sealed)
        plain = AESGCM(self.seal[key_id]).decrypt(sealed[:_NONCE], sealed[_NONCE:], kind.encode() + ref.bytes)
        return plain.decode()

    def wrap(self, data_key: bytes, purpose: str) -> bytes:
        nonce = os.urandom(_NONCE)
        return nonce + AESGCM(self.seal[self.current]).encrypt(nonce, data_key, purpose.encode())

    def unwrap(self, wrapped: bytes, key_id: str, purpose: str) -> bytes:
        wrapped = bytes(wrapped)
        return AESGCM(self.seal[key_id]).decrypt(wrapped[:_NONCE], wrapped[_NONCE:], purpose.encode())


@lru_cache(maxsize=1)
def keys() -> Keys:
    return Keys.read(settings.VAULT_KEYS)
