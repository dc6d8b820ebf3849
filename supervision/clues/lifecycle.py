"""The one table of a clue's states and moves. Pure: no database, no clock.

``state`` says where a clue is, ``outcome`` what came of it; see docs/glossary.md for the words.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    RAISED = "raised"
    TRIAGED = "triaged"
    DISPATCHED = "dispatched"
    CHECKING = "checking"
    CONFIRMED = "confirmed"
    ACTED = "acted"
    SETTLED = "settled"
    DISMISSED = "dismissed"
    SENT_BACK = "sent_back"
    UNFOUNDED = "unfounded"
    NEEDS_DATA = "needs_data"
    MERGED = "merged"
    WITHDRAWN = "withdrawn"


class Outcome(StrEnum):
    CORRECTED = "corrected"
    IMPROVED = "improved"


class Finding(StrEnum):
    """What a check concluded."""

    CONFIRMED = "confirmed"
    UNFOUNDED = "unfounded"
    NEEDS_DATA = "needs_data"


@dataclass(frozen=True)
class Words:
    zh: str
    en: str


STATE_WORDS: dict[State, Words] = {
    State.RAISED: Words("待研判", "To triage"),
    State.TRIAGED: Words("已采纳", "Accepted"),
    State.DISPATCHED: Words("已交办", "Dispatched"),
    State.CHECKING: Words("核查中", "Checking"),
    State.CONFIRMED: Words("查实", "Confirmed"),
    State.ACTED: Words("处置中", "Acted on"),
    State.SETTLED: Words("办结", "Settled"),
    State.DISMISSED: Words("初筛排除", "Dismissed"),
    State.SENT_BACK: Words("退回", "Sent back"),
    State.UNFOUNDED: Words("查否", "Unfounded"),
    State.NEEDS_DATA: Words("存疑待补", "Needs data"),
    State.MERGED: Words("已并入", "Merged"),
    State.WITHDRAWN: Words("已撤回", "Withdrawn"),
}

#: Where a clue comes from; stands where a model's title would.
OUTCOME_WORDS: dict[str, Words] = {
    Outcome.CORRECTED.value: Words("依法监督纠正", "Corrected by supervision"),
    Outcome.IMPROVED.value: Words("反馈并帮助改进", "Fed back and improved"),
}
ORIGIN_WORDS: dict[str, tuple[str, str]] = {
    "model": ("模型", "Model"),
    "manual": ("人工录入", "Manual entry"),
    "alert": ("预警转线索", "From an alarm"),
}

#: The way a clue goes when nothing interrupts it; the track shown on its page.
TRACK = (
    State.RAISED,
    State.TRIAGED,
    State.DISPATCHED,
    State.CHECKING,
    State.CONFIRMED,
    State.ACTED,
    State.SETTLED,
)
CLOSED = frozenset({State.SETTLED, State.DISMISSED, State.UNFOUNDED, State.MERGED, State.WITHDRAWN})
#: Only here may a source correction take a clue back by itself.
WITHDRAWABLE = frozenset({State.RAISED, State.TRIAGED})


#: The clue is in its handler's hands.
HANDLED = frozenset({State.CHECKING, State.CONFIRMED, State.ACTED, State.NEEDS_DATA})


@dataclass(frozen=True)
class Move:
    """One permitted act. ``to`` is None when the act chooses (conclude) or keeps the state (defer)."""

    name: str
    words: Words
    sources: frozenset[State]
    to: State | None
    needs: tuple[str, ...] = ()
    #: what the person's roles must allow (chuxiong/accounts/institutions.yaml)
    permission: str = "clue.check"
    #: done by the clue's handler, once there is one; others only with the right to hand clues over
    by_handler: bool = False
    #: about who may look on, beside the handling of the clue
    aside: bool = False


def _move(
    name: str,
    zh: str,
    en: str,
    sources: set[State],
    to: State | None,
    *needs: str,
    may: str,
    by_handler: bool = False,
    aside: bool = False,
) -> Move:
    return Move(name, Words(zh, en), frozenset(sources), to, needs, may, by_handler, aside)


S = State
_OPEN = set(State) - CLOSED
#: an order is out and its work is not done
_ORDERED = {S.DISPATCHED, S.CHECKING, S.NEEDS_DATA}
MOVES: dict[str, Move] = {
    move.name: move
    for move in (
        _move("accept", "采纳", "Accept", {S.RAISED}, S.TRIAGED, may="clue.triage"),
        _move(
            "dismiss", "初筛排除", "Dismiss", {S.RAISED, S.TRIAGED}, S.DISMISSED, "reason", may="clue.triage"
        ),
        _move(
            "merge",
            "并入",
            "Merge",
            {S.RAISED, S.TRIAGED, S.CHECKING},
            S.MERGED,
            "into",
            may="clue.triage",
            by_handler=True,
        ),
        _move("defer", "暂缓至", "Defer until", {S.RAISED, S.TRIAGED}, None, "until", may="clue.triage"),
        _move(
            "dispatch",
            "交办",
            "Dispatch",
            {S.TRIAGED, S.SENT_BACK},
            S.DISPATCHED,
            "office",
            "department",
            may="clue.dispatch",
        ),
        _move("receive", "签收", "Sign for", {S.DISPATCHED}, S.CHECKING, may="clue.check"),
        _move(
            "take_over",
            "提办",
            "Take over",
            {S.DISPATCHED, S.CHECKING},
            S.CHECKING,
            "note",
            may="clue.dispatch",
        ),
        _move(
            "send_back",
            "退回",
            "Send back",
            {S.DISPATCHED, S.CHECKING},
            S.SENT_BACK,
            "reason",
            may="clue.check",
            by_handler=True,
        ),
        _move(
            "conclude",
            "作出核查结论",
            "Conclude the check",
            {S.CHECKING},
            None,
            "finding",
            "note",
            may="clue.check",
            by_handler=True,
        ),
        _move(
            "resume",
            "恢复核查",
            "Resume checking",
            {S.NEEDS_DATA},
            S.CHECKING,
            may="clue.check",
            by_handler=True,
        ),
        _move(
            "feed_back",
            "反馈单位",
            "Feed back",
            {S.CONFIRMED, S.ACTED},
            S.ACTED,
            "agency",
            "text",
            may="clue.act",
            by_handler=True,
        ),
        _move(
            "act",
            "依法处置",
            "Act by law",
            {S.CONFIRMED, S.ACTED},
            S.ACTED,
            "track",
            "note",
            may="clue.act",
            by_handler=True,
        ),
        _move(
            "step",
            "登记办理步骤",
            "Enter a step",
            {S.ACTED},
            None,
            "step",
            may="clue.act",
            by_handler=True,
        ),
        _move(
            "strike",
            "撤销步骤",
            "Strike a step",
            {S.ACTED},
            None,
            "taken",
            "note",
            may="clue.act",
            by_handler=True,
        ),
        _move(
            "clock",
            "调整期限",
            "Change a clock",
            {S.ACTED},
            None,
            "clock",
            "note",
            may="clue.act",
            by_handler=True,
        ),
        _move(
            "extension",
            "决定延期申请",
            "Decide on more time",
            {S.ACTED},
            None,
            "letter",
            "how",
            may="clue.act",
            by_handler=True,
        ),
        _move("urge", "催办", "Urge", _ORDERED, None, "note", may="clue.dispatch"),
        _move(
            "escalate",
            "提请督办",
            "Escalate",
            _ORDERED,
            None,
            "note",
            may="clue.check",
            by_handler=True,
        ),
        _move(
            "call",
            "登记通话",
            "Record a call",
            _ORDERED,
            None,
            "spoke_with",
            "result",
            may="clue.dispatch",
        ),
        _move("detach", "移出并案", "Detach", {S.MERGED}, None, "note", aside=True, may="clue.triage"),
        _move(
            "join_matter",
            "归入类案",
            "Put into a matter",
            _OPEN,
            None,
            "matter",
            aside=True,
            may="clue.triage",
        ),
        _move(
            "leave_matter",
            "移出类案",
            "Take out of the matter",
            set(State),
            None,
            "note",
            aside=True,
            may="clue.triage",
        ),
        _move(
            "inquire",
            "记调查核实",
            "Record an inquiry",
            set(HANDLED),
            None,
            "happened_on",
            "way",
            "place",
            "people",
            "text",
            may="clue.check",
            by_handler=True,
        ),
        _move("recuse", "回避", "Recuse", _OPEN, None, "person", "note", aside=True, may="clue.read"),
        _move("seal", "封存", "Seal", set(State), None, "note", aside=True, may="clue.hand_over"),
        _move("unseal", "解除封存", "Unseal", set(State), None, "note", aside=True, may="clue.hand_over"),
        _move(
            "readmit",
            "解除回避",
            "End a recusal",
            _OPEN,
            None,
            "person",
            "note",
            aside=True,
            may="clue.hand_over",
        ),
        _move(
            "admit",
            "准予查看封存线索",
            "Admit to a sealed clue",
            set(State),
            None,
            "person",
            "note",
            aside=True,
            may="clue.check",
        ),
        _move(
            "hand_over",
            "移交承办人",
            "Hand over to",
            {S.CHECKING, S.CONFIRMED, S.ACTED, S.NEEDS_DATA},
            None,
            "person",
            "note",
            aside=True,
            may="clue.hand_over",
        ),
        _move(
            "settle",
            "办结",
            "Settle",
            {S.ACTED},
            S.SETTLED,
            "outcome",
            "note",
            may="clue.act",
            by_handler=True,
        ),
    )
}
FINDING_STATE = {
    Finding.CONFIRMED: State.CONFIRMED,
    Finding.UNFOUNDED: State.UNFOUNDED,
    Finding.NEEDS_DATA: State.NEEDS_DATA,
}


class NotPossible(Exception):
    """The move does not start from this state; carries words for people."""

    def __init__(self, move: Move, state: State) -> None:
        self.move, self.state = move, state
        self.zh = f"当前状态为“{STATE_WORDS[state].zh}”，不能{move.words.zh}"
        self.en = f"cannot {move.words.en.lower()}: the clue is “{STATE_WORDS[state].en}”"
        super().__init__(self.zh)


def check(name: str, state: State) -> Move:
    """The move if it may start from ``state``; raises ``NotPossible`` otherwise."""
    move = MOVES[name]
    if state not in move.sources:
        raise NotPossible(move, state)
    return move


def possible(state: State, *, aside: bool = False) -> list[Move]:
    """The moves of handling that start from ``state``, or those beside it."""
    return [move for move in MOVES.values() if state in move.sources and move.aside is aside]
