"""Matters (类案) as pages show them: who leads, how the parts of each county stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q

from chuxiong.accounts.models import Office, Person
from supervision import selectors
from supervision.models import Clue, Matter
from supervision.selectors import ClueRow

_MOST = 200
_PARTS = 300


@dataclass(frozen=True)
class Standing:
    """Counts of the parts in sight: confirmed = corrected + improved + in_progress."""

    clues: int
    checked: int
    confirmed: int
    corrected: int
    improved: int
    in_progress: int
    open: int


@dataclass(frozen=True)
class MatterRow:
    matter: Matter
    lead_zh: str
    lead_en: str
    lead_name: str
    standing: Standing


@dataclass(frozen=True)
class Part:
    """The clues of one office, in the order of their numbers."""

    office_zh: str
    office_en: str
    standing: Standing
    clues: list[ClueRow]


@dataclass(frozen=True)
class MatterDetail:
    row: MatterRow
    #: in code order of the offices
    parts: list[Part]
    #: beyond what one page shows
    more: int
    #: the person's office leads it and it is open
    may_end: bool


_COUNTS = {
    "clues": Count("pk"),
    "checked": Count("pk", filter=Q(checked_at__isnull=False)),
    "confirmed": Count("pk", filter=Q(confirmed_at__isnull=False)),
    "corrected": Count("pk", filter=Q(outcome="corrected")),
    "improved": Count("pk", filter=Q(outcome="improved")),
    "in_progress": Count("pk", filter=Q(confirmed_at__isnull=False, outcome=None)),
    "still": Count("pk", filter=Q(open=True)),
}
_NONE = Standing(0, 0, 0, 0, 0, 0, 0)


def open_matters(person: Person) -> list[Matter]:
    """Those that clues may be put into."""
    with selectors.reach(person):
        return list(Matter.objects.filter(ended_at=None, lead_office__in=person.office_codes)[:_MOST])


def matter_list(person: Person) -> list[MatterRow]:
    """The matters in sight, the newest first, with counts of the parts in sight."""
    with selectors.reach(person):
        found = list(Matter.objects.all()[:_MOST])
        counted = Clue.objects.filter(matter__in=[m.pk for m in found]).order_by().values("matter")
        told = {row["matter"]: _standing(row) for row in counted.annotate(**_COUNTS)}
    return _rows(found, told)


def matter_detail(person: Person, pk: int, *, at: datetime) -> MatterDetail | None:
    """One matter with its parts by county; None when it is out of sight. One audit row for the clues shown."""
    with selectors.reach(person):
        found = Matter.objects.filter(pk=pk).first()
        if found is None:
            return None
        clues = Clue.objects.filter(matter=found)
        total = clues.count()
        by_office = clues.order_by().values("office").annotate(**_COUNTS)
        told = {row["office"]: _standing(row) for row in by_office}
        numbers = list(clues.order_by("office", "number").values_list("number", flat=True)[:_PARTS])
    rows = selectors.clue_rows(person, numbers, at=at, action="matter.read")
    offices = {o.code: o for o in Office.objects.filter(code__in=told)}
    parts = [
        Part(offices[code].short_zh, offices[code].short_en, told[code], [r for r in rows if r.office_code == code])
        for code in sorted(told)
    ]  # fmt: skip
    whole = Standing(*(sum(getattr(s, name) for s in told.values()) for name in Standing.__annotations__))
    (row,) = _rows([found], {found.pk: whole})
    leads = found.lead_office in person.office_codes and found.ended_at is None and person.may("clue.triage")
    return MatterDetail(row, parts, total - len(numbers), leads)


def _standing(row: Mapping[str, Any]) -> Standing:
    return Standing(
        row["clues"], row["checked"], row["confirmed"], row["corrected"], row["improved"], row["in_progress"], row["still"]
    )  # fmt: skip


def _rows(found: list[Matter], told: dict[int, Standing]) -> list[MatterRow]:
    offices = {o.code: o for o in Office.objects.filter(code__in={m.lead_office for m in found})}
    people = dict(Person.objects.filter(username__in={m.lead for m in found}).values_list("username", "name"))
    return [
        MatterRow(
            m, offices[m.lead_office].short_zh, offices[m.lead_office].short_en, people.get(m.lead, m.lead),
            told.get(m.pk, _NONE),
        )
        for m in found
    ]  # fmt: skip
