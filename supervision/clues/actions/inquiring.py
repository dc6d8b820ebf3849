"""Acts of inquiry (调查核实) on record: date, place, way, at least two persons, what was found."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from django.utils import timezone

from chuxiong.accounts.models import Person
from supervision.clues.actions.moving import Refused, moving
from supervision.models import Inquiry
from supervision.reference import REFERENCE


def inquire(
    *,
    clue_number: str,
    by: Person,
    at: datetime,
    happened_on: date,
    way: str,
    place: str,
    people: Sequence[str],
    text: str,
    present: str = "",
    expected_version: int | None = None,
) -> Inquiry:
    """Write one act of inquiry down; ``people`` are user names of those who did it together. Never changed: what was
    written wrongly is set right by a further entry."""
    if way not in REFERENCE.inquiry.ways:
        raise Refused("请选择调查核实方式", "choose the way of the inquiry")
    if happened_on > timezone.localdate(at):
        raise Refused("日期不能晚于今天", "the day cannot lie in the future")
    if not place.strip() or not text.strip():
        raise Refused("请写明地点和查明的情况", "say where it was and what was found")
    wanted = sorted(set(filter(None, people)))
    found = {
        p.username: p
        for p in Person.objects.filter(username__in=wanted, is_active=True)
        if p.may("clue.read") and not p.is_administrator
    }
    if missing := [name for name in wanted if name not in found]:
        raise Refused(f"没有人员 {'、'.join(missing)}", f"nobody is called {', '.join(missing)}")
    least = REFERENCE.inquiry.people_least.value
    if len(found) < least:
        raise Refused(
            f"调查核实须由 {least} 人以上共同进行，请选择参加人员",
            f"an inquiry is made by at least {least} people: choose those who took part",
        )
    with moving("inquire", clue_number=clue_number, by=by, at=at, expected_version=expected_version) as move:
        if kept_away := sorted(set(found) & set(move.clue.recused)):
            raise Refused(
                f"{found[kept_away[0]].name}已回避这条线索",
                f"{found[kept_away[0]].name} keeps away from this clue",
                move.clue.version,
            )
        if happened_on < timezone.localdate(move.clue.raised_at):
            raise Refused(
                "调查核实不能早于线索发现之日",
                "an inquiry cannot lie before the clue was raised",
                move.clue.version,
            )
        inquiry = Inquiry.objects.create(
            clue=move.clue,
            happened_on=happened_on,
            way=way,
            place=place.strip()[:120],
            people=list(found),
            names="、".join(found[name].name for name in found)[:300],
            present=present.strip()[:200],
            text=text,
            entered_by=by.username,
            entered_at=at,
        )
        move.detail |= {"way": way, "happened_on": happened_on.isoformat()}
    return inquiry
