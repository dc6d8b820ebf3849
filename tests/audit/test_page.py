"""The administrator's page: who may look, what it finds, what leaves it, and what happens when audit is down."""

from __future__ import annotations

import csv
import io
import json
from datetime import timedelta
from urllib.parse import quote

import pytest
from django.db import connections
from django.test import Client
from openpyxl import load_workbook

from chuxiong.accounts import rights
from chuxiong.audit import origin, selectors
from chuxiong.audit.record import AuditUnavailable
from chuxiong.audit.selectors import Filters, Reader
from supervision.clues import actions
from supervision.models import Clue
from tests.front import carry
from tests.journeys import test_agency_answer as journey
from tests.prefecture import NOW, TODAY, person

agency, letter = journey.agency, journey.letter


@pytest.fixture
def auditor(chain):
    made = person("auditor", roles=("audit_admin",))
    client = Client(raise_request_exception=True)
    client.force_login(made)
    return client


def _events(chain) -> list[tuple]:
    return chain.ask(
        "select actor, action, object_ref, ip, device, session, reason, detail from audit_auditevent order by id"
    )


def test_only_the_audit_administrator_sees_the_page(chain, auditor):
    chain.write(2)
    assert auditor.get("/audit/").status_code == 200
    for roles in (("prosecutor",), ("system_admin",), ("security_admin",), ()):
        client = Client()
        client.force_login(person("p-" + "-".join(roles), roles=roles))
        assert client.get("/audit/").status_code == 403
        assert client.post("/audit/export", {"export_reason": "x"}).status_code == 403
    assert Client().get("/audit/").status_code == 302
    attempts = chain.ask("select actor from audit_auditevent where action = 'audit.refused'")
    assert len(attempts) == 8
    assert ("p-system_admin",) in attempts


def test_the_database_answers_nobody_else_either(chain):
    """The second wall: the web role asks directly, with and without a name."""
    chain.write(3)
    person("auditor", roles=("audit_admin",))
    person("lin", roles=("prosecutor",))
    connections["owner"].cursor().execute(
        "update accounts_person set is_active = false, left_at = now() where username = 'auditor'"
    )
    for name in ("", "lin", "auditor", "nobody"):
        page = selectors.events_page(Reader(name, "532300"), Filters(), at=NOW)
        assert page.events == []
        assert page.state.rows == 0
    connections["owner"].cursor().execute(
        "update accounts_person set is_active = true, left_at = null where username = 'auditor'"
    )
    assert len(selectors.events_page(Reader("auditor", "532300"), Filters(), at=NOW).events) == 8


def test_each_look_and_each_export_leaves_one_row(chain, auditor):
    auditor.get(
        "/audit/",
        {"actor": "lin"},
        headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/131.0.1 Safari/537"},
    )
    auditor.post("/audit/export", {"export_reason": "季度检查", "as": "csv", "actor": "auditor"})
    rows = _events(chain)
    assert [row[:3] for row in rows] == [
        ("auditor", "audit.read", ""),
        ("auditor", "audit.export", ""),
    ]
    read, export = rows
    assert read[3:5] == ("127.0.0.1", "Chrome 131 · Linux")
    assert len(read[5]) == 16
    assert json.loads(read[7]) == {"actor": "lin"}
    assert export[6] == "季度检查"
    assert json.loads(export[7]) == {"actor": "auditor", "rows": 1}


def test_filters_and_keyset_pages_lose_and_repeat_nothing(chain, auditor):
    for n in range(130):
        chain.write(
            at=NOW - timedelta(hours=n % 7),
            actor="lin" if n % 2 else "zhou",
            action="clue.read" if n % 3 else "clue.accept",
            object_ref=f"XS-2026-{n:06d}",
            office="532301" if n % 5 else "532300",
        )
    who = Reader("auditor", "532300")

    def all_of(filters: Filters) -> list[selectors.Event]:
        found, before = [], None
        while True:
            page = selectors.events_page(who, filters, at=NOW, before=before)
            found += page.events
            before = page.older
            if before is None:
                return [e for e in found if e.actor != "auditor"]

    everything = all_of(Filters())
    assert len({e.id for e in everything}) == len(everything) == 130
    assert [(e.at, e.id) for e in everything] == sorted(((e.at, e.id) for e in everything), reverse=True)
    assert {e.actor for e in all_of(Filters(actor="lin"))} == {"lin"}
    assert len(all_of(Filters(actor="lin"))) == 65
    assert len(all_of(Filters(action="clue"))) == 130
    assert len(all_of(Filters(action="clue.accept"))) == 44
    assert len(all_of(Filters(object_ref="XS-2026-000007"))) == 1
    assert len(all_of(Filters(office="532300"))) == 26
    hours = all_of(Filters(since=NOW - timedelta(hours=2), until=NOW))
    assert {NOW - e.at for e in hours} == {timedelta(hours=1), timedelta(hours=2)}
    # The same on the page, by its links.
    seen, path = set(), "/audit/?action=clue"
    while path:
        body = auditor.get(path).content.decode()
        seen |= {part.split('"')[0] for part in body.split('data-event="')[1:]}
        path = (
            "/audit/" + body.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
            if 'rel="next"' in body
            else ""
        )
    assert len(seen) == 130


