"""Another number is another door; a slip in the village's name is still the same."""

from __future__ import annotations

import polars as pl
import pytest

from supervision.identity.places import Places

STOCK = pl.Series(
    [
        "云南省楚雄彝族自治州南华县龙川镇大谷堆村民委员会1组249号",
        "云南省楚雄彝族自治州南华县龙川镇大谷堆村民委员会1组294号",
        "云南省楚雄彝族自治州楚雄市鹿城镇龙江路12号3栋402室",
        "云南省楚雄彝族自治州楚雄市鹿城镇龙江路12号3栋403室",
        "",
        None,
    ]
)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("南华县龙川镇大谷堆村1社249#", 0),
        ("云南省楚雄彝族自治州南华县龙川镇大裕堆村民委员会1组249号", 0),
        ("云男省楚雄彝族自治州南华县龙川镇大谷堆村民委员会1组294号", 1),
        ("楚雄州楚雄市鹿城镇龙江路12号3-402", 2),
        ("楚雄市鹿城镇龙江路12号3栋403", 3),
        ("楚雄市东瓜镇永安路7号", None),
        ("", None),
    ],
)
def test_the_place_that_is_meant_stands_first(asked: str, meant: int | None) -> None:
    found = Places(STOCK).closest(pl.Series([asked]), least=0.6)
    assert (int(found.text[0]) if len(found.text) else None) == meant
    if meant is not None and len(found.text) > 1:
        assert found.likeness[0] > found.likeness[1]
