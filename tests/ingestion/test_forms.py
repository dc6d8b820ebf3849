"""Forms of columns, cell by cell: what is mended, left out with a note, or puts the row aside."""

from __future__ import annotations

from typing import Any

import pytest

from chuxiong.kit import citizen_id
from ingestion.catalog.spec import FORM_TYPES, Column
from tests.ingestion.test_normalising import CITIZEN, feed_of, run

FIRM = "91350100M000100Y43"
OTHER = "53239919500101002" + citizen_id.check_digit("53239919500101002")
WRONG = CITIZEN[:17] + ("1" if CITIZEN[17] != "1" else "2")
MASKED = citizen_id.mask(CITIZEN)
UNIT = "532301001001GB00001F00010002"


def judged(form: str, cell: str, *, required: bool = False) -> tuple[Any, list[str], list[str]]:
    """(value, reasons of quarantine, notes) of one cell in a column of this form."""
    column = Column(
        name="it", headers=("它",), type=FORM_TYPES[form], form=form, required=required,  # type: ignore[arg-type]
        sensitivity="L4", zh="它", en="It",
    )  # fmt: skip
    result = run(feed_of(column), [{"编号": "1", "它": cell}])
    value = result.good["it"][0] if result.good.height else None
    return value, result.bad["reason"].to_list(), result.notes["reason"].to_list()


@pytest.mark.parametrize(
    ("form", "cell", "value", "bad", "notes"),
    [
        ("identity", CITIZEN, CITIZEN, [], []),
        ("identity", FIRM.lower(), FIRM, [], []),
        ("identity", "532399500101014", citizen_id.to_eighteen("532399500101014"), [], ["converted_id"]),
        ("identity", MASKED, MASKED, [], []),
        ("identity", "E12345678", None, [], ["other_document"]),
        ("identity", "D2143569X", None, [], ["legacy_code"]),
        ("identity", "532301100101014", None, [], ["either_number"]),  # checks as a registration number too
        ("identity", "0", None, [], []),
        ("identity", WRONG, None, ["bad_checksum"], []),
        ("identity", FIRM[:-1] + "4", None, ["bad_credit_code"], []),
        ("identity", "5.32301E+17", None, ["scientific_id"], []),
        ("identity", "\x01532399195001010112", None, ["numeric_id"], []),
        ("identity", "\x01532399500101014", None, ["numeric_id"], []),
        ("identity", "样本", None, ["not_an_id"], []),
        ("identity", CITIZEN + "02", None, ["not_an_id"], []),
        ("taxpayer", CITIZEN + "02", f"{CITIZEN}-02", [], []),
        ("taxpayer", WRONG + "02", None, ["not_an_id"], []),
        ("taxpayer", FIRM, FIRM, [], []),
        ("identities", f"{CITIZEN}，{OTHER}", f"{CITIZEN}、{OTHER}", [], []),
        ("identities", f"{CITIZEN} ; E12345678", f"{CITIZEN}、无", [], ["other_document"]),
        ("identities", f"无、{FIRM}", f"无、{FIRM}", [], []),
        ("identities", f"{CITIZEN[:6]} {CITIZEN[6:]}", CITIZEN, [], []),
        ("identities", f"{CITIZEN}、{WRONG}", None, ["bad_checksum"], []),
        ("parcel_unit", f"{UNIT[:6]} {UNIT[6:12]} {UNIT[12:].lower()}", UNIT, [], []),
        ("parcel_unit", UNIT[:19], None, ["bad_parcel_unit"], []),
        ("discharge_permit", (FIRM + "001p").lower(), FIRM + "001P", [], []),
        ("discharge_permit", FIRM, None, ["bad_permit"], []),
        ("document_no", "楚市公（治）行罚决字〔2026〕第 1 号", "楚市公(治)行罚决字(2026)第1号", [], []),
        ("mn", "5323 0000abcdef0123456789", "53230000ABCDEF0123456789", [], []),
        ("mn", "LD130133000015", "LD130133000015", [], []),
        ("mn", "53230000ABCDEF012345678G", None, ["bad_device"], []),
        ("mn", "LD1301330000", None, ["bad_device"], []),
        ("gb28181", "53230100001310000001", "53230100001310000001", [], []),
        ("gb28181", "\x0153230100001310000000", None, ["numeric_id"], []),
        ("gb28181", "5323010000131000000", None, ["bad_device"], []),
        ("factor", "011", "w01018", [], []),
        ("factor", "\x0111", None, ["bad_factor"], []),
        ("factor", "糖度", None, ["bad_factor"], []),
        ("measured", "0.025L", 0.0125, [], ["below_detection"]),
        ("measured", "<0.025", 0.0125, [], ["below_detection"]),
        ("measured", "＜0.025L", 0.0125, [], ["below_detection"]),
        ("measured", "1,200.25", 1200.25, [], []),
        ("measured", "未检出", None, ["bad_number"], []),
        ("longitude", "101°32′45.6″", 101.546, [], []),
        ("longitude", "25.03", None, [], ["bad_coordinate"]),
        ("latitude", "25.03", 25.03, [], []),
        ("latitude", "某地", None, [], ["bad_coordinate"]),
    ],
)
def test_cells(form: str, cell: str, value: Any, bad: list[str], notes: list[str]) -> None:
    assert judged(form, cell) == (value, bad, notes)


@pytest.mark.parametrize(
    ("form", "cell", "reason"),
    [
        ("identity", MASKED, "masked_key"),
        ("identity", "E12345678", "other_document"),
        ("identity", "D2143569X", "legacy_code"),
        ("identity", "000", "missing"),
        ("longitude", "25.03", "bad_coordinate"),
        ("latitude", "某地", "bad_coordinate"),
    ],
)
def test_what_an_optional_column_leaves_out_a_required_one_cannot_do_without(
    form: str, cell: str, reason: str
) -> None:
    assert judged(form, cell, required=True) == (None, [reason], [])


def test_every_form_has_a_case() -> None:
    cases = test_cells.pytestmark[0].args[1]  # type: ignore[attr-defined]
    assert {case[0] for case in cases} == set(FORM_TYPES)
