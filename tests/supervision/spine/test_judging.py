"""A person's word on two that may be one: kept, obeyed, on record, withdrawn."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client, override_settings

from supervision.spine import judging
from supervision.spine import selectors as spine
from tests.prefecture import NOW, agreements, citizen, land_rows, person
from tests.supervision.spine.test_spine import Crowd, ask, pension, ref, run, stay, subject_of


@pytest.fixture(autouse=True)
def _quick(database: None) -> Iterator[None]:
    with override_settings(PASSWORD_HASHERS=["tests.accounts.conftest.QuickHasher"]):
        agreements()
        yield


def test_a_word_is_obeyed_on_record_and_may_be_withdrawn() -> None:
    crowd = Crowd(11)
    one = crowd.people[5]
    two = one | {"number": citizen(998, division=one["county"], born=one["born"].replace("-", ""))}
    land_rows("hr_pension_payment", [pension(p) for p in [*crowd.people, two]])
    land_rows("ps_hotel_stay", [stay(1, one, citizen_id="")])
    run()
    who, elsewhere = person("tester", office=one["county"]), person("other", office="532328")
    alone = subject_of("S000001")[0]
    rows, total = spine.waiting(who, at=NOW)
    assert total == len(rows) == 2
    assert spine.waiting(elsewhere, at=NOW) == ([], 0)
    assert spine.pair(elsewhere, rows[0].pk, at=NOW) is None
    with pytest.raises(judging.NotPossible):
        judging.judge(elsewhere, rows[0].pk, "same", "示例", at=NOW)
    seen = next(p for p in (spine.pair(who, r.pk, at=NOW) for r in rows) if p)
    assert {c.column: c.agreement for c in seen.compared}["birth"] == "equal"
    assert seen.namesakes and seen.namesakes.everywhere >= 1
    text = str(seen)
    assert one["number"] not in text and two["number"] not in text
    wanted = {"left": ref(one["number"])}["left"]
    pk = ask(
        "select id from supervision_identitypair where %s in (left_subject::text, right_subject::text)",
        wanted,
    )[0][0]
    with pytest.raises(judging.NotPossible):
        judging.judge(who, pk, "same", " ", at=NOW)
    other = next(r.pk for r in rows if r.pk != pk)
    given = judging.judge(who, pk, "same", "示例", at=NOW)
    # One record is one person: of the other number it cannot be said as well, before or after the spine has run.
    with pytest.raises(judging.NotPossible, match="another"):
        judging.judge(who, other, "same", "示例", at=NOW)
    assert run().merged == 1
    assert subject_of("S000001") == (wanted, "J")
    assert spine.present(alone) == wanted
    judging.withdraw(who, given.pk, "示例", at=NOW.replace(hour=11))
    assert run().changed == 1
    assert subject_of("S000001") == (alone, "")
    actions = [
        a for (a,) in ask("select action from audit_auditevent where action like 'identity.%%' order by id")
    ]
    assert actions[-2:] == ["identity.judge", "identity.withdraw"] and "identity.read" in actions
    client = Client()
    client.force_login(who)
    page = client.get("/identity")
    assert page.status_code == 200 and one["name"] in page.content.decode()
