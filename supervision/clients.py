"""Agencies' machines: their keys and certificates, and the reach of one agency on a connection."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from chuxiong.accounts.refused import Refused
from chuxiong.vault.secrets import seal_secret
from supervision.models import AgencyCertificate, AgencyClient
from supervision.models.exchange import SCOPES


def new_client(
    *,
    agency: str,
    agency_zh: str,
    key: str | None = None,
    scopes: Sequence[str] = SCOPES,
    using: str = "default",
) -> tuple[AgencyClient, str]:
    """Create a client for ``scopes``; the secret is returned once and kept sealed. The front learns of it with the next
    round."""
    secret = secrets.token_hex(32)
    key = key or f"{agency}-{secrets.token_hex(4)}"
    client = AgencyClient.objects.using(using).create(
        key=key,
        agency=agency,
        agency_zh=agency_zh,
        scopes=list(scopes),
        sealed_secret=seal_secret(bytes.fromhex(secret), f"client:{key}"),
    )
    return client, secret


def rotate(client: AgencyClient) -> str:
    """A new secret, returned once; with the next round the former opens nothing."""
    secret = secrets.token_hex(32)
    client.sealed_secret = seal_secret(bytes.fromhex(secret), f"client:{client.key}")
    client.save(update_fields=["sealed_secret"])
    return secret


def revoke(client: AgencyClient) -> None:
    """The client ends with the next round; its key is not given again."""
    client.active = False
    client.save(update_fields=["active"])


# ---- certificates --------------------------------------------------------------------------------


def register_certificate(client: AgencyClient, pem: bytes, *, at: datetime) -> AgencyCertificate:
    """Register a client certificate (PEM) for a client. From the next round on it calls with one of its own alone.

    Raises ``Refused``.
    """
    try:
        found = x509.load_pem_x509_certificate(pem)
        issuer, subject = reported(found.issuer), reported(found.subject)
    except ValueError:
        raise Refused(
            "不是 PEM 格式的证书；请交公钥证书（BEGIN CERTIFICATE），不要交私钥", "not a certificate in PEM"
        ) from None
    first, last = (timezone.localdate(d) for d in (found.not_valid_before_utc, found.not_valid_after_utc))
    if last < timezone.localdate(at):
        raise Refused(f"证书已于 {last} 过期，请换新的", f"the certificate expired on {last}")
    using = client._state.db or "default"
    try:
        with transaction.atomic(using=using):
            return AgencyCertificate.objects.using(using).create(
                client=client, fingerprint=found.fingerprint(hashes.SHA256()).hex(), issuer=issuer, subject=subject,
                serial=f"{found.serial_number:X}", valid_from=first, valid_to=last, registered_at=at,
            )  # fmt: skip
    except IntegrityError:
        raise Refused(
            "这张证书已登记过，一张证书只属于一个应用标识", "this certificate is registered already"
        ) from None


def revoke_certificate(fingerprint: str, *, on: date, using: str = "default") -> AgencyCertificate:
    """From the next round on it opens nothing. Named by the beginning of its fingerprint. Raises ``Refused``."""
    start = fingerprint.replace(":", "").lower()
    held = AgencyCertificate.objects.using(using).filter(fingerprint__startswith=start, revoked_on=None)
    found = list(held[:2])
    if len(start) < 8 or len(found) != 1:
        raise Refused(
            "没有（或不止一张）指纹如此的有效证书；请用 client list 核对，至少写前 8 位",
            "no certificate, or more than one, has this fingerprint; give at least its first 8 digits",
        )
    found[0].revoked_on = on
    found[0].save(update_fields=["revoked_on"])
    return found[0]


def certificates_of(client: AgencyClient) -> list[dict[str, Any]]:
    """What the front needs of a client's certificates. One that was revoked or ran out stays known by an empty period, so
    that its client does not fall back to none."""
    return [
        {
            "issuer": one.issuer,
            "serial": one.serial,
            "valid_from": one.valid_from.isoformat(),
            "valid_to": "0001-01-01" if one.revoked_on else one.valid_to.isoformat(),
        }
        for one in client.certificates.all()
    ]


def reported(name: x509.Name) -> str:
    """A distinguished name as nginx reports it (RFC 2253): what is not ASCII as escaped bytes of UTF-8."""
    return "".join(
        c if 32 <= ord(c) < 127 else "".join(f"\\{b:02X}" for b in c.encode()) for c in name.rfc4514_string()
    )


def set_agency_scope(agency: str) -> None:
    """Within the current transaction the connection sees this agency's letters only."""
    with connection.cursor() as cursor:
        cursor.execute("select set_config('cx.agency', %s, true)", [agency])
