"""Names of a million organisations and addresses, and how others write them: what the stock is asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

from bench.linkage.people import _rows, homophones, near_glyphs, swapped

_PLACES = (
    "楚雄市",
    "双柏县",
    "牟定县",
    "南华县",
    "姚安县",
    "大姚县",
    "永仁县",
    "元谋县",
    "武定县",
    "禄丰市",
    "云南",
    "楚雄",
    "昆明",
    "楚雄州",
    "",
)
_TRADES = [
    "建筑工程",
    "建设工程",
    "劳务",
    "市政工程",
    "装饰工程",
    "路桥工程",
    "食品",
    "化工",
    "冶金",
    "纸业",
    "生物科技",
    "水泥制品",
    "农业开发",
    "畜牧",
    "食用菌",
    "花卉",
    "物业管理",
    "餐饮管理",
    "物流",
    "环卫服务",
    "商贸",
    "贸易",
    "科技",
    "信息技术",
    "网络科技",
    "文化传播",
    "广告",
    "酒店管理",
    "医疗器械",
    "大药房",
    "汽车维修",
    "运输",
    "矿业",
    "石材",
    "家具",
    "服饰",
    "茶叶",
    "酒业",
    "养殖",
    "种植",
    "农资",
    "劳务派遣",
    "人力资源",
    "教育咨询",
    "旅游",
    "房地产开发",
    "投资",
    "担保",
    "典当",
    "超市",
    "五金",
    "建材",
    "电器",
    "通讯",
    "美容",
    "小吃店",
    "餐馆",
    "便利店",
]
_KINDS = (
    ("有限公司",) * 40
    + ("有限责任公司",) * 8
    + ("",) * 25
    + ("店",) * 10
    + ("商行", "经营部") * 5
    + ("厂",) * 3
    + ("农民专业合作社",) * 4
)
_ROADS = [
    "鹿城",
    "阳光",
    "团结",
    "北浦",
    "永安",
    "环城",
    "龙川",
    "彝海",
    "金山",
    "狮山",
    "人民",
    "建设",
    "文化",
    "东兴",
    "西山",
    "龙江",
    "开元",
    "府前",
    "学府",
    "紫溪",
]


def organisations(shared: Path, size: int, asked: int, seed: int) -> tuple[pl.Series, pl.DataFrame]:
    """``size`` different names, and ``asked`` of (``query``, ``truth``): a row of the stock, or -1 for a name not in it."""
    draw = np.random.default_rng(seed)
    brands = [
        b for b in (shared / "data/company_names/short_forms_sample.txt").read_text("utf-8").split() if b
    ]
    signs = list("".join(brands))

    def name() -> str:
        if draw.random() < 0.35:
            brand = brands[draw.integers(len(brands))]
        else:
            brand = "".join(signs[i] for i in draw.integers(0, len(signs), draw.choice([2, 2, 2, 3, 3, 4])))
        parts = (_PLACES, _TRADES, _KINDS)
        place, trade, kind = (each[draw.integers(len(each))] for each in parts)
        return place + brand + trade + kind

    return _asked(shared, size, asked, draw, name, _misnamed)


def addresses(shared: Path, size: int, asked: int, seed: int) -> tuple[pl.Series, pl.DataFrame]:
    """As ``organisations``, of addresses."""
    draw = np.random.default_rng(seed)
    villages = _rows(shared / "data/divisions/villages_chuxiong.csv")
    towns = {r["code"]: r["name"] for r in _rows(shared / "data/divisions/streets_yunnan.csv")}
    counties = {r["code"]: r["name"] for r in _rows(shared / "data/divisions/areas.csv")}

    def address() -> str:
        v = villages[draw.integers(len(villages))]
        head = f"云南省楚雄彝族自治州{counties[v['areaCode']]}{towns[v['streetCode']]}{v['name']}"
        if draw.random() < 0.5:
            return f"{head}{draw.integers(1, 40)}组{draw.integers(1, 400)}号"
        road = _ROADS[draw.integers(len(_ROADS))]
        return f"{head}{road}路{draw.integers(1, 400)}号{draw.integers(1, 20)}栋{draw.integers(1, 5)}单元{draw.integers(1, 30)}{draw.integers(1, 9):02d}室"

    return _asked(shared, size, asked, draw, address, _misaddressed)


def _asked(shared, size, asked, draw, make, spoil) -> tuple[pl.Series, pl.DataFrame]:  # type: ignore[no-untyped-def]
    stock = dict.fromkeys(make() for _ in range(size))
    while len(stock) < size:
        stock[make()] = None
    names, tables = list(stock), (homophones(shared), near_glyphs(shared))
    rows: list[tuple[str, int]] = []
    while len(rows) < asked:
        if draw.random() < 0.2:
            if (other := make()) not in stock:
                rows.append((other, -1))
            continue
        truth = int(draw.integers(size))
        word = names[truth]
        for _ in range(draw.choice([1, 1, 2])):
            word = spoil(word, tables, draw)
        rows.append((word, truth))
    return pl.Series("text", names), pl.DataFrame(
        rows, schema={"query": pl.String, "truth": pl.Int64}, orient="row"
    )


def _misnamed(word: str, tables: tuple[dict[str, str], dict[str, str]], draw: np.random.Generator) -> str:
    r, place = draw.random(), int(draw.integers(len(word)))
    if r < 0.4:
        return swapped(word, place, tables[0] if r < 0.25 else tables[1], draw)
    if r < 0.55:
        return word[:place] + word[place + 1 :] if len(word) > 5 else word
    if r < 0.7:
        return (
            word.replace("有限责任公司", "有限公司")
            if "责任" in word
            else word.replace("有限公司", "有限责任公司")
        )
    if r < 0.8:
        return word.removeprefix("云南") if word.startswith("云南") else f"云南{word}"
    if r < 0.9:
        return word.replace("县", "").replace("市", "", 1)
    return word[:place] + word[place : place + 2][::-1] + word[place + 2 :]


def _misaddressed(word: str, tables: tuple[dict[str, str], dict[str, str]], draw: np.random.Generator) -> str:
    r, place = draw.random(), int(draw.integers(len(word)))
    if r < 0.2:
        return swapped(word, place, tables[0] if r < 0.12 else tables[1], draw)
    if r < 0.5:
        return word.replace("云南省", "").replace("楚雄彝族自治州", "" if r < 0.4 else "楚雄州")
    if r < 0.65:
        return word.replace("村民委员会", "村委会").replace("居民委员会", "居委会")
    if r < 0.8:
        return word.replace("号", "#").replace("单元", "-").replace("栋", "-").replace("室", "")
    if r < 0.9:
        return word[:place] + word[place + 1 :]
    return word.replace("村民委员会", "村").replace("组", "社")
