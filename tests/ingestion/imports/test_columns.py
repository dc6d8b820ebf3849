"""Which header feeds which column: catalogue, aliases, a person's choice; and what a page may show of a cell."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.catalog.load import live, load_catalog
from ingestion.imports import columns
from ingestion.imports.bounds import bounds
from ingestion.imports.columns import Registered, candidates, every_header, mapping_of, propose, with_aliases
from ingestion.imports.masking import masked, shown
from ingestion.intake.normalising import Reason, map_headers
from tests.prefecture import citizen

ROOT = Path(__file__).resolve().parents[3]
CATALOG = live(load_catalog(ROOT / "ingestion" / "feeds"))
PENSION = CATALOG["hr_pension_payment"]
USES = bounds().alias_uses
HEADERS = [
    "参保人",
    "证件号",
    "险种类型",
    "发放年月",
    "发放金额（元）",
    "备注",
    "第7列",
    "证件号#2",
    "退回原因",
]


def test_without_aliases_a_proposal_is_what_the_catalogue_says():
    found = propose(HEADERS, PENSION, [])
    assert [p.why for p in found] == [
        "unknown", "variant", "same", "same", "same", "ignored", "unnamed", "double", "added"
    ]  # fmt: skip
    choices = [p.choice for p in found]
    assert choices == ["", "citizen_id", "insurance_type", "pay_month", "amount_cny", "-", "-", "-", "-"]
    assert mapping_of(HEADERS, choices, PENSION).missing == ["person_name"]


@pytest.mark.parametrize("code", sorted(CATALOG))
def test_every_feed_reads_its_own_headers_as_before(code):
    feed = CATALOG[code]
    headers = [c.headers[0] for c in feed.delivered]
    choices = [p.choice for p in propose(headers, feed, [])]
    plain = map_headers(headers, feed)
    assert mapping_of(headers, choices, feed) == plain
    known = map_headers(headers, with_aliases(feed, []))
    assert (known.columns, known.missing, known.unknown, known.ten_thousands) == (
        plain.columns, plain.missing, plain.unknown, plain.ten_thousands
    )  # fmt: skip
    # The agency's own headers find their feed (with another of the same headers at most beside it).
    assert code in [c.feed for c in candidates(headers, CATALOG, most=2)]


def test_an_alias_counts_once_it_is_settled():
    key = columns.key_of("参保人")
    young, settled = (
        Registered(1, key, "person_name", USES - 1, "管演示"),
        Registered(1, key, "person_name", USES),
    )
    hint = propose(HEADERS, PENSION, [young])[0]
    assert (hint.choice, hint.hint, hint.registered) == ("", "person_name", young)
    assert map_headers(HEADERS, with_aliases(PENSION, [young])).missing == ["person_name"]
    assert propose(HEADERS, PENSION, [settled])[0].choice == "person_name"
    assert map_headers(HEADERS, with_aliases(PENSION, [settled])).columns["参保人"] == "person_name"


def test_an_alias_outweighs_the_catalogue_and_may_say_not_taken():
    key = columns.key_of("险种类型")
    moved = [Registered(1, key, "benefit_type", USES)]
    assert propose(HEADERS, PENSION, moved)[2].choice == "benefit_type"
    assert map_headers(HEADERS, with_aliases(PENSION, moved)).columns["险种类型"] == "benefit_type"
    gone = [Registered(1, columns.key_of("参保人"), "", USES)]
    assert propose(HEADERS, PENSION, gone)[0].choice == columns.NOT_TAKEN
    assert "参保人" in map_headers(HEADERS, with_aliases(PENSION, gone)).ignored


def test_ten_thousands_stay_with_the_header_they_stand_in():
    levy = next(
        f for f in CATALOG.values() if any(c.type == "money" and not c.ten_thousands for c in f.delivered)
    )
    column = next(c for c in levy.delivered if c.type == "money" and not c.ten_thousands)
    assert mapping_of(["数目（万元）"], [column.name], levy).ten_thousands == {column.name}
    assert mapping_of(["数目（元）"], [column.name], levy).ten_thousands == frozenset()


def test_a_similar_header_is_a_hint_never_a_choice():
    found = propose(["参保人员姓名", "银行帐号"], PENSION, [])
    assert {p.choice for p in found} == {""}
    assert found[1].hint == "bank_account"


def test_all_headers_of_all_feeds_find_the_header_row():
    assert {c.headers[0] for f in CATALOG.values() for c in f.delivered} <= {
        h for c in every_header(CATALOG).columns for h in c.headers
    }


@pytest.mark.parametrize(
    "cell",
    [citizen(7), citizen(7).lower(), f"\x01{citizen(8)}", "13800000000", "6222020000000000000", "5323 0119 5001 01007X",
     f"联系电话13800000000，身份证{citizen(9)}", "云E·A1234", "９１５３２３００ＭＡ６ＫＡＡＡＡ１Ｘ", "532301500101123"],
)  # fmt: skip
def test_no_number_of_a_person_is_shown_whole(cell):
    """Whatever column it stands in: the middle is gone."""
    for column in (None, PENSION.column("citizen_id"), PENSION.column("pay_status")):
        seen = shown(cell, column)
        assert "*" in seen and not any(len(run) > 6 for run in _runs(seen)), seen


def _runs(text: str) -> list[str]:
    return "".join(c if c.isdigit() else " " for c in text).split()


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-05",
        "2026-01-05 08:00:00",
        "（2026）云2301民初123号",
        "城乡居民",
        "532301",
        "1,234.50",
        "示例建筑有限公司",
    ],
)
def test_what_is_no_number_of_a_person_stays(text):
    assert masked(text) == text


def test_every_reason_has_its_cure_in_english():
    from dashboard.imports.words import CURES_EN

    assert set(CURES_EN) == {r.code for r in Reason}
