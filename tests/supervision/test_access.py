"""Who sees which clue: the Python policy and the SQL policy agree; what is closed, sealed or kept away stays so."""

from __future__ import annotations

import random
import secrets
from datetime import timedelta

import pytest
from django.db import InternalError, ProgrammingError, connections, transaction

from chuxiong.accounts.models import Department, Person
from chuxiong.accounts.scope import person_scope
from chuxiong.work.jobs import work_off
from dashboard.indicators.funnel import funnel, latest
from supervision.access import Guarded, Viewer, visible
from supervision.clues import actions
from supervision.clues.actions import Refused
from supervision.models import Clue, Interference
from supervision.selectors import ClueFilters, clue_counts, clue_detail, clue_page
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, bring, citizen, death, patrol, payment, person, sheet
from tests.supervision.sealed import sealed_evidence

OFFICES = ["532300", "532301", "532302"]
DEPARTMENTS = ["minors", "duty_crime", "public_interest"]
NAMES = ["a", "b", "c", "d", "e", "f"]


def _person(username: str, office: str, department: str, *roles: str) -> Person:
    made = person(username, office=office, roles=roles or ("prosecutor",))
    with acting_as("owner"):
        made.department = Department.objects.get(office_id=office, code=department)
        made.save()
    return Person.objects.select_related("office", "department").get(pk=made.pk)


def _world(draw: random.Random, clues: int) -> tuple[list[Person], list[Clue]]:
    people = [
        _person(name, draw.choice(OFFICES), draw.choice(DEPARTMENTS), draw.choice(["prosecutor", "head"]))
        for name in NAMES
    ]
    rows = sealed_evidence(draw, OFFICES)
    made = [
        Clue(
            number=f"XS-2026-{n:06d}", origin="manual", evidence=draw.choice([[], [], *rows]), subject_kind="place", subject_ref=str(n), level="ordinary",
            office=draw.choice(OFFICES), closed_to=draw.choice(["", "", "minors", "duty_crime"]),
            sealed=draw.random() < 0.3, handler=draw.choice(["", *NAMES]),
            admitted=draw.sample(NAMES, draw.randint(0, 2)), recused=draw.sample(NAMES, draw.choice([0, 0, 1, 2])),
            raised_at=NOW,
        )
        for n in range(clues)
    ]  # fmt: skip
    with acting_as("owner"):
        Clue.objects.bulk_create(made)
        # What the database made of them: a clue that rests on sealed rows is sealed and closed by then.
        return people, list(Clue.objects.order_by("number"))


def test_both_policies_agree_on_random_worlds(database, capsys):
    seed = secrets.randbelow(2**31)
    with capsys.disabled():
        print(f"\naccess seed {seed}")
    people, clues = _world(random.Random(seed), 400)
    seen = 0
    assert {"minor", "penalty", "minor_penalty"} <= {seal for c in clues for seal in c.seals}
    for who in people:
        assert who.department is not None
        viewer = Viewer(
            who.username, frozenset(who.office_codes), who.department.code, who.may("sealed.read")
        )
        expected = {
            c.number
            for c in clues
            if visible(
                viewer,
                Guarded(
                    c.office,
                    c.closed_to,
                    c.handler,
                    c.sealed,
                    frozenset(c.admitted),
                    frozenset(c.recused),
                    frozenset(c.seals),
                ),
            )
        }
        with person_scope(who):
            assert set(Clue.objects.values_list("number", flat=True)) == expected
            with connections["default"].cursor() as cursor:
                # With SQL in hand the same rows and no others, whatever is asked.
                cursor.execute("select number from supervision_clue where true or sealed")
                assert {n for (n,) in cursor.fetchall()} == expected
                cursor.execute("update supervision_clue set label = label returning number")
                assert {n for (n,) in cursor.fetchall()} == expected
        seen += len(expected)
    assert 0 < seen < len(people) * len(clues)


