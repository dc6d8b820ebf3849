"""The duty post: a paired terminal that shows counts while nobody is signed in."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chuxiong.accounts import lock, people
from dashboard.walls.snapshot import snapshot

#: Nobody's name: counts guesses at pairing codes from one address.
_PAIRING = "duty-post pairing"


@never_cache
@require_safe
def board(request: Any) -> HttpResponse:
    """Counts only, from the wall's own data; a terminal that is not paired is asked to sign in or pair."""
    if request.duty_post is None:
        return redirect("accounts:pair")
    return render(
        request,
        "accounts/post.html",
        {"post": request.duty_post, "wall": snapshot(since=time.monotonic() - 5)},
    )


@never_cache
def pair(request: Any) -> HttpResponse:
    """The terminal types the code that the system administrator was shown."""
    wrong = ""
    if request.method == "POST":
        now, address = timezone.now(), request.META.get("REMOTE_ADDR", "")
        if lock.attempt(_PAIRING, address, at=now):
            wrong = _("尝试次数过多，请稍后再试。")
        elif made := people.pair(request.POST.get("code", "")[:20], at=now):
            lock.succeeded(_PAIRING, address, at=now)
            answer = redirect("accounts:post")
            answer.set_cookie(
                settings.DUTY_POST_COOKIE,
                made[1],
                max_age=366 * 86400,
                httponly=True,
                secure=settings.SECURE,
                samesite="Strict",
            )
            return answer
        else:
            wrong = _("配对码不对或已过期，请系统管理员重新生成。")
    return render(request, "accounts/pair.html", {"wrong": wrong}, status=400 if wrong else 200)
