"""Deliveries that wait for a person, and whole lists that end what they no longer hold."""

from __future__ import annotations

import csv
import io
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from django.conf import settings
from django.db import ProgrammingError, connection, connections, transaction

from chuxiong.accounts.scope import person_scope
from chuxiong.work.jobs import work_off
from ingestion.catalog.cadence import next_end
from ingestion.catalog.load import CatalogError, load_catalog
from ingestion.intake.holding import LET_IN, REJECT, NotHeld, ask, decide, overtaken
from ingestion.intake.take_in import take_in
from ingestion.models import Batch, FeedIssue
from ingestion.selectors import catalog, freshness
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, bring, citizen, person, sheet

FEED = "ed_school_staff"


def teacher(number: str, school: str = "示例小学", division: str = "532301", **more: str) -> dict[str, str]:
    row = {
        "person_name": "赵样本",
        "citizen_id": number,
        "org_name": school,
        "is_on_roll": "是",
        "division_code": division,
    }
    return row | {"hire_date": "2020-09-01"} | more


def listed(*rows: dict[str, str], name: str, whole: bool = True) -> Batch:
    return bring(FEED, sheet(FEED, list(rows)), name=name, snapshot=whole)


def in_force() -> set[str]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"select org_name from pool.{FEED} where to_landing is null")
        return {name for (name,) in cursor.fetchall()}


def touched(landing: int) -> set[str]:
    with connections["owner"].cursor() as cursor:
        cursor.execute("select ref from ingestion_touch where landing = %s and kind = 'person'", [landing])
        return {ref for (ref,) in cursor.fetchall()}


def ref_of(school: str) -> str:
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"select distinct citizen_id::text from pool.{FEED} where org_name = %s", [school])
        (found,) = cursor.fetchall()
        return found[0]


def schools(count: int, division: str = "532301", start: int = 0) -> list[dict[str, str]]:
    return [teacher(citizen(start + n), f"示例{start + n}小学", division) for n in range(count)]


# ---- whole lists -----------------------------------------------------------------------------


def test_a_whole_list_ends_what_it_no_longer_holds_and_touches_nobody_else(database: None) -> None:
    agreements()
    rows = schools(10)
    listed(*rows, name="one.csv")
    second = listed(*rows[1:9], rows[9] | {"is_on_roll": "否"}, name="two.csv")
    assert (second.state, second.removed, second.loaded, second.unchanged) == ("landed", 1, 1, 8), (
        second.problem
    )
    assert in_force() == {f"示例{n}小学" for n in range(1, 10)}
    assert touched(second.landing) == {ref_of("示例0小学"), ref_of("示例9小学")}
    # What has ended does not end twice, and comes back when the list holds it again.
    third = listed(*reversed(rows), name="three.csv")
    assert (third.removed, third.loaded, third.unchanged) == (0, 2, 8)
    assert len(in_force()) == 10


def test_an_addition_ends_nothing_and_the_load_mode_is_the_default(database: None) -> None:
    from ingestion.intake.receive import receive

    agreements()
    rows = schools(10)
    listed(*rows, name="one.csv")
    addition = listed(teacher(citizen(50), "新增小学"), name="more.csv", whole=False)
    assert (addition.removed, len(in_force())) == (0, 11)
    batch, _ = receive(sheet(FEED, rows), feed=catalog()[FEED], file_name="all.csv", by="测试", at=NOW)
    assert batch.snapshot
    # The same bytes again are answered with the first batch; a changed list is taken in as whole.
    other, _ = receive(
        sheet("ca_funeral", []), feed=catalog()["ca_funeral"], file_name="a.csv", by="测试", at=NOW
    )
    assert not other.snapshot


def test_a_countys_list_speaks_of_its_county_only(database: None) -> None:
    agreements()
    listed(*schools(5), name="city.csv")
    other = listed(*schools(5, "532302", 20), name="lufeng.csv")
    assert (other.removed, len(in_force())) == (0, 10)
    shorter = listed(*schools(4, "532302", 20), name="lufeng2.csv")
    assert (shorter.removed, len(in_force())) == (1, 9)


