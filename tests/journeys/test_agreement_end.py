"""An agreement ends: imports stop, its rules stop, and what only it brought is cleared by two people."""

from __future__ import annotations

import io
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.db import DatabaseError, connections, transaction

from chuxiong.accounts.refused import Refused
from chuxiong.accounts.scope import scope
from chuxiong.vault import refs
from chuxiong.work.jobs import work_off
from ingestion import agreements as permits
from ingestion.cameras import demo_stream, viewing
from ingestion.cameras import selectors as camera_frames
from ingestion.cameras.registering import register
from ingestion.health.measuring import measure
from ingestion.intake import take_in as taking
from ingestion.intake.receive import ImportRefused, receive, store_path
from ingestion.models import Agreement, AgreementClearing, AgreementEvent, Batch, BatchMeasure, Touch
from ingestion.registers import agreement_actions as actions
from ingestion.registers import clearing as pool
from ingestion.selectors import catalog, covered_until, feed_states, last_landing
from supervision import selectors
from supervision.clearing import work
from supervision.clues import actions as clues
from supervision.matching.run import run_rule
from tests.conftest import acting_as
from tests.ingestion.test_cameras import GOOD, ONE, png
from tests.prefecture import (
    NOW,
    TODAY,
    agreements,
    arbitration,
    bring,
    citizen,
    cremation,
    death,
    land_rows,
    payment,
    person,
    sheet,
    suit,
    wage_clue,
)

PAYMENTS = "hr_pension_payment"


def _pool(sql: str, *params: object) -> list[tuple]:
    with connections["intake"].cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def _ref(number: str) -> uuid.UUID | None:
    return refs.find(connections["intake"], "citizen_id", number)


def _in_vault(ref: uuid.UUID | None) -> bool:
    return bool(_pool("select 1 from vault_identifier where ref = %s::uuid", str(ref)))


def _account(number: str) -> str:
    return f"6222{number[-14:]}"


def _payment(number: str, month: int) -> dict[str, str]:
    row = payment(number, f"2026{month:02d}", "2500")
    return row | ({} if number == citizen(9) else {"bank_account": _account(number)})


def _payments(numbers: list[str], months: range, name: str):
    rows = [_payment(n, m) for n in numbers for m in months]
    return bring(PAYMENTS, sheet(PAYMENTS, rows), name=name)


@pytest.fixture
def story(database):
    """Number 7 draws a pension after death (a clue); 8 and 9 are ordinary payees; 9 is in the household register."""
    agreements(valid_to=TODAY + timedelta(days=500))
    Agreement.objects.using("owner").update(valid_from=TODAY - timedelta(days=100))
    dead, payee, registered = citizen(7), citizen(8), citizen(9)
    land_rows("ps_population_death", [death(dead, "2026-03-10"), death(registered, "", status="正常")])
    land_rows("ca_funeral", [cremation(dead, "2026-03-10", 1)])
    mixed = _payments([dead, payee], range(3, 8), "mixed.csv")
    ordinary = _payments([payee, registered], range(8, 10), "ordinary.csv")
    with acting_as("worker"):
        run_rule("pension_after_death", at=NOW, as_of=TODAY, full=True)
        work_off(kinds=["landed", "measure"])
    return {"dead": dead, "payee": payee, "registered": registered, "mixed": mixed, "ordinary": ordinary}


def _end(by, number: str = f"T-{PAYMENTS}") -> Agreement:
    agreement = Agreement.objects.get(number=number)
    return actions.end(by=by, pk=agreement.pk, at=NOW, on=TODAY - timedelta(days=1), reason="单位停止共享")


def _work() -> None:
    """What the queued job does, at the story's own time."""
    ((pk,),) = _owner(
        "select payload ->> 'clearing' from work_job where kind = 'clearing' and state = 'queued'"
    )
    with acting_as("worker"):
        work(int(pk), at=NOW)
    _owner("update work_job set state = 'done' where kind = 'clearing' returning 1")


def test_the_rules_that_stop_are_named_before_and_stop_after(story):
    number = f"T-{PAYMENTS}"
    stopping = selectors.rules_that_stop([number, "T-vd_enforcement_video"], on=TODAY)
    assert "pension_after_death" in {r.id for r in stopping[number]}
    assert stopping["T-vd_enforcement_video"] == []
    reading = {r.id for r in selectors.rules_by_feed()[PAYMENTS]}
    assert {r.id for r in stopping[number]} == reading
    before = len(selectors.clue_page(person("looker"), selectors.ClueFilters()).rows)
    assert before == 1
    custodian = person("custodian", roles=("custodian",))
    _end(custodian)
    assert selectors.rules_that_stop([number], on=TODAY)[number] == [], "what stands still cannot stop"
    assert not permits.check({PAYMENTS: ["citizen_id"]}, on=TODAY).allowed
    with pytest.raises(ImportRefused) as refused:
        _payments([story["payee"]], range(10, 11), "late.csv")
    assert "失效" in refused.value.problem.what and "文件未保存" in refused.value.problem.cure
    covered = covered_until([PAYMENTS], landing=last_landing())
    with acting_as("worker"):
        assert run_rule("pension_after_death", at=NOW, as_of=TODAY).mode == "stopped"
    assert covered_until([PAYMENTS], landing=last_landing()) == covered, (
        "nothing claims more than was delivered"
    )
    assert len(selectors.clue_page(person("again"), selectors.ClueFilters()).rows) == before, (
        "nothing withdrawn"
    )


def test_what_only_the_agreement_brought_goes_and_the_rest_stays(story):
    custodian, head = person("custodian", roles=("custodian",)), person("head", roles=("head",))
    agreement = _end(custodian)
    clearing = actions.request_clearing(by=custodian, pk=agreement.pk, at=NOW, reason="协议第八条")
    kept = {n: _ref(story[n]) for n in ("dead", "payee", "registered")}
    records = _pool(f"select count(*) from pool.{PAYMENTS}")[0][0]
    _work()
    clearing.refresh_from_db()
    assert clearing.state == "counted"
    preview = clearing.preview[PAYMENTS]
    assert preview["records"] == records == 14
    evidence = _owner(
        "select count(*) from supervision_clue c, jsonb_array_elements(c.evidence) e where e ->> 'feed' = %s",
        PAYMENTS,
    )[0][0]
    assert evidence >= 3 and preview["held"] == evidence
    assert preview["held"] + preview["cleared"] == records
    assert (preview["batches"], preview["batches_cleared"]) == (2, 1)
    assert preview["identifiers_cleared"] == 2, "the payee's number and account alone"
    assert _pool(f"select count(*) from pool.{PAYMENTS}")[0][0] == records, "counting removes nothing"

    with pytest.raises(Refused):
        actions.decide_clearing(by=custodian, pk=clearing.pk, at=NOW, approve=True, note="同意")
    actions.decide_clearing(by=head, pk=clearing.pk, at=NOW, approve=True, note="同意")
    landing = last_landing()
    _work()
    clearing.refresh_from_db()
    assert clearing.state == "done" and len(clearing.receipt) == 64
    result = clearing.result[PAYMENTS]
    assert {k: v for k, v in result.items() if k != "landing"} == preview, "what was told is what was done"

    left = _pool(f"select citizen_id, batch_id from pool.{PAYMENTS}")
    assert {ref for ref, _ in left} == {kept["dead"]} and len(left) == evidence
    assert _in_vault(kept["dead"]) and _in_vault(kept["registered"]) and not _in_vault(kept["payee"])
    assert _ref(story["payee"]) is None
    mixed, ordinary = (Batch.objects.using("intake").get(pk=story[n].pk) for n in ("mixed", "ordinary"))
    keyed = {b for (b,) in _pool("select batch from vault_batchkey")}
    assert mixed.pk in keyed and store_path(mixed.layout["store"]).exists(), "evidence keeps its original"
    assert ordinary.pk not in keyed and not store_path(ordinary.layout["store"]).exists()
    assert not BatchMeasure.objects.filter(batch=ordinary).exists()
    assert BatchMeasure.objects.filter(batch=mixed).exists()
    assert Batch.objects.using("intake").filter(feed="ps_population_death").exists()
    assert _pool("select count(*) from pool.ps_population_death")[0][0] == 2

    told = {
        (t.feed, t.kind, t.ref)
        for t in Touch.objects.using("intake").filter(landing__gt=landing, cause="agreement")
    }
    subjects = {(PAYMENTS, "person", str(kept[n])) for n in ("payee", "registered")}
    assert subjects <= told
    assert covered_until([PAYMENTS], landing=last_landing()) == {PAYMENTS: None}, "absence proves nothing now"
    state = next(s for s in feed_states(on=TODAY) if s.code == PAYMENTS)
    assert state.covers_until is None and state.rows_last != 0, "the clearing is no delivery"
    kinds = list(AgreementEvent.objects.filter(agreement=agreement).values_list("kind", flat=True))
    assert kinds == ["end", "clearing_requested", "clearing_approved", "cleared"]
    audited = {
        a for (a,) in _owner("select action from audit_auditevent where object_ref = %s", agreement.number)
    }
    assert {
        "agreement.end",
        "agreement.clearing_requested",
        "agreement.clearing_approved",
        "agreement.cleared",
    } <= audited

    with acting_as("worker"):
        work(clearing.pk, at=NOW)
    assert last_landing() == result["landing"], "done once"


def _owner(sql: str, *params: object) -> list[tuple]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def test_another_agreement_keeps_the_records_and_covers_its_own_columns_only(story):
    custodian, head = person("custodian", roles=("custodian",)), person("head", roles=("head",))
    row = _payment(story["payee"], 8)
    accounts = {
        name: refs.find(connections["intake"], "bank_account", _account(story[name]))
        for name in ("dead", "payee")
    }
    assert all(accounts.values())
    agreement = _end(custodian)
    columns = [c.name for c in catalog()[PAYMENTS].columns if c.name not in ("bank_account", "pay_status")]
    renewal = actions.Terms(
        number="T-续", agency=agreement.agency, title="续签", signed_on=TODAY - timedelta(days=1), valid_from=TODAY,
        valid_to=TODAY + timedelta(days=365), fields={PAYMENTS: columns}, custodian="甲", agency_custodian="乙",
    )  # fmt: skip
    actions.register(by=custodian, at=NOW, feeds=catalog(), terms=renewal, renews=agreement.pk)
    clearing = actions.request_clearing(by=custodian, pk=agreement.pk, at=NOW, reason="协议第八条")
    _work()
    actions.decide_clearing(by=head, pk=clearing.pk, at=NOW, approve=True, note="同意")
    _work()
    clearing.refresh_from_db()
    assert clearing.result[PAYMENTS]["kept_by"] == ["T-续"]
    assert clearing.result[PAYMENTS]["emptied_columns"] == ["pay_status", "bank_account"]
    filled = _pool(
        f"select count(*), count(pay_status), count(amount_cny), count(citizen_id) from pool.{PAYMENTS}"
    )
    # What is evidence stays as it is, with the file that it came in.
    held = clearing.result[PAYMENTS]["held"]
    assert filled == [(14, held, 14, 14)] and 0 < held < 14
    assert _ref(story["payee"]) is not None
    assert not _in_vault(accounts["payee"]), "an account that no record names any more is forgotten"
    assert _in_vault(accounts["dead"]), "the evidence names this one"
    mixed, ordinary = (Batch.objects.using("intake").get(pk=story[n].pk) for n in ("mixed", "ordinary"))
    keyed = {b for (b,) in _pool("select batch from vault_batchkey")}
    assert mixed.pk in keyed and store_path(mixed.layout["store"]).exists()
    assert ordinary.pk not in keyed and not store_path(ordinary.layout["store"]).exists()
    assert _pool("select count(*) from ingestion_quarantine where batch_id = %s", ordinary.pk) == [(0,)]
    # The same row in full is no row that is held already.
    wider = actions.Terms(
        number="T-全", agency=agreement.agency, title="扩围", signed_on=TODAY - timedelta(days=1), valid_from=TODAY,
        valid_to=TODAY + timedelta(days=365), fields={PAYMENTS: ["*"]}, custodian="甲", agency_custodian="乙",
    )  # fmt: skip
    actions.register(by=custodian, at=NOW, feeds=catalog(), terms=wider, renews=None)
    again = bring(PAYMENTS, sheet(PAYMENTS, [row]), name="wider.csv")
    assert again.state == "landed"
    current = _pool(
        f"select count(*), count(bank_account) from pool.{PAYMENTS} where to_landing is null and batch_id = %s",
        again.pk,
    )
    assert current == [(1, 1)]


def test_kept_frames_go_with_the_agreement_of_their_camera_unless_a_clue_names_them(story):
    custodian, head = person("custodian", roles=("custodian",)), person("head", roles=("head",))
    register(GOOD, name="cameras.yaml")
    frames = []
    for moment in (NOW, NOW + timedelta(seconds=3)):
        ticket = viewing.ask(code=ONE, purpose="patrol", by=head, stay="stay", at=moment)
        viewing.open_(ticket.token, by=head, stay="stay", at=moment)
        segment = f"{demo_stream.newest(moment.timestamp()) - 2}.m4s"
        frames.append(
            viewing.keep_frame(
                ticket.token, image=png(), segment=segment, stream_at=moment, note="", by=head, stay="stay", at=moment
            )
        )  # fmt: skip
    clues.enter(
        by=head, at=NOW, title="河道堆放垃圾", office="532301", township="东瓜镇", occurred_on=TODAY, level="ordinary",
        text=f"定格画面 {frames[0].number}",
    )  # fmt: skip
    agreement = _end(custodian, "T-vd_enforcement_video")
    clearing = actions.request_clearing(by=custodian, pk=agreement.pk, at=NOW, reason="协议第八条")
    _work()
    clearing.refresh_from_db()
    told = {"records": 2, "held": 1, "cleared": 1}
    assert clearing.preview["camera_frame"] == told
    with pytest.raises(DatabaseError), transaction.atomic(using="intake"):
        _pool("update ingestion_cameraframe set sealed = '' where cleared_at is null returning 1")
    actions.decide_clearing(by=head, pk=clearing.pk, at=NOW, approve=True, note="同意")
    _work()
    clearing.refresh_from_db()
    assert clearing.result["camera_frame"] == told
    assert camera_frames.frame_image(head, frames[0].number, at=NOW) == ("image/png", png())
    assert camera_frames.frame_image(head, frames[1].number, at=NOW) is None
    left = _owner(
        "select length(sealed), length(segment_sealed), length(key) from ingestion_cameraframe order by id"
    )
    assert all(left[0]) and left[1] == (0, 0, 0)
    assert camera_frames.frame(head, frames[1].number).digest == frames[1].digest, (
        "that it was kept stays on record"
    )


def test_two_clearings_at_once_do_not_spare_for_each_other_what_neither_keeps(story):
    """The payee is named by payments and by a household record; both agreements end and are cleared side by side."""
    custodian, head = person("custodian", roles=("custodian",)), person("head", roles=("head",))
    other = "ps_population_death"
    bring(other, sheet(other, [death(story["payee"], "", status="正常")]))
    began = []
    for number in (f"T-{PAYMENTS}", f"T-{other}"):
        agreement = _end(custodian, number)
        clearing = actions.request_clearing(by=custodian, pk=agreement.pk, at=NOW, reason="协议第八条")
        _work()
        actions.decide_clearing(by=head, pk=clearing.pk, at=NOW, approve=True, note="同意")
        _owner("update work_job set state = 'done' where kind = 'clearing' returning 1")
        began.append(pool.begin(clearing.pk, today=TODAY).pk)
    ref = _ref(story["payee"])
    with ThreadPoolExecutor(1) as beside:
        with transaction.atomic(using="intake"):
            pool.clear_feed(began[0], PAYMENTS, catalog(), at=NOW, today=TODAY)
            second = beside.submit(_beside, began[1], other)
            with pytest.raises(TimeoutError):
                second.result(timeout=1)
        second.result(timeout=30)
    print(
        _owner("select agreement_id, state, result::text from ingestion_agreementclearing"),
        _owner("select id, feed, agreement_id from ingestion_batch"),
    )
    assert not _in_vault(ref), "nobody names it any more"


def _beside(clearing: int, code: str) -> None:
    try:
        pool.clear_feed(clearing, code, catalog(), at=NOW, today=TODAY)
    finally:
        connections.close_all()


def test_coverage_that_went_makes_the_rule_undecided_and_marks_the_clue(database):
    """After a renewal the absent feed of “without” says nothing: hits become undecided, clues beyond triage are marked."""
    agreements(valid_to=TODAY + timedelta(days=500))
    Agreement.objects.using("owner").update(valid_from=TODAY - timedelta(days=100))
    worker = citizen(31)
    land_rows("hr_wage_arrears", [wage_clue(worker, 1, "2026-05-01", "30000", "立案")])
    land_rows("hr_labour_arbitration", [arbitration(citizen(41), 1, "2026-06-01")], covers=TODAY)
    bring(
        "ct_trial_case", sheet("ct_trial_case", [_docket(suit([citizen(40)], 3, "2026-06-01"))]), covers=TODAY
    )
    with acting_as("worker"):
        run_rule("wage_support_suit", at=NOW, as_of=TODAY, full=True)
    head = person("head", roles=("head",))
    rows = selectors.clue_page(head, selectors.ClueFilters()).rows
    assert len(rows) == 1, "the story needs its clue"
    number = rows[0].number
    clues.accept(clue_number=number, by=head, at=NOW)
    clues.dispatch(clue_number=number, by=head, at=NOW, office="532301")
    custodian = person("custodian", roles=("custodian",))
    agreement = _end(custodian, "T-ct_trial_case")
    clearing = actions.request_clearing(by=custodian, pk=agreement.pk, at=NOW, reason="协议第八条")
    _work()
    actions.decide_clearing(by=head, pk=clearing.pk, at=NOW, approve=True, note="同意")
    _work()
    renewal = actions.Terms(
        number="T-续", agency=agreement.agency, title="续签", signed_on=TODAY - timedelta(days=1), valid_from=TODAY,
        valid_to=TODAY + timedelta(days=365), fields={"ct_trial_case": ["*"]}, custodian="甲", agency_custodian="乙",
    )  # fmt: skip
    actions.register(by=custodian, at=NOW, feeds=catalog(), terms=renewal, renews=agreement.pk)
    with acting_as("worker"):
        result = run_rule("wage_support_suit", at=NOW, as_of=TODAY)
    assert result.mode == "full", "a rule whose feed was cleared looks at everything anew"
    assert (result.source_changed, result.withdrawn) == (1, 0)
    found = selectors.clue_detail(head, number, at=NOW)
    assert [c["verdict"] for c in found.source_changes] == ["undecided"]


def _docket(row: dict[str, str]) -> dict[str, str]:
    filled = dict(row)
    for column in catalog()["ct_trial_case"].delivered:
        if column.required and column.name not in filled:
            filled[column.name] = {"date": "2026-06-01", "division": "532301"}.get(
                column.type, next(iter(column.codes), "示例")
            )
    return filled


