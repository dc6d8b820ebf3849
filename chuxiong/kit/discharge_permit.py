"""Discharge permit numbers (排污许可证编号), HJ 608-2017: 18 of the holder, 3 of order, 1 mark; 22 in all."""

from __future__ import annotations

import polars as pl

from chuxiong.kit import credit_code

# The last character is a mark (the standard itself shows …001P and …002P), not a check digit.
_SHAPE = r"^[0-9A-Z]{18}[0-9]{3}[0-9A-Z]$"
#: holders without a credit code get a code of this beginning from the ministry
_WITHOUT_CREDIT_CODE = r"^H[9A]"


def valid(values: pl.Series) -> pl.Series:
    """Whether each value (upper case, without blanks) is a permit number; null stays null."""
    shaped = values.str.contains(_SHAPE)
    holder = values.str.slice(0, 18)
    return shaped & (holder.str.contains(_WITHOUT_CREDIT_CODE) | credit_code.valid(holder))


def holder(values: pl.Series) -> pl.Series:
    """The holder's credit code; null where the number is none or the holder has no such code."""
    code = values.str.slice(0, 18)
    return code.set(~(valid(values) & credit_code.valid(code)).fill_null(False), None)
