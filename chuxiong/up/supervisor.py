"""Keeps the children of one centre running, and stops all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from .children import ServiceFailed, spawn, tail

_LONGEST_PAUSE = 30.0
#: a child that lived this long starts again without a pause
_SETTLED_SECONDS = 60.0


@dataclass
class Child:
    """One process that must run."""

    name: str
    command: list[str]
    environment: dict[str, str]
    log: Path
    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    started_at: float = field(default=0.0, init=False)
    pause: float = field(default=0.5, init=False)
    start_after: float = field(default=0.0, init=False)
    deaths: int = field(default=0, init=False)

    def start(self) -> None:
        if self.log.is_file() and self.log.stat().st_size > 20 << 20:
            self.log.replace(self.log.with_suffix(".log.1"))
        environment = self.environment | {"PYTHONUNBUFFERED": "1", "PWD": str(self.folder)}
        here = os.getcwd()
        os.chdir(self.folder)
        try:
            self.process = spawn(self.command, log=self.log, environment=environment)
        finally:
            os.chdir(here)
        self.started_at = time.monotonic()


class Supervisor:
    """Restarts what dies, with growing pauses; says which and why."""

    def __init__(self, *, say: Callable[[str], None]) -> None:
        self.say = say
        self.children: list[Child] = []

    def add(self, child: Child) -> None:
        self.children.append(child)

    def start(self) -> None:
        signal.signal(signal.SIGTERM, _as_interrupt)
        for child in self.children:
            child.start()

    def check(self) -> None:
        """One look at every child; a page that dies at once on start is a failure to be shown."""
        now = time.monotonic()
        for child in self.children:
            if child.process is None:
                if now >= child.start_after:
                    child.start()
                continue
            code = child.process.poll()
            if code is None:
                continue
            child.process, child.deaths = None, child.deaths + 1
            if child.name == "web" and child.deaths >= 3 and now - child.started_at < 10:
                raise ServiceFailed(f"{child.name} 反复退出，日志 {child.log}：\n{tail(child.log)}")
            child.pause = (
                0.5 if now - child.started_at > _SETTLED_SECONDS else min(child.pause * 2, _LONGEST_PAUSE)
            )
            child.start_after = now + child.pause
            self.say(
                f"{child.name} 退出（{_why(code)}），{child.pause:.0f} 秒后重启 / restarting；日志 {child.log}"
            )

    def watch(self) -> None:
        while True:
            self.check()
            time.sleep(0.5)

    def stop(self) -> None:
        """Ask all, wait a little, then kill the rest."""
        running = [c.process for c in self.children if c.process and c.process.poll() is None]
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


def _as_interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
