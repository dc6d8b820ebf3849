"""The listener: sockets in, flushes out. Memory is bounded; a slow database slows the senders, nothing is dropped.

The event loop reads, frames and parses; one thread stores. While it stores, the next flush gathers; when that is full,
reading stops until there is room, and the kernel's window stops the senders. An answer leaves after the commit of what
it answers for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from django.db import DatabaseError, InterfaceError, OperationalError, connections
from django.utils import timezone

from ingestion.intake.receive import ALIAS
from ingestion.telemetry import packets, registry, store
from ingestion.telemetry.codes import Protocol, protocol
from ingestion.telemetry.frames import Frame, Framer, RefusedBytes

logger = logging.getLogger(__name__)
#: packets in parts of one line whose time is kept at once
_BEGUN = 64


@dataclass(frozen=True)
class Caps:
    """What one listener lets itself be burdened with."""

    connections: int = 512
    #: gathered and not yet being stored
    packets: int = 4000
    bytes: int = 8 << 20
    #: seconds without a byte
    idle: float = 3900.0
    #: seconds for one frame to arrive
    frame: float = 30.0
    #: refused stretches in a row after which a connection is closed
    refused: int = 50
    #: bytes per connection: received and not yet read, answers not yet taken
    buffer: int = 64 << 10
    answers: int = 32 << 10


@dataclass(frozen=True)
class Pace:
    """Seconds a packet may wait for its flush. Each flush is a landing, so calm data wait longer."""

    #: a reading above its limit
    above: float = 0.2
    #: a sender that waits for its answer
    asked: float = 0.5
    calm: float = 2.0
    #: this many do not wait
    packets: int = 1000


@dataclass
class Counts:
    """Since the start, in packets and connections."""

    stored: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    connections: Counter[str] = field(default_factory=Counter)
    pauses: int = 0


class ListenerFailed(Exception):
    """The listener has ended by itself; the text says which part and why."""


class Listener:
    """One listening socket and the thread that stores."""

    def __init__(
        self, *, caps: Caps | None = None, pace: Pace | None = None, mark: Path | None = None
    ) -> None:
        self.caps, self.pace = caps or Caps(), pace or Pace()
        self.protocol: Protocol = protocol()
        self.registry = registry.Registry()
        self.counts, self.issues = Counts(), store.Issues()
        self.open: set[_Connection] = set()
        #: time of the latest reception
        self.clock = timezone.now()
        self.stopping = False
        self._pending: list[store.Entry] = []
        self._bytes = 0
        self._due: float | None = None
        self._full = False
        self._mark = mark
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="store")

    # -- life ---------------------------------------------------------------------------------------

    async def run(
        self, host: str, port: int, *, ready: Callable[[str, int], None], stop: asyncio.Event
    ) -> None:
        """Listen until ``stop`` is set, then store what was read and end.

        Raises ``ListenerFailed`` as soon as storing or sweeping ends by itself. What was read and not stored has not been
        answered for either, so senders that ask send it again to whoever is started next.
        """
        loop = asyncio.get_running_loop()
        self._wake = asyncio.Event()
        self.registry = await self._in_thread(self._load)
        if self._mark:
            self._mark.touch()
        server = await loop.create_server(
            lambda: _Connection(self), sock=self._socket(host, port), backlog=128
        )
        ready(*server.sockets[0].getsockname()[:2])
        sweeper = asyncio.create_task(self._sweep(), name="sweep")
        storing = asyncio.create_task(self._store_forever(), name="store")
        stopped = asyncio.create_task(stop.wait(), name="stop")
        senders: tuple[_Connection, ...] = ()
        try:
            await asyncio.wait({stopped, storing, sweeper}, return_when=asyncio.FIRST_COMPLETED)
            self.stopping = True
            server.close()
            senders = tuple(self.open)
            if not storing.done():
                for connection in senders:
                    connection.pause()
                    connection.leave()
                self._wake.set()
                await asyncio.wait({storing})
            for task in (storing, sweeper):
                self._judge(task)
        finally:
            for ending in (stopped, storing, sweeper):
                ending.cancel()
            for connection in senders:
                connection.transport.close()
            self._thread.shutdown()

    def _judge(self, task: asyncio.Task[None]) -> None:
        error = task.exception() if task.done() and not task.cancelled() else None
        if error is not None:
            # The message may quote a reading; its type and the place tell enough.
            place = traceback.extract_tb(error.__traceback__)[-1]
            reason = f"{task.get_name()}: {type(error).__name__}, {Path(place.filename).name}:{place.lineno}"
            logger.critical("the listener ends: %s", reason)
            raise ListenerFailed(reason) from None

    def _socket(self, host: str, port: int) -> socket.socket:
        """Listening with small buffers: what is not read yet waits with the senders, not in this machine's memory."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.socket(family, socket.SOCK_STREAM)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.caps.buffer)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self.caps.answers)
        listening.bind((host, port))
        return listening

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _load(self) -> registry.Registry:
        try:
            return registry.load(timezone.now())
        except (OperationalError, InterfaceError):
            # What was known stays in force; the next look will tell.
            connections[ALIAS].close()
            return self.registry

    async def _sweep(self) -> None:
        """Once a second: close what is too slow. Every ten: look at the registry again."""
        beat = 0
        while True:
            await asyncio.sleep(1)
            now, beat = time.monotonic(), beat + 1
            if not self._full:
                for connection in tuple(self.open):
                    connection.check(now)
            if beat % 10 == 0:
                # Behind whatever is being stored: the mark grows old when storing stands still.
                self.registry = await self._in_thread(self._load)
                if self._mark:
                    self._mark.touch()
                for connection in tuple(self.open):
                    if self.registry.agreement is None or not connection.still_allowed():
                        connection.end("no_longer_allowed")

    # -- gathering ----------------------------------------------------------------------------------

    def take(self, entry: store.Entry, wait: float) -> None:
        """Gather one entry; stop all reading when there is no room for more."""
        self._pending.append(entry)
        self._bytes += len(entry.raw)
        due = time.monotonic() + (wait if len(self._pending) < self.pace.packets else 0)
        if self._due is None or due < self._due:
            self._due = due
            self._wake.set()
        if len(self._pending) >= self.caps.packets or self._bytes >= self.caps.bytes:
            self._wake.set()
            if not self._full:
                self._full = True
                self.counts.pauses += 1
                for connection in self.open:
                    connection.pause()

    @property
    def full(self) -> bool:
        return self._full or self.stopping

    async def _store_forever(self) -> None:
        while not (self.stopping and not self._pending):
            self._wake.clear()
            wait = None if self._due is None else self._due - time.monotonic()
            if not self._full and not self.stopping and (wait is None or wait > 0):
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), wait)
                continue
            entries, self._pending, self._bytes, self._due = self._pending, [], 0, None
            if self._full:
                self._full = False
                if not self.stopping:
                    for connection in self.open:
                        connection.resume()
            store.note_oddities(entries, self.registry, self.protocol, self.issues)
            await self._in_thread(partial(self._store, entries))
            for entry in entries:
                if entry.answer:
                    entry.sender.answer(entry.answer)
                elif entry.owed:
                    entry.sender.settle()

    # -- storing (in the thread) --------------------------------------------------------------------

    def _store(self, entries: list[store.Entry]) -> None:
        """Store, for as long as it takes. What the database cannot hold is refused, the rest goes in."""
        pause, tries = 0.1, 0
        while True:
            try:
                stored = store.store(entries, self.registry, self.protocol, self.issues, at=timezone.now())
            except (OperationalError, InterfaceError) as error:
                tries += 1
                logger.warning(
                    "database not reachable (%s), try %s; senders wait", type(error).__name__, tries
                )
            except DatabaseError as error:
                # The message may quote a reading; only its type goes to the log.
                logger.error("a flush of %s cannot be stored (%s)", len(entries), type(error).__name__)
                if len(entries) > 1:
                    middle = len(entries) // 2
                    self._store(entries[:middle])
                    self._store(entries[middle:])
                    return
                if entries[0].packet is not None:
                    entries[0].packet, entries[0].refused = None, "not_stored"
                    entries[0].owed, entries[0].answer = entries[0].answer is not None, None
                    self.counts.refused["not_stored"] += 1
                    continue
            else:
                self.counts.stored.update(
                    changed=stored.changed,
                    repeated=stored.repeated,
                    control=stored.control,
                    refused=stored.refused,
                )
                return
            connections[ALIAS].close()
            time.sleep(pause)
            pause = min(pause * 2, 5)

    # -- what connections report --------------------------------------------------------------------

    def admit(self, connection: _Connection) -> str:
        """An empty text, or why this connection is refused."""
        if self.stopping:
            return "stopping"
        if self.registry.agreement is None:
            return "no_agreement"
        connection.network, most = self.registry.connections_allowed(connection.address)
        if not connection.network:
            return "not_listed"
        peers = [c for c in self.open if c.network == connection.network]
        if len(peers) >= most or len(self.open) >= self.caps.connections:
            # A sender that lost its line comes again while its old connection still looks open.
            now = time.monotonic()
            stale = [
                c for c in peers if c.address == connection.address and now - c.heard_at > self.caps.frame
            ]
            if not stale:
                return "too_many"
            min(stale, key=lambda c: c.heard_at).end("replaced")
        return ""


