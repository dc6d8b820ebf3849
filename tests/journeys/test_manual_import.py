"""A file brought in by hand: checked, matched, imported, its failing rows handed back, mended and brought in again."""

from __future__ import annotations

import io
import random
import secrets
from datetime import timedelta
from pathlib import Path

import openpyxl
import pytest
from django.db import DatabaseError, connection, connections

import ingestion.tasks  # noqa: F401  its handlers
from chuxiong.accounts.refused import Refused
from chuxiong.accounts.scope import person_scope
from chuxiong.work import jobs
from chuxiong.work.jobs import work_off
from ingestion.imports import actions, checking, files, selectors
from ingestion.imports.bounds import bounds
from ingestion.imports.errors import harmless, write_error_receipt
from ingestion.imports.template import write_template
from ingestion.intake.reading import Limits
from ingestion.models import Agreement, Batch, FeedIssue, HeaderAlias, ImportFile, ManualImport
from ingestion.selectors import catalog
from tests.conftest import acting_as
from tests.prefecture import NOW, TODAY, agreements, bring, citizen, payment, person, sheet

FEED = "hr_pension_payment"
HEADERS = ["参保人", "证件号", "险种类型", "发放年月", "发放金额（元）", "经办人", "参保地"]
KINDS = ["import_check", "import_hand_over", "import_clear", "import_expire", "take_in", "held_batch"]


def work() -> None:
    with acting_as("worker"):
        work_off(kinds=KINDS)


def failed_jobs() -> list[tuple[str, str]]:
    with connections["worker"].cursor() as cursor:
        cursor.execute("select kind, error from work_job where error <> ''")
        return cursor.fetchall()


def row(serial: int, **changed: object) -> list[object]:
    usual = {
        "name": "赵样本", "id": citizen(serial), "kind": "城乡居民", "month": "2026-10", "amount": "135.00",
        "clerk": "示例员", "place": "532301",
    }  # fmt: skip
    return list((usual | changed).values())


def book(rows: list[list[object]], headers: list[str] = HEADERS) -> bytes:
    out, made = io.BytesIO(), openpyxl.Workbook()
    sheet_ = made.active
    sheet_.append(["发放表"])
    sheet_.append(headers)
    for cells in rows:
        sheet_.append(cells)
    made.save(out)
    return out.getvalue()


def upload(by, content: bytes, feed: str = FEED, name: str = "发放.xlsx") -> ManualImport:  # type: ignore[no-untyped-def]
    made = actions.upload(io.BytesIO(content), size=len(content), file_name=name, feed=feed, by=by, at=NOW)
    work()
    return seen(by, made.pk)


def seen(by, pk: int) -> ManualImport:  # type: ignore[no-untyped-def]
    found = selectors.import_of(by, pk)
    assert found is not None
    return found


def matched(by, manual: ManualImport, **chosen: str) -> ManualImport:  # type: ignore[no-untyped-def]
    """Choose for the headers named (参保人=…); all others undecided are not taken."""
    document = actions.open_preview(manual, by=by, at=NOW)
    assert document
    choices = [chosen.get(h, c or "-") for h, c in zip(document["headers"], manual.choices, strict=True)]
    actions.choose_columns(manual.pk, choices=choices, revision=manual.revision, by=by, at=NOW)
    work()
    return seen(by, manual.pk)


def imported(by, manual: ManualImport, **more: object) -> ManualImport:  # type: ignore[no-untyped-def]
    actions.start(manual.pk, revision=manual.revision, by=by, at=NOW, **more)  # type: ignore[arg-type]
    work()
    return seen(by, manual.pk)


@pytest.fixture
def clerk(database):
    agreements()
    return person("clerk", roles=("custodian",))


FAULTS = [
    row(3, id=532301195001011234),
    row(4, month="二〇二六年"),
    row(5, amount="一百多"),
    row(6, name=None),
    row(7, kind="不知道"),
]


