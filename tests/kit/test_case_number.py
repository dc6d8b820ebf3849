"""Court case numbers by the rules of 2015 and in the forms before; what is none."""

from __future__ import annotations

import polars as pl
import pytest

from chuxiong.kit.case_number import parse, unified


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        # 法〔2015〕137号: year, court code, type words, number.
        ("（2016）最高法民终1号", (2016, "最高法", "民终", 1, False)),
        ("（2016）京民初1号", (2016, "京", "民初", 1, False)),
        ("（2022）云23民终123号", (2022, "云23", "民终", 123, False)),
        ("（2022）云2331民初12号", (2022, "云2331", "民初", 12, False)),
        ("（2022）云2302民初12号", (2022, "云2302", "民初", 12, False)),
        ("〔2023〕云2301执恢5号", (2023, "云2301", "执恢", 5, False)),
        ("[2023]云2301财保5号", (2023, "云2301", "财保", 5, False)),
        ("(2023)云2301诉前调1234号", (2023, "云2301", "诉前调", 1234, False)),
        ("（2022）云2301民初12号之一", (2022, "云2301", "民初", 12, False)),
        ("（2013）楚民初字第123号", (2013, "楚", "民初", 123, True)),
        ("(2014)云高刑终字第88-1号", (2014, "云高", "刑终", 88, True)),
    ],
)
def test_case_numbers(text: str, parts: tuple[int, str, str, int, bool]) -> None:
    found = parse(text)
    assert found and (found.year, found.court, found.kind, found.serial, found.before_2016) == parts


@pytest.mark.parametrize(
    "text",
    [
        "",
        "楚劳人仲案字〔2026〕第12号",  # labour arbitration has its own numbers
        "楚检刑诉〔2022〕12号",
        "（22）云2301民初12号",
        "（2022）云2301民初号",
        "（2022）云231民初12号",
        "（2022）云2301民初123456789号",
    ],
)
def test_no_case_numbers(text: str) -> None:
    assert parse(text) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("(2022)云2331民初12号", "(2022)云2331民初12号"),
        ("〔2022〕云2331 民初 12 号", "(2022)云2331民初12号"),
        ("【2022】云2331民初12号", "(2022)云2331民初12号"),
        ("2022云2331民初12号", "(2022)云2331民初12号"),
        ("(2022)云2331民初12", "(2022)云2331民初12号"),
        ("(2013)楚民初字第123", "(2013)楚民初字第123号"),
        ("(2022)云2331民初12号之一", "(2022)云2331民初12号之一"),
        ("楚检刑诉〔2022〕12", "楚检刑诉(2022)12"),  # no court number: nothing is put at its end
        ("无号", "无号"),
    ],
)
def test_one_form_for_all(text: str, wanted: str) -> None:
    assert unified(pl.Series([text]))[0] == wanted
    assert unified(pl.Series([wanted]))[0] == wanted
