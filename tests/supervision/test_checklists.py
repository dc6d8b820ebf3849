"""Checking lists: made, filled in, brought back, entered once and in part."""

from __future__ import annotations

import random
import secrets
from datetime import timedelta
from io import BytesIO
from pathlib import Path

import pytest
from django.test import Client
from openpyxl import load_workbook

from chuxiong.accounts.scope import all_offices, scope
from supervision.checklists import actions, reading
from supervision.checklists.sheet import COLUMNS
from supervision.clues import actions as clues
from supervision.clues.actions import Refused
from supervision.models import ChecklistRow, Clue, ClueEvent
from supervision.reference import REFERENCE
from supervision.selectors import ClueFilters
from tests.conftest import acting_as
from tests.prefecture import NOW, person

_COLUMN = {header: n for n, (header, _width) in enumerate(COLUMNS, 1)}


def _clues(count: int, *, office: str = "532301", state: str = "dispatched", handler: str = "") -> list[str]:
    with acting_as("owner"):
        last = Clue.objects.count()
        made = [
            Clue(
                number=f"XS-2026-{last + n:06d}", origin="manual", subject_kind="place", subject_ref=f"{office}:{n}",
                title=f"=示例事项 {n}", label="示例镇", level="ordinary", office=office, state=state, handler=handler,
                material={"text": f"第 {n} 处"}, raised_at=NOW,
            )
            for n in range(1, count + 1)
        ]  # fmt: skip
        Clue.objects.bulk_create(made)
    return [c.number for c in made]


def _fill(content: bytes, answers: dict[str, tuple[str, str, str]], path: Path) -> Path:
    """The workbook with (result, reason, note) written beside the clue numbers."""
    book = load_workbook(BytesIO(content))
    sheet = book.active
    assert sheet is not None
    for row in range(5, sheet.max_row + 1):
        number = sheet.cell(row, _COLUMN["线索号"]).value
        for header, value in zip(
            ("核查结果", "查否原因", "核查说明"), answers.get(str(number), ("", "", "")), strict=True
        ):
            sheet.cell(row, _COLUMN[header]).value = value
    book.save(path)
    return path


@pytest.fixture
def lin(database):
    return person("lin", office="532301", roles=("handler",))


def _states() -> dict[str, str]:
    with scope(offices=all_offices()):
        return dict(Clue.objects.values_list("number", "state"))


