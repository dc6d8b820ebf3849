"""Keeps the children of one centre running, and stops all of them."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from . import logs
from .children import ServiceFailed, spawn, tail

_LONGEST_PAUSE = 30.0
#: a part that lived this long starts again without a pause
_SETTLED_SECONDS = 60.0


#: the parts that serve pages: when they cannot start, nothing is up
FACES = ("web", "front")


class Part(Protocol):
    """What must run: one of the programs below, or a server."""

    name: str
    log: Path
    process: subprocess.Popen[bytes] | None

    def start(self) -> None: ...


@dataclass
class Child:
    """One program of the centre."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        if self.log.is_file() and self.log.stat().st_size > logs.LARGE:
            logs.put_aside(self.log)
        environment = self.environment | {"PYTHONUNBUFFERED": "1", "PWD": str(self.folder)}
        self.process = spawn(self.command, log=self.log, environment=environment, folder=self.folder)


@dataclass
class _Watch:
    """How one part has fared."""

    part: Part
    started_at: float = 0.0
    pause: float = 0.5
    start_after: float = 0.0
    deaths: int = 0

    def start(self) -> None:
        self.part.start()
        self.started_at = time.monotonic()


class Supervisor:
    """Restarts what dies, with growing pauses; says which and why."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self.say = say
        self.watched: list[_Watch] = []

    def start(self, part: Part) -> None:
        """Start a part and watch it from now on."""
        watch = _Watch(part)
        self.watched.append(watch)
        watch.start()

    def watch_over(self, part: Part) -> None:
        """Watch a part that runs already."""
        self.watched.append(_Watch(part, started_at=time.monotonic()))

    def check(self) -> None:
        """One look at every part; a page that dies at once on start is a failure to be shown."""
        for watch in self.watched:
            part, now = watch.part, time.monotonic()
            if part.process is None:
                if now >= watch.start_after:
                    self._again(watch)
                continue
            code = part.process.poll()
            if code is None:
                continue
            part.process, watch.deaths = None, watch.deaths + 1
            lived = now - watch.started_at
            if part.name in FACES and watch.deaths >= 3 and lived < 10:
                raise ServiceFailed(f"{part.name} 反复退出，日志 {part.log}：\n{tail(part.log)}")
            self._later(watch, lived)
            self.say(
                f"{part.name} 退出（{_why(code)}），{watch.pause:.0f} 秒后重启 / restarting；日志 {part.log}"
            )

    def _again(self, watch: _Watch) -> None:
        try:
            watch.start()
        except ServiceFailed as failure:  # a server that does not come up yet; the rest goes on
            self._later(watch, 0.0)
            self.say(f"{failure}\n{watch.pause:.0f} 秒后重试 / trying again")

    @staticmethod
    def _later(watch: _Watch, lived: float) -> None:
        watch.pause = 0.5 if lived > _SETTLED_SECONDS else min(watch.pause * 2, _LONGEST_PAUSE)
        watch.start_after = time.monotonic() + watch.pause

    def watch(self) -> None:
        while True:
            self.check()
            time.sleep(0.5)

    def stop(self) -> None:
        """Ask all programs, wait a little, then kill the rest; the servers stop after them, by themselves."""
        programs = [w.part.process for w in self.watched if isinstance(w.part, Child)]
        running = [p for p in programs if p and p.poll() is None]
        for process in running:
            process.terminate()
        deadline = time.monotonic() + 8
        for process in running:
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _why(code: int) -> str:
    return f"信号 {signal.Signals(-code).name}" if code < 0 else f"代码 {code}"
