"""Where an alarm stands. Pure."""

from __future__ import annotations

from enum import StrEnum

from supervision.clues.lifecycle import Words


class State(StrEnum):
    UNREVIEWED = "unreviewed"
    ACKNOWLEDGED = "acknowledged"
    PROMOTED = "promoted"
    WITHDRAWN = "withdrawn"


STATE_WORDS: dict[State, Words] = {
    State.UNREVIEWED: Words("未审核", "Unreviewed"),
    State.ACKNOWLEDGED: Words("已确认收到", "Acknowledged"),
    State.PROMOTED: Words("已转线索", "Made a clue"),
    State.WITHDRAWN: Words("已撤回", "Withdrawn"),
}
#: Alarms that still ask for somebody.
OPEN = frozenset({State.UNREVIEWED, State.ACKNOWLEDGED})

LEVEL_WORDS: dict[str, Words] = {
    "urgent": Words("紧急", "Urgent"),
    "warning": Words("预警", "Warning"),
    "notice": Words("提示", "Notice"),
}
