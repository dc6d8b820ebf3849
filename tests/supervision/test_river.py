"""An alarm on the line: a station's is traced upstream, an outfall's is followed down."""

from __future__ import annotations

from ingestion.water.registering import register
from ingestion.water.spec import read
from supervision.alarms.raising import raise_alarms
from supervision.models import Alarm
from supervision.river import matters
from supervision.selectors import alarm_on_river, alarms, river_page
from tests.conftest import acting_as
from tests.ingestion.test_water import GOOD
from tests.prefecture import NOW, agreements, land_rows, person, reading

STATION, OUTFALL = "5" * 20 + "000A", "5" * 20 + "0001"


def _alarms() -> dict[str, Alarm]:
    agreements()
    text = GOOD.replace("MN-STATION", STATION).replace("MN-ONE", f'"{OUTFALL}"')
    register(read(text, name="r"), name="r")
    rows = [
        reading("S", "2026-11-20", "31", kind="2061", limit="20", hour=6) | {"mn": STATION, "st": "21"},
        reading("O", "2026-11-20", "75", kind="2061", hour=1) | {"mn": OUTFALL},
        reading("X", "2026-11-20", "75", kind="2061", hour=1),
    ]
    number, _, _ = land_rows("ee_auto_monitor", rows)
    with acting_as("worker"):
        raise_alarms(alarms()["discharge_reading"], landing=number, at=NOW)
    return {a.subject_ref: a for a in Alarm.objects.using("owner").all()}


def test_a_stations_alarm_is_traced_upstream_and_an_outfalls_followed_down(database):
    found, who = _alarms(), person()
    traced = alarm_on_river(who, found[STATION].pk, at=NOW)
    assert traced.place.code == "Z1" and traced.below == []
    first = traced.traced.found.candidates[0]
    assert {c.code for c in traced.traced.found.candidates} == {"P1", "P2"}
    assert (first.code, first.own.value, first.in_permit.value) == ("P1", "yes", "yes")
    followed = alarm_on_river(who, found[OUTFALL].pk, at=NOW)
    assert followed.place.code == "P1" and [b.place.code for b in followed.below] == ["Z1", "D2"]
    assert followed.below[0].earliest < followed.below[0].latest < followed.below[1].latest
    elsewhere = next(a for ref, a in found.items() if ref not in (STATION, OUTFALL))
    assert alarm_on_river(who, elsewhere.pk, at=NOW).place is None


def test_alarms_beyond_ones_reach_are_not_there(database):
    found = _alarms()
    assert {a.office for a in found.values()} == {"532300"}
    who = person("lin", office="532301")
    assert alarm_on_river(who, found[STATION].pk, at=NOW) is None
    assert matters(who, devices=[STATION, OUTFALL], problems=[], since=NOW.replace(day=1)).alarms == {}
    view, whole = river_page(person(), "SL", at=NOW)
    assert set(whole.alarms) == {STATION, OUTFALL}
    assert view.outfalls[OUTFALL].above == 1 and view.outfalls[STATION].factors_above == ("w01018",)
    assert river_page(person("wu"), "NONE", at=NOW) is None
