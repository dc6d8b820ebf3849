"""Brings the mirror of a table up to the last landing. Safe to repeat, safe to kill.

Files are written first, the mark that lists them is committed last: a file that no mark lists is no part of the mirror
and goes with the next writing. One writer at a time holds the mark's row.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connections, transaction

from ingestion.catalog.load import Catalog
from ingestion.mirror import extracting, files
from ingestion.mirror.files import MirrorFile
from ingestion.mirror.tables import Table, tables
from ingestion.models import MirrorMark

logger = logging.getLogger(__name__)
ALIAS = "intake"
#: how long a replaced file stays for runs that have opened it
GRACE = timedelta(hours=6)


@dataclass(frozen=True)
class Written:
    """``rebuilt``: everything was written anew (first time, other columns, a clearing, or asked for)."""

    name: str
    landing: int
    rows: int
    ends: int
    rebuilt: bool


def bring_up(
    name: str, catalog: Catalog, *, at: datetime, rebuild: bool = False, compact: bool = False
) -> Written:
    """Add what landed since the mark; ``compact`` makes one file of all."""
    table = tables(catalog)[name]
    MirrorMark.objects.using(ALIAS).get_or_create(name=name)
    with transaction.atomic(using=ALIAS), connections[ALIAS].cursor() as cursor:
        mark = MirrorMark.objects.using(ALIAS).select_for_update().get(name=name)
        before = [MirrorFile(**f) for f in mark.files]
        files.sweep(name, {f.name for f in before} | {r["name"] for r in mark.retired})
        cleared = _clearings(cursor, table)
        anew = (
            rebuild or mark.shape != table.shape or mark.clearings != cleared or not _complete(name, before)
        )
        # Under the mark's lock; a version whose landing is committed never changes but for its end.
        cursor.execute("select coalesce(max(number), 0) from ingestion_landing")
        landing = int(cursor.fetchone()[0])
        removed = False
        if table.derived:
            removed = _removed(cursor, table, mark, before)
            anew = anew or removed
            fresh, kept_files = _derived(cursor, table, mark, before, landing, anew)
        else:
            fresh = _fresh(cursor, table, 0 if anew else mark.landing, landing, anew)
            kept_files = [] if anew else before
        now = files.compacted(name, kept_files + fresh, whole=compact, key=table.key)
        kept = {f.name for f in now}
        replaced = [f.name for f in (*before, *fresh) if f.name not in kept]
        gone = removed or mark.clearings != cleared
        mark.retired = _retired(mark.retired, replaced, at, at_once=gone)
        mark.files, mark.landing, mark.shape = [f.plain() for f in now], landing, table.shape
        mark.clearings, mark.written_at = cleared, at
        mark.save(using=ALIAS)
        listed = kept | {r["name"] for r in mark.retired}
    # After the commit: until then the old files are the mirror.
    files.sweep(name, listed)
    told = Written(
        name,
        landing,
        sum(f.rows for f in fresh if f.kind == "rows"),
        sum(f.rows for f in fresh if f.kind == "ends"),
        anew,
    )
    logger.info("mirror of %s at landing %s: %s rows, %s ends", name, landing, told.rows, told.ends)
    return told


def _fresh(cursor: Any, table: Table, since: int, landing: int, anew: bool) -> list[MirrorFile]:
    """Files of what landed after ``since``."""
    written = [_rows(cursor, table, f"from_landing > {since} and from_landing <= {landing}", landing)]
    if not anew:
        condition = f"to_landing > {since} and to_landing <= {landing} and from_landing <= {since}"
        written.append(_ends(cursor, table, condition))
    return [file for file in written if file]


def _rows(cursor: Any, table: Table, condition: str, landing: int) -> MirrorFile | None:
    rows = extracting.rows(cursor, table, condition, landing)
    return files.write(table.name, "rows", extracting.schema(table), rows)


def _ends(cursor: Any, table: Table, condition: str) -> MirrorFile | None:
    ends = extracting.ends(cursor, table, condition)
    return files.write(table.name, "ends", extracting.ends_schema(table), ends)


def _removed(cursor: Any, table: Table, mark: MirrorMark, before: list[MirrorFile]) -> bool:
    """Whether versions that the files hold are there no more."""
    where = " and ".join(filter(None, (table.where, f"{table.key} <= {mark.last}")))
    cursor.execute(f"select count(*) from {table.relation} where {where}")
    return bool(int(cursor.fetchone()[0]) != sum(f.rows for f in before if f.kind == "rows"))


def _derived(
    cursor: Any, table: Table, mark: MirrorMark, before: list[MirrorFile], landing: int, anew: bool
) -> tuple[list[MirrorFile], list[MirrorFile]]:
    """(new files, old files that stay): versions by their number, and one file of all ends when there are new ones."""
    since, where = 0 if anew else mark.last, f" where {table.where}" if table.where else ""
    cursor.execute(f"select coalesce(max({table.key}), 0), count(to_landing) from {table.relation}{where}")
    last, ended = map(int, cursor.fetchone())
    stay = [] if anew else before
    written = [_rows(cursor, table, f"{table.key} > {since} and {table.key} <= {last}", landing)]
    if not anew and ended != mark.ended:
        stay = [f for f in before if f.kind == "rows"]
        written.append(_ends(cursor, table, f"to_landing is not null and {table.key} <= {since}"))
    mark.last, mark.ended = last, ended
    return [file for file in written if file], stay


def _complete(name: str, listed: list[MirrorFile]) -> bool:
    """Whether every listed file is there: a folder that somebody emptied is written anew."""
    here = files.folder(name)
    return all((here / f.name).is_file() for f in listed)


def _clearings(cursor: Any, table: Table) -> int:
    """Clearings that removed or emptied records of the feed."""
    if not table.feed:
        return 0
    cursor.execute("select count(*) from ingestion_agreementclearing where result ? %s", [table.feed])
    return int(cursor.fetchone()[0])


def _retired(
    before: list[dict[str, str]], replaced: list[str], at: datetime, *, at_once: bool
) -> list[dict[str, str]]:
    """``at_once``: what was cleared is not kept for anybody."""
    if at_once:
        return []
    stay = [r for r in before if datetime.fromisoformat(r["at"]) > at - GRACE]
    return stay + [{"name": name, "at": at.isoformat()} for name in replaced]
