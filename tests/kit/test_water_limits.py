"""Classes and limits of water, with the days they hold and the period they average over."""

from __future__ import annotations

from datetime import date

import pytest

from chuxiong.kit.water_limits import BELOW, class_limits, limit, water_class

ON = date(2026, 11, 1)


@pytest.mark.parametrize(
    ("values", "wanted", "deciding"),
    [
        ({"w01001": 7.5, "w01009": 8.0, "w01018": 10, "w21003": 0.1, "w21011": 0.01}, "Ⅰ", None),
        ({"w21003": 0.8, "w01018": 12}, "Ⅲ", ["w21003"]),
        ({"w21003": 1.0, "w21011": 0.2}, "Ⅲ", ["w21003", "w21011"]),
        ({"w01009": 2.5}, "Ⅴ", ["w01009"]),
        ({"w01009": 1.9, "w21003": 0.1}, BELOW, ["w01009"]),
        ({"w01001": 9.5}, BELOW, ["w01001"]),
        ({"w21001": 9.0, "w21003": 0.1}, "Ⅰ", ["w21003"]),  # rivers leave total nitrogen out
        ({"w01014": 300.0}, "", []),
    ],
)
def test_the_worst_factor_gives_the_class(
    values: dict[str, float], wanted: str, deciding: list[str] | None
) -> None:
    found, factors = water_class(values, on=ON)
    assert found == wanted
    assert deciding is None or factors == deciding


def test_lakes_have_their_own_phosphorus_and_count_nitrogen() -> None:
    assert water_class({"w21011": 0.05}, on=ON) == ("Ⅱ", ["w21011"])
    assert water_class({"w21011": 0.05}, on=ON, water="lake") == ("Ⅲ", ["w21011"])
    assert water_class({"w21001": 9.0}, on=ON, water="lake")[0] == BELOW


def test_classes_grow_no_stricter_downwards() -> None:
    for factor in ("w01018", "w21003", "w21011", "w20111"):
        bounds = [row.at_most for row in class_limits(factor, on=ON).values()]
        assert len(bounds) == 5 and bounds == sorted(bounds)  # type: ignore[type-var]


def test_limits_are_asked_for_with_period_and_day() -> None:
    found = limit("GB 18918-2002", "1A", "w01018", period="day", on=ON)
    assert found and (found.at_most, found.unit) == (50.0, "mg/L")
    assert found.holds(50.0) and not found.holds(50.1)
    cold = limit("GB 18918-2002", "1A", "w21003", period="day", on=ON, condition="water of 12 °C or less")
    warm = limit("GB 18918-2002", "1A", "w21003", period="day", on=ON)
    assert cold and warm and (warm.at_most, cold.at_most) == (5.0, 8.0)


def test_what_is_not_held_is_not_guessed() -> None:
    assert limit("GB 18918-2002", "1A", "w01018", period="sample", on=ON) is None
    assert limit("GB 18918-2002", "1A", "w01018", period="day", on=date(2003, 6, 30)) is None
    assert limit("GB 18918-2002", "2", "w21001", period="day", on=ON) is None
