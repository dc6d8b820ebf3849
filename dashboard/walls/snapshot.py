"""What a wall shows at one moment, built once per event and shared by all screens of the process."""

from __future__ import annotations

import threading
import time
from dataclasses import asdict
from typing import Any

from django.db import connections, transaction
from django.utils import timezone

from dashboard.indicators.alarms import alarms
from dashboard.indicators.feeds import freshness_of_feeds
from dashboard.indicators.funnel import by_county, funnel, latest, stages

_lock = threading.Lock()
_cached: tuple[float, dict[str, Any]] | None = None


def snapshot(*, since: float) -> dict[str, Any]:
    """The overview as JSON-ready data, read on the wall's own role in one consistent view.

    ``since`` (``time.monotonic``) is the moment the caller must not be older than: five hundred screens
    poked by one event share the one snapshot that was built after it.
    """
    global _cached
    with _lock:
        if _cached and _cached[0] >= since:
            return _cached[1]
        started = time.monotonic()
        built = _build()
        _cached = (started, built)
        return built


def _build() -> dict[str, Any]:
    with transaction.atomic(using="wall"), connections["wall"].cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read")
        cursor.execute("select last from wall_event")
        last = cursor.fetchone()[0]
        return {
            "kind": "snapshot",
            "event": last,
            "generated_at": timezone.now().isoformat(),
            "funnel": asdict(funnel()),
            "stages": stages(),
            "counties": by_county(),
            "latest": latest(),
            "alarms": alarms(),
            "feeds": freshness_of_feeds(),
        }
