"""What a screen is told: its timeline, its visit, how large its letters are. The same by socket and by plain HTTP."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache
from typing import Any

from django.conf import settings

from dashboard.models import Screen
from dashboard.walls import device
from dashboard.walls.legibility import reading
from dashboard.walls.spec import scenes
from dashboard.walls.switching import ms


@lru_cache(maxsize=1)
def version() -> str:
    """Changes with every release of the pages: screens load themselves anew at the next change of scene."""
    found = settings.BASE_DIR / "dashboard" / "static" / "js" / "wall"
    times = [int(path.stat().st_mtime) for path in sorted(found.glob("*.js"))]
    return f"{max(times, default=0):x}"


def state(screen: Screen, *, at: datetime) -> dict[str, Any]:
    """``timeline`` in milliseconds of the server's clock, ``now`` by the same clock."""
    pieces, switch, visit = device.pieces(screen, at=at)
    return {
        "kind": "state",
        "now": ms(at),
        "switch": switch,
        "visit": visit,
        "version": version(),
        "timeline": [
            {
                "since": p.since, "until": p.until, "scene": p.scene, "params": dict(p.params), "why": p.why,
                "switch": p.switch, "title": dict(p.title) if p.title else None,
            }
            for p in pieces
        ],
        "screen": {"code": screen.code, "scales": scales(screen)},
    }  # fmt: skip


def scales(screen: Screen) -> dict[str, float]:
    """Scene → by how much its letters grow on this screen."""
    return {
        code: reading(
            height_px=screen.height_px,
            pitch_mm=screen.pitch_mm,
            distance_m=screen.distance_m,
            smallest_units=scene.smallest,
        ).scale
        for code, scene in scenes().items()
    }
