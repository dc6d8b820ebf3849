"""A clue's documents: drafted from its facts, numbers as refs, numbered, voided, taken by those whom they concern."""

from __future__ import annotations

import hashlib
import io
import zipfile
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import InternalError, ProgrammingError, connections, transaction
from django.test import Client, override_settings
from django.utils import timezone
from docx import Document as Docx

from chuxiong.accounts.scope import person_scope
from ingestion.models import Agreement
from supervision.clues import actions
from supervision.clues.actions import Refused
from supervision.documents import filling, finals, layout, reading, sheet, writing
from supervision.matching.run import run_rule
from supervision.models import Clue, Document
from supervision.selectors import clue_detail
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, cremation, death, land_rows, payment, person
from tests.supervision.test_unmasking import NUMBER, _take

TRACK = "administrative_public_interest"


@pytest.fixture(autouse=True)
def _quick():  # type: ignore[no-untyped-def]
    with override_settings(PASSWORD_HASHERS=["tests.accounts.conftest.QuickHasher"]):
        yield


@pytest.fixture
def clue(database) -> str:
    agreements()
    land_rows("ps_population_death", [death(NUMBER, "2026-01-15", name="赵样本")])
    land_rows("ca_funeral", [cremation(NUMBER, "2026-01-15", 1)])
    land_rows("hr_pension_payment", [payment(NUMBER, f"20260{m}", "1500") for m in range(4, 8)])
    with acting_as("worker"):
        run_rule("pension_after_death", at=NOW, as_of=NOW.date(), full=True)
    return str(Clue.objects.using("owner").values_list("number", flat=True).get())


@pytest.fixture
def handler(clue):
    made = person("a", office="532301")
    _take(clue, made)
    return made


def _act(clue: str, by, track: str = TRACK) -> None:  # type: ignore[no-untyped-def]
    act = {"clue_number": clue, "by": by, "at": timezone.now()}
    actions.conclude(**act, finding="confirmed", note="经核实属实")
    actions.act(**act, track=track, note="怠于履职")


def _draft(by, clue: str, kind: str = "consultation", **typed: str) -> Document:  # type: ignore[no-untyped-def]
    return writing.draft(by=by, at=timezone.now(), clue_number=clue, kind=kind, typed=typed)


def _step(clue: str, by, step: str) -> None:  # type: ignore[no-untyped-def]
    actions.step(
        clue_number=clue, by=by, at=timezone.now(), step=step, happened_on=timezone.localdate(),
        official_number="示例 1 号", approver="检察长",
    )  # fmt: skip


def _words(content: bytes) -> str:
    return "\n".join(filling.texts(content))


def _audited() -> list[tuple[str, str, str]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select action, object_ref, detail from audit_auditevent"
            " where object_kind = 'document' or action like 'identifier.%' order by id"
        )
        return list(cursor.fetchall())


def test_only_what_fits_the_step_is_offered(clue, handler) -> None:
    def offered() -> set[str]:
        detail = clue_detail(handler, clue, at=timezone.now())
        assert detail is not None
        return {o.kind.code for o in reading.panel(handler, detail).offers}

    assert offered() == {"order"}
    with pytest.raises(Refused, match="不起草"):
        _draft(handler, clue)
    _act(clue, handler)
    assert offered() == set()
    with pytest.raises(Refused, match="没有到"):
        _draft(handler, clue)
    _step(clue, handler, "file")
    assert offered() == {"consultation", "public_interest_proposal"}
    actions.feed_back(
        clue_number=clue,
        by=handler,
        at=timezone.now(),
        agency="hr_bureau",
        subject="数据问题",
        text="请核对。\n请答复。",
    )
    assert offered() == {"consultation", "public_interest_proposal", "feedback"}
    colleague = person("b", office="532301")
    with pytest.raises(Refused, match="承办"):
        _draft(colleague, clue)
    with pytest.raises(writing.Missing):
        _draft(handler, clue, "sheet")
    with pytest.raises(writing.Missing):
        _draft(handler, clue, "nothing_such")


