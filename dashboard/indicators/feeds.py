"""Freshness of the feeds, for walls: from the wall's own view, no room of intake needed."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.utils import timezone

from ingestion.selectors import catalog, freshness


def freshness_of_feeds(*, using: str = "wall") -> list[dict[str, Any]]:
    """Every live feed in catalogue order with its age and state."""
    with connections[using].cursor() as cursor:
        cursor.execute("select feed, covers_until, landed_at from wall_feed")
        landed = {feed: (covers, at) for feed, covers, at in cursor.fetchall()}
    today = timezone.localdate()
    rows = []
    for feed in catalog().values():
        if feed.status != "live":
            continue
        covers, at = landed.get(feed.code, (None, None))
        state, _ = freshness(feed, covers, at, today)
        rows.append(
            {
                "code": feed.code,
                "title": feed.title.zh,
                "title_en": feed.title.en,
                "agency": feed.agency.zh,
                "covers_until": covers.isoformat() if covers else None,
                "landed_at": at.isoformat() if at else None,
                "state": state,
            }
        )
    return rows
