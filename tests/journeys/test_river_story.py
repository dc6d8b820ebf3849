"""From the patrol to the responsible agency: rubbish seen again and again goes straight to the city's office."""

from __future__ import annotations

from typing import Any

import pytest

from chuxiong.accounts.models import Person
from chuxiong.work.jobs import work_off
from supervision.clues import actions
from supervision.matching.run import run_rule
from supervision.models import Clue, ClueEvent
from supervision.selectors import ClueFilters, clue_detail, clue_page, rulebook
from tests.conftest import acting_as
from tests.prefecture import NOW, TODAY, agreements, bring, decided, land_rows, patrol, person, sheet


def _deliver(rows: list[dict[str, str]]) -> None:
    with acting_as("worker"):
        bring("wr_river_patrol", sheet("wr_river_patrol", rows))
        while work_off():
            pass


def test_two_sightings_of_one_place_become_one_order_for_the_city(database):
    agreements()
    prefecture, city, sibling = person("a"), person("b", office="532301"), person("c", office="532302")
    _deliver(
        [
            patrol(1, "2026-11-01", "101.5000"),
            patrol(2, "2026-11-02", "101.5005"),
            patrol(3, "2026-11-02", "101.5300"),
        ]
    )
    assert clue_page(sibling, ClueFilters()).total == 0
    for who in (prefecture, city):
        (row,) = clue_page(who, ClueFilters()).rows
        assert (row.state, row.office_code, row.department) == ("dispatched", "532301", "public_interest")
    found = clue_detail(city, row.number, at=NOW)
    assert found is not None
    assert (found.responsible, found.responsible_zh) == ("wr_532301", "楚雄市水务局")
    assert [event.kind for event in found.events] == ["raised", "direct"]
    assert found.events[1].detail["order"] == "楚检交办〔2026〕1号"
    assert found.material["sightings"] == 2
    assert {c.id: c.truth for c in found.conditions}["left_lying"] is True
    assert {b.law for b in found.basis} >= {"中华人民共和国生态环境法典"}

    actions.receive(clue_number=row.number, by=city, at=NOW)
    actions.conclude(clue_number=row.number, by=city, at=NOW, finding="confirmed", note="现场属实")
    letter = actions.feed_back(
        clue_number=row.number, by=city, at=NOW, agency=found.responsible,
        subject="示例河岸垃圾", text="请清理",
    )  # fmt: skip
    assert letter.number == "楚检反馈〔2026〕1号"
    actions.settle(
        clue_number=row.number, by=city, at=NOW, outcome="improved", kind="mended_at_once", note="已清理"
    )
    done = clue_detail(prefecture, row.number, at=NOW)
    assert done is not None
    assert done.row.outcome == "improved"


@pytest.mark.parametrize("gone", [False, True])
def test_what_comes_back_after_it_was_settled_goes_to_who_settled_it(database, gone):
    agreements()
    city = person("b", office="532301")
    _deliver([patrol(1, "2026-11-01", "101.5000"), patrol(2, "2026-11-02", "101.5005")])
    (row,) = clue_page(city, ClueFilters()).rows
    at = {"clue_number": row.number, "by": city, "at": NOW}
    actions.receive(**at)
    actions.conclude(**at, finding="confirmed", note="现场属实")
    actions.feed_back(**at, agency="wr_532301", subject="示例河岸垃圾", text="请清理")
    actions.settle(**at, outcome="corrected", kind="by_supervision", note="已清理")
    if gone:
        Person.objects.using("owner").filter(pk=city.pk).update(is_active=False, left_at=NOW)
    _deliver([patrol(4, "2026-11-04", "101.5003")])
    old, new = _all()
    assert (old.state, old.outcome, old.material["sightings"]) == ("settled", "corrected", 2)
    assert (new.previous_id, new.rebound, new.handler) == (old.pk, True, "" if gone else "b")
    if not gone:
        assert [r.number for r in clue_page(city, ClueFilters(attention="rebound")).rows] == [new.number]
        detail = clue_detail(city, new.number, at=NOW)
        assert detail is not None and detail.previous == old.number
        actions.receive(**{**at, "clue_number": new.number})


