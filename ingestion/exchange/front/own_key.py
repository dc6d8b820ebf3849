"""The front's own key: secrets of agencies' clients are sealed to it on the inner side."""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings


def own_key() -> X25519PrivateKey:
    """Derived from the front's application key, so that nothing more has to be kept there."""
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"chuxiong front seal v1")
    return X25519PrivateKey.from_private_bytes(derived.derive(settings.SECRET_KEY.encode()))
