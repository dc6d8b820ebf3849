"""What readings carry, which limit holds, which outfalls an exceedance may have come from (against an oracle)."""

from __future__ import annotations

import random
import secrets
from datetime import UTC, date, datetime, timedelta

import pytest

from chuxiong.kit.water_limits import Limit
from ingestion.water import limits
from ingestion.water.limits import PermitLimit
from ingestion.water.parameters import detection_limits, parameters
from ingestion.water.readings import PH, Flag, Reading, carried, exceeds
from ingestion.water.spec import RegisterRefused, read
from ingestion.water.upstream import (
    Barrier,
    Exceedance,
    FlowBand,
    Known,
    OwnReading,
    Source,
    candidates,
    travel_hours,
)

SEED = secrets.randbelow(10**9)
START = datetime(2026, 11, 1, tzinfo=UTC)


def _upper(most: float) -> Limit:
    return Limit("示例", "", "w21003", "sample", None, most, "mg/L", date(2020, 1, 1), None, "")


def _series(*values: float) -> list[Reading]:
    return [Reading(START + timedelta(hours=4 * n), v) for n, v in enumerate(values)]


# ---- readings ------------------------------------------------------------------------------------


def test_a_plateau_at_the_detection_limit_says_at_most_that_much():
    series = carried("w21003", _series(*[0.0125] * 12), 0.025, parameters())
    assert all(c.flags == {Flag.BELOW} and (c.low, c.high) == (0.0, 0.025) for c in series)
    assert all(exceeds(c, _upper(1.0)) is False for c in series)
    # Below a detection limit that lies above the limit nothing can be told.
    assert all(exceeds(c, _upper(0.02)) is None for c in series)


def test_the_senders_own_detection_limit_goes_before_the_table():
    (figure,) = carried("w21003", [Reading(START, 0.1, below=True)], 0.025, parameters())
    assert (figure.low, figure.high) == (0.0, 0.1)


def test_a_figure_that_repeats_itself_is_kept_and_not_judged():
    least = int(parameters().stuck_readings.value)
    series = carried("w21003", _series(*[3.7] * least, 0.4), 0.025, parameters())
    assert [exceeds(c, _upper(1.0)) for c in series] == [None] * least + [False]
    assert all(Flag.STUCK in c.flags for c in series[:-1]) and not series[-1].flags
    assert [c.reading.value for c in series] == [3.7] * least + [0.4]
    shorter = carried("w21003", _series(*[3.7] * (least - 1)), 0.025, parameters())
    assert [exceeds(c, _upper(1.0)) for c in shorter] == [True] * (least - 1)


def test_whole_ph_is_good_to_half_a_unit():
    least = int(parameters().integer_ph_readings.value)
    band = Limit("示例", "", PH, "sample", 6, 9, "", date(2020, 1, 1), None, "")
    values = [7.0, 9.0, 6.0, 10.0][:least]
    verdicts = [exceeds(c, band) for c in carried(PH, _series(*values), None, parameters())]
    assert verdicts == [False, None, None, True][: len(values)]
    exact = [exceeds(c, band) for c in carried(PH, _series(7.2, 9.0, 9.3), None, parameters())]
    assert exact == [False, False, True]


def test_no_reading_is_lost_or_reordered_whatever_comes():
    print("seed", SEED)
    dice = random.Random(SEED)
    for _ in range(200):
        factor = dice.choice([PH, "w21003", "w01018"])
        values = [dice.choice([0.01, 4, 7, 8, 8.3, 20.0]) for _ in range(dice.randint(0, 40))]
        series = _series(*values)
        known = detection_limits().get(factor)
        found = carried(factor, series, known.at_most if known else None, parameters())
        assert [c.reading for c in found] == series
        for figure in found:
            assert figure.low <= figure.high
            if not figure.flags:
                assert figure.low == figure.high == figure.reading.value
            if figure.high != float("inf"):
                assert figure.low <= figure.reading.value <= figure.high


# ---- limits --------------------------------------------------------------------------------------