def test_a_messy_file_is_matched_imported_handed_back_mended_and_taken_in(clerk):
    content = book([row(1), row(2), *FAULTS, ["合计", None, None, None, 270]])
    manual = upload(clerk, content, feed="")
    assert manual.state == "choosing" and manual.choices is None
    found = actions.open_preview(manual, by=clerk, at=NOW)
    assert found["candidates"][0]["feed"] == FEED and found["header_row"] == 2

    actions.choose_feed(manual.pk, feed=FEED, by=clerk, at=NOW)
    work()
    manual = seen(clerk, manual.pk)
    assert (manual.state, manual.tally["undecided"], manual.tally["missing"]) == ("ready", 2, 1)
    with pytest.raises(Refused, match="没有选择"):
        actions.start(manual.pk, revision=manual.revision, by=clerk, at=NOW)

    manual = matched(clerk, manual, 参保人="person_name")
    assert (manual.tally["received"], manual.tally["blank"], manual.tally["quarantined"]) == (7, 1, 5)
    preview = actions.open_preview(manual, by=clerk, at=NOW)
    assert {(p["reason"], p["rows"]) for p in preview["problems"] if p["fails"]} == {
        ("numeric_id", 1), ("bad_date", 1), ("bad_amount", 1), ("missing", 1), ("bad_code", 1)
    }  # fmt: skip
    marks = {r["no"]: [(p, why) for p, why, _ in r["marks"]] for r in preview["rows"] if r["marks"]}
    assert marks == {
        5: [(1, "numeric_id")], 6: [(3, "bad_date")], 7: [(4, "bad_amount")], 8: [(0, "missing")], 9: [(2, "bad_code")]
    }  # fmt: skip
    assert citizen(1) not in str(preview), "the page never gets a whole number"

    manual = imported(clerk, manual)
    batch = manual.batch
    assert (manual.state, batch.state) == ("handed", "landed") and failed_jobs() == []
    assert (batch.received, batch.loaded, batch.quarantined, batch.blank) == (7, 2, 5, 1)
    receipt = selectors.receipt_of(clerk, batch.pk)
    assert (
        receipt.received
        == receipt.new + receipt.changed + batch.unchanged + batch.duplicate + batch.quarantined
    )
    assert (receipt.new, receipt.changed) == (2, 0)
    assert receipt.agreement.number == f"T-{FEED}" and receipt.manual == manual
    assert not ImportFile.objects.using("intake").exists(), "the upload is destroyed once it is a batch"
    assert not FeedIssue.objects.using("intake").exists(), "what a person left out is no open question"

    # The failing rows, in the sender's own columns, mended as their provider would and sent back as they are.
    out = io.BytesIO()
    actions.error_receipt(
        batch.pk,
        by=clerk,
        at=NOW,
        reason="退回更正",
        write=lambda f, b, r: write_error_receipt(f, b, r, out, at=NOW),
    )
    back = openpyxl.load_workbook(out)
    cells = back.worksheets[0]
    head = [c.value for c in cells[1]]
    assert head == [*HEADERS, "原文件行号", "退回原因", "改正办法"]
    assert [r[-3].value for r in cells.iter_rows(min_row=2)] == ["5", "6", "7", "8", "9"]
    assert all(c.data_type != "f" for line in cells.iter_rows() for c in line)
    bad = {
        c.coordinate
        for line in cells.iter_rows(min_row=2, max_col=7)
        for c in line
        if c.fill.fgColor.rgb == "00F8D5D2"
    }
    assert bad == {"B2", "D3", "E4", "A5", "C6"}
    # What lost its digits is not handed back as if it were whole: sent again as it is, it would stand aside again.
    assert cells["B2"].value == "5.32301E+17"
    for place, value in (
        ("B2", citizen(3)),
        ("D3", "2026-10"),
        ("E4", "100"),
        ("A5", "钱样本"),
        ("C6", "城乡居民"),
    ):
        cells[place] = value
    mended = io.BytesIO()
    back.save(mended)
    again = upload(clerk, mended.getvalue(), name="更正单.xlsx")
    assert [
        c for c, h in zip(again.choices, head, strict=True) if h in ("原文件行号", "退回原因", "改正办法")
    ] == ["-"] * 3
    again = imported(clerk, matched(clerk, again, 参保人="person_name"))
    assert (again.batch.received, again.batch.loaded, again.batch.quarantined) == (5, 5, 0)
    assert failed_jobs() == []


