"""Acts on screens: the one writer of what they show.

An act writes what each screen shows from a moment on that is not yet fixed. Screens prepare and say that they are ready;
when the last of those that were alive says so, the moment becomes now plus the lead. Whoever is missing does not hold the
others up: at ``latest`` the act applies in any case, and every screen knows that moment beforehand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from dashboard.models import (
    Playlist,
    Schedule,
    Screen,
    ScreenHealth,
    ScreenState,
    Switch,
)
from dashboard.walls import programme, registry
from dashboard.walls.refused import WallRefused
from dashboard.walls.settings import switching
from dashboard.walls.spec import scenes


def ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def alive(health: ScreenHealth | None, at: datetime) -> bool:
    """Whether the screen was heard of late and its socket has not gone since."""
    if health is None or (health.gone_at is not None and health.gone_at >= health.seen_at):
        return False
    return at - health.seen_at <= timedelta(seconds=switching().alive_seconds.value)


def applies(switch: Switch | None) -> int | None:
    """The moment of a switch as far as it is known, milliseconds since 1970."""
    return None if switch is None else ms(switch.apply_at or switch.latest)


# ---- acts --------------------------------------------------------------------------------------------


def show(
    *,
    by: Person,
    screens: Sequence[str],
    scene: str,
    params: Mapping[str, Any] | None = None,
    at: datetime,
) -> Switch:
    """Put one scene on screens."""
    known_scene(scene)
    wanted = {"kind": "scene", "scene": scene, "params": checked_params(params or {})}
    words = {"act": "scene", "scene": scene}
    return _act(by, screens, lambda _state, _now: wanted, words, at, "wall.switch")


def play(*, by: Person, screens: Sequence[str], playlist: str, at: datetime) -> Switch:
    """Let screens play a playlist from its beginning, all at the same place of it."""
    with person_scope(by):
        found = Playlist.objects.filter(code=playlist).first()
    if found is None:
        raise WallRefused(404, "没有这个轮播", "no such playlist")
    items = checked_items(found.items)
    latest = ms(at + timedelta(seconds=switching().prepare_seconds.value + switching().lead_seconds.value))
    wanted = {"kind": "playlist", "items": items, "since": latest, "name": found.code}
    words = {"act": "playlist", "playlist": playlist}
    return _act(by, screens, lambda _state, _now: wanted, words, at, "wall.switch")


def by_schedule(*, by: Person, screens: Sequence[str], at: datetime) -> Switch:
    """Let screens follow the schedule of their group."""
    with person_scope(by):
        groups = set(Screen.objects.filter(code__in=screens).values_list("group", flat=True))
        entries = [
            {
                "days": list(row.days),
                "begins": f"{row.begins:%H:%M}",
                "ends": f"{row.ends:%H:%M}",
                "items": checked_items(row.playlist.items),
            }
            for row in Schedule.objects.filter(group__in=groups).select_related("playlist")
        ]
    if not entries:
        raise WallRefused(
            409, "这个屏组没有时间表；请先在轮播里添加", "this group has no schedule; add one first"
        )
    wanted = {"kind": "schedule", "entries": entries, "otherwise": dict(programme.RESTING)}
    return _act(by, screens, lambda _state, _now: wanted, {"act": "schedule"}, at, "wall.switch")


def hold(*, by: Person, screens: Sequence[str], at: datetime) -> Switch:
    """Keep what is on: playlists stop turning and nothing is put in between."""

    def held(state: ScreenState, now: int) -> Mapping[str, Any]:
        on = _in_force(state, now)
        if on.get("held") or on["kind"] == programme.BLANK:
            return on
        piece = programme.unroll(on, now, now + 1000)[0]
        return {"kind": "scene", "scene": piece.scene, "params": dict(piece.params), "held": True, "back": on}

    return _act(by, screens, held, {"act": "hold"}, at, "wall.hold")


def blank(*, by: Person, screens: Sequence[str], at: datetime) -> Switch:
    """Nothing but a dark canvas, until it is taken back."""

    def dark(state: ScreenState, now: int) -> Mapping[str, Any]:
        on = _in_force(state, now)
        return on if on["kind"] == programme.BLANK else {"kind": programme.BLANK, "back": on}

    return _act(by, screens, dark, {"act": "blank"}, at, "wall.blank")


def resume(*, by: Person, screens: Sequence[str], at: datetime) -> Switch:
    """Take back a hold or a blank: what was on before goes on."""

    def back(state: ScreenState, now: int) -> Mapping[str, Any]:
        on = _in_force(state, now)
        return on.get("back") or on

    return _act(by, screens, back, {"act": "resume"}, at, "wall.resume")


def _act(
    by: Person, codes: Sequence[str], wanted: Any, words: dict[str, Any], at: datetime, action: str
) -> Switch:
    if not codes:
        raise WallRefused(400, "请至少选择一块屏", "choose at least one screen")
    now = ms(at)
    with person_scope(by):
        chosen = list(Screen.objects.filter(code__in=codes).order_by("pk"))
        if missing := set(codes) - {s.code for s in chosen}:
            named = "、".join(sorted(missing))
            raise WallRefused(404, f"没有这些屏，或不在您的范围内：{named}", f"no such screens: {named}")
        ids = [s.pk for s in chosen]
        states = {
            s.screen_id: s
            for s in ScreenState.objects.select_for_update(of=("self",))
            .select_related("switch")
            .filter(screen__in=ids)
            .order_by("pk")
        }
        health = {h.screen_id: h for h in ScreenHealth.objects.filter(screen__in=ids)}
        expected = [pk for pk in ids if alive(health.get(pk), at)]
        prepare, lead = switching().prepare_seconds.value, switching().lead_seconds.value
        latest = at + timedelta(seconds=(prepare if expected else 0) + lead)
        switch = Switch.objects.create(
            office=by.office_id,
            screens=ids,
            expected=expected,
            made_at=at,
            made_by=by.username,
            latest=latest,
            words=words,
        )
        for screen in chosen:
            state = states[screen.pk]
            after = wanted(state, now)
            state.before, state.after, state.switch = _in_force(state, now), after, switch
            state.save()
        record(
            at=at,
            actor=by.username,
            office=by.office_id,
            action=action,
            object_kind="switch",
            object_ref=str(switch.pk),
            detail={**words, "screens": sorted(s.code for s in chosen)},
        )
        registry.poke(ids)
    return switch


def _in_force(state: ScreenState, now: int) -> Mapping[str, Any]:
    moment = applies(state.switch)
    return state.after if moment is None or moment <= now else state.before


def known_scene(scene: str) -> None:
    if scene not in scenes():
        raise WallRefused(404, f"没有场景 {scene}", f"no scene {scene}")


#: what may be said of a scene, and of which kind
_PARAMS = {"camera": int, "km": float, "river": str}


def checked_params(params: Mapping[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in params.items():
        kind = _PARAMS.get(name)
        try:
            if kind is None:
                raise ValueError(name)
            found[name] = kind(value)
        except (TypeError, ValueError) as error:
            raise WallRefused(
                400, f"场景参数 {name} 不可用", f"the parameter {name} cannot be used"
            ) from error
    return found


def checked_items(items: Any) -> list[dict[str, Any]]:
    """The pieces of a playlist; raises ``WallRefused`` naming the one that cannot be played."""
    if not isinstance(items, list) or not 1 <= len(items) <= 40:
        raise WallRefused(400, "轮播要有 1 到 40 个场景", "a playlist holds 1 to 40 scenes")
    found = []
    for n, item in enumerate(items, start=1):
        try:
            scene, seconds = str(item["scene"]), int(item.get("seconds") or 0)
        except (KeyError, TypeError, ValueError) as error:
            raise WallRefused(
                400, f"轮播第 {n} 项不可用", f"item {n} of the playlist cannot be used"
            ) from error
        if scene not in scenes():
            raise WallRefused(400, f"轮播第 {n} 项：没有场景 {scene}", f"item {n}: no scene {scene}")
        seconds = seconds or scenes()[scene].seconds
        if not 5 <= seconds <= 3600:
            raise WallRefused(400, f"轮播第 {n} 项：时长应为 5 到 3600 秒", f"item {n}: 5 to 3600 seconds")
        found.append({"scene": scene, "seconds": seconds, "params": checked_params(item.get("params") or {})})
    return found
