"""The socket of one screen: told what to show, asked how it is. Payloads are those of ``state`` and ``blocks``."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from typing import Any

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.utils import timezone

from chuxiong.work.bell import EVENTS
from dashboard.models import Screen
from dashboard.walls import blocks, device, hub, interrupts, registry
from dashboard.walls.spec import scenes
from dashboard.walls.state import state

#: events that may be urgent, and how often a process looks
_URGENT = {"ClueMoved", "CluesRaised", "AlarmsChanged"}
_LOOK_EVERY = 2.0
_looked = 0.0


class ScreenConsumer(AsyncWebsocketConsumer):
    """Joins before it reads, so that nothing falls between state and pokes."""

    groups = [EVENTS, registry.SCREENS]
    #: pokes within so many seconds after an answer are answered together
    gather = 0.2
    #: a screen says nothing longer than this
    most = 4096

    async def connect(self) -> None:
        self._screen: Screen | None = None
        self._on: list[str] = []
        self._visit = 0
        self._poked_at = 0.0
        self._sender: asyncio.Task[None] | None = None
        token = self.scope.get("cookies", {}).get(settings.SCREEN_COOKIE, "")
        self._screen = await sync_to_async(registry.screen_of)(token)
        if self._screen is None:
            await self.close(code=4401)
            return
        await self.accept()
        await self._tell()

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        screen = self._screen
        if screen is None or text_data is None or len(text_data) > self.most:
            return
        try:
            said = json.loads(text_data)
            kind = said["kind"]
        except (ValueError, KeyError, TypeError):
            return
        if kind == "ping":
            # Before anything that waits: what is measured is the way, not the database.
            await self.send(json.dumps({"kind": "pong", "sent": said.get("sent"), "now": time.time() * 1000}))
        elif kind == "ready" and isinstance(said.get("switch"), int):
            await sync_to_async(device.ready)(screen, said["switch"], at=timezone.now())
        elif kind == "health":
            await sync_to_async(device.heard)(screen, said, at=timezone.now())
            # The timeline goes on, and whatever poke was lost meanwhile is made good.
            await self._tell()
        elif kind == "want" and said.get("scene") in scenes():
            scene = said["scene"]
            # The scene on the wall and the one that is being prepared.
            self._on = [*[s for s in self._on if s != scene], scene][-2:]
            await self._data(scene, time.monotonic() - 5)

    async def _tell(self) -> None:
        assert self._screen is not None  # noqa: S101  only after connect
        found = await sync_to_async(state)(self._screen, at=timezone.now())
        if found["visit"] != self._visit:
            self._visit = found["visit"]
            await self.send(json.dumps(found))
            for scene in self._on:
                await self._data(scene, time.monotonic() - 1)
            return
        await self.send(json.dumps(found))

    async def _data(self, scene: str, since: float) -> None:
        wanted, masked = scenes()[scene].blocks, bool(self._visit)

        def build() -> str:
            return blocks.text(wanted, scene=scene, visitors=masked, since=since)

        with contextlib.suppress(asyncio.CancelledError):
            await self.send(await hub.shared((scene, masked), since, build))

    async def screens_changed(self, message: dict[str, Any]) -> None:
        """Somebody acted on screens: on all (None) or on some."""
        if self._screen is None:
            return
        if message["screens"] is None or self._screen.pk in message["screens"]:
            fresh = await sync_to_async(registry.again)(self._screen)
            if fresh is None:
                await self.close(code=4401)
                return
            self._screen = fresh
            await self._tell()

    async def event(self, message: dict[str, Any]) -> None:
        if message["kind"] == "SessionEnded" or self._screen is None:
            return
        if message["kind"] in _URGENT:
            await self._look(self._screen)
        self._poked_at = time.monotonic()
        if self._sender is None or self._sender.done():
            self._sender = asyncio.create_task(self._answer())

    async def _look(self, screen: Screen) -> None:
        global _looked
        if time.monotonic() - _looked >= _LOOK_EVERY:
            _looked = time.monotonic()
            await sync_to_async(interrupts.consider)(screen, at=timezone.now())

    async def _answer(self) -> None:
        answered = 0.0
        while answered < self._poked_at:
            answered = self._poked_at
            for scene in list(self._on):
                await self._data(scene, answered)
            await asyncio.sleep(self.gather)

    async def disconnect(self, code: int) -> None:
        if self._sender:
            self._sender.cancel()
        if self._screen is not None:
            await sync_to_async(device.dropped_out)(self._screen, at=timezone.now())
