"""Up to which day a delivery is complete: as stated, or as its dates say; never beyond the day it was received.

Absence (``without`` in a rule) counts up to that day and lateness is reckoned from it, so a slip in one date would make
absence prove what it does not, and hide that a feed has stopped.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date
from typing import Any

from django.utils import timezone

from ingestion.catalog.spec import FeedSpec
from ingestion.intake.issues import raise_issue
from ingestion.models import Batch

KIND = "coverage_ahead"
_STATED = "文件 {file} 写明数据截至 {day}，晚于接收日 {received}，已按接收日计算。请与提供单位核对“数据截至”的填法。"
_AHEAD = "文件 {file} 有 {rows} 行的“{header}”晚于接收日 {received}，不计入数据截至；记录照常入库。请与提供单位核对这些日期。"


def covers(cursor: Any, feed: FeedSpec, batch: Batch, staged: str) -> date | None:
    """The day, within the landing of ``batch``; raises an issue where a date lies ahead of the day of receipt.

    A month counts up to its last day. Dates ahead are left out of the reckoning: where there are no others, nothing is
    covered.
    """
    received = timezone.localdate(batch.received_at)
    if batch.covers_until is not None:
        return _stated(batch, batch.covers_until, received)
    if not feed.covers:
        return None
    cursor.execute(
        f'select max(c.day) filter (where c.day <= %s), count(*) filter (where c.day > %s) from (select "{feed.covers}"::date'
        f" as day from {staged}) c",
        [received, received],
    )
    latest, ahead = cursor.fetchone()
    column = feed.column(feed.covers)
    if ahead:
        header = column.headers[0]
        text = _AHEAD.format(file=batch.file_name, rows=ahead, header=header, received=received)
        raise_issue(batch, KIND, header, text)
    if latest is None:
        return None
    return min(_month_end(latest), received) if column.type == "month" else latest


def _stated(batch: Batch, day: date, received: date) -> date:
    if day <= received:
        return day
    raise_issue(batch, KIND, "数据截至", _STATED.format(file=batch.file_name, day=day, received=received))
    return received


def _month_end(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])
