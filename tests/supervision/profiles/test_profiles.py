"""Profiles and searches of the pool: on what basis they open, what they show to whom, what is left on record."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.kit.credit_code import check_character
from chuxiong.vault.keys import keys
from ingestion import selectors as ingestion
from supervision.models import Clue, Matter, PoolQuery
from supervision.naming import filling as naming
from supervision.profiles import queries, search
from supervision.profiles.network import network
from supervision.profiles.profile import Profile, profile
from supervision.profiles.queries import NotRecorded
from supervision.reference import REFERENCE
from supervision.relations import deriving as relations
from supervision.spine import run as spine
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, citizen, death, land_rows, payment, person, suit

HIM, OTHER = citizen(1), citizen(2)
CASE = "楚检示例〔2026〕1号"


@pytest.fixture(autouse=True)
def _quick(database: None) -> Iterator[None]:
    with override_settings(PASSWORD_HASHERS=["tests.accounts.conftest.QuickHasher"]):
        agreements()
        yield


def ask(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql, list(values))
        return list(cursor.fetchall())


def ref(number: str, kind: str = "citizen_id") -> str:
    from chuxiong.vault.refs import find

    with acting_as("intake"):
        return str(find(connections["intake"], kind, number))


def code(serial: int) -> str:
    body = f"91532301MA{serial:07d}"
    return body + check_character(body)


def clue(number: str = "XS-2026-000001", *, subject: str = HIM, office: str = "532301", **more: Any) -> Clue:
    usual: dict[str, Any] = {
        "origin": "manual", "subject_kind": "person", "subject_ref": ref(subject), "level": "ordinary", "title": "示例事项",
        "office": office, "raised_at": NOW, "state": "checking",
    }  # fmt: skip
    return Clue.objects.using("owner").create(number=number, **(usual | more))


def derive() -> None:
    with acting_as("worker"):
        naming.bring_up_to_date(at=NOW)
        relations.bring_up_to_date(at=NOW)


def world() -> None:
    """One person in three sources of two counties, and a namesake."""
    land_rows("ps_population_death", [death(HIM, "2025-03-02")])
    land_rows(
        "hr_pension_payment",
        [
            payment(HIM, "2026-01", "100"),
            payment(HIM, "2026-02", "100"),
            payment(HIM, "2026-03", "100", division="532302"),
            payment(OTHER, "2026-01", "100"),
        ],
    )
    land_rows("ct_trial_case", [suit([HIM, OTHER], 7, "2026-04-01")])


def trail(action: str) -> list[dict[str, Any]]:
    rows = ask(
        "select actor, reason, object_ref, detail from audit_auditevent where action = %s order by id", action
    )
    return [
        {"actor": a, "reason": r, "object": o, "detail": d if isinstance(d, dict) else json.loads(d)}
        for a, r, o, d in rows
    ]


def look(who: Person, query: PoolQuery, place: int = 0) -> Profile:
    found = profile(who, query.code, place, at=NOW)
    assert found is not None
    return found


def fresh(who: Person) -> Person:
    return Person.objects.get(pk=who.pk)


def test_a_profile_opens_from_ones_own_clue_and_from_nobody_elses() -> None:
    world()
    clue(handler="home")
    home, peer = (
        person("home", office="532301", roles=("handler",)),
        person("peer", office="532301", roles=("handler",)),
    )
    away, analyst = person("away", office="532302"), person("analyst", roles=("analyst",))
    for who, words in ((away, "不在您的范围内"), (peer, "只能从本人承办"), (analyst, "只能从本人承办")):
        with pytest.raises(NotRecorded, match=words):
            queries.open_clue(who, "XS-2026-000001", "核实是否仍在领取", at=NOW)
    with pytest.raises(NotRecorded, match="查询目的"):
        queries.open_clue(home, "XS-2026-000001", " ", at=NOW)
    assert not PoolQuery.objects.using("owner").exists() and trail("profile.read") == []
    query = queries.open_clue(home, "XS-2026-000001", "核实是否仍在领取", at=NOW)
    look(home, query)
    look(home, query)
    # Each opening is on record with its purpose and basis.
    rows = trail("profile.read")
    assert [r["actor"] for r in rows] == ["home", "home"] and {r["reason"] for r in rows} == {
        "核实是否仍在领取"
    }
    assert rows[0]["detail"]["clue"] == "XS-2026-000001" and rows[0]["object"] == str(query.code)
    assert rows[0]["detail"]["subject"] == ref(HIM)
    # The code of a query opens nothing for anybody else, and no subject beyond its own.
    assert profile(peer, query.code, 0, at=NOW) is None and profile(away, query.code, 0, at=NOW) is None
    assert profile(home, query.code, 1, at=NOW) is None and profile(home, uuid4(), 0, at=NOW) is None


def test_it_shows_what_the_scope_holds_grouped_by_source_with_identifiers_masked() -> None:
    world()
    clue(handler="home")
    clue("XS-2026-000002", state="raised")
    clue("XS-2026-000003", office="532302", state="raised")
    home = person("home", office="532301")
    found = look(home, queries.open_clue(home, "XS-2026-000001", "示例目的", at=NOW))
    told = {s.feed.code: s for s in found.sources}
    assert list(told) == [c for c in ingestion.catalog() if c in told], "in the catalogue's order"
    assert {c: len(s.records) for c, s in told.items()} == {
        "ps_population_death": 1,
        "hr_pension_payment": 2,
        "ct_trial_case": 1,
    }
    assert found.total == 4 and found.undated == 0
    assert [str(d.on) for d in found.timeline] == ["2025-03-02", "2026-01-01", "2026-02-01", "2026-04-01"]
    assert {r.tier for s in found.sources for r in s.records} == {"A"} and found.tier == "A"
    assert HIM not in str(found) and OTHER not in str(found)
    cells = {column.name: text for column, text in told["hr_pension_payment"].records[0].cells}
    assert (
        cells["citizen_id"] == ingestion.MASK
        and cells["person_name"] == "赵样本"
        and cells["amount_cny"] == "100.00 元"
    )
    assert [c.number for c in found.clues] == ["XS-2026-000002", "XS-2026-000001"], (
        "the other county's clue is not told"
    )
    # The prefecture sees both counties.
    high = person("high", roles=("dispatcher",))
    everywhere = look(high, queries.open_clue(high, "XS-2026-000002", "示例目的", at=NOW))
    assert everywhere.total == 5 and len(everywhere.clues) == 3


def test_what_no_agreement_covers_is_named_and_not_read() -> None:
    world()
    clue(handler="home")
    home = person("home", office="532301")
    from ingestion.models import Agreement

    Agreement.objects.using("owner").filter(number="T-hr_pension_payment").update(
        ended_on=NOW.date() - timedelta(days=1)
    )
    Agreement.objects.using("owner").filter(number="T-ps_population_death").update(
        fields={"ps_population_death": ["citizen_id", "death_date"]}
    )
    found = look(home, queries.open_clue(home, "XS-2026-000001", "示例目的", at=NOW))
    assert "hr_pension_payment" not in {s.feed.code for s in found.sources}
    assert "续签" in next(s.stopped for s in found.stopped if s.feed.code == "hr_pension_payment")
    (of_death,) = [s for s in found.sources if s.feed.code == "ps_population_death"]
    assert {c.name for c, _ in of_death.records[0].cells} == {"citizen_id", "death_date"}


def test_a_basis_that_has_gone_opens_nothing_more_and_says_what_to_do() -> None:
    world()
    mine = clue(handler="home", office="532301")
    home = person("home", office="532301", roles=("handler",))
    query = queries.open_clue(home, "XS-2026-000001", "示例目的", at=NOW)
    look(home, query)
    with pytest.raises(NotRecorded, match="重新登记"):
        profile(home, query.code, 0, at=query.expires_at)
    Clue.objects.using("owner").filter(pk=mine.pk).update(handler="peer")
    with pytest.raises(NotRecorded, match="已不由您办理"):
        profile(home, query.code, 0, at=NOW)
    with pytest.raises(NotRecorded, match="已不由您办理"):
        network(home, query.code, 0, 1, at=NOW)
    Clue.objects.using("owner").filter(pk=mine.pk).update(handler="home", recused=["home"])
    with pytest.raises(NotRecorded, match="已不由您办理"):
        profile(home, query.code, 0, at=NOW)
    assert len(trail("profile.read")) == 1


def test_who_leads_a_matter_opens_its_parts() -> None:
    world()
    lead, other = person("lead", roles=("analyst",)), person("other", roles=("analyst",))
    matter = Matter.objects.using("owner").create(
        title="示例类案", lead_office="532300", lead="lead", opened_by="lead", opened_at=NOW
    )
    clue(handler="home", matter=matter)
    with pytest.raises(NotRecorded, match="只能从本人承办"):
        queries.open_clue(other, "XS-2026-000001", "示例目的", at=NOW)
    query = queries.open_clue(lead, "XS-2026-000001", "示例目的", at=NOW)
    assert query.basis == "matter" and look(lead, query).total == 5
    Matter.objects.using("owner").update(ended_at=NOW, conclusion="示例")
    with pytest.raises(NotRecorded):
        profile(lead, query.code, 0, at=NOW)


def test_the_number_of_queries_does_not_grow_with_the_records() -> None:
    world()
    clue(handler="home")
    home = person("home", office="532301")
    query = queries.open_clue(home, "XS-2026-000001", "示例目的", at=NOW)

    def counted() -> int:
        who = Person.objects.select_related("office", "department").get(pk=home.pk)
        with CaptureQueriesContext(connections["default"]) as seen:
            look(who, query)
        return len(seen)

    few = counted()
    land_rows(
        "hr_pension_payment", [payment(HIM, f"20{y}-0{m}", "1") for y in range(10, 20) for m in range(1, 10)]
    )
    land_rows(
        "ca_funeral",
        [{"cremation_no": "HH1", "citizen_id": HIM, "person_name": "赵样本", "death_date": "2025-03-02"}],
    )
    for n in range(2, 30):
        clue(f"XS-2026-0001{n:02d}", state="raised", bucket=str(n))
    assert counted() == few
    found = look(fresh(home), query)
    pension = next(s for s in found.sources if s.feed.code == "hr_pension_payment")
    assert len(pension.records) == REFERENCE.pool_query.records_most.value and pension.more
    assert found.more_clues == 28 - 20 + 1 and len(found.clues) == 20


def find(who: Person, kind: Any, text: str) -> search.Results:
    query = search.search(who, kind, text, case_number=CASE, reason="示例目的", at=NOW)
    found = search.results(who, query.code, at=NOW)
    assert found is not None
    return found


def test_a_number_is_found_through_the_vault_and_kept_nowhere() -> None:
    world()
    derive()
    home, third = person("home", office="532301"), person("third", office="532322")
    found = find(home, "number", f" {HIM[:6]} {HIM[6:].lower()} ")
    (him,) = found.subjects
    assert him.kind == "person" and him.tier == "A" and him.names == ("赵样本",)
    assert {c.code for c in him.counties} <= {"532301"}
    assert look(home, found.query).total == 4
    # A number in another county's records alone is as one that nobody has.
    land_rows("hr_pension_payment", [payment(citizen(3), "2026-01", "100")])
    assert len(find(home, "number", citizen(3)).subjects) == 1
    assert find(third, "number", citizen(3)).subjects == () == find(third, "number", citizen(77)).subjects
    kept = ask("select row_to_json(q)::text from supervision_poolquery q") + ask(
        "select row_to_json(e)::text from audit_auditevent e"
    )
    assert kept and not any(HIM in text or HIM[:17] in text for (text,) in kept)
    rows = trail("pool.search")
    assert {r["actor"] for r in rows} == {"home", "third"} and all(r["detail"]["case"] == CASE for r in rows)
    assert {r["reason"] for r in rows} == {"示例目的"}


def test_the_vault_answers_nobody_without_a_record() -> None:
    world()
    home = person("home", office="532301")
    token = keys().token("citizen_id", HIM)
    with (
        pytest.raises(Exception, match="no query on record"),
        person_scope(home),
        connections["default"].cursor() as cursor,
    ):
        cursor.execute("select supervision_number_ref(%s)", [token])
    with pytest.raises(Exception, match="row-level security"), person_scope(home):
        PoolQuery.objects.create(
            person="somebody", office="532301", at=NOW, expires_at=NOW, basis="case", case_number="1", reason="示例",
            kind="person", subjects=[],
        )  # fmt: skip
    with pytest.raises(Exception, match="permission denied"), person_scope(home):
        PoolQuery.objects.filter(person="home").update(reason="别的")


@pytest.mark.parametrize(
    ("kind", "text", "case", "words"),
    [
        ("number", HIM[:17] + ("0" if HIM[17] != "0" else "1"), CASE, "校验位"),
        ("number", HIM[:4] + "*" * 10 + HIM[-4:], CASE, "带星号"),
        ("number", "12345", CASE, "不像"),
        ("person", HIM, CASE, "不能输入号码"),
        ("person", "赵", CASE, "2 至"),
        ("person", "赵样本", "", "案号"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_cure(kind: Any, text: str, case: str, words: str) -> None:
    home = person("home", office="532301")
    with pytest.raises(NotRecorded, match=words) as refused:
        search.search(home, kind, text, case_number=case, reason="示例目的", at=NOW)
    assert refused.value.en and not PoolQuery.objects.using("owner").exists() and trail("pool.search") == []


def test_who_may_not_search_and_how_often_one_may() -> None:
    land_rows("ps_population_death", [death(HIM, "2025-03-02")])
    handler, home = person("handler", office="532301", roles=("handler",)), person("home", office="532301")
    with pytest.raises(NotRecorded, match="职责"):
        search.search(handler, "number", HIM, case_number=CASE, reason="示例目的", at=NOW)
    most = REFERENCE.pool_query.per_day.value
    with acting_as("owner"):
        PoolQuery.objects.bulk_create(
            PoolQuery(
                person="home", office="532301", at=NOW - timedelta(hours=1), expires_at=NOW + timedelta(days=1), basis="case",
                case_number=CASE, reason="示例", kind="person",
            )
            for _ in range(most)
        )  # fmt: skip
    with pytest.raises(NotRecorded, match="今天已用完"):
        find(home, "number", HIM)
    assert find(person("peer", office="532301"), "number", HIM).subjects


def test_names_case_numbers_places_and_telephones() -> None:
    world()
    land_rows(
        "mr_enterprise",
        [
            {
                "uscc": code(n), "org_name": f"楚雄彝香源{n}食品有限公司", "division_code": "532301", "phone": "13812345678",
                "address": "楚雄市鹿城镇龙江路12号", "legal_rep_id": HIM, "legal_rep_name": "赵样本",
            }
            for n in (1, 2)
        ],
    )  # fmt: skip
    land_rows(
        "um_hotline_12345",
        [{"order_no": "R1", "incident_address": "楚雄市鹿城镇龙江路12号", "call_time": "2026-05-01 08:00"}],
    )
    derive()
    home = person("home", office="532301")
    named = find(home, "person", "赵样本")
    assert {s.names[0] for s in named.subjects} == {"赵样本"} and len(named.subjects) == 2, (
        "two numbers bear the name"
    )
    firms = find(home, "organisation", "彝香源1食品")
    assert firms.subjects[0].kind == "organisation" and "彝香源1" in firms.subjects[0].names[0]
    (case,) = find(home, "case_no", "（2026）云2301民初 7 号").records
    assert case.feed == "ct_trial_case" and str(case.on) == "2026-04-01" and HIM not in str(case)
    place = find(home, "place", "鹿城镇龙江路12号")
    assert {r.feed for r in place.records} == {"mr_enterprise", "um_hotline_12345"}
    assert {s.kind for s in place.subjects} == {"organisation"}
    rung = find(home, "number", "138-1234-5678")
    assert len(rung.subjects) == 2 and rung.query.text == ""
    assert find(home, "person", "无此人名").subjects == ()


def test_a_name_without_a_number_is_found_by_its_key() -> None:
    land_rows(
        "ps_hotel_stay",
        [
            {
                "stay_no": "S1", "person_name": "钱无号", "hotel_name": "示例旅馆", "checkin_time": "2026-05-01 08:00",
                "division_code": "532301", "is_minor": "否",
            }
        ],
    )  # fmt: skip
    with acting_as("worker"):
        spine.bring_up_to_date(at=NOW)
    derive()
    home = person("home", office="532301")
    found = find(home, "person", "钱无号")
    assert [s.names for s in found.subjects] == [("钱无号",)] and found.subjects[0].tier == ""
    (source,) = look(home, found.query).sources
    assert source.feed.code == "ps_hotel_stay" and source.records[0].tier == ""


def test_too_many_are_cut_and_said() -> None:
    most = REFERENCE.pool_query.subjects_most.value
    land_rows("ps_population_death", [death(citizen(n), "2025-03-02") for n in range(most + 5)])
    derive()
    found = find(person("home", office="532301"), "person", "赵样本")
    assert found.more and len(found.subjects) == most


def test_the_network_names_kinds_and_sources_within_scope() -> None:
    land_rows(
        "mr_enterprise",
        [
            {
                "uscc": code(1),
                "org_name": "示例一食品有限公司",
                "division_code": "532301",
                "legal_rep_id": HIM,
                "legal_rep_name": "赵样本",
            },
            {
                "uscc": code(2),
                "org_name": "示例二食品有限公司",
                "division_code": "532301",
                "legal_rep_id": HIM,
                "legal_rep_name": "赵样本",
            },
            {
                "uscc": code(3),
                "org_name": "示例三食品有限公司",
                "division_code": "532302",
                "legal_rep_id": HIM,
                "legal_rep_name": "赵样本",
            },
        ],
    )
    derive()
    clue(handler="home", subject_kind="organisation", subject_ref=ref(code(1), "credit_code"))
    home = person("home", office="532301")
    query = queries.open_clue(home, "XS-2026-000001", "示例目的", at=NOW)
    one = network(home, query.code, 0, 1, at=NOW)
    assert one and [n.hop for n in one.nodes] == [0, 1] and one.nodes[0].clues == ("XS-2026-000001",)
    (tie,) = one.ties
    assert tie.words.zh == "法定代表人" and [f.zh for f in tie.feeds] == [
        ingestion.catalog()["mr_enterprise"].title.zh
    ]
    two = network(home, query.code, 0, 2, at=NOW)
    assert two and len(two.nodes) == 3, "the third firm is another county's"
    assert network(home, query.code, 0, 99, at=NOW).hops == two.most_hops  # type: ignore[union-attr]
    rows = trail("network.read")
    assert [r["detail"]["hops"] for r in rows] == [1, 2, 3] and rows[0]["reason"] == "示例目的"
    assert HIM not in str(two) and network(person("peer", office="532301"), query.code, 0, 1, at=NOW) is None


def test_the_pages_hold_no_number_in_addresses_and_say_what_to_do() -> None:
    world()
    land_rows(
        "mr_enterprise",
        [{"uscc": code(1), "org_name": "示例一食品有限公司", "division_code": "532301", "legal_rep_id": HIM}],
    )
    derive()
    clue(handler="home")
    home, away = person("home", office="532301"), person("away", office="532302")
    client, other = Client(), Client()
    client.force_login(home)
    other.force_login(away)
    refused = client.post("/analysis/open", {"clue": "XS-2026-009999", "reason": "示例目的"})
    assert refused.status_code == 409 and "请核对线索号" in refused.content.decode()
    sent = client.post("/analysis/open", {"clue": "XS-2026-000001", "reason": "示例目的"})
    assert sent.status_code == 302
    page = client.get(sent["Location"]).content.decode()
    assert (
        "赵样本" in page
        and HIM not in page
        and 'id="feed-hr_pension_payment"' in page
        and 'class="timeline"' in page
    )
    assert re.search(r"依据 本人线索 XS-2026-000001", page)
    near = client.get(sent["Location"] + "/network?hops=2")
    assert (
        near.status_code == 200 and "法定代表人" in near.content.decode() and HIM not in near.content.decode()
    )
    wrong = client.post(
        "/analysis/search", {"kind": "number", "text": HIM[:17], "case_number": CASE, "reason": "示例目的"}
    )
    assert wrong.status_code == 409 and HIM[:17] not in wrong.content.decode()
    asked = client.post(
        "/analysis/search", {"kind": "number", "text": HIM, "case_number": CASE, "reason": "示例目的"}
    )
    assert asked.status_code == 302 and HIM not in asked["Location"]
    assert HIM not in client.get(asked["Location"]).content.decode()
    home_page = client.get("/analysis/").content.decode()
    assert CASE in home_page and HIM not in home_page
    # Somebody else's query is as one that never was.
    for path in (sent["Location"], asked["Location"], sent["Location"] + "/network"):
        assert other.get(path).status_code == 404
    assert "XS-2026-000001" not in other.get("/analysis/").content.decode()
    none = other.post("/analysis/open", {"clue": "XS-2026-000001", "reason": "示例目的"})
    assert none.status_code == 409 and "不在您的范围内" in none.content.decode()