def test_facts_stand_in_it_and_what_is_missing_is_a_blank(clue, handler) -> None:
    Agreement.objects.using("owner").update(may_be_fed_back=True)
    _act(clue, handler)
    _step(clue, handler, "file")
    made = _draft(handler, clue, "public_interest_proposal", 建议内容="一、追回。\n二、{{院名}}建章立制。")
    assert (made.version, made.state, made.check_only) == (1, "draft", False)
    content = reading.content_of(made)
    words = _words(content)
    for wanted in (
        "楚雄市人民检察院",
        "赵样本",
        "一、追回。",
        "二、{{院名}}建章立制。",
        "两个月",
        "入库）",
        layout.DRAFT,
    ):
        assert wanted in words, wanted
    assert "疑似" not in words and NUMBER not in words and made.holds_refs
    assert {"文书编号", "签发日期", "履职法律依据"} <= set(made.blanks) and "建议内容" not in made.blanks
    again = _draft(handler, clue, "public_interest_proposal", 建议内容="一、追回。")
    assert again.version == 2
    found = reading.preview(handler, clue, "public_interest_proposal", None, at=timezone.now())
    assert found is not None and found.next_version == 3
    assert {i.name: i.value for i in found.inputs}["建议内容"] == "一、追回。", "what was typed stands again"
    assert [a for a, _r, _d in _audited()] == ["document.draft", "document.draft"]


def test_what_an_agreement_keeps_inside_is_named_and_not_quoted(clue, handler) -> None:
    _act(clue, handler)
    _step(clue, handler, "file")
    words = _words(reading.content_of(_draft(handler, clue, "public_interest_proposal")))
    assert "数据协议不允许对外引用" in words and "1,500.00 元" not in words
    inward = sheet.sheet_of(handler, clue, at=timezone.now(), form="docx")
    assert inward is not None and "1,500.00 元" in _words(inward.content)


def test_numbers_open_for_a_reason_alone_and_each_look_is_on_record(clue, handler) -> None:
    Agreement.objects.using("owner").update(may_be_fed_back=True)
    _act(clue, handler)
    _step(clue, handler, "file")
    made = _draft(handler, clue, "public_interest_proposal")
    now = timezone.now()
    plain = writing.take(by=handler, at=now, pk=made.pk, form="docx").content
    assert NUMBER not in _words(plain) and "● ● ● ●" in _words(plain)
    with pytest.raises(Refused, match="理由"):
        writing.take(by=handler, at=now, pk=made.pk, form="docx", numbers=True)
    actions.unmask(clue_number=clue, by=handler, at=timezone.now(), reason="制作文书核对")
    opened = writing.take(by=handler, at=timezone.now(), pk=made.pk, form="docx", numbers=True)
    assert NUMBER in _words(opened.content) and NUMBER not in opened.name
    with connections["owner"].cursor() as cursor:
        cursor.execute("select sealed, typed from supervision_document")
        assert all(NUMBER.encode() not in bytes(box) for box in cursor.fetchone())
    audited = _audited()
    assert [a for a, _r, _d in audited] == [
        "document.draft", "document.read", "identifier.unmask", "document.read", "identifier.read",
    ]  # fmt: skip
    assert audited[0][1] == f"{clue} public_interest_proposal 1" and not any(
        NUMBER in d for _a, _r, d in audited
    )


