"""Sockets: a snapshot on connect and after every event. Payloads carry counts and names of states only."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Hashable
from typing import Any

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer, AsyncWebsocketConsumer
from django.utils import timezone

from chuxiong.accounts import sessions
from chuxiong.accounts.models import Person
from chuxiong.work.bell import EVENTS
from dashboard.walls import hub
from dashboard.walls.snapshot import snapshot


class WallConsumer(AsyncWebsocketConsumer):
    """The overview for whoever is in the house. Listens before it reads, so that nothing falls in between."""

    async def connect(self) -> None:
        self._open = False
        await hub.join(self)
        await self.accept()
        self._open = True
        # A few screens that connect together may share a snapshot of the last second's quarter.
        since = hub.since(0.25)
        await self.send(await hub.shared("snapshot", since, lambda: _snapshot(since)))
        if not hub.hearing():
            await self.hears(False)

    def wants(self) -> list[tuple[Hashable, Callable[[float], str]]]:
        return [("snapshot", _snapshot)] if self._open else []

    def heard(self, message: dict[str, Any]) -> None:
        """Nothing but the answer follows from an event here."""

    async def deliver(self, key: Hashable, text: str) -> None:
        await self.send(text)

    async def hears(self, now: bool) -> None:
        await self.send(json.dumps({"kind": "hears", "hears": now}))

    async def __call__(self, *way: Any) -> None:
        try:
            await super().__call__(*way)
        finally:
            hub.leave(self)


def _snapshot(since: float) -> str:
    return json.dumps(snapshot(since=since), ensure_ascii=False)


def _offices_of(person: Person) -> list[str]:
    """Offices of whose clues the person hears; none without the right to look at clues."""
    return person.office_codes if person.may("clue.read") else []


class DeskConsumer(AsyncJsonWebsocketConsumer):
    """One signed-in person: hears which kinds of things changed and fetches what the page may show.

    The socket lives no longer than the stay: looked at on connect, when a stay of the person ends, and every
    minute, because the word of an ended stay is lost while Redis is down.
    """

    groups = [EVENTS]
    look_every = 60.0

    async def connect(self) -> None:
        person = self.scope.get("user")
        if person is None or not person.is_authenticated or not await self._goes_on():
            await self.close(code=4401)
            return
        self._offices: set[str] = set(await database_sync_to_async(_offices_of)(person))
        await self.accept()
        self._watch = asyncio.create_task(self._look())

    async def _goes_on(self) -> bool:
        return await database_sync_to_async(self._stay_goes_on)()

    def _stay_goes_on(self) -> bool:
        person, stay = self.scope["user"], self.scope["session"].get(sessions.STAY)
        present = Person.objects.filter(pk=person.pk).first()
        return bool(present and sessions.check(stay, present, at=timezone.now(), active=False).stay)

    async def _look(self) -> None:
        while await self._goes_on():
            await asyncio.sleep(self.look_every)
        await self.close(code=4401)

    async def event(self, message: dict[str, Any]) -> None:
        if message["kind"] == "SessionEnded":
            if message.get("person") == self.scope["user"].pk and not await self._goes_on():
                await self.close(code=4401)
            return
        office = message.get("office")
        if office and office not in self._offices:
            return
        await self.send_json({"kind": message["kind"]})

    async def disconnect(self, code: int) -> None:
        if watch := getattr(self, "_watch", None):
            watch.cancel()
