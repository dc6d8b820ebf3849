"""The web process, Valkey and Postgres go and come back: every screen says so meanwhile and is right again by itself."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from dashboard.walls import switching
from supervision.clues import actions
from tests.browser.test_walls import CHROMIUM, Wall, _elsewhere, _paired, _until, _zhou, browser  # noqa: F401
from tests.conftest import ROOT

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium on this machine (apt-get install chromium fonts-noto-cjk)"
    ),
]
_RIGHT = """([scene, raised]) => {
  const canvas = document.querySelector('.canvas.w-on:not(.w-going)') || document.querySelector('.stage.alone .canvas');
  const frozen = canvas?.querySelector('.w-frozen');
  return canvas?.dataset.scene === scene && frozen.hidden && canvas.querySelector('[data-stage=raised]').textContent === String(raised);
}"""
_SAYS_SO = """() => {
  const canvas = document.querySelector('.canvas.w-on') || document.querySelector('.stage.alone .canvas');
  return canvas && !canvas.querySelector('.w-frozen').hidden && canvas.querySelector('.w-frozen').textContent.length > 5;
}"""


class Process:
    """The product's page as it runs on a site: a process of its own, with the web duty's secrets alone."""

    def __init__(self, services: Any) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.environment = services.of_duty("web") | {
            "DJANGO_SETTINGS_MODULE": "chuxiong.settings",
            "CHUXIONG_HOSTS": os.environ["CHUXIONG_HOSTS"],
        }
        self.child: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "chuxiong.asgi:application", "--port", str(self.port), "--ws", "websockets",
             "--log-level", "critical"],
            cwd=ROOT, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        _until(self._answers, 60)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.address}/login", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def kill(self) -> None:
        if self.child is not None:
            self.child.kill()
            self.child.wait()


@pytest.fixture
def process(database, services, monkeypatch) -> Iterator[Process]:
    # The driver keeps an event loop in this thread; the rows are still read one after the other.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    made = Process(services)
    yield made
    made.kill()
    connections.close_all()


class _Centre:
    """What goes on in the centre while its screens look away: a clue is entered, another scene is chosen."""

    def __init__(self, walls: list[Wall], overview: Any) -> None:
        self.zhou = _zhou()
        self.walls, self.overview, self.raised, self.scene = walls, overview, 0, "overview"

    def goes_on(self, scene: str) -> None:
        def act() -> None:
            now = timezone.now()
            actions.enter(
                by=self.zhou, at=now, title="示例事项", office="532301", township="示例镇", occurred_on=now.date(),
                level="ordinary", text="示例情况",
            )  # fmt: skip
            switching.show(by=self.zhou, screens=[w.code for w in self.walls], scene=scene, at=now)

        _elsewhere(act)
        self.raised, self.scene = self.raised + 1, scene

    def all_say_so(self) -> None:
        for page in [*(wall.page for wall in self.walls), self.overview]:
            page.wait_for_function(_SAYS_SO)

    def all_are_right(self) -> None:
        for wall in self.walls:
            wall.page.wait_for_function(_RIGHT, arg=[self.scene, self.raised])
        self.overview.wait_for_function(_RIGHT, arg=["overview", self.raised])


def test_screens_say_that_nobody_answers_and_are_right_again_by_themselves(process, services, browser):  # noqa: F811
    centre = _Centre([], browser.new_context(viewport={"width": 1366, "height": 768}).new_page())
    centre.overview.set_default_timeout(60_000)
    centre.overview.goto(f"{process.address}/wall/")
    for code in ("A1", "A2"):
        wall = Wall(browser, process, _paired(centre.zhou, code)[1])
        wall.code = code
        centre.walls.append(wall)
    centre.all_are_right()

    process.kill()
    centre.all_say_so()
    centre.goes_on("flow")
    process.start()
    centre.all_are_right()

    # Without Valkey nobody is told of anything: screens say that they ask by themselves, and do.
    services.valkey.stop()
    centre.all_say_so()
    centre.goes_on("overview")
    for wall in centre.walls:
        wall.page.wait_for_function(
            _RIGHT.replace("frozen.hidden", "true"), arg=[centre.scene, centre.raised]
        )
    services.valkey.start()
    centre.all_are_right()
    # The bell is heard again, not only the question every few seconds.
    centre.goes_on("flow")
    centre.all_are_right()

    connections.close_all()
    services.postgres.stop()
    centre.all_say_so()
    services.postgres.start()
    centre.goes_on("overview")
    centre.all_are_right()
    assert [wall.complaints + wall.foreign for wall in centre.walls] == [[], []]
