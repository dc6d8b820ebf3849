"""Deliveries that wait for a person: kept whole, with what is odd about them, until they are let in or rejected.

A layout that drifted (a column gone that every recent delivery had, a header that none had) stops the batch: an update
under the wrong layout would empty a column without anybody having said so. Nothing of it is in the pool meanwhile; the
encrypted file stays, and letting it in reads it again from the start.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import datetime
from typing import Any

from django.db import connections, transaction
from django.db.models import BooleanField, Func
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.kit.problems import Problem
from chuxiong.work.bell import publish
from chuxiong.work.jobs import enqueue
from ingestion.catalog.health import limits
from ingestion.catalog.spec import FeedSpec
from ingestion.intake.normalising import Mapping
from ingestion.intake.reading import LeftOut
from ingestion.models import Batch, ManualImport
from ingestion.selectors import catalog, deliveries_of_feeds

ALIAS = "intake"
LET_IN, REJECT = "let_in", "reject"


class Held(Exception):
    """The batch must wait; ``problem`` says what is odd and what to do."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


class NotHeld(Exception):
    """Somebody has decided already, or the batch never waited."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def check_layout(batch: Batch, feed: FeedSpec, mapping: Mapping, left_out: Sequence[LeftOut] = ()) -> None:
    """Remember the batch's layout; raises ``Held`` when it differs from all recent ones of the feed, or when sheets of the
    workbook that look like more of its table were ``left_out``."""
    columns, unknown = sorted(mapping.columns.values()), sorted(mapping.unknown)
    with transaction.atomic(using=ALIAS):
        with connections[ALIAS].cursor() as cursor:
            cursor.execute(
                "select layout->'columns', layout->'unknown' from ingestion_batch where feed = %s and state = 'landed'"
                " and layout ? 'columns' order by id desc limit %s",
                [feed.code, limits().layouts],
            )
            recent = [(_listed(had), _listed(odd)) for had, odd in cursor.fetchall()]
        current = Batch.objects.using(ALIAS).select_for_update().get(pk=batch.pk)
        current.layout = {**current.layout, "columns": columns, "unknown": unknown}
        if left_out:
            current.layout["left_out"] = [vars(sheet) for sheet in left_out]
        current.save(using=ALIAS, update_fields=["layout"])
    batch.layout = current.layout
    alike = [sheet for sheet in left_out if sheet.alike]
    if alike and not batch.layout.get("accepted"):
        raise Held(_more_sheets(batch, alike))
    # Where somebody has chosen column by column what the file holds, a person has looked at its layout already.
    if not recent or batch.layout.get("accepted") or "choices" in batch.layout:
        return
    lost = sorted(set.intersection(*(had for had, _ in recent)) - set(columns))
    seen: set[str] = set().union(*(odd for _, odd in recent))
    new = sorted(set(unknown) - seen)
    if lost or new:
        raise Held(_drift(batch, feed, lost, new))


def _listed(value: Any) -> set[str]:
    return set(json.loads(value) if isinstance(value, str) else value or [])


def _more_sheets(batch: Batch, alike: Sequence[LeftOut]) -> Problem:
    rows, names = sum(sheet.rows for sheet in alike), "、".join(f"“{s.sheet}” {s.rows} 行" for s in alike)
    return Problem(
        f"{batch.file_name}（工作表）",
        f"另有 {len(alike)} 张工作表共 {rows} 行没有读取：{names}。它们没有本数据源的表头，但列数相当，可能是本表的续页",
        "向提供单位核实：属于本表的，退回并请其合并到一张工作表（旧版 XLS 每张至多 65536 行，请改存 XLSX 或 CSV）；无关的，说明理由后放行。",
        f"{len(alike)} more sheets with {rows} rows were not read ({', '.join(s.sheet for s in alike)}): they have no header of this"
        " feed but are as wide as its table and may be more of it",
        "Ask the provider: if they belong to it, send the file back to be put on one sheet (an XLS sheet ends after 65,536 rows);"
        " if not, let it in with a reason.",
    )


def _drift(batch: Batch, feed: FeedSpec, lost: list[str], new: list[str]) -> Problem:
    zh, en = [], []
    if lost:
        named = [feed.column(name).headers[0] for name in lost if any(c.name == name for c in feed.columns)]
        zh.append(f"缺少以往都有的列：{'、'.join(named)}")
        en.append(f"columns missing that were always there: {', '.join(named)}")
    if new:
        zh.append(f"多出从未见过的列：{'、'.join(new)}")
        en.append(f"headers never seen before: {', '.join(new)}")
    return Problem(
        f"{batch.file_name}（表头）",
        f"表样与近期交付不同：{'；'.join(zh)}",
        "向提供单位核实：确为新表样的，登记列名或说明理由后放行；导错的，退回并请其重新报送。",
        f"The layout differs from recent deliveries: {'; '.join(en)}",
        "Ask the provider: let it in with a reason if the layout is new, reject it if the export was wrong.",
    )


# ---- what a person decides -------------------------------------------------------------------


def ask(batch_id: int, outcome: str, *, by: Person, reason: str) -> None:
    """Queue a person's decision; the process that may write batches carries it out. The one way to decide, from any page.

    Raises ``NotHeld`` when the batch waits no more, is out of the person's reach or is not theirs to decide, and without
    a reason. The database takes a decision in nobody's name but that of the scope, and of a batch in its reach
    (``ingestion_job_guard``).
    """
    place = f"批次 {batch_id}"
    if not by.may("batch.release"):
        raise NotHeld(
            Problem(
                place, "您的角色不能决定暂扣的批次", "请数据专管员决定。",
                "Your roles do not allow deciding on a held batch", "Ask a data custodian.",
            )
        )  # fmt: skip
    if not reason.strip():
        raise NotHeld(_no_reason(place))
    payload = {
        "batch": batch_id, "outcome": outcome, "by": by.username, "office": by.office_id, "reason": reason.strip(),
    }  # fmt: skip
    with person_scope(by, feeds=catalog()):
        batch = next(iter(held_in_reach(batch_id)), None)
        if batch is None:
            raise NotHeld(
                Problem(
                    place, "没有等待决定，或不在您的范围内", "请刷新列表。",
                    "It does not wait for a decision, or is out of your reach", "Reload the list.",
                )
            )  # fmt: skip
        if outcome == LET_IN and overtaken(batch, catalog()[batch.feed]):
            raise NotHeld(_outspoken(place))
        enqueue("held_batch", str(batch_id), payload, priority=3)


def held_in_reach(batch_id: int | None = None) -> list[Batch]:
    """Batches that wait, or the one, within the open scope: an import's is its office's, all others the prefecture's."""
    waiting = Batch.objects.filter(state=Batch.State.HELD).order_by("pk")
    if batch_id is not None:
        waiting = waiting.filter(pk=batch_id)
    return list(
        waiting.annotate(
            reach=Func("pk", function="ingestion_batch_in_reach", output_field=BooleanField())
        ).filter(reach=True)
    )