def test_the_prefecture_may_take_it_over(database):
    agreements()
    prefecture, city = person("a"), person("b", office="532301")
    _deliver([patrol(1, "2026-11-01", "101.5000"), patrol(2, "2026-11-02", "101.5005")])
    (row,) = clue_page(city, ClueFilters()).rows
    actions.take_over(clue_number=row.number, by=prefecture, at=NOW, note="涉及两县交界")
    assert clue_page(city, ClueFilters()).total == 0
    (taken,) = clue_page(prefecture, ClueFilters()).rows
    assert (taken.state, taken.office_code) == ("checking", "532300")


def test_a_later_sighting_at_the_place_changes_the_clue_and_raises_no_second(database):
    agreements()
    city = person("b", office="532301")
    _deliver([patrol(1, "2026-11-01", "101.5000"), patrol(2, "2026-11-02", "101.5005")])
    _deliver([patrol(4, "2026-11-03", "101.5008")])
    (row,) = clue_page(city, ClueFilters()).rows
    found = clue_detail(city, row.number, at=NOW)
    assert found is not None
    assert found.material["sightings"] == 3
    assert "source_changed" in row.flags


# ---- an occurrence keeps its clue --------------------------------------------------------------


def _all() -> list[Clue]:
    return list(Clue.objects.using("owner").order_by("id"))


def _kinds(clue: Clue) -> list[str]:
    return list(
        ClueEvent.objects.using("owner").filter(clue=clue).order_by("id").values_list("kind", flat=True)
    )


def _detail(clue: Clue, kind: str) -> dict[str, Any]:
    return ClueEvent.objects.using("owner").filter(clue=clue, kind=kind).latest("id").detail


def _replace(rows: list[dict[str, str]], *, full: bool = False) -> None:
    """The river's findings are these from now on: what is missing is removed."""
    land_rows("wr_river_patrol", rows, snapshot=True)
    with acting_as("worker"):
        run_rule("river_rubbish", at=NOW, as_of=TODAY, full=full)


@pytest.fixture
def untriaged(monkeypatch):
    """The rule as if its clues went to triage: no direct delivery."""
    rule = rulebook()["river_rubbish"]
    plain = rule.model_copy(update={"route": rule.route.model_copy(update={"direct": False})})
    monkeypatch.setitem(rulebook(), "river_rubbish", plain)


SEEN = [
    patrol(1, "2026-11-05", "101.5000"),
    patrol(2, "2026-11-06", "101.5005"),
    patrol(3, "2026-11-07", "101.5003"),
]


def test_a_corrected_first_sighting_renames_the_clue(database):
    agreements()
    _replace(SEEN)
    (clue,) = _all()
    assert clue.bucket == "WT0001"
    # The number of the finding is corrected: another key, so for the pool another record.
    _replace([SEEN[0] | {"problem_id": "WT0009"}, *SEEN[1:]])
    (after,) = _all()
    assert (after.pk, after.bucket, after.state, after.supported) == (clue.pk, "WT0009", "dispatched", True)
    assert after.material == clue.material
    (change,) = after.source_changes
    assert (change["verdict"], change["name_before"], change["name_after"]) == ("hit", "WT0001", "WT0009")
    assert _kinds(after) == ["raised", "direct", "moved", "source_changed"]
    assert _detail(after, "moved")["after"] == "WT0009"


def test_a_corrected_time_makes_another_sighting_the_first(database):
    agreements()
    _replace(SEEN)
    (clue,) = _all()
    _replace([SEEN[0] | {"found_time": "2026-11-07 18:00"}, *SEEN[1:]])
    (after,) = _all()
    assert (after.pk, after.bucket, after.supported) == (clue.pk, "WT0002", True)
    _replace(SEEN, full=True)
    (again,) = _all()
    assert (again.pk, again.bucket, again.episode) == (clue.pk, "WT0001", 1)


