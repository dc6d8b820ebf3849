"""What the pages of accounts share: who may open them, and the frame around them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import get_language
from django.views.decorators.cache import never_cache

from chuxiong.accounts import selectors
from chuxiong.accounts.models import Person
from chuxiong.accounts.refused import Refused

View = Callable[..., HttpResponse]


def person_of(request: HttpRequest) -> Person:
    assert isinstance(request.user, Person)  # noqa: S101  only behind a sign-in
    return request.user


def pick(zh: str, en: str) -> str:
    return en if (get_language() or "").startswith("en") else zh


def said(refused: Refused) -> str:
    return pick(refused.zh, refused.en)


def missing(*permissions: str) -> PermissionDenied:
    """The refusal of somebody whose roles allow none of ``permissions``; the page names them and whom to ask."""
    known = selectors.permissions()
    named = [pick(known[code].name_zh, known[code].name_en) for code in permissions if code in known]
    return PermissionDenied(pick("、", ", ").join(named))


def allowed(*permissions: str) -> Callable[[View], View]:
    """The view opens for signed-in people whose roles allow one of ``permissions``; never cached."""

    def around(view: View) -> View:
        @wraps(view)
        def inner(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            if person_of(request).permissions.isdisjoint(permissions):
                raise missing(*permissions)
            return view(request, *args, **kwargs)

        return never_cache(login_required(inner))

    return around


def page(
    request: HttpRequest, template: str, here: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    return render(request, f"accounts/{template}.html", {"here": here, **context}, status=status)


def ask(
    request: HttpRequest, here: str, *, title: str, consequence: str, verb: str, back: str
) -> HttpResponse:
    """Ask once more before what touches others: the same POST again, confirmed."""
    fields = [
        (name, value)
        for name, values in request.POST.lists()
        if name not in ("csrfmiddlewaretoken", "confirmed")
        for value in values
    ]
    context = {"title": title, "consequence": consequence, "verb": verb, "back": back, "fields": fields}
    return page(request, "confirm", here, context)


def confirmed(request: HttpRequest) -> bool:
    return request.POST.get("confirmed") == "yes"
