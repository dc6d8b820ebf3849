"""``manage.py up``: one process tree with everything, from empty folder to page.

Kept free of Django: it starts the servers that Django's settings then need.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from . import services
from .children import ServiceFailed, tail
from .supervisor import Child, Supervisor

ROOT = Path(__file__).resolve().parents[2]
T = TypeVar("T")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="manage.py up", description="启动检察业务大数据中心 / start the centre"
    )
    parser.add_argument("--demo", action="store_true", help="with the demo prefecture's people and files")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--var", type=Path, default=Path(os.environ.get("CHUXIONG_VAR", ROOT / "var")))
    parser.add_argument("--json", action="store_true", help="one JSON line per step")
    options = parser.parse_args(argv)
    return Up(options).run()


class Up:
    """One start, and the watch over what it started."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.var: Path = options.var.resolve()
        self.console = Console(highlight=False)

    def run(self) -> int:
        self.var.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = open(self.var / "up.lock", "a+")  # noqa: SIM115  held as long as we live
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            self._fail(
                f"中心已在运行（进程 {lock.read().strip() or '?'}）；请先停止它，或用 --var 指定另一个数据目录"
            )
            return 1
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        try:
            return self._run()
        except ServiceFailed as failure:
            self._fail(str(failure))
            return 1

    def _run(self) -> int:
        running = self._step("PostgreSQL 与 Valkey / servers", lambda: services.start(self.var))
        supervisor = Supervisor(say=self._say)
        try:
            owner = running.of_duty("owner")
            for words, arguments in (
                ("数据库结构 / migrate", ["migrate", "--database", "owner", "-v", "0"]),
                ("机构 / offices", ["office", "sync"]),
                ("数据源 / feeds", ["feed", "sync"]),
                ("监督模型 / rules", ["rule", "sync"]),
                ("静态文件 / assets", ["collectstatic", "--noinput", "-v", "0"]),
            ):
                self._step(words, partial(self._manage, arguments, owner))
            if self.options.demo:
                self._demo(owner)
            for child in self._children(running):
                supervisor.add(child)
            supervisor.start()
            self._wait_for_page(supervisor)
            if self.options.demo:
                self._step("演示文件交付 / demo files", lambda: self._deliver(running.of_duty("worker")))
            self._ready()
            supervisor.watch()
        except KeyboardInterrupt:
            self._say("正在停止 / stopping")
        finally:
            supervisor.stop()
            running.stop()
        return 0

    # -- steps ------------------------------------------------------------------------------------

    def _step(self, words: str, work: Callable[[], T]) -> T:
        started = time.monotonic()
        result = work()
        seconds = time.monotonic() - started
        if self.options.json:
            print(json.dumps({"step": words, "seconds": round(seconds, 2)}, ensure_ascii=False), flush=True)  # noqa: T201
        else:
            self.console.print(f"  [green]✓[/green] {words}  [dim]{seconds:.1f} s[/dim]")
        return result

    def _manage(self, arguments: list[str], environment: dict[str, str]) -> str:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise ServiceFailed(
                f"manage.py {' '.join(arguments)} 未成功：\n{(done.stderr or done.stdout)[-2000:]}"
            )
        return done.stdout

    def _demo(self, owner: dict[str, str]) -> None:
        logins = self._step("演示人员与协议 / demo people", lambda: self._manage(["demo", "seed"], owner))
        if logins.strip():
            self.console.print(logins.strip(), markup=False)
        if not (self.var / "demo" / "manifest.jsonl").is_file():
            arguments = ["demo", "write", "--scale", "small", "--out", str(self.var / "demo")]
            self._step("生成演示文件 / demo files", lambda: self._manage(arguments, owner))

    def _deliver(self, worker: dict[str, str]) -> None:
        """Days 0 and 1 of the demo prefecture, through the real intake; the workers take them in meanwhile."""
        self._manage(
            ["demo", "deliver", str(self.var / "demo"), "--day", "0", "--day", "1", "--no-wait"], worker
        )

    def _children(self, running: services.Services) -> list[Child]:
        log, python = self.var / "log", sys.executable
        celery = [python, "-m", "celery", "-A", "chuxiong.celery_app"]
        web = running.of_duty("web") | {
            "CHUXIONG_HOSTS": os.environ.get("CHUXIONG_HOSTS", "127.0.0.1,localhost,[::1]")
        }
        children = [
            Child(
                "web",
                [python, "-m", "uvicorn", "chuxiong.asgi:application", "--host", "127.0.0.1", "--port", str(self.options.port),
                 "--ws", "websockets", "--no-server-header", "--log-level", "warning", "--timeout-graceful-shutdown", "3"],
                web, log / "web.log", ROOT,
            )
        ]  # fmt: skip
        for index in range(self.options.workers):
            arguments = [
                "worker",
                "--pool",
                "solo",
                "--loglevel",
                "info",
                "-n",
                f"w{index}@%h",
                "--without-gossip",
                "--without-mingle",
            ]
            children.append(
                Child(
                    f"worker{index}",
                    celery + arguments,
                    running.of_duty("worker"),
                    log / f"worker{index}.log",
                    ROOT,
                )
            )
        beat = [
            "beat",
            "--loglevel",
            "warning",
            "--schedule",
            str(self.var / "run" / "beat"),
            "--pidfile",
            "",
        ]
        children.append(Child("beat", celery + beat, running.of_duty("beat"), log / "beat.log", ROOT))
        return children

    def _wait_for_page(self, supervisor: Supervisor) -> None:
        import http.client

        def look() -> None:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                supervisor.check()
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", self.options.port, timeout=5)
                    connection.request("GET", "/login")
                    if connection.getresponse().status < 500:
                        return
                except OSError:
                    time.sleep(0.1)
            raise ServiceFailed(
                f"页面没有打开，日志 {self.var / 'log' / 'web.log'}：\n{tail(self.var / 'log' / 'web.log')}"
            )

        self._step("页面 / page", look)

    def _ready(self) -> None:
        address = f"http://127.0.0.1:{self.options.port}"
        if self.options.json:
            print(json.dumps({"ready": address, "var": str(self.var)}), flush=True)  # noqa: T201
            return
        self.console.print(
            f"\n  工作台 / desk   {address}/\n  大屏 / wall     {address}/wall/\n  日志 / logs     {self.var / 'log'}"
        )
        self.console.print("  Ctrl-C 停止 / stops\n")

    def _say(self, words: str) -> None:
        if self.options.json:
            print(json.dumps({"say": words}, ensure_ascii=False), flush=True)  # noqa: T201
        else:
            self.console.print(f"  {words}")

    def _fail(self, words: str) -> None:
        if self.options.json:
            print(json.dumps({"failed": words}, ensure_ascii=False), flush=True)  # noqa: T201
        else:
            self.console.print(f"  [red]✗[/red] {words}")