def test_an_earlier_sighting_that_arrives_late_becomes_the_first(database):
    agreements()
    _replace(SEEN)
    (clue,) = _all()
    _deliver([patrol(4, "2026-11-04", "101.5001")])
    (after,) = _all()
    assert (after.pk, after.bucket, after.material["sightings"]) == (clue.pk, "WT0004", 4)
    assert _kinds(after)[2:] == ["moved", "source_changed"]


def test_a_clue_from_before_records_were_kept_is_known_by_its_evidence(database):
    agreements()
    _replace(SEEN)
    Clue.objects.using("owner").update(members=None)
    _replace([SEEN[0] | {"problem_id": "WT0009"}, SEEN[1] | {"status": "复核不通过"}, SEEN[2]])
    (after,) = _all()
    assert (after.bucket, len(after.members)) == ("WT0009", 3)


def test_an_occurrence_is_known_by_more_than_the_evidence_lists(database):
    agreements()
    many = [
        patrol(i, "2026-11-06", f"101.50{i:02d}") | {"found_time": f"2026-11-06 09:{i:02d}"}
        for i in range(1, 31)
    ]
    _replace([row | {"lon": "101.5000"} for row in many])
    (clue,) = _all()
    assert (len(clue.evidence), len(clue.members)) == (12, 30)
    # All that the evidence lists is corrected; what is left of the old records, it never listed.
    fixed = [row | {"problem_id": f"WX{i:04d}", "lon": "101.5000"} for i, row in enumerate(many)]
    _replace([*fixed[:12], *({**row, "lon": "101.5000"} for row in many[12:])])
    (after,) = _all()
    assert (after.pk, after.bucket) == (clue.pk, "WX0000")


APART = [
    patrol(1, "2026-11-05", "101.5000"), patrol(2, "2026-11-06", "101.5000"),
    patrol(5, "2026-11-06", "101.5030"), patrol(6, "2026-11-07", "101.5030"), patrol(7, "2026-11-07", "101.5030"),
]  # fmt: skip
BRIDGE = patrol(9, "2026-11-04", "101.5015")


def test_a_bridge_makes_one_occurrence_of_two_and_its_removal_parts_them(database):
    agreements()
    city = person("b", office="532301")
    _replace(APART)
    one, two = _all()
    _replace([BRIDGE, *APART])
    one_now, two_now = _all()
    # The clue with most of the records goes on; the other is in the city's hands and says where its records are.
    assert (two_now.bucket, two_now.supported, two_now.material["sightings"]) == ("WT0009", True, 6)
    assert (one_now.bucket, one_now.supported, one_now.state) == ("WT0001", False, "dispatched")
    assert (one_now.source_changes[-1]["verdict"], one_now.source_changes[-1]["into"]) == (
        "joined",
        two.number,
    )
    assert _detail(one_now, "joined")["into"] == two.number
    assert _detail(two_now, "took_in")["clue"] == one.number
    shown = clue_detail(city, one.number, at=NOW)
    assert shown is not None
    assert "joined" in shown.row.flags
    assert "unsupported" not in shown.row.flags

    _replace(APART, full=True)
    one_now, two_now = _all()
    assert (one_now.bucket, one_now.supported, one_now.material) == ("WT0001", True, one.material)
    assert (two_now.bucket, two_now.supported, two_now.material) == ("WT0005", True, two.material)


