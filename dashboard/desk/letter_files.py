"""Attachments that agencies sent with their answers."""

from __future__ import annotations

import uuid

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.accounts.page import allowed
from dashboard.desk.page import person
from dashboard.provider.received import download
from supervision import letters


@allowed("clue.read")
@require_safe
def letter_file(request: HttpRequest, code: uuid.UUID) -> HttpResponse:
    found = letters.file_of_clue(person(request), str(code), at=timezone.now())
    if found is None:
        raise Http404
    return download(*found)
