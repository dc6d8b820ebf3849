"""Continues the chain over what was committed since, and sets its mark outside the database.

Safe to run at any time, twice at once, and to die between any two steps: a segment is one statement, and
anchors are taken from the segments that stand, never from memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connections

from . import signing
from .anchor import Anchor, AnchorUnusable, Line
from .canonical import DIGEST, Segment, encoded, hasher, pack_ids
from .signing import SigningKey

#: rows of one segment: bounds memory, and how far a fault has to be looked for
SEGMENT_ROWS = 10_000
ALGORITHM = "sm3"
_LOCK = 7_305_112_001
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Sealed:
    """What one run did. ``busy``: another run was at work, nothing done."""

    rows: int = 0
    segments: int = 0
    anchored: int = 0
    busy: bool = False


def seal(*, using: str = "default") -> Sealed:
    """Chain all settled rows and anchor every segment that has no anchor yet.

    Raises ``KeyUnusable`` or ``AnchorUnusable`` with the cure; rows stay as they are and wait.
    """
    anchor = Anchor(settings.AUDIT_ANCHOR)
    with _alone(using) as alone:
        if not alone:
            return Sealed(busy=True)
        key = _begin(anchor, using)
        rows = segments = 0
        while True:
            count = _next_segment(key, using)
            if count:
                rows, segments = rows + count, segments + 1
            if count < SEGMENT_ROWS:
                break
        return Sealed(rows, segments, _anchor(anchor, key, using))


def restart(*, by: str, reason: str, using: str = "default") -> Line:
    """Go on from the database as it is, after it was restored on purpose or the anchors were lost.

    Writes a signed line that says who decided so and why; ``audit verify`` shows it for ever.
    """
    if not by.strip() or not reason.strip():
        raise AnchorUnusable("请写明决定人和事由 / name who decided and why")
    with _alone(using) as alone:
        if not alone:
            raise AnchorUnusable("固化任务正在运行，请稍后再试 / the sealer is at work, try again")
        key = signing.load(settings.AUDIT_KEY)
        number, total, digest, now = _head(using)
        last = _segments(using, number)
        return Anchor(settings.AUDIT_ANCHOR).append(
            key,
            kind="restart",
            seal=number,
            digest=digest,
            total=total,
            last_id=last[0].last_id if last else 0,
            at=now,
            by=by.strip(),
            reason=reason.strip(),
        )


def _begin(anchor: Anchor, using: str) -> SigningKey:
    """The key; made, with the first anchor line, only where no chain exists yet."""
    number, total, digest, now = _head(using)
    last = anchor.last()
    if last is None:
        if number:
            raise AnchorUnusable(
                f"锚定文件夹 {anchor.folder} 是空的，而数据库已有 {number} 个校验段。请重新挂接锚定介质；确已遗失时执行"
                f" manage.py audit restart --by 姓名 --reason 事由 / the anchor folder is empty but {number} segments exist:"
                " reconnect the medium, or if it is lost `audit restart`"
            )
        key = signing.create(settings.AUDIT_KEY)
        anchor.append(key, kind="start", seal=0, digest=digest, total=total, last_id=0, at=now)
        return key
    if last.seal:
        standing = _segments(using, last.seal)
        if not standing or standing[0].digest.hex() != last.digest:
            what = (
                f"数据库只到第 {number} 段，锚定已到第 {last.seal} 段"
                if number < last.seal
                else f"第 {last.seal} 段与锚定不一致"
            )
            raise AnchorUnusable(
                f"{what}：数据库可能被回退或改写，固化暂停。请先执行 manage.py audit verify；确为有意恢复备份时执行"
                " manage.py audit restart --by 姓名 --reason 事由 / the database differs from its anchor: it may have been"
                " rolled back or rewritten. Run `audit verify`; after a wanted restore, `audit restart`"
            )
    return signing.load(settings.AUDIT_KEY)


def _next_segment(key: SigningKey, using: str) -> int:
    """Chain the next rows, in one statement; returns their number."""
    with connections[using].cursor() as cursor:
        cursor.execute("select * from audit_pending(%s)", [SEGMENT_ROWS])
        rows = cursor.fetchall()
        if not rows:
            return 0
        number, total, previous, now = _head(using)
        digest = hasher(ALGORITHM)
        segment = Segment(
            number=number + 1,
            algorithm=ALGORITHM,
            rows=len(rows),
            total=total + len(rows),
            first_stamp=rows[0][1],
            first_id=rows[0][0],
            last_stamp=rows[-1][1],
            last_id=rows[-1][0],
            since=min(row[15] for row in rows),
            until=max(row[15] for row in rows),
            sealed_at=microseconds(now),
            key=key.id,
            ids=pack_ids([row[0] for row in rows]),
            leaves=b"".join(digest(encoded(row)) for row in rows),
            previous=previous,
        )
        own = segment.digest()
        cursor.execute(
            "select audit_append_seal(row(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, null)::audit_auditseal)",
            [
                segment.number,
                segment.algorithm,
                segment.rows,
                segment.total,
                segment.first_stamp,
                segment.first_id,
                segment.last_stamp,
                segment.last_id,
                moment(segment.since),
                moment(segment.until),
                moment(segment.sealed_at),
                segment.ids,
                segment.leaves,
                segment.previous,
                own,
                segment.key,
                key.sign(signing.SEAL, own),
            ],
        )
        return len(rows) if cursor.fetchone()[0] else 0


def _anchor(anchor: Anchor, key: SigningKey, using: str) -> int:
    """One line for every segment after the last anchored one."""
    last = anchor.last()
    reached, count = (last.seal if last else 0), 0
    while found := _segments(using, reached + 1):
        for standing in found:
            anchor.append(
                key,
                kind="seal",
                seal=standing.number,
                digest=standing.digest,
                total=standing.total,
                last_id=standing.last_id,
                at=standing.sealed_at,
            )
            reached, count = standing.number, count + 1
    return count


@dataclass(frozen=True)
class _Standing:
    number: int
    total: int
    last_id: int
    digest: bytes
    sealed_at: datetime


def _segments(using: str, after: int) -> list[_Standing]:
    with connections[using].cursor() as cursor:
        cursor.execute("select * from audit_anchored(%s)", [after])
        return [_Standing(n, total, last, bytes(d), at) for n, total, last, d, at in cursor.fetchall()]


def _head(using: str) -> tuple[int, int, bytes, datetime]:
    with connections[using].cursor() as cursor:
        cursor.execute("select * from audit_head()")
        number, total, digest, now = cursor.fetchone()
        return number, total, bytes(digest)[:DIGEST], now


@contextmanager
def _alone(using: str) -> Iterator[bool]:
    """One sealer at a time over all machines; the lock goes with the connection if the process dies."""
    connection: Any = connections[using]
    with connection.cursor() as cursor:
        cursor.execute("select pg_try_advisory_lock(%s)", [_LOCK])
        alone = bool(cursor.fetchone()[0])
        try:
            yield alone
        finally:
            if alone:
                cursor.execute("select pg_advisory_unlock(%s)", [_LOCK])


def microseconds(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=microseconds)
