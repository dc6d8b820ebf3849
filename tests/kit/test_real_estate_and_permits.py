"""Unit numbers, permits, plates, telephones and factors: what is one and what is not."""

from __future__ import annotations

import polars as pl
import pytest

from chuxiong.kit import coordinate, credit_code, discharge_permit, factor, parcel_unit, phone, plate

FIRM = "91350100M000100Y43"  # the example of GB 32100-2015


def judged(valid: object, *values: str) -> list[bool]:
    return list(valid(pl.Series(values)))  # type: ignore[operator]


@pytest.mark.parametrize(
    "number",
    [
        "532301001001GB00001F00010002",  # state land for building, a house
        "532301001001GB00001W00000000",  # land without anything on it
        "532302012003JC00012F00000001",  # collective land, a farmhouse
        "532328005010ZE00100L00000003",  # ownership not settled, trees
        "532301001001GX00009Q00000001",
    ],
)
def test_whole_parcel_units(number: str) -> None:
    assert judged(parcel_unit.valid, number) == [True]
    assert parcel_unit.parcel(pl.Series([number]))[0] == number[:19]


@pytest.mark.parametrize(
    "number",
    [
        "532301001001GB00001F0001000",  # 27
        "532301001001GB00001F000100022",  # 29
        "532301001001GB00001W00010002",  # W bears no unit
        "532301001001KB00001F00010002",  # no such ownership
        "532301001001GI00001F00010002",  # no such use
        "532301001001GB00001X00010002",  # no such fixture
        "032301001001GB00001F00010002",
        "",
    ],
)
def test_no_parcel_units(number: str) -> None:
    assert judged(parcel_unit.valid, number) == [False]
    assert parcel_unit.parcel(pl.Series([number]))[0] is None


def test_permit_numbers_end_in_a_mark_not_in_a_check_digit() -> None:
    # HJ 608 itself shows …001P and …002P.
    numbers = [
        FIRM + "001P",
        FIRM + "002P",
        FIRM + "001X",
        "H9532300000000000A003R",
        "HA5323000000000001001V",
    ]
    assert judged(discharge_permit.valid, *numbers) == [True] * 5
    assert list(discharge_permit.holder(pl.Series(numbers))) == [FIRM, FIRM, FIRM, None, None]


def test_no_permit_numbers() -> None:
    wrong = [FIRM + "01P", FIRM + "0011P", FIRM[:-1] + "4001P", FIRM + "00AP", "HB5323000000000001001V"]
    assert judged(discharge_permit.valid, *wrong) == [False] * 5
    assert discharge_permit.valid(pl.Series([None], dtype=pl.String))[0] is None


@pytest.mark.parametrize(
    ("written", "unified"),
    [
        ("云E12345", "云E12345"),
        ("云e·1a2b3", "云E1A2B3"),
        ("云E-D1 2345", "云ED12345"),  # small new-energy
        ("云E12345D", "云E12345D"),  # large new-energy
        ("云E1234挂", "云E1234挂"),
        ("云E1234学", "云E1234学"),
        ("川A0001警", "川A0001警"),
    ],
)
def test_plates(written: str, unified: str) -> None:
    bare = plate.unified(pl.Series([written]))
    assert (bare[0], plate.valid(bare)[0]) == (unified, True)


@pytest.mark.parametrize(
    "written", ["云E1234", "云E123456", "云EO2345", "云E1234I", "云I12345", "E12345", "云EL12345", "无牌"]
)
def test_no_plates(written: str) -> None:
    assert plate.valid(plate.unified(pl.Series([written])))[0] is False


@pytest.mark.parametrize(
    ("written", "number"),
    [
        ("13800000001", "13800000001"),
        ("+86 138-0000-0001", "13800000001"),
        ("008613800000001", "13800000001"),
        ("0878-3000001", "08783000001"),
        ("(0878)3000001", "08783000001"),
        ("3000001", "3000001"),
        ("13800000001、13900000002", "13800000001"),
        ("0878-3000001转8", "08783000001"),
        ("12345678901", None),
        ("138****0001", None),
        ("1380000000", None),
    ],
)
def test_phones(written: str, number: str | None) -> None:
    assert phone.canonical(pl.Series([written]))[0] == number


def test_cells_with_several_phones() -> None:
    cells = pl.Series(["13800000001/13900000002", "13800000001", "0878-3000001转8", None])
    assert list(phone.several(cells)) == [True, False, False, False]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("w01018", "w01018"),
        ("W01018", "w01018"),
        ("011", "w01018"),
        ("COD", "w01018"),
        ("化学需氧量", "w01018"),
        ("060", "w21003"),
        ("NH3-N", "w21003"),
        ("氨氮", "w21003"),
        ("B01", "w00000"),
        ("pH", "w01001"),
        ("高锰酸盐指数", "w01019"),
        ("w99999", "w99999"),  # of the standard's shape: kept
        ("糖度", None),
        ("FAC-1", None),
    ],
)
def test_factors(written: str, code: str | None) -> None:
    assert factor.canonical(pl.Series([written]))[0] == code


def test_every_factor_has_both_names_and_its_own_code() -> None:
    rows = factor.factors().values()
    assert all(f.zh and f.en.isascii() for f in rows)
    old = [f.before_2017 for f in rows if f.before_2017]
    assert len(old) == len(set(old))


@pytest.mark.parametrize(
    ("written", "degrees"),
    [
        ("101.546", 101.546),
        ("101.546°", 101.546),
        ("E101.546", 101.546),
        ("101°32′45.6″", 101.546),
        ("101°32′45.6′′", 101.546),
        ("101度32分45.6秒", 101.546),
        ("东经 101°32'45.6\"", 101.546),
        ("25°30′N", 25.5),
        ("25°", 25.0),
        ("25°61′", None),
        ("东边", None),
        ("101.5,25.0", None),
    ],
)
def test_coordinates(written: str, degrees: float | None) -> None:
    assert coordinate.degrees(pl.Series([written]))[0] == degrees


def test_former_numbers_of_firms() -> None:
    # D2143569-X is the example of GB 11714.
    assert credit_code.is_legacy("D2143569X") and credit_code.is_legacy("D2143569-X")
    assert not credit_code.is_legacy("D21435690")
    registered = [f"53230000000{i:04d}" for i in range(10)]
    assert sum(credit_code.is_legacy(n) for n in registered) == 1
    assert not credit_code.is_legacy(FIRM)
