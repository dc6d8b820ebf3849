"""Numbers leave in one audited act: asked by the handler, approved by a second person, opened once."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import InternalError, ProgrammingError, connections, transaction
from django.test import Client, override_settings
from django.utils import timezone
from openpyxl import load_workbook

from chuxiong.accounts.scope import person_scope
from ingestion.models import Agreement
from supervision.clues.actions import Refused
from supervision.disclosures import actions, reading
from supervision.matching.run import run_rule
from supervision.models import Clue, Disclosure
from supervision.reference import REFERENCE
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, cremation, death, land_rows, payment, person
from tests.supervision.test_unmasking import NUMBER, _take


@pytest.fixture(autouse=True)
def _quick() -> Iterator[None]:
    with override_settings(PASSWORD_HASHERS=["tests.accounts.conftest.QuickHasher"]):
        yield


@pytest.fixture
def clue(database) -> str:
    """A clue of the model on pensions after death, its rows landed without a file."""
    agreements()
    land_rows("ps_population_death", [death(NUMBER, "2026-01-15")])
    land_rows("ca_funeral", [cremation(NUMBER, "2026-01-15", 1)])
    land_rows("hr_pension_payment", [payment(NUMBER, f"20260{m}", "1500") for m in range(4, 8)])
    with acting_as("worker"):
        run_rule("pension_after_death", at=NOW, as_of=NOW.date(), full=True)
    return str(Clue.objects.using("owner").values_list("number", flat=True).get())


def _lets_go() -> None:
    Agreement.objects.using("owner").update(may_be_fed_back=True)


def _ask(by, number: str, **more: str) -> Disclosure:  # type: ignore[no-untyped-def]
    given = {"basis": "楚检公调〔2026〕12号", "addressee": "州人社局", "reason": "核对发放账户"} | more
    return actions.ask(by=by, at=timezone.now(), clues=[number], **given)


def _approve(by, made: Disclosure) -> Disclosure:  # type: ignore[no-untyped-def]
    return actions.decide(by=by, at=timezone.now(), pk=made.pk, approve=True)


def _open(by, made: Disclosure) -> actions.Opened:  # type: ignore[no-untyped-def]
    return actions.open_once(by=by, at=timezone.now(), pk=made.pk)


@pytest.fixture
def people(clue):
    handler, head = person("a", office="532301"), person("h", office="532301", roles=("head",))
    _take(clue, handler)
    _lets_go()
    return handler, head


def _audited() -> list[tuple[str, str]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select action, detail from audit_auditevent where object_kind = 'disclosure' order by id"
        )
        return list(cursor.fetchall())


def test_numbers_leave_once_after_a_second_person_said_so(clue, people):
    handler, head = people
    made = _ask(handler, clue)
    with pytest.raises(Refused, match="尚未批准"):
        _open(handler, made)
    _approve(head, made)
    opened = _open(handler, made)
    assert NUMBER in {line.number for line in opened.lines} and opened.unconfirmed
    assert {line.name for line in opened.lines} == {"赵样本"}
    with pytest.raises(Refused, match="重新申请"):
        _open(handler, made)
    found = reading.disclosure_detail(handler, made.pk, at=timezone.now())
    assert found is not None and found.numbers == len(opened.lines) and len(found.digest) == 64
    actions_, details = zip(*_audited(), strict=True)
    assert actions_ == ("disclosure.ask", "disclosure.approve", "identifier.disclose")
    assert clue in details[2] and all(NUMBER not in detail for detail in details)


def test_who_may_ask_and_who_may_decide(clue, people):
    handler, head = people
    other, aide = person("b", office="532301"), person("c", office="532301", roles=("handler",))
    sibling = person("s", office="532302", roles=("head",))
    with pytest.raises(Refused, match="不由您承办"):
        _ask(other, clue)
    with pytest.raises(Refused, match="安全管理员"):
        _ask(aide, clue)
    with pytest.raises(Refused, match="没有线索"):
        _ask(sibling, clue)
    with pytest.raises(Refused, match="依据"):
        _ask(handler, clue, basis=" ")
    made = _ask(head, clue)
    with pytest.raises(Refused, match="另一位负责人"):
        _approve(head, made)
    with pytest.raises(Refused, match="角色"):
        _approve(other, made)
    with pytest.raises(Refused, match="不在您的范围内"):
        _approve(sibling, made)
    second = person("l", office="532301", roles=("office_head",))
    with pytest.raises(Refused, match="理由"):
        actions.decide(by=second, at=timezone.now(), pk=made.pk, approve=False)
    refused = actions.decide(by=second, at=timezone.now(), pk=made.pk, approve=False, note="可以当面核对")
    assert refused.state == "refused"
    with pytest.raises(Refused, match="不再审批"):
        _approve(second, made)


def test_a_clue_not_yet_checked_gives_no_numbers(clue):
    handler = person("a", office="532301")
    with pytest.raises(Refused, match="不在核查"):
        _ask(handler, clue)


def test_an_approval_expires_and_a_day_has_its_quota(clue, people, monkeypatch):
    handler, head = people
    made = _approve(head, _ask(handler, clue))
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "update supervision_disclosure set expires_at = now() - interval '1 minute' where id = %s",
            [made.pk],
        )
    with pytest.raises(Refused, match="已过期"):
        _open(handler, made)
    later = reading.disclosure_detail(handler, made.pk, at=timezone.now())
    assert later is not None and later.row.state == "expired" and not later.may_open
    bounds = REFERENCE.disclosure.open_per_day
    monkeypatch.setattr(bounds, "__dict__", bounds.__dict__ | {"value": 1})
    _open(handler, _approve(head, _ask(handler, clue)))
    with pytest.raises(Refused, match="一天内最多打开 1 份"):
        _open(handler, _approve(head, _ask(handler, clue)))


def test_what_an_agreement_keeps_inside_stays_inside_but_goes_back_to_its_own_agency(clue, people):
    handler, head = people
    Agreement.objects.using("owner").update(may_be_fed_back=False)
    elsewhere = _open(handler, _approve(head, _ask(handler, clue)))
    assert elsewhere.lines == [] and len(elsewhere.kept_inside) == 3
    back = _open(handler, _approve(head, _ask(handler, clue, agency="hr_bureau")))
    assert back.lines and len({line.source_zh for line in back.lines}) == 1 and len(back.kept_inside) == 2


def test_with_sql_in_hand_nothing_opens_out_of_turn(clue, people):
    handler, head = people
    made = _ask(handler, clue)
    with person_scope(handler):
        for change in (
            {"state": "approved", "decided_by": "a"},
            {
                "state": "approved",
                "decided_by": "h",
                "decided_at": timezone.now(),
                "expires_at": timezone.now(),
            },
            {"state": "opened"},
            {"addressee": "别的单位"},
        ):
            with pytest.raises((ProgrammingError, InternalError)), transaction.atomic():
                Disclosure.objects.filter(pk=made.pk).update(**change)
    _approve(head, made)
    with person_scope(handler), connections["default"].cursor() as cursor:
        # Without its audit row, and without opening, there is nothing.
        for prepare in ("select 1", "update supervision_disclosure set state = 'opened'"):
            with pytest.raises((ProgrammingError, InternalError)), transaction.atomic():
                cursor.execute(prepare)
                cursor.execute("select * from supervision_disclosed(%s)", [made.pk])
    opened = _open(handler, made)
    assert opened.lines
    with person_scope(handler), connections["default"].cursor() as cursor:
        with pytest.raises((ProgrammingError, InternalError)), transaction.atomic():
            cursor.execute("select * from supervision_disclosed(%s)", [made.pk])
        with pytest.raises(ProgrammingError), transaction.atomic():
            cursor.execute("select * from supervision_refs('[]')")


def test_if_the_trace_cannot_be_written_nothing_leaves(clue, people):
    handler, head = people
    made = _approve(head, _ask(handler, clue))
    with connections["owner"].cursor() as cursor:
        cursor.execute("alter table audit_auditevent rename to audit_elsewhere")
        try:
            with pytest.raises(Exception, match=r"audit"):
                _open(handler, made)
        finally:
            cursor.execute("alter table audit_elsewhere rename to audit_auditevent")
    assert Disclosure.objects.using("owner").get(pk=made.pk).state == "approved"


def _client(who) -> Client:  # type: ignore[no-untyped-def]
    client = Client()
    client.force_login(who)
    return client


def test_the_pages_lead_from_the_clue_to_a_sheet_without_formulas(clue, people):
    handler, head = people
    desk, chief = _client(handler), _client(head)
    assert "还没有申请" in desk.get("/disclosures").content.decode()
    assert f"/disclosures/new?clue={clue}" in desk.get(f"/clues/{clue}").content.decode()
    form = {"clues": clue, "agency": "hr_bureau", "basis": "=SUM(1)", "reason": "核对"}
    wrong = desk.post("/disclosures/new", form | {"reason": ""})
    assert wrong.status_code == 409 and "=SUM(1)" in wrong.content.decode()
    made = desk.post("/disclosures/new", form)
    path = made["Location"]
    assert chief.get("/disclosures").content.decode().count(f'href="{path}"') == 2
    assert chief.post(f"{path}/approve").status_code == 302
    asked = desk.post(f"{path}/open", {"as": "xlsx"})
    assert asked.status_code == 200 and "再次打开须重新申请" in asked.content.decode()
    answer = desk.post(f"{path}/open", {"as": "xlsx", "confirmed": "yes"})
    assert "no-store" in answer["Cache-Control"]
    sheet = load_workbook(io.BytesIO(answer.getvalue())).active
    cells = [cell for row in sheet.iter_rows() for cell in row if cell.value is not None]
    assert {cell.data_type for cell in cells} == {"s"}
    texts = [cell.value for cell in cells]
    assert texts[0] == "线索材料 仅供核查" and NUMBER in texts
    assert not [text for text in texts if text.startswith("=")] and "依据 =SUM(1)" in texts
    assert "a演示" in sheet.oddHeader.center.text
    assert desk.post(f"{path}/open", {"as": "page", "confirmed": "yes"}).status_code == 409
    again = desk.post("/disclosures/new", form)["Location"]
    chief.post(f"{again}/approve")
    shown = desk.post(f"{again}/open", {"as": "page", "confirmed": "yes"})
    assert NUMBER in shown.content.decode() and "仅供核查" in shown.content.decode()
    assert NUMBER not in desk.get(again).content.decode()
    assert desk.post(f"{again}/withdraw").status_code == 409
    desk.cookies["django_language"] = "en"
    for page, words in (
        ("/disclosures", "My requests"), (path, "Clues concerned"), ("/disclosures/new", "Send for approval"),
    ):  # fmt: skip
        text = desk.get(page).content.decode()
        assert words in text and "Disclosures</span>" in text, page


def test_an_old_approval_of_a_clue_now_out_of_sight_opens_nothing(clue, people):
    handler, head = people
    made = _approve(head, _ask(handler, clue))
    with connections["owner"].cursor() as cursor:
        cursor.execute("update supervision_clue set recused = '{a}'")
    with pytest.raises(Refused, match="不能查看"):
        _open(handler, made)
    assert actions.withdraw(by=handler, at=timezone.now(), pk=made.pk).state == "withdrawn"
    assert timezone.now() - made.asked_at < timedelta(minutes=5)
