"""The 35 defects of the feed catalogue's dictionary, each through reading and normalising, or the whole intake.

Mended when certain, aside with its reason when not, noted when only a person can tell. People are invented.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import openpyxl
import polars as pl
import pytest

from chuxiong.kit import credit_code
from ingestion.catalog.expectations import Tally
from ingestion.catalog.load import live, load_catalog
from ingestion.intake.normalising import Mapping, Normalised, map_headers, normalise
from ingestion.intake.reading import Limits, Refused, read_table
from tests.prefecture import agreements, bring, citizen, cremation, death, payment, sheet

CATALOG = live(load_catalog(Path(__file__).resolve().parents[2] / "ingestion" / "feeds"))
ON = date(2026, 11, 1)
ONE, TWO = citizen(1), citizen(2)
#: its check character is X
WITH_X = next(n for n in (citizen(i) for i in range(3, 60)) if n.endswith("X"))
FIRM = "91532301MA6K00001" + credit_code.check_character("91532301MA6K00001")
Rows = Sequence[dict[str, Any]]


class Taken:
    """What became of one file: good rows by catalogue name, (column, reason) of the others, notes alike."""

    def __init__(self, path: Path, code: str) -> None:
        self.feed = CATALOG[code]
        table = read_table(path, self.feed, limits=Limits())
        self.mapping: Mapping = map_headers(table.headers, self.feed)
        self.encoding, self.header_row = table.encoding, table.header_row
        self.results: list[Normalised] = [
            normalise(chunk, self.feed, self.mapping, received_on=ON) for chunk in table.chunks()
        ]
        self.good: list[dict[str, Any]] = [r for result in self.results for r in result.good.to_dicts()]
        self.bad = _told(result.bad for result in self.results)
        self.notes = _told(result.notes for result in self.results)
        self.blank = sum(result.blank for result in self.results)


def _told(frames: Any) -> list[tuple[str, str]]:
    return [(row["column"], row["reason"]) for frame in frames for row in frame.to_dicts()]


def from_csv(folder: Path, code: str, rows: Rows, *, encoding: str = "utf-8") -> Taken:
    """A CSV with the rows' own keys as headers."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(dict.fromkeys(key for row in rows for key in row)))
    writer.writeheader()
    writer.writerows(rows)
    path = folder / "delivery.csv"
    path.write_bytes(out.getvalue().encode(encoding))
    return Taken(path, code)


def from_sheet(folder: Path, code: str, lines: Sequence[Sequence[Any]], merged: Sequence[str] = ()) -> Taken:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    for line in lines:
        page.append(list(line))
    for cells in merged:
        page.merge_cells(cells)
    path = folder / "delivery.xlsx"
    book.save(path)
    return Taken(path, code)


def death_row(**more: Any) -> dict[str, Any]:
    return {
        "姓名": "赵样本",
        "公民身份号码": ONE,
        "户口状态": "死亡注销",
        "死亡日期": "2026-09-01",
        "数据更新时间": "2026-10-01 08:00",
    } | more


def firm_row(**more: Any) -> dict[str, Any]:
    return {
        "统一社会信用代码": FIRM,
        "企业名称": "云南样例（楚雄）有限公司",
        "法定代表人（负责人）": "赵样本",
        "成立日期": "2010-01-01",
        "登记状态": "存续",
    } | more


def permit_row(**more: Any) -> dict[str, Any]:
    return {
        "许可证（登记）编号": FIRM + "001P",
        "单位名称": "样例有限公司",
        "统一社会信用代码": FIRM,
        "发证日期": "2025-01-01",
        "有效期止": "2030-01-01",
    } | more


def reading_row(**more: Any) -> dict[str, Any]:
    return {
        "设备唯一标识MN": "53230000ABCDEF0123456789",
        "系统编码ST": "32",
        "命令编码CN": "2061",
        "数据时间": "2026-10-01 08:00:00",
        "因子编码": "w01018",
        "平均值": "35.2",
        "报文接收时间": "2026-10-01 08:00:05",
    } | more


