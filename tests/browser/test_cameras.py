"""The demo stream really plays in a browser, a kept frame is the picture it says, and a stream that stops says so."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections
from django.test import Client

from chuxiong.accounts.models import Person
from dashboard.cameras import views
from ingestion.cameras import demo_stream
from ingestion.cameras.policy import policy
from ingestion.cameras.registering import register
from ingestion.models import CameraFrame, CameraViewing
from tests.browser.test_whole_way import _FLAGS, CHROMIUM
from tests.ingestion.test_cameras import GOOD, ONE
from tests.prefecture import agreements

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium on this machine (apt-get install chromium fonts-noto-cjk)"
    ),
]
WAIT = 60_000


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def address(database) -> Iterator[str]:
    agreements()
    register(GOOD, name="cameras.yaml")
    server = ThreadedWSGIServer(("127.0.0.1", 0), _Quiet)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def page(address, monkeypatch) -> Iterator[Any]:
    # The driver keeps an event loop in this thread; the rows are still read one after the other.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    playwright = pytest.importorskip("playwright.sync_api")
    Person.objects.using("owner").create(
        username="zhou",
        name="周演示",
        password="!nobody",
        office_id="532300",
        roles=["prosecutor", "dispatcher"],
    )
    client = Client()
    client.force_login(Person.objects.get(username="zhou"))
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        context = browser.new_context()
        context.add_cookies([cookie])
        opened = context.new_page()
        opened.set_default_timeout(WAIT)
        yield opened
        browser.close()


def _state(page: Any, wanted: str) -> None:
    page.wait_for_selector(f".tile[data-state={wanted}]", timeout=WAIT)


def _moves(page: Any, seconds: float) -> None:
    """The picture moves on by so many seconds. (Asked again and again: the page's policy lets no string be run.)"""
    shown = "document.querySelector('video').currentTime"
    before = page.evaluate(shown)
    for _ in range(WAIT // 250):
        if page.evaluate(shown) > before + seconds:
            return
        page.wait_for_timeout(250)
    raise AssertionError(f"the picture stands still at {before}")


def test_the_demo_plays_a_frame_is_kept_and_a_stall_is_told(address, page, monkeypatch):
    quick = policy().model_copy(
        update={"stall_seconds": policy().stall_seconds.model_copy(update={"value": 4})}
    )
    monkeypatch.setattr(views, "policy", lambda: quick)
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.goto(f"{address}/cameras/{ONE}")
    _state(page, "live")
    _moves(page, 2)
    assert page.evaluate("document.querySelector('video').videoWidth") == 640

    page.click("button.keep")
    link = page.wait_for_selector(".kept a")
    digest = link.get_attribute("data-digest")
    sheet = page.context.new_page()
    sheet.goto(address + link.get_attribute("href"))
    assert digest in sheet.inner_text("main")
    image = page.context.request.get(f"{address}{sheet.get_attribute('.frame-sheet img', 'src')}")
    assert hashlib.sha256(image.body()).hexdigest() == digest
    assert image.body().startswith(b"\x89PNG")
    sheet.click("a[href*='/clues/new?frame=']")
    assert digest in sheet.input_value("textarea[name=text]")
    assert sheet.input_value("select[name=office]") == "532301"
    sheet.close()
    frame = CameraFrame.objects.using("owner").get()
    number = int(frame.segment.removesuffix(".m4s"))
    assert frame.segment_digest == hashlib.sha256(demo_stream.segment(number)).hexdigest()
    # The picture is from within the piece that is named beside it, or the one it was passing over to.
    begins = demo_stream.EPOCH + number * demo_stream.SEGMENT
    assert abs(frame.stream_at.timestamp() - begins) <= 2 * demo_stream.SEGMENT
    # Policy of content and workers: nothing was refused, nothing came from elsewhere.
    # (This server has no sockets; the desk's own is tried in vain.)
    assert [line for line in said if "WebSocket" not in line] == []

    page.route("**/*.m4s", lambda route: route.abort())
    _state(page, "stalled")
    assert page.is_visible(".tile .over") and page.inner_text(".tile .over small")
    page.unroute("**/*.m4s")
    _state(page, "live")

    page.goto(f"{address}/me")
    # Left behind: the viewing ends with the page.
    page.wait_for_timeout(500)
    rows = list(CameraViewing.objects.using("owner").exclude(opened_at=None).order_by("pk"))
    assert len(rows) >= 2 and all(row.ended_at and row.end == "closed" for row in rows)
    connections["owner"].close()