def test_no_scope_no_rows_and_no_way_out_of_the_offices(database):
    _world(random.Random(5), 50)
    county = Person.objects.filter(office_id="532301").first() or _person("z", "532301", "minors")
    assert Clue.objects.count() == 0
    with person_scope(county), pytest.raises((ProgrammingError, InternalError)), transaction.atomic():
        Clue.objects.filter(office="532301").update(office="532302")


def _enter(by: Person, **more: str) -> Clue:
    return actions.enter(
        by=by, at=NOW, title="示例", office=by.office_id, township="示例镇", occurred_on=NOW.date(), level="ordinary",
        text="示例情况", **more,
    )  # fmt: skip


def test_juvenile_clues_are_open_to_their_department_alone(database):
    keeper, other = _person("a", "532301", "minors"), _person("b", "532301", "public_interest")
    above, aside = _person("c", "532300", "minors"), _person("d", "532300", "digital")
    clue = _enter(keeper, domain="minors")
    for who, sees in ((keeper, True), (other, False), (above, True), (aside, False)):
        assert (clue_detail(who, clue.number, at=NOW) is not None) is sees
        assert clue_page(who, ClueFilters()).total == int(sees)
        assert clue_counts(who)["open"] == int(sees)
    with pytest.raises(Refused, match="专门部门"):
        _enter(other, domain="minors")


def test_a_sealed_clue_is_in_no_total_and_seen_by_record_only(database):
    head, keeper = _person("a", "532301", "minors", "head"), _person("k", "532301", "minors")
    colleague, second = _person("b", "532301", "minors"), _person("s", "532301", "minors", "office_head")
    clue = _enter(keeper)
    assert funnel().found == 1
    with pytest.raises(Refused, match="角色"):
        actions.seal(clue_number=clue.number, by=keeper, at=NOW, note="想藏起来")
    actions.seal(clue_number=clue.number, by=head, at=NOW, note="未成年人犯罪记录封存")
    assert funnel().found == 0
    assert clue_page(colleague, ClueFilters()).total == 0
    with pytest.raises(Refused):
        actions.accept(clue_number=clue.number, by=colleague, at=NOW)
    actions.admit(clue_number=clue.number, by=head, at=NOW, person="b", note="办案需要，检察长批准")
    assert clue_page(colleague, ClueFilters()).total == 1
    assert funnel().found == 0
    # One person asks, another decides.
    actions.unseal(clue_number=clue.number, by=head, at=NOW, note="封存依据消失")
    with pytest.raises(Refused, match="第二人"):
        actions.unseal(clue_number=clue.number, by=head, at=NOW, note="封存依据消失")
    assert funnel().found == 0
    actions.unseal(clue_number=clue.number, by=second, at=NOW, note="同意解除")
    assert funnel().found == 1


def test_nobody_throws_a_colleague_off_and_a_recusal_can_end(database):
    handler, colleague = _person("a", "532301", "public_interest"), _person("b", "532301", "public_interest")
    head = _person("h", "532301", "public_interest", "head")
    clue = _enter(handler)
    with pytest.raises(Refused, match="本人回避"):
        actions.recuse(clue_number=clue.number, by=colleague, at=NOW, person="a", note="不想让他办")
    actions.recuse(clue_number=clue.number, by=head, at=NOW, person="a", note="当事人申请")
    assert clue_detail(handler, clue.number, at=NOW) is None
    actions.readmit(clue_number=clue.number, by=head, at=NOW, person="a", note="经审查不需回避")
    assert clue_detail(handler, clue.number, at=NOW) is not None


def test_a_closed_clue_counts_on_the_wall_but_tells_neither_what_nor_where(database):
    _enter(_person("a", "532301", "minors"), domain="minors")
    assert funnel().found == 1
    assert latest() == []
    with connections["wall"].cursor() as cursor:
        cursor.execute("select rule, township from wall_clue")
        assert cursor.fetchall() == [("", "")]


