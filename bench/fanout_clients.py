"""Many WebSocket clients in a process of their own: as light as can be, so that what is measured is the server.

Commands come as lines of JSON on standard input, answers go to standard output; times are the machine's monotonic clock.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import resource
import secrets
import sys
import time
import zlib
from typing import Any

#: clients that open at once
_AT_ONCE = 25


class Client(asyncio.Protocol):
    """One socket. Frames are only noted when they come; they are read when somebody asks."""

    def __init__(self, host: str, path: str, cookie: str) -> None:
        lines = [
            f"GET {path} HTTP/1.1", f"Host: {host}", f"Origin: http://{host}", "Upgrade: websocket", "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(secrets.token_bytes(16)).decode()}", "Sec-WebSocket-Version: 13",
            # As browsers offer it; whether it is taken is the server's choice.
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
        ]  # fmt: skip
        self.hello = "\r\n".join([*lines, *([f"Cookie: {cookie}"] if cookie else []), "", ""]).encode()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.held = b""
        self.up = False
        self.frames: list[tuple[float, bool, bytes]] = []
        self.inflate = zlib.decompressobj(wbits=-15)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        transport.write(self.hello)

    def data_received(self, data: bytes) -> None:
        at = time.monotonic()
        self.held += data
        if not self.up:
            head, mark, rest = self.held.partition(b"\r\n\r\n")
            if not mark:
                return
            self.held, self.up = rest, True
            if b" 101 " not in head.split(b"\r\n", 1)[0]:
                self.opened.set_exception(RuntimeError(head.split(b"\r\n", 1)[0].decode()))
                return
            self.opened.set_result(None)
        while len(self.held) >= 2:
            first, size, start = self.held[0], self.held[1] & 127, 2
            if size == 126:
                size, start = int.from_bytes(self.held[2:4], "big"), 4
            elif size == 127:
                size, start = int.from_bytes(self.held[2:10], "big"), 10
            if len(self.held) < start + size:
                return
            payload, self.held = self.held[start : start + size], self.held[start + size :]
            if first & 15 in (0, 1):
                self.frames.append((at, bool(first & 0x40), payload))
            elif first & 15 == 9:
                self.write(payload, 10)

    def connection_lost(self, error: Exception | None) -> None:
        if not self.opened.done():
            self.opened.set_exception(RuntimeError("closed"))

    def write(self, payload: bytes, kind: int = 1) -> None:
        mask = secrets.token_bytes(4)
        size = len(payload)
        head = (
            bytes([0x80 | kind, 0x80 | size])
            if size < 126
            else bytes([0x80 | kind, 0xFE]) + size.to_bytes(2, "big")
        )
        self.transport.write(head + mask + bytes(b ^ mask[n % 4] for n, b in enumerate(payload)))

    def taken(self) -> list[tuple[float, str]]:
        found = []
        for at, packed, payload in self.frames:
            if packed:
                payload = self.inflate.decompress(payload + b"\x00\x00\xff\xff")
            found.append((at, payload.decode()))
        self.frames = []
        return found


async def _opened(port: int, path: str, cookie: str, want: str) -> Client:
    loop = asyncio.get_running_loop()
    host = f"127.0.0.1:{port}"
    _transport, client = await loop.create_connection(lambda: Client(host, path, cookie), "127.0.0.1", port)
    await asyncio.wait_for(client.opened, 60)
    if want:
        client.write(want.encode())
    return client


async def _say(clients: list[Client], said: list[str], every: float) -> None:
    """What players say by themselves, spread evenly over the time between."""
    while True:
        for client in clients:
            for text in said:
                client.write(text.encode())
            await asyncio.sleep(every / len(clients))


async def main() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    groups: dict[str, list[Client]] = {}
    known: dict[str, list[list[tuple[float, str]]]] = {}
    talking: dict[str, asyncio.Task[None]] = {}
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        asked = json.loads(line)
        name = asked["group"]
        if asked["do"] == "open":
            clients: list[Client] = []
            cookies = asked["cookies"]
            for n in range(0, len(cookies), _AT_ONCE):
                some = [
                    _opened(asked["port"], asked["path"], c, asked.get("want", ""))
                    for c in cookies[n : n + _AT_ONCE]
                ]
                clients += await asyncio.gather(*some)
            groups[name], known[name] = clients, [[] for _ in clients]
            answer: Any = {"open": len(clients)}
        elif asked["do"] == "say":
            if running := talking.pop(name, None):
                running.cancel()
            if asked["said"]:
                talking[name] = asyncio.create_task(_say(groups[name], asked["said"], asked["every"]))
            answer = {}
        else:
            # The first message of each client that knows of the event, and what it said.
            arrived: list[float | None] = []
            text = ""
            for client, messages in zip(groups[name], known[name], strict=True):
                messages += client.taken()
                at = None
                for when, said in messages:
                    document = json.loads(said)
                    if "blocks" in document and document["event"] >= asked["event"]:
                        at, text = when, said
                        break
                arrived.append(at)
                if asked["do"] == "drop":
                    messages.clear()
            answer = {"arrived": arrived, "text": text}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    os.nice(0)
    asyncio.run(main())
