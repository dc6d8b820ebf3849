"""The only writer of clues that people move. Every act: lock, ask the table, write clue and event, announce.

All functions are keyword-only and take the clue's number, the person, the time and the version that the
person saw. ``Refused`` carries words for the page and the current version, so that nobody's work is
overwritten unnoticed.
"""

from supervision.clues.actions.checking import (
    conclude,
    dispatch,
    hand_over,
    receive,
    resume,
    send_back,
    take_over,
)
from supervision.clues.actions.entry import enter
from supervision.clues.actions.extending import extension
from supervision.clues.actions.handling import act, clock, step, strike
from supervision.clues.actions.inquiring import inquire
from supervision.clues.actions.letters import answer_kinds, attach, take_answer
from supervision.clues.actions.matters import detach, end_matter, join_matter, leave_matter, open_matter
from supervision.clues.actions.moving import Refused
from supervision.clues.actions.orders import call, escalate, urge
from supervision.clues.actions.outcome import feed_back, settle
from supervision.clues.actions.sight import admit, readmit, record_interference, recuse, seal, unmask, unseal
from supervision.clues.actions.triage import accept, defer, dismiss, merge

__all__ = [
    "Refused",
    "accept",
    "act",
    "admit",
    "answer_kinds",
    "attach",
    "call",
    "clock",
    "conclude",
    "defer",
    "detach",
    "dismiss",
    "dispatch",
    "end_matter",
    "enter",
    "escalate",
    "extension",
    "feed_back",
    "hand_over",
    "inquire",
    "join_matter",
    "leave_matter",
    "merge",
    "open_matter",
    "readmit",
    "receive",
    "record_interference",
    "recuse",
    "resume",
    "seal",
    "send_back",
    "settle",
    "step",
    "strike",
    "take_answer",
    "take_over",
    "unmask",
    "unseal",
    "urge",
]
