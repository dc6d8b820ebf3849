"""Visitor mode over the demo's own people: nothing that any screen is sent names one of them, now or after a reconnect."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.conf import settings
from django.db import connections
from django.test import Client
from django.utils import timezone

from chuxiong.asgi import application
from chuxiong.demo.deliver import deliver
from chuxiong.demo.seed import seed
from chuxiong.demo.write import write
from chuxiong.vault import refs
from chuxiong.vault.models import Identifier
from chuxiong.work.jobs import work_off
from dashboard.walls import blocks, interrupts, switching
from dashboard.walls.spec import scenes
from ingestion.selectors import catalog
from supervision.clues.events import CluesRaised, announce
from supervision.matching.run import run_rule
from tests.conftest import acting_as
from tests.dashboard.walls.test_switching import TOKENS, registered

#: feeds full of people, and those that walls draw from
FEEDS = {
    "ps_population_death", "ps_traffic_accident", "hr_wage_arrears", "pr_case", "wr_river_patrol", "ee_surface_water",
    "vd_enforcement_video",
}  # fmt: skip


class _Player:
    """Whatever a screen is sent: every message of its sockets, every body of its requests."""

    def __init__(self, token: str) -> None:
        self.token, self.said = token, set[str]()

    def note(self, body: str) -> None:
        """Texts within the body, one by one; of a page its lines."""
        try:
            self.said |= set(_texts(json.loads(body)))
        except ValueError:
            self.said |= set(body.splitlines())

    def asks(self) -> None:
        """Every address that a player knows."""
        client = Client()
        client.cookies[settings.SCREEN_COOKIE] = self.token
        addresses = [
            "/wall/screen",
            "/wall/",
            "/wall/snapshot",
            *(f"/wall/data/{scene}" for scene in scenes()),
        ]
        for address in addresses:
            answer = client.get(address)
            assert answer.status_code == 200, address
            self.note(answer.content.decode())
        self.note(client.post("/wall/state", "{}", content_type="application/json").content.decode())
        cameras = json.loads(client.get("/wall/data/scene_live").content)["blocks"]["cameras"]["cameras"]
        for camera in cameras:
            self.note(client.get(f"/wall/camera/{camera['id']}/live.m3u8").content.decode())

    def listens(self) -> None:
        """Two stays on the socket, every scene asked for in each, an event in between."""
        for _stay in range(2):
            asyncio.run(self._stay())

    async def _stay(self) -> None:
        headers = [
            (b"host", b"testserver"),
            (b"origin", b"http://testserver"),
            (b"cookie", f"{settings.SCREEN_COOKIE}={self.token}".encode()),
        ]
        scope = {
            "type": "websocket", "path": "/ws/screen/", "query_string": b"", "headers": headers, "subprotocols": [],
        }  # fmt: skip
        line = ApplicationCommunicator(application, scope)
        await line.send_input({"type": "websocket.connect"})
        assert (await line.receive_output(20))["type"] == "websocket.accept"
        await self._until(line, "state", 1)
        for scene in scenes():
            await self._says(line, kind="want", scene=scene)
            await self._until(line, "data", 1)
        # What is pushed after an event: both scenes that were asked for last.
        await asyncio.to_thread(announce, CluesRaised("示例", 1))
        await self._until(line, "data", 2)
        await self._says(line, kind="health", scene="overview")
        await self._until(line, "state", 1)
        await line.send_input({"type": "websocket.disconnect", "code": 1000})
        await line.wait(20)

    async def _says(self, line: ApplicationCommunicator, **words: str) -> None:
        await line.send_input({"type": "websocket.receive", "text": json.dumps(words)})

    async def _until(self, line: ApplicationCommunicator, kind: str, count: int) -> None:
        while count:
            text = (await line.receive_output(20))["text"]
            self.note(text)
            message = json.loads(text)
            assert not message.get("failed"), message["failed"]
            count -= message["kind"] == kind


def _texts(document: Any) -> Iterator[str]:
    if isinstance(document, dict):
        for name, value in document.items():
            yield name
            yield from _texts(value)
    elif isinstance(document, list):
        for value in document:
            yield from _texts(value)
    elif document is not None:
        yield str(document)


def _people() -> dict[str, str]:
    """Whatever names a person of the demo → what it is: names, addresses, numbers of all kinds and their references."""
    found: dict[str, str] = {}
    with connections["owner"].cursor() as cursor:
        for feed in catalog().values():
            for column in feed.columns:
                if column.type in ("person_name", "address"):
                    cursor.execute(f'select distinct "{column.name}" from pool."{feed.code}"')
                    found |= {
                        value: column.type for (value,) in cursor.fetchall() if value and _telling(value)
                    }
    known = Identifier.objects.using("owner").values_list("ref", "kind")
    opened = refs.open_refs(connections["owner"], [ref for ref, _kind in known])
    for ref, kind in known:
        found |= {str(ref): f"reference of {kind}", opened[ref]: kind}
    return found


def _telling(value: str) -> bool:
    # A masked name and a bare county tell of nobody.
    return len(value) >= 2 and not set(value) & set("*＊某") and value not in _COUNTIES


_COUNTIES: set[str] = set()


def _named(said: Iterable[str], people: dict[str, str]) -> list[tuple[str, str, str]]:
    return [(kind, person, text) for text in said for person, kind in people.items() if person in text]


@pytest.fixture
def centre(database, tmp_path, capsys) -> _Player:
    """The demo prefecture with its people, its clues and a screen; returns what the screen was sent before."""
    drawn = secrets.randbelow(2**31)
    with capsys.disabled():
        print(f"\ndemo seed {drawn}")
    write(scale="small", seed=drawn, out=tmp_path, today=timezone.localdate())
    with acting_as("owner"):
        seed(today=timezone.localdate())
    from chuxiong.accounts.models import Person

    zhou = Person.objects.get(username="zhou")
    registered(zhou, "A1")
    before = _Player(TOKENS["A1"])
    before.asks()
    before.listens()
    with acting_as("worker"):
        deliver(tmp_path, days={0}, feeds=FEEDS)
        for rule in ("recovery_not_pursued", "river_rubbish"):
            assert run_rule(rule, at=timezone.now(), as_of=timezone.localdate()).raised > 0
        work_off(kinds=["river_places"])
    blocks.forget()
    return before


def test_nothing_that_a_screen_is_sent_names_one_of_the_people(centre, monkeypatch):
    from chuxiong.accounts.models import Person

    zhou, player = Person.objects.get(username="zhou"), _Player(TOKENS["A1"])
    interrupts.begin_visit(by=zhou, at=timezone.now())
    switching.show(by=zhou, screens=["A1"], scene="scene_live", at=timezone.now())
    player.asks()
    player.listens()
    people = _people()
    kinds = set(people.values())
    assert {"person_name", "address", "citizen_id", "phone", "plate"} <= kinds, kinds
    assert sum(kind == "person_name" for kind in people.values()) > 300
    # Words that the product itself has said before anybody was delivered are not somebody's name.
    new = player.said - centre.said
    assert len(new) > 100, "clues, readings and places have come"
    assert _named(new, people) == []

    # The search can fail: one name, one number or one reference in one panel is found.
    for kind in ("person_name", "citizen_id", "reference of citizen_id", "address"):
        leak = next(value for value, what in people.items() if what == kind)
        monkeypatch.setitem(blocks.BUILDERS, "stages", lambda _visitors, leak=leak: {"raised": 1, leak: 2})
        blocks.forget()
        leaky = _Player(TOKENS["A1"])
        leaky.listens()
        assert (kind, leak) in {
            (what, person) for what, person, _text in _named(leaky.said - centre.said, people)
        }
