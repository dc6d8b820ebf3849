"""What a model must reach, and what the command says when it is called without the truth."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from chuxiong.demo.score import RuleScore, _rests_on_likeness
from supervision.selectors import rulebook


@pytest.mark.parametrize(
    ("found", "right", "expected", "innocent", "exact", "likely"),
    [
        (100, 100, 100, 0, True, True),
        (100, 97, 100, 0, False, True),
        (100, 96, 100, 0, False, False),
        (95, 95, 100, 0, False, True),
        (94, 94, 100, 0, False, False),
        (101, 100, 100, 1, False, False),
        (0, 0, 0, 0, True, True),
    ],
)
def test_exact_models_are_exact_and_likely_ones_near(found, right, expected, innocent, exact, likely):
    told = {"found": found, "right": right, "expected": expected, "innocent_hits": innocent}
    assert RuleScore("a", likely=False, **told).meets is exact
    assert RuleScore("a", likely=True, **told).meets is likely


def test_models_that_rest_on_likeness_are_known():
    likely = {rule.id for rule in rulebook().values() if _rests_on_likeness(rule)}
    assert "catering_without_drainage_permit" in likely
    assert "pension_after_death" not in likely and len(likely) < len(rulebook()) / 4


def test_without_the_truth_it_says_what_to_do(tmp_path: Path):
    for truth in (None, tmp_path / "truth.jsonl"):
        with pytest.raises(CommandError, match="--scale"):
            call_command("demo", "score", truth=truth)
