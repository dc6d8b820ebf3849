"""Read an agency's view: a read-only transaction, in chunks, from the high-water mark on."""

from __future__ import annotations

import json
import os
from datetime import date, datetime
from typing import Any

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_REPEATABLE_READ

from chuxiong.kit.problems import Problem
from ingestion.exchange.fetching import Fetched, FetchFailed
from ingestion.exchange.limits import LIMITS
from ingestion.exchange.sources import SourcesFault, View, secret

_CHUNK = 2000
_TIMEOUTS = "-c statement_timeout=300s -c lock_timeout=5s -c default_transaction_read_only=on"


def fetch(source: View, mark: dict[str, Any], whole: bool = False) -> Fetched | None:
    """Rows from the mark on (its own rows again, they are found unchanged) as JSON lines; None when there are none.

    At most ``source.rows`` at a time; the next round goes on from there. Of a ``whole`` list every row, each time.
    Raises ``FetchFailed``.
    """
    try:
        connection = psycopg2.connect(secret(source.dsn), connect_timeout=10, options=_TIMEOUTS)
    except (psycopg2.Error, SourcesFault) as error:
        # The driver's message may quote the address with its password.
        words = str(error) if isinstance(error, SourcesFault) else f"无法连接数据库（{type(error).__name__}）"
        raise _failed(source, words) from None
    out = os.fdopen(os.memfd_create("view"), "w+b")
    try:
        connection.set_session(isolation_level=ISOLATION_LEVEL_REPEATABLE_READ, readonly=True)
        rows, high = _read(source, connection, None if whole else mark.get("high"), out)
        if whole and rows >= source.rows:
            raise _failed(source, f"全量清单不少于 {source.rows} 行，可能没有读完；请加大 rows")
        if not rows:
            out.close()
            return None
        out.flush()
        out.seek(0)
        return Fetched(out, f"{source.code}.jsonl", {"high": high})
    except psycopg2.Error as error:
        out.close()
        raise _failed(source, f"读取失败（{error.pgcode or type(error).__name__}）") from None
    except BaseException:
        out.close()
        raise
    finally:
        connection.close()


def _read(source: View, connection: Any, mark: str | None, out: Any) -> tuple[int, str | None]:
    column = sql.Identifier(source.high_water)
    query = sql.SQL("select * from {} ").format(sql.Identifier(*source.view.split(".")))
    values: list[Any] = []
    if mark is not None and source.overlap_minutes:
        query += sql.SQL("where {} >= %s::timestamptz - make_interval(mins => %s) ").format(column)
        values = [mark, source.overlap_minutes]
    elif mark is not None:
        query += sql.SQL("where {} >= %s ").format(column)
        values = [mark]
    query += sql.SQL("order by {} nulls last limit %s").format(column)
    values.append(source.rows)
    count, high = 0, mark
    last: Any = None
    with connection.cursor(name="exchange") as cursor:
        cursor.itersize = _CHUNK
        cursor.execute(query, values)
        while rows := cursor.fetchmany(_CHUNK):
            names = [d.name for d in cursor.description]
            if source.high_water not in names:
                raise _failed(source, f"视图没有列 {source.high_water}")
            headers = [source.columns.get(name, name) for name in names]
            at = names.index(source.high_water)
            for row in rows:
                line = dict(zip(headers, map(_text, row), strict=True))
                out.write(json.dumps(line).encode() + b"\n")
                if row[at] is not None:
                    last, high = row[at], _text(row[at])
            count += len(rows)
            if out.tell() > LIMITS.pull_bytes.value:
                raise _failed(source, f"超过 {LIMITS.pull_bytes.value} 字节；请减小 rows")
    if mark is not None and count >= source.rows and not _beyond(last, mark):
        raise _failed(source, f"水位 {mark} 及回看时段内的行不少于 {source.rows}，无法前进；请加大 rows")
    return count, high


def _beyond(last: Any, mark: str) -> bool:
    """Whether the last row read lies after the mark: else a limited read would stand still or go back."""
    if isinstance(last, date):
        return last > type(last).fromisoformat(mark)
    return last is not None and _text(last) != mark


def _text(value: Any) -> str | None:
    """Every cell as text: an identifier must never pass through a number."""
    if value is None:
        return None
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, bool):
        return "是" if value else "否"
    return str(value)


def _failed(source: View, what: str) -> FetchFailed:
    return FetchFailed(
        Problem(
            place=f"来源 {source.code}（视图 {source.view}）",
            what=what,
            cure="将按退避间隔自动重试；持续失败请与报送单位核对视图、列名和只读账号。",
        )
    )
