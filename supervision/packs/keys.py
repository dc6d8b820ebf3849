"""Whose signature counts on a model pack: our own key, and the registered keys of other offices."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

from django.conf import settings
from django.db import transaction

from chuxiong.audit import signing
from chuxiong.audit.record import record
from chuxiong.kit.problems import Problem
from ingestion.exchange import signatures
from supervision.models import PublisherKey
from supervision.packs.container import Faulty, Opened


class KeyRefused(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def own_key() -> signing.SigningKey:
    """The key that signs what we hand out: the one of our receipts, under another mark. Made if it is not there yet."""
    return signing.create(Path(settings.EXCHANGE_SIGNING_KEY))


def own_public() -> tuple[str, str]:
    """(fingerprint, PEM) of our public key, as other offices register it."""
    public = own_key().private.public_key()
    return signatures.fingerprint(public), signatures.pem_of(public)


def _own_keys() -> dict[str, str]:
    """Public keys of our own by fingerprint: the present one, and retired ones kept beside it."""
    fingerprint, pem = own_public()
    found = {fingerprint: pem}
    path = Path(settings.EXCHANGE_SIGNING_KEY)
    for file in sorted(path.parent.glob(f"{path.stem}-*.pub.pem")):
        try:
            key, _algorithm = signatures.public_key(file.read_text())
        except (OSError, signatures.BadKey):
            continue
        found[signatures.fingerprint(key)] = signatures.pem_of(key)
    return found


def publisher_of(opened: Opened, *, on: date, own_name: str) -> str:
    """Who signed the pack. Raises ``Faulty`` when the key is unknown or does not count on the day, or the signature is false."""
    signature = opened.signature
    if pem := _own_keys().get(signature.key):
        publisher = own_name
    else:
        key = PublisherKey.objects.filter(fingerprint=signature.key).first()
        if key is None:
            raise Faulty(
                "manifest.sig", f"签名所用的密钥 {signature.key[:16]} 没有登记",
                f"the key {signature.key[:16]} that signed is not registered",
                "请向提供单位当面或经机要取得公钥，由系统管理员用 pack register-key 登记后再导入。",
                "Get the publisher's public key by a trusted way; the system administrator registers it with pack register-key.",
            )  # fmt: skip
        zh, en = fault_of(key, on)
        if zh:
            raise Faulty(
                "manifest.sig",
                zh,
                en,
                "请提供单位换用有效的密钥重新签名。",
                "Ask for a pack signed with a valid key.",
            )
        pem, publisher = key.pem, key.publisher
    if not opened.signed_by(pem):
        raise Faulty(
            "manifest.sig", "签名不符，清单已被改动", "the signature does not hold: the manifest was altered"
        )
    return publisher


def fault_of(key: PublisherKey, on: date) -> tuple[str, str]:
    """Why the key does not count on a day, in both languages; empty when it does."""
    if key.revoked_on and on >= key.revoked_on:
        return (
            f"密钥 {key.fingerprint} 已于 {key.revoked_on} 吊销",
            f"key {key.fingerprint} was revoked on {key.revoked_on}",
        )
    if on < key.valid_from:
        return (
            f"密钥 {key.fingerprint} 自 {key.valid_from} 起才生效",
            f"key {key.fingerprint} is valid from {key.valid_from}",
        )
    if on > key.valid_to:
        return (
            f"密钥 {key.fingerprint} 已于 {key.valid_to} 到期",
            f"key {key.fingerprint} expired on {key.valid_to}",
        )
    return "", ""


def register(
    *,
    publisher: str,
    pem: str,
    holder: str,
    valid_from: date,
    valid_to: date,
    by: str,
    at: datetime,
    using: str,
) -> PublisherKey:
    """Register another office's public key. Raises ``KeyRefused``."""
    if not publisher.strip():
        raise KeyRefused(Problem("publisher", "没有写提供单位", "写明单位全称。"))
    if valid_to < valid_from:
        raise KeyRefused(Problem("valid_to", "失效日早于生效日", "请核对有效期。"))
    try:
        key, algorithm = signatures.public_key(pem)
    except signatures.BadKey as bad:
        raise KeyRefused(Problem("key", str(bad), "请对方导出公钥：manage.py pack key。")) from bad
    fingerprint = signatures.fingerprint(key)
    with transaction.atomic(using=using):
        held, new = PublisherKey.objects.using(using).get_or_create(
            fingerprint=fingerprint,
            defaults={
                "publisher": publisher.strip()[:120],
                "algorithm": algorithm,
                "pem": signatures.pem_of(key),
                "holder": holder.strip()[:60],
                "valid_from": valid_from,
                "valid_to": valid_to,
                "registered_at": at,
                "registered_by": by,
            },
        )
        if not new:
            raise KeyRefused(Problem(fingerprint, f"这个公钥已登记给 {held.publisher}", "续期请换新密钥。"))
        record(
            at=at, actor=by, action="publisher_key.register", object_kind="publisher_key", object_ref=fingerprint,
            detail={"publisher": held.publisher, "valid_from": str(valid_from), "valid_to": str(valid_to)}, using=using,
        )  # fmt: skip
    return held


def revoke(fingerprint: str, *, on: date, by: str, reason: str, at: datetime, using: str) -> PublisherKey:
    """From day ``on`` the key signs nothing any more. Raises ``KeyRefused``."""
    with transaction.atomic(using=using):
        key = PublisherKey.objects.using(using).select_for_update().filter(fingerprint=fingerprint).first()
        if key is None:
            raise KeyRefused(Problem(fingerprint, "没有登记这个密钥", "运行 pack keys 查看。"))
        key.revoked_on = min(on, key.revoked_on) if key.revoked_on else on
        key.save(using=using)
        record(
            at=at, actor=by, action="publisher_key.revoke", object_kind="publisher_key", object_ref=fingerprint,
            reason=reason, detail={"publisher": key.publisher, "from": str(on)}, using=using,
        )  # fmt: skip
    return key
