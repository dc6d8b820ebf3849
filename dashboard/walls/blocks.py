"""The blocks of data that scenes draw from, each built once per event and shared by every screen of the process.

A block that cannot be built says so and leaves the others alone. In visitor mode blocks are built without what
visitors are not to see, so that nothing else can be sent.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from dashboard.indicators import flow, money, pairs, river
from dashboard.indicators.alarms import alarms
from dashboard.indicators.feeds import freshness_of_feeds
from dashboard.indicators.funnel import by_county, funnel, latest, stages

logger = logging.getLogger(__name__)
#: seconds after which what changes with the clock alone is built anew
_STALE = 60.0
#: pool feeds that a block reads: unchanged landings, unchanged block
_RESTS_ON = {
    "river": ("ee_surface_water", "ee_auto_monitor", "wr_river_patrol"),
    "water": ("ee_surface_water",),
    "exceedance": ("ee_auto_monitor",),
}


def _alarms(visitors: bool) -> dict[str, Any]:
    found = alarms(limit=12)
    if visitors:
        found["latest"] = []
    return {**found, "counties": flow.alarms_by_county(), "masked": visitors}


def _latest(visitors: bool) -> dict[str, Any]:
    """Visitors are told that clues move, not where: a village and a kind of matter can point at somebody."""
    return {"rows": [] if visitors else latest(), "masked": visitors}


def _cameras(visitors: bool) -> dict[str, Any]:
    found = flow.cameras()
    if visitors:
        found = [c if c["approved"] else {**c, "playing": False, "still": True} for c in found]
    return {"cameras": found, "masked": visitors}


def _river(visitors: bool) -> dict[str, Any]:
    found = river.river()
    if visitors:
        found["problems"] = [{**p, "at": p["at"][:10]} for p in found.get("problems", [])]
    return found


BUILDERS: dict[str, Callable[[bool], Any]] = {
    "funnel": lambda _: asdict(funnel()),
    "stages": lambda _: stages(),
    "counties": lambda _: by_county(),
    "latest": _latest,
    "alarms": _alarms,
    "feeds": lambda _: freshness_of_feeds(),
    "landings": lambda _: flow.landings(),
    "flow": lambda _: flow.flow(),
    "models": lambda _: flow.models(),
    "cameras": _cameras,
    "river": _river,
    "water": lambda _: river.water(),
    "exceedance": lambda _: river.exceedance(),
    "losses": lambda _: money.losses(),
    "wages": lambda _: money.wages(),
    "results": lambda _: money.results(),
    "pairs": lambda visitors: {"rows": pairs.pairs(visitors), "masked": visitors},
}

_lock = threading.Lock()
#: (block, visitors) → built at (monotonic), landings it rests on, the block
_kept: dict[tuple[str, bool], tuple[float, tuple[int, ...], Any]] = {}


def build(names: Iterable[str], *, visitors: bool, since: float) -> dict[str, Any]:
    """``{"event", "generated_at", "blocks", "failed"}`` in one consistent view on the wall's own role.

    ``since`` (``time.monotonic``): blocks built after it are taken as they are. What rests on the pool is read again
    only when something landed there.
    """
    wanted = sorted(set(names))
    with _lock:
        blocks: dict[str, Any] = {}
        failed: list[str] = []
        with transaction.atomic(using="wall"), connections["wall"].cursor() as cursor:
            cursor.execute("set transaction isolation level repeatable read")
            cursor.execute("select last from wall_event")
            event = cursor.fetchone()[0]
            landed: dict[str, int] = {}
            if any(name in _RESTS_ON for name in wanted):
                cursor.execute("select feed, landings from wall_feed")
                landed = dict(cursor.fetchall())
            for name in wanted:
                found = _block(name, visitors, since, landed)
                if found is None:
                    failed.append(name)
                else:
                    blocks[name] = found
    return {"event": event, "generated_at": timezone.now().isoformat(), "blocks": blocks, "failed": failed}


def _block(name: str, visitors: bool, since: float, landed: dict[str, int]) -> Any:
    now = time.monotonic()
    stamp = tuple(landed.get(feed, 0) for feed in _RESTS_ON.get(name, ()))
    kept = _kept.get((name, visitors))
    if kept and (kept[0] >= since or (stamp and kept[1] == stamp and now - kept[0] < _STALE)):
        return kept[2]
    try:
        with transaction.atomic(using="wall"):
            found = BUILDERS[name](visitors)
    except Exception:
        logger.exception("block %s of the walls was not built", name)
        return None
    _kept[name, visitors] = (now, stamp, found)
    return found


def text(names: Iterable[str], *, scene: str, visitors: bool, since: float) -> str:
    """The blocks of a scene as the message that screens receive."""
    built = build(names, visitors=visitors, since=since)
    return json.dumps({"kind": "data", "scene": scene, "visitors": visitors, **built}, ensure_ascii=False)


def forget() -> None:
    """Drop what is kept (tests, a changed visitor mode)."""
    with _lock:
        _kept.clear()
