"""Checking lists as a person sees them."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from supervision.models import Checklist, ChecklistReturn

_MOST = 100


@dataclass(frozen=True)
class Listed:
    checklist: Checklist
    #: clues on it that the person sees, and how many of them have their result entered
    clues: int
    entered: int


@dataclass(frozen=True)
class Found:
    checklist: Checklist
    clues: int
    entered: int
    #: what was uploaded last and is not applied yet, by the person
    back: ChecklistReturn | None


def lists(person: Person) -> list[Listed]:
    """The last lists of the person's offices, the newest first; one query."""
    with person_scope(person):
        rows = Checklist.objects.annotate(
            clues=Count("rows"), entered=Count("rows", filter=Q(rows__applied_at__isnull=False))
        )[:_MOST]
        return [Listed(c, c.clues, c.entered) for c in rows]


def one(person: Person, pk: int) -> Found | None:
    with person_scope(person):
        checklist = Checklist.objects.filter(pk=pk).first()
        if checklist is None:
            return None
        clues = checklist.rows.count()
        entered = checklist.rows.filter(applied_at__isnull=False).count()
        back = (
            ChecklistReturn.objects.filter(checklist=checklist, by=person.username, done_at=None)
            .select_related("checklist")
            .first()
        )
        return Found(checklist, clues, entered, back)
