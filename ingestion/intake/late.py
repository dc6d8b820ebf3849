"""A delivery that lands after one that came later: let in by a person after a wait, or taken up again after a failure.

What came later has the last word, record by record: the late delivery adds and corrects only what no later one has
touched, that is brought, changed, ended or found unchanged. The first three stand in the pool. What was found unchanged
leaves no trace there, so it is noted while an earlier delivery waits (``ingestion_confirmed``). A later whole list is
different: it has spoken of every record of its feed or counties, so what came before it for these is refused.
"""

from __future__ import annotations

from typing import Any

from chuxiong.kit.problems import Problem
from ingestion.catalog.spec import FeedSpec
from ingestion.intake.reading import Refused
from ingestion.intake.receive import ALIAS
from ingestion.models import Batch

_WAITING = "state in ('received', 'reading', 'held')"


def confirm(cursor: Any, batch: Batch, unchanged: str) -> None:
    """Note what ``batch`` found unchanged, if an earlier delivery of its feed waits; forget what nobody waits for.

    ``unchanged``: a query of natural hashes; run within the landing.
    """
    cursor.execute(
        f"select exists (select from ingestion_batch where feed = %s and {_WAITING} and id < %s)",
        [batch.feed, batch.pk],
    )
    if cursor.fetchone()[0]:
        cursor.execute(
            f"insert into ingestion_confirmed (batch_id, natural_hash) select %s, u.natural_hash from ({unchanged}) u",
            [batch.pk],
        )
        return
    cursor.execute("select exists (select from ingestion_confirmed)")
    if cursor.fetchone()[0]:
        cursor.execute(
            "delete from ingestion_confirmed c using ingestion_batch b where b.id = c.batch_id and not exists"
            f" (select from ingestion_batch o where o.feed = b.feed and o.{_WAITING} and o.id < b.id and o.id <> %s)",
            [batch.pk],
        )


def overtaken(cursor: Any, feed: FeedSpec, batch: Batch, staged: str, *, whole: bool) -> bool:
    """Whether later deliveries of the feed have landed; then the temporary table ``newer`` (natural_hash) holds what
    they touched. Raises ``Refused`` when a later whole list has spoken of all that this one holds or ends.

    Under the lock of landings. ``whole``: everything they touched, not only what is staged here.
    """
    cursor.execute(
        "select number, batch_id from ingestion_landing where feed = %s and batch_id > %s order by number",
        [feed.code, batch.pk],
    )
    later = cursor.fetchall()
    if not later:
        return False
    _refuse_outspoken(cursor, feed, batch, staged, [pk for _, pk in later])
    mine = "" if whole else f" and exists (select 1 from {staged} s where s.natural_hash = v.natural_hash)"
    table = f'pool."{feed.code}"'
    cursor.execute(
        "create temp table newer on commit drop as"
        f" select v.natural_hash from {table} v where v.from_landing = any(%s){mine}"
        f" union select v.natural_hash from {table} v where v.to_landing = any(%s){mine}"
        " union select v.natural_hash from ingestion_confirmed v join ingestion_batch b on b.id = v.batch_id"
        f" where b.feed = %s and b.id > %s{mine}",
        [[n for n, _ in later], [n for n, _ in later], feed.code, batch.pk],
    )
    cursor.execute("analyze newer")
    return True


def _refuse_outspoken(cursor: Any, feed: FeedSpec, batch: Batch, staged: str, later: list[int]) -> None:
    lists = Batch.objects.using(ALIAS).filter(pk__in=later, snapshot=True).order_by("pk")
    mine: set[str] = set()
    for pk, layout in lists.values_list("pk", "layout"):
        mine = mine or set(counties(cursor, staged))
        # Of a list that did not note its counties nobody can tell which it left out.
        shared = mine & set(layout.get("counties", mine)) if feed.snapshot_scope == "county" else mine
        if shared or feed.snapshot_scope == "feed":
            where = f"{batch.file_name}（{'、'.join(sorted(shared))}）" if shared else batch.file_name
            raise Refused(
                Problem(
                    where,
                    f"此后收到的全量清单（批次 {pk}）已经入库，这一份较早，以后来的清单为准",
                    "数据池未变。仍需补充的记录，请提供单位随下一份清单报送。",
                    f"A full list that came later (batch {pk}) has landed and has the last word; this delivery is an earlier one",
                    "The pool is unchanged. Ask the provider to send what is still missing with the next list.",
                )
            )


def counties(cursor: Any, staged: str) -> list[str]:
    """Counties of the staged rows, in order."""
    cursor.execute(f"select distinct county from {staged} where county is not null order by 1")
    return [county for (county,) in cursor.fetchall()]
