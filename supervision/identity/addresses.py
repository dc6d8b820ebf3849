"""Addresses of the prefecture: county, township, village by the division tables, then group, road, number and unit."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import polars as pl

from chuxiong.kit.divisions import codes, today
from chuxiong.kit.text import cleaned, same_brackets

_FOLDER = Path(__file__).parent / "data"
_UPPER = r"^(?:中国)?(?:云南省?)?(?:楚雄彝族自治州|楚雄州)?"
_COUNTIES = "楚雄|双柏|牟定|南华|姚安|大姚|永仁|元谋|武定|禄丰"
_COUNTY = rf"^((?:{_COUNTIES})[市县])"
#: without its last sign only where a township follows
_SHORT_COUNTY = rf"^({_COUNTIES})"
_VILLAGE = r"^(\p{Han}{1,8}?)(?:村民委员会|居民委员会|社区居委会|社区居民委员会|村委会|居委会|社区|行政村|村公所|办事处|生产大队|大队|村)"
#: what a township was before, or is called in short: 东瓜乡 is 东瓜镇 today, where its county has one of that stem alone
_TOWN_KIND = r"(?:(?:彝族|傣族|回族|苗族|傈僳族)*(?:镇|乡)|街道)$"
_FORMER_KIND = r"(?:(?:彝族|傣族|回族|苗族|傈僳族)*(?:镇|乡)|人民公社|公社|街道办事处|街道|区)"
_GROUP = r"([0-9]+)(?:村民小组|村小组|小组|组|社|队)"
_ROAD = r"(\p{Han}{1,10}?(?:大道|大街|路|街|巷|弄|道|线))"
_NUMBER = r"([0-9]+(?:[-之][0-9]+)?)(?:号院|号楼|号|#)"
_UNIT = r"(?:([0-9A-Za-z]+)(?:号楼|栋|幢|座)-?)?(?:([0-9]+)单元-?)?(?:[0-9]+(?:楼|层))?([0-9]{2,5})(?:室|房)$"
_DASHED = r"([0-9]+)-([0-9]+)-([0-9]{2,5})$"
_REMARK = r"\([^()]*\)"
_SIGNS = "一二三四五六七八九"
#: what a numeral is written before: 十五组, 二十三号
_COUNTED = "(村民小组|小组|组|社|队|号|栋|幢|单元|楼|层|室)"


@lru_cache(maxsize=1)
def _townships() -> pl.DataFrame:
    return pl.read_csv(_FOLDER / "townships.csv", infer_schema=False)


@lru_cache(maxsize=1)
def _villages() -> pl.DataFrame:
    return pl.read_csv(_FOLDER / "villages.csv", infer_schema=False)


@lru_cache(maxsize=1)
def _township_pattern() -> str:
    """All names, the longest first."""
    names = sorted(_townships()["name"].unique(), key=lambda name: (-len(name), name))
    return f"^({'|'.join(names)})"


@lru_cache(maxsize=1)
def _stems() -> pl.DataFrame:
    """``stem``, ``county``, ``name`` of townships whose stem one township of the county has."""
    told = _townships().with_columns(stem=pl.col("name").str.replace(_TOWN_KIND, ""))
    return told.filter(pl.col("stem").str.len_chars() > 1).unique(["stem", "county"], keep="none")


@lru_cache(maxsize=1)
def _former_pattern() -> str:
    stems = sorted(_stems()["stem"].unique(), key=lambda stem: (-len(stem), stem))
    return f"^({'|'.join(stems)}){_FORMER_KIND}"


def _by_stem(frame: pl.DataFrame) -> pl.DataFrame:
    """Townships under a former kind, of a stated county alone: ``town`` is today's name, ``left`` what follows."""
    frame = frame.with_columns(
        stem=pl.when(pl.col("town").is_null()).then(pl.col("left").str.extract(_former_pattern(), 1))
    )
    today = _stems().select("stem", "county", today="name")
    frame = frame.join(today, on=["stem", "county"], how="left", maintain_order="left")
    found = pl.col("today").is_not_null()
    return frame.with_columns(
        town=pl.coalesce("town", "today"),
        left=pl.when(found)
        .then(pl.col("today") + pl.col("left").str.replace(_former_pattern(), ""))
        .otherwise("left"),
    ).drop("stem", "today")