def test_the_number_comes_from_the_national_system_and_stands(clue, handler) -> None:
    _act(clue, handler)
    _step(clue, handler, "file")
    made = _draft(handler, clue, 受文单位="示例局", 磋商事项="整改", 磋商时间地点="本院")
    today = timezone.localdate()
    entry = {
        "by": handler,
        "at": timezone.now(),
        "pk": made.pk,
        "official_number": "楚市检磋〔2026〕3号",
        "approver": "检察长",
    }
    with pytest.raises(Refused, match="签发日期"):
        writing.number(**entry, dated_on=None)
    with pytest.raises(Refused, match="不能晚于今天"):
        writing.number(**entry, dated_on=today + timedelta(days=1))
    writing.number(**entry, dated_on=today)
    with pytest.raises(Refused, match="已经登记编号"):
        writing.number(**entry, dated_on=today)
    words = _words(writing.take(by=handler, at=timezone.now(), pk=made.pk, form="docx").content)
    assert "楚市检磋〔2026〕3号" in words and f"{today.year}年{today.month}月{today.day}日" in words
    assert "待填" not in words and layout.DRAFT not in words
    with pytest.raises(Refused, match="理由"):
        writing.void(by=handler, at=timezone.now(), pk=made.pk, reason=" ")
    writing.void(by=handler, at=timezone.now(), pk=made.pk, reason="文号有误")
    words = _words(writing.take(by=handler, at=timezone.now(), pk=made.pk, form="docx").content)
    assert writing.VOID in words
    assert [a for a, _r, _d in _audited()] == [
        "document.draft", "document.number", "document.read", "document.void", "document.read",
    ]  # fmt: skip


def test_own_letters_and_orders_bear_their_own_number(clue, handler) -> None:
    order = _draft(handler, clue, "order")
    assert order.state == "issued" and order.official_number.startswith("楚检交办〔") and order.check_only
    words = _words(writing.take(by=handler, at=timezone.now(), pk=order.pk, form="docx").content)
    assert order.official_number in words and "疑似" in words
    with pytest.raises(Refused, match="自己的编号"):
        writing.number(
            by=handler, at=timezone.now(), pk=order.pk, official_number="x", approver="y", dated_on=NOW.date()
        )
    _act(clue, handler)
    letter = actions.feed_back(
        clue_number=clue,
        by=handler,
        at=timezone.now(),
        agency="hr_bureau",
        subject="数据问题",
        text="请核对。\n请答复。",
    )
    made = _draft(handler, clue, "feedback")
    words = _words(reading.content_of(made))
    assert made.official_number == letter.number and letter.agency_zh in words and "请答复。" in words
    # The order was drafted before the clue was confirmed: it says so for good.
    old = _words(writing.take(by=handler, at=timezone.now(), pk=order.pk, form="docx").content)
    assert layout.CHECK_ONLY in old and layout.CHECK_ONLY not in words


def test_every_header_says_check_only_before_the_clue_is_confirmed(clue, handler) -> None:
    order = _draft(handler, clue, "order")
    taken = writing.take(by=handler, at=timezone.now(), pk=order.pk, form="docx").content
    assert [s.header.paragraphs[0].text for s in Docx(io.BytesIO(taken)).sections] == [layout.CHECK_ONLY]
    one = sheet.sheet_of(handler, clue, at=timezone.now(), form="page")
    assert one is not None and one.paper.header is not None and one.paper.header.text == layout.CHECK_ONLY
    _act(clue, handler)
    one = sheet.sheet_of(handler, clue, at=timezone.now(), form="page")
    assert one is not None and one.paper.header is None


