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


def visible(viewer: Viewer, clue: Guarded) -> bool:
    """Within the person's offices, not kept away, of the department if closed, admitted if sealed."""
    if clue.office not in viewer.offices or viewer.username in clue.recused:
        return False
    if clue.sealed and viewer.username not in clue.admitted:
        return False
    assigned = bool(clue.handler) and clue.handler == viewer.username
    return clue.closed_to in ("", viewer.department) or assigned
