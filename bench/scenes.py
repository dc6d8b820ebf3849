"""Twelve screens switch together a hundred times; how far apart they apply, one killed and one slowed meanwhile.

The screens are real players in headless browsers, each in a context of its own, on this machine, so that one clock times
them all. Light scenes bear the target; those of real use are printed without one.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.report import ROOT, Figure, at_most, write

SCREENS, SWITCHES = 12, 100
#: milliseconds between the first and the last screen, 99 of 100 switches
SPREAD_TARGET = 100.0
LIGHT = ("sources", "models")
REAL = ("overview", "river", "water", "flow")
_SIZE = {"width_px": "1920", "height_px": "1080", "pitch_mm": "2.5", "distance_m": "5"}
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-timer-throttling",
    "--disable-renderer-backgrounding",
]
#: one clock for every page of the machine, not each one's idea of the server's
_NOTE = """window.applied = {}; window.addEventListener('wall:applied', (e) => {
  window.applied[e.detail.switch] = performance.timeOrigin + performance.now(); });"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.scenes")
    parser.add_argument("--screens", type=int, default=SCREENS)
    parser.add_argument("--switches", type=int, default=SWITCHES)
    options = parser.parse_args()
    from chuxiong.up import services

    folder = Path(tempfile.mkdtemp(prefix="cx-bench-"))
    load_before = os.getloadavg()[0]
    running = services.start(folder)
    page: subprocess.Popen[str] | None = None
    try:
        os.environ.update(running.environment)
        os.environ["CHUXIONG_ROLE"] = "web"
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        tokens, cookie = _prepare(options.screens)
        page = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "chuxiong.asgi:application", "--port", str(port), "--log-level", "warning"],
            cwd=ROOT, env=os.environ.copy(), text=True,
        )  # fmt: skip
        figures = _measure(f"http://127.0.0.1:{port}", tokens, cookie, options.switches)
    finally:
        if page:
            page.kill()
            page.wait()
        from django.db import connections

        connections.close_all()
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return write("scenes", figures, notes={"load_before": round(load_before, 2)})


def _prepare(count: int) -> tuple[list[str], str]:
    """Tokens of paired screens, and the session of somebody who may control them."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chuxiong.settings")
    django.setup()
    from django.core.management import call_command
    from django.test import Client
    from django.utils import timezone

    with open(os.devnull, "w") as nowhere:
        call_command("migrate", database="owner", verbosity=0)
        for command in (("front", "prepare"), ("office", "sync"), ("feed", "sync"), ("rule", "sync")):
            call_command(*command, stdout=nowhere)
    from chuxiong.accounts.models import Person
    from dashboard.walls import registry

    Person.objects.using("owner").create(
        username="bench",
        name="示例",
        password="!nobody",  # noqa: S106
        office_id="532300",
        roles=["dispatcher"],
    )
    who, now, tokens = Person.objects.get(username="bench"), timezone.now(), []
    registry.save_group(by=who, code="bench", zh="示例", en="Bench", at=now)
    for n in range(count):
        code, secret = registry.offer(at=now)
        registry.save_screen(by=who, code=f"S{n}", group="bench", fields=_SIZE, at=now)
        registry.pair(by=who, screen=f"S{n}", code=code, at=now)
        tokens.append((registry.collect(secret, at=now) or ("", ""))[0])
    client = Client()
    client.force_login(who)
    return tokens, client.cookies["sessionid"].value


def _measure(address: str, tokens: list[str], session: str, switches: int) -> list[Figure]:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        desk = browser.new_context()
        desk.add_cookies([{"name": "sessionid", "value": session, "url": address}])
        _answers(desk, address)
        desk.request.get(f"{address}/wall/console/screens")
        csrf = next(c["value"] for c in desk.cookies() if c["name"] == "csrftoken")
        walls = [_screen(browser, address, token) for token in tokens]
        slowed = walls[1].context.new_cdp_session(walls[1])
        slowed.send("Emulation.setCPUThrottlingRate", {"rate": 4})
        print(f"{len(walls)} screens are ready")
        spreads: dict[str, list[float]] = {"light": [], "real": []}
        for n in range(switches + len(REAL) * 2):
            kind, scene = ("light", LIGHT[n % 2]) if n < switches else ("real", REAL[n % len(REAL)])
            made = desk.request.post(
                f"{address}/wall/console/act/show",
                data=json.dumps({"group": "bench", "scene": scene}),
                headers={"Content-Type": "application/json", "X-CSRFToken": csrf, "Referer": f"{address}/"},
            ).json()["switch"]
            if n == switches // 2:
                # In the middle of a switch: nobody may wait for it, and it is missed from then on.
                walls.pop().context.close()
            times = [_applied(wall, made) for wall in walls]
            spreads[kind].append(max(times) - min(times))
        browser.close()
    return [
        at_most("spread of the apply callback, p99", _part(spreads["light"], 0.99), "ms", SPREAD_TARGET),
        Figure("spread, median", _part(spreads["light"], 0.5), "ms"),
        Figure("spread, largest", round(max(spreads["light"]), 1), "ms"),
        Figure("spread of real scenes, largest", round(max(spreads["real"]), 1), "ms"),
        Figure("switches", len(spreads["light"]), ""),
        Figure("screens", len(tokens), ""),
    ]


def _part(values: list[float], part: float) -> float:
    """By nearest rank: the smallest value that so many of a hundred do not exceed."""
    return round(sorted(values)[max(0, math.ceil(len(values) * part) - 1)], 1)


def _answers(context: Any, address: str) -> None:
    end = time.monotonic() + 120
    while True:
        try:
            context.request.get(f"{address}/wall/snapshot")
            return
        except Exception:
            if time.monotonic() > end:
                raise
            time.sleep(0.3)


def _screen(browser: Any, address: str, token: str) -> Any:
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.add_cookies([{"name": "screen", "value": token, "url": address}])
    page = context.new_page()
    page.set_default_timeout(120_000)
    page.add_init_script(_NOTE)
    page.goto(f"{address}/wall/screen")
    page.wait_for_selector(".canvas.w-on")
    return page


def _applied(page: Any, switch: int) -> float:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if found := page.evaluate("(n) => window.applied[n] || 0", switch):
            return float(found)
        page.wait_for_timeout(30)
    raise RuntimeError(f"a screen never applied switch {switch}")


if __name__ == "__main__":
    raise SystemExit(main())
