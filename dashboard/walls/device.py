"""What one screen reads and says, under its own token: its timeline, that it is ready, how it is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from dashboard.models import Interrupt, Screen, ScreenHealth, ScreenState, Switch, Visit
from dashboard.walls import programme, registry
from dashboard.walls.programme import Cover, Piece
from dashboard.walls.settings import switching
from dashboard.walls.switching import applies, ms


def ready(screen: Screen, switch: int, *, at: datetime) -> bool:
    """The screen has prepared a switch. True when with it the last one was ready and the moment is set."""
    with registry.device_scope(screen.token_digest):
        found = Switch.objects.select_for_update().filter(pk=switch).first()
        if found is None or screen.pk not in found.screens or found.apply_at is not None:
            return False
        if screen.pk not in found.ready:
            found.ready = [*found.ready, screen.pk]
        done = set(found.expected) <= set(found.ready)
        moment = at + timedelta(seconds=switching().lead_seconds.value)
        # Never later than was said, never in the past: what a screen already knows may only come nearer.
        if done and moment < found.latest:
            found.apply_at = moment
        found.save(update_fields=["ready", "apply_at"])
        if found.apply_at is not None:
            registry.poke(found.screens)
        return found.apply_at is not None


def pieces(screen: Screen, *, at: datetime) -> tuple[list[Piece], int, int]:
    """(what the screen shows from now on, the switch it belongs to, the visit that masks it or 0)."""
    with registry.device_scope(screen.token_digest):
        return timeline(screen, at=at)


def timeline(screen: Screen, *, at: datetime) -> tuple[list[Piece], int, int]:
    """The same, within the scope of whoever asks."""
    state = ScreenState.objects.select_related("switch").filter(screen=screen).first()
    visit = Visit.objects.filter(office=screen.office, ended_at=None).first()
    now = ms(at)
    found = programme.timeline(
        before=state.before if state else programme.RESTING,
        after=state.after if state else programme.RESTING,
        applies=applies(state.switch if state else None),
        switch=(state.switch_id or 0) if state else 0,
        covers=[] if visit else covers(screen.office, at=at),
        now=now,
        horizon=int(switching().horizon_seconds.value * 1000),
    )
    return found, (state.switch_id or 0) if state else 0, visit.pk if visit else 0


def covers(office: str, *, at: datetime) -> list[Cover]:
    running = Interrupt.objects.filter(office=office, begins__isnull=False, ends__gt=at)
    return [
        Cover(ms(row.begins), ms(row.ends), row.scene, row.params, {"zh": row.title_zh, "en": row.title_en})
        for row in running
        if row.begins and row.ends
    ]


def dropped_out(screen: Screen, *, at: datetime) -> None:
    """Its socket is gone: nobody waits for it until it is heard again."""
    with registry.device_scope(screen.token_digest):
        ScreenHealth.objects.filter(screen=screen).update(gone_at=at)


#: what a screen may say of itself, and the bounds of it
_NUMBERS = {"drift_ms": 1e7, "offset_ms": 1e13, "latency_ms": 1e6, "frames_per_second": 1000, "heap_mb": 1e6}


def heard(screen: Screen, said: Mapping[str, Any], *, at: datetime) -> None:
    """What a screen says of itself every few seconds. Odd values are dropped, never stored."""
    values: dict[str, Any] = {"seen_at": at, "gone_at": None}
    for name, most in _NUMBERS.items():
        value = said.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= most:
            values[name] = float(value)
    for name in ("width_px", "height_px", "visit", "switch"):
        value = said.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**31:
            values[name] = value
    for name in ("scene", "version"):
        value = said.get(name)
        if isinstance(value, str) and len(value) <= 40:
            values[name] = value
    for name in ("data_at", "applied_at"):
        value = said.get(name)
        if isinstance(value, int | float) and 1e12 < value < 1e13:
            values[name] = datetime.fromtimestamp(value / 1000, tz=at.tzinfo)
    problems = said.get("problems")
    if isinstance(problems, list):
        values["problems"] = [str(p)[:40] for p in problems[:10]]
    with registry.device_scope(screen.token_digest):
        ScreenHealth.objects.update_or_create(screen=screen, defaults=values)