def test_the_same_file_or_click_again_changes_nothing(clerk):
    content = sheet(FEED, [payment(citizen(1), "2026-10", "135")]).getvalue()
    manual = upload(clerk, content, name="a.csv")
    assert manual.state == "ready"
    for _ in range(2):
        actions.start(manual.pk, revision=manual.revision, by=clerk, at=NOW)
    work()
    manual = seen(clerk, manual.pk)
    assert manual.batch.state == "landed" and Batch.objects.using("intake").count() == 1
    actions.start(manual.pk, revision=manual.revision, by=clerk, at=NOW)
    for name, feed in (("b.csv", FEED), ("c.csv", "")):
        twice = upload(clerk, content, name=name, feed=feed)
        if not feed:
            actions.choose_feed(twice.pk, feed=FEED, by=clerk, at=NOW)
            work()
            twice = seen(clerk, twice.pk)
        assert (twice.state, twice.batch_id) == ("repeated", manual.batch_id)
        with pytest.raises(Refused):
            actions.start(twice.pk, revision=twice.revision, by=clerk, at=NOW)
    assert Batch.objects.using("intake").count() == 1 and not ImportFile.objects.using("intake").exists()
    # Two uploads of one file, checked side by side, become one batch.
    content = sheet(FEED, [payment(citizen(2), "2026-10", "135")]).getvalue()
    first, second = upload(clerk, content), upload(clerk, content)
    assert {first.state, second.state} == {"ready"}
    for manual in (first, second):
        actions.start(manual.pk, revision=manual.revision, by=clerk, at=NOW)
    work()
    states = [seen(clerk, m.pk).state for m in (first, second)]
    assert states == ["handed", "repeated"] and Batch.objects.using("intake").count() == 2


def test_an_alias_is_registered_offered_applied_and_withdrawn(clerk):
    rows = [row(n) for n in range(10, 13)]
    files_ = [book([*rows, row(20 + n)]) for n in range(5)]
    manual = imported(clerk, matched(clerk, upload(clerk, files_[0]), 参保人="person_name"), remember=True)
    made = {a.header: a for a in HeaderAlias.objects.using("intake").all()}
    assert {h: (a.column, a.uses, a.made_by) for h, a in made.items()} == {
        "参保人": ("person_name", 1, "clerk"), "经办人": ("", 1, "clerk")
    }  # fmt: skip
    # Once is a hint; the second import in which somebody agrees settles it.
    manual = upload(clerk, files_[1])
    preview = actions.open_preview(manual, by=clerk, at=NOW)
    assert manual.choices[0] == "" and preview["proposals"][0]["hint"] == "person_name"
    for n in range(1, bounds().alias_uses):
        imported(
            clerk, matched(clerk, manual if n == 1 else upload(clerk, files_[1 + n]), 参保人="person_name")
        )
    manual = upload(clerk, files_[3])
    assert "" not in manual.choices and manual.choices[0] == "person_name"
    # Files that come by another way are read with it, too.
    batch = bring(FEED, io.BytesIO(files_[3]), name="drop.xlsx")
    assert (batch.state, batch.received, batch.quarantined) == ("landed", 4, 0), batch.problem

    with pytest.raises(Refused, match="理由"):
        actions.withdraw_alias(made["参保人"].pk, by=clerk, at=NOW, reason=" ")
    actions.withdraw_alias(made["参保人"].pk, by=clerk, at=NOW, reason="列义有变")
    assert upload(clerk, files_[4]).choices[0] == ""
    assert bring(FEED, io.BytesIO(files_[4]), name="drop2.xlsx").state == "refused"
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select action, count(*) from audit_auditevent where action like 'alias.%%' group by 1"
        )
        assert dict(cursor.fetchall()) == {"alias.register": 2, "alias.withdraw": 1}


