from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chuxiong.kit import citizen_id
from chuxiong.kit.citizen_id import Verdict, judge

ON = date(2026, 11, 1)


def number(region: str, born: str, sequence: str = "001") -> str:
    body = region + born + sequence
    return body + citizen_id.check_digit(body)


@pytest.mark.parametrize(
    ("text", "verdict"),
    [
        (number("532301", "19500101"), Verdict.VALID),  # the code is from 1983, the birth is not
        (number("532302", "19850214"), Verdict.VALID),  # the code is from 2021
        (number("532331", "20240214"), Verdict.VALID),
        (number("532330", "19700101"), Verdict.VALID),  # left the prefecture in 1983
        (number("810000", "19700101"), Verdict.VALID),
        (number("532399", "19700101"), Verdict.VALID_REGION_UNKNOWN),
        (number("532301", "19850214")[:-1] + "?", Verdict.NOT_AN_ID),
        (number("532301", "19990229"), Verdict.BAD_DATE),
        (number("532301", "20000229"), Verdict.VALID),
        (number("532301", "20261102"), Verdict.BAD_DATE),
        (number("532301", "18990101"), Verdict.BAD_DATE),
        ("5323**********1234", Verdict.MASKED),
        ("532301********123X", Verdict.MASKED),
        ("5323***1234", Verdict.NOT_AN_ID),
        ("", Verdict.NOT_AN_ID),
        ("５３２３０１１９５００１０１００１０", Verdict.NOT_AN_ID),  # width is the normaliser's business
    ],
)
def test_verdicts(text: str, verdict: Verdict) -> None:
    assert judge(text, on=ON)[0] == verdict


def test_fifteen_digits_become_eighteen() -> None:
    assert judge("532301850214123", on=ON) == (Verdict.VALID, "532301198502141239")
    assert citizen_id.to_eighteen("532301850214997")[6:8] == "18"


def test_every_single_wrong_digit_is_caught() -> None:
    good = number("532301", "19850214", "123")
    for place in (*range(6), *range(14, 17)):
        for digit in "0123456789":
            wrong = good[:place] + digit + good[place + 1 :]
            if wrong != good and wrong[0] != "0":
                assert judge(wrong, on=ON)[0] == Verdict.BAD_CHECKSUM


_dates = st.one_of(
    st.dates(date(1890, 1, 1), date(2040, 1, 1)).map(lambda d: d.strftime("%Y%m%d")),
    st.text("0123456789", min_size=8, max_size=8),
)
_numbers = st.builds(
    number,
    st.sampled_from(["532301", "532302", "532331", "999999", "110101"]),
    _dates,
    st.text("0123456789", min_size=3, max_size=3),
)
_texts = st.one_of(
    _numbers,
    _numbers.map(str.lower),
    _numbers.map(lambda n: n[:-1] + "0"),
    _numbers.map(lambda n: n[:6] + n[8:17]),
    _numbers.map(citizen_id.mask),
    st.text("0123456789Xx* 张１", max_size=19),
    st.none(),
)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(st.lists(_texts, min_size=1, max_size=40))
def test_column_equals_one_by_one(texts: list[str | None]) -> None:
    verdicts, canonical = citizen_id.verdicts(pl.Series(texts, dtype=pl.String), on=ON)
    expected = [(None, None) if t is None else judge(t, on=ON) for t in texts]
    assert verdicts.to_list() == [v for v, _ in expected]
    assert canonical.to_list() == [c for _, c in expected]
