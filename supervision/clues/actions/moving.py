"""The frame of every act upon a clue: lock, ask the table, write clue and event, announce."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import transaction

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from supervision.access import Guarded, Viewer, visible
from supervision.clues import lifecycle
from supervision.clues.events import ClueMoved, announce
from supervision.clues.lifecycle import State
from supervision.models import Clue, ClueEvent
from supervision.reference import REFERENCE


class Refused(Exception):
    """The act was not done; the words say why and what to do."""

    def __init__(self, zh: str, en: str, current_version: int | None = None) -> None:
        super().__init__(zh)
        self.zh, self.en, self.current_version = zh, en, current_version


@dataclass
class Act:
    """A move under way: the locked clue and what its event will say."""

    clue: Clue
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@contextmanager
def moving(
    name: str, *, clue_number: str, by: Person, at: datetime, expected_version: int | None
) -> Iterator[Act]:
    """Lock the clue under the person's scope, check version and move; write clue and event after."""
    with person_scope(by):
        clue = locked(name, clue_number, by, expected_version)
        before, to = clue.state, lifecycle.MOVES[name].to
        if to is not None:
            clue.state = to.value
        act = Act(clue)
        yield act
        clue.version += 1
        if not visible(viewer(by), guarded(clue)):
            raise Refused(
                "办理后线索会离开您的可见范围；请由专门部门或部门负责人办理",
                "the act would take the clue out of your sight: leave it to the department in charge or its head",
                clue.version - 1,
            )
        clue.save()
        trace(name, clue, before, by, at, act.note, act.detail)


def viewer(person: Person) -> Viewer:
    department = person.department.code if person.department else ""
    return Viewer(person.username, frozenset(person.office_codes), department, person.may("sealed.read"))


def guarded(clue: Clue) -> Guarded:
    return Guarded(
        clue.office,
        clue.closed_to,
        clue.handler,
        clue.sealed,
        frozenset(clue.admitted),
        frozenset(clue.recused),
        frozenset(clue.seals),
    )


def unknown_clue(number: str) -> Refused:
    return Refused(f"没有线索 {number}，或不在您的范围内", f"no clue {number} within your scope")


def locked(name: str, number: str, by: Person, expected_version: int | None) -> Clue:
    """The clue, locked, if it may make the move ``name`` from where it stands."""
    clue = Clue.objects.select_for_update().filter(number=number).first()
    if clue is None:
        raise unknown_clue(number)
    if expected_version is not None and clue.version != expected_version:
        last = clue.events.order_by("-id").first()
        who = f"{last.actor} 于 {last.at:%m-%d %H:%M} " if last else ""
        raise Refused(
            f"这条线索刚被改动：{who}已变为“{lifecycle.STATE_WORDS[State(clue.state)].zh}”。请查看后再继续",
            f"the clue changed meanwhile ({clue.state}); look at it before going on",
            clue.version,
        )
    try:
        move = lifecycle.check(name, State(clue.state))
    except lifecycle.NotPossible as error:
        raise Refused(error.zh, error.en, clue.version) from error
    permitted(move, clue, by)
    return clue


def permitted(move: lifecycle.Move, clue: Clue, by: Person) -> None:
    """The person's roles allow the move, and what a handler does is done by the handler."""
    if not by.may(move.permission):
        raise Refused(
            f"您的角色不能{move.words.zh}；需要时请由安全管理员授予角色",
            f"your roles do not allow “{move.words.en}”; ask the security administrator for the role",
            clue.version,
        )
    if move.by_handler and clue.handler not in ("", by.username) and not by.may("clue.hand_over"):
        zh, en = called(clue.handler)
        raise Refused(
            f"这条线索由{zh}承办；可请部门负责人移交给您",
            f"{en} handles this clue; the head of department may hand it over to you",
            clue.version,
        )


def called(username: str) -> tuple[str, str]:
    """A colleague as colleagues know one: name, office and department, in both languages."""
    found = Person.objects.filter(username=username).select_related("office", "department").first()
    if found is None:
        return f" {username} ", username
    zh, en = [found.office.short_zh], [found.office.short_en]
    if found.department:
        zh.append(found.department.name_zh)
        en.append(found.department.name_en)
    return f" {found.name}（{'・'.join(zh)}）", f"{found.name} ({', '.join(en)})"


def trace(
    name: str, clue: Clue, before: str, by: Person, at: datetime, note: str, detail: dict[str, Any]
) -> None:
    """The move's event, its audit row, and the word to the screens after commit."""
    ClueEvent.objects.bulk_create(
        [
            ClueEvent(
                clue=clue,
                at=at,
                actor=by.name,
                kind=name,
                from_state=before,
                to_state=clue.state,
                note=note,
                detail=detail,
            )
        ]
    )
    record(
        at=at,
        actor=by.username,
        office=by.office_id,
        action=f"clue.{name}",
        object_kind="clue",
        object_ref=clue.number,
        detail={"from": before, "to": clue.state},
    )
    moved = ClueMoved(clue.pk, clue.office, clue.state)
    transaction.on_commit(lambda: announce(moved))


def known_reason(listing: str, reason: str) -> None:
    if reason not in REFERENCE.reasons(listing):
        raise Refused(f"未知的原因：{reason}", f"unknown reason: {reason}")
