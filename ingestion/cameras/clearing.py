"""Kept frames of cameras whose agreement has ended: the pictures go, that they were kept stays on record."""

from __future__ import annotations

from datetime import datetime
from typing import Any

#: under which name holds and results of a clearing speak of frames
FRAMES = "camera_frame"


def count(cursor: Any, *, clearing: int, agreement: str) -> dict[str, int]:
    """Frames kept under the agreement: all, those that clues name (held), the others, which go (cleared)."""
    cursor.execute(
        "select count(*), count(h.record_id) from ingestion_cameraframe f join ingestion_camera c on c.id = f.camera_id"
        " left join ingestion_clearinghold h on h.clearing_id = %s and h.feed = %s and h.record_id = f.id"
        " where c.agreement = %s and f.cleared_at is null",
        [clearing, FRAMES, agreement],
    )
    records, held = cursor.fetchone()
    return {"records": records, "held": held, "cleared": records - held}


def clear(cursor: Any, *, clearing: int, agreement: str, at: datetime) -> dict[str, int]:
    """Empty pictures, pieces of the stream and their keys; the same figures as ``count``."""
    told = count(cursor, clearing=clearing, agreement=agreement)
    cursor.execute(
        "update ingestion_cameraframe f set key = '', sealed = '', segment_sealed = '', cleared_at = %s"
        " from ingestion_camera c where c.id = f.camera_id and c.agreement = %s and f.cleared_at is null"
        " and not exists (select 1 from ingestion_clearinghold h where h.clearing_id = %s and h.feed = %s"
        " and h.record_id = f.id)",
        [at, agreement, clearing, FRAMES],
    )
    return told
