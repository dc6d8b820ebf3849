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


def english() -> bool:
    return (get_language() or "").startswith("en")


def pick(zh: str, en: str) -> str:
    return en if english() else zh


def person(request: HttpRequest) -> Person:
    assert isinstance(request.user, Person)  # noqa: S101  views here require a signed-in person
    return request.user


def page(
    request: HttpRequest, template: str, here: str, context: dict[str, Any], status: int = 200
) -> HttpResponse:
    who = person(request)
    frame = {
        "here": here,
        "counts": context.get("counts") or supervision.clue_counts(who),
        "alarm_count": supervision.alarm_count(who),
        "disclosures_waiting": disclosures.waiting_count(who),
        "as_of": timezone.now(),
    }
    return render(request, template, frame | context, status=status)
