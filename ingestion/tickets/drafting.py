"""Draft tickets that the machine proposes: a person reads, perhaps mends and sends them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from django.db import connections
from django.utils import timezone

from ingestion.catalog.health import Finding
from ingestion.catalog.spec import FeedSpec
from ingestion.intake.normalising import Reason
from ingestion.models import Batch, DataTicket, TicketEvent
from ingestion.telemetry.devices import SilentDevice
from ingestion.tickets import attachment

#: who proposes, as the history names it
MACHINE = "系统"


def of_quarantine(batch: Batch, feed: FeedSpec, *, at: datetime, most: int) -> DataTicket | None:
    """One draft for all rows of the batch that stood aside, with those rows attached. None when there is one."""
    counts = _reasons(batch)
    lines = [
        f"{number}．{column + '：' if column else ''}{Reason[reason.upper()].zh}，{rows} 行；"
        f"{Reason[reason.upper()].cure}。"
        for number, (column, reason, rows) in enumerate(counts, 1)
    ]
    ticket = _draft(
        batch,
        feed,
        kind=DataTicket.Kind.QUARANTINE,
        subject=f"{feed.title.zh}：{batch.quarantined} 行未通过校验，请更正",
        text="\n".join(
            [
                f"贵单位 {_day(batch.received_at)} 报送的“{feed.title.zh}”（文件 {batch.file_name}）共 {batch.received} 行，"
                f"其中 {batch.quarantined} 行未通过校验，没有入库。原因如下：",
                *lines,
                "附表按贵单位文件的行号和主键列出上述各行，请核对更正后重新报送；已入库的行不必重报。",
            ]
        ),
        detail=[{"column": c, "reason": r, "rows": n} for c, r, n in counts],
        rows=batch.quarantined,
        at=at,
    )
    if ticket is None:
        return None
    content, told = attachment.of_quarantine(batch, feed, most)
    sealed, key_id = attachment.seal(ticket, content)
    DataTicket.objects.using("intake").filter(pk=ticket.pk).update(
        sealed=sealed, key_id=key_id, sealed_rows=told
    )
    return ticket


def of_findings(batch: Batch, feed: FeedSpec, found: list[Finding], *, at: datetime) -> DataTicket | None:
    """One draft for all that a batch shows outside the usual. None when there is one."""
    lines = [f"{number}．{sentence(feed, f.document())}。" for number, f in enumerate(found, 1)]
    return _draft(
        batch,
        feed,
        kind=DataTicket.Kind.ANOMALY,
        subject=f"{feed.title.zh}：与以往批次差异较大，请核实",
        text="\n".join(
            [
                f"贵单位 {_day(batch.received_at)} 报送的“{feed.title.zh}”（文件 {batch.file_name}）与以往批次相比：",
                *lines,
                "请核实是否为导出口径、筛选条件、单位或代码变化所致；确属正常的请说明原因，有误的请更正后重新报送。",
            ]
        ),
        detail=[f.document() for f in found],
        rows=batch.received,
        at=at,
    )


def of_lateness(feed: FeedSpec, *, expected_by: date | None, covers: date | None, at: datetime) -> bool:
    """A draft for a feed whose delivery is overdue, unless one is open already. Returns whether it was made."""
    since = f"数据截至 {covers}，" if covers else ""
    ticket = DataTicket(
        feed=feed.code,
        agency=feed.agency.code,
        agency_zh=feed.agency.zh,
        kind=DataTicket.Kind.LATE,
        subject=f"{feed.title.zh}：逾期未报送",
        text=f"贵单位报送的“{feed.title.zh}”{since}按约定应于 {expected_by} 前报送后续数据，至今未收到。"
        "请尽快报送；如本期无数据，请报送零行文件并说明；如导出或传输有困难，请说明原因和预计时间。",
        detail=[],
        opened_by=MACHINE,
        opened_at=at,
        updated_at=at,
    )
    with connections["intake"].cursor() as cursor:
        cursor.execute(
            "select 1 from ingestion_dataticket where feed = %s and kind = 'late' and state <> 'closed'",
            [feed.code],
        )
        if cursor.fetchone():
            return False
    ticket.save(using="intake")
    _event(ticket, at)
    return True


def of_silence(feed: FeedSpec, devices: Sequence[SilentDevice], *, at: datetime) -> int:
    """One draft for the devices that have fallen silent and stand in no open ticket; returns how many those are."""
    with connections["intake"].cursor() as cursor:
        cursor.execute(
            "select d->>'mn' from ingestion_dataticket t, jsonb_array_elements(t.detail) d"
            " where t.feed = %s and t.kind = 'device' and t.state <> 'closed'",
            [feed.code],
        )
        asked = {mn for (mn,) in cursor.fetchall()}
    fresh = [device for device in devices if device.mn not in asked]
    if not fresh:
        return 0
    lines = [
        f"{number}．{d.org_name} {d.outlet_name}（设备编号 {d.mn}）："
        + (f"最近一次数据 {timezone.localtime(d.last_at):%Y-%m-%d %H:%M}" if d.last_at else "从未收到数据")
        for number, d in enumerate(fresh, 1)
    ]
    ticket = DataTicket.objects.using("intake").create(
        feed=feed.code,
        agency=feed.agency.code,
        agency_zh=feed.agency.zh,
        kind=DataTicket.Kind.DEVICE,
        subject=f"{feed.title.zh}：{len(fresh)} 台设备中断",
        text="\n".join(
            [
                "下列已登记的自动监测设备超过约定间隔没有数据：",
                *lines,
                "请核实是否停产、停运、检修或传输故障，恢复传输并说明原因和起止时间；已停用的请更新设备备案。",
            ]
        ),
        detail=[
            {"mn": d.mn, "last_at": d.last_at.isoformat() if d.last_at else None, "county": d.county}
            for d in fresh
        ],
        opened_by=MACHINE,
        opened_at=at,
        updated_at=at,
    )
    _event(ticket, at)
    return len(fresh)


def _draft(
    batch: Batch,
    feed: FeedSpec,
    *,
    kind: str,
    subject: str,
    text: str,
    detail: list[dict[str, Any]],
    rows: int,
    at: datetime,
) -> DataTicket | None:
    if DataTicket.objects.using("intake").filter(batch=batch, kind=kind).exists():
        return None
    ticket = DataTicket.objects.using("intake").create(
        feed=feed.code,
        agency=feed.agency.code,
        agency_zh=feed.agency.zh,
        kind=kind,
        batch=batch,
        subject=subject[:120],
        text=text,
        detail=detail,
        rows=rows,
        opened_by=MACHINE,
        opened_at=at,
        updated_at=at,
    )
    _event(ticket, at)
    return ticket


def _event(ticket: DataTicket, at: datetime) -> None:
    TicketEvent.objects.using("intake").create(ticket=ticket, at=at, actor=MACHINE, kind="opened")


def _reasons(batch: Batch) -> list[tuple[str, str, int]]:
    """(column in the sender's words, reason, rows), most rows first."""
    with connections["intake"].cursor() as cursor:
        cursor.execute(
            "select coalesce(r->>'column', ''), r->>'reason', count(distinct q.row_no) from ingestion_quarantine q,"
            " jsonb_array_elements(q.reasons) r where q.batch_id = %s group by 1, 2 order by 3 desc, 1, 2",
            [batch.pk],
        )
        return [(column, reason, rows) for column, reason, rows in cursor.fetchall()]


def _day(moment: datetime) -> str:
    return f"{timezone.localtime(moment):%Y-%m-%d}"


def _share(value: float) -> str:
    return f"{value:.1%}"


def sentence(feed: FeedSpec, finding: dict[str, Any]) -> str:
    """One finding in Chinese, as a provider reads it."""
    kind, seen, usual = finding["kind"], finding["seen"], finding["usual"]
    name = finding["column"]
    known = next((c for c in feed.delivered if c.name == name), None)
    column = known.headers[0] if known else "所属县市"
    if kind == "middle" and known and known.type == "money":
        seen, usual = seen / 100, usual / 100
    return {
        "volume_low": f"共 {seen:,.0f} 行，明显少于以往（通常约 {usual:,.0f} 行）",
        "volume_high": f"共 {seen:,.0f} 行，明显多于以往（通常约 {usual:,.0f} 行）",
        "quarantined": f"隔离行占 {_share(seen)}，高于约定",
        "empty": f"“{column}”有 {_share(seen)} 为空，以往约 {_share(usual)}",
        "drift": f"“{column}”的取值分布与以往明显不同，约 {_share(seen)} 的行取值不同于惯常",
        "middle": f"“{column}”的中位数为 {seen:,.4g}，以往约 {usual:,.4g}，请核对计量单位",
    }[kind]
