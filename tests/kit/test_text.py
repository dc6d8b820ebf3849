import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chuxiong.kit import case_number, divisions, text
from chuxiong.kit.distinct import over_distinct
from chuxiong.kit.problems import Problem


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("　张三　", "张三"),
        ("１２３Ａ（甲）", "123A(甲)"),
        ("\u200b532\ufeff301\u2060", "532301"),
        ("a\t b\u00a0c", "a b c"),
        ("'0123", "0123"),
        ('="0123"', "0123"),
        ("\ue81e", "龴"),
        ("无", None),
        (" - ", None),
        ("\u200b", None),
        ("", None),
        (None, None),
        ("无锡", "无锡"),
        ("0", "0"),
    ],
)
def test_cleaned(sent: str | None, meant: str | None) -> None:
    assert text.cleaned(pl.Series([sent], dtype=pl.String))[0] == meant


@settings(derandomize=True, max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(max_size=12)), max_size=20))
def test_cleaning_twice_changes_nothing_and_neighbours_do_not_matter(values: list[str | None]) -> None:
    column = pl.Series(values, dtype=pl.String)
    once = text.cleaned(column)
    assert once.to_list() == [text.cleaned(pl.Series([v], dtype=pl.String))[0] for v in values]


def test_what_the_decoder_leaves_private() -> None:
    for raw in (b"\xfe\x59", b"\xfe\x61", b"\xa8\xbc"):
        cleaned = text.cleaned(pl.Series([raw.decode("gb18030")]))[0]
        assert not any("\ue000" <= c <= "\uf8ff" for c in cleaned)


def test_division_names_and_codes() -> None:
    sent = [
        "532301",
        "532331",
        "禄丰县",
        "禄丰市",
        "禄丰",
        "楚雄",
        "楚雄州",
        "532301001",
        "云南省楚雄州姚安县",
        "昆明市",
        None,
    ]
    codes = divisions.codes(pl.Series(sent, dtype=pl.String))
    assert codes.to_list() == [
        "532301", "532331", "532331", "532302", "532302", "532301", "532300", "532301", "532325", None, None,
    ]  # fmt: skip
    offices = divisions.office(codes).to_list()
    assert offices[1] == offices[3] == "532302"
    assert divisions.office(pl.Series(["530102"]))[0] is None
    assert len(divisions.office_codes()) == 11
    assert divisions.office_of_text(pl.Series(["云南省楚雄州禄丰县金山镇", "昆明市禄丰路"])).to_list() == [
        "532302",
        None,
    ]


@pytest.mark.parametrize(
    ("sent", "unified", "parts"),
    [
        ("（2022）云2301 民初 123 号", "(2022)云2301民初123号", ("云2301", "民初", 123, False)),
        ("〔2022〕云23刑终5号之一", "(2022)云23刑终5号之一", ("云23", "刑终", 5, False)),
        ("(2022)云2331执恢12-1号", "(2022)云2331执恢12-1号", ("云2331", "执恢", 12, False)),
        ("（2022）最高法民再7号", "(2022)最高法民再7号", ("最高法", "民再", 7, False)),
        ("【2022】云民终8号", "(2022)云民终8号", ("云", "民终", 8, False)),
        ("2022云2301诉前调9号", "(2022)云2301诉前调9号", ("云2301", "诉前调", 9, False)),
        ("（2013）楚民初字第123号", "(2013)楚民初字第123号", ("楚", "民初", 123, True)),
        ("（2013）楚中刑终字第1号", "(2013)楚中刑终字第1号", ("楚中", "刑终", 1, True)),
        ("楚市劳人仲案字〔2026〕第123号", "楚市劳人仲案字(2026)第123号", None),
        ("123", "123", None),
    ],
)
def test_case_numbers(sent: str, unified: str, parts: tuple[str, str, int, bool] | None) -> None:
    assert case_number.normalise(sent) == unified == case_number.unified(pl.Series([sent]))[0]
    found = case_number.parse(sent)
    assert (found and (found.court, found.kind, found.serial, found.before_2016)) == parts


def test_over_distinct_equals_the_direct_way() -> None:
    values = pl.Series("v", ["a", "b", None, "b"] * 1500)
    calls: list[int] = []

    def convert(known: pl.Series) -> pl.DataFrame:
        calls.append(len(known))
        return pl.DataFrame({"up": known.str.to_uppercase(), "none": known.is_null()})

    assert over_distinct(values, convert)["up"].to_list() == ["A", "B", None, "B"] * 1500
    assert calls == [2]


def test_problem_says_where_what_and_cure() -> None:
    problem = Problem("a.csv 第 2 行", "缺少列", "补上", "column missing", "add it")
    assert str(problem) == "a.csv 第 2 行：缺少列。补上"
    assert problem.english == "a.csv 第 2 行: column missing. add it"
