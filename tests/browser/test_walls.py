"""Players in a real browser: two screens switch together, a server that goes and comes back, every scene at every size."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from django.conf import settings
from django.db import connections
from django.utils import timezone

from chuxiong.accounts.models import Office, Person
from dashboard.models import Screen
from dashboard.walls import interrupts, pictures, registry, selectors, switching
from dashboard.walls.spec import scenes
from ingestion.cameras.registering import register as register_cameras
from ingestion.water.registering import register as register_rivers
from ingestion.water.spec import read
from supervision.selectors import live_rules
from tests.browser.test_whole_way import _FLAGS, CHROMIUM
from tests.conftest import acting_as
from tests.dashboard.walls.test_switching import somebody
from tests.dashboard.walls.test_themes import picture, settled
from tests.ingestion.test_cameras import GOOD as CAMERAS
from tests.ingestion.test_water import GOOD as RIVERS
from tests.prefecture import agreements, case_card, citizen, land_rows, wage_clue

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium on this machine (apt-get install chromium fonts-noto-cjk)"
    ),
]
WAIT = 60_000
SIZE = {"width_px": "1920", "height_px": "1080", "pitch_mm": "2.5", "distance_m": "5"}
SIZES = [(1366, 768), (1920, 1080), (3840, 1080), (7680, 2160)]
#: What runs out of its box, is cut without an ellipsis, or lies over its neighbour; in drawings every word for itself.
_FAULTS = """() => {
  const found = [];
  const canvas = document.querySelector('.canvas.w-on');
  if (document.documentElement.scrollWidth > innerWidth || document.documentElement.scrollHeight > innerHeight) found.push('the page scrolls');
  for (const e of canvas.querySelectorAll('*')) {
    if (e.closest('[hidden]') || e.closest('svg')) continue;
    const style = getComputedStyle(e);
    if (['auto', 'scroll'].includes(style.overflowX) || ['auto', 'scroll'].includes(style.overflowY)) found.push('scrollbar ' + e.className);
    if (style.overflow !== 'visible' && e.clientWidth && style.textOverflow !== 'ellipsis' && e.scrollWidth > e.clientWidth + 1) found.push('too wide ' + e.className + ': ' + e.textContent.slice(0, 40));
    if (style.overflow !== 'visible' && e.clientHeight && style.webkitLineClamp === 'none' && e.scrollHeight > e.clientHeight + Math.max(2, parseFloat(style.fontSize) * 0.15)) found.push('too high ' + e.className + ': ' + e.textContent.slice(0, 40));
    if (!e.children.length && e.textContent.trim() && parseFloat(style.fontSize) * 1080 / innerHeight < 19.5) found.push('too small ' + e.className + ' ' + style.fontSize);
  }
  for (const paper of canvas.querySelectorAll('.w-body svg')) {
    if (paper.closest('[hidden]') || paper.classList.contains('w-ring')) continue;
    const frame = paper.closest('.w-body').getBoundingClientRect();
    const words = [...paper.querySelectorAll('text')].filter((t) => t.textContent.trim()).map((t) => [t, t.getBoundingClientRect()]);
    words.forEach(([word, a], n) => {
      const said = word.textContent;
      if (a.left < frame.left - 2 || a.right > frame.right + 2 || a.top < frame.top - 3 || a.bottom > frame.bottom + 3) found.push('out of its drawing: ' + said);
      if (parseFloat(getComputedStyle(word).fontSize) * paper.getScreenCTM().a * 1080 / innerHeight < 18) found.push('too small: ' + said);
      if (word.closest('.w-cursor')) return;
      for (const [other, b] of words.slice(n + 1)) {
        if (other.closest('.w-cursor')) continue;
        const [across, down] = [Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top)];
        // A line's box is higher than its letters.
        if (across > 1 && down > Math.min(a.height, b.height) * 0.35) found.push(said + ' lies over ' + other.textContent);
      }
    });
  }
  const boxes = [...canvas.querySelectorAll('.w-panel:not([hidden])')].map((e) => [e.className, e.getBoundingClientRect()]);
  for (const [name, a] of boxes) for (const [other, b] of boxes) if (a !== b && a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1) found.push(name + ' lies over ' + other);
  return found;
}"""


#: Characters that the font which is really used has no glyph for: they look like one that nobody has.
_TOFU = """(more) => {
  const sheet = document.createElement('canvas');
  [sheet.width, sheet.height] = [48, 48];
  const pen = sheet.getContext('2d', { willReadFrequently: true });
  const look = (character, weight) => {
    pen.clearRect(0, 0, 48, 48);
    pen.font = `${weight} 32px ${getComputedStyle(document.querySelector('.canvas')).fontFamily}`;
    pen.fillText(character, 4, 38);
    return pen.getImageData(0, 0, 48, 48).data.join();
  };
  const said = [...document.querySelectorAll('.canvas, .canvas text')].map((e) => e.textContent).join('') + more;
  const none = { 400: look('\\u{10FFF0}', 400), 700: look('\\u{10FFF0}', 700) };
  return [...new Set(said)].filter((c) => c.trim() && (look(c, 400) === none[400] || look(c, 700) === none[700]));
}"""
#: what a name in a record may hold and a common font may not
_RARE = "䶮㛃𬭩"
_NOBODYS = "\U000f0123"
_NOTE_CSP = "addEventListener('securitypolicyviolation', (e) => console.error(`CSP ${e.violatedDirective} ${e.blockedURI}`));"


class Served:
    """The product's own ASGI application on a port that stays the same over restarts."""

    def __init__(self) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        from chuxiong.asgi import application

        self.server = uvicorn.Server(
            uvicorn.Config(
                application, host="127.0.0.1", port=self.port, log_level="error", timeout_graceful_shutdown=1
            )
        )
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        _until(lambda: self.server.started)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(20)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def _until(true: Callable[[], Any], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "nothing came of it in time"
        time.sleep(0.05)


def _elsewhere(act: Callable[[], Any]) -> Any:
    """In a thread of its own: the driver keeps an event loop in this one, where nothing can be published."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(act())
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return found[0]


@pytest.fixture
def served(database, monkeypatch) -> Iterator[Served]:
    # The driver keeps an event loop in this thread; the rows are still read one after the other.
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    agreements()
    register_rivers(read(RIVERS, name="rivers.yaml"), name="rivers.yaml")
    register_cameras(CAMERAS, name="cameras.yaml")
    made = Served()
    yield made
    made.stop()
    connections.close_all()


def _zhou() -> Person:
    Person.objects.using("owner").create(
        username="zhou", name="示例", password="!nobody", office_id="532300", roles=["dispatcher"]
    )
    return Person.objects.get(username="zhou")


def _paired(by: Person, code: str) -> tuple[Screen, str]:
    now = timezone.now()
    registry.save_group(by=by, code="hall", zh="示例厅", en="Hall", at=now)
    registry.save_screen(by=by, code=code, group="hall", fields=SIZE, at=now)
    offered, secret = registry.offer(at=now)
    registry.pair(by=by, screen=code, code=offered, at=now)
    token, _code = registry.collect(secret, at=now) or ("", "")
    screen = registry.screen_of(token)
    assert screen is not None
    return screen, token


class Wall:
    """One player, its complaints and the addresses it asked for."""

    def __init__(self, browser: Any, served: Served, token: str, size: tuple[int, int] = (1366, 768)) -> None:
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]})
        self.context.add_cookies([{"name": settings.SCREEN_COOKIE, "value": token, "url": served.address}])
        self.page = self.context.new_page()
        self.page.set_default_timeout(WAIT)
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on(
            "console",
            lambda m: (
                self.complaints.append(m.text)
                if m.type == "error" and "Failed to load resource" not in m.text and "WebSocket" not in m.text
                else None
            ),
        )
        self.page.on(
            "request",
            lambda r: (
                self.foreign.append(r.url)
                if not r.url.startswith((served.address, "blob:", "data:"))
                else None
            ),
        )
        self.page.add_init_script(_NOTE_CSP)
        self.page.goto(f"{served.address}/wall/screen")

    def shows(self, scene: str) -> None:
        self.page.wait_for_selector(f".canvas.w-on:not(.w-going)[data-scene={scene}]")


@pytest.fixture
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        made = driver.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        yield made
        made.close()


def test_two_screens_switch_at_one_moment_and_come_back_after_a_restart(served, browser):
    zhou = _zhou()
    walls = [Wall(browser, served, _paired(zhou, code)[1]) for code in ("A1", "A2")]
    for wall in walls:
        wall.shows("overview")
    _until(lambda: all(r.state == "live" for r in selectors.console(zhou, at=timezone.now()).rows))
    made = _elsewhere(lambda: switching.show(by=zhou, screens=["A1", "A2"], scene="flow", at=timezone.now()))
    assert len(made.expected) == 2
    for wall in walls:
        wall.shows("flow")
    _until(lambda: all(r.health.switch == made.pk for r in selectors.console(zhou, at=timezone.now()).rows))
    found = selectors.console(zhou, at=timezone.now())
    assert found.last.apply_at is not None and set(found.last.ready) == set(found.last.expected)

    # A visit: the screens say themselves that their masks are on.
    _elsewhere(lambda: interrupts.begin_visit(by=zhou, at=timezone.now()))
    _until(lambda: selectors.console(zhou, at=timezone.now()).visit.safe)
    walls[0].page.wait_for_selector(".w-flags em")
    _elsewhere(lambda: interrupts.end_visit(by=zhou, at=timezone.now()))

    served.stop()
    walls[0].page.wait_for_selector(".canvas.w-on .w-frozen:not([hidden])")
    switching.show(by=zhou, screens=["A1", "A2"], scene="models", at=timezone.now())
    served.start()
    for wall in walls:
        wall.shows("models")
        wall.page.wait_for_selector(".canvas.w-on .w-frozen[hidden]", state="attached")
        assert wall.complaints == [] and wall.foreign == []


def _busy() -> None:
    """Clues everywhere, long words, money and pictures: what has to fit on a bad day."""
    day = timezone.localdate()
    rules = live_rules()
    with acting_as("owner"):
        offices = list(Office.objects.exclude(parent=None).values_list("code", flat=True))
    for n in range(36):
        state = ("raised", "triaged", "dispatched", "checking", "confirmed", "acted", "settled")[n % 7]
        facts = [
            {"code": "recovered", "amount": 987654321, "proof": "示例"},
            {"code": "wages", "amount": 45678900, "proof": "示例"},
        ]
        settled(
            f"示例{n:02d}", state=state, origin="model", rule=rules[n % len(rules)], office=offices[n % len(offices)],
            township="示例彝族傈僳族乡", level=("urgent", "important", "ordinary")[n % 3], results={"facts": facts},
        )  # fmt: skip
    when = [(day - timedelta(days=31 * n)).isoformat() for n in range(11)]
    land_rows(
        "pr_case",
        [
            case_card(n, str(1_500_000 * n), str(400_000 * n), ("未处置", "已发还", "随案移送")[n % 3])
            | {"accept_date": d, "seized_cny": "250000"}
            for n, d in enumerate(when)
        ],
    )
    land_rows(
        "hr_wage_arrears",
        [
            wage_clue(citizen(n), n, d, str(30_000 * n), "立案")
            | {
                "worker_count": "12",
                "paid_amount_cny": "9000",
                "industry": ("建筑业", "住宿和餐饮业", "居民服务、修理和其他服务业")[n % 3],
            }
            for n, d in enumerate(when)
        ],
    )
    site = {
        "division_code": "532301",
        "stat_month": "2026-09",
        "project_status": "在建",
        "account_status": "未开户",
        "realname_headcount": "0",
    }
    land_rows("hr_wage_guarantee", [site | {"project_code": f"X{n}"} for n in range(7)])
    wu = somebody("wu", roles=("prosecutor",))
    for n in (6, 13, 20):
        made = pictures.hand_in(
            by=wu,
            clue=f"示例{n:02d}",
            before=picture("#7a5c3a"),
            after=picture("#3a7a4c"),
            before_on=day,
            after_on=day,
            at=timezone.now(),
        )
        pictures.clear(
            by=Person.objects.get(username="zhou"), pair=made.pk, seen=True, visitors=True, at=timezone.now()
        )


def _look(served: Served, browser: Any, wanted: list[tuple[tuple[int, int], list[str]]]) -> None:
    zhou = _zhou()
    _screen, token = _paired(zhou, "A1")
    _elsewhere(_busy)
    faults: dict[str, list[str]] = {}
    for size, chosen in wanted:
        wall = Wall(browser, served, token, size)
        for scene in chosen:
            _elsewhere(
                lambda scene=scene: switching.show(by=zhou, screens=["A1"], scene=scene, at=timezone.now())
            )
            wall.shows(scene)
            wall.page.wait_for_timeout(700)
            if folder := os.environ.get("CHUXIONG_PICTURES"):
                wall.page.screenshot(path=f"{folder}/{scene}_{size[0]}x{size[1]}.png")
            found = wall.page.evaluate(_FAULTS)
            found += [f"no glyph for {c}" for c in wall.page.evaluate(_TOFU, _RARE)]
            if found:
                faults[f"{scene} at {size}"] = found
        assert wall.page.evaluate(_TOFU, _NOBODYS) == [_NOBODYS], "what nobody has a glyph for is found"
        assert wall.complaints == [] and wall.foreign == [], size
        wall.context.close()
    assert faults == {}


def test_scenes_fit_narrow_and_wide_walls(served, browser):
    _look(served, browser, [((1366, 768), list(scenes())), ((3840, 1080), ["overview", "sources"])])


@pytest.mark.drill
def test_every_scene_fits_every_wall(served, browser):
    _look(served, browser, [(size, list(scenes())) for size in SIZES])
