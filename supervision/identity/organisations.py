"""Names of organisations brought to what tells them apart: where, what they are called, which kind they are."""

from __future__ import annotations

import polars as pl

from chuxiong.kit.divisions import codes, today
from chuxiong.kit.text import cleaned, same_brackets

#: written form → kind, the longest first. The kind stays: 鑫源食品厂 and 鑫源食品有限公司 are two.
_KINDS = (
    (r"(?:股份有限责任公司|股份有限公司|股份公司)$", "股份公司"),
    (r"(?:有限责任公司|有限公司|有限责任|有限公|公司)$", "公司"),
    (r"(?:集团)$", "集团"),
    (r"(?:特殊普通合伙|有限合伙|普通合伙)$", "合伙"),
    (r"(?:农民专业合作社联合社|专业合作社联合社|农民专业合作社|专业合作社|合作社)$", "合作社"),
)
#: a branch is another place of business under its principal's name; the whole name tells it
_BRANCH = r"(?:分公司|分店|营业部|门市部)$"
_UPPER = r"^(?:云南省?)?(?:楚雄彝族自治州|楚雄州)"
_PROVINCE = r"^云南省?"
_COUNTIES = "楚雄|双柏|牟定|南华|姚安|大姚|永仁|元谋|武定|禄丰"
_COUNTY = rf"^((?:{_COUNTIES})[市县]?)"
_BRACKETED = rf"\(((?:{_COUNTIES})[市县]?)\)"
_NOISE = r"[\s\"“”'‘’·,，.。、\-—_*#]"
_PREFECTURE = "532300"


#: 甲有限公司(原乙有限公司), 甲有限公司(曾用名:乙有限公司), 甲有限公司 原名乙有限公司
_FORMER = r"[(\s](?:曾用名|原名称|原名|原)[:：]?([^()]{4,}?)\)?$"


def former_names(values: pl.Series) -> pl.Series:
    """The former name that a cell states beside the present one, else null."""
    return same_brackets(cleaned(values)).str.extract(_FORMER, 1).alias("former")


def organisation_names(values: pl.Series) -> pl.DataFrame:
    """``name`` (one spelling), ``region`` (division code or null), ``core`` (without place and kind), ``kind``.

    The place named first is the seat of registration: 楚雄市彝人酒店 and 禄丰市彝人酒店 are two; 鑫源(楚雄)食品 says the same in
    brackets. A county's old name (禄丰县) is today's. A branch keeps its whole name as ``core``.
    """
    name = same_brackets(cleaned(values)).str.replace(_FORMER, "").str.replace_all(_NOISE, "").alias("name")
    upper = name.str.contains(_UPPER).fill_null(False)
    bare = name.str.replace(_UPPER, "").str.replace(_PROVINCE, "")
    first, bracketed = bare.str.extract(_COUNTY, 1), bare.str.extract(_BRACKETED, 1)
    leading = first.is_not_null()
    place = first.zip_with(leading, bracketed)
    core = bare.str.replace(_COUNTY, "").zip_with(leading, bare.str.replace(_BRACKETED, ""))
    core = core.str.replace_all(r"[()]", "")
    region = today(codes(place))
    region = region.zip_with(
        region.is_not_null() | ~upper, pl.Series([_PREFECTURE]).new_from_index(0, len(values))
    )
    branch = name.str.contains(_BRANCH).fill_null(False)
    kind = pl.Series("kind", [None] * len(values), dtype=pl.String).set(branch, "分支")
    for pattern, word in _KINDS:
        here = core.str.contains(pattern).fill_null(False) & kind.is_null()
        kind = kind.set(here, word)
        core = core.str.replace(pattern, "").zip_with(here, core)
    core = core.zip_with(core.str.len_chars().fill_null(0) > 0, name)
    return pl.DataFrame({"name": name, "region": region, "core": core, "kind": kind})
