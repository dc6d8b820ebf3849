"""The feed files themselves, and what the catalogue says about wrong ones."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest

from ingestion.catalog.load import CatalogError, live, load_catalog

ROOT = Path(__file__).resolve().parents[2]
GOOD = """
code: xx_sample
title: {zh: 样例, en: Sample}
agency: {code: xx_bureau, zh: 样例局, en: Sample Bureau}
network: 政务外网
transport: sftp_drop
status: live
cadence: monthly
max_lag_days: 10
load_mode: append
natural_key: [item_no]
columns:
  - {name: item_no, headers: [编号], type: code, required: true, sensitivity: L2, zh: 编号, en: Number}
  - {name: kind, headers: [类别], type: enum, sensitivity: L1, codes: {"01": 甲}, zh: 类别, en: Kind}
"""


def load(tmp_path: Path, text: str, name: str = "xx_sample.yaml") -> str:
    (tmp_path / "xx").mkdir(exist_ok=True)
    (tmp_path / "xx" / name).write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load_catalog(tmp_path)
    return str(caught.value)


def test_all_feeds_load_and_lie_in_their_agencys_folder() -> None:
    catalog = load_catalog(ROOT / "ingestion" / "feeds")
    assert {"ps_population_death", "ca_funeral", "hr_pension_payment"} <= set(catalog)
    for code in catalog:
        assert (ROOT / "ingestion" / "feeds" / code.split("_")[0] / f"{code}.yaml").is_file()


def test_every_identifier_column_is_of_the_highest_classes() -> None:
    for feed in load_catalog(ROOT / "ingestion" / "feeds").values():
        for column in feed.columns:
            if column.type in ("citizen_id", "bank_account"):
                assert column.sensitivity == "L4", f"{feed.code}.{column.name}"
            assert column.pool_type == "uuid" or column.type not in ("citizen_id", "phone", "credit_code")


def test_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "xx").mkdir()
    (tmp_path / "xx" / "xx_sample.yaml").write_text(GOOD, encoding="utf-8")
    feed = load_catalog(tmp_path)["xx_sample"]
    assert feed.column("kind").codes == {"01": "甲"}
    assert feed.columns[0].pool_type == "text"


@pytest.mark.parametrize(
    ("change", "by", "says"),
    [
        ("cadence: monthly", "cadence: monthly\ncolour: red", "colour"),
        ('"01": 甲', "01: 甲", "codes"),
        ("type: code", "type: colour", "columns.0.type"),
        ("natural_key: [item_no]", "natural_key: [no_such]", "no_such"),
        ("code: xx_sample", "code: xx_other", "xx_sample"),
        ("status: live", "status: live\nstatus: reserve", "写了两次"),
        ("headers: [类别]", "headers: [编号]", "同时属于"),
        ("name: kind", "name: item_no", "出现两次"),
        ("sensitivity: L1", "sensitivity: L9", "columns.1.sensitivity"),
        ("type: code, required", "type: code, subject: person, required", "citizen_id"),
        ("type: enum", "type: text", "codes"),
        ("max_lag_days: 10", "max_lag_days: '10'", "max_lag_days"),
        ("title: {zh", "title: [zh", "YAML"),
    ],
)
def test_a_wrong_file_is_named_with_key_and_cure(tmp_path: Path, change: str, by: str, says: str) -> None:
    assert change in GOOD
    message = load(tmp_path, GOOD.replace(change, by, 1))
    assert "xx/xx_sample.yaml" in message
    assert says in message
    assert message.count("。") >= 1, "no cure"


TIMED = (
    GOOD.rstrip()
    + """
  - {name: item_id, headers: [证件号], type: citizen_id, sensitivity: L4, zh: 证件号, en: Identity number}
  - {name: begun, headers: [起], type: date, sensitivity: L2, zh: 起, en: Begun}
  - {name: ended, headers: [止], type: datetime, sensitivity: L2, zh: 止, en: Ended}
  - {name: amount, headers: [量], type: number, at_least: 0, at_most: 9, sensitivity: L2, zh: 量, en: Amount}