def test_the_permit_goes_before_the_standard_and_each_holds_on_its_days():
    own = [
        PermitLimit("w01018", "day", None, 40, "mg/L", date(2026, 6, 1), date(2026, 8, 31), "许可证"),
        PermitLimit("w01018", "day", None, 30, "mg/L", date(2026, 9, 1), None, "许可证变更"),
    ]

    def most(on: date, period: str = "day") -> float | None:
        found = limits.of_outfall(own, "GB 18918-2002", "1A", "w01018", period=period, on=on)
        return found.at_most if found else None

    assert most(date(2026, 5, 31)) == 50
    assert most(date(2026, 6, 1)) == most(date(2026, 8, 31)) == 40
    assert most(date(2026, 9, 1)) == 30
    # Nothing is held for single samples: nothing is guessed.
    assert most(date(2026, 9, 1), "sample") is None


def test_a_section_is_held_to_its_class_and_rivers_not_to_total_nitrogen():
    on = date(2026, 11, 1)
    found = limits.of_section("Ⅲ", "w21003", on=on)
    assert found is not None and found.at_most == 1.0
    assert limits.of_section("Ⅲ", "w21001", on=on) is None


# ---- upstream ------------------------------------------------------------------------------------


def _oracle_hours(from_km: float, to_km: float, bands: list[FlowBand], pick) -> float | None:
    """Walk down metre by metre (ten at a time)."""
    hours, step, at = 0.0, 0.01, from_km
    while at < to_km - 1e-9:
        size = min(step, to_km - at)
        over = [b for b in bands if b.from_km <= at + size / 2 <= b.to_km]
        if not over:
            return None
        band = max(over, key=lambda b: b.valid_from)
        hours += size * 1000 / pick(band) / 3600
        at += size
    return hours


def _world(dice: random.Random):
    bands, at = [], 0.0
    while at < 60:
        length = round(dice.uniform(5, 30), 2)
        slow = dice.uniform(0.1, 1.0)
        if dice.random() < 0.85:
            bands.append(
                FlowBand(at, at + length, slow, slow * dice.uniform(1, 3), date(2022, 1, 1), None, "示例")
            )
        at = round(at + length, 2)
    outfalls = [
        Source(
            f"P{n}",
            round(dice.uniform(0, 60), 2),
            dice.choice([None, frozenset({"w01018"}), frozenset({"w21003"})]),
            dice.random() < 0.85,
        )
        for n in range(dice.randint(0, 12))
    ]
    barriers = [
        Barrier(dice.choice(["section", "tributary"]), f"B{n}", round(dice.uniform(0, 60), 2))
        for n in range(dice.randint(0, 4))
    ]
    since = START + timedelta(hours=dice.randint(0, 200))
    exceedance = Exceedance(
        round(dice.uniform(5, 60), 2), "w01018", since, since + timedelta(hours=dice.choice([0, 1, 4, 24]))
    )
    readings = {}
    for outfall in outfalls:
        made = []
        for _ in range(dice.randint(0, 8)):
            begins = since - timedelta(hours=dice.uniform(-10, 90))
            made.append(
                OwnReading(
                    begins,
                    begins + timedelta(hours=dice.choice([0, 1, 24])),
                    dice.choice([None, dice.uniform(0.1, 3)]),
                )
            )
        readings[outfall.code] = made
    return bands, outfalls, barriers, exceedance, readings


def test_candidates_are_those_of_the_oracle():
    print("seed", SEED)
    dice = random.Random(SEED + 2)
    compared = 0
    for _ in range(120):
        bands, outfalls, barriers, exceedance, readings = _world(dice)
        spread = dice.choice([0.0, 0.2, 0.5])
        found = candidates(
            exceedance, begins_km=0, barriers=barriers, outfalls=outfalls, bands=bands, readings=readings, spread=spread
        )  # fmt: skip
        top = max((b.km for b in barriers if b.km < exceedance.km), default=0.0)
        assert found.from_km == top
        wanted = {o.code for o in outfalls if top <= o.km <= exceedance.km}
        assert {c.code for c in found.candidates} == wanted
        for c in found.candidates:
            outfall = next(o for o in outfalls if o.code == c.code)
            slowest = _oracle_hours(outfall.km, exceedance.km, bands, lambda b: b.slow)
            quickest = _oracle_hours(outfall.km, exceedance.km, bands, lambda b: b.fast)
            permit = (
                Known.NO_DATA
                if outfall.factors is None
                else Known("yes" if "w01018" in outfall.factors else "no")
            )
            assert c.in_permit is permit
            if slowest is None or quickest is None:
                assert c.quickest_h is None and c.own in (Known.NO_DATA, Known.NOT_SEEN)
                continue
            assert c.slowest_h == pytest.approx(slowest * (1 + spread), rel=0.01, abs=0.1)
            assert c.quickest_h == pytest.approx(quickest * (1 - spread), rel=0.01, abs=0.1)
            if not outfall.seen:
                assert c.own is Known.NOT_SEEN and c.highest is None
                continue
            inside = [r for r in readings[c.code] if not (r.since > c.left_until or r.until < c.left_from)]
            judged = [r.multiple for r in inside if r.multiple is not None]
            state = "yes" if any(m > 1 for m in judged) else "no" if judged else "no_data"
            assert c.own is Known(state)
            assert c.readings_above == sum(m > 1 for m in judged)
            compared += 1
        rank = {"yes": 0, "no_data": 1, "not_seen": 1, "no": 2}
        order = [(rank[c.own], rank[c.in_permit], c.distance_km) for c in found.candidates]
        assert order == sorted(order)
    assert compared