# ---- identity numbers ------------------------------------------------------------------------


def test_d01_old_numbers_are_made_whole_and_marked(tmp_path: Path) -> None:
    # The standard's own arithmetic: 532301 850214 123 is 532301 19850214 123 9.
    taken = from_csv(tmp_path, "ps_population_death", [death_row(公民身份号码="532301850214123")])
    assert taken.good[0]["citizen_id"] == "532301198502141239"
    assert taken.notes == [("公民身份号码", "converted_id")]


def test_d02_a_number_that_a_spreadsheet_kept_as_number_stands_aside(tmp_path: Path) -> None:
    head = ["火化编号", "逝者姓名", "逝者身份证号", "死亡日期", "火化日期"]
    rows = [
        head,
        ["1", "甲", int(ONE[:15]) * 1000, "2026-1-1", "2026-1-2"],
        ["2", "乙", ONE, "2026-1-1", "2026-1-2"],
    ]
    taken = from_sheet(tmp_path, "ca_funeral", rows)
    assert taken.bad == [("逝者身份证号", "numeric_id")]
    assert [r["citizen_id"] for r in taken.good] == [ONE]


@pytest.mark.parametrize("code", ["ps_population_death", "ca_funeral"])
def test_d03_scientific_notation_is_never_repaired(tmp_path: Path, code: str) -> None:
    rows = {
        "ps_population_death": death_row(公民身份号码="5.32301E+17"),
        "ca_funeral": {
            "火化编号": "1",
            "逝者姓名": "甲",
            "死亡日期": "2026-1-1",
            "火化日期": "2026-1-2",
            "逝者身份证号": "5.32301e17",
        },
    }
    taken = from_csv(tmp_path, code, [rows[code]])
    assert [reason for _, reason in taken.bad] == ["scientific_id"]
    assert taken.good == []


def test_d04_a_masked_number_is_kept_beside_and_never_taken_for_a_number(tmp_path: Path) -> None:
    row = {"火化编号": "1", "逝者姓名": "甲", "死亡日期": "2026-1-1", "火化日期": "2026-1-2"}
    taken = from_csv(tmp_path, "ca_funeral", [row | {"逝者身份证号": "5323**********0012"}])
    assert (taken.good[0]["citizen_id"], taken.good[0]["citizen_id_masked"]) == (None, "5323**********0012")
    required = from_csv(tmp_path, "ps_population_death", [death_row(公民身份号码="5323**********0012")])
    assert required.bad == [("公民身份号码", "masked_key")]


def test_d26_look_alikes_of_x_are_x_where_only_x_fits(tmp_path: Path) -> None:
    variants = [WITH_X[:17] + mark for mark in "x×Х*Ｘ"]
    taken = from_csv(tmp_path, "ps_population_death", [death_row(公民身份号码=v) for v in variants])
    assert [r["citizen_id"] for r in taken.good] == [WITH_X] * len(variants)
    assert ONE[17] != "X"
    wrong = from_csv(tmp_path, "ps_population_death", [death_row(公民身份号码=ONE[:17] + "×")])
    assert wrong.good == [] and wrong.bad[0][0] == "公民身份号码"


def test_d27_text_guards_are_taken_off(tmp_path: Path) -> None:
    guarded = ["'" + ONE, f'="{ONE}"', "\t" + ONE]
    taken = from_csv(tmp_path, "ps_population_death", [death_row(公民身份号码=v) for v in guarded])
    assert [r["citizen_id"] for r in taken.good] == [ONE] * 3


def test_d35_one_number_under_two_names_is_noted_and_nothing_is_merged(tmp_path: Path) -> None:
    rows = [
        death_row(),
        death_row(姓名="钱样本"),
        death_row(姓名="赵*"),
        death_row(姓名="孙样本", 公民身份号码=TWO),
    ]
    taken = from_csv(tmp_path, "ps_population_death", rows)
    assert len(taken.good) == 4
    assert taken.notes == [("公民身份号码", "identity_conflict")] * 2


# ---- characters ------------------------------------------------------------------------------


