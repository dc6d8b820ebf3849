"""A confirmed clue on its track: steps in their order, clocks that follow them, entries taken back."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.db import DatabaseError, connection, transaction

from chuxiong.accounts.scope import all_offices, scope
from chuxiong.kit import working_days
from supervision.clues import actions
from supervision.clues.actions import Refused
from supervision.models import Clue, ClueEvent, TrackClock, TrackStep
from supervision.selectors import clue_detail
from supervision.tracks.daily import look
from supervision.tracks.terms import Term
from tests.prefecture import NOW, person

TODAY = NOW.date()
PAPER = {"official_number": "楚检行公建〔2026〕12号", "approver": "检察长"}


@pytest.fixture
def confirmed(database):
    zhou = person("zhou", roles=("head",))
    clue = actions.enter(
        by=zhou, at=NOW, title="示例事项", office="532300", township="示例镇", occurred_on=TODAY, level="ordinary",
        text="示例情况",
    )  # fmt: skip
    act = {"clue_number": clue.number, "by": zhou, "at": NOW}
    actions.accept(**act)
    actions.dispatch(**act, office="532300")
    actions.receive(**act)
    actions.conclude(**act, finding="confirmed", note="属实")
    return act


def _step(act, step, days_ago, **more):
    return actions.step(**act, step=step, happened_on=TODAY - timedelta(days=days_ago), **more)


def _due(act) -> date | None:
    with scope(offices=all_offices()):
        return Clue.objects.get(number=act["clue_number"]).due_on


def _on_its_way(act):
    actions.act(**act, track="administrative_public_interest", note="行政机关怠于履职")
    _step(act, "file", 30, official_number="楚检行公立〔2026〕3号", approver="检察长")
    _step(act, "proposal", 20, **PAPER)


def test_the_whole_way_from_filing_to_settled(confirmed) -> None:
    act = confirmed
    _on_its_way(act)
    _step(act, "service", 10)
    served = TODAY - timedelta(days=10)
    with scope(offices=all_offices()):
        clock = TrackClock.objects.get()
    assert (
        clock.starts_on == served and clock.due_on is not None and clock.due_on >= served + timedelta(days=59)
    )
    assert _due(act) == clock.due_on
    with pytest.raises(Refused, match="还没有结案"):
        actions.settle(**act, outcome="corrected", kind="by_supervision", note="提前办结")
    _step(act, "reply", 2)
    with scope(offices=all_offices()):
        clock.refresh_from_db()
    assert clock.stopped_on == TODAY - timedelta(days=2)
    _step(act, "close", 0, official_number="楚检行公终〔2026〕3号", approver="检察长")
    actions.settle(
        **act,
        outcome="corrected",
        kind="by_supervision",
        note="已整改到位",
        results=[("places", "3", "整改照片")],
    )
    found = clue_detail(act["by"], act["clue_number"], at=NOW)
    assert found is not None and found.row.state == "settled"
    (track,) = found.tracks
    assert [s.step.code for s in track.steps] == ["file", "proposal", "service", "reply", "close"]
    assert track.ended_on == TODAY and track.open == [] and track.clocks == []
    assert found.events[-1].detail["facts"] == [{"code": "places", "amount": 3, "proof": "整改照片"}]


def test_urgent_harm_has_its_own_length(confirmed) -> None:
    _on_its_way(confirmed)
    _step(confirmed, "service", 1, variant="urgent")
    with scope(offices=all_offices()):
        clock = TrackClock.objects.get()
    assert clock.due_on is not None and timedelta(days=15) <= clock.due_on - clock.starts_on <= timedelta(
        days=25
    )
    with pytest.raises(Refused, match="没有这种期限"):
        actions.strike(**confirmed, taken=_last(), note="改") and _step(
            confirmed, "service", 1, variant="slow"
        )


def _last() -> int:
    with scope(offices=all_offices()):
        last = TrackStep.objects.filter(struck_at=None).last()
    assert last is not None
    return last.pk


@pytest.mark.parametrize(
    ("step", "more", "words"),
    [
        ("service", {}, "先完成前面的步骤"),
        ("nothing", {}, "先完成前面的步骤"),
        ("proposal", {}, "文书号"),
        ("consult", {"days_ago": 31}, "早于“立案”"),
        ("consult", {"days_ago": -1}, "不能晚于今天"),
    ],
)
def test_a_step_that_does_not_fit_is_refused_in_words(confirmed, step: str, more: dict, words: str) -> None:
    act = confirmed
    actions.act(**act, track="administrative_public_interest", note="依据")
    _step(act, "file", 30, official_number="号", approver="检察长")
    with pytest.raises(Refused, match=words):
        _step(act, step, **({"days_ago": 5} | more))
    with scope(offices=all_offices()):
        assert TrackStep.objects.count() == 1


def test_what_was_entered_by_mistake_is_struck_with_all_it_did(confirmed) -> None:
    act = confirmed
    _on_its_way(act)
    service = _step(act, "service", 10)
    before = _due(act)
    reply = _step(act, "reply", 2)
    assert _due(act) != before
    with pytest.raises(Refused, match="最后登记的一步"):
        actions.strike(**act, taken=service.pk, note="登记错")
    actions.strike(**act, taken=reply.pk, note="不是盖章的回复")
    assert _due(act) == before
    with scope(offices=all_offices()):
        assert TrackClock.objects.get().stopped_on is None
        struck = TrackStep.objects.get(pk=reply.pk)
    assert (struck.struck_reason, struck.struck_by) == ("不是盖章的回复", "zhou演示")
    again = _step(act, "reply", 1)
    assert again.pk != reply.pk


def test_the_database_lets_nobody_change_a_step(confirmed) -> None:
    _on_its_way(confirmed)
    with scope(offices=all_offices()), pytest.raises(DatabaseError, match="struck"), transaction.atomic():
        TrackStep.objects.filter(pk=_last()).update(happened_on=TODAY)


def test_a_clock_stands_goes_on_and_is_extended(confirmed) -> None:
    act = confirmed
    _on_its_way(act)
    _step(act, "service", 10)
    with scope(offices=all_offices()):
        clock = TrackClock.objects.get()
    first = clock.due_on
    assert first is not None
    change = {**act, "clock": clock.pk}
    actions.clock(**change, how="pause", on=TODAY - timedelta(days=8), note="协商确定整改方案")
    with scope(offices=all_offices()):
        clock.refresh_from_db()
    assert clock.due_on is None
    with pytest.raises(Refused, match="已中止"):
        actions.clock(**change, how="pause", on=TODAY, note="再次")
    with pytest.raises(Refused, match="中止日与今天之间"):
        actions.clock(**change, how="resume", on=TODAY + timedelta(days=3), note="预先")
    actions.clock(**change, how="resume", on=TODAY - timedelta(days=3), note="恢复")
    with scope(offices=all_offices()):
        clock.refresh_from_db()
    stood = Term(months=2).after(clock.starts_on) + timedelta(days=5)
    assert clock.due_on == working_days.on_or_after(stood)
    with pytest.raises(Refused, match="须晚于"):
        actions.clock(**change, how="extend", on=first, note="早了")
    later = clock.due_on + timedelta(days=30)
    actions.clock(**change, how="extend", on=later, note="申请延期获准")
    assert _due(act) == later


def test_one_track_at_a_time_and_letters_count_beside_it(confirmed) -> None:
    act = confirmed
    _on_its_way(act)
    with pytest.raises(Refused, match="另开轨道"):
        actions.act(**act, track="transfer", note="移送")
    agency = "hr_bureau"
    letter = actions.feed_back(
        **act, agency=agency, subject="提示", text="请改进", due_on=TODAY + timedelta(days=4)
    )
    assert _due(act) == letter.due_on


def test_each_clock_is_warned_of_noted_and_escalated_once(confirmed) -> None:
    act = confirmed
    _on_its_way(act)
    _step(act, "service", 10)
    due_on = _due(act)
    assert due_on is not None

    def told(day: date) -> list[str]:
        look(at=NOW, today=day)
        look(at=NOW, today=day)
        with scope(offices=all_offices()):
            return list(ClueEvent.objects.filter(kind__startswith="clock_").values_list("kind", flat=True))

    assert told(due_on - timedelta(days=11)) == []
    assert told(due_on - timedelta(days=10)) == ["clock_warned"]
    assert told(due_on) == ["clock_warned"], "the last day is in time"
    assert told(due_on + timedelta(days=1)) == ["clock_warned", "clock_overdue"]
    assert told(due_on + timedelta(days=30)) == ["clock_warned", "clock_overdue", "clock_escalated"]


def test_the_page_asks_three_times_for_the_handling_however_long_it_is(confirmed) -> None:
    from django.test.utils import CaptureQueriesContext

    act = confirmed
    _on_its_way(act)

    def asked() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert clue_detail(act["by"], act["clue_number"], at=NOW) is not None
        return len(queries)

    few = asked()
    _step(act, "service", 10)
    _step(act, "reply", 9)
    for ago in (8, 7, 6):
        _step(act, "follow_up", ago)
    assert asked() == few
