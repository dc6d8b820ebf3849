"""The desk's pages: filters in the address, several clues at once, complaints at the field, nothing inline."""

from __future__ import annotations

import re

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from chuxiong.kit.factor import named
from dashboard.indicators.funnel import latest
from supervision import selectors
from supervision.alarms import actions as alarms
from supervision.alarms.raising import raise_alarms
from supervision.clients import set_agency_scope
from supervision.clues import actions
from supervision.matching.run import run_rule
from tests.conftest import acting_as
from tests.prefecture import (
    NOW,
    TODAY,
    agreements,
    bring,
    citizen,
    cremation,
    death,
    land_rows,
    payment,
    person,
    reading,
    sheet,
)


@pytest.fixture
def desk(database):
    """A signed-in prosecutor of the prefecture office."""
    someone = person()
    client = Client()
    client.force_login(someone)
    client.person = someone
    return client


def _enter(someone, title: str = "桥下河道堆放垃圾", level: str = "ordinary"):
    return actions.enter(
        by=someone,
        at=NOW,
        title=title,
        office="532301",
        township="鹿城镇",
        occurred_on=TODAY,
        level=level,
        text="两处",
    )


def _pension_clue() -> str:
    agreements()
    number = citizen(7)
    bring("ps_population_death", sheet("ps_population_death", [death(number, "2026-03-10")]))
    bring("ca_funeral", sheet("ca_funeral", [cremation(number, "2026-03-10", 1)]))
    bring(
        "hr_pension_payment",
        sheet("hr_pension_payment", [payment(number, f"2026{m:02d}", "2500") for m in range(3, 8)]),
    )
    with acting_as("worker"):
        run_rule("pension_after_death", at=NOW, as_of=TODAY, full=True)
    return selectors.clue_page(person("looker"), selectors.ClueFilters()).rows[0].number


def _queries(client: Client, path: str) -> int:
    with CaptureQueriesContext(connection) as seen:
        assert client.get(path).status_code == 200
    return len(seen)


def test_the_queue_asks_the_database_as_often_for_twenty_rows_as_for_one(desk):
    _enter(desk.person)
    one = _queries(desk, "/")
    for n in range(25):
        _enter(desk.person, f"事项 {n}")
    assert _queries(desk, "/") == one


def test_a_filter_is_a_link_that_puts_its_value_in_and_takes_it_out(desk):
    _enter(desk.person, "紧急的", "urgent")
    _enter(desk.person, "一般的", "ordinary")
    page = desk.get("/?level=urgent&text=的").content.decode()
    assert "紧急的" in page and "一般的" not in page
    assert 'href="?level=urgent&amp;level=ordinary&amp;text=%E7%9A%84"' in page
    assert 'href="?text=%E7%9A%84"' in page
    assert desk.get("/?attention=new").status_code == 200
    assert "没有符合条件的线索" in desk.get("/?attention=overdue").content.decode()
    assert "一般的" in desk.get("/?attention=nonsense").content.decode()


def test_several_at_once_preview_first_then_an_outcome_for_each(desk):
    clues = [_enter(desk.person, f"事项 {n}") for n in range(3)]
    gone = clues[1]
    actions.dismiss(clue_number=gone.number, by=desk.person, at=NOW, reason="handled")
    chosen = [f"{c.number}:{c.version}" for c in clues]

    preview = desk.post("/clues/bulk", {"move": "accept", "clue": chosen}).content.decode()
    assert "采纳 2 条" in preview and "不能采纳" in preview
    assert {r.state for r in selectors.clue_rows(desk.person, [c.number for c in clues])} == {
        "raised",
        "dismissed",
    }

    after = desk.post("/clues/bulk", {"move": "accept", "clue": chosen, "sure": "1"}).content.decode()
    assert "2 条已办理" in after and "1 条未办理" in after
    states = [r.state for r in selectors.clue_rows(desk.person, [c.number for c in clues])]
    assert states == ["triaged", "dismissed", "triaged"]


