"""Sockets: a snapshot on connect and after every event. Payloads carry counts and names of states only."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from chuxiong.work.bell import EVENTS
from dashboard.walls.snapshot import snapshot


class WallConsumer(AsyncJsonWebsocketConsumer):
    """One screen. Joins before it reads, so that nothing falls between snapshot and events."""

    groups = [EVENTS]
    #: Events within this many seconds are answered by one snapshot.
    gather = 0.1

    async def connect(self) -> None:
        self._poked_at = 0.0
        self._sender: asyncio.Task[None] | None = None
        await self.accept()
        # A few screens that connect together may share a snapshot of the last second's quarter.
        await self._send(time.monotonic() - 0.25)

    async def event(self, message: dict[str, Any]) -> None:
        self._poked_at = time.monotonic()
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._answer())

    async def _answer(self) -> None:
        answered = 0.0
        while answered < self._poked_at:
            await asyncio.sleep(self.gather)
            answered = self._poked_at
            await self._send(answered)

    async def _send(self, since: float) -> None:
        await self.send_json(await sync_to_async(snapshot, thread_sensitive=False)(since=since))

    async def disconnect(self, code: int) -> None:
        if self._sender:
            self._sender.cancel()


class DeskConsumer(AsyncJsonWebsocketConsumer):
    """One signed-in person: hears which kinds of things changed and fetches what the page may show."""

    groups = [EVENTS]

    async def connect(self) -> None:
        person = self.scope.get("user")
        if person is None or not person.is_authenticated:
            await self.close(code=4401)
            return
        self._offices: set[str] = set(await sync_to_async(lambda: person.office_codes)())
        await self.accept()

    async def event(self, message: dict[str, Any]) -> None:
        office = message.get("office")
        if office and office not in self._offices:
            return
        await self.send_json({"kind": message["kind"]})
