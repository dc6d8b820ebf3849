"""Opens a delivered file in a child process under limits and hands on its cells as text."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from chuxiong.kit.problems import Problem
from ingestion.catalog.spec import FeedSpec

_READER = Path(__file__).with_name("reader_process.py")


@dataclass(frozen=True)
class Limits:
    """What one file may cost. Bytes, seconds, counts."""

    memory: int = 3 << 30
    cpu_seconds: int = 600
    wall_seconds: int = 1800
    unpacked: int = 2 << 30
    ratio: int = 200
    members: int = 2000
    columns: int = 512
    gap: int = 1000


class Refused(Exception):
    """The file cannot be taken; ``problem`` says what was found, what was expected, what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


@dataclass(frozen=True)
class LeftOut:
    """A sheet that is not read; ``alike``: its rows are as wide as those of the table."""

    sheet: str
    rows: int
    alike: bool


@dataclass
class Table:
    """An opened file. ``header_row`` counts from 1, 0 when there is none (JSON lines).

    ``encoding``: of a text file, else ``xlsx`` or ``xls``; ``sheet``: its title, empty for text. ``others``: visible sheets
    that are not read though rows stand on them.
    """

    headers: list[str]
    header_row: int
    encoding: str
    sheet: str
    _process: subprocess.Popen[bytes]
    _timer: threading.Timer
    _place: str
    others: tuple[LeftOut, ...] = ()

    def chunks(self) -> Iterator[pl.DataFrame]:
        """Frames of at most 32,768 rows: one text column per header, ``row_no``, ``ragged`` (text or null)."""
        try:
            with pa.ipc.open_stream(self._process.stdout) as stream:
                for batch in stream:
                    frame = pl.DataFrame(pl.from_arrow(pa.Table.from_batches([batch])))
                    yield frame.rename({f"c{i}": header for i, header in enumerate(self.headers)})
        except (pa.ArrowInvalid, OSError) as error:
            self.close()
            raise _refusal(self._process, self._place) from error
        finally:
            self.close()
        if self._process.returncode:
            raise _refusal(self._process, self._place)

    def close(self) -> None:
        """End the child; safe to call again, and needed when ``chunks`` is not read to its end."""
        _stop(self._process, self._timer)


def read_table(
    path: Path,
    feed: FeedSpec | None,
    *,
    limits: Limits,
    name: str | None = None,
    accepted: Sequence[str] = (),
    key: bytes | None = None,
) -> Table:
    """Open ``path``; the header row is the one that best fits the feed's accepted headers, or ``accepted``.

    With ``key`` the file lies encrypted under it (``envelope.store``); the child opens its frames as it reads.
    A path under ``/proc/self/fd`` names an open file of this process; the child inherits that one alone.
    Raises ``Refused`` when the file is no readable table or exceeds the limits.
    """
    place = name or path.name
    inherited = (int(path.name),) if path.parent == Path("/proc/self/fd") else ()
    known = (
        [h for column in feed.columns for h in column.headers] + list(feed.ignored_headers)
        if feed
        else list(accepted)
    )
    process = subprocess.Popen(
        [sys.executable, "-I", str(_READER)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=inherited,
        env={
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "OPENBLAS_NUM_THREADS": "1",
            "ARROW_NUM_THREADS": "1",
            # One heap that gives back what is free: with Arrow's own the child grows with the file.
            "ARROW_DEFAULT_MEMORY_POOL": "system",
            "MALLOC_ARENA_MAX": "1",
            "MALLOC_TRIM_THRESHOLD_": "131072",
        },
    )
    timer = threading.Timer(limits.wall_seconds, process.kill)
    timer.daemon = True
    timer.start()
    required = [[c.name, *c.headers] for c in feed.delivered if c.required] if feed else []
    request = {
        "path": str(path), "accepted": known, "required": required, "limits": vars(limits),
        "key": key.hex() if key else "",
    }  # fmt: skip
    assert process.stdin and process.stdout  # noqa: S101  both are pipes
    try:
        process.stdin.write(json.dumps(request).encode() + b"\n")
        process.stdin.close()
    except BrokenPipeError:
        pass
    first = process.stdout.readline()
    try:
        answer: dict[str, Any] = json.loads(first)
    except ValueError:
        _stop(process, timer)
        raise _refusal(process, place) from None
    return Table(
        answer["headers"], answer["header_row"], answer["encoding"], answer["sheet"], process, timer, place,
        tuple(LeftOut(**other) for other in answer.get("others", [])),
    )  # fmt: skip


def _stop(process: subprocess.Popen[bytes], timer: threading.Timer) -> None:
    if process.stdout:
        process.stdout.close()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    timer.cancel()


def _refusal(process: subprocess.Popen[bytes], place: str) -> Refused:
    """What the child said before it ended, or what its end means."""
    said = b""
    if process.stderr:
        with process.stderr as report:
            said = report.read(1 << 16)
    try:
        answer = json.loads(said)
        return Refused(Problem(place, answer["what"], answer["cure"], answer["what_en"], answer["cure_en"]))
    except (ValueError, KeyError, TypeError):
        why, why_en = {
            -signal.SIGKILL: ("超过时间上限", "it took too long"),
            -signal.SIGXCPU: ("超过计算时间上限", "it took too much computing"),
            -signal.SIGABRT: (
                "超过内存上限，或读取程序被文件内容击溃",
                "too much memory, or its content broke the reader",
            ),
            -signal.SIGSEGV: ("读取程序被文件内容击溃", "its content broke the reader"),
        }.get(process.returncode, ("读取中断", "the reading broke off"))
    return Refused(
        Problem(
            place, f"文件无法读完（{why}）", "请另存为 CSV 后重发，或拆成较小的文件", f"it could not be read to its end ({why_en})",
            "save it as CSV and send again, or split it",
        )
    )  # fmt: skip
