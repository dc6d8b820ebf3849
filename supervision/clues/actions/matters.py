"""Matters (类案): opened by an office that leads, clues put in and taken out, ended with a conclusion."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from supervision.clues import lifecycle
from supervision.clues.actions.moving import Refused, moving
from supervision.clues.lifecycle import State
from supervision.models import Clue, ClueEvent, Matter


def open_matter(*, by: Person, at: datetime, title: str, text: str = "") -> Matter:
    """Open a matter that the person's office leads."""
    if not title.strip():
        raise Refused("请填写类案名称", "give the matter a name")
    _may(by)
    with person_scope(by):
        made = Matter.objects.create(
            title=title.strip()[:120],
            text=text.strip(),
            lead_office=by.office_id,
            lead=by.username,
            opened_by=by.name,
            opened_at=at,
        )
        _written("matter.open", made, by, at)
    return made


def end_matter(*, matter: int, by: Person, at: datetime, conclusion: str) -> Matter:
    """End a matter with what came of it; every part must have been decided on before."""
    if not conclusion.strip():
        raise Refused("请写明类案办理结果", "say what came of it")
    _may(by)
    with person_scope(by), transaction.atomic():
        found = _open(matter, by)
        still = Clue.objects.filter(matter=found, open=True).count()
        if still:
            raise Refused(
                f"还有 {still} 条线索在办：先办结、移出，再结束类案",
                f"{still} clues are open: settle them or take them out first",
            )
        found.ended_at, found.ended_by, found.conclusion = at, by.name, conclusion.strip()
        found.save()
        _written("matter.end", found, by, at)
    return found


def join_matter(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    matter: int,
    note: str = "",
    expected_version: int | None = None,
) -> Clue:
    """Make a clue part of a matter (归入类案); its handling stays with its office."""
    with moving(
        "join_matter", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        if move.clue.matter_id:
            raise Refused("已在一个类案中，请先移出", "it is part of a matter: take it out first")
        if move.clue.sealed or move.clue.closed_to:
            raise Refused(
                "封存或只对专门部门开放的线索不归入类案", "sealed and closed clues are not put into a matter"
            )
        move.clue.matter, move.note = _open(matter, by), note
        move.detail |= {"matter": matter}
    return move.clue


def leave_matter(
    *, clue_number: str, by: Person, at: datetime, note: str, expected_version: int | None = None
) -> Clue:
    """Take a clue out of its matter, with the reason."""
    if not note.strip():
        raise Refused("请写明移出的理由", "say why it is taken out")
    with moving(
        "leave_matter", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        if not move.clue.matter_id:
            raise Refused("这条线索不在类案中", "the clue is part of no matter")
        move.detail |= {"matter": move.clue.matter_id}
        move.clue.matter, move.note = None, note
    return move.clue


def detach(
    *, clue_number: str, by: Person, at: datetime, note: str, expected_version: int | None = None
) -> Clue:
    """Make a clue that was merged one of its own again, where it stood before; what was being checked waits for
    a new order."""
    if not note.strip():
        raise Refused("请写明移出的理由", "say why it is taken out")
    with moving("detach", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        into = move.clue.merged_into
        merged = ClueEvent.objects.filter(clue=move.clue, to_state=State.MERGED.value).last()
        before = State(merged.from_state) if merged and merged.from_state else State.RAISED
        move.clue.state = (before if before in lifecycle.WITHDRAWABLE else State.TRIAGED).value
        move.clue.merged_into, move.clue.handler, move.note = None, "", note
        move.detail |= {"clue": into.number if into else ""}
    return move.clue


def _may(by: Person) -> None:
    if not by.may("clue.triage"):
        raise Refused("您的角色不能办理类案", "your roles do not allow working on matters")


def _open(matter: int, by: Person) -> Matter:
    found = Matter.objects.select_for_update().filter(pk=matter, ended_at=None).first()
    if found is None or found.lead_office not in by.office_codes:
        raise Refused("请选择一个在办的类案", "choose a matter that is open")
    return found


def _written(action: str, matter: Matter, by: Person, at: datetime) -> None:
    record(
        at=at, actor=by.username, office=by.office_id, action=action, object_kind="matter", object_ref=str(matter.pk)
    )  # fmt: skip
