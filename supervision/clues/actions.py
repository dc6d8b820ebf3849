"""The only writer of clues that people move. Every act: lock, ask the table, write clue and event, announce.

All functions are keyword-only and take the clue's number, the person, the time and the version that the
person saw. ``Refused`` carries words for the page and the current version, so that nobody's work is
overwritten unnoticed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal

from django.db import connection, transaction
from django.utils import timezone

from chuxiong.accounts.models import Department, Office, Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from ingestion import selectors as ingestion
from supervision.access import Guarded, Viewer, visible
from supervision.clues import lifecycle
from supervision.clues.events import ClueMoved, announce
from supervision.clues.lifecycle import FINDING_STATE, Finding, Outcome, State
from supervision.clues.numbers import take_number
from supervision.duties import responsible
from supervision.models import Clue, ClueEvent, Interference, Letter, Unmasking
from supervision.reference import REFERENCE


class Refused(Exception):
    """The act was not done; the words say why and what to do."""

    def __init__(self, zh: str, en: str, current_version: int | None = None) -> None:
        super().__init__(zh)
        self.zh, self.en, self.current_version = zh, en, current_version


@dataclass
class _Act:
    """A move under way: the locked clue and what its event will say."""

    clue: Clue
    note: str = ""
    detail: dict[str, Any] = field(default_factory=dict)


@contextmanager
def _moving(
    name: str, *, clue_number: str, by: Person, at: datetime, expected_version: int | None
) -> Iterator[_Act]:
    """Lock the clue under the person's scope, check version and move; write clue and event after."""
    with person_scope(by):
        clue = _locked(name, clue_number, by, expected_version)
        before, to = clue.state, lifecycle.MOVES[name].to
        if to is not None:
            clue.state = to.value
        act = _Act(clue)
        yield act
        clue.version += 1
        if not visible(_viewer(by), _guarded(clue)):
            raise Refused(
                "办理后线索会离开您的可见范围；请由专门部门或部门负责人办理",
                "the act would take the clue out of your sight: leave it to the department in charge or its head",
                clue.version - 1,
            )
        clue.save()
        _trace(name, clue, before, by, at, act.note, act.detail)


def _viewer(person: Person) -> Viewer:
    department = person.department.code if person.department else ""
    return Viewer(person.username, frozenset(person.office_codes), department, person.may("sealed.read"))


def _guarded(clue: Clue) -> Guarded:
    return Guarded(
        clue.office,
        clue.closed_to,
        clue.handler,
        clue.sealed,
        frozenset(clue.admitted),
        frozenset(clue.recused),
        frozenset(clue.seals),
    )


def _unknown_clue(number: str) -> Refused:
    return Refused(f"没有线索 {number}，或不在您的范围内", f"no clue {number} within your scope")


def _locked(name: str, number: str, by: Person, expected_version: int | None) -> Clue:
    """The clue, locked, if it may make the move ``name`` from where it stands."""
    clue = Clue.objects.select_for_update().filter(number=number).first()
    if clue is None:
        raise _unknown_clue(number)
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
    _permitted(move, clue, by)
    return clue


def _permitted(move: lifecycle.Move, clue: Clue, by: Person) -> None:
    """The person's roles allow the move, and what a handler does is done by the handler."""
    if not by.may(move.permission):
        raise Refused(
            f"您的角色不能{move.words.zh}；需要时请由安全管理员授予角色",
            f"your roles do not allow “{move.words.en}”; ask the security administrator for the role",
            clue.version,
        )
    if move.by_handler and clue.handler not in ("", by.username) and not by.may("clue.hand_over"):
        zh, en = _called(clue.handler)
        raise Refused(
            f"这条线索由{zh}承办；可请部门负责人移交给您",
            f"{en} handles this clue; the head of department may hand it over to you",
            clue.version,
        )


def _called(username: str) -> tuple[str, str]:
    """A colleague as colleagues know one: name, office and department, in both languages."""
    found = Person.objects.filter(username=username).select_related("office", "department").first()
    if found is None:
        return f" {username} ", username
    zh, en = [found.office.short_zh], [found.office.short_en]
    if found.department:
        zh.append(found.department.name_zh)
        en.append(found.department.name_en)
    return f" {found.name}（{'・'.join(zh)}）", f"{found.name} ({', '.join(en)})"


