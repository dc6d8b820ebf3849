"""The frame that all desk pages share: who looks, in which language, with which counts in the navigation."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language

from chuxiong.accounts.models import Person
from supervision import selectors as supervision
from supervision.disclosures import reading as disclosures
from supervision.orders import reading as orders


def english() -> bool:
    return (get_language() or "").startswith("en")


def pick(zh: str, en: str) -> str:
    return en if english() else zh


def person(request: HttpRequest) -> Person:
    assert isinstance(request.user, Person)  # noqa: S101  views here require a signed-in person
    return request.user


def asked_page(request: HttpRequest) -> int:
    """The page that the address asks for; the first where it asks for none."""
    wanted = request.GET.get("page", "1")
    return int(wanted) if wanted.isascii() and wanted.isdigit() and len(wanted) < 8 else 1


def page(
    request: HttpRequest, template: str, here: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    who, now = person(request), timezone.now()
    frame = {
        "here": here,
        "counts": context.get("counts") or supervision.clue_counts(who),
        "alarm_count": supervision.alarm_count(who),
        "disclosures_waiting": disclosures.waiting_count(who),
        "orders_waiting": orders.waiting_count(who, now),
        "as_of": now,
    }
    return render(request, template, frame | context, status=status)
