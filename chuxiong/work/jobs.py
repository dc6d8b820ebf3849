"""Enqueue, claim, finish. Postgres owns the work; a lost ring only delays it until the next one.

Two ways to run, chosen by the handler:

* *held* (default): claim, effect and "done" are one transaction on the worker's connection. A killed
  worker rolls all of it back and the row is free at once.
* *leased*: for long work that commits in steps. The claim is committed with a lease that a second
  connection renews and a fence that rises with every claim; the handler's own last transaction
  checks the fence, so a worker that was only frozen cannot finish somebody else's claim.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import InterfaceError, OperationalError, connections, transaction

from .bell import ring

logger = logging.getLogger(__name__)

LEASE_SECONDS = 60
#: jobs up to this priority are done in a moment and others wait for them: a landing, an alarm
QUICK = 2
MAX_ATTEMPTS = 8
#: so many claims of one job whose workers all went down with it: workers are killed for other reasons too
_MOST_CLAIMS = 4 * MAX_ATTEMPTS
_LEAST = 32_767  # of a smallint
_ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Claim:
    """A job as its handler sees it."""

    id: int
    kind: str
    key: str
    payload: dict[str, Any]
    fence: int
    attempts: int


#: told that a job failed for good, with the error's type and place (no message: it may quote data)
GaveUp = Callable[[Claim, str], None]


class Abandoned(Exception):
    """Every worker that claimed the job went down with it."""


@dataclass(frozen=True)
class _Handler:
    run: Callable[[Claim], None]
    leased: bool
    gave_up: GaveUp | None = None


_handlers: dict[str, _Handler] = {}


def handler(
    kind: str, *, leased: bool = False, gave_up: GaveUp | None = None
) -> Callable[[Callable[[Claim], None]], Callable[[Claim], None]]:
    """Register the function that does jobs of ``kind``.

    ``gave_up`` is called once the last attempt has failed, before the job stands as failed (so it may be called twice):
    whatever the job was to bring to an end must not wait for it for ever.
    """

    def register(run: Callable[[Claim], None]) -> Callable[[Claim], None]:
        _handlers[kind] = _Handler(run, leased, gave_up)
        return run

    return register


def enqueue(
    kind: str,
    key: str,
    payload: dict[str, Any] | None = None,
    *,
    priority: int = 5,
    delay_seconds: float = 0,
    using: str = "default",
) -> None:
    """Queue work unless the same work already waits; rings after commit."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "insert into work_job (kind, key, payload, priority, state, run_after, attempts, fence, error, created_at)"
            " values (%s, %s, %s, %s, 'queued', now() + make_interval(secs => %s), 0, 0, '', now())"
            " on conflict (kind, key) where state = 'queued' do nothing",
            [kind, key, json.dumps(payload or {}), priority, delay_seconds],
        )
    transaction.on_commit(ring, using=using)


def work_off(*, limit: int = 1000, kinds: list[str] | None = None, up_to: int | None = None) -> int:
    """Do what is due until nothing is left (or ``limit`` jobs); returns the number of jobs touched.

    ``up_to``: only jobs of at most this priority, for a process that long work must not keep from the urgent.
    """
    count = 0
    while count < limit and _do_one(kinds, up_to):
        count += 1
    return count


def _do_one(kinds: list[str] | None, up_to: int | None) -> bool:
    wanted = [k for k in _handlers if kinds is None or k in kinds]
    held = [k for k in wanted if not _handlers[k].leased]
    leased = [k for k in wanted if _handlers[k].leased]
    return _do_held(held, up_to) or _do_leased(leased, up_to)


_CLAIM = """
    select id, kind, key, payload, fence, attempts from work_job
    where kind = any(%s) and priority <= %s and (
        (state = 'queued' and run_after <= now())
        or (state = 'running' and lease_until < now()))
    order by priority, id
    for update skip locked limit 1
"""


def _claim(cursor: Any, kinds: list[str], up_to: int | None) -> Claim | None:
    cursor.execute(_CLAIM, [kinds, _LEAST if up_to is None else up_to])
    row = cursor.fetchone()
    if row is None:
        return None
    payload = row[3] if isinstance(row[3], dict) else json.loads(row[3])
    return Claim(row[0], row[1], row[2], payload, row[4] + 1, row[5] + 1)


