"""Search by name and address: what is found, by whom, and what is left of it when records go."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

from chuxiong.kit.credit_code import check_character
from supervision.naming.filling import Filled, bring_up_to_date
from supervision.naming.selectors import Results, search
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, citizen, land_rows, person


@pytest.fixture(autouse=True)
def _quick(database: None) -> Iterator[None]:
    with override_settings(PASSWORD_HASHERS=["tests.accounts.conftest.QuickHasher"]):
        agreements()
        yield


def fill() -> Filled:
    with acting_as("worker"):
        return bring_up_to_date(at=NOW)


def code(serial: int) -> str:
    body = f"91532301MA{serial:07d}"
    return body + check_character(body)


def firm(serial: int, name: str, **other: str) -> dict[str, str]:
    return {
        "uscc": code(serial),
        "org_name": name,
        "division_code": "532301",
        "legal_rep_name": "赵样本",
    } | other


def pension(serial: int, name: str, **other: str) -> dict[str, str]:
    return {
        "citizen_id": citizen(serial),
        "person_name": name,
        "division_code": "532301",
        "pay_month": "2026-01",
    } | other


def look(kind: Any, text: str, office: str = "532300") -> Results:
    who = f"of{office}"
    from chuxiong.accounts.models import Person

    known = Person.objects.filter(username=who).first() or person(who, office=office)
    return search(known, kind, text, reason="示例", at=NOW)


def ask(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql, list(values))
        return list(cursor.fetchall())


def names(results: Results) -> list[str]:
    return [n.name for n in results.found]


def test_a_firm_is_found_by_part_error_and_other_legal_form() -> None:
    land_rows(
        "mr_enterprise",
        [
            firm(1, "楚雄彝香源食品有限公司"),
            firm(2, "禄丰市彝香源食品厂", division_code="532302"),
            firm(3, "楚雄恒顺建筑工程有限责任公司"),
            firm(4, "元谋华源物流有限公司"),
        ],
    )
    fill()
    first = look("organisation", "楚雄彝香源食品有限公司").found
    assert first[0].likeness == 1.0 and first[0].subject
    assert set(names(look("organisation", "彝香原食品"))) == {"楚雄彝香源食品有限公司", "禄丰市彝香源食品厂"}
    assert names(look("organisation", "楚雄恒循建筑工程"))[0] == "楚雄恒顺建筑工程有限责任公司"
    assert names(look("organisation", "楚雄彝香原食品有限公司"))[0] == "楚雄彝香源食品有限公司"
    assert names(look("organisation", "禄丰县彝香源食品厂"))[0] == "禄丰市彝香源食品厂"
    assert names(look("organisation", "恒顺建筑工程"))[0] == "楚雄恒顺建筑工程有限责任公司"
    assert names(look("organisation", "元谋华原物流")) == ["元谋华源物流有限公司"]
    assert names(look("organisation", "云南白药")) == []
    assert names(look("organisation", "有限公司")) == []


def test_a_person_is_found_by_sound_and_by_one_character_apart() -> None:
    land_rows(
        "hr_pension_payment",
        [pension(1, "李晓明"), pension(2, "李小明"), pension(3, "李小龙"), pension(4, "王大山")],
    )
    fill()
    found = look("person", "李小明").found
    assert [n.name for n in found] == ["李小明", "李晓明", "李小龙"]
    assert found[0].likeness == 1 > found[1].likeness > found[2].likeness
    assert names(look("person", "李 小明")) == ["李小明", "李晓明", "李小龙"]
    assert names(look("person", "小明")) != ["王大山"]
    assert names(look("person", "王山")) == ["王大山"]


def test_an_address_is_found_as_people_shorten_it() -> None:
    land_rows(
        "mr_enterprise",
        [
            firm(1, "示例一食品厂", address="云南省楚雄彝族自治州楚雄市鹿城镇龙江路12号3栋402室"),
            firm(2, "示例二食品厂", address="云南省楚雄州楚雄市东瓜镇永安路77号"),
        ],
    )
    fill()
    assert names(look("address", "鹿城镇龙江路12号"))[0].endswith("龙江路12号3栋402室")
    assert names(look("address", "永安路77号"))[0].endswith("永安路77号")
    assert "永安路77号" in names(look("address", "楚雄市东瓜镇永安路77号"))[0]


def test_scope_agreement_and_seal_hold_for_names() -> None:
    land_rows("hr_pension_payment", [pension(1, "李小明"), pension(2, "李小明", division_code="532302")])
    land_rows(
        "ps_hotel_stay",
        [
            {"stay_no": "S1", "person_name": "童小明", "citizen_id": citizen(7, born="20140101"), "division_code": "532301", "is_minor": "是", "hotel_name": "示例宾馆"},
        ],
    )  # fmt: skip
    fill()
    assert len(look("person", "李小明").found) == 2
    assert len(look("person", "李小明", "532301").found) == 1
    assert look("person", "李小明", "532325").found == []
    # A minor's night stands under a seal: nobody finds the child by name.
    assert look("person", "童小明").found == []
    with pytest.raises(Exception, match="permission denied"), connections["default"].cursor() as cursor:
        cursor.execute("select count(*) from supervision_naming")
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "update ingestion_agreement set valid_to = '2026-08-20' where fields ? 'hr_pension_payment'"
        )
    assert look("person", "李小明").found == []


def test_the_audit_says_that_somebody_searched_and_never_for_whom() -> None:
    land_rows("hr_pension_payment", [pension(1, "李小明")])
    fill()
    look("person", "李小明")
    (row,) = ask(
        "select actor, object_ref, reason, detail::text from audit_auditevent where action = 'name.search'"
    )
    assert (
        row[:3] == ("of532300", "person", "示例")
        and "李小明" not in row[3]
        and '"found":1' in row[3].replace(" ", "")
    )


def test_part_by_part_is_as_the_whole() -> None:
    seed = secrets.randbits(31)
    print(f"seed {seed}")
    draw = random.Random(seed)
    spelled = ["李小明", "李  小明", "李晓明", "木吉·罗日", "木吉•罗日", '王"某', "ANNA \\ B"]
    for _ in range(4):
        rows = [
            firm(n, f"示例{draw.choice('甲乙丙')}食品厂", legal_rep_name=draw.choice(spelled), division_code=draw.choice(["532301", "532302"]))
            for n in draw.sample(range(8), 4)
        ]  # fmt: skip
        land_rows("mr_enterprise", rows, snapshot=draw.random() < 0.4)
        fill()
    told = "select feed, role, county, subject::text, written, name, core, keys from supervision_naming order by 1, 2, 3, 4, 5"
    parts = ask(told)
    assert len(parts) >= 4
    with connections["owner"].cursor() as cursor:
        cursor.execute("update supervision_derivation set digest = ''")
    fill()
    assert ask(told) == parts
    # And as what stands in the pool: every current record is found under its spelling.
    held = ask('select distinct org_name from pool."mr_enterprise" where to_landing is null order by 1')
    assert held == ask("select distinct written from supervision_naming where role = 'enterprise' order by 1")