def test_dates_are_whole_days_of_this_place_and_bad_input_is_answered(chain, auditor):
    chain.write(at=NOW.replace(hour=0, minute=0), object_ref="first")
    chain.write(at=NOW.replace(hour=23, minute=59), object_ref="last")
    chain.write(at=NOW + timedelta(days=1), object_ref="after")
    body = auditor.get("/audit/", {"since": str(TODAY), "until": str(TODAY)}).content.decode()
    assert ">first<" in body and ">last<" in body and ">after<" not in body
    bad = auditor.get("/audit/", {"since": "5/11"})
    assert bad.status_code == 400
    assert "2026-11-05" in bad.content.decode()
    assert auditor.get("/audit/", {"since": "2026-11-05", "until": "2026-11-01"}).status_code == 400
    assert auditor.get("/audit/", {"before": "x.1", "actor": "\x00"}).status_code == 200


_FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "＝1",
    "＋1",
    "－1",
    "＠x",
    " =cmd|' /C calc'!A0",
    "plain",
    "a=b",
]


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_no_cell_of_an_export_is_a_formula(chain, auditor, form):
    for text in _FORMULAS:
        chain.write(reason=text, object_ref=text[:80], actor=text[:60])
    response = auditor.post("/audit/export", {"export_reason": "检查", "as": form, "action": "clue"})
    assert response["Cache-Control"] == "no-store"
    data = b"".join(response.streaming_content)
    if form == "csv":
        assert data.startswith(b"\xef\xbb\xbf")
        table = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline="")))
    else:
        sheet = load_workbook(io.BytesIO(data)).active
        assert "f" not in {cell.data_type for row in sheet.iter_rows() for cell in row}
        table = [[str(cell.value or "") for cell in row] for row in sheet.iter_rows()]
    assert table[0][:3] == ["编号", "时间", "人员"]
    assert len(table) == 1 + len(_FORMULAS)
    for row in table[1:]:
        for cell in row:
            assert not cell.lstrip().startswith(("=", "+", "-", "@", "＝", "＋", "－", "＠")), cell
    reasons = {row[7] for row in table[1:]}
    assert {"plain", "a=b", "'=1+1", "'＝1"} <= reasons


def test_an_export_needs_a_reason_and_has_a_limit(chain, auditor, monkeypatch):
    chain.write(20)
    assert auditor.post("/audit/export", {"export_reason": " ", "as": "csv"}).status_code == 400
    from chuxiong.audit import retention

    figures = dict(retention.policy())
    figures["export_rows"] = retention.Figure(5, "", "", "")
    monkeypatch.setattr(selectors, "policy", lambda: figures)
    refused = auditor.post("/audit/export", {"export_reason": "检查", "as": "xlsx"})
    assert refused.status_code == 409
    assert "缩短时间范围" in refused.content.decode()
    assert "audit.export" not in {row[1] for row in _events(chain)}


def test_the_page_shows_numbers_and_no_subjects(chain, auditor):
    """A clue about somebody: its acts stand there by number, nobody's name does."""
    zhou = person("zhou", roles=("prosecutor", "dispatcher"))
    clue = actions.enter(
        by=zhou,
        at=NOW,
        title="赵样本骗保",
        office="532301",
        township="鹿城镇",
        occurred_on=TODAY,
        level="ordinary",
        text="赵样本领取",
    )
    body = auditor.get("/audit/").content.decode()
    assert clue.number in body
    assert "录入线索" in body
    actions.accept(clue_number=clue.number, by=zhou, at=NOW)
    assert "由 待研判，至 已采纳" in auditor.get("/audit/").content.decode()
    assert "赵样本" not in body
    assert "鹿城镇" not in body


