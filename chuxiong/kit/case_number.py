"""Court case numbers (法〔2015〕137号, and the forms before 2016): one bracket form, no blanks."""

from __future__ import annotations

import re
from dataclasses import dataclass

import polars as pl

_OPEN, _CLOSE = r"[（〔\[【〈<]", r"[）〕\]】〉>]"
_SUFFIX = r"(?:-(?P<sub>\d+))?号(?P<of>之[一二三四五六七八九十]+)?"
_MODERN = re.compile(
    r"\((?P<year>\d{4})\)(?P<court>最高法|[\u4e00-\u9fff](?:\d{2}(?:\d{2})?)?)"
    rf"(?P<kind>[\u4e00-\u9fff]{{1,6}}?)(?P<serial>\d{{1,8}}){_SUFFIX}"
)
_BEFORE_2016 = re.compile(
    r"\((?P<year>\d{4})\)(?P<court>[\u4e00-\u9fff]{1,6}?)"
    r"(?P<kind>(?:刑|民|行|执|商|知|立|审|赔|破)[\u4e00-\u9fff]{0,3}?)"
    rf"字第?(?P<serial>\d{{1,8}}){_SUFFIX}"
)
_WITHOUT_END = (
    r"^(\([0-9]{4}\)(?:最高法|\p{Han}(?:[0-9]{2}(?:[0-9]{2})?)?)\p{Han}{1,6}第?[0-9]{1,8}(?:-[0-9]+)?)$"
)


@dataclass(frozen=True)
class CaseNumber:
    """``court`` is the court's word (云2301) or, before 2016, its short name (楚); ``kind`` the type words."""

    year: int
    court: str
    kind: str
    serial: int
    before_2016: bool


def normalise(text: str) -> str:
    """（2022）云2301 民初 123 号 → (2022)云2301民初123号."""
    text = re.sub(_CLOSE, ")", re.sub(_OPEN, "(", text))
    text = re.sub(r"\s", "", text)
    return re.sub(r"^(\d{4})(?=[\u4e00-\u9fff])", r"(\1)", text)


def unified(values: pl.Series) -> pl.Series:
    """``normalise`` for a column that is NFKC-normalised."""
    text = values.str.replace_all(_OPEN, "(").str.replace_all(_CLOSE, ")").str.replace_all(r"\s", "")
    text = text.str.replace(r"^(\d{4})([\u4e00-\u9fff])", "(${1})${2}")
    # Only the closing 号 is lacking: the rest is a whole number of a known form.
    return text.str.replace(_WITHOUT_END, "${1}号")


def parse(text: str) -> CaseNumber | None:
    """Parts of a case number in any bracket form; None when it is no court case number."""
    plain = normalise(text)
    modern = _MODERN.fullmatch(plain)
    if modern and "字" not in modern["kind"]:
        return _parts(modern, before_2016=False)
    older = _BEFORE_2016.fullmatch(plain)
    return _parts(older, before_2016=True) if older else None


def _parts(found: re.Match[str], *, before_2016: bool) -> CaseNumber:
    return CaseNumber(int(found["year"]), found["court"], found["kind"], int(found["serial"]), before_2016)