def test_an_import_is_called_off_before_it_lands(clerk, monkeypatch):
    from ingestion.intake import take_in as intake

    content = sheet(FEED, [payment(citizen(n), "2026-10", "135") for n in range(5)]).getvalue()
    manual = upload(clerk, content)
    actions.start(manual.pk, revision=manual.revision, by=clerk, at=NOW)
    with acting_as("worker"):
        work_off(kinds=["import_hand_over"])
    assert seen(clerk, manual.pk).batch.state == "received"
    for _ in range(2):
        actions.cancel(manual.pk, by=clerk, at=NOW)
    work()
    manual = seen(clerk, manual.pk)
    assert (manual.state, manual.batch.state) == ("cancelled", "refused")
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select (select count(*) from ingestion_landing), (select count(*) from ingestion_quarantine)"
        )
        assert cursor.fetchone() == (0, 0)
        cursor.execute("select count(*) from pg_tables where schemaname = 'staging'")
        assert cursor.fetchone() == (0,)
    # The same bytes may be brought in afresh; what has landed cannot be called off.
    manual = imported(clerk, upload(clerk, content))
    assert manual.batch.state == "landed"
    with pytest.raises(Refused, match="已经入库"):
        actions.cancel(manual.pk, by=clerk, at=NOW)

    # A worker in the midst of reading stops.
    content = sheet(FEED, [payment(citizen(n), "2026-10", "135") for n in range(6)]).getvalue()
    manual = upload(clerk, content)
    actions.start(manual.pk, revision=manual.revision, by=clerk, at=NOW)
    land, called = intake._land, []

    def late(*given, **named):  # type: ignore[no-untyped-def]
        if not called:
            called.append(True)
            with acting_as("web"):
                actions.cancel(manual.pk, by=clerk, at=NOW)
        return land(*given, **named)

    monkeypatch.setattr(intake, "_land", late)
    work()
    assert called and seen(clerk, manual.pk).batch.state == "refused"
    with connections["worker"].cursor() as cursor:
        cursor.execute(
            "update work_job set run_after = now() where state = 'queued' and kind <> 'import_expire'"
        )
    work()
    assert seen(clerk, manual.pk).state == "cancelled"
    with connections["owner"].cursor() as cursor:
        cursor.execute("select count(*) from ingestion_landing")
        assert cursor.fetchone() == (1,)
        cursor.execute("select distinct state from work_job where kind = 'take_in'")
        assert cursor.fetchall() == [("done",)]


def test_a_check_that_fails_every_time_is_told_to_its_uploader_without_a_word_of_the_file(clerk, monkeypatch):
    def breaks(*_, **__):  # type: ignore[no-untyped-def]
        raise ValueError("赵样本")

    monkeypatch.setattr(checking, "read_table", breaks)
    manual = upload(clerk, book([row(1)]))
    assert manual.state == "checking"
    for _ in range(jobs.MAX_ATTEMPTS - 1):
        with connections["owner"].cursor() as cursor:
            cursor.execute("update work_job set run_after = now() where kind = 'import_check'")
        work()
    manual = seen(clerk, manual.pk)
    assert manual.state == "unreadable" and manual.problem["cure"] and "赵样本" not in str(manual.problem)
    assert all("赵样本" not in error for _, error in failed_jobs()) and failed_jobs()


def test_without_agreement_nothing_is_kept_and_a_field_outside_it_is_refused(clerk):
    content = book([row(1)])
    manual = matched(clerk, upload(clerk, content), 参保人="person_name", 经办人="agency_name")
    covered = [c.name for c in catalog()[FEED].delivered if c.name != "agency_name"]
    Agreement.objects.using("owner").filter(number=f"T-{FEED}").update(fields={FEED: covered})
    assert selectors.not_covered(catalog()[FEED], on=TODAY) == {"agency_name"}
    with pytest.raises(Refused, match="agency_name"):
        actions.start(manual.pk, revision=manual.revision, by=clerk, at=NOW)
    manual = matched(clerk, manual, 经办人="-")
    actions.start(manual.pk, revision=manual.revision, by=clerk, at=NOW)
    # It lapses between click and hand-over: the job asks again.
    Agreement.objects.using("owner").filter(number=f"T-{FEED}").update(ended_on=TODAY - timedelta(days=1))
    work()
    manual = seen(clerk, manual.pk)
    assert manual.state == "stopped" and "失效" in manual.problem["what"] and manual.problem["cure"]
    assert not Batch.objects.using("intake").exists()
    # Renewed, it goes on where it stopped.
    Agreement.objects.using("owner").filter(number=f"T-{FEED}").update(ended_on=None)
    manual = imported(clerk, manual)
    assert (manual.state, manual.problem, manual.batch.state) == ("handed", None, "landed")
    Agreement.objects.using("owner").filter(number=f"T-{FEED}").update(ended_on=TODAY - timedelta(days=1))
    before = ManualImport.objects.using("intake").count()
    with pytest.raises(Refused, match="失效"):
        upload(clerk, content)
    assert ManualImport.objects.using("intake").count() == before


