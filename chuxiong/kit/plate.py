"""Number plates, GA 36-2018: 云E is Chuxiong. Letters without I and O; new-energy plates have eight characters."""

from __future__ import annotations

import polars as pl

_PROVINCE = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_LETTER = "A-HJ-NP-Z"
_SHAPE = (
    rf"^[{_PROVINCE}][{_LETTER}](?:"
    rf"[0-9{_LETTER}]{{5}}"
    rf"|[0-9{_LETTER}]{{4}}[挂学警港澳]"
    rf"|[A-HJK][0-9{_LETTER}][0-9]{{4}}"  # small new-energy: class letter first
    rf"|[0-9]{{5}}[A-HJK])$"  # large new-energy: class letter last
)


def unified(values: pl.Series) -> pl.Series:
    """Upper case, without the dot after the issuing letter: 云e·d12345 → 云ED12345."""
    return values.str.replace_all(r"[\s·•・.\-]", "").str.to_uppercase()


def valid(values: pl.Series) -> pl.Series:
    """Whether each unified value is a plate of today; null stays null."""
    return values.str.contains(_SHAPE)
