"""A back-test on the terminal speaks in words, not in codes."""

from __future__ import annotations

from supervision.clues.lifecycle import STATE_WORDS, Outcome
from supervision.management import running
from supervision.matching.backtest import Backtest


def test_states_levels_and_outcomes_are_words():
    states = [s.value for s in STATE_WORDS]
    found = object.__new__(Backtest)
    for name, value in {
        "rule": "r", "version": 1, "as_of": "2026-01-01", "landing": 1, "engine": "duckdb", "seconds": 1.0, "memory_mb": 1,
        "funnel": [], "levels": {"urgent": 1, "important": 2, "ordinary": 3}, "hits": 6, "undecided": 0,
        "against": {"same": dict.fromkeys([*states, *(o.value for o in Outcome), ""], 1)},
    }.items():  # fmt: skip
        object.__setattr__(found, name, value)
    text = "\n".join(running._backtest_lines(found))
    for code in (*states, "corrected", "improved", "urgent", "important", "ordinary"):
        assert f" {code} " not in text and f"（{code} " not in text
    assert (
        "紧急 1、重点 2、一般 3" in text
        and "待研判 1" in text
        and "依法监督纠正 1" in text
        and "无线索 1" in text
    )