def test_d05_full_width_becomes_half_width(tmp_path: Path) -> None:
    wide = ONE.translate(str.maketrans("0123456789X", "０１２３４５６７８９Ｘ"))
    taken = from_csv(
        tmp_path, "ps_population_death", [death_row(公民身份号码=wide, 死亡日期="２０２６－０９－０１")]
    )
    assert (taken.good[0]["citizen_id"], taken.good[0]["death_date"]) == (ONE, date(2026, 9, 1))


def test_d06_blanks_and_invisible_characters_go(tmp_path: Path) -> None:
    row = death_row(姓名="\u3000赵 样本\u00a0", 公民身份号码=f"\ufeff {ONE[:6]} {ONE[6:]}\u200b")
    taken = from_csv(tmp_path, "ps_population_death", [row])
    assert (taken.good[0]["person_name"], taken.good[0]["citizen_id"]) == ("赵样本", ONE)


def test_d07_gb18030_with_rare_characters(tmp_path: Path) -> None:
    names = ["㼆样本", "𠮷样本", "䶮样本"]
    taken = from_csv(tmp_path, "ps_population_death", [death_row(姓名=n) for n in names], encoding="gb18030")
    assert taken.encoding == "gb18030"
    assert [r["person_name"] for r in taken.good] == names
    private = from_csv(tmp_path, "ps_population_death", [death_row(姓名="\ue81e样本")])
    assert private.good[0]["person_name"] == "\u9fb4样本"


def test_d07_bytes_of_no_agreed_encoding_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "broken.csv"
    path.write_bytes("姓名,公民身份号码\n赵样本,".encode("gb18030") + b"\xff\xff\n")
    with pytest.raises(Refused) as caught:
        Taken(path, "ps_population_death")
    assert "GB18030" in caught.value.problem.what and caught.value.problem.cure


def test_d13_masked_names_stay_as_they_came(tmp_path: Path) -> None:
    rows = [death_row(姓名=name) for name in ("张某", "张*", "张某某")]
    taken = from_csv(tmp_path, "ps_population_death", rows)
    assert [r["person_name"] for r in taken.good] == ["张某", "张*", "张某某"]
    assert taken.notes == []


def test_d30_null_tokens_are_empty(tmp_path: Path) -> None:
    tokens = ["无", "/", "-", "不详", "NULL", "0", "0000-00-00"]
    taken = from_csv(tmp_path, "ps_population_death", [death_row(死亡日期=t) for t in tokens])
    assert [r["death_date"] for r in taken.good] == [None] * len(tokens)
    lacking = from_csv(tmp_path, "ps_population_death", [death_row(公民身份号码=t) for t in tokens])
    assert lacking.bad == [("公民身份号码", "missing")] * len(tokens)


def test_d32_a_text_cut_at_a_systems_limit_is_noted(tmp_path: Path) -> None:
    order = {"工单编号": "1", "来电时间": "2026-10-01 08:00", "标题": "反映垃圾"}
    rows = [
        order | {"诉求内容": "垃" * n + end} for n, end in ((255, ""), (254, "。"), (254, ""), (2000, ""))
    ]
    taken = from_csv(tmp_path, "um_hotline_12345", rows)
    assert len(taken.good) == 4
    assert taken.notes == [("诉求内容", "truncated")] * 2


def test_d34_dots_of_minority_names_in_one_form(tmp_path: Path) -> None:
    rows = [death_row(姓名=f"阿依{dot}古丽") for dot in "·•‧・．"]
    taken = from_csv(tmp_path, "ps_population_death", rows)
    assert {r["person_name"] for r in taken.good} == {"阿依·古丽"}


# ---- dates, money, codes ---------------------------------------------------------------------


def test_d08_serial_numbers_are_dates_only_where_the_cell_was_a_number(tmp_path: Path) -> None:
    head = ["火化编号", "逝者姓名", "死亡日期", "火化日期"]
    rows = [head, ["1", "甲", 44819, 44820], ["2", "乙", "44819", 44820], ["3", "丙", 20220916, 44820]]
    taken = from_sheet(tmp_path, "ca_funeral", rows)
    assert [r["death_date"] for r in taken.good] == [date(2022, 9, 15), date(2022, 9, 16)]
    assert taken.bad == [("死亡日期", "bad_date")]


