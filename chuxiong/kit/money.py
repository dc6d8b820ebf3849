"""Amounts as integer 分: thousands separators, 元 and 万元, Chinese capital numerals."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import cn2an
import polars as pl

# Below 10¹² 元 a double holds the nearest 分 exactly enough to round to it.
_PLAIN = r"^-?[0-9]{1,12}(\.[0-9]{1,2})?$"
_FEN_PER_UNIT = {"元": Decimal(100), "万元": Decimal(1_000_000), "亿元": Decimal(10_000_000_000)}
_LARGEST = 2**63 - 1


def fen(values: pl.Series, *, ten_thousands: bool = False) -> pl.Series:
    """分 of a column; null where the text is no amount.

    ``ten_thousands``: the header says 万元. A unit in the cell wins over the header.
    """
    quick = values.str.contains(_PLAIN).fill_null(False)
    if ten_thousands:
        quick = pl.Series([False]).new_from_index(0, len(values))
    amounts = (values.set(~quick, None).cast(pl.Float64, strict=False) * 100).round(0).cast(pl.Int64)
    rows = (~quick & values.is_not_null()).arg_true()
    if not len(rows):
        return amounts
    texts = values.gather(rows)
    known = {text: fen_of(text, ten_thousands=ten_thousands) for text in texts.unique().to_list()}
    return amounts.scatter(rows, pl.Series([known[text] for text in texts.to_list()], dtype=pl.Int64))


def fen_of(text: str, *, ten_thousands: bool = False) -> int | None:
    """分 of one amount in digits or words; None when it is no amount."""
    plain = text.strip().removeprefix("人民币").strip()
    for mark in ",，¥￥ \u3000":
        plain = plain.replace(mark, "")
    if plain.startswith("(") and plain.endswith(")"):  # accountants write losses in brackets
        plain = "-" + plain[1:-1]
    digits, unit = plain, "万元" if ten_thousands else "元"
    for ending in ("亿元", "亿", "万元", "万", "元整", "元"):
        if digits.endswith(ending):
            digits, unit = digits[: -len(ending)], ending.removesuffix("整")
            unit = unit if unit.endswith("元") else unit + "元"
            break
    if digits and all(c in "0123456789.-+eE" for c in digits):
        try:
            return _whole(Decimal(digits) * _FEN_PER_UNIT[unit])
        except ArithmeticError:  # an exponent beyond all bounds overflows
            return None
    return from_words(plain, ten_thousands=ten_thousands)


def from_words(text: str, *, ten_thousands: bool = False) -> int | None:
    """分 of 壹拾贰万叁仟肆佰伍拾陆元整, 12万3千 and the like; None when it is no amount."""
    words = text.removeprefix("人民币").replace("圆", "元").rstrip("整正")
    unit = Decimal(1_000_000) if ten_thousands and not set(words) & set("元万亿角分") else Decimal(100)
    yuan, found_yuan, rest = words.partition("元")
    if not found_yuan and set(words) & set("角分"):
        yuan, rest = "", words
    try:
        total = Decimal(str(cn2an.cn2an(yuan, "smart"))) * unit if yuan else Decimal(0)
        for name, value in (("角", 10), ("分", 1)):
            before, found, after = rest.partition(name)
            if found:
                total += Decimal(str(cn2an.cn2an(before.lstrip("零"), "smart"))) * value
                rest = after
    except (ValueError, ArithmeticError, LookupError):
        return None
    return None if rest.strip("零") or not words.strip("元角分") else _whole(total)


def _whole(amount: Decimal) -> int | None:
    if not amount.is_finite() or abs(amount) > _LARGEST:
        return None
    return int(amount.quantize(Decimal(1), rounding=ROUND_HALF_UP))
