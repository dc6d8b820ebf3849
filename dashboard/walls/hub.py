"""One answer for many sockets: what five hundred screens wait for after one event is built once and sent as it is.

A process hears each event once, not once a socket. It builds every text that somebody waits for, then hands it to each
socket that wants it. A socket that is slow to take its text delays nobody, and is sent the newest one when it is free.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Hashable, Sequence
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from channels.db import database_sync_to_async
from channels.layers import get_channel_layer

from chuxiong.work.bell import EVENTS

logger = logging.getLogger(__name__)
_Kept = dict[Hashable, "tuple[float, asyncio.Task[str]]"]
#: by event loop: a task belongs to the loop that it runs on
_kept: WeakKeyDictionary[asyncio.AbstractEventLoop, _Kept] = WeakKeyDictionary()
#: events within so many seconds after an answer are answered together
GATHER = 0.2
#: seconds between two words that a process sends to itself, and after how many of silence nothing is heard any more
ECHO, DEAF = 3.0, 8.0


async def shared(key: Hashable, since: float, build: Callable[[], str]) -> str:
    """The text under ``key``, from a build that began after ``since`` (``time.monotonic``)."""
    kept = _kept.setdefault(asyncio.get_running_loop(), {})
    found = kept.get(key)
    if found is None or found[0] < since or (found[1].done() and found[1].exception() is not None):
        # Not on the common thread: screens wait for no page and pages for no screen.
        found = (
            time.monotonic(),
            asyncio.ensure_future(database_sync_to_async(build, thread_sensitive=False)()),
        )
        kept[key] = found
    return await asyncio.shield(found[1])


class Listener(Protocol):
    """A socket that waits for texts. ``wants`` is asked anew for every event."""

    def wants(self) -> Sequence[tuple[Hashable, Callable[[float], str]]]:
        """(key, what builds the text from nothing older than the given ``time.monotonic``)."""

    def heard(self, message: dict[str, Any]) -> None:
        """An event, before it is answered; must not wait."""

    async def deliver(self, key: Hashable, text: str) -> None:
        """Send the text, if it is still wanted."""

    async def hears(self, now: bool) -> None:
        """From now on events are heard again, or none is."""


class _Hall:
    """The listeners of one event loop, and the one ear that they share."""

    def __init__(self) -> None:
        self.listeners: dict[Listener, dict[Hashable, asyncio.Task[None]]] = {}
        #: texts that came while a socket was still busy with an older one
        self.behind: dict[tuple[Listener, Hashable], str] = {}
        self.ready = asyncio.Event()
        self.poked_at = self.echoed_at = 0.0
        self.deaf = False
        self.ear: asyncio.Task[None] | None = None
        self.answering: asyncio.Task[None] | None = None

    async def join(self, listener: Listener) -> None:
        self.listeners[listener] = {}
        if self.ear is None or self.ear.done():
            self.ready.clear()
            self.ear = asyncio.create_task(self._listen())
        ear, ready = self.ear, asyncio.create_task(self.ready.wait())
        await asyncio.wait({ear, ready}, return_when=asyncio.FIRST_COMPLETED)
        if not ready.done():
            # Nobody can be heard now; the socket is refused and its screen asks by other ways.
            ready.cancel()
            self.listeners.pop(listener, None)
            ear.result()

    def leave(self, listener: Listener) -> None:
        for task in self.listeners.pop(listener, {}).values():
            task.cancel()
        for pair in [pair for pair in self.behind if pair[0] is listener]:
            del self.behind[pair]
        if not self.listeners and self.ear is not None:
            self.ear.cancel()
            self.ear = None

    async def _listen(self) -> None:
        layer = get_channel_layer()
        channel = await layer.new_channel("hall.")
        echo = None
        try:
            await layer.group_add(EVENTS, channel)
            self.echoed_at, self.deaf = time.monotonic(), False
            echo = asyncio.create_task(self._echo(layer, channel))
            self.ready.set()
            while True:
                self._hear(await layer.receive(channel))
        finally:
            if echo is not None:
                echo.cancel()
            await layer.group_discard(EVENTS, channel)

    def _hear(self, message: dict[str, Any]) -> None:
        self.echoed_at = time.monotonic()
        if message["kind"] in ("Echo", "SessionEnded"):
            return
        for listener in self.listeners:
            listener.heard(message)
        self._poked()

    async def _echo(self, layer: Any, channel: str) -> None:
        """Words of a process to itself by the way that events come: their absence says that no event would be heard."""
        while True:
            await asyncio.sleep(ECHO)
            try:
                await asyncio.wait_for(layer.send(channel, {"type": "event", "kind": "Echo"}), ECHO)
            except Exception as error:
                logger.warning("events are not heard (%s); screens ask by themselves", type(error).__name__)
            if self.deaf != (deaf := time.monotonic() - self.echoed_at >= DEAF):
                self.deaf = deaf
                every = [listener.hears(not deaf) for listener in self.listeners]
                await asyncio.gather(*every, return_exceptions=True)
                if not deaf:
                    # Whatever was said meanwhile is lost.
                    self._poked()

    def _poked(self) -> None:
        self.poked_at = time.monotonic()
        if self.answering is None or self.answering.done():
            self.answering = asyncio.create_task(self._answer())

    async def _answer(self) -> None:
        """The first event is answered at once; those that follow closely are answered together."""
        answered = 0.0
        while answered < self.poked_at:
            answered = self.poked_at
            waiting: dict[Hashable, tuple[Callable[[float], str], list[Listener]]] = {}
            for listener in self.listeners:
                for key, build in listener.wants():
                    waiting.setdefault(key, (build, []))[1].append(listener)
            await asyncio.gather(*(self._send(key, answered, *rest) for key, rest in waiting.items()))
            await asyncio.sleep(GATHER)

    async def _send(
        self, key: Hashable, since: float, build: Callable[[float], str], listeners: list[Listener]
    ) -> None:
        try:
            text = await shared(key, since, lambda: build(since))
        except Exception:
            logger.exception("nothing was built for screens; they go on asking")
            return
        for listener in listeners:
            self._hand(listener, key, text)

    def _hand(self, listener: Listener, key: Hashable, text: str) -> None:
        tasks = self.listeners.get(listener)
        if tasks is None:
            return
        running = tasks.get(key)
        if running is not None and not running.done():
            self.behind[listener, key] = text
            return
        tasks[key] = asyncio.create_task(self._deliver(listener, key, text))

    async def _deliver(self, listener: Listener, key: Hashable, text: str | None) -> None:
        while text is not None:
            try:
                await listener.deliver(key, text)
            except Exception as error:
                # The socket is going; its own task says how.
                logger.debug("a socket took nothing (%s)", type(error).__name__)
                self.behind.pop((listener, key), None)
                return
            text = self.behind.pop((listener, key), None)


_halls: WeakKeyDictionary[asyncio.AbstractEventLoop, _Hall] = WeakKeyDictionary()


async def join(listener: Listener) -> None:
    """From now on ``listener`` is sent what it wants after every event. Returns when no event can be missed any more."""
    await _halls.setdefault(asyncio.get_running_loop(), _Hall()).join(listener)


def leave(listener: Listener) -> None:
    if hall := _halls.get(asyncio.get_running_loop()):
        hall.leave(listener)


def since(seconds: float) -> float:
    """So many seconds ago, or the last event if that is later: what is older than this is not good enough."""
    hall = _halls.get(asyncio.get_running_loop())
    return max(time.monotonic() - seconds, hall.poked_at if hall else 0.0)


def hearing() -> bool:
    """Whether events reach this process now. Without them screens must ask by themselves, and say so."""
    hall = _halls.get(asyncio.get_running_loop())
    return hall is None or not hall.deaf
