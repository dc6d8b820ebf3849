"""The socket of one screen: told what to show, asked how it is. Payloads are those of ``state`` and ``blocks``."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Hashable
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.utils import timezone

from dashboard.models import Screen
from dashboard.walls import blocks, device, hub, interrupts, registry
from dashboard.walls.spec import scenes
from dashboard.walls.state import state

logger = logging.getLogger(__name__)
#: events that may be urgent, and how often a process looks
_URGENT = {"ClueMoved", "CluesRaised", "AlarmsChanged"}
_LOOK_EVERY = 2.0
#: office → when a screen of it last looked (monotonic)
_looked: dict[str, float] = {}


class ScreenConsumer(AsyncWebsocketConsumer):
    """Joins before it reads, so that nothing falls between state and pokes."""

    groups = [registry.SCREENS]
    #: a screen says nothing longer than this
    most = 4096

    async def connect(self) -> None:
        self._screen: Screen | None = None
        self._on: list[str] = []
        self._visit = 0
        token = self.scope.get("cookies", {}).get(settings.SCREEN_COOKIE, "")
        self._screen = await database_sync_to_async(registry.screen_of)(token)
        if self._screen is None:
            await self.close(code=4401)
            return
        await hub.join(self)
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
            await database_sync_to_async(device.ready)(screen, said["switch"], at=timezone.now())
        elif kind == "health":
            await database_sync_to_async(device.heard)(screen, said, at=timezone.now())
            # The timeline goes on, and whatever poke was lost meanwhile is made good.
            await self._tell()
        elif kind == "want" and said.get("scene") in scenes():
            scene = said["scene"]
            # The scene on the wall and the one that is being prepared.
            self._on = [*[s for s in self._on if s != scene], scene][-2:]
            await self._data(scene, hub.since(5))

    async def _tell(self) -> None:
        assert self._screen is not None  # noqa: S101  only after connect
        found = await database_sync_to_async(state)(self._screen, at=timezone.now())
        changed, self._visit = found["visit"] != self._visit, found["visit"]
        await self.send(json.dumps(found | {"hears": hub.hearing()}))
        for scene in self._on if changed else ():
            await self._data(scene, hub.since(1))

    async def _data(self, scene: str, since: float) -> None:
        key, build = _text(scene, bool(self._visit))
        await self.send(await hub.shared(key, since, lambda: build(since)))

    def wants(self) -> list[tuple[Hashable, Callable[[float], str]]]:
        return [_text(scene, bool(self._visit)) for scene in self._on]

    async def deliver(self, key: Hashable, text: str) -> None:
        # What was built before the mask changed is not sent after it.
        if any(key == wanted for wanted, _build in self.wants()):
            await self.send(text)

    async def hears(self, now: bool) -> None:
        # Acts were missed as well as events.
        await self._tell()

    async def screens_changed(self, message: dict[str, Any]) -> None:
        """Somebody acted on screens: on all (None) or on some."""
        if self._screen is None:
            return
        if message["screens"] is None or self._screen.pk in message["screens"]:
            fresh = await database_sync_to_async(registry.again)(self._screen)
            if fresh is None:
                await self.close(code=4401)
                return
            self._screen = fresh
            await self._tell()

    def heard(self, message: dict[str, Any]) -> None:
        screen = self._screen
        if message["kind"] not in _URGENT or screen is None:
            return
        # One screen of an office looks for all of them.
        if time.monotonic() - _looked.get(screen.office, -_LOOK_EVERY) >= _LOOK_EVERY:
            _looked[screen.office] = time.monotonic()
            self._look = asyncio.create_task(_consider(screen))

    async def disconnect(self, code: int) -> None:
        if self._screen is not None:
            await database_sync_to_async(device.dropped_out)(self._screen, at=timezone.now())

    async def __call__(self, *way: Any) -> None:
        try:
            await super().__call__(*way)
        finally:
            hub.leave(self)


async def _consider(screen: Screen) -> None:
    try:
        await database_sync_to_async(interrupts.consider)(screen, at=timezone.now())
    except Exception:
        logger.exception("nobody looked at what may be urgent; the next event is looked at again")


def _text(scene: str, masked: bool) -> tuple[Hashable, Callable[[float], str]]:
    """A scene's data as it is shared by all screens that show it to the same kind of watcher."""
    wanted = scenes()[scene].blocks
    return (scene, masked), lambda since: blocks.text(wanted, scene=scene, visitors=masked, since=since)
