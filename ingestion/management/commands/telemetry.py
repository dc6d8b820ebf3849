"""``manage.py telemetry``: listen, send, register, allow, status."""

from __future__ import annotations

import asyncio
import json
import signal
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone


class Command(BaseCommand):
    help = "HJ 212 遥测：listen | send [FILE] | register FILE | allow NETWORK | status"
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        listen = verbs.add_parser("listen", help="receive packets until stopped")
        listen.add_argument("--mark", type=Path, help="file touched every ten seconds while all is well")
        send = verbs.add_parser("send", help="send a file of packets, or generated ones")
        send.add_argument("file", nargs="?", type=Path)
        send.add_argument("--generate", type=int, metavar="N")
        send.add_argument(
            "--rate", type=float, default=0, help="packets a second; 0: as fast as they are read"
        )
        send.add_argument("--devices", type=int, default=80)
        send.add_argument("--connections", type=int, default=4)
        send.add_argument(
            "--rough", action="store_true", help="with repeats, noise, corruption, skew, delays"
        )
        send.add_argument("--seed", type=int, default=1)
        for verb in (listen, send):
            verb.add_argument("--host", default="127.0.0.1")
            verb.add_argument("--port", type=int, default=9212)
        register = verbs.add_parser("register", help="devices and limits from a CSV file")
        register.add_argument("file", type=Path)
        allow = verbs.add_parser("allow", help="put an address range on the access list")
        allow.add_argument("network")
        allow.add_argument("--label", required=True)
        allow.add_argument("--max-connections", type=int, default=64)
        status = verbs.add_parser("status", help="silent and unknown devices")
        for verb in (listen, send, register, allow, status):
            verb.add_argument("--json", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(**options)

    def _say(self, as_json: bool, document: dict[str, Any], line: str) -> None:
        self.stdout.write(json.dumps(document, ensure_ascii=False, default=str) if as_json else line)
        self.stdout.flush()

    def _listen(self, *, host: str, port: int, json: bool, mark: Path | None = None, **_: Any) -> None:
        from ingestion.telemetry.listener import Listener, ListenerFailed

        listener = Listener(mark=mark)

        def ready(address: str, number: int) -> None:
            self._say(
                json,
                {"ready": f"{address}:{number}", "port": number},
                f"正在接收 HJ 212 / listening on {address}:{number}",
            )

        async def run() -> None:
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            await listener.run(host, port, ready=ready, stop=stop)

        try:
            asyncio.run(run())
        except OSError as error:
            raise CommandError(
                f"{host}:{port} 不能监听（{error.strerror}）；请换端口 / choose another --port"
            ) from error
        except ListenerFailed as error:
            raise CommandError(
                f"接收程序出错停止（{error}），未存入的报文未应答 / listener ended: {error}"
            ) from error
        counts = listener.counts
        self._say(
            json,
            {
                "stored": counts.stored,
                "refused": counts.refused,
                "connections": counts.connections,
                "pauses": counts.pauses,
            },
            f"已停止 / stopped: {dict(counts.stored)}，拒收 / refused {dict(counts.refused)}",
        )

    def _send(
        self,
        *,
        file: Path | None,
        generate: int | None,
        host: str,
        port: int,
        rate: float,
        json: bool,
        **options: Any,
    ) -> None:
        from ingestion.telemetry import generate as made
        from ingestion.telemetry import send

        if (file is None) == (generate is None):
            raise CommandError("给出报文文件或 --generate N 之一 / give a file or --generate N")
        if file is not None:
            # Line ends are often written out in files of packets.
            text = file.read_text(encoding="utf-8")
            pieces = [
                made.Piece(line.replace("\\r", "\r").replace("\\n", "\n").encode(), "stored", line[:1])
                for line in text.splitlines()
                if line
            ]
        else:
            shares = made.Shares.rough() if options["rough"] else made.Shares(above=0.01, asking=0.5)
            pieces = list(
                made.generate(
                    generate or 0,
                    start=timezone.localtime(),
                    devices=options["devices"],
                    shares=shares,
                    seed=options["seed"],
                )
            )
        lines = [line for line in send.share_out(pieces, options["connections"]) if line]
        sending = asyncio.run(send.send(lines, host=host, port=port, rate=rate, seed=options["seed"]))
        if sending.broken:
            raise CommandError(
                f"{host}:{port} 拒绝或中断了连接；请看访问名单（telemetry allow）和数据协议 / refused or broken"
            )
        self._say(
            json,
            {
                "packets": sending.packets,
                "seconds": round(sending.seconds, 2),
                "answered": len(sending.answered),
                "refused": len(sending.refused),
            },
            f"已发送 {sending.packets} 个报文，{sending.seconds:.1f} 秒，应答 {len(sending.answered)}",
        )

    def _register(self, *, file: Path, json: bool, **_: Any) -> None:
        from ingestion.telemetry.registering import RegisterRefused, register

        try:
            with file.open(encoding="utf-8-sig", newline="") as lines:
                done = register(lines, name=file.name)
        except (RegisterRefused, OSError, UnicodeDecodeError) as error:
            raise CommandError(str(error)) from error
        self._say(json, vars(done), f"已登记 {done.devices} 台设备、{done.limits} 条限值")

    def _allow(self, *, network: str, label: str, max_connections: int, json: bool, **_: Any) -> None:
        from ingestion.telemetry.registering import allow

        try:
            source = allow(network, label=label, max_connections=max_connections, since=timezone.localdate())
        except ValueError as error:
            raise CommandError(f"{network} 不是地址段，例如 10.20.0.0/16 / not an address range") from error
        self._say(json, {"network": source.network}, f"{source.network} 已列入访问名单")

    def _status(self, *, json: bool, **_: Any) -> None:
        from ingestion.telemetry.devices import silent_devices, unknown_devices

        now = timezone.now()
        silent, unknown = silent_devices(now), unknown_devices(now)
        lines = [f"静默 {len(silent)} 台，未登记 {len(unknown)} 台 / silent, unknown"]
        lines += [
            f"  静默 {d.mn} {d.org_name} 应于 {timezone.localtime(d.expected_by):%m-%d %H:%M} 前"
            for d in silent
        ]
        lines += [f"  未登记 {d.mn} 报文 {d.packets}" for d in unknown]
        self._say(
            json,
            {"silent": [vars(d) for d in silent], "unknown": [vars(d) for d in unknown]},
            "\n".join(lines),
        )
