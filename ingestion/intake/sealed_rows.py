"""Which rows that stand aside may be under a seal (封存). Pure: the row as it came, before the pool could compute its seal."""

from __future__ import annotations

from collections.abc import Mapping

from ingestion.catalog.spec import FeedSpec
from ingestion.intake.normalising import NO


def may_be_sealed(feed: FeedSpec, cells: Mapping[str, str | None]) -> bool:
    """Whether a row is not plainly free of every seal of its feed.

    ``cells``: the sender's header → the cell as it came, ``ragged`` the line of a torn row. The yes/no cell that decides
    may itself be what is wrong, stand under a header that nobody knows, or belong to another column: then the row counts
    as sealed.
    """
    if feed.seals and cells.get("ragged"):
        return True
    return any(s.column is None or not _says_no(feed, s.column, cells) for s in feed.seals)


def whole(feed: FeedSpec) -> bool:
    """Whether every row of the feed is sealed, whatever it says."""
    return any(s.column is None for s in feed.seals)


def _says_no(feed: FeedSpec, column: str, cells: Mapping[str, str | None]) -> bool:
    said = [cells[h] for h in feed.column(column).headers if h in cells]
    return bool(said) and all((cell or "").lstrip("\x01\x02").strip().lower() in NO for cell in said)
