"""One flush: packets → rows of the pool, one landing, sealed frames, contacts, issues. One transaction."""

from __future__ import annotations

import hashlib
import json
import logging
import threading
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import polars as pl
from django.db import connections, transaction

from chuxiong.vault import envelope
from chuxiong.vault.keys import keys
from chuxiong.work.bell import publish
from chuxiong.work.jobs import enqueue
from ingestion.intake import merge
from ingestion.intake.receive import ALIAS
from ingestion.models import Batch
from ingestion.selectors import catalog
from ingestion.telemetry.codes import Protocol
from ingestion.telemetry.packets import ZONE, Packet, Reading
from ingestion.telemetry.registry import FEED, UNKNOWN, Registry

logger = logging.getLogger(__name__)

#: refused frames whose bytes are kept per flush; further ones are counted
KEPT_REFUSED = 200
#: distinct issues one process writes; further ones are counted together
MOST_ISSUES = 1000
RECEIVED_BY = "HJ 212"
_PEOPLE_READ = {
    "unknown_device": "设备未登记：读数照收，不比对限值。请向生态环境局核实后登记设备（telemetry register）。",
    "unknown_factor": "因子编码不在标准的编码表内：读数照收。请向生态环境局核实。",
    "unknown_field": "报文中的字段不在标准内，未入库；原文已封存。",
    "unknown_mark": "数据标记不在标准内：照收，不参与超标判断。",
    "bad_value": "数值不是数字，按缺测处理；原文已封存。",
    "field_twice": "同一报文中同一字段出现两次且数值不同，取后者；原文已封存。",
    "clock_ahead": "数据时间晚于接收时间：设备时钟超前，读数照收。请校时。",
    "vendor_crc": "校验码是 CRC-16/MODBUS 而非标准算法：读数照收。请厂商更正。",
    "refused_connection": "来源地址不在访问名单内，或超过连接数，连接被拒绝。",
    "bad_tail": "报文结尾不是回车换行：照收。",
    "other": "同类问题过多，其余合并计数。",
}


@dataclass(slots=True)
class Entry:
    """One frame as received: a packet, or the reason why it is none."""

    received_at: datetime
    raw: bytes
    packet: Packet | None
    refused: str = ""
    answer: bytes | None = None
    #: whoever waits for the answer
    sender: Any = None
    #: an answer that was due and is not given, because the packet could not be stored
    owed: bool = False


@dataclass(frozen=True)
class Stored:
    """What one flush did, in packets. received = changed + repeated + control + refused."""

    landing: int | None
    changed: int
    repeated: int
    control: int
    refused: int


@dataclass
class Issues:
    """Oddities gathered between flushes; each is written when first seen and then with the next minute's."""

    pending: Counter[tuple[str, str]] = field(default_factory=Counter)
    known: set[tuple[str, str]] = field(default_factory=set)
    written_at: datetime | None = None
    #: the event loop notes while the storing thread writes
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, kind: str, place: str) -> None:
        key = (kind, place[:120])
        with self.lock:
            if key not in self.known and len(self.known) + len(self.pending) >= MOST_ISSUES:
                key = ("other", kind)
            self.pending[key] += 1

    def due(self, at: datetime) -> list[tuple[str, str, int]]:
        """(kind, place, times seen) to be written now."""
        with self.lock:
            late = self.written_at is None or (at - self.written_at).total_seconds() >= 60
            return [(*key, seen) for key, seen in self.pending.items() if late or key not in self.known]

    def written(self, rows: list[tuple[str, str, int]], at: datetime) -> None:
        with self.lock:
            if any((kind, place) in self.known for kind, place, _ in rows) or self.written_at is None:
                self.written_at = at
            for kind, place, seen in rows:
                self.known.add((kind, place))
                self.pending[kind, place] -= seen
                if not self.pending[kind, place]:
                    del self.pending[kind, place]


def main_figure(data_type: str, reading: Reading) -> float | None:
    """The figure that is compared with the limit: the real-time value, else the mean."""
    return reading.value_rtd if data_type == "2011" else reading.value_avg


