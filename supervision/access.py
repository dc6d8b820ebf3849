"""Who may see which clue: the one access module of this room. Pure.

The same policy stands a second time as row-level security (``rights.py``); a test holds the two together on
random worlds. Neither is enough alone: this one words refusals, that one holds with SQL in hand.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Viewer:
    """A signed-in person as access sees one."""

    username: str
    offices: frozenset[str]
    department: str
    #: roles that answer for what is sealed in the department
    sealed: bool = False


@dataclass(frozen=True)
class Guarded:
    """What decides about one clue."""

    office: str
    #: the only department that sees it ("" = all): juvenile and duty-crime clues
    closed_to: str
    handler: str
    sealed: bool
    #: people with a recorded exception to the seal
    admitted: frozenset[str]
    #: people who must keep away (回避)
    recused: frozenset[str]
    #: kinds of sealed material it rests on: it inherited their seal
    seals: frozenset[str] = frozenset()


def visible(viewer: Viewer, clue: Guarded) -> bool:
    """Within the person's offices, not kept away, of the department if closed, admitted if sealed.

    A seal that came with the material, not from a person's decision, is open to those who answer for sealed material in
    the department the clue is closed to: nobody would be left to admit anybody otherwise.
    """
    if clue.office not in viewer.offices or viewer.username in clue.recused:
        return False
    in_charge = bool(clue.seals) and viewer.sealed and clue.closed_to in ("", viewer.department)
    if clue.sealed and viewer.username not in clue.admitted and not in_charge:
        return False
    assigned = bool(clue.handler) and clue.handler == viewer.username
    return clue.closed_to in ("", viewer.department) or assigned