def held_batches(person: Person) -> list[Batch]:
    """What waits in the person's reach, the oldest first."""
    with person_scope(person, feeds=catalog()):
        return held_in_reach()


def landed_since(batch: Batch) -> int:
    """How many later deliveries of the feed have landed while this one waited: what they touched stays as they say."""
    with deliveries_of_feeds([batch.feed]):
        return Batch.objects.filter(feed=batch.feed, state=Batch.State.LANDED, pk__gt=batch.pk).count()


def _no_reason(place: str) -> Problem:
    return Problem(
        place, "没有写明理由", "写明向谁核实、为什么放行或退回",
        "No reason was given", "Say with whom it was checked and why it is let in or sent back.",
    )  # fmt: skip


def _outspoken(place: str) -> Problem:
    return Problem(
        place,
        "此后已有更新的全量清单入库，放行会终止其中新增的记录",
        "退回这一批；仍需补充的记录，请提供单位随下一份清单报送。",
        "A later whole list has landed, and this one would end what it added",
        "Send this one back; ask the provider to send what is still missing with the next list.",
    )


def overtaken(batch: Batch, feed: FeedSpec, *, using: str = "default") -> bool:
    """Whether a later whole list of the feed has landed while this one waited: let in now, it would end what that added.

    Lists of single counties do not speak of one another.
    """
    if not batch.snapshot or feed.snapshot_scope != "feed":
        return False
    later = Batch.objects.using(using).filter(feed=feed.code, snapshot=True, state=Batch.State.LANDED)
    with deliveries_of_feeds([feed.code]) if using == "default" else nullcontext():
        return later.filter(pk__gt=batch.pk).exists()


def decide(
    batch_id: int, outcome: str, *, by: str, reason: str, at: datetime | None = None, office: str = ""
) -> Batch:
    """Let a held batch in, or reject it; both with a reason, both on record. Raises ``NotHeld``."""
    if not reason.strip():
        raise NotHeld(_no_reason(f"批次 {batch_id}"))
    moment = at or timezone.now()
    with transaction.atomic(using=ALIAS):
        batch = Batch.objects.using(ALIAS).select_for_update().get(pk=batch_id)
        if batch.state != Batch.State.HELD:
            raise NotHeld(
                Problem(
                    f"批次 {batch_id}",
                    f"当前状态为“{batch.get_state_display()}”，不需要决定",
                    "只有“已暂扣”的批次可以放行或退回。",
                )
            )
        if outcome == LET_IN and overtaken(batch, catalog()[batch.feed], using=ALIAS):
            raise NotHeld(_outspoken(f"批次 {batch_id}"))
        said = {"outcome": outcome, "by": by, "reason": reason.strip(), "at": moment.isoformat()}
        batch.layout = {**batch.layout, "decision": said}
        if outcome == LET_IN:
            batch.state = Batch.State.RECEIVED
            # What failed was never looked at: to try it again accepts nothing of its layout.
            if batch.layout.pop("failed", None) is None:
                batch.layout["accepted"] = True
            enqueue("take_in", str(batch.pk), {"batch": batch.pk}, priority=4, using=ALIAS)
        else:
            batch.state = Batch.State.REFUSED
            odd = (batch.problem or {}).get("what", "")
            batch.problem = {
                **(batch.problem or {}),
                "what": f"{odd}。已退回：{reason.strip()}",
                "cure": "请提供单位更正后重新报送。",
            }
            ManualImport.objects.using(ALIAS).filter(batch=batch, ended_at=None).update(ended_at=moment)
        batch.save(using=ALIAS)
        record(
            at=moment,
            actor=by,
            office=office,
            action=f"batch.{outcome}",
            object_kind="batch",
            object_ref=str(batch.pk),
            reason=reason.strip(),
            detail={"feed": batch.feed, "file": batch.file_name},
            using=ALIAS,
        )
        transaction.on_commit(lambda: publish("batch", batch=batch.pk), using=ALIAS)
    return batch
