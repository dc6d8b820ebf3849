"""Keys and signatures of agencies (pure): Ed25519, and ECDSA P-256 where a browser has no Ed25519."""

from __future__ import annotations

import base64
import hashlib
from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

Algorithm = Literal["Ed25519", "ECDSA-P256"]
PublicKey = Ed25519PublicKey | EllipticCurvePublicKey
PrivateKey = Ed25519PrivateKey | EllipticCurvePrivateKey
_P256_BYTES = 32


class BadKey(ValueError):
    """Not a key that may sign; the message says which are."""


def public_key(pem: str) -> tuple[PublicKey, Algorithm]:
    """A public key in PEM with its algorithm; raises ``BadKey``."""
    try:
        key = load_pem_public_key(pem.encode())
    except ValueError as error:
        raise BadKey("不是 PEM 格式的公钥") from error
    if isinstance(key, Ed25519PublicKey):
        return key, "Ed25519"
    if isinstance(key, EllipticCurvePublicKey) and isinstance(key.curve, SECP256R1):
        return key, "ECDSA-P256"
    raise BadKey("只支持 Ed25519 或 ECDSA P-256 公钥")


def private_key(pem: bytes, password: bytes | None = None) -> PrivateKey:
    """A private key in PEM; raises ``BadKey``."""
    try:
        key = load_pem_private_key(pem, password)
    except (ValueError, TypeError) as error:
        raise BadKey("私钥无法读取：不是 PEM 格式，或口令不对") from error
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP256R1):
        return key
    raise BadKey("只支持 Ed25519 或 ECDSA P-256 私钥")


def fingerprint(key: PublicKey) -> str:
    """SHA-256 of the key's DER, first 16 hexadecimal digits."""
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()[:16]


def pem_of(key: PublicKey) -> str:
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def sign(key: PrivateKey, message: bytes) -> tuple[Algorithm, str]:
    """(algorithm, signature in base64); ECDSA as r‖s of 64 bytes, as browsers give it."""
    if isinstance(key, Ed25519PrivateKey):
        return "Ed25519", base64.b64encode(key.sign(message)).decode()
    r, s = decode_dss_signature(key.sign(message, ECDSA(hashes.SHA256())))
    raw = r.to_bytes(_P256_BYTES, "big") + s.to_bytes(_P256_BYTES, "big")
    return "ECDSA-P256", base64.b64encode(raw).decode()


def holds(pem: str, algorithm: str, message: bytes, signature: str) -> bool:
    """Whether the signature is this key's over the message, by this very algorithm."""
    key, own = public_key(pem)
    if algorithm != own:
        return False
    try:
        raw = base64.b64decode(signature, validate=True)
        if isinstance(key, Ed25519PublicKey):
            key.verify(raw, message)
        else:
            if len(raw) != 2 * _P256_BYTES:
                return False
            r, s = int.from_bytes(raw[:_P256_BYTES], "big"), int.from_bytes(raw[_P256_BYTES:], "big")
            key.verify(encode_dss_signature(r, s), message, ECDSA(hashes.SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True