def test_travel_time_takes_the_band_in_force_and_says_when_there_is_none():
    old = FlowBand(0, 10, 0.5, 1.0, date(2020, 1, 1), date(2025, 12, 31), "旧")
    new = FlowBand(0, 10, 1.0, 2.0, date(2026, 1, 1), None, "新")
    assert travel_hours(0, 3.6, [old, new], on=date(2025, 6, 1)) == pytest.approx((1.0, 2.0))
    assert travel_hours(0, 3.6, [old, new], on=date(2026, 6, 1)) == pytest.approx((0.5, 1.0))
    assert travel_hours(8, 12, [old, new], on=date(2026, 6, 1)) is None


# ---- the register's form -------------------------------------------------------------------------

GOOD = """
rivers:
  - code: SL
    zh: 示例河
    en: Example
    names: [示例河]
    schematic: true
    source: 测试
    line: [[101.0, 25.0, 0], [101.1, 25.0, 10], [101.2, 25.0, 20]]
    stretches:
      - {from_km: 0, to_km: 10, county: "532301", zh: 上段, en: Upper, codes: ["532301-SL-01"]}
      - {from_km: 10, to_km: 20, county: "532302", zh: 下段, en: Lower}
    flow: [{from_km: 0, to_km: 20, slow_ms: 0.5, fast_ms: 1.0, valid_from: 2022-01-01, source: 测试}]
    sections:
      - {code: D1, zh: 上断面, lon: 101.01, lat: 25.0, target: Ⅲ}
      - {code: D2, zh: 下断面, lon: 101.19, lat: 25.0, target: Ⅲ}
    stations: [{code: Z1, zh: 自动站, lon: 101.15, lat: 25.0, mn: MN-STATION}]
    outfalls:
      - {code: P1, zh: 一号口, lon: 101.05, lat: 25.001, mn: MN-ONE, factors: [w01018]}
      - {code: P2, zh: 二号口, lon: 101.12, lat: 24.999, mn: MN-TWO, factors: [w21003], limits: [{factor: w01018, period: hour, at_most: 30, unit: mg/L, valid_from: 2022-01-01, source: 许可证}]}
"""


def test_a_register_is_read():
    (river,) = read(GOOD, name="rivers.yaml").rivers
    assert [kind for kind, _ in river.places()] == ["section", "section", "station", "outfall", "outfall"]


@pytest.mark.parametrize(
    ("change", "place"),
    [
        (("target: Ⅲ", "target: Ⅵ"), "sections.0.target"),
        (("from_km: 10, to_km: 20", "from_km: 11, to_km: 20"), "河段须首尾相接"),
        (("fast_ms: 1.0", "fast_ms: 0.1"), "fast_ms 不能小于"),
        (("[101.0, 25.0, 0]", "[101.0, 25.0]"), "首点和末点须有桩号"),
        (("schematic: true", "schematic: true\n    colour: red"), "colour"),
        (("at_most: 30, ", ""), "至少填一个"),
        (("rivers:", "rivers: ["), "不是 YAML"),
    ],
)
def test_a_fault_of_the_register_names_its_place(change, place):
    with pytest.raises(RegisterRefused) as refused:
        read(GOOD.replace(*change, 1), name="rivers.yaml")
    assert place in str(refused.value) and "rivers.yaml" in str(refused.value)
