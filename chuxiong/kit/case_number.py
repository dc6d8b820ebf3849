"""Court case numbers: one bracket form, no blanks."""

from __future__ import annotations

import re

import polars as pl

_SHAPE = re.compile(
    r"^\((?P<year>\d{4})\)(?P<court>最高法|[\u4e00-\u9fff]\d{0,4}|[\u4e00-\u9fff]{1,4})(?P<kind>[\u4e00-\u9fff]{1,6}?)字?(?:第)?(?P<serial>\d{1,8})(?:-\d+)?号(?:之[一二三四五六七八九十]+)?$"
)


def unified(values: pl.Expr) -> pl.Expr:
    """（2022）云2301 民初 123 号 → (2022)云2301民初123号."""
    return values.str.replace_all(r"[（〔\[【]", "(").str.replace_all(r"[）〕\]】]", ")").str.replace_all(r"\s", "")


def normalise(text: str) -> str:
    text = re.sub(r"[（〔\[【]", "(", text)
    return re.sub(r"\s", "", re.sub(r"[）〕\]】]", ")", text))


def parse(text: str) -> dict[str, str] | None:
    """Year, court, kind and serial of a case number in unified form; None when it is none."""
    found = _SHAPE.match(normalise(text))
    return found.groupdict() if found else None