def _trace(
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


def accept(
    *, clue_number: str, by: Person, at: datetime, expected_version: int | None = None, note: str = ""
) -> Clue:
    with _moving("accept", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.clue.deferred_until, move.note = None, note
    return move.clue


def dismiss(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    reason: str,
    note: str = "",
    expected_version: int | None = None,
) -> Clue:
    """Not worth checking; ``reason`` is one of the reference list ``dismiss_reasons``."""
    _known_reason("dismiss_reasons", reason)
    with _moving("dismiss", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.note = note
        move.detail["reason"] = reason
    return move.clue


def merge(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    into: str,
    note: str = "",
    expected_version: int | None = None,
) -> Clue:
    """Fold into another open clue that the person may see."""
    with _moving("merge", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        target = Clue.objects.filter(number=into).exclude(pk=move.clue.pk).first()
        if target is None or State(target.state) in lifecycle.CLOSED:
            raise Refused(
                f"不能并入 {into}：没有这条在办线索",
                f"cannot merge into {into}: no such open clue",
                move.clue.version,
            )
        move.clue.merged_into, move.note = target, note
        move.detail["into"] = target.number
    return move.clue


def defer(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    until: date,
    note: str = "",
    expected_version: int | None = None,
) -> Clue:
    if until <= timezone.localdate(at):
        raise Refused("暂缓日期须晚于今天", "the date must lie after today")
    with _moving("defer", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.clue.deferred_until, move.note = until, note
        move.detail["until"] = until.isoformat()
    return move.clue


def dispatch(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    office: str,
    department: str = "",
    note: str = "",
    due_on: date | None = None,
    expected_version: int | None = None,
) -> Clue:
    """Hand the clue to an office (and department) for checking, with a number and an internal limit."""
    target = Office.objects.filter(code=office).first()
    if target is None or office not in by.office_codes:
        raise Refused(
            f"不能交办给 {office}：不在您的范围内", f"cannot dispatch to {office}: not within your scope"
        )
    if department and not Department.objects.filter(office=target, code=department).exists():
        raise Refused(
            f"{target.name_zh}没有部门 {department}", f"{target.name_en} has no department {department}"
        )
    with _moving(
        "dispatch", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        move.clue.office, move.clue.department, move.note = office, department, note
        move.clue.due_on = due_on or REFERENCE.limit("checking").after(timezone.localdate(at))
        move.detail |= {
            "order": take_number("JB", timezone.localdate(at).year),
            "office": office,
            "department": department,
            "due_on": move.clue.due_on.isoformat(),
        }
    return move.clue


def receive(*, clue_number: str, by: Person, at: datetime, expected_version: int | None = None) -> Clue:
    """Sign for a dispatched clue and start checking; the person becomes its handler."""
    with _moving("receive", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        if by.office_id != move.clue.office and not by.office.is_prefecture:
            raise Refused(
                "只有承办院可以签收", "only the office in charge may sign for it", move.clue.version
            )
        move.clue.handler = by.username
    return move.clue


def take_over(
    *, clue_number: str, by: Person, at: datetime, note: str, expected_version: int | None = None
) -> Clue:
    """The prefecture office takes a county's clue into its own hands (提办)."""
    if not by.office.is_prefecture:
        raise Refused("只有州院可以提办", "only the prefecture office may take a clue over")
    if not note.strip():
        raise Refused("请写明提办理由", "say why the clue is taken over")
    with _moving(
        "take_over", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        move.detail |= {"from_office": move.clue.office}
        move.clue.office, move.clue.handler, move.note = by.office_id, by.username, note
    return move.clue


def send_back(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    reason: str,
    note: str = "",
    expected_version: int | None = None,
) -> Clue:
    _known_reason("send_back_reasons", reason)
    with _moving(
        "send_back", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        move.note, move.clue.handler = note, ""
        move.detail["reason"] = reason
    return move.clue


def conclude(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    finding: str,
    note: str,
    reasons: list[str] | None = None,
    expected_version: int | None = None,
) -> Clue:
    """The result of the check. A clue found confirmed or unfounded counts as checked, once."""
    result = Finding(finding)
    if not note.strip():
        raise Refused("请写明核查结论的依据", "say what the conclusion rests on")
    for reason in reasons or []:
        _known_reason("unfounded_reasons", reason)
    if result is Finding.UNFOUNDED and not reasons:
        raise Refused("查否须选择原因", "choose a reason for “unfounded”")
    with _moving(
        "conclude", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        move.clue.state = FINDING_STATE[result].value
        if result is not Finding.NEEDS_DATA:
            move.clue.checked_at = move.clue.checked_at or at
        if result is Finding.CONFIRMED:
            move.clue.confirmed_at = at
        move.note = note
        move.detail |= {"finding": result.value, "reasons": reasons or []}
    return move.clue


def resume(
    *, clue_number: str, by: Person, at: datetime, note: str = "", expected_version: int | None = None
) -> Clue:
    with _moving("resume", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.note = note
    return move.clue


def act(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    note: str,
    kind: str = "",
    expected_version: int | None = None,
) -> Clue:
    """Start the lawful handling; its documents and clocks follow the clue's track."""
    with _moving("act", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.clue.kind, move.note = kind, note
    return move.clue


def feed_back(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    agency: str,
    subject: str,
    text: str,
    due_on: date | None = None,
    expected_version: int | None = None,
) -> Letter:
    """Send a feedback letter (反馈函) to an agency; it answers through its REST door."""
    if not subject.strip() or not text.strip():
        raise Refused("请填写标题和内容", "fill in subject and text")
    with _moving(
        "feed_back", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        names = dict(ingestion.agencies())
        if move.clue.responsible:
            names[move.clue.responsible] = move.clue.responsible_zh
        if agency not in names:
            raise Refused("请选择单位", "choose an agency", move.clue.version)
        letter = Letter.objects.create(
            number=take_number("FK", timezone.localdate(at).year),
            clue=move.clue,
            agency=agency,
            agency_zh=names[agency],
            subject=subject,
            text=text,
            sent_at=at,
            due_on=due_on or REFERENCE.limit("feedback").after(timezone.localdate(at)),
            updated_at=at,
        )
        move.clue.due_on = letter.due_on
        move.detail |= {"letter": letter.number, "agency": agency}
    return letter


def settle(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    outcome: str,
    note: str,
    kind: str = "",
    results: dict[str, Any] | None = None,
    expected_version: int | None = None,
) -> Clue:
    """Close a confirmed clue as corrected or improved, with its results as typed facts."""
    chosen = Outcome(outcome)
    if not note.strip():
        raise Refused("请写明办结情况", "say how it was settled")
    with _moving("settle", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        move.clue.outcome, move.clue.settled_at, move.clue.due_on = chosen.value, at, None
        move.clue.kind = kind or move.clue.kind
        move.clue.results = {**move.clue.results, **(results or {})}
        move.note = note
        move.detail |= {"outcome": chosen.value, "results": results or {}}
    return move.clue


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
        clue = _locked("recuse", clue_number, by, expected_version)
        if person in clue.recused:
            return
        if person != by.username and not by.may("clue.hand_over"):
            raise Refused(
                "只能申请本人回避；他人回避由部门负责人决定", "others are kept away by the head of department"
            )
        if not Person.objects.filter(username=person, office__in=by.office_codes).exists():
            raise Refused(f"没有人员 {person}", f"nobody is called {person}")
        _trace("recuse", clue, clue.state, by, at, note, {"person": person})
        # The row may leave the actor's own sight, which a plain update under row-level security refuses.
        with connection.cursor() as cursor:
            cursor.execute("select supervision_recuse(%s, %s)", [clue.pk, person])


def hand_over(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    person: str,
    note: str = "",
    expected_version: int | None = None,
) -> Clue:
    """Give an open clue to another handler of the office that holds it (移交承办人)."""
    with _moving(
        "hand_over", clue_number=clue_number, by=by, at=at, expected_version=expected_version
    ) as move:
        found = Person.objects.filter(username=person, office=move.clue.office, is_active=True).first()
        if found is None:
            raise Refused(
                f"承办院没有在岗人员 {person}", f"nobody called {person} works at the office in charge"
            )
        if not found.may("clue.check"):
            raise Refused(
                f"{found.name} 的角色不能核查线索", f"{found.name}'s roles do not allow checking clues"
            )
        if move.clue.closed_to and (found.department is None or found.department.code != move.clue.closed_to):
            raise Refused(
                "这类线索只能移交给专门部门的人员", "such clues stay within the department in charge"
            )
        if found.username in move.clue.recused:
            raise Refused(f"{found.name} 已回避", f"{found.name} keeps away from this clue")
        move.detail |= {"from": move.clue.handler, "person": person}
        move.clue.handler, move.note = found.username, note
        if move.clue.sealed:
            move.clue.admitted = sorted({*move.clue.admitted, found.username})
    return move.clue


def seal(
    *, clue_number: str, by: Person, at: datetime, note: str, expected_version: int | None = None
) -> Clue:
    """Seal a clue (封存): nobody sees it and no total counts it, except people admitted by record."""
    if not note.strip():
        raise Refused("请写明封存依据", "say on what basis it is sealed")
    with _moving("seal", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
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
    with _moving("unseal", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
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
    with _moving("readmit", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        if person not in move.clue.recused:
            raise Refused(f"{person} 没有回避", f"{person} does not keep away", move.clue.version)
        move.clue.recused = [name for name in move.clue.recused if name != person]
        move.note, move.detail["person"] = note, person
    return move.clue


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
    with _moving("admit", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
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
            raise _unknown_clue(clue_number)
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
            raise _unknown_clue(clue_number)
        found = Interference.objects.create(
            clue=clue, at=at, recorded_by=by.username, who=who, position=position, occurred_on=occurred_on, way=way,
            text=text,
        )  # fmt: skip
        record(
            at=at, actor=by.username, office=by.office_id, action="clue.interference", object_kind="clue",
            object_ref=clue.number,
        )  # fmt: skip
    return found


def take_answer(
    *, letter: Letter, client: str, at: datetime, answer: str | None, text: str = "", expected_version: int
) -> Letter:
    """An agency acknowledges (``answer`` None) or answers a letter. The same answer again changes nothing."""
    with transaction.atomic():
        locked = Letter.objects.select_for_update().get(pk=letter.pk)
        if answer is None and locked.acknowledged_at:
            return locked
        if answer is not None and (locked.answer, locked.answer_text) == (answer, text):
            return locked
        if locked.version != expected_version:
            raise Refused(
                "内容已变化，请重新获取后再提交", "the letter changed; fetch it again", locked.version
            )
        locked.version, locked.updated_at = locked.version + 1, at
        if locked.acknowledged_at is None:
            locked.acknowledged_at, locked.acknowledged_by = at, client
        if answer is not None:
            locked.answer, locked.answer_text = Letter.Answer(answer).value, text
            locked.answered_at, locked.answered_by = at, client
        locked.save()
        # The agency's connection sees no clue: the event is written by number through a function that
        # checks that the letter is the agency's own.
        with connection.cursor() as cursor:
            cursor.execute(
                "select supervision_letter_event(%s, %s, %s, %s)",
                [locked.pk, at, "answered" if answer else "acknowledged", locked.get_answer_display() or ""],
            )
            clue_id, office, state = cursor.fetchone()[0].strip("()").split(",")
        record(
            at=at,
            actor=client,
            action="letter.answer" if answer else "letter.acknowledge",
            object_kind="letter",
            object_ref=locked.number,
        )
        moved = ClueMoved(int(clue_id), office.strip('"'), state.strip('"'))
        transaction.on_commit(lambda: announce(moved))
    return locked


def _known_reason(listing: str, reason: str) -> None:
    if reason not in REFERENCE.reasons(listing):
        raise Refused(f"未知的原因：{reason}", f"unknown reason: {reason}")