class _Connection(asyncio.Protocol):
    """One sender."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.framer = Framer()
        self.address = self.network = ""
        self.heard_at = self.partial_since = 0.0
        self.refused_in_a_row = 0
        self.paused = self.ended = False
        self.unanswered = 0
        #: times of packets in parts, the latest last
        self.begun: dict[tuple[str, str, str], datetime] = {}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]
        self.address = transport.get_extra_info("peername")[0]
        self.heard_at = time.monotonic()
        refusal = self.listener.admit(self)
        self.listener.counts.connections[refusal or "admitted"] += 1
        if refusal:
            if refusal in ("not_listed", "too_many"):
                self.listener.issues.note("refused_connection", self.address)
            logger.warning("connection from %s refused: %s", self.address, refusal)
            self.transport.abort()
            return
        self.listener.open.add(self)
        self.transport.set_write_buffer_limits(high=self.listener.caps.answers)
        if self.listener.full:
            self.pause()

    def data_received(self, data: bytes) -> None:
        self.heard_at = time.monotonic()
        if self not in self.listener.open:
            return
        whole, self.listener.clock = False, timezone.now()
        for item in self.framer.feed(data):
            whole = True
            self._take(item)
        if not self.framer.waiting:
            self.partial_since = 0.0
        elif whole or not self.partial_since:
            self.partial_since = self.heard_at
        if self.refused_in_a_row >= self.listener.caps.refused:
            self.end("hostile")

    def _take(self, item: Frame | RefusedBytes) -> None:
        now, listener = self.listener.clock, self.listener
        if isinstance(item, RefusedBytes):
            self._refuse(store.Entry(now, item.data, None, item.reason))
            return
        try:
            packet = packets.parse(item.segment, listener.protocol, self.begun)
        except packets.PacketRefused as refused:
            answer = packets.answer_refused(refused, listener.protocol)
            self._refuse(store.Entry(now, item.segment, None, refused.reason, answer, self))
            return
        except Exception as error:
            # A packet nobody foresaw costs itself, not the connection: kept and counted like any other refusal.
            # The message may quote a reading; only its type goes to the log.
            logger.error("a packet from %s cannot be read (%s)", self.address, type(error).__name__)
            self._refuse(store.Entry(now, item.segment, None, "unreadable"))
            return
        self.refused_in_a_row = 0
        self._begin(packet)
        if item.vendor_crc:
            packet.oddities.append(("vendor_crc", ""))
        answer = packets.answer(packet, listener.protocol)
        pace = listener.pace
        wait = pace.asked if answer else pace.calm
        if self._above(packet):
            wait = pace.above
        self.unanswered += answer is not None
        listener.take(store.Entry(now, item.segment, packet, "", answer, self), wait)

    def _begin(self, packet: packets.Packet) -> None:
        """Remember the time that a first part told, for the parts that follow it on this line."""
        part = packets.part_of(packet.head)
        if part and packet.data_time:
            self.begun.pop(part, None)
            self.begun[part] = packet.data_time
            if len(self.begun) > _BEGUN:
                del self.begun[next(iter(self.begun))]

    def _refuse(self, entry: store.Entry) -> None:
        self.refused_in_a_row += 1
        self.listener.counts.refused[entry.refused] += 1
        self.unanswered += entry.answer is not None
        self.listener.take(entry, self.listener.pace.calm)

    def _above(self, packet: packets.Packet) -> bool:
        device = self.listener.registry.devices.get(packet.device)
        if device is None or packet.data_time is None:
            return False
        day = packet.data_time.date()
        for reading in packet.readings.values():
            value = store.main_figure(packet.command, reading)
            if value is None or reading.flag != "N":
                continue
            limit = device.limit(reading.factor, packet.command, day)
            if limit is not None and value > limit:
                return True
        return False

    def check(self, now: float) -> None:
        """Close a sender that is silent for too long or drips one frame."""
        if now - self.heard_at > self.listener.caps.idle:
            self.end("idle")
        elif self.partial_since and now - self.partial_since > self.listener.caps.frame:
            self.end("slow")

    def still_allowed(self) -> bool:
        return bool(self.listener.registry.connections_allowed(self.address)[0])

    def answer(self, frame: bytes) -> None:
        if not self.transport.is_closing():
            self.transport.write(frame)
        self.settle()

    def settle(self) -> None:
        """One answer fewer is owed, given or not: a sender that has said all is let go with the last."""
        self.unanswered -= 1
        if self.ended and not self.unanswered and not self.transport.is_closing():
            self.transport.close()

    def eof_received(self) -> bool:
        """A sender that has said all may still wait for answers: keep its line until they are out."""
        self.leave()
        self.ended = True
        return self.unanswered > 0

    def pause_writing(self) -> None:
        """It asks for answers and does not read them."""
        self.end("not_reading")

    def pause(self) -> None:
        if not self.paused and not self.transport.is_closing():
            self.paused = True
            self.transport.pause_reading()

    def resume(self) -> None:
        # While reading stood still, the sender could not be heard.
        self.heard_at = time.monotonic()
        if self.partial_since:
            self.partial_since = self.heard_at
        if self.paused and not self.transport.is_closing():
            self.paused = False
            self.transport.resume_reading()

    def end(self, why: str) -> None:
        self.listener.counts.connections[why] += 1
        logger.warning("connection from %s closed: %s", self.address, why)
        self.leave()
        self.transport.abort()

    def connection_lost(self, error: Exception | None) -> None:
        self.leave()

    def leave(self) -> None:
        """What was begun and never finished is refused and kept."""
        if self not in self.listener.open:
            return
        self.listener.open.discard(self)
        for item in self.framer.close():
            self._take(item)
        if self.framer.bad_tails:
            self.listener.issues.note("bad_tail", self.address)
