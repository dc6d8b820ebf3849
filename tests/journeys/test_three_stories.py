"""River, wages, recovery: each in a real browser from the new clue to the settled one, with steps and results."""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Iterator
from datetime import datetime, time, timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from chuxiong.accounts.scope import all_offices, scope
from chuxiong.work.jobs import work_off
from supervision.clues import actions
from supervision.matching.run import run_rule
from supervision.models import Clue, Order
from tests.conftest import acting_as
from tests.prefecture import (
    NOW,
    TODAY,
    agreements,
    arbitration,
    bring,
    case_card,
    citizen,
    decided,
    land_rows,
    patrol,
    person,
    sheet,
    suit,
    wage_clue,
)  # fmt: skip

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="no chromium on this machine (apt-get install chromium fonts-noto-cjk)"
    ),
]
WAIT = 30_000
PAPER = {"official_number": "楚检示例〔2026〕1号", "approver": "检察长"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """The desk of this very process, on a free port."""
    from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
    from django.core.wsgi import get_wsgi_application

    class Quiet(WSGIRequestHandler):
        def log_message(self, *_args: Any) -> None:
            pass

    class Server(ThreadedWSGIServer):
        daemon_threads = True

    server = Server(("127.0.0.1", 0), Quiet)
    server.set_app(get_wsgi_application())
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join(10)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    from playwright.sync_api import sync_playwright

    # The browser's driver leaves an event loop in this thread, in which Django would refuse plain queries.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu", "--disable-sync"]
        )
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


