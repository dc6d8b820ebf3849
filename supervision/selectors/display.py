"""Which clues may be told of on a wall with pictures."""

from __future__ import annotations

from chuxiong.accounts.models import Person
from supervision.clues.lifecycle import State
from supervision.models import Clue
from supervision.selectors.rules import reach


def settled_for_display(person: Person, number: str) -> tuple[int, str] | None:
    """(key, office) of a settled clue in the person's sight that is open to everybody in the office; else None."""
    with reach(person):
        found = Clue.objects.filter(
            number=number, state=State.SETTLED, closed_to="", sealed=False, exercise=False
        ).first()
        return (found.pk, found.office) if found else None
