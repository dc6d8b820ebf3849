"""The page where pictures before and after are handed in, cleared and taken down; the pictures themselves."""

from __future__ import annotations

from datetime import date

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chuxiong.accounts.models import Person
from dashboard.accounts.page import allowed
from dashboard.desk.page import page, person, pick
from dashboard.walls import device, pictures, registry
from dashboard.walls.refused import WallRefused


def _day(written: str) -> date | None:
    try:
        return date.fromisoformat(written)
    except ValueError:
        return None


@allowed("clue.act", registry.PERMISSION)
@require_http_methods(["GET", "HEAD", "POST"])
def pairs(request: HttpRequest) -> HttpResponse:
    """Pairs of one's offices; a form for a new one."""
    who, why, status = person(request), "", 200
    if request.method == "POST":
        try:
            files = [request.FILES.get(side) for side in pictures.SIDES]
            before, after = (file.read(pictures.MOST_BYTES + 1) if file else b"" for file in files)
            pictures.hand_in(
                by=who, clue=request.POST.get("clue", ""), before=before, after=after,
                before_on=_day(request.POST.get("before_on", "")), after_on=_day(request.POST.get("after_on", "")),
                at=timezone.now(),
            )  # fmt: skip
            messages.success(request, _("已提交，另一人核准后上屏"))
            return redirect("walls:pairs")
        except WallRefused as refused:
            why, status = pick(refused.zh, refused.en), refused.status
    context = {"rows": pictures.pairs_of(who), "why": why, "filled": request.POST if why else {}, "clears": who.may(registry.PERMISSION)}  # fmt: skip
    return page(request, "walls/pairs.html", "pairs", context, status)


@allowed("clue.act", registry.PERMISSION)
@require_POST
def pair(request: HttpRequest, pair: int, act: str) -> HttpResponse:
    who, at = person(request), timezone.now()
    try:
        if act == "clear":
            pictures.clear(
                by=who, pair=pair, seen=bool(request.POST.get("seen")), visitors=bool(request.POST.get("visitors")), at=at,
            )  # fmt: skip
            messages.success(request, _("已核准上屏"))
        elif act == "withdraw":
            pictures.withdraw(by=who, pair=pair, at=at)
            messages.success(request, _("已撤下"))
        else:
            raise Http404
    except WallRefused as refused:
        messages.error(request, pick(refused.zh, refused.en))
    return redirect("walls:pairs")


@require_safe
@never_cache
def picture(request: HttpRequest, pair: int, side: str) -> HttpResponse:
    """One picture: for a screen by its token, for a person within their offices."""
    if side not in pictures.SIDES:
        raise Http404
    screen = registry.screen_of(request.COOKIES.get(settings.SCREEN_COOKIE, ""))
    if screen is not None:
        visit = device.pieces(screen, at=timezone.now())[2]
        body = pictures.of_screen(screen, pair, side, visitors=bool(visit))
    elif isinstance(request.user, Person) and (
        request.user.may("clue.act") or request.user.may(registry.PERMISSION)
    ):
        body = pictures.of_person(request.user, pair, side)
    else:
        return HttpResponse(status=401)
    if body is None:
        raise Http404
    return HttpResponse(body, content_type="image/jpeg")
