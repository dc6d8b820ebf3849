"""What is put over the walls, and what is kept from them while there are visitors."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.db import connections

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from dashboard.models import Interrupt, Screen, Visit
from dashboard.walls import registry
from dashboard.walls.refused import WallRefused
from dashboard.walls.settings import switching
from dashboard.walls.switching import checked_params, known_scene, ms


def interrupt(
    *,
    by: Person,
    scene: str,
    seconds: int,
    zh: str,
    en: str = "",
    params: Mapping[str, Any] | None = None,
    at: datetime,
) -> Interrupt:
    """Put a scene over the walls of the person's office for a while."""
    known_scene(scene)
    if not 5 <= seconds <= 900:
        raise WallRefused(400, "插播时长应为 5 到 900 秒", "an interrupt lasts 5 to 900 seconds")
    with person_scope(by):
        if Visit.objects.filter(office=by.office_id, ended_at=None).exists():
            raise WallRefused(409, "参观模式下不插播", "no interrupts while there are visitors")
        begins = at + timedelta(seconds=switching().lead_seconds.value * 2)
        made = Interrupt.objects.create(
            office=by.office_id,
            cause=f"person:{ms(at)}",
            scene=scene,
            params=checked_params(params or {}),
            title_zh=zh.strip()[:120],
            title_en=(en.strip() or zh.strip())[:160],
            made_at=at,
            begins=begins,
            ends=begins + timedelta(seconds=seconds),
        )
        record(
            at=at, actor=by.username, office=by.office_id, action="wall.interrupt", object_kind="interrupt",
            object_ref=str(made.pk), detail={"scene": scene, "seconds": seconds},
        )  # fmt: skip
        registry.poke()
    return made


def end_interrupts(*, by: Person, at: datetime) -> int:
    """Give the walls back before the time is over."""
    with person_scope(by):
        running = Interrupt.objects.filter(office=by.office_id, ends__gt=at)
        ended = running.update(ends=at, ended_by=by.username)
        if ended:
            record(
                at=at, actor=by.username, office=by.office_id, action="wall.interrupt_end",
                object_kind="interrupt", object_ref=str(ended), detail={},
            )  # fmt: skip
            registry.poke()
    return ended


def begin_visit(*, by: Person, at: datetime) -> Visit:
    """Visitor mode for every wall of the office. Safe only when every screen has said so (``selectors``)."""
    with person_scope(by):
        if Visit.objects.filter(office=by.office_id, ended_at=None).exists():
            raise WallRefused(409, "已在参观模式", "visitor mode is on already")
        visit = Visit.objects.create(office=by.office_id, began_at=at, began_by=by.username)
        Interrupt.objects.filter(office=by.office_id, ends__gt=at).update(ends=at, ended_by=by.username)
        record(
            at=at, actor=by.username, office=by.office_id, action="wall.visit_begin", object_kind="visit",
            object_ref=str(visit.pk), detail={},
        )  # fmt: skip
        registry.poke()
    return visit


def end_visit(*, by: Person, at: datetime) -> Visit:
    """Visitors have left; what was kept back meanwhile is not played by itself."""
    with person_scope(by):
        visit = Visit.objects.select_for_update().filter(office=by.office_id, ended_at=None).first()
        if visit is None:
            raise WallRefused(409, "不在参观模式", "visitor mode is not on")
        visit.ended_at, visit.ended_by = at, by.username
        visit.save(update_fields=["ended_at", "ended_by"])
        record(
            at=at, actor=by.username, office=by.office_id, action="wall.visit_end", object_kind="visit",
            object_ref=str(visit.pk), detail={},
        )  # fmt: skip
        registry.poke()
    return visit


_TITLES = {"alarm": ("紧急预警", "Urgent alarm"), "clue": ("紧急线索", "Urgent clue")}
_FRESH = {
    "alarm": "select id from wall_alarm where level = %s and state = 'unreviewed' and first_at > %s order by id",
    "clue": "select id from wall_urgent_clue where %s = 'urgent' and raised_at > %s order by id",
}


def consider(screen: Screen, *, at: datetime) -> int:
    """Call interrupts for what is urgent and fresh; once each, whoever looks first. Returns how many were new.

    During a visit they are written down without a time and so reach no wall.
    """
    made = 0
    with registry.device_scope(screen.token_digest):
        visit = Visit.objects.filter(office=screen.office, ended_at=None).exists()
        for cause in switching().interrupts:
            with connections["wall"].cursor() as cursor:
                cursor.execute(
                    _FRESH[cause.cause], [cause.level, at - timedelta(minutes=cause.fresh_minutes)]
                )
                found = [f"{screen.office}:{cause.cause}:{pk}" for (pk,) in cursor.fetchall()]
            known = set(Interrupt.objects.filter(cause__in=found).values_list("cause", flat=True))
            begins = None if visit else at + timedelta(seconds=switching().lead_seconds.value * 2)
            rows = [
                Interrupt(
                    office=screen.office, cause=name, scene=cause.scene, title_zh=_TITLES[cause.cause][0],
                    title_en=_TITLES[cause.cause][1], made_at=at, begins=begins,
                    ends=None if begins is None else begins + timedelta(seconds=cause.seconds),
                )
                for name in found if name not in known
            ]  # fmt: skip
            # Several at once are one interruption: the walls are taken once, the console counts them all.
            for row in rows[1:]:
                row.begins = row.ends = None
            Interrupt.objects.bulk_create(rows, ignore_conflicts=True)
            made += len(rows)
        if made:
            registry.poke()
    return made