def test_out_of_sight_nothing_is_there_and_names_are_for_those_concerned(clue, handler) -> None:
    Agreement.objects.using("owner").update(may_be_fed_back=True)
    _act(clue, handler)
    _step(clue, handler, "file")
    made = _draft(handler, clue, "public_interest_proposal")
    sibling, analyst = (
        person("s", office="532302", roles=("head",)),
        person("d", office="532301", roles=("analyst",)),
    )
    head, none = (
        person("h", office="532301", roles=("head",)),
        person("n", office="532301", roles=("custodian",)),
    )
    for path in (
        f"/documents/{made.pk}", f"/documents/{made.pk}/file/docx", f"/documents/{made.pk}/file/pdf",
        f"/clues/{clue}/documents/consultation", f"/clues/{clue}/sheet", f"/clues/{clue}/sheet/pdf",
    ):  # fmt: skip
        assert _client(sibling).get(path).status_code == 404, path
        assert _client(none).get(path).status_code == 403, path
    for act, data in (
        ("number", {"official_number": "x", "approver": "y", "dated_on": "2026-01-01"}),
        ("void", {"reason": "x"}),
    ):
        assert _client(sibling).post(f"/documents/{made.pk}/{act}", data).status_code == 404
        assert _client(analyst).post(f"/documents/{made.pk}/{act}", data).status_code == 409
    page = _client(analyst).get(f"/documents/{made.pk}").content.decode()
    assert "内容不对您显示" in page and "赵样本" not in page
    assert _client(analyst).get(f"/documents/{made.pk}/file/docx").status_code == 409
    assert "赵样本" in _client(head).get(f"/documents/{made.pk}").content.decode()
    assert Document.objects.using("owner").get().state == "draft"


def test_with_sql_in_hand_a_draft_stands_as_made(clue, handler) -> None:
    _act(clue, handler)
    _step(clue, handler, "file")
    made = _draft(handler, clue)
    sibling = person("s", office="532302")
    for change in ("digest = 'x'", "made_by = 'x'", "sealed = ''::bytea", "state = 'draft'"):
        with pytest.raises((ProgrammingError, InternalError)), person_scope(handler), transaction.atomic():
            _sql(f"update supervision_document set {change}")
    with pytest.raises(ProgrammingError), person_scope(handler), transaction.atomic():
        _sql("delete from supervision_document")
    with person_scope(sibling):
        assert not Document.objects.exists()
    with pytest.raises(ProgrammingError), person_scope(handler), transaction.atomic():
        made.pk, made.version, made.made_by = None, 9, "somebody"
        made.save(force_insert=True)


def test_if_the_trace_cannot_be_written_nothing_is_drafted_or_taken(clue, handler) -> None:
    from chuxiong.audit.record import AuditUnavailable

    _act(clue, handler)
    _step(clue, handler, "file")
    made = _draft(handler, clue)
    with connections["owner"].cursor() as cursor:
        cursor.execute("alter table audit_auditevent rename to audit_elsewhere")
    try:
        for act in (
            lambda: _draft(handler, clue),
            lambda: writing.take(by=handler, at=timezone.now(), pk=made.pk, form="docx"),
            lambda: writing.void(by=handler, at=timezone.now(), pk=made.pk, reason="x"),
        ):
            with pytest.raises(AuditUnavailable):
                act()
    finally:
        with connections["owner"].cursor() as cursor:
            cursor.execute("alter table audit_elsewhere rename to audit_auditevent")
    assert [d.state for d in Document.objects.using("owner").all()] == ["draft"]


def _sql(statement: str) -> None:
    with connections["default"].cursor() as cursor:
        cursor.execute(statement)


def _client(who) -> Client:  # type: ignore[no-untyped-def]
    client = Client()
    client.force_login(who)
    return client


