"""Amounts of money as running text writes them, with their places."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from functools import lru_cache
from typing import NamedTuple

from chuxiong.kit.money import fen_of

_WORDS = "零〇一二三四五六七八九十百千两壹贰叁肆伍陆柒捌玖拾佰仟"
_AMOUNT = re.compile(
    rf"(?:人民币|RMB|[¥￥])?\s{{0,2}}(?P<number>[0-9{_WORDS}][0-9,.余多万亿{_WORDS}]{{0,30}})\s?元(?![月旦宵气老首素谋])整?"
    r"(?P<rest>[0-9一二三四五六七八九]角(?:[0-9一二三四五六七八九]分)?)?"
)
_FOREIGN = re.compile(r"(?:[美港欧日澳加韩]元|港币|日币|美金|英镑|卢布|比索)\s?$")
_DIGITS = re.compile(r"([0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?|[0-9]+(?:\.[0-9]+)?)(万|亿)?")
_PER_YUAN, _UNIT = 100, {None: 1, "万": 10_000, "亿": 100_000_000}
_LARGEST = 10**15  # ten trillion yuan: more is a slip of the pen or no amount


class Amount(NamedTuple):
    """``fen``: 分; of 三万余元 the stated 三万."""

    start: int
    end: int
    fen: int


def amounts(text: str, begin: int = 0) -> Iterator[Amount]:
    """Every amount in 元 in ``text`` from ``begin`` on (half-width digits and commas), in order.

    Other currencies are none.
    """
    for found in _AMOUNT.finditer(text, begin):
        number = found["number"].replace("余", "").replace("多", "")
        skipped = 0
        if "," in number and not _DIGITS.fullmatch(number):
            # The comma divides two numbers: only the last is followed by 元.
            skipped = found["number"].rfind(",") + 1
            number = number[number.rfind(",") + 1 :]
        value = _fen(number, found["rest"] or "")
        if (
            value is not None
            and value <= _LARGEST
            and not _FOREIGN.search(text, max(0, found.start() - 4), found.start())
        ):
            yield Amount(found.start("number") + skipped if skipped else found.start(), found.end(), value)


@lru_cache(maxsize=4096)
def _fen(number: str, rest: str) -> int | None:
    plain = _DIGITS.fullmatch(number)
    if plain and not rest:
        return int(Decimal(plain[1].replace(",", "")) * _UNIT[plain[2]] * _PER_YUAN)
    return fen_of(f"{number}元{rest}")