def _do_held(kinds: list[str], up_to: int | None) -> bool:
    if not kinds:
        return False
    connection = connections["default"]
    claim: Claim | None = None
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                claim = _claim(cursor, kinds, up_to)
            if claim is None:
                return False
            with transaction.atomic():
                _handlers[claim.kind].run(claim)
            with connection.cursor() as cursor:
                cursor.execute(
                    "update work_job set state = 'done', attempts = %s, fence = %s, finished_at = now(), error = ''"
                    " where id = %s",
                    [claim.attempts, claim.fence, claim.id],
                )
    except Exception as error:
        if claim is None:
            raise
        _record_failure(claim, error)
    return True


def _do_leased(kinds: list[str], up_to: int | None) -> bool:
    if not kinds:
        return False
    connection = connections["default"]
    with transaction.atomic(), connection.cursor() as cursor:
        claim = _claim(cursor, kinds, up_to)
        if claim is None:
            return False
        cursor.execute(
            "update work_job set state = 'running', fence = %s, attempts = %s,"
            " lease_until = now() + make_interval(secs => %s) where id = %s",
            [claim.fence, claim.attempts, LEASE_SECONDS, claim.id],
        )
    stop = threading.Event()
    keeper = threading.Thread(target=_keep_lease, args=(claim, stop), daemon=True)
    keeper.start()
    try:
        if claim.attempts > _MOST_CLAIMS:
            raise Abandoned
        _handlers[claim.kind].run(claim)
    except Exception as error:
        _record_failure(claim, error)
    else:
        with connection.cursor() as cursor:
            cursor.execute(
                "update work_job set state = 'done', finished_at = now(), lease_until = null, error = ''"
                " where id = %s and fence = %s",
                [claim.id, claim.fence],
            )
    finally:
        stop.set()
        keeper.join()
    return True


def _keep_lease(claim: Claim, stop: threading.Event) -> None:
    connection = connections["default"].copy()
    try:
        while not stop.wait(LEASE_SECONDS / 4):
            with connection.cursor() as cursor:
                cursor.execute(
                    "update work_job set lease_until = now() + make_interval(secs => %s) where id = %s and fence = %s",
                    [LEASE_SECONDS, claim.id, claim.fence],
                )
    except Exception:
        logger.exception("lease of job %s cannot be renewed; another worker will take over", claim.id)
    finally:
        connection.close()


def _record_failure(claim: Claim, error: Exception) -> None:
    """Later again with doubling pauses; after ``MAX_ATTEMPTS`` it stands as failed for a person to see."""
    # The message may quote data of a record; only its type goes to the log.
    logger.error(
        "job %s %s failed at attempt %s: %s", claim.id, claim.kind, claim.attempts, type(error).__name__
    )
    logger.debug("trace of job %s", claim.id, exc_info=error)
    final = claim.attempts >= MAX_ATTEMPTS
    told = where(error)
    for _ in range(30):
        try:
            if final:
                _tell_given_up(claim, told)
            with connections["default"].cursor() as cursor:
                cursor.execute(
                    "update work_job j set attempts = %s, fence = %s, lease_until = null, error = %s,"
                    " state = case when %s or exists (select 1 from work_job o where o.kind = j.kind and o.key = j.key"
                    "   and o.state = 'queued' and o.id <> j.id) then 'failed' else 'queued' end,"
                    " run_after = now() + make_interval(secs => %s),"
                    " finished_at = case when %s then now() end where id = %s and fence <= %s",
                    [
                        claim.attempts,
                        claim.fence,
                        told,
                        final,
                        min(2**claim.attempts, 300),
                        final,
                        claim.id,
                        claim.fence,
                    ],
                )
            return
        except Exception:
            # The database itself went away: the row is still ours to take again once it is back.
            connections["default"].close()
            time.sleep(1)


def where(error: BaseException) -> str:
    """Type and place of an error, without its message, which may quote data: ``ValueError (ingestion/intake/merge.py:42)``.

    The place is the innermost line of ours; of an error raised without one, the type alone.
    """
    place = ""
    for frame in traceback.extract_tb(error.__traceback__):
        path = Path(frame.filename)
        if path.is_relative_to(_ROOT) and "site-packages" not in path.parts:
            place = f" ({path.relative_to(_ROOT)}:{frame.lineno})"
    return f"{type(error).__name__}{place}"[:500]


def _tell_given_up(claim: Claim, told: str) -> None:
    gave_up = _handlers[claim.kind].gave_up
    if gave_up is None:
        return
    try:
        gave_up(claim, told)
    except (OperationalError, InterfaceError):
        raise  # the database went away: told again with the failure itself
    except Exception as error:
        logger.error("job %s %s could not be given up: %s", claim.id, claim.kind, where(error))
