"""Delivers the generated files as agencies would: in the order of the manifest, through the real intake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from django.utils import timezone

from chuxiong.work.jobs import work_off
from ingestion.intake.receive import receive
from ingestion.models import Batch
from ingestion.selectors import catalog


@dataclass(frozen=True)
class Delivery:
    """One line of the manifest."""

    feed: str
    path: Path
    day: int
    covers_until: date | None
    snapshot: bool


def manifest(folder: Path, *, days: set[int] | None = None) -> Iterator[Delivery]:
    for line in (folder / "manifest.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        if days is not None and row["day"] not in days:
            continue
        covers = row.get("covers_until")
        yield Delivery(
            feed=row["feed"],
            path=folder / row["file"],
            day=row["day"],
            covers_until=date.fromisoformat(covers) if covers else None,
            snapshot=row.get("snapshot", False),
        )


def deliver(
    folder: Path,
    *,
    days: set[int] | None = None,
    feeds: set[str] | None = None,
    wait: bool = True,
    say: Callable[[str], None] | None = None,
) -> list[Batch]:
    """Receive every file (and take it in when ``wait``); feeds without a catalogue file are skipped and named."""
    batches = []
    for item in manifest(folder, days=days):
        if feeds is not None and item.feed not in feeds:
            continue
        if item.feed not in catalog():
            if say:
                say(f"跳过 {item.path.name}：没有数据源 {item.feed}")
            continue
        with item.path.open("rb") as source:
            batch, _ = receive(
                source,
                feed=catalog()[item.feed],
                file_name=item.path.name,
                by="演示",
                at=timezone.now(),
                covers_until=item.covers_until,
                snapshot=item.snapshot,
            )
        if wait:
            while work_off(kinds=["take_in"]):
                pass
            batch.refresh_from_db(using="intake")
        if say:
            say(
                f"{item.feed} {item.path.name}: {batch.get_state_display()} 接收 {batch.received}"
                f" = 入库 {batch.loaded} + 未变 {batch.unchanged} + 重复 {batch.duplicate} + 隔离 {batch.quarantined}"
            )
        batches.append(batch)
    return batches