def test_a_clue_that_somebody_moved_meanwhile_keeps_its_place_in_a_bulk_act(desk):
    clue = _enter(desk.person)
    actions.defer(clue_number=clue.number, by=desk.person, at=NOW, until=TODAY.replace(year=TODAY.year + 1))
    stale = {"move": "dismiss", "reason": "handled", "clue": [f"{clue.number}:{clue.version}"], "sure": "1"}
    after = desk.post("/clues/bulk", stale).content.decode()
    assert "0 条已办理" in after and "刚被改动" in after
    assert selectors.clue_rows(desk.person, [clue.number])[0].state == "raised"


def test_only_the_verbs_of_the_bulk_bar_work_in_bulk(desk):
    clue = _enter(desk.person)
    for move in ("settle", "nonsense", ""):
        answer = desk.post("/clues/bulk", {"move": move, "clue": f"{clue.number}:1", "sure": "1"})
        assert answer.status_code == 404
    assert desk.post("/clues/bulk", {"move": "accept"}).status_code == 404


def test_entry_complains_at_the_field_and_keeps_what_was_written(desk):
    answer = desk.post(
        "/clues/new",
        {
            "title": "",
            "office": "532301",
            "occurred_on": "2999-01-01",
            "level": "ordinary",
            "text": "看到两处",
        },
    )
    page = answer.content.decode()
    assert answer.status_code == 400
    assert re.search(r'id="e-title">此项必填<', page)
    assert re.search(r'id="e-occurred_on">发生日期不能晚于今天<', page)
    assert "看到两处" in page and "还有 2 处需要修改" in page


def test_the_cells_that_decide_carry_the_numbers_of_their_conditions(desk):
    number = _pension_clue()
    detail = selectors.clue_detail(desk.person, number, at=NOW)
    order = {c.id: i for i, c in enumerate(detail.conditions, 1)}
    by_feed = {s.feed_code: s.cells for s in detail.sources}
    assert by_feed["ps_population_death"]["death_date"].decisive == [order["late"]]
    assert by_feed["hr_pension_payment"]["pay_month"].decisive == [order["late"]]
    assert by_feed["hr_pension_payment"]["amount_cny"].decisive == [order["paid"], order["not_recovered"]]
    # The identifier links the records; it decides nothing.
    assert by_feed["hr_pension_payment"]["citizen_id"].decisive == []
    months = [s.cells["pay_month"].text for s in detail.sources if s.feed_code == "hr_pension_payment"]
    assert months == sorted(months)
    page = desk.get(f"/clues/{number}").content.decode()
    assert 'class="decisive"' in page and "<sup>①</sup>" in page


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_pages_hold_nothing_inline_and_name_no_other_host(desk, language):
    number = _pension_clue()
    _enter(desk.person)
    desk.cookies["django_language"] = language
    paths = ["/", f"/clues/{number}", f"/clues/{number}/peek", "/clues/new", "/feeds", "/wall/", "/nothing"]
    for path in [*paths, "/login"]:
        answer = (Client() if path == "/login" else desk).get(path)
        page = answer.content.decode()
        assert answer.status_code == (404 if path == "/nothing" else 200), path
        assert not re.search(r"<[^>]+\s(style|on\w+)=", page), path
        scripts = re.findall(r"<script([^>]*)>", page)
        assert all("src=" in s or 'type="application/json"' in s for s in scripts), path
        assert not re.search(r"https?://", page.replace("http://www.w3.org/", "")), path
        if language == "en" and path in ("/clues/new", "/nothing"):
            words = re.sub(r"<(title|option)[^>]*>.*?</\1>|中文 / EN|切换到中文", "", page, flags=re.S)
            assert re.findall(r"[\u4e00-\u9fff]{3,}", words.split("<main", 1)[1]) == [], path


def test_an_expired_page_says_so_and_what_to_do(database):
    answer = Client(enforce_csrf_checks=True).post("/login", {"username": "x", "password": "y"})
    assert answer.status_code == 403
    assert "页面已过期" in answer.content.decode()


