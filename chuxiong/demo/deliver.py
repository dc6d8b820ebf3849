"""Delivers the generated files as agencies would: in the order of the manifest, through the real intake."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from django.utils import timezone

from chuxiong.demo.water import FOLDER
from chuxiong.work.jobs import work_off
from chuxiong.work.models import Job
from ingestion.agreements import agreement_of
from ingestion.cameras.registering import register as register_cameras
from ingestion.intake.receive import ALIAS, ImportRefused, receive
from ingestion.models import Batch
from ingestion.selectors import catalog
from ingestion.water import spec
from ingestion.water.registering import register as register_rivers


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


def register_water(folder: Path) -> str:
    """Register the rivers and cameras that lie beside the files; says what was registered, empty when none lie there."""
    rivers_file, cameras_file = (folder / FOLDER / f"{name}.yaml" for name in ("rivers", "cameras"))
    if not rivers_file.is_file() or not cameras_file.is_file():
        return ""
    made = register_rivers(
        spec.read(rivers_file.read_text(encoding="utf-8"), name=rivers_file.name), name=rivers_file.name
    )
    # Which agreement covers the video is known to the centre, not to the files.
    agreement = agreement_of("vd_enforcement_video", on=timezone.localdate(), using=ALIAS)
    text = cameras_file.read_text(encoding="utf-8")
    number = agreement.number if agreement else "演示协议"
    count = register_cameras(text.replace("agreement: ''", f"agreement: {number}"), name=cameras_file.name)
    return f"登记河流 {made.rivers} 条、点位 {made.places} 处、摄像机 {count} 台"


def deliver(
    folder: Path,
    *,
    days: set[int] | None = None,
    feeds: set[str] | None = None,
    wait: bool = True,
    say: Callable[[str], None] | None = None,
) -> list[Batch]:
    """Receive every file (and take it in when ``wait``); feeds without a catalogue file are skipped and named."""
    registered = register_water(folder)
    if say and registered:
        say(registered)
    batches = []
    for item in manifest(folder, days=days):
        if feeds is not None and item.feed not in feeds:
            continue
        if item.feed not in catalog():
            if say:
                say(f"跳过 {item.path.name}：没有数据源 {item.feed}")
            continue
        try:
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
        except ImportRefused as refused:
            # Somebody ended the feed's agreement: the centre starts all the same, without this file.
            if say:
                say(f"未接收 {item.path.name}：{refused.problem.what}")
            continue
        if wait:
            _settle(batch)
        if say:
            say(
                f"{item.feed} {item.path.name}: {batch.get_state_display()} 接收 {batch.received}"
                f" = 入库 {batch.loaded} + 未变 {batch.unchanged} + 重复 {batch.duplicate} + 隔离 {batch.quarantined}"
            )
        batches.append(batch)
    return batches


def _settle(batch: Batch) -> None:
    """Until the batch has ended; a worker of a running centre may have it, or an earlier one of its feed."""
    while True:
        done = work_off(kinds=["take_in"])
        batch.refresh_from_db(using="intake")
        if batch.state not in (Batch.State.RECEIVED, Batch.State.READING):
            return
        if not done:
            open_ = Job.objects.using(ALIAS).filter(kind="take_in", key=str(batch.pk))
            if not open_.filter(state__in=(Job.State.QUEUED, Job.State.RUNNING)).exists():
                return
            time.sleep(0.2)