def test_what_is_refused_says_why_and_what_nobody_imports_is_destroyed(clerk):
    manual = upload(clerk, book([row(1)]))
    store = files.path_of(ImportFile.objects.using("intake").get(manual=manual).store)
    assert store.exists() and citizen(1).encode() not in store.read_bytes()
    with connections["worker"].cursor() as cursor:
        cursor.execute("update work_job set run_after = now() where kind = 'import_expire'")
    work()
    assert seen(clerk, manual.pk).state == "expired" and not store.exists()
    assert not ImportFile.objects.using("intake").exists()
    with pytest.raises(Refused, match="超过页面导入的上限"):
        actions.upload(
            io.BytesIO(b""), size=bounds().upload_bytes + 1, file_name="a", feed=FEED, by=clerk, at=NOW
        )
    with pytest.raises(Refused, match="文件是空的"):
        upload(clerk, b"")
    manual = upload(clerk, b"%PDF-1.7 not a table")
    assert (
        manual.state == "unreadable" and "不是表格文件" in manual.problem["what"] and manual.problem["cure"]
    )
    manual = upload(clerk, '姓名,证件号\n"没有闭合,1\n'.encode(), name=f"{citizen(1)}.csv")
    assert manual.state == "unreadable" and citizen(1) not in manual.file_name + str(manual.problem)


def test_others_meet_neither_file_nor_rows(clerk):
    other = person("other", office="532302", roles=("custodian",))
    manual = imported(clerk, matched(clerk, upload(clerk, book([row(1), *FAULTS])), 参保人="person_name"))
    assert selectors.import_of(other, manual.pk) is None
    with pytest.raises(Refused, match="没有这次导入"):
        actions.cancel(manual.pk, by=other, at=NOW)
    with pytest.raises(Refused, match="不在您的范围内"):
        actions.error_receipt(
            manual.batch_id, by=other, at=NOW, reason="想看看", write=lambda *_: pytest.fail("opened")
        )
    # The database says the same, whatever a page asks.
    with person_scope(other), connection.cursor() as cursor:
        cursor.execute("select count(*) from ingestion_manualimport")
        assert cursor.fetchone() == (0,)
        cursor.execute("select ingestion_call_off(%s, '{}')", [manual.batch_id])
        assert cursor.fetchone() == (None,)
    for statement in (
        "insert into ingestion_errorreceipt (batch_id, person, person_name, at, reason, rows) values (%s, 'other', '', now(), 'x', 1)",
        "select * from ingestion_quarantine_key(%s)",
        "select * from vault_batchkey where batch = %s",
        "update ingestion_manualimport set batch_id = null where batch_id = %s",
    ):
        with pytest.raises(DatabaseError), person_scope(other), connection.cursor() as cursor:
            cursor.execute(statement, [manual.batch_id])
    with connections["owner"].cursor() as cursor:
        cursor.execute("select count(*) from audit_auditevent where action = 'batch.error_receipt'")
        assert cursor.fetchone() == (0,)
    # A colleague of the same office sees the counts and not the file.
    colleague = person("colleague", roles=("custodian",))
    manual = upload(clerk, book([row(1)]))
    assert seen(colleague, manual.pk).tally["received"] == 1
    assert actions.open_preview(manual, by=colleague, at=NOW) is None
    with person_scope(colleague):
        assert not ImportFile.objects.exists()
    with pytest.raises(Refused, match="本人"):
        actions.start(manual.pk, revision=manual.revision, by=colleague, at=NOW)


