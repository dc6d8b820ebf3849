"""A browser makes models: from five questions, and in the blank form, to a clue in the queue; by two people."""

from __future__ import annotations

import pytest

from tests.browser.test_whole_way import (  # noqa: F401  fixtures
    CHROMIUM,
    Centre,
    Screen,
    centre,
    chromium,
)
from tests.prefecture import citizen, death, payment

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="no chromium on this machine"),
]


def _published(centre: Centre, chromium, author: Screen) -> Screen:  # type: ignore[no-untyped-def]  # noqa: F811
    """From the page of a whole draft: tried, and approved by another."""
    page = author.page
    page.click("button[value=try]")
    page.wait_for_selector(".fig b", timeout=60000)
    assert "编写人不能审批" in (page.text_content("main") or "") or "由州院有审批权的人批准" in (
        page.text_content("main") or ""
    )
    head = Screen(chromium, centre)
    head.sign_in("wu")
    head.go(page.url.removeprefix(centre.address))
    head.page.click("button[value=approve]")
    head.page.wait_for_selector(".message.success")
    return head


def _in_queue(head: Screen, rule_title: str) -> None:
    for _ in range(120):
        head.go("/")
        if rule_title in (head.page.text_content("#list") or ""):
            return
        head.page.wait_for_timeout(500)
    raise AssertionError(f"no clue of {rule_title}")


def test_from_five_questions_to_a_clue(centre, chromium, tmp_path):  # noqa: F811
    number = citizen(331)
    centre.bring(tmp_path, "ps_population_death", [death(number, "2026-03-10")], "deaths.csv")
    centre.bring(tmp_path, "hr_pension_payment", [payment(number, "202606", "3000")], "payments.csv")
    author = Screen(chromium, centre)
    author.sign_in("xu")
    author.go("/studio/new")
    author.page.click("a[href$=paid_while_excluded]")
    # Nothing answered: each question says so.
    author.page.fill("[name=title]", "")
    author.page.click("main form button.primary")
    assert author.page.locator(".wrong").count() == 5
    author.page.select_option("[name=a]", "hr_pension_payment.citizen_id")
    author.page.select_option("[name=b]", "ps_population_death.citizen_id")
    author.page.fill("[name=title]", "死亡后领取（工作室）")
    author.page.locator("#sentence", has_text="31 天").filter(has_not_text="……").wait_for()
    assert "……" not in (author.page.text_content("#sentence") or "")
    author.page.select_option("[name=domain]", "administrative")
    author.page.select_option("[name=basis]", index=1)
    author.page.click("main form button.primary")
    author.page.wait_for_selector("button[value=try]")
    head = _published(centre, chromium, author)
    _in_queue(head, "死亡后领取（工作室）")
    # What was refused above is a browser's own message of a failed answer; nothing else complained.
    assert [c for c in [*author.complaints, *head.complaints] if "422" not in c] == []


@pytest.mark.xfail(
    reason="does not get through its second trial; whether page or test is at fault is not found yet"
)
def test_from_the_blank_form_to_a_clue(centre, chromium, tmp_path):  # noqa: F811
    number = citizen(332)
    centre.bring(tmp_path, "hr_pension_payment", [payment(number, "202607", "98765")], "large.csv")
    author = Screen(chromium, centre)
    author.sign_in("xu")
    author.go("/studio/new")
    author.page.click("form[action$=blank] button")
    page = author.page
    for part in ("basis", "false_positives", "checking_points", "params"):
        page.click(f"button[value='add:{part}']")
    page.click("button[value='leaf:when']")
    page.click("button[value='leaf:when']")
    filled = {
        "title.zh": "单月发放过高（工作室）", "title.en": "Too high a payment", "summary.zh": "单月发放过高。", "summary.en": "Too high.",
        "basis.0.law": "中华人民共和国社会保险法", "basis.0.article": "第八十八条", "basis.0.valid_from": "2011-07-01",
        "false_positives.0.zh": "补发", "false_positives.0.en": "Arrears", "checking_points.0.zh": "调取凭证", "checking_points.0.en": "Obtain the voucher",
        "sources.0.zh": "养老金发放", "sources.0.en": "Pension payments", "sources.0.feed": "hr_pension_payment",
        "params.0.key": "mark", "params.0.value": "9000000", "params.0.zh": "上限（分）", "params.0.en": "mark", "params.0.source": "本院设定", "params.0.since": "2026-01-01",
        "when.0.id": "high", "when.0.zh": "达到上限", "when.0.en": "reaches the mark", "when.0.field": "a.amount_cny", "when.0.op": ">=", "when.0.param": "mark",
        "when.1.id": "paid", "when.1.zh": "状态正常", "when.1.en": "is paid", "when.1.field": "a.pay_status", "when.1.op": "sort_of", "when.1.value": "正常",
        "clue.subject": "a.citizen_id", "clue.label": "a.person_name", "clue.title.zh": "{records} 个月发放过高", "clue.title.en": "{records} months too high",
        "department": "civil_admin",
        **{f"tests.{n}.as_of": "2026-11-01" for n in range(3)},
        "tests.0.given": "hr_pension_payment | citizen_id: P1, amount_cny: 9000000, pay_status: 正常",
        "tests.1.given": "hr_pension_payment | citizen_id: P1, amount_cny: 9000001, pay_status: 正常",
        "tests.2.given": "hr_pension_payment | citizen_id: P1, amount_cny: 9000000",
    }  # fmt: skip
    for name, text in filled.items():
        page.fill(f"[name='{name}']", text)
    page.select_option("[name=domain]", "administrative")
    page.select_option("[name='clue.kind']", "person")
    page.click("section.save button.primary")
    # One operator is none: it is named at its field, with the cure, and nothing typed is lost.
    page.wait_for_selector("[name='when.1.op'][aria-invalid]")
    assert "可用" in (page.text_content("#f-when-1-op .wrong") or "")
    assert page.locator("nav.wrongs li").count() == 1
    assert page.input_value("[name='tests.0.given']") == filled["tests.0.given"]
    page.fill("[name='when.1.op']", "=")
    page.locator("#sentence", has_text="状态正常").wait_for()
    page.click("section.save button.primary")
    page.wait_for_selector("button[value=try]")
    # A test that does not hold keeps it from being published.
    page.click("button[value=try]")
    page.wait_for_selector("ul.plain li", timeout=60000)
    assert "应为不命中，得到命中" in (page.text_content("ul.plain li") or "")
    page.click("button[value=take_back]")
    page.click("a[href$=form]")
    page.fill(
        "[name='tests.1.given']", "hr_pension_payment | citizen_id: P1, amount_cny: 8999999, pay_status: 正常"
    )
    page.click("section.save button.primary")
    page.wait_for_selector("button[value=try]")
    head = _published(centre, chromium, author)
    _in_queue(head, "个月发放过高")
    assert [c for c in [*author.complaints, *head.complaints] if "422" not in c] == []
