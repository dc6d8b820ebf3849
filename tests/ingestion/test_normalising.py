"""Cells as agencies send them, one by one; counts that add up; the reasons."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chuxiong.kit import citizen_id
from ingestion.catalog.load import load_catalog
from ingestion.catalog.spec import Column, FeedSpec
from ingestion.intake.normalising import Normalised, Reason, map_headers, normalise

CATALOG = load_catalog(Path(__file__).resolve().parents[2] / "ingestion" / "feeds")
FUNERAL, PENSION = CATALOG["ca_funeral"], CATALOG["hr_pension_payment"]
ON = date(2026, 11, 1)
BODY = "53239919500101001"
CITIZEN = BODY + citizen_id.check_digit(BODY)


def feed_of(*columns: Column) -> FeedSpec:
    key = Column(
        name="key", headers=("编号",), type="code", required=True, sensitivity="L2", zh="编号", en="Key"
    )
    return FUNERAL.model_copy(
        update={"columns": (key, *columns), "natural_key": ("key",), "county_column": None}
    )


def run(feed: FeedSpec, rows: list[dict[str, str | None]], headers: list[str] | None = None) -> Normalised:
    names = headers or list(dict.fromkeys(k for row in rows for k in row))
    chunk = pl.DataFrame(
        {name: [row.get(name) for row in rows] for name in names}, schema=dict.fromkeys(names, pl.String)
    ).with_columns(row_no=pl.int_range(2, len(rows) + 2, dtype=pl.Int64), ragged=pl.lit(None, pl.String))
    return normalise(chunk, feed, map_headers(names, feed), received_on=ON)


def one(kind: str, cell: str | None, **more: Any) -> tuple[Any, list[str]]:
    """(value, reasons) of one cell in a column of type ``kind``."""
    column = Column(name="it", headers=("它",), type=kind, sensitivity="L4", zh="它", en="It", **more)  # type: ignore[arg-type]
    result = run(feed_of(column), [{"编号": "1", "它": cell}])
    return (result.good["it"][0] if result.good.height else None), result.bad["reason"].to_list()


@pytest.mark.parametrize(
    ("kind", "cell", "value", "reasons"),
    [
        ("citizen_id", CITIZEN, CITIZEN, []),
        ("citizen_id", f"'{CITIZEN.lower()}", CITIZEN, []),
        ("citizen_id", " ５３２３９９ 19500101001" + CITIZEN[-1], CITIZEN, []),
        ("citizen_id", "\u200b" + CITIZEN, CITIZEN, []),
        ("citizen_id", "\x01" + CITIZEN, None, ["numeric_id"]),
        ("citizen_id", "\x01532399500101001", None, ["numeric_id"]),
        ("citizen_id", "5.32399E+17", None, ["scientific_id"]),
        ("citizen_id", "\x015.32399e+17", None, ["scientific_id"]),
        ("citizen_id", BODY + ("1" if CITIZEN[-1] != "1" else "2"), None, ["bad_checksum"]),
        ("citizen_id", "532399195013010011", None, ["bad_birth_date"]),
        ("citizen_id", "护照E1234567", None, ["not_an_id"]),
        ("citizen_id", "无", None, []),
        ("citizen_id", "91350100M000100Y43", None, []),
        ("credit_code", "91350100m000100y43", "91350100M000100Y43", []),
        ("credit_code", "91350100M000100Y44", None, ["bad_credit_code"]),
        ("bank_account", "6228 0000 0000 0000 001", "6228000000000000001", []),
        ("bank_account", "\x016228000000000000001", None, ["numeric_id"]),
        ("phone", "\x0113800000001", "13800000001", []),
        ("phone", "+86-138 0000 0001", "13800000001", []),
        ("phone", "0878-3000001", "08783000001", []),
        ("phone", "13800000001/13900000002", "13800000001", []),
        ("phone", "138****0001", None, []),
        ("plate", "云e·d12345", "云ED12345", []),
        ("person_name", "张 三", "张三", []),
        ("person_name", "阿依・古丽", "阿依·古丽", []),
        ("case_no", "（2022）云2301 民初1号", "(2022)云2301民初1号", []),
        ("date", "\x0144819", date(2022, 9, 15), []),
        ("date", "44819", None, ["bad_date"]),
        ("date", "\x022022-09-16 00:00:00", date(2022, 9, 16), []),
        ("date", "2022年9月", None, ["bad_date"]),
        ("month", "\x01202209", date(2022, 9, 1), []),
        ("money", "\x011234.5", 123450, []),
        ("money", "一百元", 10000, []),
        ("money", "若干", None, ["bad_amount"]),
        ("int", "\x0186", 86, []),
        ("int", "86岁", 86, []),
        ("int", "86.5", None, ["bad_number"]),
        ("number", "inf", None, ["bad_number"]),
        ("number", "1,200.25", 1200.25, []),
        ("bool", "是", True, []),
        ("bool", "\x010", False, []),
        ("bool", "也许", None, ["bad_code"]),
        ("division", "\x01532331", "532331", []),
        ("division", "楚雄州禄丰市", "532302", []),
        ("division", "某县", None, ["bad_division"]),
        ("text", "a\x00b", None, ["control"]),
        ("text", "'=1+1", "=1+1", []),
        ("code", "\x010532301", "0532301", []),
    ],
)
def test_cells(kind: str, cell: str, value: Any, reasons: list[str]) -> None:
    assert one(kind, cell) == (value, reasons)


@pytest.mark.parametrize(
    ("cell", "value"), [("1", "01"), ("01", "01"), ("甲", "01"), ("01-甲", "01"), ("甲类", "01")]
)
def test_codes_labels_and_variants(cell: str, value: str) -> None:
    assert one("enum", cell, codes={"01": "甲", "02": "乙"}, variants={"01": ("甲类",)}) == (value, [])


def test_a_label_outside_the_code_list_is_a_fault_and_without_a_list_is_kept() -> None:
    assert one("enum", "丙", codes={"01": "甲"}) == (None, ["bad_code"])
    assert one("enum", "丙") == ("丙", [])


def test_masked_numbers() -> None:
    masked = citizen_id.mask(CITIZEN)
    row = {
        "火化编号": "1",
        "逝者姓名": "甲",
        "死亡日期": "2026-1-1",
        "火化日期": "2026-1-2",
        "逝者身份证号": masked,
    }
    good = run(FUNERAL, [row]).good
    assert (good["citizen_id"][0], good["citizen_id_masked"][0]) == (None, masked)
    assert one("citizen_id", masked, required=True)[1] == ["masked_key"]


def test_left_out_values_are_noted() -> None:
    column = Column(name="it", headers=("它",), type="phone", sensitivity="L3", zh="它", en="It")
    result = run(feed_of(column), [{"编号": "1", "它": "138****0001"}])
    assert result.notes.rows() == [(2, "它", "bad_phone", "138****0001")]
    assert result.good.height == 1


def test_one_row_may_fail_for_several_reasons_and_counts_once() -> None:
    rows = [
        {"火化编号": "1", "逝者姓名": "甲", "死亡日期": "昨天", "火化日期": "明天"},
        {"火化编号": None, "逝者姓名": None, "死亡日期": "", "火化日期": "　"},
        {"火化编号": "合计", "逝者姓名": "2", "死亡日期": None, "火化日期": None},
        {"火化编号": "2", "逝者姓名": None, "死亡日期": "2026-1-1", "火化日期": "2026-1-2"},
        {"火化编号": "3", "逝者姓名": "丙", "死亡日期": "2026-1-1", "火化日期": "2026-1-2"},
    ]
    result = run(FUNERAL, rows)
    assert result.bad.rows() == [
        (2, "死亡日期", "bad_date", "昨天"),
        (2, "火化日期", "bad_date", "明天"),
        (5, "逝者姓名", "missing", None),
    ]
    assert (result.good["row_no"].to_list(), result.blank, result.footers) == ([6], 2, 1)


def test_ragged_rows_are_reported_once() -> None:
    chunk = pl.DataFrame(
        {"火化编号": [None], "row_no": [7], "ragged": ["1,2"]},
        schema={"火化编号": pl.String, "row_no": pl.Int64, "ragged": pl.String},
    )
    result = normalise(chunk, FUNERAL, map_headers(["火化编号"], FUNERAL), received_on=ON)
    assert result.bad.rows() == [(7, "", "ragged", "1,2")]
    assert result.good.height == result.blank == 0


def test_headers() -> None:
    headers = [
        "序号",
        "ＸＭ",
        "sfzh",
        "火化编号 ",
        "惠民减免金额(万元)",
        "逝者姓名",
        "别的",
        "第8列",
        "死亡日期",
    ]
    mapping = map_headers(headers, FUNERAL)
    assert mapping.columns == {
        "ＸＭ": "person_name",
        "sfzh": "citizen_id",
        "火化编号 ": "cremation_no",
        "惠民减免金额(万元)": "subsidy_cny",
        "死亡日期": "death_date",
    }
    assert (mapping.ignored, mapping.unknown, mapping.missing) == (
        ["序号"],
        ["逝者姓名", "别的"],
        ["cremation_date"],
    )
    assert mapping.ten_thousands == {"subsidy_cny"}


def test_the_unit_of_the_header_counts_unless_the_cell_has_one() -> None:
    base = {"火化编号": "1", "逝者姓名": "甲", "死亡日期": "2026-1-1", "火化日期": "2026-1-2"}
    for cell, amount in (("0.12", 120000), ("1200元", 120000)):
        assert run(FUNERAL, [base | {"惠民减免金额（万元）": cell}]).good["subsidy_cny"][0] == amount


def test_types_do_not_depend_on_the_values() -> None:
    empty = run(PENSION, [{c.headers[0]: None for c in PENSION.columns}])
    full = run(PENSION, [_pension(1)])
    assert empty.good.schema == full.good.schema
    assert full.good.schema["amount_cny"] == pl.Int64 and full.good.schema["pay_month"] == pl.Date


def _pension(i: int) -> dict[str, str | None]:
    row: dict[str, str | None] = {c.headers[0]: None for c in PENSION.columns}
    return row | {
        "姓名": "甲",
        "社会保障号码": CITIZEN,
        "险种类型": "110",
        "发放年月": "202601",
        "发放金额（元）": str(i),
        "参保地": "禄丰县",
    }


def test_county_follows_the_division() -> None:
    assert run(PENSION, [_pension(1)]).good.select("division_code", "county").row(0) == ("532331", "532302")


def test_repeated_values_give_what_single_values_give() -> None:
    rows = [
        _pension(i % 7) | {"发放年月": ["202601", "x", "2026-02"][i % 3], "姓名": "甲" if i % 5 else None}
        for i in range(3000)
    ]
    together = run(PENSION, rows)
    few = run(PENSION, rows[:105])
    assert together.good.filter(pl.col("row_no") < 107).equals(few.good)
    assert together.bad.filter(pl.col("row_no") < 107).equals(few.bad)
    assert together.good.height + together.bad["row_no"].n_unique() == 3000


_cells = st.one_of(
    st.none(),
    st.text(max_size=20),
    st.sampled_from([CITIZEN, "2026-01-01", "202601", "110", "1.5", "合计", "\x0144819"]),
)


@settings(derandomize=True, max_examples=80, deadline=None)
@given(st.lists(st.lists(_cells, min_size=20, max_size=20), min_size=1, max_size=8))
def test_whatever_the_cells_rows_add_up_and_reasons_are_known(rows: list[list[str | None]]) -> None:
    headers = [c.headers[0] for c in PENSION.columns]
    result = run(PENSION, [dict(zip(headers, row, strict=True)) for row in rows], headers)
    assert result.good.height + result.bad["row_no"].n_unique() + result.blank == len(rows)
    assert set(result.bad["reason"]) <= {reason.code for reason in Reason}
    assert not set(result.good["row_no"]) & set(result.bad["row_no"])


def test_reasons_have_words_in_both_languages_and_a_cure() -> None:
    for reason in Reason:
        assert reason.zh and reason.en.isascii() and reason.cure