def test_the_error_receipt_of_a_changed_record_and_hostile_cells(clerk):
    """New and changed are told apart; nothing that a cell holds is computed, and numbers keep their signs."""
    imported(clerk, upload(clerk, sheet(FEED, [payment(citizen(1), "2026-10", "135")]).getvalue()))
    rows = [payment(citizen(1), "2026-10", "140"), payment(citizen(2), "2026-10", "1")]
    rows += [{**payment("1", "2026-10", "-5"), "person_name": '=HYPERLINK("http://x","y")'}]
    manual = imported(clerk, upload(clerk, sheet(FEED, rows).getvalue()))
    receipt = selectors.receipt_of(clerk, manual.batch_id)
    assert (receipt.new, receipt.changed, receipt.batch.quarantined) == (1, 1, 1)
    out = io.BytesIO()
    actions.error_receipt(
        manual.batch_id,
        by=clerk,
        at=NOW,
        reason="退回",
        write=lambda f, b, r: write_error_receipt(f, b, r, out, at=NOW),
    )
    line = [c.value for c in openpyxl.load_workbook(out).worksheets[0][2]]
    assert line[0] == '\'=HYPERLINK("http://x","y")' and "-5" in line
    assert [harmless(t) for t in ("+86", "-3.5%", "-1+cmd|x", "＝1+1", " @x")] == [
        "+86", "-3.5%", "'-1+cmd|x", "'＝1+1", "' @x"
    ]  # fmt: skip


def test_a_thin_file_is_held_and_let_in_with_a_reason(clerk, monkeypatch):
    from ingestion.catalog.spec import Expectations, Minimum

    feed = catalog()[FEED]
    thin = feed.model_copy(update={"expectations": Expectations(minimum=Minimum(rows=9))})
    monkeypatch.setitem(catalog(), FEED, thin)
    manual = imported(clerk, upload(clerk, sheet(FEED, [payment(citizen(1), "2026-10", "135")]).getvalue()))
    assert manual.batch.state == "held" and "少于约定" in manual.batch.problem["what"]
    with pytest.raises(Refused, match="核实"):
        actions.release(manual.pk, by=clerk, reason="")
    for _ in range(2):
        actions.release(manual.pk, by=clerk, reason="单位确认当月仅一人")
    work()
    landed = seen(clerk, manual.pk)
    assert landed.batch.state == "landed" and landed.batch.layout["decision"]["by"] == clerk.username
    assert failed_jobs() == []
    actions.release(manual.pk, by=clerk, reason="再点一次")
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select action, actor, reason from audit_auditevent where action in ('batch.release', 'batch.let_in')"
        )
        assert cursor.fetchall() == [("batch.let_in", clerk.username, "单位确认当月仅一人")]


def test_a_whole_ends_what_it_lacks_but_never_everything(clerk):
    """A county's list: the feed's lists are whole by county."""
    feed = catalog()["ed_school_staff"]
    number, county = (feed.column(name).headers[0] for name in ("citizen_id", "division_code"))
    heads = [*(c.headers[0] for c in feed.delivered if c.required), county]

    def staff(*numbers: str) -> bytes:
        rows = [{h: "赵样本" for h in heads} | {number: n, county: "532301"} for n in numbers]
        return "\n".join([",".join(heads), *(",".join(row.values()) for row in rows)]).encode()

    imported(clerk, upload(clerk, staff(*(citizen(n) for n in range(1, 5))), feed=feed.code))
    manual = upload(clerk, staff("1"), feed=feed.code)
    with pytest.raises(Refused, match="没有一行合格"):
        actions.start(manual.pk, revision=manual.revision, by=clerk, at=NOW, snapshot=True)
    whole = staff(*(citizen(n) for n in range(2, 6)))
    manual = imported(clerk, upload(clerk, whole, feed=feed.code), snapshot=True)
    assert (manual.batch.loaded, manual.batch.unchanged, manual.batch.removed) == (1, 3, 1)
    receipt = selectors.receipt_of(clerk, manual.batch_id)
    assert (receipt.new, receipt.changed) == (1, 0)
    # Cut short below what the feed's lists keep: held, nothing ended.
    manual = imported(clerk, upload(clerk, staff(citizen(5), citizen(6)), feed=feed.code), snapshot=True)
    assert (manual.batch.state, manual.batch.removed) == ("held", 0)