def addresses(values: pl.Series) -> pl.DataFrame:
    """``text`` in one spelling, ``county``, ``township`` and ``village`` codes, ``group``, ``road``, ``number``, ``unit``, ``rest``.

    What the tables do not know stays in ``rest``: nothing is guessed. An old county name gives today's code; a township
    whose name two counties have is coded only when the county is stated.
    """
    text = _plain(values)
    frame = pl.DataFrame({"text": text}).with_columns(left=pl.col("text").str.replace(_UPPER, ""))
    frame = frame.with_columns(stated=pl.col("left").str.extract(_COUNTY, 1))
    short = pl.col("left").str.extract(_SHORT_COUNTY, 1)
    after = pl.col("left").str.replace(_SHORT_COUNTY, "").str.contains(_township_pattern())
    frame = frame.with_columns(stated=pl.coalesce("stated", pl.when(after).then(short)))
    frame = frame.with_columns(
        county=today(codes(frame["stated"])),
        left=pl.when(pl.col("stated").is_null())
        .then(pl.col("left"))
        .otherwise(pl.col("left").str.replace(_COUNTY, "").str.replace(_SHORT_COUNTY + "(.*)$", "$2")),
    )
    frame = frame.with_columns(pl.col("left").str.extract(_township_pattern(), 1).alias("town"))
    frame = _coded(_by_stem(frame))
    frame = frame.with_columns(
        left=pl.when(pl.col("town").is_null())
        .then(pl.col("left"))
        .otherwise(pl.col("left").str.replace(_township_pattern(), ""))
    )
    frame = frame.with_columns(stem=pl.col("left").str.extract(_VILLAGE, 1))
    villages = (
        _villages()
        .select(village="code", stem="name", township="township")
        .unique(["stem", "township"], keep="none")
    )
    frame = frame.join(villages, on=["township", "stem"], how="left", maintain_order="left")
    known = pl.col("village").is_not_null()
    frame = frame.with_columns(
        left=pl.when(known).then(pl.col("left").str.replace(_VILLAGE, "")).otherwise("left")
    )
    unit = pl.concat_list(
        [
            pl.coalesce(pl.col("left").str.extract(p, n) for p in (_UNIT, _DASHED)).fill_null("")
            for n in (1, 2, 3)
        ]
    ).list.join("-")
    return frame.select(
        "text", "county", "township", "village",
        group=pl.col("left").str.extract(_GROUP, 1),
        road=pl.col("left").str.extract(_ROAD, 1),
        number=pl.col("left").str.extract(_NUMBER, 1),
        unit=unit.str.strip_chars("-").replace("", None),
        rest=pl.col("left").replace("", None),
    )  # fmt: skip


#: a house, a group, a flat: without one of these an address is a district that thousands share
_HOUSE = r"[0-9]"
_SAME_WORDS = (
    (r"(?:村民小组|村小组|小组|社|队)", "组"),
    (r"(?:号楼|幢|座)", "栋"),
    (r"(?:号院|号)", "号"),
    (r"(?:室|房|户)$", ""),
    (r"号([0-9]+)-([0-9]+)-([0-9]{2,5})$", "号${1}栋${2}单元${3}"),
    (r"号([0-9]+)-([0-9]{2,5})$", "号${1}栋${2}"),
)


def place_keys(values: pl.Series) -> pl.Series:
    """One text for one house, group or flat: equal where two addresses mean the same place; null where none is that exact."""
    told = addresses(values)
    rest = told["rest"].fill_null("")
    for pattern, word in _SAME_WORDS:
        rest = rest.str.replace_all(pattern, word)
    area = pl.coalesce("village", "township", "county")
    known = told.select(area=area, rest=rest).with_columns(
        key=pl.concat_str("area", "rest", separator=":"),
        exact=pl.col("area").is_not_null() & pl.col("rest").str.contains(_HOUSE),
    )
    return known.select(place=pl.when("exact").then("key"))["place"]


def _coded(frame: pl.DataFrame) -> pl.DataFrame:
    """The township's code within the stated county, or by itself when only one county has the name."""
    within = _townships().select(town="name", county="county", inside="code")
    alone = _townships().unique("name", keep="none").select(town="name", by_name="code", of="county")
    frame = frame.join(within, on=["town", "county"], how="left", maintain_order="left")
    frame = frame.join(alone, on="town", how="left", maintain_order="left")
    unstated = pl.col("county").is_null()
    return frame.with_columns(
        township=pl.coalesce("inside", pl.when(unstated).then("by_name")),
        county=pl.coalesce("county", "of"),
    )


def _plain(values: pl.Series) -> pl.Series:
    """One spelling: no blanks, remarks in brackets gone, numerals before units as digits, # as 号."""
    text = same_brackets(cleaned(values)).str.replace_all(r"[\s,，.。、·]", "").str.replace_all(_REMARK, "")
    text = text.str.replace_all("[－—–~～]", "-").str.replace_all("#", "号")
    for tens, ten in enumerate(_SIGNS, 1):
        text = text.str.replace_all(rf"{ten}十([{_SIGNS}])?{_COUNTED}", rf"{tens}〇${{1}}${{2}}")
    text = text.str.replace_all(rf"十([{_SIGNS}])?{_COUNTED}", r"1〇${1}${2}")
    # 2〇3 is twenty-three, 2〇 before a unit is twenty.
    for digit, sign in enumerate(_SIGNS, 1):
        text = text.str.replace_all(rf"([0-9])〇{sign}{_COUNTED}", rf"${{1}}{digit}${{2}}")
        text = text.str.replace_all(rf"{sign}{_COUNTED}", rf"{digit}${{1}}")
    text = text.str.replace_all("〇", "0")
    return text.alias("text")