def test_both_languages(chain, auditor):
    chain.write(action="clue.accept")
    auditor.cookies["django_language"] = "en"
    body = auditor.get("/audit/").content.decode()
    assert "Audit records" in body
    assert "Accept" in body


def test_acts_of_a_process_name_its_machine(chain):
    import socket

    chain.write()
    with origin.coming_from(origin.Origin(ip="10.1.2.3", device="x", session="abc")):
        chain.write()
    assert _events(chain)[0][4].startswith(socket.gethostname())
    assert _events(chain)[1][3:6] == ("10.1.2.3", "x", "abc")


# ---- audit down -----------------------------------------------------------------------------------


@pytest.fixture(params=["revoked", "renamed"])
def audit_down(request, chain):
    statements = {
        "revoked": (
            "revoke insert on audit_auditevent from cx_web, cx_worker, cx_intake",
            None,
        ),
        "renamed": (
            "alter table audit_auditevent rename to audit_gone",
            "alter table audit_gone rename to audit_auditevent",
        ),
    }
    down, up = statements[request.param]

    class Down:
        def __call__(self) -> None:
            connections["owner"].cursor().execute(down)

        def over(self) -> None:
            with connections["owner"].cursor() as cursor:
                if up:
                    cursor.execute("select to_regclass('audit_gone') is not null")
                    if cursor.fetchone()[0]:
                        cursor.execute(up)
            rights.apply(connections["owner"])

    store = Down()
    yield store
    store.over()


def _a_clue(by) -> Clue:  # type: ignore[no-untyped-def]
    return actions.enter(
        by=by,
        at=NOW,
        title="占用河道",
        office="532301",
        township="鹿城镇",
        occurred_on=TODAY,
        level="ordinary",
        text="占用河道",
    )


def test_without_audit_acts_are_refused_and_the_wall_goes_on(chain, audit_down):
    zhou = person("zhou", roles=("prosecutor", "dispatcher"))
    clue = _a_clue(zhou)
    client = Client(raise_request_exception=True)
    client.force_login(zhou)
    before = client.get("/wall/snapshot").json()["funnel"]
    audit_down()
    refused = client.post(f"/clues/{clue.number}/accept", {"note": ""})
    assert refused.status_code == 503
    assert "审计不可用，操作未执行" in refused.content.decode()
    assert refused["Retry-After"] == "60"
    client.cookies["django_language"] = "en"
    assert "nothing was done" in client.get(f"/clues/{clue.number}").content.decode()
    with pytest.raises(AuditUnavailable):
        _a_clue(zhou)
    assert chain.ask("select state, version from supervision_clue") == [("raised", clue.version)]
    assert chain.ask("select count(*) from supervision_clueevent") == [(1,)]
    # Screens of counts and pages that show no person's matter go on.
    answer = client.get("/wall/snapshot")
    assert answer.status_code == 200
    assert answer.json()["funnel"] == before
    assert before["found"] == 1
    assert client.get("/feeds").status_code == 200
    # Names stand on the queue: a look at it leaves a row or does not happen.
    assert client.get("/").status_code == 503


def test_without_audit_an_agencys_answer_waits_at_the_front(agency, letter, chain, audit_down):
    """The front takes it and keeps it sealed; inside nothing is done until a trace of it can be left."""
    path = f"/api/v1/received/{quote(letter.number)}"
    tag = agency.send("GET", path).headers["ETag"]
    assert agency.send("POST", f"{path}/acknowledge", {}, **{"If-Match": tag}).status_code == 200
    audit_down()
    for _again in range(2):
        with pytest.raises(AuditUnavailable):
            carry()
    assert chain.ask("select acknowledged_at from supervision_letter") == [(None,)]
    audit_down.over()
    assert carry() == 1
    assert chain.ask("select count(*) from supervision_letter where acknowledged_at is not null") == [(1,)]


def test_without_audit_a_workers_job_waits_and_is_done_later(chain, audit_down):
    """An act of the worker rolls back with its effect and is tried again."""
    from chuxiong.audit.record import record
    from chuxiong.work import jobs
    from tests.conftest import acting_as

    @jobs.handler("audit.trial")
    def run(claim: jobs.Claim) -> None:
        record(at=NOW, actor="worker", action="trial.done", object_kind="job", object_ref=claim.key)

    with acting_as("worker"):
        jobs.enqueue("audit.trial", "1")
        audit_down()
        jobs.work_off(kinds=["audit.trial"])
    assert chain.ask("select state from work_job where kind = 'audit.trial'") == [("queued",)]
    jobs._handlers.pop("audit.trial")
