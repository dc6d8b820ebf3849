"""Names and addresses as they come, and the one spelling of each."""

from __future__ import annotations

import polars as pl
import pytest
import yaml

from supervision.identity import spec
from supervision.identity.addresses import addresses
from supervision.identity.organisations import organisation_names
from supervision.identity.spellings import alike_names, person_names


@pytest.mark.parametrize(
    ("written", "name", "former", "sound"),
    [
        ("李 强", "李强", None, "li qiang"),
        ("木吉 • 罗日", "木吉·罗日", None, "mu ji luo ri"),
        ("张三（曾用名：张小三）", "张三", "张小三", "zhang san"),
        ("张三 原名张小三", "张三", "张小三", "zhang san"),
        ("王五(已故)", "王五", None, "wang wu"),
        ("jOHN  smith", "JOHN SMITH", None, "JOHN SMITH"),
        ("䶮㛃", "䶮㛃", None, "yan jie"),
        ("-", None, None, None),
        (None, None, None, None),
    ],
)
def test_person_names(written, name, former, sound):
    assert person_names(pl.Series([written], dtype=pl.String)).row(0) == (name, former, sound)


@pytest.mark.parametrize(
    ("written", "region", "core", "kind"),
    [
        ("云南省楚雄州禄丰县鑫源食品有限责任公司", "532302", "鑫源食品", "公司"),
        ("禄丰市鑫源食品有限公司", "532302", "鑫源食品", "公司"),
        ("云南鑫源（楚雄）食品有限公司", "532301", "鑫源食品", "公司"),
        ("楚雄彝族自治州人民医院", "532300", "人民医院", None),
        ("楚雄市人民医院", "532301", "人民医院", None),
        ("大姚县仓街镇 惠民小吃店", "532326", "仓街镇惠民小吃店", None),
        ("楚雄市恒源建筑工程有限公司元谋分公司", "532301", "恒源建筑工程有限公司元谋分公司", "分支"),
        ("楚雄市绿野蔬菜种植农民专业合作社", "532301", "绿野蔬菜种植", "合作社"),
        ("有限公司", None, "有限公司", "公司"),
        (None, None, None, None),
    ],
)
def test_organisation_names(written, region, core, kind):
    row = organisation_names(pl.Series([written], dtype=pl.String)).row(0, named=True)
    assert (row["region"], row["core"], row["kind"]) == (region, core, kind)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (
            "云南省楚雄彝族自治州楚雄市鹿城镇东兴社区居委会阳光大道128号3栋2单元501室",
            ("532301", "532301101", "532301101001", None, "阳光大道", "128", "3-2-501"),
        ),
        ("楚雄鹿城镇东兴社区团结路 12#", ("532301", "532301101", "532301101001", None, "团结路", "12", None)),
        ("鹿城镇学桥街社区居民委员会二十三号", ("532301", "532301101", "532301101002", None, None, "23", None)),
        ("楚雄市鹿城镇阳光花园3-2-501", ("532301", "532301101", None, None, None, None, "3-2-501")),
        ("武定县狮山镇狮山大道(老车站旁)7-1号", ("532329", "532329101", None, None, "狮山大道", "7-1", None)),
        ("禄丰县金山镇十五组", ("532302", "532302101", None, "15", None, None, None)),
        ("二十组", (None, None, None, "20", None, None, None)),
        ("三家村委会十组", (None, None, None, "10", None, None, None)),
        (None, (None,) * 7),
    ],
)  # fmt: skip
def test_addresses(written, expected):
    row = addresses(pl.Series([written], dtype=pl.String)).row(0, named=True)
    assert (
        tuple(row[c] for c in ("county", "township", "village", "group", "road", "number", "unit"))
        == expected
    )


def test_a_township_that_two_counties_have_is_not_guessed():
    both = pl.Series(["中屯镇1组", "牟定县凤屯镇1组"])
    rows = addresses(both).rows(named=True)
    assert rows[1]["county"] == "532323"
    assert all(row["township"] is None or row["township"].startswith(row["county"]) for row in rows)


def test_words_in_another_order_are_alike():
    alike = alike_names(
        pl.Series(["José García", "SMITH, John", "李强"]), pl.Series(["garcia jose", "John Smith", "王伟"])
    )
    assert alike[:2].tolist() == pytest.approx([1, 1])
    assert alike[2] < 0.5


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"comparisons": [{"column": "name", "m": [0.9]}]}, "m needs 2 shares"),
        ({"comparisons": [{"column": "name", "m": [0.9, 0.9]}]}, "add up to 1"),
        ({"comparisons": [{"column": "name", "near": [{"same": "sound", "edits": 1}], "m": [0.5, 0.3, 0.2]}]}, "exactly one of"),
        ({"caps": 3}, "caps"),
    ],
)  # fmt: skip
def test_a_broken_model_names_the_place(tmp_path, monkeypatch, change, words):
    document = yaml.safe_load((spec._FOLDER / "person.yaml").read_text(encoding="utf-8")) | change
    (tmp_path / "broken.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    monkeypatch.setattr(spec, "_FOLDER", tmp_path)
    spec.linkage.cache_clear()
    with pytest.raises(ValueError, match=words):
        spec.linkage("broken")