in_order: [[begun, ended]]
expectations:
  minimum: {rows: 1, filled: {item_id: 0.5}}
  maximum: {quarantined: 0.1, same: {amount: 0.9}}
"""
)


@pytest.mark.parametrize(
    ("change", "by", "says"),
    [
        ("type: code,", "type: code, form: longitude,", "form: longitude 要求类型 number"),
        ("type: code,", "type: code, form: colour,", "columns.0.form"),
        ("type: code,", "type: code, name_in: item_no,", "name_in: 列 item_no 不是 citizen_id"),
        ("type: citizen_id,", "type: citizen_id, name_in: nobody,", "name_in: 没有列 nobody"),
        ("type: code,", "type: code, at_least: 0,", "at_least/at_most: 列 item_no"),
        ("at_least: 0", "at_least: 10", "at_least: 列 amount 的下界大于上界"),
        ("at_least: 0", "at_least: '0'", "columns.5.at_least"),
        ("[begun, ended]", "[begun, finished]", "in_order: 没有列 finished"),
        ("[begun, ended]", "[begun, amount]", "in_order: begun、amount 须为日期或时间"),
        ("[begun, ended]", "[begun]", "in_order.0"),
        ("name: begun", "name: row_no", "in_order"),
        ("filled: {item_id: 0.5}", "filled: {item: 0.5}", "expectations.minimum.filled: 没有列 item"),
        ("filled: {item_id: 0.5}", "filled: {item_id: 50.0}", "expectations.minimum.filled: 份额"),
        ("same: {amount: 0.9}", "same: {quantity: 0.9}", "expectations.maximum.same: 没有列 quantity"),
        ("same: {amount: 0.9}", "equal: {amount: 0.9}", "expectations.maximum.equal"),
        ("quarantined: 0.1", "quarantined: 10.0", "expectations.maximum.quarantined: 份额"),
        ("rows: 1", "rows: many", "expectations.minimum.rows"),
        ("status: live", "status: reserve", "expectations: 储备数据源"),
        ("status: live", "status: planned", "status"),
        ("load_mode: append", "load_mode: replace", "load_mode"),
        ("natural_key: [item_no]", "natural_key: []\nload_mode_x: 1", "load_mode_x"),
    ],
)
def test_wrong_forms_orders_bounds_and_expectations(tmp_path: Path, change: str, by: str, says: str) -> None:
    assert change in TIMED
    message = load(tmp_path, TIMED.replace(change, by, 1))
    assert "xx/xx_sample.yaml" in message
    assert says in message
    assert message.count("。") >= 1, "no cure"


def test_columns_of_the_pool_itself_are_reserved(tmp_path: Path) -> None:
    assert "row_no 是数据池的系统列" in load(tmp_path, GOOD.replace("name: kind", "name: row_no"))


def test_a_snapshot_needs_a_key(tmp_path: Path) -> None:
    text = GOOD.replace("load_mode: append", "load_mode: snapshot").replace("[item_no]", "[]")
    assert "natural_key: 全量快照须有自然键" in load(tmp_path, text)


def test_the_good_file_with_every_key_is_good(tmp_path: Path) -> None:
    (tmp_path / "xx").mkdir()
    (tmp_path / "xx" / "xx_sample.yaml").write_text(TIMED, encoding="utf-8")
    feed = load_catalog(tmp_path)["xx_sample"]
    assert feed.in_order == (("begun", "ended"),)
    assert feed.expectations.maximum.same == {"amount": 0.9}


def test_several_mistakes_are_all_told(tmp_path: Path) -> None:
    message = load(
        tmp_path, TIMED.replace("type: code", "type: colour").replace("sensitivity: L1", "sensitivity: L7")
    )
    assert "columns.0.type" in message and "columns.1.sensitivity" in message


def test_thirty_seven_live_feeds_and_eight_in_reserve() -> None:
    catalog = load_catalog(ROOT / "ingestion" / "feeds")
    assert len(live(catalog)) == 37
    assert len(catalog) == 45


def test_every_feed_has_key_key_columns_and_english_that_reads() -> None:
    for feed in load_catalog(ROOT / "ingestion" / "feeds").values():
        assert feed.natural_key, feed.code
        if feed.status == "live":
            assert any(feed.column(name).required for name in feed.natural_key), feed.code
            assert feed.valid_time, feed.code
        titles = [column.en for column in feed.columns]
        for title in (*titles, feed.title.en, feed.agency.en):
            assert not re.search(r"[\u4e00-\u9fff]|\b(cny|uscc|no|id|qty|desc|wan|sqm)\b", title), (
                feed.code,
                title,
            )
        assert len(set(titles)) == len(titles), (feed.code, [t for t in titles if titles.count(t) > 1])


@pytest.mark.alone
def test_the_catalogue_loads_in_well_under_half_a_second() -> None:
    began = time.perf_counter()
    load_catalog(ROOT / "ingestion" / "feeds")
    assert time.perf_counter() - began < 0.5


def test_an_empty_file_and_a_wrong_ending(tmp_path: Path) -> None:
    assert "xx_sample.yaml" in load(tmp_path, "")
    (tmp_path / "xx" / "xx_sample.yaml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "xx" / "xx_two.yml").write_text(GOOD, encoding="utf-8")
    with pytest.raises(CatalogError, match="改名为"):
        load_catalog(tmp_path)


TEXTS = """
columns:
  - {name: item_no, headers: [编号], type: code, required: true, sensitivity: L2, zh: 编号, en: Number}
  - {name: full_text, headers: [全文], type: text, sensitivity: L3, zh: 全文, en: Full text}
  - {name: day, headers: [日期], type: date, sensitivity: L2, zh: 日期, en: Day}
  - {name: text_day, output: judged_on, type: date, sensitivity: L2, zh: 正文日期, en: Day in the text}
  - {name: text_found, output: findings, type: findings, sensitivity: L3, zh: 提取结果, en: Findings}
