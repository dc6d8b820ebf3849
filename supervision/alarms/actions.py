"""What people do with an alarm: acknowledge it, or make it a clue. Every act is audited."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.kit.factor import named
from supervision.alarms.states import OPEN, STATE_WORDS, State
from supervision.clues.actions import Refused, enter
from supervision.clues.events import AlarmsChanged, announce
from supervision.models import Alarm, Clue
from supervision.selectors import alarms

#: what a person's roles must allow, any one of them
PERMISSIONS = {"acknowledge": ("order.give", "clue.triage"), "promote": ("clue.enter",)}


def acknowledge(*, alarm_id: int, by: Person, at: datetime, note: str = "") -> Alarm:
    """Say that somebody has seen it and what was done."""
    _permitted("acknowledge", by)
    with person_scope(by):
        alarm = _locked(alarm_id, {State.UNREVIEWED})
        _review(alarm, State.ACKNOWLEDGED, by, at, note)
    return alarm


def promote(*, alarm_id: int, by: Person, at: datetime, note: str = "") -> Clue:
    """Make the alarm a clue; both know of each other."""
    _permitted("promote", by)
    with person_scope(by):
        alarm = _locked(alarm_id, OPEN)
        local = timezone.localtime(alarm.last_at)
        factor = named(alarm.series)
        alarm.clue = enter(
            by=by,
            at=at,
            origin="alert",
            title=f"{alarm.title_zh}：{factor.zh}达到限值的 {alarm.multiple:.1f} 倍",
            title_en=f"{alarm.title_en}: {factor.en} at {alarm.multiple:.1f} times the limit",
            office=alarm.office,
            township="",
            occurred_on=local.date(),
            level="urgent" if alarm.level == "urgent" else "important",
            text=note
            or f"{alarm.label}，{local:%Y-%m-%d %H:%M} 前后 {alarm.readings} 个读数高于限值，"
            f"最高 {alarm.peak:g}（限值 {alarm.limit_value:g}）。由预警转入，读数未经审核。",
            domain="public_interest",
            subject=(alarm.subject_kind, alarm.subject_ref),
            label=alarm.label,
            problem=alarms()[alarm.definition].problem,
        )
        _review(alarm, State.PROMOTED, by, at, note)
    return alarm.clue


def _permitted(move: str, by: Person) -> None:
    if by.permissions.isdisjoint(PERMISSIONS[move]):
        raise Refused(
            "您的角色不能处理预警；需要时请由安全管理员授予角色",
            "your roles do not allow handling alarms; ask the security administrator for the role",
        )


def _locked(alarm_id: int, states: set[State] | frozenset[State]) -> Alarm:
    alarm = Alarm.objects.select_for_update().filter(pk=alarm_id).first()
    if alarm is None:
        raise Refused("没有这条预警，或不在您的范围内", "no such alarm within your scope")
    if alarm.state not in states:
        raise Refused(
            f"这条预警{STATE_WORDS[State(alarm.state)].zh}（{alarm.reviewed_by}），请刷新后查看",
            f"the alarm is {STATE_WORDS[State(alarm.state)].en.lower()} already; reload the page",
            alarm.version,
        )
    return alarm


def _review(alarm: Alarm, state: State, by: Person, at: datetime, note: str) -> None:
    alarm.state, alarm.reviewed_at, alarm.reviewed_by, alarm.note = state.value, at, by.name, note
    alarm.version += 1
    alarm.save()
    record(
        at=at,
        actor=by.username,
        office=by.office_id,
        action=f"alarm.{'promote' if state is State.PROMOTED else 'acknowledge'}",
        object_kind="alarm",
        object_ref=str(alarm.pk),
    )
    event = AlarmsChanged(0)
    transaction.on_commit(lambda: announce(event))
