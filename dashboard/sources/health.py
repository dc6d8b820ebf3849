"""Feed health: all feeds under their providers, and one feed's deliveries over time."""

from __future__ import annotations

from collections import Counter

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_safe

from dashboard.accounts.page import allowed
from dashboard.desk.page import page, person
from ingestion import selectors as ingestion
from ingestion.health import reading
from ingestion.registers.reading import running_out
from ingestion.tickets.reading import tickets_in_work, tickets_of_feed
from supervision import selectors as supervision


@allowed("clue.read", "batch.import")
@require_safe
def board(request: HttpRequest) -> HttpResponse:
    only = request.GET.get("health", "")
    groups = reading.board()
    tally = Counter(entry.health for group in groups for entry in group.feeds)
    shown = [
        (group, [entry for entry in group.feeds if only in ("", entry.health)])
        for group in groups
        if any(only in ("", entry.health) for entry in group.feeds)
    ]
    context = {
        "groups": shown,
        "total": sum(tally.values()),
        "tally": [(health, tally[health]) for health in reading.HEALTH],
        "only": only if only in reading.HEALTH else "",
        "tickets": tickets_in_work(person(request), ingestion.catalog()),
        "rules": supervision.rules_by_feed(),
        "ending": running_out(timezone.localdate()),
    }
    return page(request, "sources/health.html", "health", context)


@allowed("clue.read", "batch.import")
@require_safe
def feed(request: HttpRequest, code: str) -> HttpResponse:
    found = reading.feed_health(code, ingestion.catalog())
    if found is None:
        raise Http404
    context = {
        "f": found,
        "rules": supervision.rules_by_feed().get(code, []),
        "tickets": tickets_of_feed(person(request), ingestion.catalog(), code),
        "recent": [d.batch.received for d in found.deliveries if d.batch.state == "landed"][:12][::-1],
    }
    return page(request, "sources/feed.html", "health", context)
