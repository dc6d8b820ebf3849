"""Clues that people enter."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from django.db import transaction
from django.utils import timezone

from chuxiong.accounts.models import Office, Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from supervision.clues.actions.moving import Refused
from supervision.clues.events import ClueMoved, announce
from supervision.clues.numbers import take_number
from supervision.duties import competent_office, responsible
from supervision.models import Clue, ClueEvent
from supervision.reference import REFERENCE


def enter(
    *,
    by: Person,
    at: datetime,
    title: str,
    office: str,
    township: str,
    occurred_on: date,
    level: str,
    text: str,
    domain: str = "",
    exercise: bool = False,
    origin: Literal["manual", "alert"] = "manual",
    subject: tuple[str, str] | None = None,
    label: str = "",
    problem: str = "",
    title_en: str = "",
) -> Clue:
    """Manual entry (人工录入): what a person saw, in six fields; ``alert`` when it began as an alarm.

    ``title_en`` where the title is generated; what people write stands in their own words.
    """
    if not title.strip() or not text.strip():
        raise Refused("请填写事项和情况说明", "fill in the matter and what was seen")
    if not by.may("clue.enter"):
        raise Refused("您的角色不能录入线索", "your roles do not allow entering clues")
    if office not in by.office_codes:
        raise Refused(f"不能录入 {office} 的线索：不在您的范围内", f"{office} is not within your scope")
    closed_to = REFERENCE.closed_to(domain)
    held = Office.objects.get(pk=office)
    duty = (
        responsible(
            problem,
            office,
            on=timezone.localdate(at),
            zh=held.short_zh,
            en=held.short_en,
            prefecture=held.parent_id or office,
        )
        if problem
        else None
    )
    if closed_to and (by.department is None or by.department.code != closed_to):
        raise Refused(
            "这类线索只对专门部门开放，请交该部门录入",
            "only the department in charge enters such clues: hand it over",
        )
    with person_scope(by):
        clue = Clue.objects.create(
            number=take_number("XS", timezone.localdate(at).year),
            origin=origin,
            subject_kind=subject[0] if subject else "place",
            subject_ref=subject[1] if subject else f"{office}:{township}",
            title=title,
            label=label or township,
            responsible=duty.agency if duty else "",
            responsible_zh=duty.agency_zh if duty else "",
            responsible_en=duty.agency_en if duty else "",
            competent=competent_office(duty, office, held.parent_id or office),
            level=level,
            office=office,
            township=township,
            material={"text": text, "occurred_on": occurred_on.isoformat(), "domain": domain}
            | ({"title_en": title_en} if title_en else {}),
            raised_at=at,
            due_on=REFERENCE.limit("triage").after(timezone.localdate(at)),
            closed_to=closed_to,
            exercise=exercise,
        )
        ClueEvent.objects.bulk_create(
            [ClueEvent(clue=clue, at=at, actor=by.name, kind="enter", to_state=clue.state, note=text)]
        )
        record(
            at=at,
            actor=by.username,
            office=by.office_id,
            action="clue.enter",
            object_kind="clue",
            object_ref=clue.number,
        )
        moved = ClueMoved(clue.pk, clue.office, clue.state)
        transaction.on_commit(lambda: announce(moved))
    return clue