class Desk:
    """One person's browser on the desk."""

    def __init__(self, browser: Any, address: str, who: Any) -> None:
        self.address = address
        context = browser.new_context(viewport={"width": 1366, "height": 900}, base_url=address)
        client = Client()
        client.force_login(who)
        context.add_cookies(
            [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": address}]
        )
        self.page = context.new_page()
        self.page.set_default_timeout(WAIT)
        # Sockets have no server here; nothing else may fail.
        self.failures: list[str] = []
        self.page.on("pageerror", lambda e: self.failures.append(str(e)))
        self.page.on(
            "response", lambda r: self.failures.append(f"{r.status} {r.url}") if r.status >= 400 else None
        )

    def go(self, path: str) -> None:
        self.page.goto(path)

    def text(self, selector: str = "main") -> str:
        return " ".join((self.page.text_content(selector) or "").split())

    def do(self, move: str, /, step: str = "", said: str = "", **fields: str) -> None:
        """Open the form of a move (of a step), fill it in, send it, wait for the page that follows."""
        form = f"form[action$='/{move}']"
        if step:
            form += f":has(input[name=step][value={step}])"
        self.page.eval_on_selector(form, "f => { const d = f.closest('details'); if (d) d.open = true; }")
        for name, value in fields.items():
            field = self.page.locator(f"{form} [name={name}]").first
            if field.evaluate("e => e.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)
        with self.page.expect_navigation():
            self.page.locator(f"{form} button").last.click()
        assert self.page.locator(".message.success").count() == 1, self.text(".message.error") + said

    def take_steps(self, *steps: tuple[str, dict[str, str]]) -> None:
        """Steps of the track, each today unless it says otherwise."""
        for code, fields in steps:
            self.do("step", step=code, **({"happened_on": _today()} | fields))


def _today() -> str:
    return timezone.localdate().isoformat()


def _clues(rule: str) -> list[Clue]:
    with scope(offices=all_offices()):
        return list(Clue.objects.filter(rule=rule).order_by("pk"))


def test_river_from_the_patrol_to_the_cleaned_bank(database, chromium, address):
    agreements()
    zhou, lin = person("zhou"), person("lin", office="532301")
    with acting_as("worker"):
        seen = [patrol(1, "2026-11-01", "101.5000"), patrol(2, "2026-11-02", "101.5005")]
        bring("wr_river_patrol", sheet("wr_river_patrol", seen))
        while work_off():
            pass
    (clue,) = _clues("river_rubbish")

    # The duty list delivered it to the city at once; the prefecture sees nobody has signed and calls.
    above = Desk(chromium, address, zhou)
    above.go("/orders")
    above.page.click("tr[data-order] td:nth-child(2) a.one")
    above.do("call", spoke_with="楚雄市院值班员", result="reached", note="立即签收")
    above.go("/orders?list=unsigned")
    assert "通话 1 次" in above.text("tr[data-order]") and "未签收" in above.text("tr[data-order]")

    desk = Desk(chromium, address, lin)
    desk.go("/orders?list=unsigned")
    desk.page.click("tr[data-order] td:first-child a.one")
    printed = desk.text("#sheet-order")
    for words in (
        "线索交办单",
        "楚检交办〔2026〕1号",
        "楚雄市水务局",
        "责任单位的同级检察院管辖，按权责清单直接交办",
        "疑似",
    ):
        assert words in printed, words
    assert "楚雄市院值班员" in desk.text(".log")
    assert desk.page.pdf(prefer_css_page_size=True).startswith(b"%PDF")

    desk.go(f"/clues/{clue.number}")
    desk.do("receive")
    desk.do("conclude", finding="confirmed", note="现场属实，两处堆放")
    desk.do("act", track="administrative_public_interest", note="主管部门怠于履职")
    desk.take_steps(
        ("file", PAPER),
        ("proposal", PAPER),
        ("service", {}),
        ("reply", {}),
        ("follow_up", {}),
        ("close", PAPER),
    )
    desk.do(
        "settle", outcome="corrected:by_supervision", note="已清理并建立巡查制度", result_kind="places",
        result_amount="2", result_proof="整改照片第 1-4 号",
    )  # fmt: skip
    whole = desk.text()
    assert "办结" in whole and "依法监督纠正（监督纠正）" in whole and "核查完毕" in whole
    (settled,) = _clues("river_rubbish")
    assert (settled.state, settled.outcome) == ("settled", "corrected")
    assert settled.results["facts"] == [{"code": "places", "amount": 2, "proof": "整改照片第 1-4 号"}]
    with scope(offices=all_offices()):
        order = Order.objects.get()
    assert (order.received_by, order.ended, order.competent) == ("lin演示", "closed", "532301")
    assert above.failures == [] and desk.failures == []


#: why the 23 go to the competent department; they add up to 23
WHY = {"arbitration": 9, "paying": 6, "evidence": 4, "limitation": 2, "crime": 1, "group": 1}


def test_thirty_three_wage_clues_become_ten_suits_and_twenty_three_passed_on(database, chromium, address):
    agreements()
    lin = person("lin", office="532301")
    day = (TODAY - timedelta(days=150)).isoformat()
    with acting_as("worker"):
        others = citizen(900)
        land_rows("hr_labour_arbitration", [arbitration(others, 1, day)], covers=TODAY)
        land_rows("ct_trial_case", [suit([others], 1, day)], covers=TODAY)
        land_rows("hr_wage_arrears", [wage_clue(citizen(n), n, day, "9000", "立案") for n in range(33)])
        run_rule("wage_support_suit", at=NOW, as_of=TODAY, full=True)
    first, *rest = _clues("wage_support_suit")
    assert len(rest) == 32

    desk = Desk(chromium, address, lin)
    desk.go("/registers/support_suit")
    assert desk.text("#adds") == "33 = 尚未立轨办理 33"

    desk.go(f"/clues/{first.number}")
    desk.do("accept")
    desk.do("dispatch", office="532301")
    desk.do("receive")
    desk.do("conclude", finding="confirmed", note="欠薪属实，本人愿意起诉")
    desk.do("act", track="support_suit", note="民事诉讼法第十五条")
    desk.take_steps(
        ("contact", {}), ("rights", {}), ("application", {"note": "本人签名的申请书，登记第 1 号"})
    )
    desk.take_steps(("evidence", {"note": "考勤、工资单、转账记录"}))
    # Whether arbitration comes first is asked before anything goes to court, and the limitation begins to show.
    assert "须先作仲裁前置与时效审查" in desk.text(".steps-taken")
    ended = (timezone.localdate() - timedelta(days=160)).isoformat()
    desk.take_steps(("screening", {"happened_on": ended, "variant": "labour"}))
    assert "属劳动关系，须先有仲裁裁决或不予受理" in desk.text(".steps-taken")
    assert "时效期满" in desk.text(".clocks")
    desk.take_steps(
        ("arbitration", {}),
        ("award", {}),
        ("opinion", PAPER),
        ("suit_filed", {}),
        ("judged", {}),
        ("close", {}),
    )
    desk.do(
        "settle", outcome="corrected:supported_to_sue", note="判决支付", result_kind="wages", result_amount="9000",
        result_proof="判决书",
    )  # fmt: skip

    # The same ways for the others, as their handler enters them.
    _hand(rest, "lin")
    for clue in rest[:9]:
        act = {"clue_number": clue.number, "by": lin, "at": NOW}
        actions.act(**act, track="support_suit", note="民事诉讼法第十五条")
        for step in ("contact", "paid", "close"):
            actions.step(**act, step=step, happened_on=TODAY)
        actions.settle(
            **act,
            outcome="corrected",
            kind="supported_to_sue",
            note="已支付",
            results=[("wages", "9000", "收据")],
        )
    reasons = [why for why, times in WHY.items() for _ in range(times)]
    for clue, why in zip(rest[9:], reasons, strict=True):
        act = {"clue_number": clue.number, "by": lin, "at": NOW}
        actions.act(**act, track="support_suit", note="联系本人核实")
        actions.step(**act, step="contact", happened_on=TODAY)
        with pytest.raises(actions.Refused, match="请选择原因"):
            actions.step(**act, step="passed_on", happened_on=TODAY)
        actions.step(**act, step="passed_on", happened_on=TODAY, reason=why, note="附材料")
        actions.settle(**act, outcome="improved", kind="passed_on", note="转人社局")

    desk.go("/registers/support_suit")
    assert desk.text("#adds") == "33 = 转主管部门（写明理由） 23 + 结案 10"
    told = desk.text("[data-reasons=passed_on]")
    assert "应先申请劳动仲裁 9" in told and "已过时效 2" in told
    assert "支付劳动报酬 90,000.00 元" in desk.text(".figures")
    assert sum(WHY.values()) == 23 and desk.failures == []


def _hand(clues: list[Clue], handler: str) -> None:
    """The clues as after a check that confirmed them, in the hands of ``handler``."""
    Clue.objects.using("owner").filter(pk__in=[c.pk for c in clues]).update(
        state="confirmed", handler=handler, **decided("confirmed")
    )


def _landed(number: int, at: datetime) -> None:
    with connections["owner"].cursor() as cursor:
        cursor.execute("update ingestion_landing set landed_at = %s where number = %s", [at, number])


def test_a_gap_of_142_cases_closes_and_the_rate_rises_from_8_8_to_35_1(database, chromium, address):
    agreements()
    lin = person("lin")
    gap = [case_card(n, "10000", "0", "未处置") for n in range(142)]
    # 58 more cases with a loss, 20 of them with most of it recovered: 176,000 of 2,000,000.
    done = [case_card(200 + n, "10000", "8800" if n < 20 else "0", "已发还") for n in range(58)]
    month = timezone.make_aware(datetime.combine(timezone.localdate().replace(day=1), time.min))
    with acting_as("worker"):
        number, _counts, _result = land_rows("pr_case", gap + done)
        run_rule("recovery_not_pursued", at=NOW, as_of=TODAY, full=True)
    _landed(number, month - timedelta(days=3))
    first, *_rest = clues = _clues("recovery_not_pursued")
    assert len(clues) == 142

    desk = Desk(chromium, address, lin)
    desk.go("/registers/internal_guidance")
    assert desk.text("#adds") == "142 = 尚未立轨办理 142"
    assert "142.00 万元" in desk.text(".figures")
    assert "8.8%" in desk.text("#rate tbody tr:last-child")
    desk.go(f"/clues/{first.number}")
    desk.do("accept")
    desk.do("dispatch", office="532300", department="criminal")
    desk.do("receive")
    desk.do("conclude", finding="confirmed", note="查扣财物未处置")
    desk.do("act", track="internal_guidance", note="刑法第六十四条")
    desk.take_steps(("guide", {}))
    assert "反馈期限" in desk.text(".clocks")
    desk.take_steps(
        ("trace", {"note": "车辆一台"}), ("plea", {}), ("report", {"note": "已退赔"}), ("close", {})
    )
    desk.do(
        "settle", outcome="improved:management_gap", note="已退赔并发还", result_kind="recovered",
        result_amount="5260", result_proof="收据 1 号",
    )  # fmt: skip

    # Cards of 100 cases come again with what was recovered: 526,000 more.
    with acting_as("worker"):
        number, _counts, _result = land_rows(
            "pr_case", [row | {"recovered_cny": "5260"} for row in gap[:100]]
        )
        run_rule("recovery_not_pursued", at=NOW, as_of=TODAY, full=True)
    _landed(number, timezone.now())
    desk.go("/registers/internal_guidance")
    rows = [" ".join(t.split()) for t in desk.page.locator("#rate tbody tr").all_text_contents()]
    assert "8.8%" in rows[0] and "35.1%" in rows[-1], rows
    assert "200" in rows[-1] and "200.00 万元" in rows[-1]
    assert "督导终结 1" in desk.text("#adds") and "挽回损失 5,260.00 元" in desk.text(".figures")
    groups = [int(t.replace(",", "")) for t in desk.page.locator("#adds b").all_text_contents()]
    assert groups[0] == sum(groups[1:]), groups
    assert desk.failures == []
