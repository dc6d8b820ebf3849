"""Ledger and daily report: no formulas, columns kept per person, counts that add up, nothing from elsewhere."""

from __future__ import annotations

import io
import random
import secrets
from datetime import timedelta

import pytest
from django.test import Client, override_settings
from django.utils import timezone
from openpyxl import load_workbook

from supervision.clues import actions
from supervision.clues.actions import Refused
from supervision.documents import daily, filling, layout, ledger
from supervision.models import Clue, LedgerChoice
from tests.conftest import acting_as
from tests.prefecture import person

_TRICKS = ["=1+1", "+1", "-1", "@SUM(A1)", "＝1", "\t=1", "示例", "=HYPERLINK(1)"]


@pytest.fixture(autouse=True)
def _quick():  # type: ignore[no-untyped-def]
    with override_settings(PASSWORD_HASHERS=["tests.accounts.conftest.QuickHasher"]):
        yield


@pytest.fixture
def lin(database):
    return person("lin", office="532301", roles=("head",))


def _clues(count: int, draw: random.Random, *, office: str = "532301", first: int = 1) -> list[Clue]:
    now = timezone.now()
    with acting_as("owner"):
        made = [
            Clue(
                number=f"XS-2026-{n:06d}", origin="manual", subject_kind="place", subject_ref=f"{office}:{n}",
                title=f"{draw.choice(_TRICKS)}{n}", label="", township=draw.choice(_TRICKS)[:40],
                level=draw.choice(["urgent", "important", "ordinary"]), office=office, state="dispatched",
                material={"text": "x"}, raised_at=now - timedelta(days=draw.randint(0, 3)), responsible_zh=draw.choice(_TRICKS),
                exercise=draw.random() < 0.2,
            )
            for n in range(first, first + count)
        ]  # fmt: skip
        Clue.objects.bulk_create(made)
    return made


def _asked() -> ledger.Asked:
    today = timezone.localdate()
    return ledger.Asked(today - timedelta(days=10), today)


def test_the_ledger_holds_no_formula_and_says_check_only(lin) -> None:
    seed = secrets.randbelow(2**32)
    print("seed", seed)
    made = _clues(60, random.Random(seed))
    _clues(5, random.Random(seed), office="532302", first=900)
    book = load_workbook(
        io.BytesIO(ledger.workbook(by=lin, at=timezone.now(), asked=_asked(), columns=ledger.COLUMNS))
    )
    sheet = book.active
    assert sheet is not None
    cells = [c for row in sheet.iter_rows() for c in row if c.value is not None]
    assert {c.data_type for c in cells} == {"s"}
    assert not [c.value for c in cells if str(c.value).lstrip()[:1] in "=+-@＝" and str(c.value).strip()]
    assert sheet.oddHeader.center.text == layout.CHECK_ONLY and layout.CHECK_ONLY in str(sheet["A1"].value)
    numbers = [sheet.cell(row, 1).value for row in range(4, sheet.max_row + 1)]
    assert numbers == sorted(c.number for c in made), "those of the office, each once"
    assert f"共 {len(made)} 条" in str(sheet["A2"].value)
    assert ledger.count(lin, _asked()) == len(made)


def test_columns_are_kept_for_each_person(lin) -> None:
    other = person("he", office="532301")
    assert [c.code for c in ledger.chosen(lin)] == [c.code for c in ledger.COLUMNS if c.usual]
    ledger.choose(by=lin, at=timezone.now(), codes=["title", "number"])
    assert [c.code for c in ledger.chosen(lin)] == ["title", "number"]
    ledger.choose(by=lin, at=timezone.now(), codes=["number", "state"])
    assert [c.code for c in ledger.chosen(lin)] == ["number", "state"]
    assert [c.code for c in ledger.chosen(other)] == [c.code for c in ledger.COLUMNS if c.usual]
    for codes in ([], ["number", "password"]):
        with pytest.raises(Refused, match="至少选择一列"):
            ledger.choose(by=lin, at=timezone.now(), codes=codes)
    assert LedgerChoice.objects.using("owner").count() == 1