def test_a_list_cut_short_is_held_whole_until_somebody_decides(database: None) -> None:
    agreements()
    rows = schools(10)
    first = listed(*rows, name="one.csv")
    short = listed(*rows[:4], name="short.csv")
    assert short.state == "held" and "少 6 条" in short.problem["what"] and short.problem["cure"]
    assert len(in_force()) == 10 and touched(first.landing) and short.landing is None
    with pytest.raises(NotHeld, match="理由"):
        decide(short.pk, LET_IN, by="吴演示", reason="  ")
    released = decide(short.pk, LET_IN, by="吴演示", reason="已与教育体育局核实：六所学校撤并")
    landed = take_in(short.pk, catalog()[FEED], fence=released.fence + 1, at=NOW)
    assert (landed.state, landed.removed, len(in_force())) == ("landed", 6, 4)
    assert landed.layout["decision"]["by"] == "吴演示"
    with pytest.raises(NotHeld, match="已入库"):
        decide(short.pk, REJECT, by="吴演示", reason="晚了")


def test_a_list_that_a_later_one_has_overtaken_is_not_let_in(database: None) -> None:
    agreements()
    rows = schools(10)
    listed(*rows, name="one.csv")
    short = listed(*rows[:4], name="short.csv")
    listed(*rows[:9], teacher(citizen(60), "新增小学"), name="mended.csv")
    feed = catalog()[FEED]
    whole = feed.snapshot_scope == "feed"
    assert overtaken(short, feed) == whole and not overtaken(
        short, feed.model_copy(update={"snapshot_scope": "county"})
    )
    everywhere = feed.model_copy(update={"snapshot_scope": "feed"})
    assert overtaken(short, everywhere)
    assert not overtaken(listed(*rows[:2], name="shorter.csv"), everywhere), "nothing came after it"
    catalog()[FEED] = everywhere
    try:
        with pytest.raises(NotHeld, match="更新的全量清单"):
            decide(short.pk, LET_IN, by="吴演示", reason="核实过")
        assert decide(short.pk, REJECT, by="吴演示", reason="已另报").state == "refused"
    finally:
        catalog()[FEED] = feed
    assert "新增小学" in in_force()


def test_a_row_in_quarantine_is_still_in_the_list(database: None) -> None:
    agreements()
    rows = schools(10)
    listed(*rows, name="one.csv")
    # The date of the first cannot be read: the key can, so the record stays. The second has left.
    spoilt = listed(rows[0] | {"hire_date": "去年"}, *rows[2:], name="two.csv")
    assert (spoilt.quarantined, spoilt.removed) == (1, 1), spoilt.problem
    assert in_force() == {f"示例{n}小学" for n in (0, *range(2, 10))}


def test_nothing_ends_when_a_key_cannot_be_read(database: None) -> None:
    agreements()
    rows = schools(10)
    listed(*rows, name="one.csv")
    unreadable = listed(rows[0] | {"citizen_id": "5.32301E+17"}, *rows[2:], name="two.csv")
    assert (unreadable.quarantined, unreadable.removed, len(in_force())) == (1, 0, 10)
    issue = FeedIssue.objects.using("intake").get(kind="snapshot_unreadable")
    assert "2 条" in issue.text and issue.open


def test_a_live_whole_list_must_say_what_it_keeps(tmp_path: Path) -> None:
    folder = tmp_path / "ed"
    folder.mkdir()
    whole = (settings.FEEDS_DIR / "ed" / "ed_school_staff.yaml").read_text(encoding="utf-8")
    assert ", kept: 0.7" in whole
    (folder / "ed_school_staff.yaml").write_text(whole.replace(", kept: 0.7", ""), encoding="utf-8")
    with pytest.raises(CatalogError, match="kept"):
        load_catalog(tmp_path)


# ---- layouts ---------------------------------------------------------------------------------


def without(source: io.BytesIO, header: str, instead: str) -> io.BytesIO:
    return io.BytesIO(source.getvalue().decode("gb18030").replace(header, instead).encode("gb18030"))


def test_d29_a_layout_that_drifted_is_held_and_once_let_in_it_is_usual(database: None) -> None:
    agreements()
    rows = schools(3)
    bring(FEED, sheet(FEED, rows), name="one.csv")
    renamed = bring(FEED, without(sheet(FEED, rows), "岗位类别", "工种"), name="renamed.csv")
    assert renamed.state == "held", renamed.problem
    assert "岗位类别" in renamed.problem["what"] and "工种" in renamed.problem["what"]
    assert not Batch.objects.using("intake").get(pk=renamed.pk).landing
    ask(renamed.pk, LET_IN, by=person("custodian", roles=("custodian",)), reason="新学期起改用新表样")
    with acting_as("worker"):
        work_off(kinds=["held_batch", "take_in"])
    assert Batch.objects.using("intake").get(pk=renamed.pk).state == "landed"
    again = bring(FEED, without(sheet(FEED, rows[:2]), "岗位类别", "工种"), name="again.csv")
    assert again.state == "landed", again.problem


