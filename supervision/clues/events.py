"""What may happen to a clue, as screens hear of it: ids and names of states, never data."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from chuxiong.work.bell import publish


@dataclass(frozen=True)
class ClueMoved:
    clue: int
    office: str
    state: str


@dataclass(frozen=True)
class CluesRaised:
    rule: str
    count: int


@dataclass(frozen=True)
class AlarmsChanged:
    raised: int


def announce(event: ClueMoved | CluesRaised | AlarmsChanged) -> None:
    """Called after commit only."""
    publish(type(event).__name__, **asdict(event))