def store(
    entries: Sequence[Entry], registry: Registry, protocol: Protocol, issues: Issues, *, at: datetime
) -> Stored:
    """Store one flush. Raises database errors with nothing stored; safe to repeat."""
    held = [e for e in entries if e.packet and e.packet.readings]
    refused = [e for e in entries if e.packet is None]
    control = len(entries) - len(held) - len(refused)
    landing, changed = None, 0
    with transaction.atomic(using=ALIAS):
        _contacts(entries)
        if held or refused:
            landing, changed, batch = _land(held, refused, registry, protocol, at)
            rows = issues.due(at)
            _write_issues(batch, rows)
            enqueue("landed", str(landing), {"landing": landing, "stream": True}, priority=2, using=ALIAS)
            transaction.on_commit(lambda: issues.written(rows, at), using=ALIAS)
            transaction.on_commit(lambda: publish("landed", landing=landing), using=ALIAS)
    return Stored(landing, changed, len(held) - changed, control, len(refused))


def _land(
    held: list[Entry],
    refused: list[Entry],
    registry: Registry,
    protocol: Protocol,
    at: datetime,
) -> tuple[int, int, Batch]:
    connection = connections[ALIAS]
    frames = _frames(held)
    digest = hashlib.sha256(b"%b%b" % (at.isoformat().encode(), frames))
    for entry in refused:
        digest.update(entry.raw)
    good = rows_of(held, registry, protocol)
    batch = Batch.objects.using(ALIAS).create(
        feed=FEED,
        file_name=f"hj212-{at.astimezone(ZONE):%Y%m%dT%H%M%S.%f}",
        digest=digest.hexdigest(),
        size=sum(len(e.raw) for e in held) + sum(len(e.raw) for e in refused),
        agreement_id=registry.agreement,
        received_at=held[0].received_at if held else at,
        received_by=RECEIVED_BY,
    )
    _seal(connection, batch, frames, refused)
    number, counts, changed = merge.land_stream(connection, catalog()[FEED], batch, good, at=at)
    batch.state, batch.landing, batch.landed_at = Batch.State.LANDED, number, at
    batch.received, batch.quarantined = good.height + len(refused), len(refused)
    batch.loaded, batch.unchanged, batch.duplicate = counts.loaded, counts.unchanged, counts.duplicate
    batch.layout = {
        "packets": {"changed": changed, "repeated": len(held) - changed, "refused": len(refused)},
        "refused": dict(Counter(e.refused for e in refused)),
    }
    batch.save(using=ALIAS)
    return number, changed, batch


def rows_of(held: list[Entry], registry: Registry, protocol: Protocol) -> pl.DataFrame:
    """One row per reading, in the columns of the feed; ``row_no`` is the packet's place in the flush, from 1."""
    heads, readings = [], []
    for number, entry in enumerate(held, start=1):
        packet = entry.packet
        assert packet is not None and packet.data_time is not None  # noqa: S101
        device = registry.devices.get(packet.device, UNKNOWN)
        command, day = packet.command, packet.data_time.date()
        heads.append(
            (number, device.county, packet.device, packet.system, command, packet.data_time, device.org_name,
             device.organisation, device.outlet_no, device.outlet_name, entry.received_at,
             _arrival(packet, entry.received_at, protocol))
        )  # fmt: skip
        for r in packet.readings.values():
            limit = device.limit(r.factor, command, day)
            readings.append(
                (
                    number - 1,
                    r.factor,
                    r.value_min,
                    r.value_avg,
                    r.value_max,
                    r.value_cou,
                    r.value_rtd,
                    r.flag,
                    limit,
                )
            )
    packets = _frame(_HEAD, heads)
    rows = _frame(_READING, readings)
    # What a packet says once is written beside each of its readings.
    # A platform's own judgement comes with files alone; the column stands so that both make the same hash.
    return (
        packets[rows["packet"]].hstack(rows.drop("packet")).with_columns(is_exceed=pl.lit(None, pl.Boolean))
    )


_MOMENT = pl.Datetime("us", "Asia/Shanghai")
_HEAD: dict[str, Any] = {
    "row_no": pl.Int64, "county": pl.String, "mn": pl.String, "st": pl.String, "data_type": pl.String,
    "data_time": _MOMENT, "org_name": pl.String, "uscc": pl.String, "outlet_no": pl.String, "outlet_name": pl.String,
    "received_at": _MOMENT, "arrival": pl.String,
}  # fmt: skip
_READING: dict[str, Any] = {
    "packet": pl.Int64, "factor": pl.String, "value_min": pl.Float64, "value_avg": pl.Float64, "value_max": pl.Float64,
    "value_cou": pl.Float64, "value_rtd": pl.Float64, "flag": pl.String, "limit_value": pl.Float64,
}  # fmt: skip