def test_a_clue_is_handed_to_people_who_may_handle_it(database):
    handler, head = _person("a", "532301", "minors"), _person("h", "532301", "minors", "head")
    _person("c", "532301", "minors", "custodian")
    _person("p", "532301", "public_interest")
    clue = _enter(handler, domain="minors")
    actions.accept(clue_number=clue.number, by=handler, at=NOW)
    actions.dispatch(
        clue_number=clue.number, by=handler, at=NOW, office="532301", department="minors", note=""
    )
    actions.receive(clue_number=clue.number, by=handler, at=NOW)
    for name, word in (("c", "角色"), ("p", "专门部门"), ("nobody", "没有在岗")):
        with pytest.raises(Refused, match=word):
            actions.hand_over(clue_number=clue.number, by=head, at=NOW, person=name, note="调岗")
    actions.hand_over(clue_number=clue.number, by=head, at=NOW, person="h", note="调岗")


def test_a_masked_name_is_not_found_by_searching(database):
    agreements()
    with acting_as("worker"):
        number = citizen(9)
        bring("ps_population_death", sheet("ps_population_death", [death(number, "2026-01-15")]))
        bring("hr_pension_payment", sheet("hr_pension_payment", [payment(number, "202604", "1500")]))
        while work_off():
            pass
    analyst, prosecutor = (
        _person("a", "532301", "public_interest", "analyst"),
        _person("p", "532301", "public_interest"),
    )
    assert clue_page(prosecutor, ClueFilters(text="赵样本")).total == 1
    assert clue_page(analyst, ClueFilters(text="赵样本")).total == 0
    assert clue_page(analyst, ClueFilters(text="XS-2026")).total == 1


def test_whoever_keeps_away_sees_it_no_more_and_another_signs_for_it(database):
    handler, colleague = _person("a", "532301", "public_interest"), _person("b", "532301", "public_interest")
    clue = _enter(handler)
    actions.accept(clue_number=clue.number, by=handler, at=NOW)
    actions.dispatch(
        clue_number=clue.number, by=handler, at=NOW, office="532301", department="public_interest", note=""
    )
    actions.receive(clue_number=clue.number, by=handler, at=NOW)
    actions.recuse(clue_number=clue.number, by=handler, at=NOW, person="a", note="与当事人有亲属关系")
    assert clue_detail(handler, clue.number, at=NOW) is None
    found = clue_detail(colleague, clue.number, at=NOW)
    assert found is not None
    assert (found.row.state, found.handler) == ("dispatched", "")
    assert found.events[-1].kind == "recuse"
    actions.receive(clue_number=clue.number, by=colleague, at=NOW)


def test_interference_is_written_once_and_read_by_its_recorder(database):
    recorder, colleague = _person("a", "532301", "criminal"), _person("b", "532301", "criminal")
    clue = _enter(recorder)
    actions.record_interference(
        clue_number=clue.number, by=recorder, at=NOW, who="某单位负责人", way="by_phone", occurred_on=NOW.date(),
        text="询问线索进展",
    )  # fmt: skip
    with person_scope(recorder):
        assert Interference.objects.count() == 1
        with pytest.raises(ProgrammingError), transaction.atomic():
            Interference.objects.update(text="改写")
    with person_scope(colleague):
        assert Interference.objects.count() == 0


def test_a_lapsed_agreement_closes_its_records_and_says_so(database):
    agreements()
    handler = _person("a", "532301", "public_interest")
    with acting_as("worker"):
        rows = [patrol(1, "2026-11-01", "101.5000"), patrol(2, "2026-11-02", "101.5005")]
        bring("wr_river_patrol", sheet("wr_river_patrol", rows))
        while work_off():
            pass
    (row,) = clue_page(handler, ClueFilters()).rows
    found = clue_detail(handler, row.number, at=NOW)
    assert found is not None and len(found.sources) == 2 and found.stopped == []
    agreements(valid_to=NOW.date() - timedelta(days=1))
    found = clue_detail(handler, row.number, at=NOW)
    assert found is not None and found.sources == []
    assert [(title.zh, "失效" in why) for title, why in found.stopped] == [("河长制巡河与问题整改", True)]
