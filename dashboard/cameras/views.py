"""Cameras: up to nine at once or one, its stream by a ticket, and frames that were kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from chuxiong.accounts.models import Office
from dashboard.accounts.page import allowed
from dashboard.desk.page import page, person, pick
from ingestion.cameras import selectors, viewing
from ingestion.cameras.policy import policy
from ingestion.cameras.viewing import PERMISSIONS, ViewingRefused

_HLS = "application/vnd.apple.mpegurl"
_TYPES = {"mp4": "video/mp4", "m4s": "video/iso.segment", "ts": "video/mp2t"}


def _stay(request: HttpRequest) -> str:
    stay = getattr(request, "stay", None)
    return str(stay.pk) if stay else ""


def _refused(refused: ViewingRefused) -> JsonResponse:
    return JsonResponse({"why": pick(refused.zh, refused.en)}, status=refused.status)


def _frame_of_page() -> dict[str, Any]:
    """What the player needs to know and say, in the page's language."""
    limits = policy()
    return {
        "purposes": [(p.code, pick(p.zh, p.en)) for p in limits.purposes],
        "counties": {o.code: pick(o.short_zh, o.short_en) for o in Office.objects.all()},
        "player": {
            "worker": static("vendor/hls.js/1.7.4/hls.worker.js"),
            "stall": limits.stall_seconds.value,
            "words": {
                "asking": _("正在打开"),
                "live": _("实时"),
                "late": _("延迟"),
                "stalled": _("信号中断，正在重连"),
                "dead": _("没有信号"),
                "over": _("本次观看已到时"),
                "last": _("最后画面"),
                "kept": _("已定格"),
                "failed": _("没有保存"),
                "away": _("已暂停：页面不在前台"),
            },
        },
    }


@allowed(*PERMISSIONS)
@require_safe
def cameras(request: HttpRequest) -> HttpResponse:
    """The tiles; ``show`` names up to nine cameras, else the first that may be looked through."""
    at, who, most = timezone.now(), person(request), policy().most_tiles.value
    found = selectors.cameras(who, at=at)
    wanted = request.GET.getlist("show")
    shown = [row for row in found if row.camera.code in wanted]
    if not wanted:
        shown = [row for row in found if row.stopped is None][:4]
    codes = {row.camera.code for row in shown[:most]}
    context = _frame_of_page() | {
        "rows": [(row, row.camera.code in codes) for row in found],
        "tiles": shown[:most],
        "tile_count": len(shown[:most]),
        "most": most,
        "too_many": len(shown) > most,
        "frames": selectors.frames(who, most=6),
    }
    return page(request, "cameras/cameras.html", "cameras", context)


@allowed(*PERMISSIONS)
@require_safe
def camera(request: HttpRequest, code: str) -> HttpResponse:
    at, who = timezone.now(), person(request)
    row = selectors.camera(who, code, at=at)
    if row is None:
        raise Http404
    may_see_log = not who.permissions.isdisjoint({"order.give", "clue.hand_over"})
    context = _frame_of_page() | {
        "row": row,
        "camera": row.camera,
        "frames": selectors.frames(who, code),
        "viewings": selectors.viewings(who, code, at=at) if may_see_log else None,
    }
    return page(request, "cameras/camera.html", "cameras", context)


@allowed(*PERMISSIONS)
@require_POST
def play(request: HttpRequest, code: str) -> JsonResponse:
    """A ticket: the address of the stream, for this sign-in, once."""
    try:
        ticket = viewing.ask(
            code=code,
            purpose=request.POST.get("purpose", ""),
            by=person(request),
            stay=_stay(request),
            at=timezone.now(),
        )
    except ViewingRefused as refused:
        return _refused(refused)
    return JsonResponse(
        {
            "stream": reverse("cameras:variants", args=[ticket.token]),
            "close": reverse("cameras:close", args=[ticket.token]),
            "frame": reverse("cameras:keep", args=[ticket.token]),
            "until": ticket.until.isoformat(),
            "expires_at": ticket.expires_at.isoformat(),
        }
    )


@allowed(*PERMISSIONS)
@require_safe
def variants(request: HttpRequest, token: str) -> HttpResponse:
    try:
        text = viewing.open_(token, by=person(request), stay=_stay(request), at=timezone.now())
    except ViewingRefused as refused:
        return _refused(refused)
    return HttpResponse(text, content_type=_HLS)


@allowed(*PERMISSIONS)
@require_safe
def live(request: HttpRequest, token: str) -> HttpResponse:
    try:
        text = viewing.playlist(token, by=person(request), stay=_stay(request), at=timezone.now())
    except ViewingRefused as refused:
        return _refused(refused)
    return HttpResponse(text, content_type=_HLS)


@allowed(*PERMISSIONS)
@require_safe
def piece(request: HttpRequest, token: str, name: str) -> HttpResponse:
    try:
        body = viewing.piece(token, name, by=person(request), stay=_stay(request), at=timezone.now())
    except ViewingRefused as refused:
        return _refused(refused)
    return HttpResponse(body, content_type=_TYPES[name.rpartition(".")[2]])


@allowed(*PERMISSIONS)
@require_POST
def close(request: HttpRequest, token: str) -> HttpResponse:
    try:
        viewing.close(token, by=person(request), stay=_stay(request), at=timezone.now())
    except ViewingRefused as refused:
        return _refused(refused)
    return HttpResponse(status=204)


@allowed(*PERMISSIONS)
@require_POST
def keep(request: HttpRequest, token: str) -> JsonResponse:
    """Keep the frame that the player sends, beside the piece of the stream it is from."""
    upload = request.FILES.get("image")
    if upload is None:
        return JsonResponse({"why": _("没有画面")}, status=400)
    try:
        kept = viewing.keep_frame(
            token,
            image=upload.read(policy().frame_bytes.value + 1),
            segment=request.POST.get("segment", ""),
            stream_at=_moment(request.POST.get("stream_at", "")),
            note=request.POST.get("note", "").strip(),
            by=person(request),
            stay=_stay(request),
            at=timezone.now(),
        )
    except ViewingRefused as refused:
        return _refused(refused)
    return JsonResponse(
        {"number": kept.number, "digest": kept.digest, "page": reverse("cameras:frame", args=[kept.number])},
        status=201,
    )


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


@allowed(*PERMISSIONS)
@require_safe
def frame(request: HttpRequest, number: str) -> HttpResponse:
    found = selectors.frame(person(request), number)
    if found is None:
        raise Http404
    purposes = {p.code: pick(p.zh, p.en) for p in policy().purposes}
    context = {
        "frame": found,
        "camera": found.camera,
        "purpose": purposes.get(found.viewing.purpose, found.viewing.purpose),
        "counties": {o.code: pick(o.short_zh, o.short_en) for o in Office.objects.all()},
    }
    return page(request, "cameras/frame.html", "cameras", context)


@allowed(*PERMISSIONS)
@require_safe
def frame_image(request: HttpRequest, number: str) -> HttpResponse:
    found = selectors.frame_image(person(request), number, at=timezone.now())
    if found is None:
        raise Http404
    answer = HttpResponse(found[1], content_type=found[0])
    kind = "png" if found[0] == "image/png" else "jpg"
    answer["Content-Disposition"] = f'inline; filename="{number}.{kind}"'
    return answer
