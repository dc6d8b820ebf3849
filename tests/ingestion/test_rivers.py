"""Rivers registered and read back: marks, counties, refusals; places of feeds; readings judged; traced within scope."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connections

from chuxiong.accounts.models import Person
from chuxiong.demo.identifiers import credit_code
from ingestion.models import River, RiverPlace
from ingestion.water import selectors as water
from ingestion.water.readings import Flag
from ingestion.water.registering import factors_of, place_from_feeds, register
from ingestion.water.spec import RegisterRefused, read
from tests.conftest import acting_as, empty_tables
from tests.ingestion.test_water import GOOD
from tests.prefecture import NOW, SHANGHAI, agreements, land_rows, patrol, reading

PEOPLE = (("tester", "532300", "prosecutor"), ("lu", "532302", "prosecutor"))


@pytest.fixture(scope="module")
def house() -> Iterator[dict[str, Person]]:
    """Agreements and people, made once: the tests below only write what they write."""
    empty_tables()
    agreements()
    with acting_as("owner"):
        made = {
            name: Person.objects.create(
                username=name, name=f"{name}演示", password="!nobody", office_id=office, roles=[role]
            )
            for name, office, role in PEOPLE
        }
    yield {name: Person.objects.get(pk=person.pk) for name, person in made.items()}
    empty_tables()


@pytest.fixture
def rivers(house):
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "truncate ingestion_riverplace, ingestion_river, pool.ee_surface_water, pool.ee_discharge_permit,"
            " pool.ee_auto_monitor, pool.wr_river_patrol cascade"
        )
    return house


def _registered() -> None:
    register(read(GOOD, name="rivers.yaml"), name="rivers.yaml")


def _sample(
    section: str, day: str, hour: int, value: str, *, factor: str = "w21003", **more: str
) -> dict[str, str]:
    return {
        "section_code": section, "section_name": "示例断面", "river_name": "示例河", "division_code": "532301", "lon": "101.01",
        "lat": "25.0", "target_class": "Ⅲ", "monitor_time": f"{day} {hour:02d}:00:00", "method": "自动站", "factor": factor, "value": value,
    } | more  # fmt: skip


def test_places_get_their_mark_bank_and_county(rivers):
    _registered()
    found = {p.code: p for p in RiverPlace.objects.all()}
    assert {c: (round(p.km, 2), p.side, p.county) for c, p in found.items()} == {
        "D1": (1.0, "on", "532301"),
        "P1": (5.0, "left", "532301"),
        "P2": (12.0, "right", "532302"),
        "Z1": (15.0, "on", "532302"),
        "D2": (19.0, "on", "532302"),
    }
    assert 110 < found["P1"].off_m < 112
    # The same register once more changes nothing but what it says differently.
    register(read(GOOD.replace("一号口", "一号排口"), name="r"), name="r")
    assert RiverPlace.objects.count() == 5 and RiverPlace.objects.get(code="P1").name_zh == "一号排口"


def test_a_place_too_far_off_is_refused_and_nothing_is_written(rivers):
    with pytest.raises(RegisterRefused) as refused:
        register(read(GOOD.replace("lat: 25.001", "lat: 25.03"), name="r.yaml"), name="r.yaml")
    assert "r.yaml → SL P1" in str(refused.value) and "最多 800 米" in str(refused.value)
    assert not River.objects.exists() and not RiverPlace.objects.exists()


def test_the_command_registers_or_names_the_fault(rivers, tmp_path, capsys):
    file = tmp_path / "rivers.yaml"
    file.write_text(GOOD, encoding="utf-8")
    call_command("river", "register", str(file))
    assert "1 条、点位 5 处" in capsys.readouterr().out
    file.write_text(GOOD.replace("target: Ⅲ", "target: 3"), encoding="utf-8")
    with pytest.raises(CommandError, match=r"sections\.0\.target"):
        call_command("river", "register", str(file))


def test_places_of_feeds_are_set_on_the_line_and_those_too_far_off_are_named(rivers):
    _registered()
    far = _sample("F2", "2026-11-19", 0, "0.3") | {"lat": "25.2"}
    elsewhere = _sample("F3", "2026-11-19", 0, "0.3") | {"river_name": "别的河"}
    land_rows(
        "ee_surface_water",
        [_sample("F1", "2026-11-19", 0, "0.3"), far, elsewhere, _sample("D1", "2026-11-19", 0, "0.3")],
    )
    code = credit_code(np.random.default_rng(7), "532301")
    permit = {
        "permit_no": f"{code}001V", "org_name": "示例公司", "uscc": code, "lon": "101.08", "lat": "25.002",
        "issue_date": "2025-01-01", "valid_from": "2025-01-01", "valid_to": "2030-01-01", "permit_status": "有效", "outlet_no": "DW001",
        "pollutants": "化学需氧量、氨氮", "emission_standard": "GB 18918-2002一级A标准", "receiving_water": "示例河上段",
    }  # fmt: skip
    land_rows("ee_discharge_permit", [permit])
    made = place_from_feeds(at=NOW)
    outfalls = RiverPlace.objects.filter(origin="ee_discharge_permit")
    assert {p.code for p in RiverPlace.objects.filter(origin="ee_surface_water")} == {"F1"}
    assert [(round(p.km, 1), p.side, p.factors, p.standard, p.grade) for p in outfalls] == [
        (8.0, "left", ["w01018", "w21003"], "GB 18918-2002", "1A")
    ]
    assert [p.place for p in made.refused] == ["ee_surface_water F2 示例断面"] and made.places == 2
    # A registered section stays as it was registered.
    assert RiverPlace.objects.get(kind="section", code="D1").origin == "register"


def test_without_an_agreement_feeds_name_no_places(rivers):
    _registered()
    land_rows("ee_surface_water", [_sample("F1", "2026-11-19", 0, "0.3")])
    late = NOW + timedelta(days=3000)
    assert place_from_feeds(at=late).places == 0


def test_pollutants_are_read_in_the_words_of_permits():
    assert factors_of("化学需氧量、氨氮，COD；总磷(以P计)") == ["w01018", "w21003"]
    assert factors_of("") is None and factors_of(None) is None


def test_a_sections_figures_are_judged_by_what_they_carry(rivers):
    _registered()
    rows = [_sample("D1", "2026-11-18", h, "0.025L") for h in (0, 4, 8, 12, 16, 20)]
    rows += [_sample("D1", "2026-11-19", h, "2.5", factor="w21011") for h in (0, 4, 8, 12, 16, 20)]
    rows += [
        _sample("D1", "2026-11-19", h, v, factor="w01001")
        for h, v in ((0, "7"), (4, "9"), (8, "6"), (12, "7"))
    ]
    rows += [
        _sample("D1", "2026-11-19", 12, "1.4"),
        _sample("D1", "2026-11-19", 16, "0.4"),
        _sample("D1", "2026-11-19", 20, "3", factor="w01009"),
    ]
    land_rows("ee_surface_water", rows)
    view = water.river_view(rivers["tester"], "SL", at=NOW)
    state = view.sections["D1"]
    assert state.readings == 19
    assert [(j.factor, j.figure.reading.value) for j in state.above] == [("w01009", 3.0), ("w21003", 1.4)]
    # Six at the detection limit are clean water, six equal ones above it and whole pH numbers cannot be told.
    assert state.flagged == 6 + 6 + 4 and state.undecided == 6 + 2
    assert state.latest["w21011"].figure.flags == {Flag.STUCK} and state.latest["w21011"].exceeds is None
    assert state.latest["w21003"].exceeds is False


def test_a_figure_below_the_laboratorys_limit_is_no_exceedance(rivers):
    """0.5L counts as 0.25, more than the 0.2 allowed; what was found is that there was at most 0.5: nothing can be told."""
    _registered()
    land_rows(
        "ee_surface_water",
        [
            _sample("D1", "2026-11-19", 0, "0.5L", factor="w21011"),
            _sample("D1", "2026-11-19", 4, "＜0.01", factor="w21011"),
        ],
    )
    state = water.river_view(rivers["tester"], "SL", at=NOW).sections["D1"]
    assert state.readings == 2 and not state.above
    assert state.flagged == 2 and state.undecided == 1
    assert state.latest["w21011"].exceeds is False


def test_patrol_problems_lie_on_the_line_or_are_counted(rivers):
    _registered()
    code = {"river_code": "532301-SL-01", "lat": "25.001"}
    land_rows(
        "wr_river_patrol",
        [
            patrol(1, "2026-11-10", "101.03") | code,
            patrol(2, "2026-11-11", "") | code | {"lat": ""},
            patrol(3, "2026-11-12", "101.04") | code | {"lat": "25.2"},
            patrol(4, "2026-11-13", "101.05"),
            patrol(5, "2026-11-14", "101.06", status="已整改") | {"river_code": "X", "river_name": "别的河"},
        ],
    )
    view = water.river_view(rivers["tester"], "SL", at=NOW)
    # The fourth bears the river's name, not a code of its stretches; its coordinate lies 3 km off.
    assert [(p.number, round(p.km, 1), p.side, p.open) for p in view.problems] == [
        ("WT0001", 3.0, "left", True)
    ]
    assert (view.problems_without_place, view.problems_off_line) == (1, 2)


def test_an_agreement_that_lapsed_stops_what_rests_on_it_and_says_so(rivers):
    _registered()
    land_rows("ee_surface_water", [_sample("D1", "2026-11-19", 12, "1.4")])
    view = water.river_view(rivers["tester"], "SL", at=NOW + timedelta(days=1001))
    assert set(view.stopped) == set(water.COLUMNS) and not view.sections["D1"].readings


def _readings() -> None:
    rows = [reading("ONE", "2026-11-19", "90", kind="2061", hour=h) for h in (2, 3)]
    rows += [reading("TWO", "2026-11-19", "35", kind="2061", hour=h) for h in range(0, 12)]
    for row in rows:
        row["mn"] = "5" * 20 + ("0001" if row["value_avg"] == "90" else "0002")
    land_rows("ee_auto_monitor", rows)


def test_an_exceedance_is_traced_to_the_outfalls_above_it(rivers):
    text = GOOD.replace("MN-ONE", f'"{"5" * 20}0001"').replace("MN-TWO", f'"{"5" * 20}0002"')
    register(read(text, name="r"), name="r")
    _readings()
    at = datetime(2026, 11, 19, 12, tzinfo=SHANGHAI)
    section = water.place("section", "D2")
    traced = water.trace(rivers["tester"], section, factor="w01018", since=at, until=at, today=NOW.date())
    first, second = traced.found.candidates
    # Two is nearer and above its permit's own hour limit of 30, not that of the reading; its permit lacks the factor.
    assert (first.code, first.own.value, first.in_permit.value) == ("P1", "yes", "yes")
    assert (first.readings_above, round(first.highest, 1)) == (2, 1.8)
    assert (second.code, second.own.value, second.in_permit.value) == ("P2", "yes", "no")
    assert round(second.highest, 2) == round(35 / 30, 2)
    assert (traced.ends_at.code, traced.found.from_km) == ("D1", traced.ends_at.km)
    # 14 km at 1.0 m/s, a fifth less; at 0.5 m/s, a fifth more.
    assert (first.quickest_h, first.slowest_h) == pytest.approx((14 / 3.6 * 0.8, 14 / 1.8 * 1.2))


def test_a_county_learns_nothing_of_outfalls_of_another(rivers):
    text = GOOD.replace("MN-ONE", f'"{"5" * 20}0001"').replace("MN-TWO", f'"{"5" * 20}0002"')
    register(read(text, name="r"), name="r")
    _readings()
    at = datetime(2026, 11, 19, 12, tzinfo=SHANGHAI)
    who = rivers["lu"]
    traced = water.trace(
        who, water.place("section", "D2"), factor="w01018", since=at, until=at, today=NOW.date()
    )
    own = {c.code: (c.own.value, c.highest) for c in traced.found.candidates}
    assert own["P1"] == ("not_seen", None) and own["P2"][0] == "yes"


def test_a_countys_river_page_holds_readings_of_its_own_places_alone(rivers):
    text = GOOD.replace("MN-ONE", f'"{"5" * 20}0001"').replace("MN-TWO", f'"{"5" * 20}0002"')
    register(read(text, name="r"), name="r")
    _readings()
    view = water.river_view(rivers["lu"], "SL", at=NOW)
    assert set(view.outfalls) == {"5" * 20 + "0002"}
    assert [p.code for p in view.places if view.sees(p)] == ["P2", "Z1", "D2"]
    assert set(water.river_view(rivers["tester"], "SL", at=NOW).outfalls) == {
        "5" * 20 + "0001",
        "5" * 20 + "0002",
    }