def test_columns_are_moved_one_place_by_buttons(lin) -> None:
    assert ledger.moved(["a", "b", "c"], "b", -1) == ["b", "a", "c"]
    assert ledger.moved(["a", "b", "c"], "a", -1) == ledger.moved(["a", "b", "c"], "x", 1) == ["a", "b", "c"]
    assert ledger.moved(["a", "b", "c"], "c", 1) == ["a", "b", "c"]
    desk = Client()
    desk.force_login(lin)
    ledger.choose(by=lin, at=timezone.now(), codes=["number", "title", "state"])
    assert desk.post("/reports", {"column": ["number", "title", "state"], "up": "state"}).status_code == 302
    assert [c.code for c in ledger.chosen(lin)] == ["number", "state", "title"]
    page = desk.get("/reports").content.decode()
    places = [page.index(f'name="column" value="{code}"') for code in ("number", "state", "title", "level")]
    assert places == sorted(places), "chosen ones first, in their order"
    assert (
        desk.post("/reports", {"column": ["number", "state", "title"], "down": "number"}).status_code == 302
    )
    assert [c.code for c in ledger.chosen(lin)] == ["state", "number", "title"]


def test_a_ledger_too_long_or_empty_says_so(lin, monkeypatch) -> None:
    with pytest.raises(Refused, match="没有线索"):
        ledger.workbook(by=lin, at=timezone.now(), asked=_asked(), columns=ledger.COLUMNS)
    _clues(4, random.Random(1))
    bound = ledger.REFERENCE.ledger.clues_most
    monkeypatch.setattr(bound, "__dict__", bound.__dict__ | {"value": 3})
    with pytest.raises(Refused, match="超过 3 条"):
        ledger.workbook(by=lin, at=timezone.now(), asked=_asked(), columns=ledger.COLUMNS)


def test_the_days_figures_are_those_of_the_records(lin) -> None:
    seed = secrets.randbelow(2**32)
    print("seed", seed)
    made = _clues(20, random.Random(seed))
    _clues(7, random.Random(seed), office="532302", first=900)
    now, today = timezone.now(), timezone.localdate()
    counted = [c for c in made if not c.exercise]
    for n, clue in enumerate(made[:6]):
        act = {"clue_number": clue.number, "by": lin, "at": now}
        actions.receive(**act)
        if n < 4:
            finding = "confirmed" if n < 2 else "unfounded"
            actions.conclude(**act, finding=finding, note="示例", reasons=["handled"] if n >= 2 else [])
    found = daily.day_of(lin, today)
    raised = [c for c in counted if timezone.localdate(c.raised_at) == today]
    assert (found.raised, found.urgent) == (len(raised), sum(c.level == "urgent" for c in raised))
    checked = [not c.exercise for c in made[:4]]
    assert found.received == sum(not c.exercise for c in made[:6])
    assert (found.confirmed, found.unfounded, found.checked) == (
        sum(checked[:2]),
        sum(checked[2:]),
        sum(checked),
    )
    assert sum(o.raised for o in found.offices) == found.raised and all(
        o.zh == "楚雄市" for o in found.offices
    )
    content = daily.report(lin, today, at=now, form="docx")
    words = "\n".join(filling.texts(content))
    assert (
        layout.CHECK_ONLY in words
        and "{{" not in words.replace("{{院名}}", "")
        and filling.blanks_of(content) == []
    )
    with pytest.raises(Refused, match="不能晚于今天"):
        daily.report(lin, today + timedelta(days=1), at=now, form="docx")


def test_the_page_exports_and_keeps_columns(lin) -> None:
    desk = Client()
    desk.force_login(lin)
    _clues(3, random.Random(2))
    page = desk.get("/reports").content.decode()
    assert "共 3 条" in page and " style=" not in page
    assert desk.post("/reports?since=", {"column": ["number", "title"]}).status_code == 302
    taken = desk.get("/reports/ledger", {"state": ["dispatched", "nothing"], "office": "532302"})
    assert taken.status_code == 200 and "no-store" in taken["Cache-Control"]
    sheet = load_workbook(io.BytesIO(taken.content)).active
    assert sheet is not None and [c.value for c in sheet[3]] == ["线索号", "事项"]
    assert desk.get("/reports/ledger", {"since": "2026-02-31"}).status_code == 409
    assert desk.get("/reports/ledger", {"since": "2026-02-02", "until": "2026-01-01"}).status_code == 409
    assert desk.get("/reports/daily/docx").status_code == 200
    assert desk.get("/reports/daily/exe").status_code == 404
    assert desk.get("/reports/daily/docx", {"day": "2999-01-01"}).status_code == 409
