"""Signed requests: who calls, with what body, when, once.

String to sign, joined by line feeds: method, path with query, SHA-256 of the body (hex), timestamp
(milliseconds), nonce. ``X-Signature`` is its HMAC (hex) under the client's secret, by
``X-Signature-Alg``: ``HMAC-SM3`` (default) or ``HMAC-SHA256``.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from ingestion.exchange import sealing
from ingestion.exchange.front import store
from ingestion.exchange.front.own_key import own_key

WINDOW_SECONDS = 300
#: the database of the front, where agencies' machines are known
FRONT = "front"
_HEX = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class AgencyCaller:
    """The agency behind a verified request."""

    key: str
    agency: str
    agency_zh: str
    scopes: frozenset[str] = frozenset()
    is_authenticated: bool = True


def string_to_sign(method: str, path: str, body: bytes, timestamp: str, nonce: str) -> bytes:
    return string_of_digest(method, path, hashlib.sha256(body).hexdigest(), timestamp, nonce)


def string_of_digest(method: str, path: str, digest: str, timestamp: str, nonce: str) -> bytes:
    return "\n".join([method.upper(), path, digest, timestamp, nonce]).encode()


def sign(secret: bytes, text: bytes, algorithm: str = "HMAC-SM3") -> str:
    if algorithm == "HMAC-SM3":
        context = HMAC(secret, hashes.SM3())
        context.update(text)
        return context.finalize().hex()
    if algorithm == "HMAC-SHA256":
        return hmac.new(secret, text, hashlib.sha256).hexdigest()
    raise exceptions.AuthenticationFailed("X-Signature-Alg 只能是 HMAC-SM3 或 HMAC-SHA256。")


class CertificateRefused(exceptions.PermissionDenied):
    default_code = "certificate_refused"


def _certified(request: Request, client: store.Client) -> None:
    """The gateway in front vouched for a certificate of this client, where one is registered or everybody needs one.

    Looked at behind the signature: a stranger learns nothing of who needs which.
    """
    shown = getattr(request._request, "certificate", None)
    if shown is None:
        if client.certificates or settings.FRONT_CERTIFICATES_REQUIRED:
            raise CertificateRefused(
                "请求须出示登记给本应用标识的客户端证书；请核对证书配置，或联系检察机关。"
            )
        return
    today = timezone.localdate().isoformat()
    for one in client.certificates:
        if (one.issuer, one.serial) == (shown.issuer, shown.serial):
            if one.valid_from <= today <= one.valid_to:
                return
            raise CertificateRefused(
                f"客户端证书不在有效期内（{one.valid_from} 至 {one.valid_to}），请更换并重新登记。"
            )
    if client.certificates or settings.FRONT_CERTIFICATES_REQUIRED:
        raise CertificateRefused("出示的客户端证书不是登记给本应用标识的；请核对证书，或联系检察机关登记。")
    with connections[FRONT].cursor() as cursor:
        if store.certified(cursor, shown.issuer, shown.serial):
            raise CertificateRefused("出示的客户端证书登记给了另一应用标识，不能混用。")


class SignedRequest(authentication.BaseAuthentication):
    """DRF authentication by signature, against what the front knows."""

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
        with connections[FRONT].cursor() as cursor:
            client = store.client(cursor, key)
        known = client is not None and client.active
        secret = secrets.token_bytes(32)
        if client is not None and known:
            secret = sealing.open_key(own_key(), client.sealed_secret, f"client:{client.key}")
        text = string_of_digest(
            request.method or "", request.get_full_path(), self.digest_of(request), stamp, nonce
        )
        expected = sign(secret, text, headers.get("X-Signature-Alg", "HMAC-SM3"))
        if not hmac.compare_digest(expected.encode(), signature.lower().encode()) or not known:
            raise exceptions.AuthenticationFailed("签名不符，请核对密钥与签名串。")
        assert client is not None  # noqa: S101  known says so
        _certified(request, client)
        with transaction.atomic(using=FRONT), connections[FRONT].cursor() as cursor:
            fresh = store.use_nonce(cursor, client.key, nonce, at=timezone.now())
        if not fresh:
            raise exceptions.AuthenticationFailed("X-Nonce 已用过：重放的请求不予受理。")
        return AgencyCaller(client.key, client.agency, client.agency_zh, client.scopes), None

    @staticmethod
    def digest_of(request: Request) -> str:
        """Of the body; where a view reads it as a stream, the one that ``X-Content-SHA256`` says and the view compares
        with what comes."""
        if not getattr(request.parser_context.get("view"), "streamed", False):
            return hashlib.sha256(request.body).hexdigest()
        digest = request.headers.get("X-Content-SHA256", "").lower()
        if not _HEX.fullmatch(digest):
            raise exceptions.AuthenticationFailed("X-Content-SHA256 须为正文 SHA-256 的 64 位十六进制数。")
        return digest

    def authenticate_header(self, request: Request) -> str:
        return "Signature"
