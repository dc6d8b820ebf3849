"""The receipt of a delivery: what became of every file, in counts that add up; signed by us."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from chuxiong.audit import signing
from ingestion.exchange import deliveries
from ingestion.models import Batch, Delivery, DeliveryFile
from ingestion.selectors import quarantine_reasons

FORMAT = "chuxiong-receipt/1"
_MARK = b"chuxiong-receipt/1\0"
_COUNTS = ("received", "loaded", "unchanged", "duplicate", "quarantined")


def outcome_of(file: DeliveryFile, delivery: Delivery) -> tuple[str, str]:
    """(code, words) of a file: what has become of it so far."""
    if delivery.state == Delivery.State.REFUSED or file.problem:
        return "refused", "已拒收"
    if file.repeated:
        return "repeated", "此前已接收"
    if file.batch is None:
        words = Delivery.State(delivery.state).label
        return ("waiting", words if delivery.state != Delivery.State.TAKING else "排队")
    return file.batch.state, Batch.State(file.batch.state).label


def document(delivery: Delivery, *, at: datetime, using: str = "default") -> dict[str, Any]:
    """The receipt as it stands: final when every batch has ended."""
    return documents([delivery], at=at, using=using)[0]


def documents(listed: Sequence[Delivery], *, at: datetime, using: str = "default") -> list[dict[str, Any]]:
    """The receipts of several deliveries, in their order. A constant number of queries, and one an agency with bundles."""
    held: dict[int, list[DeliveryFile]] = {d.pk: [] for d in listed}
    for file in (
        DeliveryFile.objects.using(using)
        .filter(delivery_id__in=held)
        .select_related("batch")
        .defer("sealed_key")
    ):
        held[file.delivery_id].append(file)
    taken = [f.batch_id for files in held.values() for f in files if f.batch_id and not f.repeated]
    reasons = quarantine_reasons(taken, using=using)
    bundled = {d.agency for d in listed if d.way == Delivery.Way.BUNDLE}
    missing = {agency: deliveries.missing(agency, using=using) for agency in sorted(bundled)}
    return [_document(d, held[d.pk], reasons, missing, at) for d in listed]


def _document(
    delivery: Delivery,
    held: Iterable[DeliveryFile],
    reasons: Mapping[int, Iterable[tuple[str, Any, int]]],
    missing: Mapping[str, list[int]],
    at: datetime,
) -> dict[str, Any]:
    files = [_file(f, delivery, reasons) for f in held]
    final = delivery.state in (
        Delivery.State.DONE,
        Delivery.State.REFUSED,
        Delivery.State.SKIPPED,
    ) and not any(f["outcome"] in ("waiting", "received", "reading", "held") for f in files)
    return {
        "format": FORMAT,
        "delivery": str(delivery.code),
        "number": delivery.number,
        "way": delivery.way,
        "agency": delivery.agency,
        "sequence": delivery.sequence,
        "digest": delivery.digest,
        "state": delivery.state,
        "state_display": delivery.get_state_display(),
        "final": final,
        "received_at": timezone.localtime(delivery.received_at).isoformat(timespec="seconds"),
        "issued_at": timezone.localtime(at).isoformat(timespec="seconds"),
        "missing": missing[delivery.agency] if delivery.way == Delivery.Way.BUNDLE else [],
        "problem": delivery.problem,
        "files": files,
        "totals": {name: sum(f["counts"][name] for f in files) for name in _COUNTS},
    }


def _file(
    file: DeliveryFile, delivery: Delivery, reasons: Mapping[int, Iterable[tuple[str, Any, int]]]
) -> dict[str, Any]:
    outcome, words = outcome_of(file, delivery)
    counted = file.batch is not None and not file.repeated
    batch = file.batch
    return {
        "name": file.name,
        "feed": file.feed,
        "size": file.size,
        "sha256": file.digest,
        "outcome": outcome,
        "outcome_display": words,
        "batch": batch.pk if batch else None,
        "counts": {name: getattr(batch, name) if counted else 0 for name in _COUNTS},
        "quarantine": [
            {"column": column, "reason": reason.name.lower(), "reason_display": reason.zh, "rows": rows}
            for column, reason, rows in reasons.get(file.batch_id or 0, [])
        ],
        "problem": file.problem or (batch.problem if batch and counted else None),
    }


def signed(receipt: dict[str, Any]) -> bytes:
    """The receipt as a file: the document as text, so that its bytes are what was signed, and the signature."""
    key = signing.create(Path(settings.EXCHANGE_SIGNING_KEY))
    text = json.dumps(receipt, ensure_ascii=False, indent=1)
    signature = key.sign(_MARK, hashlib.sha256(text.encode()).digest())
    frame = {
        "receipt": text,
        "alg": "Ed25519",
        "key": key.id,
        "public_key": signing.public_pem(key).decode(),
        "signature": base64.b64encode(signature).decode(),
    }
    return json.dumps(frame, ensure_ascii=False, indent=1).encode()


def verified(raw: bytes, trusted: signing.TrustedKeys) -> dict[str, Any]:
    """The document of a signed receipt; raises ``ValueError`` when it is not ours as it stands."""
    frame = json.loads(raw)
    text = str(frame["receipt"])
    digest = hashlib.sha256(text.encode()).digest()
    if not trusted.holds(str(frame["key"]), _MARK, digest, base64.b64decode(frame["signature"])):
        raise ValueError("回执的签名不符，内容可能被改动 / the receipt's signature does not hold")
    found: dict[str, Any] = json.loads(text)
    return found


def lines(receipt: dict[str, Any]) -> list[str]:
    """For a terminal."""
    head = f"{receipt['number']} {receipt['agency']}"
    if receipt["sequence"]:
        head += f" 第 {receipt['sequence']} 号"
    out = [f"{head} {receipt['state_display']}{'（未终结）' if not receipt['final'] else ''}"]
    for f in receipt["files"]:
        c = f["counts"]
        out.append(
            f"  {f['name']} → {f['feed']} {f['outcome_display']}：接收 {c['received']} = 入库 {c['loaded']}"
            f" + 未变 {c['unchanged']} + 重复 {c['duplicate']} + 隔离 {c['quarantined']}"
        )
        out += [f"    隔离 {q['rows']} 行：{q['column']} {q['reason_display']}" for q in f["quarantine"]]
        if f["problem"] and f["problem"] != receipt["problem"]:
            out.append(f"    {f['problem']['place']}：{f['problem']['what']}。{f['problem']['cure']}")
    if receipt["problem"]:
        p = receipt["problem"]
        out.append(f"  {p['place']}：{p['what']}。{p['cure']}")
    if receipt["missing"]:
        out.append(f"  缺号：{ranges(receipt['missing'])}；后面的包已暂存，补齐后按顺序入库")
    return out


def ranges(numbers: list[int]) -> str:
    spans: list[list[int]] = []
    for n in numbers:
        if spans and spans[-1][1] == n - 1:
            spans[-1][1] = n
        else:
            spans.append([n, n])
    return "、".join(str(a) if a == b else f"{a}–{b}" for a, b in spans)