def test_a_template_is_read_from_its_fifth_row(clerk):
    for feed in catalog().values():
        out = io.BytesIO()
        write_template(feed, out)
        if feed.code not in ("hr_pension_payment", "ee_surface_water", "tx_levy"):
            continue
        made = openpyxl.load_workbook(out)
        form = made.worksheets[0]
        assert [c.value for c in form[4]] == [c.headers[0] for c in feed.delivered]
        enums = [c for c in feed.delivered if c.codes or c.type == "bool"]
        assert len(form.data_validations.dataValidation) == len(enums)
        assert not any(c.data_type == "f" for s in made.worksheets for line in s.iter_rows() for c in line)
        # Taken as it is, with nothing filled in: no row, least of all the example.
        manual = upload(clerk, out.getvalue(), feed=feed.code)
        assert (manual.state, manual.tally["received"], manual.tally["header_row"]) == ("ready", 0, 4)
        assert manual.tally["undecided"] == manual.tally["missing"] == 0


def _messy(shared: Path) -> list[Path]:
    folder = shared / "data" / "messy"
    return sorted(
        p
        for p in folder.rglob("*")
        if p.is_file() and p.suffix.lower() in (".csv", ".tsv", ".txt", ".xls", ".xlsx")
    )


def _preview_or_refusal(by, path: Path) -> str:  # type: ignore[no-untyped-def]
    manual = upload(by, path.read_bytes(), feed=random.choice(["", FEED]), name=path.name)
    assert manual.state in ("choosing", "ready", "unreadable"), (path.name, manual.state)
    if manual.state == "unreadable":
        assert manual.problem["what"] and manual.problem["cure"]
    else:
        document = actions.open_preview(manual, by=by, at=NOW)
        assert document and len(document["headers"]) == manual.tally["columns"]
    return manual.state


TIGHT = Limits(memory=1 << 30, cpu_seconds=20, wall_seconds=30)


def test_messy_files_are_previewed_or_refused_with_the_reason(clerk, shared, monkeypatch):
    monkeypatch.setattr(checking, "Limits", lambda: TIGHT)
    seed = secrets.randbits(32)
    print("seed", seed)
    random.seed(seed)
    chosen = random.sample([p for p in _messy(shared) if p.stat().st_size and "OOM" not in p.name], 8)
    for path in chosen:
        _preview_or_refusal(clerk, path)
    assert failed_jobs() == []


@pytest.mark.drill
def test_all_messy_files(clerk, shared, monkeypatch):
    monkeypatch.setattr(checking, "Limits", lambda: TIGHT)
    states = {path.name: _preview_or_refusal(clerk, path) for path in _messy(shared) if path.stat().st_size}
    assert failed_jobs() == [] and len(set(states.values())) > 1


def test_an_error_receipt_names_rows_that_may_be_sealed_by_number_alone(clerk):
    """A minor's stay at a hotel stands aside for its time: what is handed back holds nothing of it."""
    feed = catalog()["ps_hotel_stay"]
    usual = dict.fromkeys((c.name for c in feed.delivered if c.required), "示例旅馆") | {
        "division_code": "532301", "hotel_code": "H1", "registered_at": "2026-10-01 10:00:00",
    }  # fmt: skip

    def stay(serial: int, minor: str, day: str = "昨天") -> dict[str, str]:
        room = f"R{serial}"
        return usual | {
            "is_minor": minor, "room_no": room, "stay_no": room, "checkin_time": day, "citizen_id": citizen(serial)
        }  # fmt: skip

    good = [stay(n, "否", "2026-10-01 09:00:00") for n in range(1, 7)]
    bad = [stay(7, "否"), stay(8, "是"), stay(9, "不详")]
    manual = imported(clerk, upload(clerk, sheet(feed.code, [*good, *bad]).getvalue(), feed=feed.code))
    assert (manual.batch.state, manual.batch.quarantined) == ("landed", 3), manual.batch.problem
    out = io.BytesIO()
    actions.error_receipt(
        manual.batch_id,
        by=clerk,
        at=NOW,
        reason="退回",
        write=lambda f, b, r: write_error_receipt(f, b, r, out, at=NOW),
    )
    lines, notes = (list(s.iter_rows(values_only=True)) for s in openpyxl.load_workbook(out).worksheets)
    assert "R7" in lines[1] and citizen(7) in lines[1]
    for line in lines[2:]:
        assert not any(line[:-3]) and all(line[-3:]), "number, reason and cure; no cell"
    assert [n[0] for n in notes].count("封存") == 1