def test_quarantined_rows_stand_with_their_reasons_and_counts_that_add_up(desk):
    agreements()
    good, bad = death(citizen(1), "2026-03-10"), death(citizen(2), "三月十日")
    bring("ps_population_death", sheet("ps_population_death", [good, bad]))
    page = desk.get("/feeds").content.decode()
    assert "日期无法识别或不完整" in page
    sums = re.search(r'class="sum">(\d+) = (\d+) \+ (\d+) \+ (\d+) \+ <span [^>]*>(\d+)<', page)
    assert sums
    received, *parts = map(int, sums.groups())
    assert received == sum(parts) == 2


def test_a_settled_clue_says_what_came_of_it_and_who_handled_it(desk):
    clue = _enter(desk.person)
    act = {"clue_number": clue.number, "by": desk.person, "at": NOW}
    actions.accept(**act)
    actions.dispatch(**act, office="532301")
    actions.take_over(**act, note="案情重大")
    page = desk.get(f"/clues/{clue.number}").content.decode()
    assert f"承办 {desk.person.name}" in page and f"发生于 {TODAY:%Y-%m-%d}" in page
    actions.conclude(**act, finding="confirmed", note="现场查看")
    assert "核查期限" not in desk.get(f"/clues/{clue.number}").content.decode()
    letter = actions.feed_back(**act, agency="ee_bureau", subject="清理", text="请清理")
    assert "单位已答复" not in desk.get("/").content.decode()
    answer = {"client": "demo", "at": NOW, "answer": "corrected", "text": "已清理"}
    with transaction.atomic():
        set_agency_scope("ee_bureau")
        actions.take_answer(letter=letter, expected_version=letter.version, **answer)
    queue = desk.get("/?attention=answered").content.decode()
    assert re.search(r'class="answered" aria-current="true">单位已答复 <b>1</b>', queue)
    assert '<span class="tag good">单位已答复</span>' in queue and clue.number in queue
    actions.settle(**act, outcome="corrected", kind="by_supervision", note="已清理")
    page = desk.get(f"/clues/{clue.number}").content.decode()
    # Beside the title, in print, in the timeline, on the card of the limit.
    assert page.count("依法监督纠正（监督纠正）") == 4
    assert "核查期限" not in page
    assert clue.number not in desk.get("/?attention=answered").content.decode()


def test_a_clue_from_an_alarm_says_so_and_leads_back_to_it(desk):
    agreements()
    number, _, _ = land_rows("ee_auto_monitor", [reading("M1", "2026-11-20", "130", kind="2061", hour=6)])
    with acting_as("worker"):
        raise_alarms(selectors.alarms()["discharge_reading"], landing=number, at=NOW)
    who = person("dispatcher", roles=("dispatcher",))
    desk.force_login(who)
    alarm = selectors.alarm_page(who, selectors.AlarmFilters()).rows[0]
    clue = alarms.promote(alarm_id=alarm.pk, by=who, at=NOW)
    page = desk.get(f"/clues/{clue.number}").content.decode()
    heading = re.search(r"<h1>(.*?)</h1>", page).group(1)
    assert heading.startswith("疑似") and named(alarm.series).zh in heading and alarm.series not in heading
    assert "来源 预警" in page and "<b>预警转线索</b>" in page
    assert "来源 模型" not in page and "人工录入・" not in page
    back = re.search(r'href="(/alarms\?only=\d+)"', page).group(1)
    assert f'id="alarm-{alarm.pk}"' in desk.get(back).content.decode()
    assert clue.number in desk.get("/?origin=alert").content.decode()
    (on_wall,) = latest()
    assert (on_wall["rule"], on_wall["rule_en"]) == ("预警转线索", "From an alarm")
    desk.cookies["django_language"] = "en"
    heading = re.search(r"<h1>(.*?)</h1>", desk.get(f"/clues/{clue.number}").content.decode()).group(1)
    assert heading.startswith("Suspected: ") and named(alarm.series).en in heading