def test_d09_forms_of_one_day(tmp_path: Path) -> None:
    forms = ["2022.9.16", "20220916", "2022/9/16", "2022年9月16日", "22-9-16"]
    taken = from_csv(tmp_path, "ps_population_death", [death_row(死亡日期=f) for f in forms])
    assert {r["death_date"] for r in taken.good} == {date(2022, 9, 16)}
    month = from_csv(tmp_path, "ps_population_death", [death_row(死亡日期="2022年9月")])
    assert month.bad == [("死亡日期", "bad_date")]


def test_d14_units_separators_and_capital_numerals(tmp_path: Path) -> None:
    rows = [
        firm_row(**{"注册资本（万元）": v})
        for v in ("12.3456", "123,456元", "12.3456万元", "壹拾贰万叁仟肆佰伍拾陆元整")
    ]
    taken = from_csv(tmp_path, "mr_enterprise", rows)
    assert {r["registered_capital_wan"] for r in taken.good} == {12_345_600}
    other = from_csv(tmp_path, "mr_enterprise", [firm_row(**{"注册资本（元）": "123456"})])
    assert other.good[0]["registered_capital_wan"] == 12_345_600
    assert from_csv(tmp_path, "mr_enterprise", [firm_row(**{"注册资本（万元）": "若干"})]).bad == [
        ("注册资本（万元）", "bad_amount")
    ]


def test_d16_codes_and_labels_mixed(tmp_path: Path) -> None:
    rows = [firm_row(登记状态=v) for v in ("存续", "在业", "吊销，未注销")]
    assert [r["status"] for r in from_csv(tmp_path, "mr_enterprise", rows).good] == ["存续", "存续", "吊销"]
    section = {
        "断面（点位）编码": "A1",
        "断面名称": "样例断面",
        "所在河流": "样例河",
        "监测时间": "2026-10-01",
        "因子": "氨氮",
        "监测值": "0.3",
    }
    rows = [section | {"水功能区目标": v} for v in ("Ⅲ", "III", "3", "三类", "Ⅲ类", "七类")]
    taken = from_csv(tmp_path, "ee_surface_water", rows)
    assert [r["target_class"] for r in taken.good] == ["Ⅲ"] * 5
    assert {r["factor"] for r in taken.good} == {"w21003"}
    assert taken.bad == [("水功能区目标", "bad_code")]


def test_d17_old_divisions_keep_their_code_and_find_todays_office(tmp_path: Path) -> None:
    rows = [death_row(户籍地行政区划=v) for v in ("禄丰县", "532331", "532331001000", "禄丰市")]
    taken = from_csv(tmp_path, "ps_population_death", rows)
    assert [r["household_division"] for r in taken.good] == ["532331"] * 3 + ["532302"]
    assert {r["county"] for r in taken.good} == {"532302"}


def test_d18_brackets_of_names_are_one_and_short_names_stay_apart(tmp_path: Path) -> None:
    names = ["云南样例（楚雄）有限公司", "云南样例(楚雄) 有限公司", "云南样例〔楚雄〕有限公司", "样例公司"]
    taken = from_csv(tmp_path, "mr_enterprise", [firm_row(企业名称=n) for n in names])
    assert [r["org_name"] for r in taken.good] == ["云南样例(楚雄)有限公司"] * 3 + ["样例公司"]
    assert {r["uscc"] for r in taken.good} == {FIRM}


