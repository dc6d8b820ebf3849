"""From the patrol to the responsible agency: rubbish seen again and again goes straight to the city's office."""

from __future__ import annotations

from chuxiong.work.jobs import work_off
from supervision.clues import actions
from supervision.selectors import ClueFilters, clue_detail, clue_page
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, bring, patrol, person, sheet


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
