"""Tracks as documents: the shipped ones hold together, broken ones are named with place and cure."""

from __future__ import annotations

import pytest
import yaml

from supervision.reference import REFERENCE
from supervision.tracks.results import NotAFact, facts
from supervision.tracks.spec import FOLDER, TrackError, load_tracks, tracks


def test_every_shipped_track_can_be_gone_to_its_end() -> None:
    for track in tracks().values():
        assert track.kind in REFERENCE.outcome_kinds[track.outcome], track.code
        done: set[str] = set()
        while not any(track.step(c).ends for c in done):
            fresh = [s for s in track.open_steps(done) if s.code not in done]
            assert fresh, f"{track.code} stops after {sorted(done)}"
            done.add(next((s for s in fresh if not s.ends), fresh[0]).code)
        assert track.open_steps(done) == []


def test_a_clock_without_its_text_says_so_and_every_clock_names_its_source() -> None:
    for track in tracks().values():
        for step in track.steps:
            if step.clock:
                assert step.clock.source, (track.code, step.code)
                assert step.clock.held or "待核" in step.clock.source, (track.code, step.code)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"steps": [{"code": "a", "zh": "甲", "en": "A", "date_zh": "日", "date_en": "day"}]}, "ends: true"),
        ({"surprise": 1}, "surprise"),
        ({"steps": [{"code": "a", "zh": "甲", "en": "A", "date_zh": "日", "date_en": "day", "ends": True, "after": ["b"]}]}, "没有步骤 b"),
        (
            {
                "steps": [
                    {"code": "a", "zh": "甲", "en": "A", "date_zh": "日", "date_en": "day", "ends": True},
                    {"code": "b", "zh": "乙", "en": "B", "date_zh": "日", "date_en": "day", "after": ["b"]},
                ]
            },
            "永远走不到",
        ),
    ],
)  # fmt: skip
def test_a_broken_track_is_refused_with_its_place(tmp_path, change: dict[str, object], words: str) -> None:
    document = yaml.safe_load((FOLDER / "transfer.yaml").read_text(encoding="utf-8")) | change
    (tmp_path / "transfer.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    with pytest.raises(TrackError, match=words) as refused:
        load_tracks(tmp_path)
    assert all("transfer.yaml" in str(p) for p in refused.value.problems)


def test_results_are_numbers_with_proof() -> None:
    (money, land) = facts([("wages", "1.2万元", "转账凭证"), ("", "", ""), ("land", "12.5", "复绿验收表")])
    assert (money.amount, land.amount) == (1_200_000, 1250)
    for wrong in (
        ("wages", "很多", "凭证"),
        ("wages", "-3", "凭证"),
        ("people", "2.5", "名单"),
        ("people", "2", ""),
        ("luck", "1", "x"),
    ):
        with pytest.raises(NotAFact):
            facts([wrong])
    with pytest.raises(NotAFact, match="两次"):
        facts([("people", "1", "a"), ("people", "2", "b")])
