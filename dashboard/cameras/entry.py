"""A manual clue that begins with a kept frame: the fields that the frame already answers."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from dashboard.desk.page import person, pick
from ingestion.cameras import selectors


def entry_of_frame(request: HttpRequest) -> dict[str, Any]:
    """County, place, day and reference of the frame named by ``?frame=``; empty when none is named or in sight."""
    number = request.GET.get("frame", "")
    found = selectors.frame(person(request), number) if number else None
    if found is None:
        return {}
    camera = found.camera
    text = _("定格画面 %(number)s：%(camera)s，%(at)s，%(who)s；画面摘要 SHA-256 %(digest)s") % {
        "number": found.number,
        "camera": pick(camera.name_zh, camera.name_en or camera.name_zh),
        "at": f"{timezone.localtime(found.taken_at):%Y-%m-%d %H:%M:%S}",
        "who": found.person_name,
        "digest": found.digest,
    }
    return {
        "office": camera.county,
        "township": camera.place[:40],
        "occurred_on": timezone.localtime(found.taken_at).date(),
        "text": text,
    }
