"""Relations: who is near whom, in part as a whole, within bounds and scope."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections
from django.test import override_settings

from chuxiong.accounts.scope import scope
from chuxiong.kit.credit_code import check_character
from ingestion.catalog.load import live, load_catalog
from supervision.identity.relations import Relations, relations, wrong
from supervision.relations.deriving import Derived, bring_up_to_date
from supervision.relations.selectors import Neighbourhood, neighbourhood, neighbourhood_for, readable_feeds
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, citizen, land_rows, person

OFFICES = ["532300", "532301", "532302"]


@pytest.fixture(autouse=True)
def _quick(database: None) -> Iterator[None]:
    with override_settings(PASSWORD_HASHERS=["tests.accounts.conftest.QuickHasher"]):
        agreements()
        yield


def code(serial: int) -> str:
    body = f"91532301MA{serial:07d}"
    return body + check_character(body)


def firm(serial: int, **other: str) -> dict[str, str]:
    return {"uscc": code(serial), "org_name": f"示例{serial}食品有限公司", "division_code": "532301"} | other


def ask(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql, list(values))
        return list(cursor.fetchall())


def ref(number: str, kind: str = "credit_code") -> str:
    from chuxiong.vault.refs import find

    with acting_as("intake"):
        return str(find(connections["intake"], kind, number))


def run() -> Derived:
    with acting_as("worker"):
        return bring_up_to_date(at=NOW)


def near(
    number: str, kind: str = "organisation", *, offices: list[str] = OFFICES, **how: Any
) -> Neighbourhood:
    with acting_as("worker"), scope(offices=offices, feeds=readable_feeds(NOW), purpose="legal_supervision"):
        return neighbourhood(kind, ref(number, "citizen_id" if kind == "person" else "credit_code"), **how)


def edges(found: Neighbourhood) -> set[tuple[str, str, str]]:
    return {(e.kind, *sorted((e.a, e.b))) for e in found.edges}


def standing() -> list[tuple[Any, ...]]:
    """What stands now, whatever version it rests on."""
    return ask(
        "select distinct kind, a_kind, a_ref::text, b_kind, b_ref::text, via, feed, encode(natural_hash, 'hex')"
        " from supervision_relation where to_landing is null order by 1, 2, 3, 4, 5, 6, 7, 8"
    )


def test_the_declaration_fits_the_catalogue_and_a_wrong_one_says_where() -> None:
    catalog = live(load_catalog(Path(settings.FEEDS_DIR)))
    assert wrong(relations(), catalog) == []
    said = relations().model_dump()
    said["feeds"] = {
        "nowhere": [], "mr_enterprise": [{"kind": "shareholder", "a": "org_name", "b": "nobody"}, {"kind": "same_phone", "a": "uscc", "b": "address"}],
        "hc_house_contract": [{"kind": "tenancy", "a": "seller_id", "b": "buyer_id", "when": {"contract_type": "赠与"}}],
    }  # fmt: skip
    told = wrong(Relations.model_validate(said), catalog)
    assert len(told) == 4
    for place, word in zip(told, ("nowhere", "nobody", "phone", "赠与"), strict=True):
        assert word in place
    said["feeds"] = {"mr_enterprise": [{"kind": "cousin", "a": "uscc", "b": "legal_rep_id"}]}
    with pytest.raises(ValueError, match="cousin"):
        Relations.model_validate(said)


def test_a_firm_leads_to_its_representative_and_through_him_to_his_other_firm() -> None:
    owner, partner = citizen(1), citizen(2)
    land_rows(
        "mr_enterprise",
        [
            firm(1, legal_rep_id=owner, legal_rep_name="赵样本"),
            firm(2, legal_rep_id=owner, legal_rep_name="赵样本", shareholder_id=f"{owner};{partner}"),
            firm(3, legal_rep_id=citizen(9), legal_rep_name="钱样本"),
        ],
    )
    done = run()
    assert done.landing is not None and done.added == 5
    one, two, him, her = ref(code(1)), ref(code(2)), ref(owner, "citizen_id"), ref(partner, "citizen_id")
    first = near(code(1))
    assert edges(first) == {("legal_representative", *sorted((one, him)))}
    third = near(code(1), hops=3)
    assert {(n.ref, n.hop) for n in third.nodes} == {(one, 0), (him, 1), (two, 2), (her, 3)}
    assert not third.cut
    with pytest.raises(ValueError, match="hops"):
        near(code(1), hops=4)
    # A run with nothing new does nothing.
    assert run().landing is None and run().feeds == 0


def test_a_telephone_relates_few_and_never_many() -> None:
    most = relations().caps["phone"].most
    land_rows("mr_enterprise", [firm(n, phone="13812345678") for n in range(1, most + 1)])
    run()
    found = near(code(1))
    assert len(found.nodes) == most and {e.kind for e in found.edges} == {"same_phone"}
    assert {e.via for e in found.edges} == {"phone"} and not found.crowded
    land_rows("mr_enterprise", [firm(most + 1, phone="13812345678")])
    done = run()
    found = near(code(1))
    assert len(found.nodes) == 1 and found.crowded == {"phone": 1}
    # Everybody's relation ended with the one too many, so everybody is looked at again.
    touched = {
        r
        for (r,) in ask(
            "select ref from ingestion_touch where landing = %s and cause = 'relation'", done.landing
        )
    }
    assert touched == {ref(code(n)) for n in range(1, most + 2)}


def test_the_cap_counts_all_and_a_county_sees_its_own() -> None:
    most = relations().caps["address"].most
    house = "云南省楚雄彝族自治州楚雄市鹿城镇龙江路12号3栋402室"
    land_rows("mr_enterprise", [firm(n, address=house) for n in (1, 2)])
    land_rows(
        "mr_enterprise",
        [firm(n, address="楚雄市鹿城镇龙江路12号3幢402", division_code="532302") for n in range(3, most + 2)],
    )
    run()
    # Too many hold it, though the county office sees two of them alone.
    home = person("home", office="532301")
    assert neighbourhood_for(home, "organisation", ref(code(1)), at=NOW).crowded == {"address": 1}
    land_rows("mr_enterprise", [firm(3, address="楚雄市东瓜镇永安路1号", division_code="532302")])
    run()
    assert len(near(code(1)).nodes) == most
    assert len(neighbourhood_for(home, "organisation", ref(code(1)), at=NOW).nodes) == 2


def test_the_web_role_reads_within_scope_and_writes_nothing() -> None:
    land_rows(
        "mr_enterprise",
        [firm(1, legal_rep_id=citizen(1)), firm(2, legal_rep_id=citizen(1), division_code="532302")],
    )
    run()
    home, away = person("home", office="532301"), person("away", office="532325")
    mine = neighbourhood_for(home, "organisation", ref(code(1)), hops=2, at=NOW)
    assert len(mine.nodes) == 2, "the other firm is another county's"
    assert len(neighbourhood_for(away, "organisation", ref(code(1)), hops=2, at=NOW).nodes) == 1
    with pytest.raises(Exception, match="permission denied"), connections["default"].cursor() as cursor:
        cursor.execute("delete from supervision_relation")


def test_a_landing_before_a_change_still_shows_what_stood_then() -> None:
    land_rows("mr_enterprise", [firm(1, legal_rep_id=citizen(1))])
    run()
    before = ask("select max(number) from ingestion_landing")[0][0]
    land_rows("mr_enterprise", [firm(1, legal_rep_id=citizen(2))])
    run()
    assert {n.ref for n in near(code(1)).nodes} == {ref(code(1)), ref(citizen(2), "citizen_id")}
    then = near(code(1), landing=before)
    assert {n.ref for n in then.nodes} == {ref(code(1)), ref(citizen(1), "citizen_id")}


def test_a_neighbourhood_too_large_is_cut_and_says_so() -> None:
    land_rows("mr_enterprise", [firm(n, legal_rep_id=citizen(1)) for n in range(1, 30)])
    run()
    found = near(citizen(1), "person", most=10)
    assert found.cut and len(found.nodes) == 11


def test_part_by_part_is_as_the_whole() -> None:
    seed = secrets.randbits(31)
    print(f"seed {seed}")
    draw = random.Random(seed)
    phones = [f"1380000000{n}" for n in range(4)]
    for _ in range(4):
        rows = [
            firm(
                n,
                legal_rep_id=citizen(draw.randrange(5)),
                phone=draw.choice([*phones, ""]),
                address=draw.choice(["楚雄市鹿城镇龙江路1号", "楚雄市鹿城镇", ""]),
                shareholder_id="、".join(citizen(k) for k in draw.sample(range(6), draw.randrange(3))),
            )
            for n in draw.sample(range(8), 4)
        ]
        land_rows("mr_enterprise", rows, snapshot=draw.random() < 0.4)
        run()
    parts = standing()
    ended = ask("select count(*) from supervision_relation where to_landing is not null")
    with connections["owner"].cursor() as cursor:
        cursor.execute("update supervision_derivation set digest = ''")
    run()
    assert standing() == parts
    assert ask("select count(*) from supervision_relation where to_landing is not null") == ended
