"""Signed requests: who calls, with what body, when, once.

String to sign, joined by line feeds: method, path with query, SHA-256 of the body (hex), timestamp
(milliseconds), nonce. ``X-Signature`` is its HMAC (hex) under the client's secret, by
``X-Signature-Alg``: ``HMAC-SM3`` (default) or ``HMAC-SHA256``.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass
from datetime import timedelta

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from chuxiong.vault.secrets import open_secret, seal_secret
from supervision.models import AgencyClient, Nonce

WINDOW_SECONDS = 300
KEEP_NONCE = timedelta(minutes=15)


@dataclass(frozen=True)
class AgencyCaller:
    """The agency behind a verified request."""

    key: str
    agency: str
    agency_zh: str
    is_authenticated: bool = True


def string_to_sign(method: str, path: str, body: bytes, timestamp: str, nonce: str) -> bytes:
    digest = hashlib.sha256(body).hexdigest()
    return "\n".join([method.upper(), path, digest, timestamp, nonce]).encode()


def sign(secret: bytes, text: bytes, algorithm: str = "HMAC-SM3") -> str:
    if algorithm == "HMAC-SM3":
        context = HMAC(secret, hashes.SM3())
        context.update(text)
        return context.finalize().hex()
    if algorithm == "HMAC-SHA256":
        return hmac.new(secret, text, hashlib.sha256).hexdigest()
    raise exceptions.AuthenticationFailed("X-Signature-Alg 只能是 HMAC-SM3 或 HMAC-SHA256。")


class SignedRequest(authentication.BaseAuthentication):
    """DRF authentication by signature; sets the agency's database scope for the request."""

    def authenticate(self, request: Request) -> tuple[AgencyCaller, None]:
        headers = request.headers
        key, stamp, nonce = (headers.get(h, "") for h in ("X-App-Key", "X-Timestamp", "X-Nonce"))
        signature = headers.get("X-Signature", "")
        if not (key and stamp and nonce and signature):
            raise exceptions.NotAuthenticated("请求须带 X-App-Key、X-Timestamp、X-Nonce、X-Signature。")
        # Twenty digits are beyond any clock; longer ones are not turned into a number at all.
        if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 20:
            raise exceptions.AuthenticationFailed(
                "X-Timestamp 须为 1970 年以来的毫秒数，只含数字，例如 1767225600000。"
            )
        if abs(time.time() - int(stamp) / 1000) > WINDOW_SECONDS:
            raise exceptions.AuthenticationFailed(
                "X-Timestamp 与服务器时间相差超过 5 分钟；须为毫秒，并请校准时钟。"
            )
        if not 8 <= len(nonce) <= 64:
            raise exceptions.AuthenticationFailed("X-Nonce 须为 8 至 64 个字符，每次请求不同。")
        client = AgencyClient.objects.filter(key=key, active=True).first()
        secret = (
            open_secret(bytes(client.sealed_secret), f"client:{client.key}")
            if client
            else secrets.token_bytes(32)
        )
        text = string_to_sign(request.method or "", request.get_full_path(), request.body, stamp, nonce)
        expected = sign(secret, text, headers.get("X-Signature-Alg", "HMAC-SM3"))
        if not hmac.compare_digest(expected.encode(), signature.lower().encode()) or client is None:
            raise exceptions.AuthenticationFailed("签名不符，请核对密钥与签名串。")
        self._once(client.key, nonce)
        return AgencyCaller(client.key, client.agency, client.agency_zh), None

    def authenticate_header(self, request: Request) -> str:
        return "Signature"

    @staticmethod
    def _once(key: str, nonce: str) -> None:
        now = timezone.now()
        try:
            with transaction.atomic():
                Nonce.objects.filter(at__lt=now - KEEP_NONCE).delete()
                Nonce.objects.create(client=key, nonce=nonce, at=now)
        except IntegrityError:
            raise exceptions.AuthenticationFailed("X-Nonce 已用过：重放的请求不予受理。") from None


def set_agency_scope(agency: str) -> None:
    """Within the current transaction the connection sees this agency's letters only."""
    with connection.cursor() as cursor:
        cursor.execute("select set_config('cx.agency', %s, true)", [agency])


def new_client(*, agency: str, agency_zh: str, key: str | None = None) -> tuple[AgencyClient, str]:
    """Create a client; the secret is returned once and kept sealed."""
    secret = secrets.token_hex(32)
    key = key or f"{agency}-{secrets.token_hex(4)}"
    client = AgencyClient.objects.create(
        key=key,
        agency=agency,
        agency_zh=agency_zh,
        sealed_secret=seal_secret(bytes.fromhex(secret), f"client:{key}"),
    )
    return client, secret
