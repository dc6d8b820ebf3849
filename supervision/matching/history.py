"""The history of runs, and the hand that stops one.

A run that looks at everything is entered before it starts, on a connection of its own, so that it is seen, can be
cancelled, and leaves a trace when its process is killed. Short ones are entered with their effects.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from types import TracebackType
from typing import Any

import duckdb
from django.db import OperationalError, connection, connections

from supervision.matching.budgets import BUDGETS, Budget, Mode
from supervision.models import Run

#: first key of the advisory lock that a run holds while it lives; the second is its number
LIVES = 0x52554E


#: (中文, English) of the steps of a back-test; it waits at the first
BACKTEST_STEPS = (
    ("等待空闲的作业进程", "Waiting for a worker"),
    ("补齐列式镜像", "Bringing the column mirror up to date"),
    ("估算关联规模", "Looking how much the links make"),
    ("逐步计数", "Counting step by step"),
    ("计算命中", "Computing the hits"),
    ("与现行命中比较", "Comparing with the live hits"),
)


class RunStopped(Exception):
    """A run that was cancelled or went over its budget; nothing of it stays. ``state`` is the run's."""

    def __init__(self, state: str, zh: str, en: str) -> None:
        self.state, self.zh, self.en = state, zh, en
        super().__init__(f"{zh} / {en}")


@dataclass(frozen=True)
class Asked:
    """Who asked for a run, and how urgent it is (1 first, 9 last)."""

    by: str = ""
    priority: int = 5


class Log:
    """One run: entered, watched, closed. Use as a context manager round everything the run does."""

    def __init__(
        self,
        rule: str,
        *,
        version: int,
        engine: str,
        as_of: date,
        at: datetime,
        asked: Asked,
        entry: Run | None = None,
    ) -> None:
        """``entry``: one that waits, or whose process was killed, to go on with."""
        self.facts: dict[str, Any] = {
            "rule": rule, "version": version, "engine": engine, "as_of": as_of, "started_at": at,
            "asked_by": asked.by, "priority": asked.priority,
        }  # fmt: skip
        self.mode: Mode = "subjects"
        self.began = time.monotonic()
        self.run: Run | None = entry

    def __enter__(self) -> Log:
        return self

    @property
    def budget(self) -> Budget:
        return BUDGETS.of(self.mode)

    def begin(self, mode: Mode, landing: int) -> None:
        """Enter a long run where others see it; its transaction holds the lock that says it lives."""
        self.mode = mode
        values = {**self.facts, "mode": mode, "landing": landing, "state": "running", "step": 0}
        if self.run is not None and self.run.cancel_at is not None:
            raise _cancelled(self.run.cancel_by)
        with _beside() as other:
            if self.run is None:
                self.run = _insert(other, values)
            else:
                _update(other, self.run.pk, values)
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s, %s)", [LIVES, self.run.pk])

    def step(self, number: int) -> None:
        """Others see how far it has come."""
        if self.run is not None:
            with _beside() as other:
                _update(other, self.run.pk, {"step": number})

    def close(self, state: str, landing: int, **counts: Any) -> None:
        """Within the run's own transaction: the entry stands with the effects, or not at all."""
        values = {"mode": self.mode, "landing": landing, "state": state, "seconds": self._seconds(), **counts}
        if self.run is None:
            Run.objects.create(**self.facts, **values)
        else:
            Run.objects.filter(pk=self.run.pk).update(**values)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            return
        if isinstance(error, RunStopped):
            state, told = error.state, {"zh": error.zh, "en": error.en}
        elif isinstance(error, KeyboardInterrupt):
            state = "cancelled"
            told = {"zh": "在命令行中止", "en": "Broken off on the command line"}
        else:
            # The message may quote data of a record; its type is enough to look for it in the log.
            name = type(error).__name__
            state = "failed"
            told = {
                "zh": f"出错（{name}）；系统会重试，仍失败时查看作业日志",
                "en": f"An error ({name}); it is tried again, see the log of jobs if it fails for good",
            }
        values = {"mode": self.mode, "state": state, "seconds": self._seconds(), "told": told}
        with _beside() as other:
            if self.run is None:
                _insert(other, {**self.facts, **values})
            else:
                _update(other, self.run.pk, values)

    def _seconds(self) -> float:
        return round(time.monotonic() - self.began, 3)

    @contextmanager
    def watched(self, engine: duckdb.DuckDBPyConnection | None) -> Iterator[None]:
        """Within: the run is stopped when somebody cancels it or its time is over; raises ``RunStopped``."""
        if self.run is None:
            with _timed(self.budget):
                yield
            return
        watch = _Watch(self.run.pk, self.budget, self.began, _stopper(engine))
        watch.start()
        try:
            yield
        except (OperationalError, duckdb.InterruptException) as error:
            watch.end()
            raise (watch.reason or error) from error
        except duckdb.OutOfMemoryException as error:
            watch.end()
            raise _too_large(self.budget) from error
        finally:
            watch.end()
        if watch.reason:
            raise watch.reason


def _cancelled(by: str) -> RunStopped:
    return RunStopped("cancelled", f"由 {by} 取消", f"Cancelled by {by}")