def test_d19_several_identifiers_in_one_cell_are_checked_one_by_one(tmp_path: Path) -> None:
    cells = [
        f"{ONE}；{TWO}",
        f"{ONE} {TWO}",
        f"{ONE}/{FIRM.lower()}",
        f"{ONE}、无",
        f"{ONE}、{TWO[:17]}{9 - int(TWO[17])}",
    ]
    taken = from_csv(tmp_path, "mr_enterprise", [firm_row(股东证件号码=c) for c in cells])
    assert [r["shareholder_id"] for r in taken.good] == [
        f"{ONE}、{TWO}", f"{ONE}、{TWO}", f"{ONE}、{FIRM}", f"{ONE}、无",
    ]  # fmt: skip
    assert taken.bad == [("股东证件号码", "bad_checksum")]
    phones = from_csv(tmp_path, "mr_enterprise", [firm_row(联系电话="13800000001/13900000002")])
    assert phones.good[0]["phone"] == "13800000001"
    assert phones.notes == [("联系电话", "several")]


def test_d20_coordinates_swapped_in_degrees_and_minutes_and_abroad(tmp_path: Path) -> None:
    pairs = [
        ("101.546", "25.032"),
        ("25.032", "101.546"),
        ("101°32′45.6″", "北纬25°1′55.2″"),
        ("0", "0"),
        ("东边", "25.032"),
    ]
    rows = [permit_row(经度=lon, 纬度=lat, 排放口编号=f"DW00{i}") for i, (lon, lat) in enumerate(pairs)]
    taken = from_csv(tmp_path, "ee_discharge_permit", rows)
    assert [(r["lon"], r["lat"]) for r in taken.good] == [
        (101.546, 25.032), (101.546, 25.032), (101.546, 25.032), (None, None), (None, 25.032),
    ]  # fmt: skip
    assert sorted(taken.notes) == [
        ("纬度", "bad_coordinate"), ("经度", "bad_coordinate"), ("经度", "bad_coordinate"), ("经度", "swapped"),
    ]  # fmt: skip


def test_d22_former_numbers_in_the_credit_code_column(tmp_path: Path) -> None:
    # 15 digits with their ISO 7064 check, 9 characters with that of GB 11714: no credit code can be made of them.
    old = next(f"53230000000{i:04d}" for i in range(10_000) if credit_code.is_legacy(f"53230000000{i:04d}"))
    organisation = next(f"A1234567{c}" for c in "0123456789X" if credit_code.is_legacy(f"A1234567{c}"))
    required = from_csv(
        tmp_path, "mr_enterprise", [firm_row(统一社会信用代码=v) for v in (old, organisation)]
    )
    assert required.bad == [("统一社会信用代码", "legacy_code")] * 2
    row = {
        "姓名": "赵样本", "社会保障号码": ONE, "险种类型": "110", "人员参保状态": "正常参保", "费款所属期": "202610",
        "核定单号": "1", "缴费类型": "正常应缴",
    }  # fmt: skip
    optional = from_csv(tmp_path, "hr_social_insurance", [row | {"统一社会信用代码": organisation}])
    assert optional.good[0]["employer_uscc"] is None
    assert optional.notes == [("统一社会信用代码", "legacy_code")]
    wrong = from_csv(tmp_path, "hr_social_insurance", [row | {"统一社会信用代码": FIRM[:-1] + "0"}])
    assert FIRM[-1] != "0" and wrong.bad == [("统一社会信用代码", "bad_credit_code")]


def test_d31_case_numbers_in_one_form(tmp_path: Path) -> None:
    forms = [
        "（2022）云2331民初12号",
        "〔2022〕云2331民初12号",
        "2022云2331民初12号",
        "(2022)云2331 民初 12 号",
        "（2022）云2331民初12",
    ]
    rows = [{"案号": f, "经办法院": "禄丰市人民法院", "立案日期": "2022-01-04"} for f in forms]
    taken = from_csv(tmp_path, "ct_trial_case", rows)
    assert {r["case_no"] for r in taken.good} == {"(2022)云2331民初12号"}


# ---- layout ----------------------------------------------------------------------------------


def test_d10_title_and_two_row_header(tmp_path: Path) -> None:
    lines = [
        ["殡葬火化登记表", None, None, None, None],
        ["火化编号", "逝者信息", None, "日期", None],
        [None, "逝者姓名", "逝者身份证号", "死亡日期", "火化日期"],
        ["1", "甲", ONE, "2026-1-1", "2026-1-2"],
    ]
    taken = from_sheet(tmp_path, "ca_funeral", lines, ["A1:E1", "A2:A3", "B2:C2", "D2:E2"])
    assert taken.header_row == 3
    assert (taken.good[0]["citizen_id"], taken.good[0]["cremation_no"]) == (ONE, "1")


