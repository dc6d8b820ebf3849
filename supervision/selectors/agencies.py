"""What an agency may read of its own letters and open clues."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Prefetch

from chuxiong.accounts.models import Person
from supervision.models import Clue, Letter, LetterFile
from supervision.selectors.queue import _looked
from supervision.selectors.rows import ClueRow, _offices, _row
from supervision.selectors.rules import _reach


def letters_of(
    agency: str,
    *,
    updated_since: datetime | None = None,
    after: int = 0,
    limit: int = 50,
    number: str | None = None,
) -> list[Letter]:
    """Letters to one agency in order of their id, with their answers and attachments; the caller has set the agency's
    scope. What is sealed stays where it is."""
    found = (
        Letter.objects.filter(agency=agency, pk__gt=after)
        .defer("sealed")
        .prefetch_related("answers", "extensions", Prefetch("files", LetterFile.objects.defer("sealed")))
    )
    if number is not None:
        found = found.filter(number=number)
    if updated_since:
        found = found.filter(updated_at__gte=updated_since)
    return list(found.order_by("pk")[:limit])


def open_clues_of(
    person: Person, handlers: list[str], *, at: datetime | None = None
) -> dict[str, list[ClueRow]]:
    """Open clues within the person's scope by handler (user name), for hand-over; one audit row."""
    with _reach(person):
        found = Clue.objects.filter(handler__in=handlers, open=True)
        offices = _offices()
        rows: dict[str, list[ClueRow]] = {}
        for clue in found.order_by("handler", "due_on", "id")[:500]:
            rows.setdefault(clue.handler, []).append(_row(clue, person, offices, {}))
        _looked(person, at, "queue.hand_over", [row for listed in rows.values() for row in listed])
    return rows
