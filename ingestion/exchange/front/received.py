"""What was sent to an agency, as the front keeps it: copies that the agency may read and answer.

A copy has a number, a version (its ETag) and a place in the order of arrival (``seq``, the cursor). Records that go with it
lie in ``box``, sealed to the front's own key: whoever holds the database alone reads none.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from ingestion.exchange.front.store import Cursor, parsed

_COLUMNS = "number, kind, agency, version, document, mark, box, seq"


@dataclass(frozen=True)
class Copy:
    """``mark`` tells whether ``box`` is of the present records; ``seq`` is the front's, 0 before it has the copy."""

    number: str
    kind: str
    agency: str
    version: int
    document: dict[str, Any]
    mark: str = ""
    box: bytes | None = None
    seq: int = 0


def place(number: str) -> str:
    """What the box of a copy is bound to."""
    return f"received:{number}"


def _copy(row: Any) -> Copy:
    box = bytes(row[6]) if row[6] is not None else None
    return Copy(row[0], row[1], row[2], row[3], parsed(row[4]), row[5], box, row[7])


def page(
    cursor: Cursor,
    *,
    agency: str,
    kinds: list[str],
    updated_since: datetime | None,
    after: int,
    limit: int,
) -> list[Copy]:
    """In order of arrival, behind ``after``; the records stay in their boxes."""
    cursor.execute(
        f"select {_COLUMNS.replace('box', 'null')} from front_received where agency = %s and seq > %s"  # noqa: S608
        " and kind = any(%s) and (%s::timestamptz is null or updated_at >= %s) order by seq limit %s",
        [agency, after, kinds, updated_since, updated_since, limit],
    )
    return [_copy(row) for row in cursor.fetchall()]


def one(cursor: Cursor, number: str, *, agency: str, kinds: list[str], lock: bool = False) -> Copy | None:
    cursor.execute(
        f"select {_COLUMNS} from front_received where number = %s and agency = %s and kind = any(%s)"  # noqa: S608
        + (" for update" if lock else ""),
        [number, agency, kinds],
    )
    row = cursor.fetchone()
    return _copy(row) if row else None


def write(cursor: Cursor, copy: Copy, *, updated_at: datetime) -> None:
    """The agency's own answer on its copy; the caller holds the row."""
    cursor.execute(
        "update front_received set version = %s, document = %s, updated_at = %s where number = %s",
        [copy.version, json.dumps(copy.document, ensure_ascii=False), updated_at, copy.number],
    )


def marks(cursor: Cursor, numbers: list[str]) -> dict[str, str]:
    """Of the records that the front holds, by number."""
    cursor.execute("select number, mark from front_received where number = any(%s)", [numbers])
    return dict(cursor.fetchall())


def put(cursor: Cursor, copy: Copy, *, updated_at: datetime, ours_stands: bool = False) -> bool:
    """The inner side's word; whether anything changed. An answer on its way, which made the copy newer, is not undone,
    except where ``ours_stands``: the inner side could not take it."""
    condition = "" if ours_stands else "r.version <= excluded.version and "
    cursor.execute(
        "insert into front_received as r (number, kind, agency, version, updated_at, document, mark, box)"  # noqa: S608
        " values (%s, %s, %s, %s, %s, %s, %s, %s)"
        " on conflict (number) do update set agency = excluded.agency, version = excluded.version,"
        " updated_at = excluded.updated_at, document = excluded.document, mark = excluded.mark,"
        " box = case when r.mark = excluded.mark then r.box else excluded.box end"
        f" where {condition}(r.document, r.mark, r.agency)"
        " is distinct from (excluded.document, excluded.mark, excluded.agency)",
        [
            copy.number, copy.kind, copy.agency, copy.version, updated_at,
            json.dumps(copy.document, ensure_ascii=False), copy.mark, copy.box,
        ],
    )  # fmt: skip
    return bool(cursor.rowcount)


def withdraw(cursor: Cursor, *, agencies: list[str]) -> None:
    """What belongs to nobody whose machine still calls leaves the front."""
    cursor.execute("delete from front_received where agency <> all(%s)", [agencies])


def records_of(number: str, rows: int, media_type: str) -> dict[str, Any] | None:
    """How a copy's document tells of its records; None where there are none."""
    if not rows:
        return None
    return {"rows": rows, "media_type": media_type, "path": f"{path_of(number)}/records"}


def path_of(number: str) -> str:
    """Where an agency reads a copy."""
    return f"/api/v1/received/{quote(number)}"
