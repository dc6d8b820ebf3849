"""The logs of one centre: each start begins fresh files and keeps the last few."""

from __future__ import annotations

from pathlib import Path

#: how many former files a log keeps
KEPT = 5
#: a log grown beyond this is put aside when its process starts again
LARGE = 20 << 20


def put_aside(log: Path) -> None:
    """``web.log`` becomes ``web.log.1``, what was there moves up one, the oldest goes."""
    if not log.is_file() or not log.stat().st_size:
        return
    for number in range(KEPT - 1, 0, -1):
        older = log.with_name(f"{log.name}.{number}")
        if older.is_file():
            older.replace(log.with_name(f"{log.name}.{number + 1}"))
    log.replace(log.with_name(f"{log.name}.1"))


def begin(folder: Path) -> None:
    """Put every log of the last run aside."""
    for log in sorted(folder.glob("*.log")):
        put_aside(log)
