"""What the players open: the overview for everybody in the house, a screen by its token, its pairing, its pictures."""

from __future__ import annotations

import json
import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.utils import timezone
from django.utils.translation import get_language, override
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST, require_safe

from dashboard.models import Screen
from dashboard.walls import blocks, device, registry, streams
from dashboard.walls.refused import WallRefused
from dashboard.walls.snapshot import snapshot
from dashboard.walls.spec import scenes
from dashboard.walls.state import state, version
from dashboard.walls.words import drawn_scenes, english, words

_YEAR = 366 * 86400


def _frame() -> dict[str, Any]:
    return {
        "setting": {
            "words": words(),
            "scenes": drawn_scenes(),
            "english": english(),
            "version": version(),
            "map": static("map/counties.json"),
            "worker": static("vendor/hls.js/1.7.4/hls.worker.js"),
        }
    }


@require_safe
@never_cache
def overview(request: HttpRequest) -> HttpResponse:
    """The overview scene for whoever is in the house; ``?lang=en`` for English."""
    with override(request.GET.get("lang") or get_language()):
        return render(request, "walls/overview.html", _frame())


@require_safe
@never_cache
def now(request: HttpRequest) -> JsonResponse:
    """The snapshot, for screens whose socket is down."""
    return JsonResponse(snapshot(since=time.monotonic() - 1))


def _screen(request: HttpRequest) -> Screen | None:
    return registry.screen_of(request.COOKIES.get(settings.SCREEN_COOKIE, ""))


def _not_paired() -> JsonResponse:
    return JsonResponse({"paired": False}, status=401)


def _cookie(answer: HttpResponse, name: str, value: str, age: int) -> None:
    answer.set_cookie(name, value, max_age=age, httponly=True, secure=settings.SECURE, samesite="Strict")


@require_safe
@never_cache
def screen(request: HttpRequest) -> HttpResponse:
    """The player of a paired screen; one that is not shows a pairing code and waits (401)."""
    found = _screen(request)
    if found is not None:
        with override(found.language):
            return render(request, "walls/screen.html", _frame() | {"screen": found})
    with override(request.GET.get("lang") or get_language()):
        try:
            code, secret = registry.offer(at=timezone.now())
        except WallRefused as refused:
            why = refused.en if english() else refused.zh
            return render(request, "walls/pair.html", {"why": why}, status=refused.status)
        shown = f"{code[:3]} {code[3:]}"
        answer = render(request, "walls/pair.html", {"code": shown}, status=401)
        _cookie(answer, settings.PAIRING_COOKIE, secret, 3600)
        return answer


# The two below are asked by players, which have no person's rights and no form: what they hold is a cookie that no
# other site's page can make a browser send (SameSite=Strict), and it opens one screen.
@csrf_exempt
@require_POST
@never_cache
def pairing(request: HttpRequest) -> HttpResponse:
    """Whether somebody has typed the code: 202 not yet, 200 with the token in a cookie, 410 too late."""
    try:
        made = registry.collect(request.COOKIES.get(settings.PAIRING_COOKIE, ""), at=timezone.now())
    except WallRefused as refused:
        return JsonResponse({"why": refused.en if english() else refused.zh}, status=refused.status)
    if made is None:
        return JsonResponse({"paired": False}, status=202)
    answer = JsonResponse({"paired": True, "screen": made[1]})
    _cookie(answer, settings.SCREEN_COOKIE, made[0], _YEAR)
    answer.delete_cookie(settings.PAIRING_COOKIE)
    return answer


@csrf_exempt
@require_POST
@never_cache
def heard(request: HttpRequest) -> JsonResponse:
    """A screen whose socket is down says how it is and is told what to show."""
    found = _screen(request)
    if found is None:
        return _not_paired()
    at = timezone.now()
    try:
        said = json.loads(request.body or b"{}")
        if not isinstance(said, dict) or len(request.body) > 4096:
            raise ValueError
    except ValueError:
        return JsonResponse({"why": "JSON"}, status=400)
    device.heard(found, said, at=at)
    if isinstance(said.get("ready"), int):
        device.ready(found, said["ready"], at=at)
    return JsonResponse(state(found, at=at))


@require_safe
@never_cache
def data(request: HttpRequest, scene: str) -> HttpResponse:
    """The blocks of a scene, for a screen whose socket is down."""
    found = _screen(request)
    if found is None:
        return _not_paired()
    if scene not in scenes():
        return JsonResponse({"why": scene}, status=404)
    visit = device.pieces(found, at=timezone.now())[2]
    text = blocks.text(scenes()[scene].blocks, scene=scene, visitors=bool(visit), since=time.monotonic() - 1)
    return HttpResponse(text, content_type="application/json")


@require_safe
@never_cache
def stream(request: HttpRequest, camera: int) -> HttpResponse:
    """The playlist of a camera that this screen shows."""
    found = _screen(request)
    if found is None:
        return _not_paired()
    try:
        text = streams.playlist(found, camera, at=timezone.now())
    except WallRefused as refused:
        return JsonResponse({"why": refused.en if english() else refused.zh}, status=refused.status)
    return HttpResponse(text, content_type="application/vnd.apple.mpegurl")


_TYPES = {"mp4": "video/mp4", "m4s": "video/iso.segment", "ts": "video/mp2t"}


@require_safe
@never_cache
def piece(request: HttpRequest, camera: int, name: str) -> HttpResponse:
    found = _screen(request)
    if found is None:
        return _not_paired()
    try:
        body = streams.piece(found, camera, name, at=timezone.now())
    except WallRefused as refused:
        return JsonResponse({"why": refused.en if english() else refused.zh}, status=refused.status)
    return HttpResponse(body, content_type=_TYPES[name.rpartition(".")[2]])