def test_a_bridge_merges_a_clue_that_nobody_has_taken_up_and_gives_it_back(database, untriaged):
    agreements()
    _replace(APART)
    _, two = _all()
    _replace([BRIDGE, *APART])
    one_now, two_now = _all()
    assert (one_now.state, one_now.merged_into_id, two_now.state) == ("merged", two.pk, "raised")
    assert _kinds(one_now) == ["raised", "joined"]
    assert _kinds(two_now) == ["raised", "moved", "took_in"]
    _replace(APART)
    one_now, two_now = _all()
    assert (one_now.state, one_now.merged_into_id, one_now.bucket) == ("raised", None, "WT0001")
    assert (two_now.state, two_now.bucket) == ("raised", "WT0005")
    assert _kinds(one_now) == ["raised", "joined", "raised", "parted_from"]
    assert _detail(one_now, "parted_from")["clue"] == two.number
    assert _kinds(two_now)[3:] == ["moved", "parted"]


def test_a_removed_sighting_parts_one_occurrence_into_two_clues(database):
    agreements()
    _replace([BRIDGE, *APART])
    (one,) = _all()
    _replace(APART)
    kept, new = _all()
    assert (kept.pk, kept.bucket, kept.material["sightings"]) == (one.pk, "WT0005", 3)
    assert (new.bucket, new.material["sightings"], new.previous_id) == ("WT0001", 2, None)
    assert _detail(kept, "parted")["clue"] == new.number
    assert _detail(new, "parted_from")["clue"] == kept.number


def _closed(clue: Clue, how: str) -> None:
    """Put the clue where people have decided on it."""
    Clue.objects.using("owner").filter(pk=clue.pk).update(state=how, **decided(how))


@pytest.mark.parametrize("how", ["dismissed", "unfounded", "settled"])
def test_a_decided_clue_is_not_raised_anew_by_a_new_name(database, how):
    agreements()
    _replace(SEEN)
    (clue,) = _all()
    _closed(clue, how)
    renamed = [SEEN[0] | {"problem_id": "WT0009"}, *SEEN[1:]]
    _replace(renamed)
    (after,) = _all()
    assert (after.bucket, after.state, after.material) == ("WT0009", how, clue.material)
    assert _kinds(after)[-1] == "moved"
    # Other facts bring it back as ever, linked to the decision, whatever the name.
    _replace([patrol(4, "2026-11-04", "101.5001"), *renamed])
    old, new = _all()
    assert (old.state, old.material, old.bucket) == (how, clue.material, "WT0004")
    assert (new.previous_id, new.episode, new.bucket) == (old.pk, 2, "WT0004")
    assert new.results["previous_state"] == how


def test_a_clue_at_work_takes_the_name_of_a_decided_one(database):
    """Its anchor now reaches the records of the clue at work: that goes on under the name, as a further episode."""
    agreements()
    _replace([patrol(0, "2026-11-01", "101.5000"), patrol(1, "2026-11-02", "101.5000"), *APART[2:]])
    decided, work = _all()
    _closed(decided, "dismissed")
    _replace([patrol(0, "2026-11-05", "101.5030"), *APART[2:]])
    decided, work = _all()
    assert (decided.bucket, decided.episode, decided.state) == ("WT0000", 1, "dismissed")
    assert (work.bucket, work.episode, work.supported, work.material["sightings"]) == ("WT0000", 2, True, 4)


def test_a_withdrawn_clue_comes_back_under_its_new_name(database, untriaged):
    agreements()
    _replace(SEEN[:2])
    (clue,) = _all()
    _replace([SEEN[1]])
    assert _all()[0].state == "withdrawn"
    _replace(SEEN[1:])
    (after,) = _all()
    assert (after.pk, after.state, after.bucket) == (clue.pk, "raised", "WT0002")
    assert _kinds(after) == ["raised", "withdrawn", "moved", "raised"]


def test_a_sealed_clue_is_not_told_of(database):
    agreements()
    _replace(APART)
    one, two = _all()
    Clue.objects.using("owner").filter(pk=two.pk).update(sealed=True)
    _replace([BRIDGE, *APART])
    assert "joined" not in _kinds(one)
    assert "took_in" not in _kinds(two)
    assert _all()[0].source_changes[-1]["verdict"] == "gone"
