"""Client certificates (UKey) as a trusted gateway in front of us reports them.

Off unless configured. A header is only believed when the request proves itself: by an HMAC over method, path,
time and the reported values (``signed``), or by coming from this very machine with the shared secret (``local``).
Nothing else of a gateway is ever read.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from django.db import IntegrityError, transaction
from django.utils import timezone

from .models import Certificate, GatewayProof, Person
from .policy import POLICY


@dataclass(frozen=True)
class Reported:
    """What the gateway says: whether the certificate verified, its issuer and serial, and the proof."""

    verified: str
    issuer: str
    serial: str
    time: str
    proof: str


@dataclass(frozen=True)
class Presented:
    """A certificate that a trusted gateway vouched for."""

    issuer: str
    serial: str
    #: Names this one report, so that it is spent once; empty when the peer itself is the proof.
    spent: str


def text_to_sign(method: str, path: str, reported: Reported) -> bytes:
    fields = [method.upper(), path, reported.time, reported.verified, reported.issuer, reported.serial]
    return "\n".join(fields).encode()


def proof(secret: bytes, text: bytes) -> str:
    """HMAC-SM3 in hex, as the gateway computes it."""
    context = HMAC(secret, hashes.SM3())
    context.update(text)
    return context.finalize().hex()


def believe(
    reported: Reported, *, mode: str, secret: str, method: str, path: str, peer: str, at: datetime
) -> Presented | None:
    """The certificate when mode, proof and form hold; None otherwise, whatever is wrong."""
    if mode not in ("signed", "local") or not secret or reported.verified != "SUCCESS":
        return None
    if any(ord(c) < 32 or ord(c) > 126 for c in reported.issuer + reported.serial):
        return None
    serial = reported.serial.replace(":", "").upper().lstrip("0")
    if not serial or len(serial) > 64 or any(c not in "0123456789ABCDEF" for c in serial):
        return None
    if mode == "local":
        if peer not in ("127.0.0.1", "::1", "") or not _same(reported.proof, secret):
            return None
        return Presented(reported.issuer, serial, "")
    if not (reported.time.isascii() and reported.time.isdigit() and len(reported.time) < 12):
        return None
    if abs(at.timestamp() - int(reported.time)) > POLICY.gateway.skew_seconds.value:
        return None
    expected = proof(secret.encode(), text_to_sign(method, path, reported))
    if not _same(reported.proof.lower(), expected):
        return None
    return Presented(reported.issuer, serial, hashlib.sha256(expected.encode()).hexdigest())


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def holder(presented: Presented, *, at: datetime) -> Person | None:
    """The active person for whom the certificate is registered and valid today."""
    day = timezone.localdate(at)
    found = (
        Certificate.objects.select_related("person")
        .filter(
            issuer=presented.issuer,
            serial=presented.serial,
            revoked_at__isnull=True,
            valid_from__lte=day,
            valid_to__gte=day,
            person__is_active=True,
        )
        .first()
    )
    return found.person if found else None


def has_certificate(person: Person, *, at: datetime) -> bool:
    day = timezone.localdate(at)
    return person.certificates.filter(
        revoked_at__isnull=True, valid_from__lte=day, valid_to__gte=day
    ).exists()


def spend(presented: Presented, *, at: datetime) -> bool:
    """Use the report to sign in; a signed report works once."""
    if not presented.spent:
        return True
    try:
        with transaction.atomic():
            GatewayProof.objects.filter(at__lt=at - timedelta(minutes=15)).delete()
            GatewayProof.objects.create(digest=presented.spent, at=at)
    except IntegrityError:
        return False
    return True
