"""Playlists and schedules: the one writer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from dashboard.models import Playlist, Schedule, WallGroup
from dashboard.walls.refused import WallRefused
from dashboard.walls.switching import checked_items


def save_playlist(*, by: Person, code: str, zh: str, en: str, items: Any, at: datetime) -> Playlist:
    """Write a playlist of the person's office; screens that play it go on with what they were given."""
    if not (1 <= len(code) <= 40 and code.replace("-", "").replace("_", "").isalnum() and code.isascii()):
        raise WallRefused(400, "轮播代号用字母和数字", "a playlist's code: letters and digits")
    if not zh.strip():
        raise WallRefused(400, "请填写轮播名称", "give the playlist a name")
    checked = checked_items(items)
    with person_scope(by):
        found, _made = Playlist.objects.update_or_create(
            code=code,
            office_id=by.office_id,
            defaults={
                "name_zh": zh.strip()[:40],
                "name_en": (en.strip() or zh.strip())[:80],
                "items": checked,
            },
        )
        record(
            at=at, actor=by.username, office=by.office_id, action="wall.playlist", object_kind="playlist",
            object_ref=code, detail={"items": len(checked)},
        )  # fmt: skip
    return found


def save_schedule(
    *, by: Person, group: str, entries: Iterable[Mapping[str, Any]], at: datetime
) -> list[Schedule]:
    """Replace the schedule of a group. Screens follow the new one when they are told to (``by_schedule``)."""
    with person_scope(by):
        found = WallGroup.objects.filter(code=group).first()
        if found is None:
            raise WallRefused(404, "没有这个屏组", "no such group")
        known = {p.code: p for p in Playlist.objects.all()}
        rows = []
        for n, entry in enumerate(entries, start=1):
            try:
                days = sorted({int(d) for d in entry["days"]})
                begins = datetime.strptime(str(entry["begins"]), "%H:%M").time()
                ends = datetime.strptime(str(entry["ends"]), "%H:%M").time()
                playlist = known[str(entry["playlist"])]
            except (KeyError, TypeError, ValueError) as error:
                raise WallRefused(
                    400, f"时间表第 {n} 行不可用", f"line {n} of the schedule cannot be used"
                ) from error
            if not days or not set(days) <= set(range(1, 8)) or ends <= begins:
                raise WallRefused(
                    400,
                    f"时间表第 {n} 行：星期为 1–7，结束须晚于开始",
                    f"line {n}: days 1–7, the end after the beginning",
                )
            rows.append(Schedule(group=found, playlist=playlist, days=days, begins=begins, ends=ends))
        Schedule.objects.filter(group=found).delete()
        made = Schedule.objects.bulk_create(rows)
        record(
            at=at, actor=by.username, office=by.office_id, action="wall.schedule", object_kind="wall_group",
            object_ref=group, detail={"entries": len(rows)},
        )  # fmt: skip
    return made
