"""500 screens hear of one event: committed → received, beside the least that could send the same bytes; and the memory
of a page that is updated 2,000 times.

The event is a real one: a clue entered by a person, with its number, event and audit rows; the clock starts when its
transaction has committed. The peer is a bare uvicorn application that sends one text from Redis to its sockets
(``bench/fanout_bare.py``), started with the same options, at the same number of clients, in turns with ours.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench.report import ROOT, Figure, at_most, processor_of, write

CLIENTS, ROUNDS, UPDATES = 500, 40, 2000
#: milliseconds from the commit to the last of 99 of 100 clients, and how often what the bare one takes
P99_TARGET, BARE_TARGET = 300.0, 1.2
#: percent by which the memory of a page may have grown between the first updates and the last
GROWTH_TARGET = 5.0
#: updates after which a page holds what it will hold
SETTLED = 200
SCENES = ("overview", "river")
#: options of both servers: those of the product
_SERVER = ["--ws", "websockets", "--log-level", "warning"]
_FLAGS = ["--no-sandbox", "--disable-gpu", "--enable-precise-memory-info"]
_HEALTH = json.dumps(
    {"kind": "health", "scene": "overview", "visit": 0, "drift_ms": 1.5, "frames_per_second": 60}
)
_PING = json.dumps({"kind": "ping", "sent": 1.0})
#: keeps the page's socket and the last data that came by it
_KEEP = """(() => { const Real = WebSocket; window.WebSocket = class extends Real {
  constructor(...given) { super(...given); window.socket = this;
    this.addEventListener('message', (e) => { if (e.isTrusted && JSON.parse(e.data).kind === 'data') window.said = e.data; }); } }; })()"""
#: the page receives the message again and again with other figures, one a frame
_AGAIN = """async ([from, to]) => {
  for (let n = from; n < to; n += 1) {
    const message = JSON.parse(window.said);
    message.generated_at = new Date().toISOString();
    const { blocks } = message;
    if (blocks.funnel) { blocks.funnel.found += n; blocks.funnel.checked += n; }
    for (const row of blocks.counties || []) row.found += n % 97;
    if (blocks.latest) blocks.latest.rows = Array.from({ length: 12 }, (_, k) => ({ rule: `示例 ${n + k}`, rule_en: '', township: '', county: '示例', county_en: '', stage: 'raised', level: 'ordinary', at: message.generated_at }));
    for (const place of blocks.river?.places || []) if (place.kind === 'outfall') place.above = n % 5;
    window.socket.dispatchEvent(new MessageEvent('message', { data: JSON.stringify(message) }));
    await new Promise((done) => requestAnimationFrame(done));
  }
}"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fanout")
    parser.add_argument("--clients", type=int, default=CLIENTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--updates", type=int, default=UPDATES)
    options = parser.parse_args()
    from chuxiong.up import services

    folder = Path(tempfile.mkdtemp(prefix="cx-bench-"))
    load_before = os.getloadavg()[0]
    running = services.start(folder)
    children: list[subprocess.Popen[str]] = []
    try:
        os.environ.update(running.environment)
        os.environ["CHUXIONG_ROLE"] = "web"
        tokens = _prepare(options.clients)
        product, bare = (
            _serve(app, children) for app in ("chuxiong.asgi:application", "bench.fanout_bare:app")
        )
        clients = subprocess.Popen(
            [sys.executable, "-m", "bench.fanout_clients"],
            cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        children.append(clients)
        figures, notes = _fan_out(clients, product, bare, tokens, options.rounds, children[0].pid)
        figures += _memory(product[1], tokens[0], options.updates)
    finally:
        for child in children:
            child.kill()
            child.wait()
        from django.db import connections

        connections.close_all()
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
    return write("fanout", figures, notes={"load_before": round(load_before, 2)} | notes)


def _prepare(count: int) -> list[str]:
    """The demo's agreements, rivers and cameras, one who enters clues, and screens that are paired already."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chuxiong.settings")
    django.setup()
    from django.core.management import call_command
    from django.utils import timezone

    with open(os.devnull, "w") as nowhere:
        call_command("migrate", database="owner", verbosity=0)
        for words in (("front", "prepare"), ("office", "sync"), ("feed", "sync"), ("rule", "sync")):
            call_command(*words, stdout=nowhere)
    # People are made by the owner of the tables, in a process of its own; this one acts as a page does.
    owned = os.environ | {"CHUXIONG_ROLE": "owner"}
    subprocess.run(
        [sys.executable, "manage.py", "demo", "seed"], cwd=ROOT, env=owned, check=True, capture_output=True
    )
    from chuxiong.accounts.models import Person
    from dashboard.models import Screen, ScreenState, WallGroup
    from dashboard.walls import programme, registry

    Person.objects.using("owner").create(
        username="bench", name="示例", password="!nobody", office_id="532300", roles=["dispatcher"]  # noqa: S106
    )  # fmt: skip
    owner, now = WallGroup.objects.using("owner"), timezone.now()
    group = owner.create(code="bench", name_zh="示例", name_en="Bench", office_id="532300")
    tokens = [secrets.token_urlsafe(32) for _ in range(count)]
    screens = Screen.objects.using("owner").bulk_create(
        Screen(
            group=group, office="532300", code=f"S{n}", name_zh=f"S{n}", name_en=f"S{n}", width_px=1920, height_px=1080,
            pitch_mm=2.5, distance_m=5, token_digest=registry.digest(token), paired_at=now, paired_by="bench",
        )
        for n, token in enumerate(tokens)
    )  # fmt: skip
    resting = dict(programme.RESTING)
    ScreenState.objects.using("owner").bulk_create(
        ScreenState(screen=screen, before=resting, after=resting) for screen in screens
    )
    return tokens


def _serve(app: str, children: list[subprocess.Popen[str]]) -> tuple[int, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "uvicorn", app, "--port", str(port), *_SERVER]
    children.append(subprocess.Popen(command, cwd=ROOT, env=os.environ.copy(), text=True))
    end = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return port, f"http://127.0.0.1:{port}"
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


def _ask(clients: subprocess.Popen[str], **words: Any) -> Any:
    assert clients.stdin and clients.stdout
    clients.stdin.write(json.dumps(words) + "\n")
    clients.stdin.flush()
    line = clients.stdout.readline()
    if not line:
        raise RuntimeError("the clients have gone")
    return json.loads(line)


def _fan_out(
    clients: Any, product: tuple[int, str], bare: tuple[int, str], tokens: list[str], rounds: int, server: int
) -> tuple[list[Figure], dict[str, object]]:
    from django.conf import settings

    cookies = [f"{settings.SCREEN_COOKIE}={token}" for token in tokens]
    want = json.dumps({"kind": "want", "scene": "overview"})
    _ask(clients, do="open", group="product", port=product[0], path="/ws/screen/", cookies=cookies, want=want)
    _ask(clients, do="open", group="bare", port=bare[0], path="/", cookies=["" for _ in tokens])
    print(f"{len(tokens)} screens and as many bare sockets are open")
    _ask(clients, do="say", group="product", said=[_PING], every=5.0)
    ours: list[float] = []
    theirs: list[float] = []
    spent, text = 0.0, ""
    for n in range(rounds + 2):
        before = processor_of(server)
        times, text = _round(clients, "product", lambda _text: _enter(), "")
        used = processor_of(server) - before
        peers, _same = _round(clients, "bare", _publish, text)
        if n >= 2:
            ours, theirs, spent = ours + times, theirs + peers, spent + used
    # As a wall of five hundred would: every player says how it is every five seconds, which is written down.
    _ask(clients, do="say", group="product", said=[_PING, _HEALTH], every=5.0)
    time.sleep(5)
    spoken: list[float] = []
    for _ in range(max(2, rounds // 4)):
        spoken += _round(clients, "product", lambda _text: _enter(), "")[0]
    _ask(clients, do="say", group="product", said=[], every=5.0)
    p99, peer = _part(ours, 0.99), _part(theirs, 0.99)
    print(f"p99 {p99} ms, of the bare broadcast {peer} ms")
    return [
        Figure("committed → received, p99", p99, "ms", P99_TARGET, p99 <= P99_TARGET, peer),
        at_most("p99 by that of the bare broadcast", round(p99 / peer, 3), "×", BARE_TARGET),
        Figure("committed → received, median", _part(ours, 0.5), "ms", peer=_part(theirs, 0.5)),
        Figure("committed → received, p99, all screens reporting", _part(spoken, 0.99), "ms"),
        Figure("deliveries", len(ours), "", peer=len(theirs)),
        Figure("clients", len(tokens), ""),
        Figure("message", len(text.encode()), "bytes"),
        Figure("processor of the server for one event", round(spent / rounds * 1000, 1), "ms"),
    ], {"server": " ".join(_SERVER)}  # fmt: skip


def _enter() -> tuple[float, int]:
    """(when the transaction had committed, the number of its event)."""
    from django.db import connections, transaction
    from django.utils import timezone

    from chuxiong.accounts.models import Person
    from supervision.clues import actions

    now, moment = timezone.now(), []
    who = Person.objects.get(username="bench")
    with transaction.atomic():
        # First of what follows the commit, before anybody is told.
        transaction.on_commit(lambda: moment.append(time.monotonic()))
        actions.enter(
            by=who, at=now, title="示例事项", office="532301", township="示例镇", occurred_on=now.date(),
            level="ordinary", text="示例情况",
        )  # fmt: skip
    with connections["wall"].cursor() as cursor:
        cursor.execute("select last from wall_event")
        return moment[0], cursor.fetchone()[0]


def _publish(text: str) -> tuple[float, int]:
    import redis

    from bench.fanout_bare import CHANNEL

    global _peer
    _peer = _peer or redis.Redis.from_url(os.environ["CHUXIONG_REDIS_URL"])
    at = time.monotonic()
    _peer.publish(CHANNEL, text)
    return at, json.loads(text)["event"]


_peer: Any = None


def _round(clients: Any, group: str, act: Any, text: str) -> tuple[list[float], str]:
    """Milliseconds to each client, and the text that came."""
    at, event = act(text)
    end = time.monotonic() + 30
    while True:
        time.sleep(0.6)
        found = _ask(clients, do="take", group=group, event=event)
        if all(found["arrived"]):
            break
        if time.monotonic() > end:
            lost = sum(1 for one in found["arrived"] if one is None)
            raise RuntimeError(f"{lost} of {len(found['arrived'])} clients heard nothing of event {event}")
    _ask(clients, do="drop", group=group, event=event)
    return [(arrived - at) * 1000 for arrived in found["arrived"]], found["text"]


def _memory(address: str, token: str, updates: int) -> list[Figure]:
    """What a page of a wall holds after its garbage is collected, early and at the end."""
    from playwright.sync_api import sync_playwright

    figures = []
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=shutil.which("chromium"), args=_FLAGS)
        for scene in SCENES:
            context = browser.new_context(viewport={"width": 1366, "height": 768})
            context.add_cookies([{"name": "screen", "value": token, "url": address}])
            page = context.new_page()
            page.set_default_timeout(600_000)
            page.add_init_script(_KEEP)
            page.goto(f"{address}/wall/screen")
            page.wait_for_selector(".canvas.w-on")
            if scene != "overview":
                _show(scene)
                page.wait_for_selector(f".canvas.w-on:not(.w-going)[data-scene={scene}]")
            page.wait_for_function(
                "(code) => window.said && JSON.parse(window.said).scene === code", arg=scene
            )
            tools = context.new_cdp_session(page)
            early = _held(page, tools, 0, min(SETTLED, updates // 2))
            late = _held(page, tools, min(SETTLED, updates // 2), updates)
            grown = round((late[0] / early[0] - 1) * 100, 2)
            figures += [
                at_most(f"page of {scene}: growth over {updates} updates", grown, "%", GROWTH_TARGET),
                Figure(f"page of {scene}: memory at the end", round(late[0] / 2**20, 2), "MiB"),
                Figure(f"page of {scene}: nodes more than early", late[1] - early[1], ""),
            ]
            context.close()
        browser.close()
    return figures


def _show(scene: str) -> None:
    from django.utils import timezone

    from chuxiong.accounts.models import Person
    from dashboard.walls import switching

    # The driver keeps an event loop in this thread.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    switching.show(by=Person.objects.get(username="bench"), screens=["S0"], scene=scene, at=timezone.now())


def _held(page: Any, tools: Any, start: int, end: int) -> tuple[float, int]:
    """(bytes of the script's heap, nodes) after updates ``start`` to ``end`` and a collection."""
    page.evaluate(_AGAIN, [start, end])
    for _ in range(3):
        tools.send("HeapProfiler.collectGarbage")
    counters = tools.send("Memory.getDOMCounters")
    return float(tools.send("Runtime.getHeapUsage")["usedSize"]), int(counters["nodes"])


def _part(values: list[float], part: float) -> float:
    """By nearest rank."""
    return round(sorted(values)[max(0, math.ceil(len(values) * part) - 1)], 1)


if __name__ == "__main__":
    raise SystemExit(main())
