from decimal import ROUND_HALF_UP, Decimal

import cn2an
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chuxiong.kit import money


@pytest.mark.parametrize(
    ("text", "yuan", "wan"),
    [
        ("1234.56", 123456, 1234560000),
        ("1,234.56", 123456, 1234560000),
        ("¥12", 1200, 12000000),
        ("3万元", 3000000, 3000000),
        ("12元", 1200, 1200),
        ("1.5亿", 15000000000, 15000000000),
        ("(12.50)", -1250, -12500000),
        ("0.30000000000000004", 30, 300000),
        ("壹拾贰万叁仟肆佰伍拾陆元柒角捌分", 12345678, 12345678),
        ("人民币壹仟元整", 100000, 100000),
        ("12万3千", 12300000, 12300000),
        ("一", 100, 1000000),
        ("五角", 50, 50),
        ("x", None, None),
        ("元", None, None),
        ("1e999", None, None),
        ("1e999999", None, None),
        ("-1E+1000001", None, None),
        ("1e999999万元", None, None),
        ("1e-1000001", 0, 0),
        ("9" * 400, None, None),
        ("92233720368547758.08", None, None),
        ("12.3.4", None, None),
    ],
)
def test_amounts(text: str, yuan: int | None, wan: int | None) -> None:
    assert money.fen(pl.Series([text]))[0] == yuan
    assert money.fen(pl.Series([text]), ten_thousands=True)[0] == wan


@settings(derandomize=True, max_examples=150, deadline=None)
@given(st.decimals(-(10**12) + 1, 10**12 - 1, places=2, allow_nan=False))
def test_plain_digits_are_exact(amount: Decimal) -> None:
    assert money.fen(pl.Series([str(amount)]))[0] == int(amount * 100)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.decimals(0, 10**6, places=5, allow_nan=False))
def test_parts_of_a_fen_are_rounded_half_up(amount: Decimal) -> None:
    assert money.fen_of(f"{amount:f}") == int((amount * 100).quantize(Decimal(1), ROUND_HALF_UP))


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.integers(1, 99_999_999))
def test_capitals_are_read_back(yuan: int) -> None:
    assert money.fen_of(cn2an.an2cn(yuan, "up") + "元整") == yuan * 100
