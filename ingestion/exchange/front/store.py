"""The front's database in statements; both sides use these, each over its own connection."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

#: of everything that one request brings, the caller's transaction decides
CHUNK = 1 << 20
_KEEP_NONCE = timedelta(minutes=15)
TABLES = (
    "front_chunk",
    "front_inbox",
    "front_received",
    "front_reply",
    "front_quota",
    "front_feed",
    "front_nonce",
    "front_client",
    "front_key",
)


class Cursor(Protocol):
    rowcount: Any

    def execute(self, query: Any, params: Any = None) -> Any: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> Any: ...


@dataclass(frozen=True)
class Client:
    key: str
    agency: str
    agency_zh: str
    sealed_secret: bytes
    active: bool
    #: what this machine is for: ``data``, ``letters`` or both
    scopes: frozenset[str]
    certificates: tuple[Certificate, ...] = ()


@dataclass(frozen=True)
class Certificate:
    """A client certificate as the gateway reports it, and the days on which it counts (ISO)."""

    issuer: str
    serial: str
    valid_from: str
    valid_to: str


@dataclass(frozen=True)
class Item:
    """Something that an agency handed in."""

    id: int
    code: uuid.UUID
    kind: str
    agency: str
    client: str
    at: datetime
    head: dict[str, Any]
    box: bytes
    request: str
    status: dict[str, Any] | None


def prepare(cursor: Cursor, *, public: bytes, at: datetime) -> None:
    """Tables, and the front's own public key by which secrets are sealed to it."""
    cursor.execute(Path(__file__).with_name("schema.sql").read_text(encoding="utf-8"))
    set_key(cursor, "front", public, at=at)


def set_key(cursor: Cursor, side: str, public: bytes, *, at: datetime) -> None:
    cursor.execute(
        "insert into front_key (side, public, at) values (%s, %s, %s)"
        " on conflict (side) do update set public = excluded.public, at = excluded.at"
        " where front_key.public <> excluded.public",
        [side, public.hex(), at],
    )


def key(cursor: Cursor, side: str) -> bytes | None:
    cursor.execute("select public from front_key where side = %s", [side])
    row = cursor.fetchone()
    return bytes.fromhex(row[0]) if row else None


# ---- clients ------------------------------------------------------------------------------------


def client(cursor: Cursor, key: str) -> Client | None:
    cursor.execute(
        "select key, agency, agency_zh, sealed_secret, active, scopes, certificates from front_client where key = %s",
        [key],
    )
    row = cursor.fetchone()
    if row is None:
        return None
    shown = tuple(Certificate(**one) for one in parsed(row[6]))
    return Client(row[0], row[1], row[2], bytes(row[3]), row[4], frozenset(row[5].split()), shown)


def certified(cursor: Cursor, issuer: str, serial: str) -> bool:
    """Whether the certificate is registered for some client."""
    cursor.execute(
        "select 1 from front_client where certificates @> %s::jsonb limit 1",
        [json.dumps([{"issuer": issuer, "serial": serial}])],
    )
    return cursor.fetchone() is not None


def webhook(cursor: Cursor, key: str, *, lock: bool = False) -> dict[str, Any] | None:
    """The subscription of a client as the inner side last told it, or as the client has just set it."""
    cursor.execute("select webhook from front_client where key = %s" + (" for update" if lock else ""), [key])
    row = cursor.fetchone()
    return parsed(row[0]) if row and row[0] else None


def set_webhook(cursor: Cursor, key: str, document: dict[str, Any] | None) -> None:
    said = json.dumps(document, ensure_ascii=False) if document else None
    cursor.execute("update front_client set webhook = %s where key = %s", [said, key])


def use_nonce(cursor: Cursor, key: str, nonce: str, *, at: datetime) -> bool:
    """False when it was used before."""
    cursor.execute("delete from front_nonce where at < %s", [at - _KEEP_NONCE])
    cursor.execute(
        "insert into front_nonce (client, nonce, at) values (%s, %s, %s) on conflict do nothing",
        [key, nonce, at],
    )
    return bool(cursor.rowcount == 1)


def feed(cursor: Cursor, code: str, *, agency: str) -> tuple[str, str] | None:
    """(Chinese, English title) of a feed of the agency's."""
    cursor.execute("select zh, en from front_feed where code = %s and agency = %s", [code, agency])
    row = cursor.fetchone()
    return (row[0], row[1]) if row else None


def feeds(cursor: Cursor, *, agency: str) -> list[dict[str, Any]]:
    """The agency's own feeds in order of code: code, titles, and how they stand."""
    cursor.execute("select code, zh, en, status from front_feed where agency = %s order by code", [agency])
    return [
        {"code": code, "title_zh": zh, "title_en": en, **parsed(s)} for code, zh, en, s in cursor.fetchall()
    ]