def _too_large(budget: Budget) -> RunStopped:
    return RunStopped(
        "over",
        f"内存超过 {budget.memory_mb} MB；请在 budgets.yaml 调高或改用 PostgreSQL 引擎",
        f"More than {budget.memory_mb} MB of memory; raise it in budgets.yaml or use the PostgreSQL engine",
    )


def too_many_pairs(budget: Budget) -> RunStopped:
    return RunStopped(
        "over",
        f"关联产生的组合超过 {budget.pairs:,} 个；请收窄关联或来源条件，或在 budgets.yaml 调高",
        f"The links make more than {budget.pairs:,} pairs; narrow a link or a source, or raise it in budgets.yaml",
    )


def _too_long(budget: Budget) -> RunStopped:
    return RunStopped(
        "over",
        f"运行超过 {budget.seconds} 秒；请在空闲时段运行，或在 budgets.yaml 调高",
        f"Longer than {budget.seconds} seconds; run it when the machine is idle, or raise it in budgets.yaml",
    )


@contextmanager
def _timed(budget: Budget) -> Iterator[None]:
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('statement_timeout')")
        before = cursor.fetchone()[0]
        cursor.execute("select set_config('statement_timeout', %s, true)", [f"{budget.seconds}s"])
    try:
        yield
    except OperationalError as error:
        if "statement timeout" in str(error):
            raise _too_long(budget) from error
        raise
    with connection.cursor() as cursor:
        cursor.execute("select set_config('statement_timeout', %s, true)", [before])


def _stopper(engine: duckdb.DuckDBPyConnection | None) -> Callable[[Any], None]:
    if engine is not None:
        return lambda _: engine.interrupt()
    process = connection.connection.info.backend_pid
    return lambda other: other.execute("select pg_cancel_backend(%s)", [process])


class _Watch(threading.Thread):
    """Looks at the run's entry and at the clock. After ``end()`` it never stops anything."""

    def __init__(self, run: int, budget: Budget, began: float, stop: Callable[[Any], None]) -> None:
        super().__init__(daemon=True)
        self.run_id, self.budget, self.began, self.stop = run, budget, began, stop
        self.reason: RunStopped | None = None
        self._over, self._lock = threading.Event(), threading.Lock()
        self._connection = connections["default"]

    def run(self) -> None:
        # A connection belongs to the thread that makes it; most runs are over before one is needed.
        if self._over.wait(BUDGETS.look_seconds):
            return
        other = self._connection.copy()
        try:
            with other.cursor() as cursor:
                self._look(cursor)
                while not self._over.wait(BUDGETS.look_seconds):
                    self._look(cursor)
        finally:
            other.close()

    def _look(self, cursor: Any) -> None:
        reason = self.reason
        if reason is None:
            cursor.execute(
                "select cancel_by from supervision_run where id = %s and cancel_at is not null", [self.run_id]
            )
            if (row := cursor.fetchone()) is not None:
                reason = _cancelled(row[0])
            elif time.monotonic() - self.began > self.budget.seconds:
                reason = _too_long(self.budget)
        with self._lock:
            if reason is not None and not self._over.is_set():
                self.reason = reason
                self.stop(cursor)

    def end(self) -> None:
        with self._lock:
            self._over.set()
        if self.is_alive():
            self.join()


# -- the connection beside the run's own -----------------------------------------------------------------


@contextmanager
def _beside() -> Iterator[Any]:
    other = connections["default"].copy()
    try:
        with other.cursor() as cursor:
            yield cursor
    finally:
        other.close()


def _columns(values: dict[str, Any]) -> tuple[list[str], list[Any]]:
    from django.db.backends.postgresql.psycopg_any import Jsonb

    return list(values), [Jsonb(v) if isinstance(v, dict) else v for v in values.values()]


def _insert(cursor: Any, values: dict[str, Any]) -> Run:
    run = Run(**values)
    full = {f.attname: getattr(run, f.attname) for f in Run._meta.concrete_fields if not f.primary_key}
    names, given = _columns(full)
    cursor.execute(
        f"insert into supervision_run ({', '.join(names)}) values ({', '.join(['%s'] * len(names))}) returning id",
        given,
    )
    run.pk = cursor.fetchone()[0]
    return run


def _update(cursor: Any, run: int, values: dict[str, Any]) -> None:
    names, given = _columns(values)
    cursor.execute(
        f"update supervision_run set {', '.join(f'{n} = %s' for n in names)} where id = %s", [*given, run]
    )


def landing_of(day: date) -> int:
    """The last landing that had come by the end of the day; 0 before the first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select coalesce(max(number), 0) from ingestion_landing where landed_at::date <= %s", [day]
        )
        return int(cursor.fetchone()[0])


def prune(*, at: datetime) -> int:
    """Forget runs over touched subjects that changed nothing, after the days of ``budgets.yaml``."""
    long_ago = at - timedelta(days=BUDGETS.keep_idle_days)
    gone, _ = Run.objects.filter(mode="subjects", state="done", changed=0, started_at__lt=long_ago).delete()
    return gone
