"""Every village of the prefecture under the names it is written by, and what counties and townships were called before."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from supervision.identity.addresses import addresses, place_keys


def _read(shared: Path, name: str) -> pl.DataFrame:
    return pl.read_csv(shared / "data" / "divisions" / name, infer_schema=False)


@pytest.mark.parametrize(
    ("committee", "written"),
    [
        ("居民委员会", "居委会"), ("居民委员会", ""), ("村民委员会", "村委会"), ("村民委员会", "村"), ("村民委员会", "村公所"),
        ("村民委员会", "办事处"),
    ],
)  # fmt: skip
def test_every_village_is_found_in_short_and_under_former_committees(
    shared: Path, committee: str, written: str
) -> None:
    villages = _read(shared, "villages_chuxiong.csv")
    counties = dict(_read(shared, "areas.csv").select("code", "name").iter_rows())
    towns = dict(_read(shared, "streets_yunnan.csv").select("code", "name").iter_rows())
    chosen = villages.filter(pl.col("name").str.ends_with(committee))
    said = [
        f"{counties[v['areaCode']]}{towns[v['streetCode']]}{v['name'].removesuffix(committee)}{written}3组12号"
        for v in chosen.iter_rows(named=True)
    ]
    told = addresses(pl.Series(said))
    right = told["village"] == chosen["code"]
    # Of a community the word 社区 stays, so what is left of the others without a committee is no village's name.
    asked = chosen["name"].str.contains("社区") if not written else pl.Series([True] * chosen.height)
    assert (told["township"] == chosen["streetCode"]).all()
    wrong = [w for w, ok, a in zip(said, right.fill_null(False), asked, strict=True) if a and not ok]
    # Two villages of one township that differ in the committee alone stay open.
    assert len(wrong) <= 0.02 * chosen.height, wrong[:20]
    assert set(told.filter(right.fill_null(False))["group"]) <= {"3"}


def test_former_counties_lead_to_todays(shared: Path) -> None:
    history = pl.read_csv(shared / "data/divisions/areacodes_1981_2025.csv", infer_schema=False)
    mine = history.filter(pl.col("代码").str.starts_with("5323") & (pl.col("级别") == "县级"))
    for row in mine.iter_rows(named=True):
        today = (row["新代码"] or row["代码"])[:6]
        if not today.startswith("5323") or row["名称"] == "禄劝县":
            continue
        found = addresses(pl.Series([f"云南省楚雄彝族自治州{row['名称']}某处1号"]))["county"][0]
        assert found == today, row


@pytest.mark.parametrize(
    ("written", "township"),
    [
        ("楚雄市东瓜乡永安路1号", "532301102"),
        ("楚雄市东瓜公社", "532301102"),
        # Without its county nobody knows which.
        ("东瓜公社", None),
    ],
)
def test_former_kinds_of_townships(written: str, township: str | None) -> None:
    assert addresses(pl.Series([written]))["township"][0] == township


def test_one_key_for_one_place_and_none_for_a_district() -> None:
    same = [
        "云南省楚雄彝族自治州楚雄市鹿城镇龙江路12号3栋402室",
        "楚雄市鹿城镇龙江路12#3幢402",
        "楚雄鹿城镇龙江路12号3-402",
    ]
    keys = place_keys(pl.Series(same)).to_list()
    assert keys[0] is not None and len(set(keys)) == 1
    others = [
        "楚雄市鹿城镇龙江路12号3栋403室",
        "楚雄市东瓜镇龙江路12号3栋402室",
        "楚雄市鹿城镇龙江路21号3栋402室",
    ]
    assert len({keys[0], *place_keys(pl.Series(others))}) == 4
    assert (
        place_keys(pl.Series(["楚雄市鹿城镇", "楚雄市鹿城镇龙江路", "昆明市某路1号", None])).to_list()
        == [None] * 4
    )
