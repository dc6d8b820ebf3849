"""Every request of a signed-in person: does the stay go on, and is the page theirs to open?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, resolve_url
from django.urls import reverse
from django.utils import timezone

from chuxiong.accounts import people, sessions
from chuxiong.accounts.models import Person

#: Doors outside the namespaces that administrators may use.
_DOORS = {"desk:login", "desk:logout", "set_language"}


def by_script(request: HttpRequest) -> bool:
    """Asked for by a page's script, which must learn of an ended stay without being sent to another page."""
    headers = request.headers
    return bool(
        "HX-Request" in headers or "X-Fragment" in headers or headers.get("Sec-Fetch-Dest", "") == "empty"
    )


def by_itself(request: HttpRequest) -> bool:
    """Refreshed by the page, not by the person: this keeps nobody signed in."""
    return "X-Fragment" in request.headers or "X-Background" in request.headers


class SessionGuard:
    """Sets ``request.stay``, ``request.duty_post`` and, when a stay has just ended, ``request.ended``."""

    def __init__(self, respond: Callable[[HttpRequest], HttpResponse]) -> None:
        self.respond = respond

    def __call__(self, request: Any) -> HttpResponse:
        token = request.COOKIES.get(settings.DUTY_POST_COOKIE, "")
        request.duty_post = people.duty_post_of(token) if token else None
        request.stay, request.ended = None, ""
        if request.user.is_authenticated:
            verdict = sessions.check(
                request.session.get(sessions.STAY),
                request.user,
                at=timezone.now(),
                active=not by_itself(request),
            )
            request.stay = verdict.stay
            if verdict.stay is None:
                request.ended = verdict.why
                request.session.flush()
                request.user = AnonymousUser()
        return self._answer(request, self.respond(request))

    def process_view(self, request: Any, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        """An administrator's reach is a list of what is theirs; everything else is business.

        Whoever may not look at clues begins at the first page of their own work.
        """
        person, match = request.user, request.resolver_match
        if not isinstance(person, Person):
            return None
        if match.view_name == "desk:queue" and request.method == "GET" and not person.may("clue.read"):
            return redirect("accounts:home")
        if not person.is_administrator or match.view_name in _DOORS:
            return None
        if match.namespaces and match.namespaces[0] in settings.ADMINISTRATORS_REACH:
            return None
        raise PermissionDenied

    def _answer(self, request: Any, response: HttpResponse) -> HttpResponse:
        # The front knows no desk: an address of it is looked up only where something sends there.
        if response.status_code != 302:
            return response
        if response["Location"].partition("?")[0] != resolve_url(settings.LOGIN_URL):
            return response
        if request.resolver_match and request.resolver_match.view_name in _DOORS:
            return response
        if by_script(request):
            return ended(request)
        if request.duty_post:
            return redirect("accounts:post")
        if request.ended:
            joint = "&" if "?" in response["Location"] else "?"
            response["Location"] += joint + urlencode({"ended": request.ended})
        return response


def ended(request: Any) -> JsonResponse:
    """401 for scripts: the page stays, its text stays, and it offers to sign in again."""
    answer = JsonResponse({"live": False, "why": request.ended}, status=401)
    answer["X-Session"] = request.ended or "none"
    answer["X-Sign-In"] = reverse("accounts:post") if request.duty_post else resolve_url(settings.LOGIN_URL)
    answer["Cache-Control"] = "no-store"
    return answer
