"""Who may look on: recusal, seal, numbers in the clear, interference on record."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import connection
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from supervision.clues import lifecycle
from supervision.clues.actions.moving import Refused, locked, moving, trace, unknown_clue
from supervision.clues.lifecycle import State
from supervision.models import Clue, Interference, Unmasking
from supervision.reference import REFERENCE


def recuse(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    person: str,
    note: str,
    expected_version: int | None = None,
) -> None:
    """Keep ``person`` away from the clue from now on (回避); a handler's clue waits for another to sign for it."""
    if not note.strip():
        raise Refused("请写明回避事由", "say why")
    with person_scope(by):
        clue = locked("recuse", clue_number, by, expected_version)
        if person in clue.recused:
            return
        if person != by.username and not by.may("clue.hand_over"):
            raise Refused(
                "只能申请本人回避；他人回避由部门负责人决定", "others are kept away by the head of department"
            )
        if not Person.objects.filter(username=person, office__in=by.office_codes).exists():
            raise Refused(f"没有人员 {person}", f"nobody is called {person}")
        trace("recuse", clue, clue.state, by, at, note, {"person": person})
        # The row may leave the actor's own sight, which a plain update under row-level security refuses.
        with connection.cursor() as cursor:
            cursor.execute("select supervision_recuse(%s, %s)", [clue.pk, person])


def readmit(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    person: str,
    note: str,
    expected_version: int | None = None,
) -> Clue:
    """End a recusal, with the reason on record."""
    if not note.strip():
        raise Refused("请写明理由", "say why")
    with moving("readmit", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        if person not in move.clue.recused:
            raise Refused(f"{person} 没有回避", f"{person} does not keep away", move.clue.version)
        move.clue.recused = [name for name in move.clue.recused if name != person]
        move.note, move.detail["person"] = note, person
    return move.clue


def seal(
    *, clue_number: str, by: Person, at: datetime, note: str, expected_version: int | None = None
) -> Clue:
    """Seal a clue (封存): nobody sees it and no total counts it, except people admitted by record."""
    if not note.strip():
        raise Refused("请写明封存依据", "say on what basis it is sealed")
    with moving("seal", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        clue = move.clue
        clue.sealed, move.note = True, note
        # Whoever answers for the office keeps it in sight: sealing hides a clue from the many, from nobody's duty.
        heads = [
            p.username
            for p in Person.objects.filter(office=clue.office, is_active=True)
            if p.may("clue.hand_over")
        ]
        clue.admitted = sorted(
            {*clue.admitted, by.username, *heads, *([clue.handler] if clue.handler else [])}
        )
    return clue


def unseal(
    *, clue_number: str, by: Person, at: datetime, note: str, expected_version: int | None = None
) -> Clue:
    """End a seal: one person asks, a second one decides. Returns the clue, sealed still after the first."""
    if not note.strip():
        raise Refused("请写明解除封存的依据", "say on what basis the seal ends")
    with moving("unseal", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        clue = move.clue
        if not clue.sealed:
            raise Refused("这条线索没有封存", "the clue is not sealed", clue.version)
        asked = clue.results.get("unseal_asked_by")
        if asked == by.username:
            raise Refused("解除封存须由第二人决定", "a second person decides on the seal", clue.version)
        move.note = note
        if asked:
            clue.sealed, move.detail["asked_by"] = False, asked
            clue.results = {k: v for k, v in clue.results.items() if k != "unseal_asked_by"}
        else:
            clue.results = {**clue.results, "unseal_asked_by": by.username}
    return clue


def admit(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    person: str,
    note: str,
    expected_version: int | None = None,
) -> Clue:
    """Record an exception to the seal for one person; only somebody admitted can."""
    if not note.strip():
        raise Refused("请写明查看依据", "say on what basis")
    with moving("admit", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        if not move.clue.sealed:
            raise Refused("这条线索没有封存", "the clue is not sealed", move.clue.version)
        if not Person.objects.filter(username=person, office__in=by.office_codes).exists():
            raise Refused(f"没有人员 {person}", f"nobody is called {person}")
        move.clue.admitted = sorted({*move.clue.admitted, person})
        move.note, move.detail["person"] = note, person
    return move.clue


def unmask(*, clue_number: str, by: Person, at: datetime, reason: str) -> None:
    """Give the reason for which the numbers behind a clue are looked at; holds for a day and this clue.

    The handler of a clue being checked or acted on sees them after one reason; others with the right to do so
    within a daily quota. Looking itself is ``selectors.clue_detail(..., numbers=True)``, each time on record.
    """
    if not reason.strip():
        raise Refused("请写明查看完整号码的理由", "say why the full numbers are needed")
    with person_scope(by):
        clue = Clue.objects.filter(number=clue_number).first()
        if clue is None:
            raise unknown_clue(clue_number)
        if not by.may("identifier.unmask"):
            raise Refused("您的角色不能查看完整号码", "your roles do not allow seeing full numbers")
        assigned = clue.handler == by.username
        if assigned and State(clue.state) not in lifecycle.HANDLED:
            raise Refused("核查开始后才能查看完整号码", "numbers are shown once checking has begun")
        # Asked for several times at once, the quota is still counted one after the other.
        with connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(hashtext(%s))", [f"unmask {by.username}"])
        own = Unmasking.objects.filter(person=by.username)
        bounds = REFERENCE.unmasking
        if not assigned:
            today = own.filter(assigned=False, at__gt=at - timedelta(days=1)).count()
            if today >= bounds.outside_per_day.value:
                raise Refused(
                    f"今天查看非本人承办线索的号码已达 {bounds.outside_per_day.value} 次",
                    f"today's {bounds.outside_per_day.value} looks outside your own clues are used up",
                )
        record(
            at=at, actor=by.username, office=by.office_id, action="identifier.unmask", object_kind="clue",
            object_ref=clue.number, reason=reason[:200], detail={"assigned": assigned},
        )  # fmt: skip
        Unmasking.objects.create(clue=clue, person=by.username, at=at, reason=reason[:200], assigned=assigned)
        if own.filter(at__gt=at - timedelta(hours=1)).count() > bounds.alarm_per_hour.value:
            record(
                at=at, actor=by.username, office=by.office_id, action="identifier.unmask_often", object_kind="person",
                object_ref=by.username, reason="",
            )  # fmt: skip


def record_interference(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    who: str,
    way: str,
    occurred_on: date,
    text: str,
    position: str = "",
) -> Interference:
    """Write down that somebody asked about or meddled with a clue (三个规定). Never changed, read by few."""
    if not who.strip() or not text.strip():
        raise Refused("请写明何人、何事", "say who and what")
    if way not in REFERENCE.interference_ways:
        raise Refused(f"未知的方式：{way}", f"unknown way: {way}")
    if occurred_on > timezone.localdate(at):
        raise Refused("发生日期不能晚于今天", "the day cannot lie in the future")
    with person_scope(by):
        clue = Clue.objects.filter(number=clue_number).first()
        if clue is None:
            raise unknown_clue(clue_number)
        found = Interference.objects.create(
            clue=clue, at=at, recorded_by=by.username, who=who, position=position, occurred_on=occurred_on, way=way,
            text=text,
        )  # fmt: skip
        record(
            at=at, actor=by.username, office=by.office_id, action="clue.interference", object_kind="clue",
            object_ref=clue.number,
        )  # fmt: skip
    return found
