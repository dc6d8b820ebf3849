"""Small secrets of the house (signing keys of agencies), sealed under the application key."""

from __future__ import annotations

import os

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

_NONCE = 12


def _cipher() -> AESGCM:
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"chuxiong sealed secrets v1")
    return AESGCM(derived.derive(settings.SECRET_KEY.encode()))


def seal_secret(secret: bytes, place: str) -> bytes:
    nonce = os.urandom(_NONCE)
    return nonce + _cipher().encrypt(nonce, secret, place.encode())


def open_secret(sealed: bytes, place: str) -> bytes:
    sealed = bytes(sealed)
    return _cipher().decrypt(sealed[:_NONCE], sealed[_NONCE:], place.encode())
