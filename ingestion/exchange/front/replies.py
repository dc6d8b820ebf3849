"""Each request once: what a client was answered under an Idempotency-Key, and how much a client has asked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from ingestion.exchange.front.store import Cursor, parsed


@dataclass(frozen=True)
class Reply:
    request: str
    status: int
    body: Any
    tag: str


def claim(cursor: Cursor, client: str, key: str, request: str, *, at: datetime) -> Reply | None:
    """None: the key is new and now this transaction's; else what was answered under it.

    A second request under the same key waits here for the first one's transaction.
    """
    cursor.execute(
        "insert into front_reply (client, key, request, at) values (%s, %s, %s, %s) on conflict do nothing",
        [client, key, request, at],
    )
    if cursor.rowcount:
        return None
    cursor.execute(
        "select request, status, body, tag from front_reply where client = %s and key = %s", [client, key]
    )
    row = cursor.fetchone()
    return Reply(row[0], row[1], parsed(row[2]), row[3])


def keep(cursor: Cursor, client: str, key: str, *, status: int, body: Any, tag: str) -> None:
    """What the request under the key is answered; in the transaction of ``claim``."""
    cursor.execute(
        "update front_reply set status = %s, body = %s, tag = %s where client = %s and key = %s",
        [status, json.dumps(body, ensure_ascii=False), tag, client, key],
    )


def forget(cursor: Cursor, *, before: datetime) -> None:
    cursor.execute("delete from front_reply where at < %s", [before])
    cursor.execute("delete from front_quota where since < %s", [before])


def count(cursor: Cursor, client: str, name: str, *, most: int, per: timedelta, at: datetime) -> float:
    """Count one request towards a limit; seconds to wait when it is used up, else 0."""
    length = per.total_seconds()
    since = datetime.fromtimestamp(at.timestamp() // length * length, tz=at.tzinfo)
    cursor.execute(
        "insert into front_quota as q (client, limit_name, since, used) values (%s, %s, %s, 1)"
        " on conflict (client, limit_name, since) do update set used = q.used + 1 where q.used < %s",
        [client, name, since, most],
    )
    return 0.0 if cursor.rowcount else max(1.0, (since + per - at).total_seconds())
