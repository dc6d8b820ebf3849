"""Cameras on walls: played for a screen while a scene with cameras is on it, never for visitors without approval.

Nobody signs in at a wall, so there is no ticket of a person: whoever put the scene there stands in the audit, and the
screen's own opening of each camera does, too.
"""

from __future__ import annotations

import threading
from datetime import datetime

from django.utils import timezone

from chuxiong.accounts.scope import all_offices, scope
from chuxiong.audit.record import record
from dashboard.models import Screen
from dashboard.walls import device
from dashboard.walls.refused import WallRefused
from dashboard.walls.spec import scenes
from ingestion.cameras.providers import PIECE, NoSignal, StreamProvider, provider
from ingestion.cameras.viewing import stopped
from ingestion.models import Camera

#: (screen, camera, hour) whose opening stands in the audit already; of this process
_written: set[tuple[int, int, str]] = set()
_lock = threading.Lock()
#: a scene about to come may already fetch its pictures
_AHEAD_MS = 10_000


def _opened(screen: Screen, pk: int, at: datetime) -> Camera:
    pieces, _switch, visit = device.pieces(screen, at=at)
    now = int(at.timestamp() * 1000)
    near = [p for p in pieces if p.since <= now + _AHEAD_MS]
    if not any(p.scene in scenes() and scenes()[p.scene].cameras for p in near):
        raise WallRefused(403, "这块屏现在的场景没有摄像机", "the scene on this screen has no cameras")
    with scope(offices=all_offices()):
        camera = Camera.objects.filter(pk=pk).first()
        if camera is None:
            raise WallRefused(404, "没有这个摄像机", "no such camera")
        if visit and not camera.public_approved:
            raise WallRefused(403, "未获准向来访者播放", "not approved for visitors")
        if why := stopped(camera, at=at):
            raise WallRefused(409, *why)
    return camera


def playlist(screen: Screen, pk: int, *, at: datetime) -> str:
    camera = _opened(screen, pk, at)
    hour = f"{timezone.localtime(at):%Y%m%d%H}"
    with _lock:
        new = (screen.pk, pk, hour) not in _written
        if new:
            _written.add((screen.pk, pk, hour))
            if len(_written) > 5000:
                _written.clear()
    if new:
        record(
            at=at, actor=f"screen:{screen.code}", office=screen.office, action="camera.wall", object_kind="camera",
            object_ref=f"{camera.code[:10]}-{camera.code[10:]}", detail={"screen": screen.code},
        )  # fmt: skip
    try:
        return _provider(camera).playlist(camera.code, at.timestamp())
    except NoSignal as error:
        raise WallRefused(502, error.zh, error.en) from error


def piece(screen: Screen, pk: int, name: str, *, at: datetime) -> bytes:
    camera = _opened(screen, pk, at)
    if not PIECE.match(name):
        raise WallRefused(404, "没有这个片段", "no such piece")
    try:
        body = _provider(camera).piece(camera.code, name, at.timestamp())
    except NoSignal as error:
        raise WallRefused(502, error.zh, error.en) from error
    if body is None:
        raise WallRefused(404, "片段已过时", "the piece is no longer there")
    return body


def _provider(camera: Camera) -> StreamProvider:
    return provider(camera.provider)
