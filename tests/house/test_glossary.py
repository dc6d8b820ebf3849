"""The glossary holds every word of the code's tables, in both languages."""

from __future__ import annotations

from pathlib import Path

from ingestion.models import AgreementClearing, DataTicket
from supervision.alarms.states import LEVEL_WORDS
from supervision.alarms.states import STATE_WORDS as ALARM_STATE_WORDS
from supervision.clues.lifecycle import MOVES, STATE_WORDS
from supervision.models import Letter
from supervision.reference import REFERENCE

_LINES = (
    (Path(__file__).resolve().parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
)
_ROWS = {
    tuple(cell.strip() for cell in line.strip("|").split("|"))[:3]
    for line in _LINES
    if line.startswith("| `")
}


def test_states_moves_reasons_and_kinds_stand_in_the_glossary():
    wanted = {(f"`{s.value}`", w.zh, w.en) for s, w in STATE_WORDS.items()}
    wanted |= {(f"`{s.value}`", w.zh, w.en) for s, w in ALARM_STATE_WORDS.items()}
    wanted |= {(f"`{level}`", w.zh, w.en) for level, w in LEVEL_WORDS.items()}
    wanted |= {(f"`{m.name}`", m.words.zh, m.words.en) for m in MOVES.values()}
    for listing in (*REFERENCE.reasons_by_list.values(), *REFERENCE.outcome_kinds.values()):
        wanted |= {(f"`{code}`", words.zh, words.en) for code, words in listing.items()}
    assert wanted - _ROWS == set()


def test_answers_of_agencies_stand_in_the_glossary():
    assert {(f"`{code}`", label) for code, label in Letter.Answer.choices} <= {row[:2] for row in _ROWS}


def test_states_and_answers_of_data_tickets_and_clearings_stand_in_the_glossary():
    wanted = {(f"`{code}`", label) for code, label in (*DataTicket.State.choices, *DataTicket.Answer.choices)}
    wanted |= {(f"`{code}`", label) for code, label in AgreementClearing.State.choices}
    assert wanted <= {row[:2] for row in _ROWS}
