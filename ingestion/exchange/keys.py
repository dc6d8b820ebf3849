"""Keys of agencies: registered, valid from day to day, revoked; never deleted."""

from __future__ import annotations

from datetime import date, datetime

from django.db import transaction

from chuxiong.audit.record import record
from chuxiong.kit.problems import Problem
from ingestion.exchange import signatures
from ingestion.models import AgencyKey
from ingestion.selectors import agencies


class KeyRefused(Exception):
    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def register(
    *, agency: str, pem: str, holder: str, valid_from: date, valid_to: date, by: str, at: datetime, using: str
) -> AgencyKey:
    """Register a public key for an agency of the catalogue. Raises ``KeyRefused``."""
    known = dict(agencies())
    if agency not in known:
        raise KeyRefused(Problem("agency", f"没有报送单位 {agency}", f"可用：{'、'.join(known)}"))
    if valid_to < valid_from:
        raise KeyRefused(Problem("valid_to", "失效日早于生效日", "请核对有效期。"))
    try:
        key, algorithm = signatures.public_key(pem)
    except signatures.BadKey as bad:
        raise KeyRefused(
            Problem("key", str(bad), "请报送单位用打包页或 bundle key 生成，并只交来公钥文件。")
        ) from bad
    fingerprint = signatures.fingerprint(key)
    with transaction.atomic(using=using):
        held, new = AgencyKey.objects.using(using).get_or_create(
            fingerprint=fingerprint,
            defaults={
                "agency": agency,
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
            raise KeyRefused(
                Problem(
                    fingerprint,
                    f"这个公钥已登记给 {held.agency}",
                    "续期请换新密钥：生成新的一对，登记新公钥。",
                )
            )
        record(
            at=at, actor=by, action="agency_key.register", object_kind="agency_key", object_ref=fingerprint,
            detail={"agency": agency, "valid_from": str(valid_from), "valid_to": str(valid_to)}, using=using,
        )  # fmt: skip
    return held


def revoke(fingerprint: str, *, on: date, by: str, reason: str, at: datetime, using: str) -> AgencyKey:
    """From day ``on`` the key signs nothing any more."""
    with transaction.atomic(using=using):
        key = AgencyKey.objects.using(using).select_for_update().filter(fingerprint=fingerprint).first()
        if key is None:
            raise KeyRefused(Problem(fingerprint, "没有登记这个密钥", "运行 bundle keys 查看。"))
        key.revoked_on = min(on, key.revoked_on) if key.revoked_on else on
        key.save(using=using)
        record(
            at=at, actor=by, action="agency_key.revoke", object_kind="agency_key", object_ref=fingerprint,
            reason=reason, detail={"agency": key.agency, "from": str(on)}, using=using,
        )  # fmt: skip
    return key


def fault_of(key: AgencyKey, on: date) -> str:
    """Why the key does not count on a day; empty when it does."""
    if key.revoked_on and on >= key.revoked_on:
        return f"密钥 {key.fingerprint} 已于 {key.revoked_on} 吊销"
    if on < key.valid_from:
        return f"密钥 {key.fingerprint} 自 {key.valid_from} 起才生效"
    if on > key.valid_to:
        return f"密钥 {key.fingerprint} 已于 {key.valid_to} 到期"
    return ""