def test_the_pages_lead_from_the_clue_to_a_numbered_document(clue, handler) -> None:
    desk = _client(handler)
    _act(clue, handler)
    assert "选择办理轨道后" not in desk.get(f"/clues/{clue}").content.decode()
    _step(clue, handler, "file")
    path = f"/clues/{clue}/documents/consultation"
    assert path in desk.get(f"/clues/{clue}").content.decode()
    assert "【待填：磋商事项】" in desk.get(path).content.decode()
    looked = desk.post(path, {"b-磋商事项": "看一看<b>", "look": "1"})
    assert "看一看&lt;b&gt;" in looked.content.decode() and not Document.objects.using("owner").exists()
    made = desk.post(path, {"b-磋商事项": "整改安排", "b-磋商时间地点": "本院"})
    document = made["Location"]
    page = desk.get(document).content.decode()
    assert "整改安排" in page and "草稿" in page and " style=" not in page
    wrong = desk.post(
        f"{document}/number", {"official_number": "楚市检磋〔2026〕3号", "approver": "", "dated_on": ""}
    )
    assert wrong.status_code == 409 and "楚市检磋〔2026〕3号" in wrong.content.decode()
    entry = {
        "official_number": "楚市检磋〔2026〕3号",
        "approver": "检察长",
        "dated_on": timezone.localdate().isoformat(),
    }
    assert desk.post(f"{document}/number", entry).status_code == 302
    assert "已制发" in desk.get(f"/clues/{clue}").content.decode()
    taken = desk.get(f"{document}/file/pdf")
    assert taken["Content-Type"] == "application/pdf" and taken.content.startswith(b"%PDF")
    assert "no-store" in taken["Cache-Control"]
    assert desk.get(f"{document}/file/exe").status_code == 404
    assert desk.post(f"{document}/burn").status_code == 404
    one = desk.get(f"/clues/{clue}/sheet").content.decode()
    assert "线索登记表" in one and clue in one and " style=" not in one
    desk.cookies["django_language"] = "en"
    for address, words in (
        (path, "To be filled in"),
        (document, "On record"),
        (f"/clues/{clue}/sheet", "one sheet"),
    ):
        assert words in desk.get(address).content.decode(), address


def test_the_finished_document_comes_back_beside_its_draft(clue, handler) -> None:
    _act(clue, handler)
    _step(clue, handler, "file")
    made, at = _draft(handler, clue), timezone.now()
    pdf, number = b"%PDF-1.7 finished", "楚市检磋〔2026〕3号"
    desk, page = _client(handler), f"/documents/{made.pk}"

    def put(content: bytes, said: str = number):  # type: ignore[no-untyped-def]
        file = SimpleUploadedFile("finished.pdf", content)
        return desk.post(f"{page}/final", {"official_number": said, "file": file})

    assert "先登记文书编号" in put(pdf).content.decode()
    writing.number(
        by=handler,
        at=at,
        pk=made.pk,
        official_number=number,
        approver="检察长",
        dated_on=timezone.localdate(),
    )
    for content, said, words in (
        (pdf, "楚市检磋〔2026〕4号", "不一致"),
        (b"MZ not a document", number, "只收 DOCX"),
        (_macros(), number, "只收 DOCX"),
        (b"", number, "请选择文件"),
    ):
        refused = put(content, said)
        assert refused.status_code == 409 and words in refused.content.decode(), words
    assert put(pdf).status_code == 302 and put(pdf).status_code == 302
    docx = reading.content_of(made)
    assert put(docx).status_code == 302
    held = finals.listed(handler, made)
    assert [(f.form, f.size, f.digest) for f in held] == [
        ("docx", len(docx), hashlib.sha256(docx).hexdigest()), ("pdf", len(pdf), hashlib.sha256(pdf).hexdigest()),
    ]  # fmt: skip
    taken = desk.get(f"/documents/finals/{held[1].code}")
    assert taken.content == pdf and "attachment" in taken["Content-Disposition"]
    assert held[1].digest[:16] in desk.get(page).content.decode()
    assert (
        _client(person("far", office="532302", roles=("head",)))
        .get(f"/documents/finals/{held[1].code}")
        .status_code
        == 404
    )
    analyst = _client(person("near", office="532301", roles=("analyst",)))
    assert analyst.get(f"/documents/finals/{held[1].code}").status_code == 403
    assert [a for a, _r, _d in _audited()].count("document.final") == 2
    with pytest.raises(ProgrammingError), transaction.atomic():
        _sql("update supervision_documentfinal set digest = 'x'")
    writing.void(by=handler, at=at, pk=made.pk, reason="文号有误")
    assert put(pdf + b"2").status_code == 409


def _macros() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as package:
        package.writestr("word/document.xml", "<x/>")
        package.writestr("word/vbaProject.bin", "x")
    return out.getvalue()
