"""``manage.py up``: one process tree with everything, from empty folder to page.

Kept free of Django: it starts the servers that Django's settings then need.
"""

from __future__ import annotations

import argparse
import fcntl
import http.client
import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from . import logs, services
from .children import ServiceFailed, dying_with_us, tail
from .supervisor import Child, Supervisor

ROOT = Path(__file__).resolve().parents[2]
COLLECT = ["collectstatic", "--noinput", "-v", "0"]
T = TypeVar("T")


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="manage.py up", description="启动检察业务大数据中心 / start the centre"
    )
    parser.add_argument("--demo", action="store_true", help="with the demo prefecture's people and files")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--telemetry", type=int, metavar="PORT", help="listen for HJ 212 packets there")
    parser.add_argument("--var", type=Path, default=Path(os.environ.get("CHUXIONG_VAR", ROOT / "var")))
    parser.add_argument(
        "--role",
        choices=("all", "inner", "front"),
        default="all",
        help="inner: everything but the agency interface; front: the agency interface alone, on a database of its own",
    )
    parser.add_argument("--json", action="store_true", help="one JSON line per step")
    options = parser.parse_args(argv)
    return Up(options).run()


class Up:
    """One start, and the watch over what it started."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.var: Path = options.var.resolve()
        #: The front machine's face keeps apart from the centre that may run on the same folder.
        self.home = self.var / "front" if options.role == "front" else self.var
        self.log = self.home / "log"
        self.console = Console(highlight=False)

    def run(self) -> int:
        signal.signal(signal.SIGTERM, _as_interrupt)
        for folder in (self.var, self.home):
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = open(self.home / "up.lock", "a+")  # noqa: SIM115  held as long as we live
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            self._fail(
                f"中心已在运行（进程 {lock.read().strip() or '?'}）；请先停止它，或用 --var 指定另一个数据目录"
                " / already running: stop it first, or give another folder by --var"
            )
            return 1
        if taken := self._taken():
            self._fail(taken)
            return 1
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        logs.begin(self.log)
        try:
            self._front() if self.options.role == "front" else self._centre()
        except ServiceFailed as failure:
            self._fail(str(failure))
            return 1
        except KeyboardInterrupt:
            self._say("已停止 / stopped")
        return 0

    def _taken(self) -> str:
        """Which port cannot be had, in words for the operator; asked before anything is started."""
        for flag, port in (("--port", self.options.port), ("--telemetry", self.options.telemetry)):
            if port is None:
                continue
            with socket.socket() as probe:
                # As the servers bind: connections that are only dying do not count.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind(("127.0.0.1", port))
                except (OSError, OverflowError) as error:
                    why = getattr(error, "strerror", None) or "0–65535"
                    return f"端口 {port} 不能用（{why}）；请换 {flag} / port {port} cannot be had: choose another {flag}"
        return ""

    def _front(self) -> None:
        running = self._step("前置机数据库 / the front's database", lambda: services.start_front(self.home))
        environment = services.of_duty("front", running.environment) | _asked()
        supervisor = Supervisor(say=self._say)
        try:
            prepare = ["front", "prepare"]
            self._step("前置机表 / its tables", partial(self._manage, prepare, environment))
            if running.postgres is not None:
                supervisor.watch_over(running.postgres)
            self._step("静态文件 / assets", partial(self._manage, COLLECT, environment))
            supervisor.start(self._page("front", environment))
            self._wait_for_page(supervisor, "front", "/api/v1/openapi.json")
            self._ready({"接口 / interface": "/api/v1/docs/"})
            supervisor.watch()
        finally:
            supervisor.stop()
            running.stop()

    def _centre(self) -> None:
        running = self._step("PostgreSQL 与 Valkey / servers", lambda: services.start(self.var))
        supervisor = Supervisor(say=self._say)
        try:
            owner = running.of_duty("owner")
            for words, arguments in (
                ("数据库结构 / migrate", ["migrate", "--database", "owner", "-v", "0"]),
                ("机构 / offices", ["office", "sync"]),
                ("数据源 / feeds", ["feed", "sync"]),
                ("监督模型 / rules", ["rule", "sync"]),
                ("前置机表 / the front's tables", ["front", "prepare"]),
                ("静态文件 / assets", COLLECT),
            ):
                self._step(words, partial(self._manage, arguments, owner))
            if self.options.demo:
                self._demo(owner)
            supervisor.watch_over(running.postgres)
            supervisor.watch_over(running.valkey)
            for child in self._children(running):
                supervisor.start(child)
            self._wait_for_page(supervisor, "web", "/login")
            if self.options.demo:
                self._step("演示文件交付 / demo files", lambda: self._deliver(running.of_duty("worker")))
            doors = {"工作台 / desk": "/", "大屏 / wall": "/wall/"}
            self._ready(doors | ({"接口 / interface": "/api/v1/docs/"} if self.options.role == "all" else {}))
            supervisor.watch()
        finally:
            supervisor.stop()
            running.stop()

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
            dying_with_us([sys.executable, "manage.py", *arguments]),
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
            self.console.print(logins.strip(), markup=False, soft_wrap=True)
        self._step("既往核查 / past checks", lambda: self._manage(["demo", "history"], owner))
        if not (self.var / "demo" / "manifest.jsonl").is_file():
            arguments = ["demo", "write", "--scale", "small", "--out", str(self.var / "demo")]
            self._step("生成演示文件 / demo files", lambda: self._manage(arguments, owner))

    def _deliver(self, worker: dict[str, str]) -> None:
        """Days 0 and 1 of the demo prefecture, through the real intake; the workers take them in meanwhile."""
        self._manage(
            ["demo", "deliver", str(self.var / "demo"), "--day", "0", "--day", "1", "--no-wait"], worker
        )

    def _children(self, running: services.Services) -> list[Child]:
        celery = [sys.executable, "-m", "celery", "-A", "chuxiong.celery_app"]
        shown = "page" if self.options.role == "all" else "web"
        web = running.of_duty(shown) | _asked() | {"CHUXIONG_FACE": self.options.role}
        children = [self._page("web", web)]
        for index in range(self.options.workers):
            arguments = ["worker", "--pool", "solo", "--loglevel", "info", "-n", f"w{index}@%h",
                         "--without-gossip", "--without-mingle"]  # fmt: skip
            children.append(self._child(f"worker{index}", celery + arguments, running.of_duty("worker")))
        schedule = str(self.var / "run" / "beat")
        arguments = ["beat", "--loglevel", "warning", "--schedule", schedule, "--pidfile", ""]
        children.append(self._child("beat", celery + arguments, running.of_duty("beat")))
        exchange = running.of_duty("exchange")
        if self.options.role == "inner":
            # The front's database is on the front machine: what the operator names, or a front in this very folder.
            exchange.pop("CHUXIONG_DATABASE_URL_FRONT")
            if "CHUXIONG_DATABASE_URL_FRONT" in os.environ:
                exchange["CHUXIONG_DATABASE_URL_FRONT"] = os.environ["CHUXIONG_DATABASE_URL_FRONT"]
        watch = [sys.executable, "manage.py", "exchange", "watch"]
        children.append(self._child("exchange", watch, exchange | _sources()))
        if self.options.telemetry:
            arguments = ["telemetry", "listen", "--port", str(self.options.telemetry)]
            listen = [sys.executable, "manage.py", *arguments]
            children.append(self._child("telemetry", listen, running.of_duty("listener")))
            # Alarms wait neither for a rule nor for a large file.
            quick = [sys.executable, "manage.py", "work", "--forever", "--quick"]
            children.append(self._child("alarms", quick, running.of_duty("alarms")))
        return children

    def _page(self, name: str, environment: dict[str, str]) -> Child:
        sockets = "none" if name == "front" else "websockets"
        command = [sys.executable, "-m", "uvicorn", "chuxiong.asgi:application", "--host", "127.0.0.1",
                   "--port", str(self.options.port), "--ws", sockets, "--no-server-header",
                   "--log-level", "warning", "--timeout-graceful-shutdown", "3"]  # fmt: skip
        return self._child(name, command, environment)

    def _child(self, name: str, command: list[str], environment: dict[str, str]) -> Child:
        return Child(name, command, environment, self.log / f"{name}.log", ROOT)

    def _wait_for_page(self, supervisor: Supervisor, name: str, path: str) -> None:
        def look() -> None:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline:
                supervisor.check()
                try:
                    connection = http.client.HTTPConnection("127.0.0.1", self.options.port, timeout=5)
                    connection.request("GET", path)
                    if connection.getresponse().status < 500:
                        return
                except OSError:
                    time.sleep(0.1)
            log = self.log / f"{name}.log"
            raise ServiceFailed(f"页面没有打开，日志 / no page, see {log}：\n{tail(log)}")

        self._step("页面 / page", look)

    def _ready(self, doors: dict[str, str]) -> None:
        address = f"http://127.0.0.1:{self.options.port}"
        if self.options.json:
            print(json.dumps({"ready": address, "var": str(self.var)}), flush=True)  # noqa: T201
            return
        self.console.print()
        for words, path in doors.items():
            self.console.print(f"  {words}   {address}{path}")
        self.console.print(f"  日志 / logs   {self.log}")
        if self.var != (ROOT / "var").resolve():
            words = (
                f"  其他命令之前 / before other commands   export CHUXIONG_VAR={shlex.quote(str(self.var))}"
            )
            self.console.print(words, markup=False, soft_wrap=True)
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


def _asked() -> dict[str, str]:
    """What the operator may set for the pages."""
    return {
        name: os.environ[name]
        for name in os.environ
        if name in ("CHUXIONG_HOSTS", "CHUXIONG_HTTPS", "CHUXIONG_DISC_DIR", "CHUXIONG_FRONT_CERTIFICATES")
        or name.startswith("CHUXIONG_GATEWAY")
    }


def _sources() -> dict[str, str]:
    """What the operator may set for the ways in: the declaration's place, and secrets that it refers to."""
    return {name: os.environ[name] for name in ("CHUXIONG_EXCHANGE_SOURCES",) if name in os.environ}


def _as_interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt
