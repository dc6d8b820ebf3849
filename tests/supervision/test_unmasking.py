"""Names for those whom the clue waits for; numbers for its handler after one reason, audit first."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import InternalError, ProgrammingError, connections, transaction
from django.utils import timezone

from chuxiong.accounts.scope import person_scope
from chuxiong.work.jobs import work_off
from supervision.clues import actions
from supervision.clues.actions import Refused
from supervision.models import Clue, Unmasking
from supervision.reference import REFERENCE
from supervision.selectors import ClueFilters, clue_detail, clue_page
from tests.conftest import acting_as
from tests.prefecture import agreements, bring, citizen, cremation, death, payment, person, sheet

NUMBER = citizen(7)


@pytest.fixture
def clue(database) -> str:
    agreements()
    with acting_as("worker"):
        bring("ps_population_death", sheet("ps_population_death", [death(NUMBER, "2026-01-15")]))
        bring("ca_funeral", sheet("ca_funeral", [cremation(NUMBER, "2026-01-15", 1)]))
        bring(
            "hr_pension_payment",
            sheet("hr_pension_payment", [payment(NUMBER, f"20260{m}", "1500") for m in range(4, 8)]),
        )
        while work_off():
            pass
    with acting_as("owner"):
        return str(Clue.objects.using("owner").values_list("number", flat=True).get())


def _text(who, number: str, *, numbers: bool = False) -> str:  # type: ignore[no-untyped-def]
    found = clue_detail(who, number, at=timezone.now(), numbers=numbers)
    assert found is not None
    return " ".join([found.row.title_zh, *(c.text for s in found.sources for c in s.cells.values())])


def _take(number: str, by) -> None:  # type: ignore[no-untyped-def]
    now = timezone.now()
    actions.accept(clue_number=number, by=by, at=now)
    actions.dispatch(clue_number=number, by=by, at=now, office="532301", department="public_interest")
    actions.receive(clue_number=number, by=by, at=now)


def _audited() -> list[str]:
    with connections["owner"].cursor() as cursor:
        cursor.execute("select action from audit_auditevent where action like 'identifier.%' order by id")
        return [action for (action,) in cursor.fetchall()]


def test_names_are_for_those_whom_the_clue_waits_for(clue):
    handler, colleague = person("a", office="532301"), person("b", office="532301")
    above, analyst = person("c"), person("d", office="532301", roles=("analyst",))
    for who in (handler, colleague, above):
        assert "赵样本" in _text(who, clue)
    assert "赵样本" not in _text(analyst, clue)
    _take(clue, handler)
    assert "赵样本" in _text(handler, clue)
    for who in (colleague, above, analyst):
        assert "赵样本" not in _text(who, clue)
        assert "赵○" in _text(who, clue)
        assert "赵样本" not in clue_page(who, ClueFilters()).rows[0].title_zh


def test_the_handler_sees_numbers_after_one_reason_and_each_look_is_on_record(clue):
    handler = person("a", office="532301")
    with pytest.raises(Refused, match="理由"):
        actions.unmask(clue_number=clue, by=handler, at=timezone.now(), reason=" ")
    _take(clue, handler)
    assert NUMBER not in _text(handler, clue, numbers=True)
    assert _audited() == []
    actions.unmask(clue_number=clue, by=handler, at=timezone.now(), reason="向社保经办机构核对")
    assert NUMBER in _text(handler, clue, numbers=True)
    assert NUMBER in _text(handler, clue, numbers=True)
    assert NUMBER not in _text(handler, clue)
    assert _audited() == ["identifier.unmask", "identifier.read", "identifier.read"]


def test_before_checking_and_without_the_right_there_are_none(clue):
    handler, aide = person("a", office="532301"), person("b", office="532301", roles=("handler",))
    with pytest.raises(Refused, match="角色"):
        actions.unmask(clue_number=clue, by=aide, at=timezone.now(), reason="看看")
    _take(clue, handler)
    assert _audited() == []


def test_outside_ones_own_clues_a_quota_holds_and_odd_use_is_told(clue, monkeypatch):
    head = person("h", roles=("head",))
    bounds = REFERENCE.unmasking
    monkeypatch.setattr(bounds.outside_per_day, "__dict__", bounds.outside_per_day.__dict__ | {"value": 2})
    for _ in range(2):
        actions.unmask(clue_number=clue, by=head, at=timezone.now(), reason="督办核实")
    with pytest.raises(Refused, match="已达 2 次"):
        actions.unmask(clue_number=clue, by=head, at=timezone.now(), reason="督办核实")
    monkeypatch.setattr(bounds.outside_per_day, "__dict__", bounds.outside_per_day.__dict__ | {"value": 9})
    monkeypatch.setattr(bounds.alarm_per_hour, "__dict__", bounds.alarm_per_hour.__dict__ | {"value": 2})
    actions.unmask(clue_number=clue, by=head, at=timezone.now(), reason="督办核实")
    assert _audited()[-1] == "identifier.unmask_often"


def test_with_sql_in_hand_the_vault_opens_for_a_reason_only(clue):
    handler = person("a", office="532301")
    sibling = person("s", office="532302", roles=("head",))
    with person_scope(handler), connections["default"].cursor() as cursor:
        pk = Clue.objects.get().pk
        with pytest.raises(ProgrammingError), transaction.atomic():
            cursor.execute("select * from vault_identifier")
        with pytest.raises((ProgrammingError, InternalError)), transaction.atomic():
            cursor.execute("select * from supervision_identifiers(%s)", [pk])
    with pytest.raises(Refused):
        actions.unmask(clue_number=clue, by=sibling, at=timezone.now(), reason="看看")
    with person_scope(sibling):
        with pytest.raises(ProgrammingError), transaction.atomic():
            Unmasking.objects.create(clue_id=pk, person="s", at=timezone.now(), reason="x", assigned=False)
        with (
            pytest.raises((ProgrammingError, InternalError)),
            transaction.atomic(),
            connections["default"].cursor() as cursor,
        ):
            cursor.execute("select * from supervision_identifiers(%s)", [pk])


def test_if_the_trace_cannot_be_written_nothing_is_opened(clue):
    handler = person("a", office="532301")
    _take(clue, handler)
    actions.unmask(clue_number=clue, by=handler, at=timezone.now(), reason="核对")
    with connections["owner"].cursor() as cursor:
        cursor.execute("alter table audit_auditevent rename to audit_elsewhere")
        try:
            with pytest.raises(Exception, match=r"audit"):
                _text(handler, clue, numbers=True)
        finally:
            cursor.execute("alter table audit_elsewhere rename to audit_auditevent")


def test_the_web_role_forges_no_evidence_and_no_time(clue):
    handler = person("a", office="532301")
    forged = [{"feed": "ps_population_death", "record_id": 1}]
    with person_scope(handler):
        with pytest.raises(ProgrammingError), transaction.atomic():
            Clue.objects.update(evidence=forged)
        with pytest.raises(ProgrammingError), transaction.atomic():
            Clue.objects.create(
                number="XS-1", origin="manual", subject_kind="place", subject_ref="x", level="ordinary",
                office="532301", evidence=forged, raised_at=timezone.now(),
            )  # fmt: skip
        row = Unmasking.objects.create(
            clue=Clue.objects.get(),
            person="a",
            reason="x",
            assigned=True,
            at=timezone.now() + timedelta(days=3650),
        )
        row.refresh_from_db()
        assert row.at < timezone.now() + timedelta(minutes=1)


def test_temporary_tables_stand_in_no_functions_way():
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select p.proname, p.proconfig from pg_proc p join pg_namespace n on n.oid = p.pronamespace"
            " where n.nspname in ('public', 'pool') and (p.prosecdef or p.prorettype = 'trigger'::regtype)"
            " and not exists (select 1 from pg_depend d where d.objid = p.oid and d.deptype = 'e')"
        )
        for name, settings in cursor.fetchall():
            path = next((s for s in settings or [] if s.startswith("search_path=")), "")
            # pg_temp is searched first unless it is named.
            assert path.endswith("pg_temp") or path in ("search_path=pg_catalog",), name
    for role in ("web", "wall"):
        with connections[role].cursor() as cursor:
            cursor.execute("select has_database_privilege(current_database(), 'temporary')")
            assert cursor.fetchone() == (False,), role


def test_what_a_role_lost_is_lost_at_once(clue):
    handler = person("a", office="532301")
    _take(clue, handler)
    actions.unmask(clue_number=clue, by=handler, at=timezone.now(), reason="核对")
    assert NUMBER in _text(handler, clue, numbers=True)
    with acting_as("owner"):
        handler.roles = ["handler"]
        handler.save()
    again = type(handler).objects.get(pk=handler.pk)
    assert NUMBER not in _text(again, clue, numbers=True)
