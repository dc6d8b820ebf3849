"""One identity number under different names, over the whole of a file. Nothing is merged; its rows are noted.

Rows are checked chunk by chunk; two names of one number may stand in different chunks. One look at what was staged, before
the landing and outside of its lock, finds those too.
"""

from __future__ import annotations

from typing import Any

from ingestion.catalog.spec import FeedSpec
from ingestion.intake.merge import BARE, staging_table
from ingestion.intake.normalising import Mapping, Reason
from ingestion.models import Batch

#: a name that is not whole: starred, or 某
_PARTIAL = "[*某]"


def across_chunks(cursor: Any, feed: FeedSpec, batch: Batch, mapping: Mapping) -> dict[tuple[str, str], int]:
    """(column in the sender's words, note) → rows whose number stands with more than one whole name."""
    header_of = {name: header for header, name in mapping.columns.items()}
    found: dict[tuple[str, str], int] = {}
    for column in feed.columns:
        if column.name not in header_of or column.name_in not in header_of:
            continue
        number, name = f'"{column.name}"', f'"{column.name_in}"'
        # Rows that the pool holds as they are were staged without their values.
        cursor.execute(
            f"with named as (select coalesce(s.{number}, c.{number}) as number, coalesce(s.{name}, c.{name}) as name"
            f' from {staging_table(batch)} s left join pool."{feed.code}" c on s.{BARE} and c.natural_hash = s.natural_hash'
            " and c.to_landing is null), whole as (select number, name from named where name !~ %s and number is not null)"
            " select count(*) from whole where number in"
            " (select number from whole group by number having min(name) <> max(name))",
            [_PARTIAL],
        )
        rows = cursor.fetchone()[0]
        if rows:
            found[header_of[column.name], Reason.IDENTITY_CONFLICT.code] = rows
    return found
