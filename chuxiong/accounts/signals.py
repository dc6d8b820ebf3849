"""Whoever signs in by whatever way gets a stay, and whoever signs out loses it."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.dispatch import receiver
from django.http import HttpRequest
from django.utils import timezone

from . import sessions
from .models import Person


@receiver(user_logged_in)
def _begin(sender: type, request: HttpRequest, user: Person, **_: Any) -> None:
    stay = sessions.begin(
        user,
        at=timezone.now(),
        address=request.META.get("REMOTE_ADDR", ""),
        duty_post=getattr(request, "duty_post", None),
    )
    request.session[sessions.STAY] = str(stay.pk)


@receiver(user_logged_out)
def _end(sender: type, request: HttpRequest, user: Person | None, **_: Any) -> None:
    if user is not None and (stay := request.session.get(sessions.STAY)):
        sessions.end(user, sessions.End.SIGNED_OUT, at=timezone.now(), stay=stay)
