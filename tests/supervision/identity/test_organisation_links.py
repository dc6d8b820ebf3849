"""Organisations: one by number or by name with a second sign; a name alone is shown, two numbers are two."""

from __future__ import annotations

import secrets

import numpy as np
import polars as pl
import pytest

from supervision.identity.organisation_links import link_organisations, organisation_columns
from supervision.identity.organisations import former_names, organisation_names

_BRANDS, _TRADES = (
    "彝香源恒顺鼎盛金沙紫溪鹿城龙川元谋锦绣宏图",
    ("食品", "建筑工程", "物流", "商贸", "农业开发"),
)
HOUSE = "楚雄市鹿城镇龙江路{}号"


def crowd(seed: int, size: int = 3000) -> list[dict[str, str | None]]:
    """Firms that nobody asks about, so that shares of values are what they are among many."""
    draw = np.random.default_rng(seed)
    rows: list[dict[str, str | None]] = []
    for n in range(size):
        brand = "".join(draw.choice(list(_BRANDS), 3))
        rows.append(
            {
                "number": f"C{n}", "legacy": f"L{n}" if n % 3 else None, "name": f"楚雄{brand}{draw.choice(_TRADES)}有限公司",
                "phone": f"P{n}", "address": HOUSE.format(n + 100), "head": "".join(draw.choice(list("赵钱孙李周吴郑王"), 3)),
            }
        )  # fmt: skip
    return rows


def firm(**told: str | None) -> dict[str, str | None]:
    return {
        "number": None,
        "legacy": None,
        "name": "楚雄云岭蓝莓食品有限公司",
        "phone": None,
        "address": None,
        "head": None,
    } | told


def said(first: dict[str, str | None], second: dict[str, str | None]) -> str:
    found = link_organisations(pl.DataFrame([first, second, *crowd(secrets.randbits(31))]))
    here = (found.links.left == 0) & (found.links.right == 1)
    if found.joined[here].any():
        return "joined"
    return "shown" if found.shown[here].any() else "apart"


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (firm(number="X"), firm(number="X", name="楚雄云岭蓝莓食品厂"), "joined"),
        (firm(number="X", phone="Q"), firm(phone="Q"), "joined"),
        (firm(number="X", phone="Q"), firm(phone="Q", name="楚雄云岭蓝霉食品有限责任公司"), "joined"),
        (
            firm(number="X", address=HOUSE.format(7)),
            firm(address="云南省楚雄州楚雄市鹿城镇龙江路7#"),
            "joined",
        ),
        (firm(number="X", legacy="532300000001"), firm(legacy="532300000001"), "joined"),
        (firm(number="X", legacy="532300000001"), firm(legacy="532300000001", name="云岭蓝莓"), "shown"),
        # The name alone: a person is asked.
        (firm(number="X"), firm(), "shown"),
        (firm(number="X", phone="Q"), firm(phone="R"), "shown"),
        # Two numbers, two firms, whatever else agrees.
        (firm(number="X", phone="Q"), firm(number="Y", phone="Q"), "apart"),
        # Registered in two counties: two firms of one name; one telephone makes it a question.
        (firm(phone="Q"), firm(phone="Q", name="禄丰市云岭蓝莓食品有限公司"), "shown"),
        (firm(number="X"), firm(name="楚雄天府鲜花物流有限公司"), "apart"),
        # What it was called before is a name of it as well.
        (
            firm(number="X", phone="Q", name="楚雄高原明珠科技有限公司(原楚雄云岭蓝莓食品有限公司)"),
            firm(phone="Q"),
            "joined",
        ),
    ],
)
def test_what_joins_what_is_shown_what_stays_apart(
    first: dict[str, str | None], second: dict[str, str | None], expected: str
) -> None:
    assert said(first, second) == expected


def test_former_names_and_records_that_stand_twice() -> None:
    cells = pl.Series(
        [
            "甲乙食品有限公司（原名：丙丁食品厂）",
            "甲乙食品有限公司 原丙丁食品厂",
            "原野食品有限公司",
            "甲乙(楚雄)有限公司",
            None,
        ]
    )
    assert former_names(cells).to_list() == ["丙丁食品厂", "丙丁食品厂", None, None, None]
    assert organisation_names(cells)["core"].to_list()[:3] == ["甲乙食品", "甲乙食品", "原野食品"]
    told = organisation_columns(pl.DataFrame({"name": cells}))
    assert told["row"].to_list() == [0, 1, 2, 3, 4, 0, 1]