extract: {extractor: criminal_judgment, text: full_text, compare: {day: judged_on}}
"""
OF_TEXTS = GOOD.split("columns:")[0] + TEXTS.lstrip()


def test_a_feed_of_texts_needs_no_python(tmp_path: Path) -> None:
    (tmp_path / "xx").mkdir()
    (tmp_path / "xx" / "xx_sample.yaml").write_text(OF_TEXTS, encoding="utf-8")
    feed = load_catalog(tmp_path)["xx_sample"]
    assert [c.name for c in feed.delivered] == ["item_no", "full_text", "day"]
    assert feed.column("text_found").pool_type == "jsonb"


@pytest.mark.parametrize(
    ("change", "by", "says"),
    [
        ("extractor: criminal_judgment", "extractor: no_such", "no_such"),
        ("output: judged_on", "output: no_such", "no_such"),
        ("output: judged_on, type: date", "output: judged_on, type: text", "text_day"),
        ("output: judged_on", "headers: [正文日期], output: judged_on", "text_day"),
        ("output: judged_on, ", "", "text_day"),
        ("output: judged_on, type", "output: judged_on, required: true, type", "required"),
        ("text: full_text", "text: day", "day"),
        ("{day: judged_on}", "{full_text: judged_on}", "compare"),
        ("{day: judged_on}", "{text_day: judged_on}", "compare"),
        ("headers: [日期], type: date", "headers: [日期], type: findings", "findings"),
        ("natural_key: [item_no]", "natural_key: [text_day]", "text_day"),
        ("extract:", "#", "extract"),
    ],
)
def test_a_wrong_extract_is_named_with_key_and_cure(tmp_path: Path, change: str, by: str, says: str) -> None:
    assert change in OF_TEXTS
    message = load(tmp_path, OF_TEXTS.replace(change, by, 1))
    assert "xx/xx_sample.yaml" in message
    assert says in message
    assert message.count("。") >= 1, "no cure"
