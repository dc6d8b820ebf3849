"""Open clues of people who left, for those who hand them over."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from chuxiong.accounts import selectors
from dashboard.accounts.page import allowed, page, person_of
from supervision import selectors as supervision


@allowed("clue.hand_over")
@require_safe
def hand_over(request: HttpRequest) -> HttpResponse:
    person = person_of(request)
    left = {p.username: p for p in selectors.leavers(person)}
    rows = supervision.open_clues_of(person, list(left), at=timezone.now())
    listed = [(left[handler], clues) for handler, clues in rows.items()]
    return page(request, "hand_over", "hand_over", {"listed": listed})