def test_d11_totals_and_signatures_are_not_rows(tmp_path: Path) -> None:
    lines = [
        ["火化编号", "逝者姓名", "逝者身份证号", "死亡日期", "火化日期"],
        ["1", "甲", ONE, "2026-1-1", "2026-1-2"],
        ["合计", 1],
        ["填表人：样例", None, "审核人：样例"],
    ]
    taken = from_sheet(tmp_path, "ca_funeral", lines)
    assert (len(taken.good), taken.bad, taken.blank) == (1, [], 2)


def test_d15_merged_cells_and_ditto_marks_are_filled_down(tmp_path: Path) -> None:
    head = [
        "县（市）",
        "村（社区）",
        "户主姓名",
        "户主身份证号",
        "保障对象姓名",
        "身份证号码",
        "救助（补贴）类型",
        "发放月份",
        "发放金额（元）",
    ]
    lines = [
        head,
        ["禄丰市", "样例村", "甲", ONE, "甲", ONE, "农村低保", "202610", 300],
        [None, "同上", None, None, "乙", TWO, "农村低保", "202610", 300],
        ["禄丰市", "〃", None, None, "丙", WITH_X, "农村低保", "202610", 300],
    ]
    taken = from_sheet(tmp_path, "ca_social_assistance", lines, ["A2:A3", "C2:C3", "D2:D3"])
    # The third household is not merged: its empty cells stay empty, and a head of household is required.
    assert taken.bad == [("户主姓名", "missing")]
    assert [
        (r["county_name"], r["village_name"], r["head_name"], r["head_citizen_id"]) for r in taken.good
    ] == [("532302", "样例村", "甲", ONE)] * 2
    first = [head, ["禄丰市", "同上", "甲", ONE, "甲", ONE, "农村低保", "202610", 300]]
    assert from_sheet(tmp_path, "ca_social_assistance", first).bad == [("村（社区）", "ditto")]


def test_d15_a_ditto_mark_means_the_row_above_and_no_other(tmp_path: Path) -> None:
    """A record with a comma too many is read apart from the others: no mark may reach over the gap it leaves."""
    rows = [
        death_row(户籍地行政区划="双柏县"),
        death_row(户籍地行政区划="武定县"),
        death_row(户籍地行政区划="同上 "),
        death_row(户籍地行政区划="同上"),
        death_row(户籍地行政区划="大姚县"),
    ]
    path = tmp_path / "delivery.csv"
    taken = from_csv(tmp_path, "ps_population_death", rows)
    assert [r["county"] for r in taken.good] == ["532322", "532329", "532329", "532329", "532326"]
    lines = path.read_text("utf-8").splitlines()
    for spoiled, bad in (({2}, 2), ({3}, 2), ({4}, 1)):
        path.write_text(
            "\n".join(line + "," * (at in spoiled) for at, line in enumerate(lines)) + "\n", "utf-8"
        )
        taken = Taken(path, "ps_population_death")
        assert [reason for _, reason in taken.bad] == ["ditto"] * bad, spoiled
        # Whatever was loaded has the county of the row above it, or its own.
        whole = {2: "532322", 3: "532329", 4: "532329", 5: "532329", 6: "532326"}
        assert all(r["county"] == whole[r["row_no"]] for r in taken.good)
        assert len(taken.good) + bad == 5


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"<html><table><tr><td>x</td></tr></table></html>", "网页"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 4096, "XLS"),
        (b"PK\x03\x04" + b"\x00" * 64, "XLSX"),
    ],
)
def test_d28_web_pages_and_locked_workbooks_are_refused_with_a_cure(
    tmp_path: Path, content: bytes, says: str
) -> None:
    path = tmp_path / "殡葬.xls"
    path.write_bytes(content)
    with pytest.raises(Refused) as caught:
        Taken(path, "ca_funeral")
    assert says in caught.value.problem.what + caught.value.problem.cure
    assert "重发" in caught.value.problem.cure or "发送" in caught.value.problem.cure


