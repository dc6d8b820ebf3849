"""Reads ``retention.yaml``; removes rows whose time is over, in a recorded act of the owner role."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from django.db import DatabaseError, connections

_FILE = Path(__file__).with_name("retention.yaml")


@dataclass(frozen=True)
class Figure:
    value: int
    source: str
    source_en: str
    since: str


@lru_cache(maxsize=1)
def policy() -> dict[str, Figure]:
    """Figures by name; a missing floor or one without a source stops the start."""
    document: dict[str, dict[str, Any]] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    figures = {name: Figure(**entry) for name, entry in document.items()}
    if figures["keep_days"].value < figures["floor_days"].value:
        raise ValueError(f"{_FILE}: keep_days is below floor_days")
    return figures


class PurgeRefused(Exception):
    """Why nothing was removed, and the cure."""


@dataclass(frozen=True)
class Purged:
    rows: int
    segments: int
    first_segment: int
    last_segment: int


def purge(*, keep_days: int, by: str, reason: str, using: str = "owner") -> Purged:
    """Remove the rows of whole segments older than ``keep_days``; their digests stay, and so does one row
    that says who removed what and why. Raises ``PurgeRefused`` below the floor or without a reason."""
    try:
        with connections[using].cursor() as cursor:
            cursor.execute("select * from audit_purge(%s, %s, %s)", [keep_days, by, reason])
            return Purged(*cursor.fetchone())
    except DatabaseError as error:
        raise PurgeRefused(str(error).split("CONTEXT")[0].strip()) from error
