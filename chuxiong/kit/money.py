"""Amounts as integer 分: thousands separators, 元 and 万元, Chinese capital numerals."""

from __future__ import annotations

from decimal import Decimal

import cn2an
import polars as pl

_PLAIN = r"^-?\d+(\.\d+)?$"


def fen(values: pl.Expr, *, ten_thousands: bool = False) -> pl.Expr:
    """分 of amounts written in digits; null where the text needs ``from_words``.

    ``ten_thousands``: the header says 万元. A unit in the cell wins over the header.
    """
    text = values.str.replace_all(r"[,，\s¥￥]", "").str.replace(r"^人民币", "")
    in_cell_ten_thousand = text.str.ends_with("万元") | text.str.ends_with("万")
    in_cell_yuan = text.str.ends_with("元") & ~text.str.ends_with("万元")
    digits = text.str.replace(r"(万元|万|元整|元)$", "")
    decimal = pl.when(digits.str.contains(_PLAIN)).then(digits.cast(pl.Decimal(30, 8), strict=False)).otherwise(None)
    factor = (
        pl.when(in_cell_ten_thousand)
        .then(1_000_000)
        .when(in_cell_yuan)
        .then(100)
        .otherwise(1_000_000 if ten_thousands else 100)
    )
    return (decimal * factor.cast(pl.Decimal(10, 0))).round(0).cast(pl.Int64, strict=False)


def from_words(text: str) -> int | None:
    """分 of 壹拾贰万叁仟肆佰伍拾陆元整 and the like; None when it is no amount."""
    words = text.replace("人民币", "").replace("整", "").replace("正", "").replace("圆", "元")
    yuan, _, rest = words.partition("元")
    try:
        total = Decimal(str(cn2an.cn2an(yuan, "smart"))) * 100 if yuan else Decimal(0)
        for unit, value in (("角", 10), ("分", 1)):
            before, found, after = rest.partition(unit)
            if found:
                total += Decimal(str(cn2an.cn2an(before.lstrip("零"), "smart"))) * value
                rest = after
    except (ValueError, ArithmeticError):
        return None
    return None if rest.strip("零") else int(total)
