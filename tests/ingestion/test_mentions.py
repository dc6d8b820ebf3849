"""``mentions`` of a feed file: every fault names its place and the cure."""

from __future__ import annotations

import pytest

from ingestion.catalog.mentions import Mention, wrong
from ingestion.selectors import catalog

COLUMNS = {c.name: c for c in catalog()["ps_hotel_stay"].columns}
GUEST = Mention(role="guest", kind="person", name="person_name", number="citizen_id", area="county")


def test_the_shipped_feeds_say_who_is_meant():
    assert all(not wrong(f.mentions, {c.name: c for c in f.columns}) for f in catalog().values())
    assert sum(bool(f.mentions) for f in catalog().values()) >= 25


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"name": "nobody"}, "角色 guest 的 name 没有列“nobody”"),
        ({"number": "phone"}, "角色 guest 的 number 须为 citizen_id 列"),
        ({"birth": "gender"}, "角色 guest 的 birth 须为 date 列，“gender”是 enum"),
        ({"kind": "organisation", "number": "hotel_uscc", "sex": "gender"}, "是组织，没有出生日期、性别"),
        ({"legacy": "stay_no"}, "是个人，没有旧注册号"),
    ],
)
def test_a_fault_names_place_and_cure(change: dict[str, str], said: str):
    assert said in wrong((GUEST.model_copy(update=change),), COLUMNS)


def test_a_role_stands_once():
    assert "角色 guest 写了两次" in wrong((GUEST, GUEST), COLUMNS)