def test_d29_renamed_reordered_added_and_dropped_headers_are_told(tmp_path: Path) -> None:
    row = {"数据更新时间": "2026-10-01", "GMSFHM": ONE, "XM": "赵样本", "户口状态": "在籍", "血型": "A"}
    taken = from_csv(tmp_path, "ps_population_death", [row])
    assert (taken.good[0]["citizen_id"], taken.good[0]["person_name"]) == (ONE, "赵样本")
    assert taken.mapping.unknown == ["血型"]
    assert "death_date" in taken.mapping.absent and not taken.mapping.missing
    renamed = from_csv(tmp_path, "ps_population_death", [death_row(状态="在籍") | {"户口状态": ""}])
    assert renamed.mapping.unknown == ["状态"]


def test_d33_county_layouts_give_the_same_records(tmp_path: Path) -> None:
    one = {
        "姓名": "赵样本",
        "身份证件号": ONE,
        "单位名称": "样例小学",
        "是否在编": "是",
        "入职日期": "2020-09-01",
    }
    other = {
        "入职日期": "2020.9.1",
        "学校": "",
        "SFZH": ONE,
        "XM": "赵样本",
        "DWMC": "样例小学",
        "是否在编": "Y",
    }
    first, second = (from_csv(tmp_path, "ed_school_staff", [row]).good[0] for row in (one, other))
    assert first == second


# ---- sensors and streams ---------------------------------------------------------------------


def test_d23_impossible_readings_stand_aside_and_stuck_ones_are_told(tmp_path: Path) -> None:
    rows = [reading_row(平均值="-1", 数据时间="2026-09-30 08:00:00")]
    rows += [reading_row(平均值="35.2", 数据时间=f"2026-10-{d:02d} 08:00:00") for d in range(1, 31)]
    taken = from_csv(tmp_path, "ee_auto_monitor", [r | {"报文接收时间": "2026-10-31"} for r in rows])
    assert taken.bad == [("平均值", "out_of_range")]
    assert len(taken.good) == 30
    tally = Tally(taken.feed)
    for result in taken.results:
        tally.add(result.good, result.bad["row_no"].n_unique())
    (warning,) = tally.warnings()
    assert warning.place == "ee_auto_monitor.value_avg" and "35.2" in warning.what and warning.cure
    moving = Tally(taken.feed)
    moving.add(pl.DataFrame({"value_avg": [float(i) for i in range(30)]}), 0)
    assert moving.warnings() == []


def test_d24_a_torn_packet_stands_aside_and_a_sent_again_one_changes_nothing(
    tmp_path: Path, database: None
) -> None:
    whole = json.dumps(reading_row(), ensure_ascii=False)
    path = tmp_path / "packets.jsonl"
    path.write_text(f"{whole}\n{whole[:60]}\n", encoding="utf-8")
    taken = Taken(path, "ee_auto_monitor")
    assert (len(taken.good), taken.bad) == (1, [("", "ragged")])
    agreements()
    first = bring("ee_auto_monitor", io.BytesIO(path.read_bytes()), name="packets.jsonl")
    assert (first.loaded, first.quarantined) == (1, 1), first.problem
    again = bring("ee_auto_monitor", io.BytesIO(f"{whole}\n".encode()), name="again.jsonl")
    assert (again.loaded, again.unchanged) == (0, 1)


def test_d25_a_clock_ahead_of_the_receiver_is_noted_and_not_set(tmp_path: Path) -> None:
    taken = from_csv(
        tmp_path, "ee_auto_monitor", [reading_row(), reading_row(数据时间="2026-10-01 09:30:00")]
    )
    assert taken.notes == [("报文接收时间", "out_of_order")]
    assert [r["data_time"].hour for r in taken.good] == [8, 9]


# ---- over the deliveries of a feed -----------------------------------------------------------