def test_d29_a_held_batch_can_be_sent_back_and_nothing_of_it_stays(database: None) -> None:
    agreements()
    rows = schools(3)
    bring(FEED, sheet(FEED, rows), name="one.csv")
    renamed = bring(FEED, without(sheet(FEED, rows), "岗位类别", "工种"), name="renamed.csv")
    rejected = decide(renamed.pk, REJECT, by="吴演示", reason="导错了表，请重新报送", office="532300")
    assert rejected.state == "refused" and "导错了表" in rejected.problem["what"]
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select count(*) from audit_auditevent where action = 'batch.reject' and actor = '吴演示'"
        )
        assert cursor.fetchone()[0] == 1
    # Rejected bytes may come again.
    again = bring(FEED, without(sheet(FEED, rows), "岗位类别", "工种"), name="renamed.csv")
    assert (again.state, again.pk == renamed.pk) == ("held", False)


# ---- lateness --------------------------------------------------------------------------------


def test_a_workbook_that_goes_on_on_another_sheet_is_held_until_somebody_decides(database: None) -> None:
    agreements()
    rows = list(csv.reader(io.StringIO(sheet(FEED, schools(3)).getvalue().decode("gb18030"))))
    book = openpyxl.Workbook()
    for title, lines in {
        "表一": rows[:3],
        "续": rows[3:],
        "填报说明": rows[1:],
        "代码": [["01"], ["02"]],
    }.items():
        made = book.create_sheet(title)
        for line in lines:
            made.append(line)
    out = io.BytesIO()
    book.save(out)
    batch = bring(FEED, io.BytesIO(out.getvalue()), name="a.xlsx")
    assert batch.state == "held" and "“续” 1 行" in batch.problem["what"] and batch.problem["cure_en"]
    told = FeedIssue.objects.using("owner").filter(kind="sheet_left_out").order_by("place")
    assert {issue.place for issue in told} == {"续", "代码"}, "our own notes are none of the agency's rows"
    decide(batch.pk, LET_IN, by="he", reason="已核实")
    batch = take_in(batch.pk, catalog()[FEED], fence=batch.fence + 1, at=NOW)
    assert (batch.state, batch.loaded) == ("landed", 2) and len(batch.layout["left_out"]) == 2


def test_the_next_delivery_is_due_after_the_next_period() -> None:
    assert next_end("monthly", date(2026, 1, 31)) == date(2026, 2, 28)
    assert next_end("monthly", date(2026, 2, 28)) == date(2026, 3, 31)
    assert next_end("monthly", date(2026, 2, 10)) == date(2026, 3, 10)
    assert next_end("quarterly", date(2026, 9, 30)) == date(2026, 12, 31)
    assert next_end("weekly", date(2026, 12, 28)) == date(2027, 1, 4)
    assert next_end("whenever", date(2026, 9, 30)) == date(2026, 9, 30)
    feed = catalog()["ca_funeral"]  # monthly, ten days
    covered = date(2026, 10, 31)
    assert freshness(feed, covered, NOW, date(2026, 12, 10)) == ("ok", date(2026, 12, 10))
    assert freshness(feed, covered, NOW, date(2026, 12, 11))[0] == "late"
    assert freshness(feed, covered, NOW, date(2026, 12, 21))[0] == "silent"
    assert freshness(feed, None, None, covered) == ("never", None)


def test_a_decision_is_queued_in_nobody_elses_name_and_a_page_queues_no_run(database: None) -> None:
    words = '{"batch": 1, "outcome": "let_in", "by": "somebody", "office": "532300", "reason": "x"}'
    insert = (
        "insert into work_job (kind, key, payload, priority, state, run_after, attempts, fence, error, created_at)"
        " values (%s, '1', %s, 3, 'queued', now(), 0, 0, '', now())"
    )
    with person_scope(person("custodian", roles=("custodian",))), connection.cursor() as cursor:
        for kind in ("held_batch", "match", "landed"):
            with pytest.raises(ProgrammingError, match="queue"), transaction.atomic():
                cursor.execute(insert, [kind, words])
