"""The spine in the database: whom mentions without a number stand for, in part and as a whole."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

from supervision.spine.run import SpineRun, bring_up_to_date
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, citizen, land_rows

_SURNAMES, _GIVEN = "王李张刘陈杨赵黄周吴徐孙", "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀兰霞平刚桂英"
_COUNTIES = ("532301", "532322", "532323", "532324", "532325")


@pytest.fixture(autouse=True)
def _quick(database: None) -> Iterator[None]:
    with override_settings(PASSWORD_HASHERS=["tests.accounts.conftest.QuickHasher"]):
        agreements()
        yield


class Crowd:
    """People that nobody is: enough of them that names and birthdays weigh what they weigh."""

    def __init__(self, seed: int, size: int = 1500) -> None:
        self.draw = random.Random(seed)
        self.people = [self.one(n) for n in range(size)]

    def one(self, n: int) -> dict[str, str]:
        draw = self.draw
        born = f"{draw.randint(1930, 2000)}{draw.randint(1, 12):02d}{draw.randint(1, 28):02d}"
        county = draw.choice(_COUNTIES)
        return {
            "name": draw.choice(_SURNAMES) + draw.choice(_GIVEN) + draw.choice(_GIVEN),
            "number": citizen(n % 1000, division=county, born=born),
            "born": f"{born[:4]}-{born[4:6]}-{born[6:]}",
            "county": county,
        }


def pension(who: dict[str, str], month: str = "2026-01") -> dict[str, str]:
    return {
        "person_name": who["name"],
        "citizen_id": who["number"],
        "division_code": who["county"],
        "pay_month": month,
    }


def stay(n: int, who: dict[str, str], **other: str) -> dict[str, str]:
    """A night at a hotel; the number starred, as front desks send it."""
    row = {
        "stay_no": f"S{n:06d}", "person_name": who["name"], "birth_date": who["born"],
        "citizen_id": f"{who['number'][:6]}********{who['number'][14:]}", "division_code": who["county"],
        "is_minor": "否", "hotel_name": "示例宾馆",
    }  # fmt: skip
    return row | other


def run(**how: Any) -> SpineRun:
    with acting_as("worker"):
        return bring_up_to_date(at=NOW, **how)


def ask(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(sql, list(values))
        return list(cursor.fetchall())


def subject_of(key: str, column: str = "stay_no", feed: str = "ps_hotel_stay") -> tuple[str, str]:
    rows = ask(
        f'select m.subject::text, m.tier from supervision_mention m join pool."{feed}" t on t.natural_hash = m.natural_hash'
        f' and t.to_landing is null where m.to_landing is null and m.kind = %s and m.feed = %s and t."{column}" = %s',
        "person",
        feed,
        key,
    )
    assert len(rows) == 1, rows
    return rows[0]


def ref(number: str) -> str:
    from chuxiong.vault.refs import find

    with acting_as("intake"):
        return str(find(connections["intake"], "citizen_id", number))


def standing() -> list[tuple[Any, ...]]:
    return ask(
        "select feed, role, encode(natural_hash, 'hex'), subject::text, tier, score, reasons::text, record_landing"
        " from supervision_mention where to_landing is null order by 1, 2, 3"
    )


def pairs() -> list[tuple[Any, ...]]:
    return ask('select "left", "right", score from supervision_identitypair order by 1, 2')


def test_a_starred_number_leads_to_its_owner_and_to_nobody_else() -> None:
    crowd = Crowd(7)
    someone = crowd.people[3]
    land_rows("hr_pension_payment", [pension(p) for p in crowd.people])
    # The same name, birthday and county; the stars hide another's number.
    stranger = someone | {
        "number": citizen(999, division=someone["county"], born=someone["born"].replace("-", ""))
    }
    assert stranger["number"][14:] != someone["number"][14:]
    land_rows("ps_hotel_stay", [stay(1, someone), stay(2, stranger)])
    done = run()
    assert done.mode == "full" and done.mentions == 4, "two guests, twice the hotel"
    assert subject_of("S000001") == (ref(someone["number"]), "B")
    assert subject_of("S000002")[0] not in {
        str(r) for (r,) in ask("select subject from supervision_appearance")
    }
    assert subject_of("S000002")[1] == ""


def test_digits_that_the_stars_leave_open_part_two_numbers() -> None:
    """Four digits at the front are those of the whole prefecture: the fifth and sixth tell, where they are shown."""
    crowd = Crowd(9)
    owner, number = _twins(crowd)
    elsewhere = owner | {"number": number}
    assert number[14:] == owner["number"][14:] and number[4:6] != owner["number"][4:6]
    land_rows("hr_pension_payment", [pension(p) for p in crowd.people])
    other = next(p for p in crowd.people if p["name"] != owner["name"])
    four = f"{other['number'][:4]}**********{other['number'][14:]}"
    land_rows(
        "ps_hotel_stay",
        [
            stay(1, elsewhere),
            stay(2, elsewhere, birth_date=""),
            stay(3, owner, birth_date=""),
            stay(4, other, birth_date="", citizen_id=four),
            stay(5, other, citizen_id=four),
        ],
    )
    run()
    holders = {str(r) for (r,) in ask("select subject from supervision_appearance")}
    assert subject_of("S000001")[0] not in holders and subject_of("S000002")[0] not in holders
    assert subject_of("S000003") == (ref(owner["number"]), "C")
    assert subject_of("S000004")[0] not in holders, "name and four digits alone are no person"
    assert subject_of("S000005") == (ref(other["number"]), "B")


def _twins(crowd: Crowd) -> tuple[dict[str, str], str]:
    """Somebody, and a number given out elsewhere on the same day with the same four digits at either end."""
    for one in crowd.people:
        for division in (f"5323{n}" for n in range(22, 30)):
            other = citizen(int(one["number"][14:17]), division=division, born=one["born"].replace("-", ""))
            if other[:6] != one["number"][:6] and other[14:] == one["number"][14:]:
                return one, other
    raise AssertionError("no such number")


def test_namesakes_are_never_linked_and_a_person_is_asked() -> None:
    crowd = Crowd(8)
    one = crowd.people[5]
    two = one | {"number": citizen(998, division=one["county"], born=one["born"].replace("-", ""))}
    land_rows("hr_pension_payment", [pension(p) for p in [*crowd.people, two]])
    land_rows("ps_hotel_stay", [stay(1, one, citizen_id="")])
    run()
    subject, tier = subject_of("S000001")
    assert tier == "" and subject not in (ref(one["number"]), ref(two["number"]))
    asked = {right if left.startswith("ps_") else left for left, right, _ in pairs()}
    assert asked == {f"ref/{ref(one['number'])}", f"ref/{ref(two['number'])}"}


def test_merge_and_split_touch_the_subjects_concerned_and_keep_old_keys() -> None:
    crowd = Crowd(9)
    newcomer = crowd.one(997) | {"name": "欧阳樵隐"}
    land_rows("hr_pension_payment", [pension(p) for p in crowd.people])
    land_rows("ps_hotel_stay", [stay(1, newcomer), stay(2, crowd.people[0])])
    run()
    alone, _ = subject_of("S000001")
    before = ask("select max(number) from ingestion_landing")[0][0]
    land_rows("hr_pension_payment", [pension(newcomer)])
    done = run()
    assert (done.mode, done.changed, done.merged, done.split) == ("part", 1, 1, 0)
    owner = ref(newcomer["number"])
    assert subject_of("S000001") == (owner, "B")
    touched = "select kind, ref, cause from ingestion_touch where landing > %s and feed = '' and kind = 'person' order by ref"
    assert ask(touched, before) == [("person", r, "identity") for r in sorted((alone, owner))]
    assert ask("select merged_into::text from supervision_subject where key = %s", alone) == [(owner,)]
    assert ask("select kind, subject::text, other::text from supervision_subjectevent") == [
        ("merged", alone, owner)
    ]
    # The stay turns out to be somebody else's: the same record under another name.
    before = ask("select max(number) from ingestion_landing")[0][0]
    land_rows("ps_hotel_stay", [stay(1, newcomer | {"name": "司马听泉"})])
    done = run()
    assert (done.changed, done.split) == (2, 1), "the guest; and the hotel, whose record changed"
    apart, _ = subject_of("S000001")
    assert apart == alone, "the key of the record that came first answers again"
    assert ask(touched, before) == [("person", r, "identity") for r in sorted((owner, apart))]
    assert run().changed == 0 and run(full=True).changed == 0


def test_in_part_equals_as_a_whole() -> None:
    seed = secrets.randbelow(10**6)
    print("seed", seed)
    crowd = Crowd(seed, 800)
    draw = crowd.draw
    # Few names among those who move, so that they meet.
    for person in crowd.people[:30]:
        person["name"] = draw.choice(("王伟", "李芳", "张伟", "章薇"))
    movers = crowd.people[:30]
    land_rows("hr_pension_payment", [pension(p) for p in crowd.people[20:]])
    land_rows("ps_hotel_stay", [stay(n, p) for n, p in enumerate(movers)])
    run()
    for step in range(8):
        kind = draw.randrange(4)
        chosen = draw.sample(movers, 4)
        if kind == 0:
            land_rows("hr_pension_payment", [pension(p, f"2026-{step + 2:02d}") for p in chosen])
        elif kind == 1:
            changed = [p | {"name": draw.choice(("王伟", "李芳", "张玮", "王某"))} for p in chosen]
            land_rows(
                "ps_hotel_stay", [stay(movers.index(p), c) for p, c in zip(chosen, changed, strict=True)]
            )
        elif kind == 2:
            hidden = draw.choice(("", "keep"))
            land_rows(
                "ps_hotel_stay",
                [
                    stay(100 * step + n, p, **({"citizen_id": ""} if not hidden else {}))
                    for n, p in enumerate(chosen)
                ],
            )
        else:
            _judge(draw)
        run()
        found, shown = standing(), pairs()
        again = run(full=True)
        assert again.changed == 0, f"seed {seed} step {step} kind {kind}"
        assert (standing(), pairs()) == (found, shown), f"seed {seed} step {step}"
    two = ask(
        "select m.subject from supervision_mention m join supervision_appearance a on a.subject = m.subject"
        " where m.to_landing is null and a.masked <> m.masked"
    )
    assert not two


def _judge(draw: random.Random) -> None:
    """A word on some pair that is shown, as the page gives it; now and then one is taken back."""
    from supervision.models import IdentityJudgement, IdentityPair

    given = list(IdentityJudgement.objects.using("owner").filter(withdrawn_at=None))
    if given and draw.random() < 0.3:
        one = draw.choice(given)
        one.withdrawn_at, one.withdrawn_by, one.withdrawn_reason = _later(), "tester", "示例"
        one.save(using="owner")
        return
    open_ = [
        p
        for p in IdentityPair.objects.using("owner").order_by("left", "right")
        if not any((g.left, g.right) == (p.left, p.right) for g in given)
    ]
    if open_:
        pair = draw.choice(open_)
        IdentityJudgement.objects.using("owner").create(
            kind=pair.kind, left=pair.left, right=pair.right, sounds=[pair.sound],
            verdict=draw.choice(("same", "different", "unsure")), reason="示例", office="532301", person="tester", at=_later(),
        )  # fmt: skip


def _later() -> Any:
    from django.utils import timezone

    return timezone.now()


def test_an_organisation_by_its_old_number_and_by_name_and_place() -> None:
    crowd = Crowd(10, 400)
    firms = [
        {
            "uscc": uscc, "change_seq": "1", "legacy_reg_no": f"53230000{n:07d}", "org_name": f"楚雄市{name}有限公司",
            "division_code": "532301", "legal_rep_name": "赵样本",
        }
        for n, (uscc, name) in enumerate(_firms(crowd.draw))
    ]  # fmt: skip
    land_rows("mr_enterprise", firms)
    named = firms[0]["org_name"]
    base = {"division_code": "532301", "applicant_name": "赵样本", "applicant_no": "1"}
    land_rows(
        "hr_labour_arbitration",
        [
            base | {"case_no": "楚劳人仲案〔2026〕1号", "respondent_name": named},
            base | {"case_no": "楚劳人仲案〔2026〕2号", "respondent_name": named.replace("楚雄市", "禄丰市")},
        ],
    )
    run()
    found = ask(
        "select t.respondent_name, m.tier, m.subject = (select uscc from pool.mr_enterprise e where e.org_name = %s)"
        " from supervision_mention m join pool.hr_labour_arbitration t on t.natural_hash = m.natural_hash"
        " where m.role = 'respondent' order by 1 desc",
        named,
    )
    assert dict((name, (tier, same)) for name, tier, same in found) == {
        named: ("D", True),
        named.replace("楚雄市", "禄丰市"): ("", False),
    }


def _firms(draw: random.Random) -> list[tuple[str, str]]:
    from chuxiong.kit.credit_code import check_character

    words = "鑫源宏达盛泰恒昌瑞丰祥和永康兴隆万顺"
    names = {draw.choice(words) + draw.choice(words) + draw.choice(words) + "商贸" for _ in range(300)}
    bodies = [f"91532301MA{n:07d}" for n in range(len(names))]
    return [(body + check_character(body), name) for body, name in zip(bodies, sorted(names), strict=True)]