def test_the_database_removes_nothing_that_two_people_have_not_decided(story):
    custodian = person("custodian", roles=("custodian",))
    pk = Agreement.objects.get(number=f"T-{PAYMENTS}").pk
    with pytest.raises(Refused, match="先终止"):
        actions.request_clearing(by=custodian, pk=pk, at=NOW, reason="试")
    with pytest.raises(Refused, match="最后有效日"):
        actions.end(by=custodian, pk=pk, at=NOW, on=TODAY - timedelta(days=2), reason="倒签")
    with pytest.raises(Refused, match="不在您的职责内"):
        actions.end(by=person("stranger"), pk=pk, at=NOW, on=TODAY, reason="越权")
    # An end that was planned is brought forward, never put off.
    planned = actions.end(by=custodian, pk=pk, at=NOW, on=TODAY + timedelta(days=9), reason="协商终止")
    assert planned.last_day == TODAY + timedelta(days=9)
    with pytest.raises(Refused, match="只能改为更早"):
        actions.end(by=custodian, pk=pk, at=NOW, on=TODAY + timedelta(days=10), reason="推迟")
    earlier = actions.end(by=custodian, pk=pk, at=NOW, on=TODAY + timedelta(days=8), reason="提前")
    assert earlier.last_day == TODAY + timedelta(days=8)
    agreement = _end(custodian)
    with pytest.raises(Refused, match="终止"):
        _end(custodian)
    clearing = actions.request_clearing(by=custodian, pk=agreement.pk, at=NOW, reason="协议第八条")
    records = _pool(f"select count(*) from pool.{PAYMENTS}")
    assert _pool(f"delete from pool.{PAYMENTS} returning 1") == [], "the policy shows it nothing to delete"
    for sql in (
        "delete from vault_identifier",
        f"update ingestion_agreementclearing set state = 'clearing' where id = {clearing.pk}",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(using="intake"):
            _pool(sql + " returning 1")
    with pytest.raises(pool.NotApproved):
        pool.begin(clearing.pk, today=TODAY)
    _work()
    for change in (
        {"state": "approved", "decided_by": "custodian"},
        {"state": "done", "decided_by": "somebody"},
    ):
        with pytest.raises(DatabaseError), scope(offices=(), person="custodian"):
            AgreementClearing.objects.filter(pk=clearing.pk).update(**change)
    for change in (
        {"fields": {PAYMENTS: ["*"], "mr_enterprise": ["*"]}},
        {"ended_on": TODAY + timedelta(days=9)},
    ):
        with pytest.raises(DatabaseError), transaction.atomic():
            Agreement.objects.filter(pk=agreement.pk).update(**change)
    assert _pool(f"select count(*) from pool.{PAYMENTS}") == records


def _cleared(custodian, head, agreement) -> AgreementClearing:  # type: ignore[no-untyped-def]
    clearing = actions.request_clearing(by=custodian, pk=agreement.pk, at=NOW, reason="协议第八条")
    _work()
    actions.decide_clearing(by=head, pk=clearing.pk, at=NOW, approve=True, note="同意")
    _work()
    clearing.refresh_from_db()
    assert clearing.state == "done"
    return clearing


def _renewed(custodian, agreement) -> None:  # type: ignore[no-untyped-def]
    renewal = actions.Terms(
        number="T-续", agency=agreement.agency, title="续签", signed_on=TODAY - timedelta(days=1), valid_from=TODAY,
        valid_to=TODAY + timedelta(days=365), fields={PAYMENTS: ["*"]}, custodian="甲", agency_custodian="乙",
    )  # fmt: skip
    actions.register(by=custodian, at=NOW, feeds=catalog(), terms=renewal, renews=agreement.pk)


def test_what_was_on_its_way_in_is_stopped_by_the_clearing(story):
    """Received and held batches of the ended agreement land no more; nothing of them stays."""
    custodian, head = person("custodian", roles=("custodian",)), person("head", roles=("head",))
    rows = [payment(story["payee"], "202610", "2500")]
    with io.BytesIO(sheet(PAYMENTS, rows).getvalue()) as source:
        waiting, new = receive(source, feed=catalog()[PAYMENTS], file_name="late.csv", by="甲", at=NOW)
    assert new and waiting.state == "received"
    agreement = _end(custodian)
    _cleared(custodian, head, agreement)
    waiting.refresh_from_db(using="intake")
    assert waiting.state == "refused" and "协议已终止" in waiting.problem["what"]
    assert not store_path(waiting.layout["store"]).exists()
    records = _pool(f"select count(*) from pool.{PAYMENTS}")
    with acting_as("worker"):
        work_off(kinds=["take_in"])
    assert _pool(f"select count(*) from pool.{PAYMENTS}") == records


def test_what_was_cleared_may_be_delivered_anew_under_the_next_agreement(story):
    custodian, head = person("custodian", roles=("custodian",)), person("head", roles=("head",))
    rows = [_payment(n, m) for n in (story["payee"], story["registered"]) for m in range(8, 10)]
    agreement = _end(custodian)
    _cleared(custodian, head, agreement)
    _renewed(custodian, agreement)
    again = bring(PAYMENTS, sheet(PAYMENTS, rows), name="ordinary.csv")
    assert again.pk != story["ordinary"].pk and (again.state, again.loaded) == ("landed", 4)
    ref = _ref(story["payee"])
    assert ref and _pool(f"select 1 from pool.{PAYMENTS} where citizen_id = %s::uuid", str(ref))
    same = bring(PAYMENTS, sheet(PAYMENTS, rows), name="ordinary.csv")
    assert same.pk == again.pk, "the same bytes once under one agreement"


def test_refs_forgotten_while_a_file_is_read_are_minted_anew(story, monkeypatch):
    """A file of another feed names the payee just before the clearing makes the vault forget the number."""
    custodian, head = person("custodian", roles=("custodian",)), person("head", roles=("head",))
    agreement, before, cleared = _end(custodian), _ref(story["payee"]), []
    read = taking._stage_all

    def stage_all(*args):  # type: ignore[no-untyped-def]
        found = read(*args)
        if not cleared:
            cleared.append(_cleared(custodian, head, agreement))
        return found

    monkeypatch.setattr(taking, "_stage_all", stage_all)
    feed = "ps_population_death"
    batch = bring(feed, sheet(feed, [death(story["payee"], "", status="正常")]))
    assert cleared and not _in_vault(before) and batch.state == "landed"
    ordinary = Batch.objects.using("intake").get(pk=story["ordinary"].pk)
    assert measure(ordinary.landing, catalog()[PAYMENTS], at=NOW) is None, (
        "what was cleared is measured no more"
    )
    named = _pool(f"select citizen_id from pool.{feed} where batch_id = %s", batch.pk)
    assert named == [(_ref(story["payee"]),)], "the record names a number that the vault knows"


def test_a_record_that_lands_while_a_clearing_counts_keeps_its_number(story, monkeypatch):
    """Between counting what nothing else names and forgetting it, another feed names the payee."""
    custodian, head = person("custodian", roles=("custodian",)), person("head", roles=("head",))
    agreement, before, landed = _end(custodian), _ref(story["payee"]), []
    batches = pool._batches

    def meanwhile(*args):  # type: ignore[no-untyped-def]
        if not landed and AgreementClearing.objects.filter(state="clearing").exists():
            # On this very connection, inside the clearing's transaction: it sees what a landing beside it would leave.
            row = death(story["payee"], "", status="正常")
            landed.append(land_rows("ps_population_death", [row]))
        return batches(*args)

    monkeypatch.setattr(pool, "_batches", meanwhile)
    _cleared(custodian, head, agreement)
    assert landed and _in_vault(before), "somebody names it"
