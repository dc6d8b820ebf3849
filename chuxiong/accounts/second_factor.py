"""The second factor: authenticator codes (RFC 6238) and recovery codes. A code works once."""

from __future__ import annotations

import base64
import secrets
from datetime import datetime

from cryptography.hazmat.primitives.constant_time import bytes_eq
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP
from django.db import transaction
from django.utils.crypto import salted_hmac

from chuxiong.vault.secrets import open_secret, seal_secret

from .models import Person, RecoveryCode, SecondFactor
from .policy import POLICY

DIGITS = 6
#: What an authenticator shows beside the account; plain ASCII because some cannot show anything else.
ISSUER = "Chuxiong"
_RECOVERY_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def _place(person: Person) -> str:
    return f"totp:{person.pk}"


def _totp(secret: bytes) -> TOTP:
    # RFC 6238's default hash is what authenticator apps and tokens speak; it is used as an HMAC here.
    return TOTP(secret, DIGITS, SHA1(), POLICY.second_factor.step_seconds.value)  # noqa: S303


def confirmed(person: Person) -> bool:
    return SecondFactor.objects.filter(person=person, confirmed_at__isnull=False).exists()


def begin(person: Person, *, at: datetime) -> None:
    """Draw a secret to be confirmed by a first code; one that awaits confirmation is kept."""
    with transaction.atomic():
        Person.objects.select_for_update().only("pk").get(pk=person.pk)
        if not SecondFactor.objects.filter(person=person).exists():
            SecondFactor.objects.create(
                person=person,
                sealed_secret=seal_secret(secrets.token_bytes(20), _place(person)),
                created_at=at,
            )


def provisioning(person: Person) -> tuple[str, str] | None:
    """(otpauth address, secret in base32) while the secret awaits confirmation, else None: shown to nobody after."""
    factor = SecondFactor.objects.filter(person=person, confirmed_at__isnull=True).first()
    if factor is None:
        return None
    secret = open_secret(bytes(factor.sealed_secret), _place(person))
    return _totp(secret).get_provisioning_uri(person.username, ISSUER), base64.b32encode(secret).decode()


def confirm(person: Person, code: str, *, at: datetime) -> list[str] | None:
    """The first right code turns the factor on; returns fresh recovery codes, None when the code was wrong."""
    with transaction.atomic():
        factor = (
            SecondFactor.objects.select_for_update().filter(person=person, confirmed_at__isnull=True).first()
        )
        if factor is None or not _spend(person, factor, code, at):
            return None
        SecondFactor.objects.filter(pk=factor.pk).update(confirmed_at=at)
        return new_recovery_codes(person)


def check(person: Person, code: str, *, at: datetime) -> bool:
    """Is it the authenticator's code of now (± the window), not used before, or an unused recovery code?"""
    code = "".join(code.split()).lower()
    factor = SecondFactor.objects.filter(person=person, confirmed_at__isnull=False).first()
    if factor is None:
        return False
    if code.isascii() and code.isdigit():
        return _spend(person, factor, code, at)
    spent = RecoveryCode.objects.filter(person=person, digest=_digest(person, code), used_at__isnull=True)
    return bool(spent.update(used_at=at))


def _spend(person: Person, factor: SecondFactor, code: str, at: datetime) -> bool:
    """Find the step that the code belongs to and spend it: a step at or before the last spent one is refused."""
    code = "".join(code.split())
    if not (code.isascii() and code.isdigit() and len(code) == DIGITS):
        return False
    totp = _totp(open_secret(bytes(factor.sealed_secret), _place(person)))
    length, window = POLICY.second_factor.step_seconds.value, POLICY.second_factor.window_steps.value
    now = int(at.timestamp()) // length
    fits = [
        s for s in range(now - window, now + window + 1) if bytes_eq(totp.generate(s * length), code.encode())
    ]
    for step in fits:
        if SecondFactor.objects.filter(pk=factor.pk, last_step__lt=step).update(last_step=step):
            return True
    return False


def _digest(person: Person, code: str) -> str:
    kept = code.replace("-", "")
    return salted_hmac("chuxiong.accounts.recovery", f"{person.pk}:{kept}", algorithm="sha256").hexdigest()


def new_recovery_codes(person: Person) -> list[str]:
    """Replace the person's recovery codes; they are returned once and kept as digests (49 bits each)."""
    codes = [
        "-".join("".join(secrets.choice(_RECOVERY_ALPHABET) for _ in range(5)) for _ in range(2))
        for _ in range(POLICY.second_factor.recovery_codes.value)
    ]
    with transaction.atomic():
        RecoveryCode.objects.filter(person=person).delete()
        RecoveryCode.objects.bulk_create(
            RecoveryCode(person=person, digest=_digest(person, c)) for c in codes
        )
    return codes


def recovery_left(person: Person) -> int:
    return RecoveryCode.objects.filter(person=person, used_at__isnull=True).count()


def remove(person: Person) -> bool:
    """Forget authenticator and recovery codes; the next sign-in enrols anew where a factor is required."""
    RecoveryCode.objects.filter(person=person).delete()
    return bool(SecondFactor.objects.filter(person=person).delete()[0])