def test_d12_the_same_row_twice_counts_once(database: None) -> None:
    agreements()
    rows = [payment(ONE, "2026-05", "2000"), payment(ONE, "202605", "2,000.00"), payment(TWO, "2026-05", "1")]
    batch = bring("hr_pension_payment", sheet("hr_pension_payment", rows))
    assert (batch.received, batch.loaded, batch.duplicate) == (3, 2, 1), batch.problem


def test_d21_a_late_revision_makes_a_version_and_keeps_the_old_one(database: None) -> None:
    from django.db import connections

    agreements()
    bring("ca_funeral", sheet("ca_funeral", [cremation(ONE, "2026-03-10", 1)]))
    revised = bring("ca_funeral", sheet("ca_funeral", [cremation(ONE, "2026-03-12", 1)]), name="revised.csv")
    late = bring("ca_funeral", sheet("ca_funeral", [cremation(TWO, "2025-01-02", 2)]), name="late.csv")
    assert (revised.loaded, late.loaded) == (1, 1)
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select death_date, to_landing is null from pool.ca_funeral where cremation_no = 'HH000001' order by 1"
        )
        assert cursor.fetchall() == [(date(2026, 3, 10), False), (date(2026, 3, 12), True)]


def test_d29_a_file_without_a_required_column_is_refused_and_an_unknown_one_becomes_an_issue(
    database: None,
) -> None:
    from ingestion.models import FeedIssue

    agreements()
    content = sheet("ps_population_death", [death(ONE, "2026-01-05")]).getvalue().decode("gb18030")
    refused = bring(
        "ps_population_death", io.BytesIO(content.replace("户口状态", "状态").encode()), name="renamed.csv"
    )
    assert refused.state == "refused" and "户口状态" in refused.problem["what"] and refused.problem["cure"]
    taken = bring(
        "ps_population_death", io.BytesIO(content.replace("曾用名", "又名").encode()), name="unknown.csv"
    )
    assert taken.state == "landed"
    assert list(FeedIssue.objects.using("intake").values_list("place", flat=True)) == ["又名"]


def test_every_defect_of_the_dictionary_has_a_test() -> None:
    tested = {name[5:8].upper() for name in globals() if name.startswith("test_d") and name[6:8].isdigit()}
    assert tested == {f"D{n:02d}" for n in range(1, 36)}


def test_counts_add_up_whatever_the_defect(tmp_path: Path) -> None:
    rows = [death_row(), death_row(公民身份号码="5.3E+17"), {}, death_row(死亡日期="x", 数据更新时间="")]
    taken = from_csv(tmp_path, "ps_population_death", rows)
    aside = sum(result.bad["row_no"].n_unique() for result in taken.results)
    assert len(taken.good) + aside + taken.blank == 4


def test_what_was_noted_and_what_lies_above_the_maximum_is_told(
    tmp_path: Path, database: None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows that were kept with a value left out are counted on the batch; a stuck sensor becomes an issue."""
    from django.core.management import call_command
    from django.db import connections

    from ingestion.models import Batch

    agreements()
    rows = [reading_row(平均值="35.2", 数据时间=f"2026-10-{d:02d} 08:00:00") for d in range(1, 31)]
    rows = [r | {"报文接收时间": "2026-09-30"} for r in rows]
    path = tmp_path / "readings.jsonl"
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")
    bring("ee_auto_monitor", io.BytesIO(path.read_bytes()), name="readings.jsonl")
    call_command("feed", "import", "ee_auto_monitor", str(path))
    told = capsys.readouterr().out
    batch = Batch.objects.using("intake").get()
    assert batch.loaded == 30
    assert batch.layout["notes"] == [{"column": "报文接收时间", "note": "out_of_order", "rows": 30}]
    assert "报文接收时间：时间先后颠倒" in told and "30 行照收" in told
    with connections["owner"].cursor() as cursor:
        cursor.execute("select place, text from ingestion_feedissue where kind = 'above_maximum'")
        ((place, text),) = cursor.fetchall()
    assert place == "ee_auto_monitor.value_avg" and "35.2" in text
