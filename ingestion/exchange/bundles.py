"""A signed bundle at the door: checked, laid down, and given its turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path

from django.db import IntegrityError, transaction
from django.utils import timezone

from chuxiong.kit.problems import Problem
from ingestion.exchange import deliveries, signatures
from ingestion.exchange import manifest as manifests
from ingestion.exchange.container import SIGNATURE, Faulty, Opened, opened
from ingestion.exchange.deliveries import Laid
from ingestion.exchange.keys import fault_of
from ingestion.intake.receive import ALIAS
from ingestion.models import AgencyKey, Delivery
from ingestion.selectors import catalog


@dataclass(frozen=True)
class Taken:
    """``first`` is False when this very bundle had been received before: nothing was done then."""

    delivery: Delivery
    first: bool


def receive_bundle(path: Path, *, name: str = "", by: str, at: datetime) -> Taken:
    """Check a bundle file and lay its files down; the same bundle again is answered with the first receipt.

    A refused one leaves a trace with place and cure; its number stays free for the right bundle. Raises nothing
    for a faulty bundle: the delivery says it.
    """
    name = (name or path.name)[:200]
    agency = ""
    laid: list[Laid] = []
    try:
        with opened(path, name=name) as bundle:
            agency = bundle.manifest.agency
            key = _signer(bundle, at)
            if known := _known(bundle):
                return Taken(known, False)
            _check_feeds(bundle)
            _check_coverage(bundle, timezone.localdate(at))
            for entry in bundle.manifest.files:
                with bundle.file(entry) as stream:
                    laid.append(
                        deliveries.lay_down(
                            stream,
                            feed=entry.feed,
                            name=entry.name,
                            covers_until=entry.covers_until,
                            snapshot=entry.snapshot,
                        )
                    )
            return _hold(bundle, key, laid, name=name, by=by, at=at)
    except Faulty as fault:
        deliveries.clear(laid)
        problem = Problem(f"{name} {fault.place}" if fault.place != name else name, fault.what, fault.cure)
        refused = deliveries.refuse(
            way=Delivery.Way.BUNDLE, agency=agency, by=by, at=at, problem=problem, outside=name
        )
        return Taken(refused, True)


def _signer(bundle: Opened, at: datetime) -> AgencyKey:
    """The registered key that signed, valid on the day it was made and today. Raises ``Faulty``."""
    said, agency = bundle.signature, bundle.manifest.agency
    key = AgencyKey.objects.using(ALIAS).filter(fingerprint=said.key).first()
    if key is None:
        raise Faulty(SIGNATURE, f"密钥 {said.key[:16]} 未登记", "请报送单位交来公钥，登记后再送。")
    if key.agency != agency:
        raise Faulty(
            SIGNATURE,
            f"密钥 {key.fingerprint} 属于 {key.agency}，清单写的是 {agency}",
            "请报送单位核对单位代码和密钥。",
        )
    for day in (timezone.localdate(bundle.manifest.created_at), timezone.localdate(at)):
        if fault := fault_of(key, day):
            raise Faulty(SIGNATURE, fault, "请报送单位更换密钥，登记新公钥后重新打包。")
    if not signatures.holds(key.pem, said.algorithm, manifests.to_sign(bundle.raw), said.value):
        raise Faulty(
            SIGNATURE, "签名与清单不符：清单或签名已被改动", "请报送单位重新打包后再送；原包未入库。"
        )
    if bundle.manifest.created_at > at + timedelta(days=1):
        raise Faulty("manifest.json created_at", "打包时间在一天以后", "请报送单位校准时钟后重新打包。")
    return key


def _known(bundle: Opened) -> Delivery | None:
    """The same bundle received before; raises ``Faulty`` for another bundle under the same number."""
    agency, sequence = bundle.manifest.agency, bundle.manifest.sequence
    held = (
        Delivery.objects.using(ALIAS)
        .filter(way=Delivery.Way.BUNDLE, agency=agency, sequence=sequence)
        .exclude(state=Delivery.State.REFUSED)
        .first()
    )
    if held is None:
        return None
    if held.digest == bundle.digest:
        return held
    if held.state == Delivery.State.SKIPPED:
        raise Faulty(
            "manifest.json sequence", f"第 {sequence} 号已于 {timezone.localdate(held.received_at)} 声明缺号",
            "请报送单位改用新的顺序号重新打包。",
        )  # fmt: skip
    raise Faulty(
        "manifest.json sequence", f"第 {sequence} 号已接收过另一个包（摘要 {held.digest[:16]}）",
        "同一顺序号不能用两次；请报送单位核对后改用下一个号。",
    )  # fmt: skip


def _check_feeds(bundle: Opened) -> None:
    feeds = catalog()
    for entry in bundle.manifest.files:
        feed = feeds.get(entry.feed)
        if feed is None:
            raise Faulty(
                f"data/{entry.name}", f"没有启用的数据源 {entry.feed}", "请核对数据源代码后重新打包。"
            )
        if feed.agency.code != bundle.manifest.agency:
            raise Faulty(
                f"data/{entry.name}",
                f"数据源 {entry.feed} 由 {feed.agency.code} 报送",
                "一个单位只报送自己的数据。",
            )


def _check_coverage(bundle: Opened, today: date) -> None:
    for entry in bundle.manifest.files:
        if entry.covers_until and entry.covers_until > today:
            raise Faulty(
                f"data/{entry.name} covers_until",
                f"数据截至 {entry.covers_until} 晚于今天",
                "数据只能完整到已经过去的日期；请报送单位更正后重新打包。",
            )


def _hold(bundle: Opened, key: AgencyKey, laid: list[Laid], *, name: str, by: str, at: datetime) -> Taken:
    manifest = bundle.manifest
    try:
        with transaction.atomic(using=ALIAS):
            delivery = deliveries.hold(
                way=Delivery.Way.BUNDLE,
                agency=manifest.agency,
                state=Delivery.State.WAITING,
                files=laid,
                by=by,
                at=at,
                sequence=manifest.sequence,
                previous=manifest.previous,
                digest=bundle.digest,
                signed_by=key,
                outside=name,
                sheet=manifest.hand_over.model_dump() | {"created_at": manifest.created_at.isoformat()},
            )
    except IntegrityError:
        # Another process was faster with the same number: one more look tells which of the two it was.
        deliveries.clear(laid)
        known = _known(bundle)
        if known is None:
            raise
        return Taken(known, False)
    return Taken(delivery, True)