def put_feed(cursor: Cursor, code: str, *, agency: str, zh: str, en: str, status: dict[str, Any]) -> None:
    """Written where it differs."""
    cursor.execute(
        "insert into front_feed (code, agency, zh, en, status) values (%s, %s, %s, %s, %s) on conflict (code)"
        " do update set agency = excluded.agency, zh = excluded.zh, en = excluded.en, status = excluded.status"
        " where (front_feed.agency, front_feed.zh, front_feed.en, front_feed.status)"
        " is distinct from (excluded.agency, excluded.zh, excluded.en, excluded.status)",
        [code, agency, zh, en, json.dumps(status)],
    )


def parsed(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value


# ---- handed in ----------------------------------------------------------------------------------

_COLUMNS = "id, code, kind, agency, client, at, head, box, request, status"


def _item(row: Any) -> Item:
    head, status = parsed(row[6]), parsed(row[9])
    return Item(
        row[0], uuid.UUID(str(row[1])), row[2], row[3], row[4], row[5], head, bytes(row[7]), row[8], status
    )


def hand_in(
    cursor: Cursor,
    *,
    code: uuid.UUID,
    kind: str,
    agency: str,
    client: str,
    at: datetime,
    head: dict[str, Any],
    box: bytes,
    idempotency: str | None = None,
    request: str = "",
) -> tuple[Item, bool]:
    """Lay something down for the inner side; (item, is it new). The same key is answered with the first."""
    cursor.execute(
        "insert into front_inbox (code, kind, agency, client, at, head, box, idempotency, request)"
        " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (client, idempotency) where idempotency is not null do nothing",
        [str(code), kind, agency, client, at, json.dumps(head), box, idempotency, request],
    )
    new = bool(cursor.rowcount == 1)
    if new:
        cursor.execute(f"select {_COLUMNS} from front_inbox where code = %s", [str(code)])
    else:
        cursor.execute(
            f"select {_COLUMNS} from front_inbox where client = %s and idempotency = %s",
            [client, idempotency],
        )
    return _item(cursor.fetchone()), new


def add_chunk(cursor: Cursor, item: int, number: int, data: bytes) -> None:
    cursor.execute("insert into front_chunk (inbox, number, bytes) values (%s, %s, %s)", [item, number, data])


def handed_in(cursor: Cursor, code: uuid.UUID, *, agency: str) -> Item | None:
    cursor.execute(
        f"select {_COLUMNS} from front_inbox where code = %s and agency = %s and kind = 'file'",
        [str(code), agency],
    )
    row = cursor.fetchone()
    return _item(row) if row else None


def attachments(
    cursor: Cursor, codes: list[uuid.UUID], *, number: str, agency: str
) -> dict[uuid.UUID, dict[str, Any]]:
    """Heads of what the agency handed in for the answer to ``number``, by code."""
    cursor.execute(
        "select code, head from front_inbox where code = any(%s::uuid[]) and agency = %s and kind = 'attachment'"
        " and head ->> 'number' = %s",
        [[str(c) for c in codes], agency, number],
    )
    return {uuid.UUID(str(code)): parsed(head) for code, head in cursor.fetchall()}


def agencies(cursor: Cursor, scope: str) -> list[str]:
    """Those with a machine that may call for ``scope``."""
    cursor.execute(
        "select distinct agency from front_client where active and %s = any(string_to_array(scopes, ' '))"
        " order by agency",
        [scope],
    )
    return [row[0] for row in cursor.fetchall()]


def waiting(cursor: Cursor, *, at: datetime, limit: int = 100) -> list[Item]:
    """What may be taken, the oldest first; an agency whose item is to be tried again later waits with all of its own."""
    cursor.execute(
        f"select {_COLUMNS} from front_inbox where taken_at is null and agency not in (select w.agency from front_inbox w"
        " where w.taken_at is null and (w.status ->> 'again_at')::timestamptz > %s) order by id limit %s",
        [at, limit],
    )
    return [_item(row) for row in cursor.fetchall()]


def chunks(cursor: Cursor, item: int) -> Iterator[bytes]:
    number = 0
    while True:
        cursor.execute("select bytes from front_chunk where inbox = %s and number = %s", [item, number])
        row = cursor.fetchone()
        if row is None:
            return
        yield bytes(row[0])
        number += 1


def taken(cursor: Cursor, item: int, *, at: datetime, status: dict[str, Any] | None, ended: bool) -> None:
    """The inner side has it for certain: its bytes leave the front."""
    cursor.execute("delete from front_chunk where inbox = %s", [item])
    cursor.execute(
        "update front_inbox set taken_at = %s, status = %s, ended = %s, box = '' where id = %s",
        [at, json.dumps(status) if status else None, ended, item],
    )


def open_files(cursor: Cursor) -> list[Item]:
    """Files taken whose last word has not been told."""
    cursor.execute(
        f"select {_COLUMNS} from front_inbox where taken_at is not null and not ended and kind = 'file' order by id"
    )
    return [_item(row) for row in cursor.fetchall()]


def tell(cursor: Cursor, item: int, status: dict[str, Any], *, ended: bool) -> None:
    cursor.execute(
        "update front_inbox set status = %s, ended = %s where id = %s", [json.dumps(status), ended, item]
    )