def _frame(schema: dict[str, Any], rows: list[tuple[Any, ...]]) -> pl.DataFrame:
    columns = zip(*rows, strict=True) if rows else ([] for _ in schema)
    return pl.DataFrame(
        [pl.Series(name, values, kind) for (name, kind), values in zip(schema.items(), columns, strict=True)]
    )


def _arrival(packet: Packet, received_at: datetime, protocol: Protocol) -> str | None:
    assert packet.data_time is not None  # noqa: S101
    behind = received_at - packet.data_time
    if behind < -protocol.ahead:
        return "ahead"
    return "late" if behind > protocol.late else None


def note_oddities(entries: Sequence[Entry], registry: Registry, protocol: Protocol, issues: Issues) -> None:
    """What people should know of packets that are stored all the same. Once per flush, not per attempt."""
    for entry in entries:
        packet = entry.packet
        if packet is None or packet.data_time is None:
            continue
        if packet.device not in registry.devices:
            issues.note("unknown_device", packet.device)
        if _arrival(packet, entry.received_at, protocol) == "ahead":
            issues.note("clock_ahead", packet.device)
        for kind, place in packet.oddities:
            issues.note(kind, f"{packet.device} {place}".rstrip())


def _frames(held: list[Entry]) -> bytes:
    """The accepted frames as they came: a line with time and length before each."""
    return b"".join(b"%b %d\n%b\n" % (e.received_at.isoformat().encode(), len(e.raw), e.raw) for e in held)


def _seal(connection: Any, batch: Batch, frames: bytes, refused: list[Entry]) -> None:
    """Frames and the first refused ones under a key of this batch."""
    data_key, ring = envelope.new_data_key(), keys()
    with connection.cursor() as cursor:
        cursor.execute(
            "insert into vault_batchkey (batch, sealed, key_id) values (%s, %s, %s)",
            [batch.pk, ring.wrap(data_key, f"batch:{batch.pk}"), ring.current],
        )
        if frames:
            packed = zlib.compress(frames, 1).decode("latin-1")
            cursor.execute(
                "insert into ingestion_telemetryframes (batch_id, sealed) values (%s, %s)",
                [batch.pk, envelope.seal_text(packed, data_key, f"{batch.pk}:frames")],
            )
        if refused:
            kept = [
                (
                    batch.pk,
                    number,
                    json.dumps([{"column": "", "reason": entry.refused}]),
                    envelope.seal_text(entry.raw.decode("latin-1"), data_key, f"{batch.pk}:{number}"),
                )
                for number, entry in enumerate(refused[:KEPT_REFUSED], start=1)
            ]
            cursor.executemany(
                "insert into ingestion_quarantine (batch_id, row_no, reasons, sealed) values (%s, %s, %s, %s)",
                kept,
            )


def _contacts(entries: Sequence[Entry]) -> None:
    heard: dict[str, list[Any]] = {}
    for entry in entries:
        if entry.packet is None:
            continue
        known = heard.setdefault(entry.packet.device, [entry.received_at, entry.received_at, None, 0])
        known[1] = entry.received_at
        moment = entry.packet.data_time
        if moment and (known[2] is None or moment > known[2]):
            known[2] = moment
        known[3] += 1
    if not heard:
        return
    names = sorted(heard)
    first, last, moments, counts = zip(*(heard[name] for name in names), strict=True)
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(
            "insert into ingestion_telemetrycontact as c (mn, first_at, last_at, last_data_time, packets)"
            " select * from unnest(%s::text[], %s::timestamptz[], %s::timestamptz[], %s::timestamptz[], %s::bigint[])"
            " on conflict (mn) do update set last_at = excluded.last_at, packets = c.packets + excluded.packets,"
            " last_data_time = greatest(c.last_data_time, excluded.last_data_time)",
            [names, list(first), list(last), list(moments), list(counts)],
        )


def _write_issues(batch: Batch, rows: list[tuple[str, str, int]]) -> None:
    if not rows:
        return
    with connections[ALIAS].cursor() as cursor:
        cursor.executemany(
            "insert into ingestion_feedissue (feed, kind, place, text, first_batch_id, seen, open)"
            " values (%s, %s, %s, %s, %s, %s, true)"
            " on conflict (feed, kind, place) do update set seen = ingestion_feedissue.seen + excluded.seen",
            [(FEED, kind, place, _PEOPLE_READ[kind], batch.pk, n) for kind, place, n in rows],
        )
