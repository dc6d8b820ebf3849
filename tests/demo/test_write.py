"""The demo prefecture: same input same bytes, readable files, and a truth that the files bear out."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.conf import settings

import ingestion
from chuxiong.demo import identifiers
from chuxiong.demo.plan import load_plan
from chuxiong.demo.write import Summary, write
from chuxiong.kit import citizen_id, credit_code
from ingestion.catalog.load import load_catalog
from ingestion.catalog.spec import FeedSpec
from ingestion.intake.normalising import map_headers, normalise
from ingestion.intake.reading import Limits, Refused, read_table

TODAY = date(2026, 11, 24)
#: the rules that the demo was built around, with four classes each
FIRST = {
    "pension_after_death",
    "pension_while_serving",
    "wage_support_suit",
    "recovery_not_pursued",
    "river_rubbish",
    "discharge_exceedance",
}
RULES = {path.stem for path in settings.RULES_DIR.glob("*/*.yaml")}
Lines = list[dict[str, Any]]


def _lines(path: Path) -> Lines:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Summary]:
    out = tmp_path_factory.mktemp("demo") / "out"
    return out, write("small", 7, out, TODAY)


@pytest.fixture(scope="module")
def taken_in(written: tuple[Path, Summary]) -> dict[str, tuple[pl.DataFrame, pl.DataFrame, int] | None]:
    """Each file through the real reading and normalising: (good, bad, received); None = refused."""
    out, _ = written
    catalog = load_catalog(Path(ingestion.__file__).parent / "feeds")
    drifted = {r["file"] for r in _lines(out / "truth.jsonl") if r.get("expected") == "held"}
    assert len(drifted) == 1
    manifest = _lines(out / "manifest.jsonl")
    # Every file is read in a child process: several at a time.
    with ThreadPoolExecutor(4) as pool:
        read = list(
            pool.map(lambda line: _taken_in(out, catalog[line["feed"]], line["file"], drifted), manifest)
        )
    return {line["file"]: found for line, found in zip(manifest, read, strict=True)}


def _taken_in(
    out: Path, feed: FeedSpec, file: str, drifted: set[str]
) -> tuple[pl.DataFrame, pl.DataFrame, int] | None:
    try:
        table = read_table(out / file, feed, limits=Limits())
    except Refused:
        return None
    mapping = map_headers(table.headers, feed)
    if file in drifted:
        assert mapping.unknown and mapping.absent, file
    else:
        assert not mapping.unknown, (file, mapping.unknown)
        assert not mapping.missing, (file, mapping.missing)
        assert set(mapping.columns.values()) == {c.name for c in feed.delivered}, file
    parts, height = [], 0
    for chunk in table.chunks():
        result = normalise(chunk, feed, mapping, received_on=TODAY + timedelta(days=3))
        parts.append(result)
        height += chunk.height - result.blank
    return pl.concat([p.good for p in parts]), pl.concat([p.bad for p in parts]), height


def _digest(out: Path) -> dict[str, str]:
    return {
        p.relative_to(out).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(out.rglob("*"))
        if p.is_file()
    }


def test_same_seed_same_bytes_and_another_seed_others(tmp_path: Path, written: tuple[Path, Summary]) -> None:
    again = tmp_path / "again"
    write("small", 7, again, TODAY)
    assert _digest(again) == _digest(written[0])
    other = tmp_path / "other"
    write("small", 8, other, TODAY)
    assert _digest(other)["truth.jsonl"] != _digest(written[0])["truth.jsonl"]


def test_row_counts_are_those_of_the_summary(
    written: tuple[Path, Summary], taken_in: dict[str, tuple[pl.DataFrame, pl.DataFrame, int] | None]
) -> None:
    out, summary = written
    manifest = _lines(out / "manifest.jsonl")
    for line in manifest:
        read = taken_in[line["file"]]
        assert line["rows"] == (read[2] if read else 0), line["file"]
    assert summary.rows == sum(line["rows"] for line in manifest) == sum(summary.by_feed.values())
    assert summary.files == len(manifest)
    assert 12_000 <= summary.rows <= 16_000
    assert len(summary.by_feed) == 37 and min(summary.by_feed.values()) > 20


def test_exactly_the_planted_rows_fail(
    written: tuple[Path, Summary], taken_in: dict[str, tuple[pl.DataFrame, pl.DataFrame, int] | None]
) -> None:
    out, _ = written
    planted = [line for line in _lines(out / "truth.jsonl") if "defect" in line]
    expected = {(line["file"], line["row"]) for line in planted if line["expected"] == "quarantined"}
    failed = {
        (file, row) for file, read in taken_in.items() if read for row in read[1]["row_no"].unique().to_list()
    }
    assert failed == expected
    refused = {file for file, read in taken_in.items() if read is None}
    assert refused == {line["file"] for line in planted if line["expected"] == "refused"}


def test_duplicates_and_conflicts_share_a_key(
    written: tuple[Path, Summary], taken_in: dict[str, tuple[pl.DataFrame, pl.DataFrame, int] | None]
) -> None:
    out, _ = written
    catalog = load_catalog(Path(ingestion.__file__).parent / "feeds")
    planted = [line for line in _lines(out / "truth.jsonl") if line.get("expected") == "duplicate"]
    expected = Counter(line["file"] for line in planted)
    for line in _lines(out / "manifest.jsonl"):
        read = taken_in[line["file"]]
        if read:
            good = read[0]
            spare = good.height - good.unique(list(catalog[line["feed"]].natural_key)).height
            assert spare == expected[line["file"]], line["file"]


def test_wanted_defects_are_there(written: tuple[Path, Summary]) -> None:
    _, summary = written
    wanted = [f"D{n:02d}" for n in range(1, 36)]
    assert set(wanted) <= set(summary.defects)


def test_every_class_has_five_cases(written: tuple[Path, Summary]) -> None:
    _, summary = written
    assert set(summary.truth) == RULES
    for rule, classes in summary.truth.items():
        assert classes["hit"] >= 5 and classes["near_miss"] >= 2, rule
        for name in ("hit", "near_miss", "innocent", "undecided") if rule in FIRST else ():
            assert classes.get(name, 0) >= 5, (rule, name)


def test_subjects_are_planted_once_and_identifiers_check(written: tuple[Path, Summary]) -> None:
    out, _ = written
    lines = [line for line in _lines(out / "truth.jsonl") if "rule" in line]
    keys = Counter((line["rule"], line["subject"], line["bucket"]) for line in lines)
    assert max(keys.values()) == 1
    people = [line["subject"] for line in lines if line["subject_kind"] == "person"]
    assert {citizen_id.judge(number, on=TODAY)[0] for number in people} == {citizen_id.Verdict.VALID}
    codes = {line["measures"]["credit_code"] for line in lines if line["rule"] == "discharge_exceedance"}
    assert all(credit_code.is_valid(code) for code in codes)


def test_numbers_of_the_register_are_distinct(
    written: tuple[Path, Summary], taken_in: dict[str, tuple[pl.DataFrame, pl.DataFrame, int] | None]
) -> None:
    out, _ = written
    first = _lines(out / "manifest.jsonl")[0]
    read = taken_in[first["file"]]
    assert read
    planted = [
        line
        for line in _lines(out / "truth.jsonl")
        if line.get("file") == first["file"] and line["expected"] == "duplicate"
    ]
    assert read[0].height - read[0]["citizen_id"].n_unique() == len(planted)


def test_planted_people_are_loaded_unless_their_class_says_so(
    written: tuple[Path, Summary], taken_in: dict[str, tuple[pl.DataFrame, pl.DataFrame, int] | None]
) -> None:
    out, _ = written
    source = {
        "pension_after_death": "citizen_id",
        "pension_while_serving": "citizen_id",
        "wage_support_suit": "reporter_citizen_id",
    }
    loaded: set[str] = set()
    for read in taken_in.values():
        for column in set(source.values()):
            if read and column in read[0].columns:
                loaded |= set(read[0][column].drop_nulls().to_list())
    lines = [line for line in _lines(out / "truth.jsonl") if line.get("rule") in source]
    assert [line["subject"] for line in lines if line["subject"] not in loaded] == []


def test_deaths_are_borne_out_by_the_files(
    written: tuple[Path, Summary], taken_in: dict[str, tuple[pl.DataFrame, pl.DataFrame, int] | None]
) -> None:
    """The plain reading of the law over the delivered rows finds just the planted hits, on every day."""
    out, _ = written
    manifest = _lines(out / "manifest.jsonl")
    for day, name in ((0, "truth.day0.jsonl"), (1, "truth.day1.jsonl"), (2, "truth.jsonl")):
        deaths: dict[str, date] = {}
        register: dict[str, tuple[str, date | None]] = {}
        payments: dict[tuple[str, date], tuple[int, str | None, int]] = {}
        for line in manifest:
            read = taken_in[line["file"]]
            if line["day"] > day or read is None:
                continue
            for row in read[0].iter_rows(named=True):
                if line["feed"] == "ps_population_death":
                    register[row["citizen_id"]] = (row["household_status"], row["death_date"])
                elif line["feed"] == "ca_funeral" and row["citizen_id"]:
                    deaths[row["citizen_id"]] = row["death_date"]
                elif line["feed"] == "hr_pension_payment":
                    key = (row["citizen_id"], row["pay_month"])
                    payments[key] = (row["amount_cny"], row["pay_status"], row["recovered_cny"] or 0)
        for number, (status, died) in register.items():
            if status == "死亡注销" and died:
                deaths[number] = max(died, deaths.get(number, died))
        found = {
            number
            for (number, month), (amount, status, back) in payments.items()
            if number in deaths
            and (month.year - deaths[number].year) * 12 + month.month - deaths[number].month > 1
            and amount > back
            and status in ("正常", "补发")
        }
        planted = {
            line["subject"]
            for line in _lines(out / name)
            if line.get("rule") == "pension_after_death" and line["class"] == "hit"
        }
        assert found == planted, day


def test_serving_months_are_borne_out_by_the_files(
    written: tuple[Path, Summary], taken_in: dict[str, tuple[pl.DataFrame, pl.DataFrame, int] | None]
) -> None:
    out, _ = written
    terms: dict[tuple[str, date], tuple[str, date]] = {}
    payments: dict[tuple[str, date], tuple[int, str | None, int]] = {}
    for line in _lines(out / "manifest.jsonl"):
        read = taken_in[line["file"]]
        if read is None:
            continue
        for row in read[0].iter_rows(named=True):
            if line["feed"] == "ja_penalty_execution":
                terms[row["citizen_id"], row["start_date"]] = (row["person_category"], row["end_date"])
            elif line["feed"] == "hr_pension_payment":
                payments[row["citizen_id"], row["pay_month"]] = (
                    row["amount_cny"],
                    row["pay_status"],
                    row["recovered_cny"] or 0,
                )
    found = set()
    for (number, start), (category, end) in terms.items():
        for (paid_to, month), (amount, status, back) in payments.items():
            inside = start < month and (month + timedelta(days=31)).replace(day=1) - timedelta(days=1) < end
            if (
                paid_to == number
                and category == "监狱服刑"
                and inside
                and amount > back
                and status in ("正常", "补发")
            ):
                found.add(number)
    planted = {
        line["subject"]
        for line in _lines(out / "truth.jsonl")
        if line.get("rule") == "pension_while_serving" and line["class"] == "hit"
    }
    assert found == planted


def test_early_truth_differs_where_corrections_come_later(written: tuple[Path, Summary]) -> None:
    out, _ = written
    final = {(r["rule"], r["subject"]): r["class"] for r in _lines(out / "truth.jsonl") if "rule" in r}
    first = {(r["rule"], r["subject"]): r["class"] for r in _lines(out / "truth.day0.jsonl")}
    changes = Counter((first.get(key), value) for key, value in final.items() if first.get(key) != value)
    assert set(changes) == {("hit", "innocent"), (None, "hit"), ("undecided", "hit")}


def test_manifest_goes_day_by_day(written: tuple[Path, Summary]) -> None:
    out, _ = written
    manifest = _lines(out / "manifest.jsonl")
    assert [line["order"] for line in manifest] == list(range(1, len(manifest) + 1))
    assert [line["day"] for line in manifest] == sorted(line["day"] for line in manifest)
    assert {line["day"] for line in manifest} == {0, 1, 2}
    # By feed and name a batch is found again.
    assert len({(line["feed"], Path(line["file"]).name) for line in manifest}) == len(manifest)
    for line in manifest:
        stamp = f"{TODAY + timedelta(days=line['day']):%Y%m%d}_"
        assert line["file"].startswith(stamp)
        assert date.fromisoformat(line["covers_until"])


def test_any_day_of_the_year_works(tmp_path: Path) -> None:
    for today in (date(2026, 1, 1), date(2028, 2, 29), date(2026, 3, 31)):
        summary = write("small", 3, tmp_path / today.isoformat(), today)
        assert set(summary.truth) == RULES


def test_judgments_state_their_amounts(written: tuple[Path, Summary]) -> None:
    out, _ = written
    file = next(line["file"] for line in _lines(out / "manifest.jsonl") if line["feed"] == "net_judgment")
    texts = {row["文书ID"]: row for row in _lines(out / file)}
    truths = [line for line in _lines(out / "truth.jsonl") if "judgment" in line]
    assert len(truths) >= 30
    kinds = set()
    for line in truths:
        text = texts[line["judgment"]]["全文"]
        kinds |= {order["kind"] for order in line["measures"]["orders"]}
        assert line["case_no"] in text
        assert all(order["kind"][-2:] in text for order in line["measures"]["orders"])
    assert kinds == {"责令退赔", "追缴", "发还", "没收"}


def test_the_same_people_and_firms_stand_in_many_feeds(
    written: tuple[Path, Summary], taken_in: dict[str, tuple[pl.DataFrame, pl.DataFrame, int] | None]
) -> None:
    out, _ = written

    def values(feed: str, *columns: str) -> set[str]:
        found: set[str] = set()
        for line in _lines(out / "manifest.jsonl"):
            read = taken_in[line["file"]]
            if line["feed"] == feed and read:
                for column in columns:
                    found |= set(read[0][column].drop_nulls().to_list())
        return found

    inhabitants = values("ps_population_death", "citizen_id")
    assert len(inhabitants) > 1_000
    for feed, column in (
        ("hr_social_insurance", "citizen_id"),
        ("ca_social_assistance", "citizen_id"),
        ("mi_settlement", "citizen_id"),
        ("hh_death_certificate", "citizen_id"),
        ("ed_school_staff", "citizen_id"),
        ("mr_enterprise", "legal_rep_id"),
        ("ct_enforcement", "respondent_id"),
        ("ps_traffic_accident", "citizen_id"),
    ):
        assert len(values(feed, column) & inhabitants) > 0.8 * len(values(feed, column)), feed
    registered = values("mr_enterprise", "uscc")
    for feed, column in (
        ("hr_social_insurance", "employer_uscc"),
        ("tx_levy", "taxpayer_uscc"),
        ("wr_water_abstraction", "holder_uscc"),
        ("ee_discharge_permit", "uscc"),
        ("hr_wage_arrears", "employer_uscc"),
    ):
        assert len(values(feed, column) & registered) > 0.8 * len(values(feed, column)), feed
    # Homes of debtors stand in the real-estate register under the same number.
    assert len(values("ct_enforcement", "parcel_unit_no") & values("nr_real_estate", "parcel_unit_no")) >= 12


def test_planned_cases_have_hits_and_most_have_near_misses(written: tuple[Path, Summary]) -> None:
    _, summary = written
    assert not summary.planned.keys() & summary.truth.keys()
    for model, classes in summary.planned.items():
        assert classes.get("hit", 0) >= 2, model


def test_wrong_calls_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="可用的规模"):
        load_plan("huge", 1)
    with pytest.raises(ValueError, match="正整数"):
        load_plan("small", -1)
    (tmp_path / "x").write_text("x", encoding="utf-8")
    with pytest.raises(FileExistsError, match="目录不是空的"):
        write("small", 1, tmp_path, TODAY)


def test_old_and_broken_numbers() -> None:
    number = "532301195502141235"
    number = number[:17] + citizen_id.check_digit(number)
    assert citizen_id.to_eighteen(identifiers.old_number(number)) == number
    assert citizen_id.judge(identifiers.broken(number), on=TODAY)[0] == citizen_id.Verdict.BAD_CHECKSUM
    with pytest.raises(ValueError, match="1900"):
        identifiers.old_number("532301200502141235")