def test_what_was_drawn_is_what_is_entered_once(lin, tmp_path) -> None:
    seed = secrets.randbelow(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    numbers = _clues(80)
    assert sorted(actions.numbers_of(lin, ClueFilters())) == sorted(numbers)
    made = actions.make(by=lin, at=NOW, numbers=numbers)
    content = actions.workbook(by=lin, at=NOW, checklist=made)
    chosen = [
        ("查实", "", "现场属实"),
        ("查否", "已处理", "此前已清理"),
        ("存疑待补", "", "待补材料"),
        ("", "", ""),
    ]
    answers = {n: draw.choice(chosen) for n in numbers}
    back = actions.bring_back(
        by=lin,
        at=NOW,
        checklist=made,
        path=_fill(content, answers, tmp_path / "list.xlsx"),
        file_name="list.xlsx",
    )
    told = []
    while more := actions.apply(by=lin, at=NOW, back=back, most=30):
        assert len(more) <= 30 and {o.state for o in more} == {"done"}
        told += more
    wanted = {"查实": "confirmed", "查否": "unfounded", "存疑待补": "needs_data", "": "dispatched"}
    assert _states() == {n: wanted[result] for n, (result, _r, _n) in answers.items()}
    assert len(told) == sum(bool(result) for result, _r, _n in answers.values())
    found = reading.one(lin, made.pk)
    assert found is not None and found.entered == len(told) and found.back is None
    with scope(offices=all_offices()):
        events = ClueEvent.objects.filter(kind="conclude").count()
    again = actions.bring_back(
        by=lin, at=NOW, checklist=made, path=tmp_path / "list.xlsx", file_name="list.xlsx"
    )
    assert actions.apply(by=lin, at=NOW, back=again, most=1000) == []
    with scope(offices=all_offices()):
        assert ClueEvent.objects.filter(kind="conclude").count() == events, "nothing is entered twice"


def test_each_wrong_or_stale_line_is_named_and_the_others_go_through(lin, tmp_path) -> None:
    good, stale, reasonless, odd, noteless, stranger = _clues(6)
    made = actions.make(by=lin, at=NOW, numbers=[good, stale, reasonless, odd, noteless])
    content = actions.workbook(by=lin, at=NOW, checklist=made)
    clues.receive(clue_number=stale, by=lin, at=NOW)
    path = _fill(
        content,
        {
            good: ("查实", "", "属实"), stale: ("查实", "", "属实"), reasonless: ("查否", "", "不实"),
            odd: ("大概属实", "", "x"), noteless: ("查实", "", ""),
        },
        tmp_path / "list.xlsx",
    )  # fmt: skip
    book = load_workbook(path)
    sheet = book.active
    assert sheet is not None
    for number in (stranger, good):
        row = sheet.max_row + 1
        sheet.cell(row, _COLUMN["线索号"]).value = number
        sheet.cell(row, _COLUMN["核查结果"]).value = "查实"
        sheet.cell(row, _COLUMN["核查说明"]).value = "加的行"
    book.save(path)
    back = actions.bring_back(by=lin, at=NOW, checklist=made, path=path, file_name="list.xlsx")
    said = {o.answer.row_no: (o.state, o.zh) for o in actions.outlook(by=lin, back=back)}
    assert {row: state for row, (state, _zh) in said.items()} == {
        5: "ready", 6: "stale", 7: "wrong", 8: "wrong", 9: "wrong", 10: "wrong", 11: "wrong",
    }  # fmt: skip
    for row, words in (
        (6, "已有变动"),
        (7, "查否须选择原因"),
        (8, "大概属实"),
        (9, "缺核查说明"),
        (10, "不在这份清单中"),
        (11, "第 5 行"),
    ):
        assert words in said[row][1], row
    assert [o.answer.number for o in actions.apply(by=lin, at=NOW, back=back, most=50)] == [good]
    states = _states()
    assert (states[good], states[stale], states[stranger]) == ("confirmed", "checking", "dispatched")


def test_what_changes_between_preview_and_entry_is_left(lin, tmp_path) -> None:
    (number,) = _clues(1)
    made = actions.make(by=lin, at=NOW, numbers=[number])
    content = actions.workbook(by=lin, at=NOW, checklist=made)
    path = _fill(content, {number: ("查实", "", "属实")}, tmp_path / "l.xlsx")
    back = actions.bring_back(by=lin, at=NOW, checklist=made, path=path, file_name="l.xlsx")
    (ready,) = actions.outlook(by=lin, back=back)
    clues.receive(clue_number=number, by=lin, at=NOW)
    assert actions._apply(ready, back, lin, NOW).state == "stale"
    with scope(offices=all_offices()):
        assert ChecklistRow.objects.get().applied_at is None


def test_the_sheet_holds_no_formula_no_name_of_others_and_only_what_one_may_check(lin) -> None:
    own, others = _clues(2), _clues(1, office="532302")
    closed = _clues(1, state="raised")
    made = actions.make(by=lin, at=NOW, numbers=[*own, *others, *closed])
    content = actions.workbook(by=lin, at=NOW, checklist=made)
    sheet = load_workbook(BytesIO(content)).active
    assert sheet is not None
    cells = [str(c.value) for row in sheet.iter_rows() for c in row if c.value is not None]
    assert sum(n in cells for n in own) == 2 and not any(n in cells for n in [*others, *closed])
    assert not [c for c in cells if c.startswith(("=", "+", "@"))]
    assert "线索材料 仅供核查" in cells[0]


def test_a_file_that_is_no_list_is_refused_in_words(lin, tmp_path) -> None:
    (number,) = _clues(1)
    made = actions.make(by=lin, at=NOW, numbers=[number])
    (tmp_path / "a.csv").write_text("甲,乙\n1,2\n", encoding="utf-8")
    with pytest.raises(Refused, match="缺少列"):
        actions.bring_back(by=lin, at=NOW, checklist=made, path=tmp_path / "a.csv", file_name="a.csv")
    (tmp_path / "b.xlsx").write_bytes(b"PK not a workbook")
    with pytest.raises(Refused):
        actions.bring_back(by=lin, at=NOW, checklist=made, path=tmp_path / "b.xlsx", file_name="b.xlsx")
    assert _states()[number] == "dispatched"


def test_nobody_enters_anothers_clue_through_a_list(lin, tmp_path) -> None:
    (number,) = _clues(1)
    made = actions.make(by=lin, at=NOW, numbers=[number])
    content = actions.workbook(by=lin, at=NOW, checklist=made)
    path = _fill(content, {number: ("查实", "", "属实")}, tmp_path / "l.xlsx")
    back = actions.bring_back(by=lin, at=NOW, checklist=made, path=path, file_name="l.xlsx")
    he = person("he", office="532302", roles=("handler",))
    assert reading.one(he, made.pk) is None
    assert all(o.state == "wrong" for o in actions.outlook(by=he, back=back))
    with pytest.raises(Refused, match="角色"):
        actions.make(
            by=person("an", office="532301", roles=("analyst",)), at=NOW + timedelta(1), numbers=[number]
        )


def test_five_hundred_clues_go_out_and_come_back_through_the_pages(lin, tmp_path) -> None:
    """As a person does it: the list of all that waits, its file, filled in, looked at, entered bit by bit."""
    numbers = _clues(500)
    desk = Client()
    desk.force_login(lin)
    assert "500" in desk.get("/checklists/new").content.decode()
    made = desk.post("/checklists/new")
    assert made.status_code == 302, made.content
    page = made["Location"]
    file = desk.get(f"{page}/file")
    assert file["Content-Type"].endswith("spreadsheetml.sheet")
    results = [("查实", "", "现场属实"), ("查否", "已处理", "此前已清理"), ("存疑待补", "", "待补材料")]
    answers = {number: results[n % 3] for n, number in enumerate(numbers)}
    filled = _fill(file.content, answers, tmp_path / "back.xlsx")
    with filled.open("rb") as content:
        assert desk.post(f"{page}/return", {"file": content}).status_code == 302
    assert set(_states().values()) == {"dispatched"}, "looked at, not yet entered"
    assert "500" in desk.get(page).content.decode()
    rounds = 0
    while desk.post(f"{page}/apply", headers={"X-Fragment": "1"}).status_code == 200:
        rounds += 1
        assert rounds <= 500 // REFERENCE.checklist.at_once.value + 1
    wanted = {"查实": "confirmed", "查否": "unfounded", "存疑待补": "needs_data"}
    assert _states() == {number: wanted[result] for number, (result, _r, _n) in answers.items()}
    with filled.open("rb") as content:
        assert desk.post(f"{page}/return", {"file": content}).status_code == 302
    desk.post(f"{page}/apply")
    with scope(offices=all_offices()):
        assert ClueEvent.objects.filter(kind="conclude").count() == 500
