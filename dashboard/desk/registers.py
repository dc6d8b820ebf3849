"""Registers (台账) of the tracks that have one: wages supported to court, recovery of losses."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.accounts.page import allowed
from dashboard.desk.page import asked_page, pick
from dashboard.desk.page import page as page_of
from dashboard.desk.page import person as person_of
from supervision.tracks import register as reading
from supervision.tracks.spec import tracks


@allowed("clue.read")
@require_safe
def register(request: HttpRequest, track: str = "") -> HttpResponse:
    """The register of a track; of the first that has one where none is named."""
    spec = tracks().get(track) if track else reading.with_register()[0]
    if spec is None or not spec.rules:
        raise Http404
    found = reading.register(person_of(request), spec, asked_page(request), at=timezone.now())
    context = {
        "register": found,
        "tabs": [(s.code, pick(s.zh, s.en)) for s in reading.with_register()],
        "groups": [g for g in found.groups if g.clues],
        "few": reading.FEW,
        "previous": found.page - 1,
        "following": found.page + 1,
    }
    return page_of(request, "desk/register.html", "registers", context)
