"""Walks over rows, segments and anchors once, in step, and names the first place that is not as it was written.

Memory is bounded by one segment. Reads tables only, in one consistent view; writes nothing.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections, transaction

from . import signing
from .anchor import Anchor, Line, Reading
from .canonical import DIGEST, GENESIS, Segment, encoded, hasher, unpack_ids
from .retention import policy
from .sealer import microseconds
from .signing import TrustedKeys

_MOST = 50
#: segments removed, as `audit_purge` writes them: from the first that lawful acts ever removed to the last of this act
_CLAIM = re.compile(r"([0-9]{1,18})-([0-9]{1,18})")
_KEEP = (
    "请保全现场：停止写库账号以外的一切改动，复制数据库、锚定文件与日志，报告审计管理员与分管领导",
    "preserve the evidence: stop every change, copy database, anchor files and logs, report to the audit administrator",
)
_WORDS: dict[str, tuple[str, str]] = {
    "edited": ("记录被修改", "row was edited"),
    "deleted": ("记录被删除", "row was deleted"),
    "inserted": ("有事后插入的记录", "row was inserted afterwards"),
    "reordered": ("记录次序被调换", "rows were reordered"),
    "segment_changed": ("校验段被改写，摘要不符", "segment was rewritten: digest differs"),
    "bad_signature": (
        "校验段签名无效，不是本中心密钥所签",
        "segment carries no valid signature of this centre",
    ),
    "segment_missing": ("校验段缺失", "segment is missing"),
    "chain_broken": ("校验段不接前一段", "segment does not follow the one before"),
    "anchor_differs": (
        "校验段与库外锚定不一致：链被整体重写",
        "segment differs from its anchor: the chain was rewritten",
    ),
    "tail_cut": (
        "已锚定的校验段在库中不存在：末尾被截断",
        "anchored segments are gone from the database: the tail was cut",
    ),
    "rolled_back": (
        "数据库早于最后一次锚定：被整体回退",
        "the database is older than its last anchor: it was rolled back",
    ),
    "purge_unrecorded": (
        "已清理的校验段没有对应的清理记录，或未满保存期限",
        "rows of a segment were removed without a recorded act, or too early",
    ),
    "anchor_changed": ("锚定文件被改动", "anchor file was changed"),
    "anchor_missing": ("没有锚定文件", "there is no anchor file"),
    "anchor_late": ("锚定滞后", "anchors are late"),
    "sealing_late": ("固化滞后", "the chain is late"),
}
_CURES: dict[str, tuple[str, str]] = {
    "rolled_back": (
        "若为有意恢复备份，执行 manage.py audit restart --by 姓名 --reason 事由；否则" + _KEEP[0],
        "after a wanted restore run `manage.py audit restart --by NAME --reason WHY`; otherwise " + _KEEP[1],
    ),
    "anchor_missing": (
        "重新挂接锚定介质（CHUXIONG_AUDIT_ANCHOR）后再验",
        "reconnect the anchor medium (CHUXIONG_AUDIT_ANCHOR) and verify again",
    ),
    "anchor_late": (
        "检查锚定介质是否可写，再执行 manage.py audit seal",
        "check that the anchor medium can be written, then run `manage.py audit seal`",
    ),
    "sealing_late": (
        "检查 worker 与 beat 是否运行、有无长时间未结束的事务，再执行 manage.py audit seal",
        "check worker, beat and long transactions, then run `manage.py audit seal`",
    ),
}
#: faults of operation; everything else is tampering
LATE = frozenset({"anchor_late", "sealing_late"})


@dataclass(frozen=True)
class Finding:
    """``segment`` and ``row`` are None where the fault has none; ``count`` of like faults at this place."""

    kind: str
    segment: int | None = None
    row: int | None = None
    place: str = ""
    count: int = 1

    @property
    def words(self) -> tuple[str, str]:
        where_zh = "".join(
            (
                f"第 {self.segment} 段" if self.segment is not None else "",
                f" 记录 {self.row}" if self.row is not None else "",
                f" {self.place}" if self.place else "",
            )
        ).strip()
        where_en = ", ".join(
            part
            for part in (
                f"segment {self.segment}" if self.segment is not None else "",
                f"row {self.row}" if self.row is not None else "",
                self.place,
            )
            if part
        )
        zh, en = _WORDS[self.kind]
        more_zh = f"（共 {self.count} 处）" if self.count > 1 else ""
        more_en = f" ({self.count} in all)" if self.count > 1 else ""
        return f"{where_zh} {zh}{more_zh}".strip(), f"{where_en}: {en}{more_en}".lstrip(": ")

    @property
    def cure(self) -> tuple[str, str]:
        return _CURES.get(self.kind, _KEEP)


@dataclass
class Report:
    """``findings`` in the order of the chain; the first is the first bad place."""

    rows: int = 0
    segments: int = 0
    purged: int = 0
    anchored: int = 0
    waiting: int = 0
    seconds: float = 0.0
    findings: list[Finding] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)
    total_findings: int = 0

    def add(self, finding: Finding) -> None:
        self.total_findings += 1
        if len(self.findings) < _MOST:
            self.findings.append(finding)

    @property
    def exit_code(self) -> int:
        """0 sound, 1 tampered with, 2 only late."""
        if not self.findings:
            return 0
        return 2 if all(f.kind in LATE for f in self.findings) else 1

    def document(self) -> dict[str, Any]:
        return {
            "ok": not self.findings,
            "rows": self.rows,
            "segments": self.segments,
            "purged_segments": self.purged,
            "anchored": self.anchored,
            "waiting": self.waiting,
            "seconds": round(self.seconds, 3),
            "rows_per_second": round(self.rows / self.seconds) if self.seconds else 0,
            "findings": [
                {
                    "kind": f.kind,
                    "segment": f.segment,
                    "row": f.row,
                    "place": f.place,
                    "count": f.count,
                    "zh": f.words[0],
                    "en": f.words[1],
                    "cure_zh": f.cure[0],
                    "cure_en": f.cure[1],
                }
                for f in self.findings
            ],
            "findings_total": self.total_findings,
            "notes": [{"zh": zh, "en": en} for zh, en in self.notes],
        }


def verify(*, using: str = "owner", public_keys: Iterable[Path] = ()) -> Report:
    """Check everything. ``using`` must be able to read the tables (owner). Raises ``KeyUnusable`` without a key."""
    began = time.monotonic()
    report = Report()
    anchor = Anchor(settings.AUDIT_ANCHOR)
    with transaction.atomic(using=using):
        connection = connections[using]
        with connection.cursor() as cursor:
            cursor.execute("select exists (select 1 from audit_auditseal)")
            begun = cursor.fetchone()[0] or bool(anchor.files())
    if begun:
        trusted = signing.trusted(settings.AUDIT_KEY, public_keys)
        # Anchors first, the database after: what is anchored now must stand then.
        reading = anchor.read(trusted)
        _judge_anchor(report, reading)
    else:
        trusted, reading = TrustedKeys([]), Reading()
    with transaction.atomic(using=using):
        with connection.cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read, read only")
            cursor.execute("select now()")
            now = cursor.fetchone()[0]
        _Walk(report, using, trusted, anchor.seals(reading), reading, now).run()
    report.seconds = time.monotonic() - began
    return report


def _judge_anchor(report: Report, reading: Reading) -> None:
    for place, _what in reading.faults[:1]:
        report.add(Finding("anchor_changed", place=place, count=len(reading.faults)))
    for place in reading.torn:
        report.notes.append(
            (
                f"锚定文件 {place} 有一行未写完（断电或崩溃），不影响校验",
                f"anchor line {place} was torn by a crash",
            )
        )
    for _at, line in reading.restarts:
        report.notes.append(
            (
                f"{line.at} {line.by} 决定从第 {line.seal} 段继续：{line.reason}",
                f"{line.at} {line.by} decided to go on from segment {line.seal}: {line.reason}",
            )
        )


class _Walk:
    """One pass over segments with the rows and anchors that belong to them."""

    def __init__(
        self,
        report: Report,
        using: str,
        trusted: TrustedKeys,
        anchors: Iterator[Line],
        reading: Reading,
        now: datetime,
    ) -> None:
        self.report, self.trusted, self.reading, self.now = report, trusted, reading, now
        self.connection = connections[using]
        self.late = now - timedelta(minutes=policy()["late_minutes"].value)
        self.anchors, self.anchor = anchors, next(anchors, None)
        self.number, self.digest, self.total = 0, GENESIS, 0
        self.unanchored_since: datetime | None = None
        #: ranges of purged segments (first, last, until in microseconds), and what purge rows claim
        self.purged: list[list[int]] = []
        self.claims: list[tuple[int, int, int]] = []

    def run(self) -> None:
        with _stream(self.connection, "audit_rows", _ROWS, 5000) as rows:
            with _stream(self.connection, "audit_seals", _SEALS, 20) as seals:
                self.rows = iter(rows)
                self.row = next(self.rows, None)
                for seal in seals:
                    self._segment(seal)
            self._tail()
        self._missing_after()
        self._purges()

    # -- one segment --------------------------------------------------------------------------------

    def _segment(self, values: tuple[Any, ...]) -> None:
        *header, digest, signature, purged_at, sealed_at = values
        plain: list[Any] = [bytes(v) if isinstance(v, memoryview) else v for v in header]
        segment = Segment(*plain)
        digest, signature = bytes(digest), bytes(signature)
        report, number = self.report, segment.number
        report.segments += 1
        if number != self.number + 1:
            report.add(Finding("segment_missing", self.number + 1, count=max(1, number - self.number - 1)))
            self._skip_rows(segment)
        elif segment.previous != self.digest:
            report.add(Finding("chain_broken", number))
        follows = number == self.number + 1
        off = follows and segment.total != self.total + segment.rows
        if off or not _known(segment) or segment.digest() != digest:
            report.add(Finding("segment_changed", number))
        if not self.trusted.holds(segment.key, signing.SEAL, digest, signature):
            report.add(Finding("bad_signature", number))
        self._against_anchor(number, digest, sealed_at)
        self._rows(segment, purged=purged_at is not None)
        self.number, self.digest, self.total = number, digest, segment.total

    def _against_anchor(self, number: int, digest: bytes, sealed_at: datetime) -> None:
        while self.anchor and self.anchor.seal < number:
            self.anchor = next(self.anchors, None)
        if self.anchor and self.anchor.seal == number:
            if self.anchor.digest != digest.hex():
                self.report.add(Finding("anchor_differs", number, place=self.anchor.place))
            else:
                self.report.anchored += 1
            self.anchor = next(self.anchors, None)
        elif number > self._restarted_at():
            self.unanchored_since = self.unanchored_since or sealed_at

    def _restarted_at(self) -> int:
        return max((line.seal for _at, line in self.reading.restarts), default=0)

    def _skip_rows(self, segment: Segment) -> None:
        """Rows of missing segments are not judged one by one."""
        while self.row and (self.row[1], self.row[0]) < (segment.first_stamp, segment.first_id):
            self._next_row()

    def _rows(self, segment: Segment, *, purged: bool) -> None:
        if purged:
            self.report.purged += 1
            if self.purged and self.purged[-1][1] == segment.number - 1:
                self.purged[-1][1:] = [segment.number, max(self.purged[-1][2], segment.until)]
            else:
                self.purged.append([segment.number, segment.number, segment.until])
        end = (segment.last_stamp, segment.last_id)
        digest = hasher(segment.algorithm if _known(segment) else "sm3")
        ids: list[int] = []
        leaves: list[bytes] = []
        while self.row and (self.row[1], self.row[0]) <= end:
            ids.append(self.row[0])
            leaves.append(digest(encoded(self.row)))
            if self.row[5] == "audit.purge":
                self._claim(self.row)
            self._next_row()
        if purged:
            if ids:
                self.report.add(Finding("inserted", segment.number, ids[0], count=len(ids)))
            return
        if b"".join(leaves) != segment.leaves or len(ids) * 8 != len(segment.ids):
            self._locate(segment, ids, leaves)

    def _locate(self, segment: Segment, ids: list[int], leaves: list[bytes]) -> None:
        """The first bad row of a segment in its order, and what was done to it."""
        wanted_ids = unpack_ids(segment.ids)
        wanted = {row: segment.leaves[i * DIGEST : (i + 1) * DIGEST] for i, row in enumerate(wanted_ids)}
        found = dict(zip(ids, leaves, strict=True))
        number = segment.number
        places = {row: i for i, row in enumerate(wanted_ids)}
        if ids != wanted_ids and sorted(ids) == sorted(wanted_ids):
            at = next(i for i, (a, b) in enumerate(zip(ids, wanted_ids, strict=True)) if a != b)
            self.report.add(Finding("reordered", number, wanted_ids[at]))
            return
        bad: list[tuple[int, str, int, int]] = []
        for kind, rows in (
            ("deleted", [row for row in wanted_ids if row not in found]),
            ("edited", [row for row in wanted_ids if row in found and found[row] != wanted[row]]),
        ):
            if rows:
                bad.append((places[rows[0]], kind, rows[0], len(rows)))
        extra = [(i, row) for i, row in enumerate(ids) if row not in wanted]
        if extra:
            bad.append((extra[0][0], "inserted", extra[0][1], len(extra)))
        for _at, kind, row, count in sorted(bad):
            self.report.add(Finding(kind, number, row, count=count))

    def _next_row(self) -> None:
        self.report.rows += 1
        self.row = next(self.rows, None)

    # -- after the last segment ----------------------------------------------------------------------

    def _tail(self) -> None:
        oldest: int | None = None
        while self.row:
            self.report.waiting += 1
            oldest = self.row[15] if oldest is None else min(oldest, self.row[15])
            if self.row[5] == "audit.purge":
                self._claim(self.row)
            self._next_row()
        if oldest is not None and oldest < microseconds(self.late):
            self.report.add(Finding("sealing_late", count=self.report.waiting))

    def _missing_after(self) -> None:
        if self.report.segments and not self.reading.lines:
            self.report.add(Finding("anchor_missing", place=str(settings.AUDIT_ANCHOR)))
            return
        if self.anchor:
            first = last = self.anchor
            for line in self.anchors:
                last = line
            with self.connection.cursor() as cursor:
                cursor.execute(
                    "select pg_sequence_last_value(pg_get_serial_sequence('audit_auditevent', 'id'))"
                )
                drawn = cursor.fetchone()[0] or 0
            # Deleting rows does not take back the numbers that were drawn; restoring an older state does.
            kind = "tail_cut" if drawn >= last.last_id else "rolled_back"
            self.report.add(Finding(kind, first.seal, place=first.place, count=last.seal - first.seal + 1))
        elif self.unanchored_since and self.unanchored_since < self.late:
            self.report.add(Finding("anchor_late", self.number))

    # -- removal after retention -----------------------------------------------------------------------

    def _claim(self, row: tuple[Any, ...]) -> None:
        claim = _CLAIM.fullmatch(row[7])
        if claim:
            self.claims.append((int(claim[1]), int(claim[2]), row[15]))

    def _purges(self) -> None:
        floor = policy()["floor_days"].value * 86_400_000_000
        for first, last, _until in self.purged:
            covered = first
            for claimed_first, claimed_last, at in sorted(self.claims):
                start = max(covered, claimed_first)
                if start <= min(last, claimed_last) and at - self._until(start, claimed_last) >= floor:
                    if start > covered:
                        self.report.add(Finding("purge_unrecorded", covered, count=start - covered))
                    covered = claimed_last + 1
            if covered <= last:
                self.report.add(Finding("purge_unrecorded", covered, count=last - covered + 1))

    def _until(self, first: int, last: int) -> int:
        with self.connection.cursor() as cursor:
            cursor.execute(
                "select coalesce(max((extract(epoch from until) * 1000000)::bigint), 0) from audit_auditseal"
                " where number between %s and %s",
                [first, last],
            )
            return int(cursor.fetchone()[0])


def _known(segment: Segment) -> bool:
    return segment.algorithm in ("sm3", "sha256")


_ROWS = """
    select id, stamp, writer, actor, office, action, object_kind, object_ref, reason, purpose, ip, device, session, detail,
           (extract(epoch from at) * 1000000)::bigint, (extract(epoch from logged_at) * 1000000)::bigint
    from audit_auditevent order by stamp, id
"""
_SEALS = """
    select number, algorithm, rows, total, first_stamp, first_id, last_stamp, last_id,
           (extract(epoch from since) * 1000000)::bigint, (extract(epoch from until) * 1000000)::bigint,
           (extract(epoch from sealed_at) * 1000000)::bigint, key, ids, leaves, previous, digest, signature, purged_at,
           sealed_at
    from audit_auditseal order by number
"""


def _stream(connection: Any, name: str, query: str, size: int) -> Any:
    """A cursor on the server's side: the client holds ``size`` rows at a time."""
    connection.ensure_connection()
    cursor = connection.connection.cursor(name=name)
    cursor.itersize = size
    cursor.execute(query)
    return cursor
