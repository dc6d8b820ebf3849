import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from chuxiong.kit import credit_code

ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"


def code(serial: str) -> str:
    body = "91532301" + serial
    return body + credit_code.check_character(body)


def test_standard_example() -> None:
    assert credit_code.is_valid("91350100M000100Y43")  # the example of GB 32100-2015
    assert not credit_code.is_valid("91350100M000100Y44")


def test_letters_that_do_not_exist() -> None:
    assert not any(credit_code.is_valid("9153230" + letter + "MA6K00001X") for letter in "IOSVZ")


def test_every_single_substitution_is_caught() -> None:
    good = code("MA6K00001")
    for place in range(18):
        for other in ALPHABET:
            if other != good[place]:
                assert not credit_code.is_valid(good[:place] + other + good[place + 1 :])


_codes = st.text(ALPHABET, min_size=9, max_size=9).map(code)


@settings(derandomize=True, max_examples=40, deadline=None)
@given(
    st.lists(
        st.one_of(_codes, _codes.map(lambda c: c[:-1] + "0"), st.text(max_size=19), st.none()), max_size=30
    )
)
def test_column_equals_one_by_one(texts: list[str | None]) -> None:
    found = credit_code.valid(pl.Series(texts, dtype=pl.String)).to_list()
    assert found == [None if t is None else credit_code.is_valid(t) for t in texts]
