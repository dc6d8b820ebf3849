"""What other rooms may read of rivers. Readings are read under the scope of the person who asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import Q
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.kit.river_line import RiverLine
from chuxiong.kit.water_limits import Limit
from ingestion import agreements
from ingestion.models import Camera, River, RiverPlace
from ingestion.water import limits, upstream
from ingestion.water.parameters import detection_limits, parameters
from ingestion.water.readings import Carried, Reading, carried, exceeds
from ingestion.water.spec import drawn

#: columns read, by feed: what an agreement must cover
COLUMNS = {
    "ee_surface_water": ("section_code", "monitor_time", "method", "factor", "value"),
    "ee_auto_monitor": ("mn", "data_type", "data_time", "factor", "value_avg", "value_rtd", "flag", "limit_value"),
    "wr_river_patrol": (
        "problem_id", "problem_type", "river_code", "river_name", "found_time", "lon", "lat", "status", "deadline",
        "responsible_unit",
    ),
}  # fmt: skip
#: hours that a figure stands for, by the method's word in the feed
_HOURS_OF_METHOD = {"自动": 4, "自动站": 4, "自动监测": 4}
#: and by the command code of HJ 212
_HOURS_OF_TYPE = {"2031": 24.0, "2061": 1.0, "2051": 1 / 6, "2011": 0.0}


@dataclass(frozen=True)
class Judged:
    """A figure of a section against the limit of its target class; ``exceeds`` None: cannot be told."""

    factor: str
    figure: Carried
    limit: Limit | None
    exceeds: bool | None
    hours: float

    @property
    def at(self) -> datetime:
        return self.figure.reading.at

    @property
    def multiple(self) -> float | None:
        """Of an upper limit."""
        most = self.limit.at_most if self.limit else None
        return self.figure.reading.value / most if most else None


@dataclass
class SectionState:
    """What a section's readings of the looked-back days amount to."""

    latest: dict[str, Judged] = field(default_factory=dict)
    #: figures above the limit of the target class, latest first
    above: list[Judged] = field(default_factory=list)
    readings: int = 0
    #: kept and flagged: not judged as measurements
    flagged: int = 0
    undecided: int = 0


@dataclass(frozen=True)
class OutfallState:
    """Hour and day means of the looked-back days."""

    last_at: datetime | None
    readings: int
    above: int
    factors_above: tuple[str, ...]


@dataclass(frozen=True)
class Problem:
    """Something found on patrol, set on the line. ``open``: not put right yet."""

    number: str
    kind: str
    found_at: datetime
    status: str
    deadline: date | None
    responsible: str
    lon: float
    lat: float
    km: float
    side: str
    off_m: float

    @property
    def open(self) -> bool:
        return self.status != "已整改"


@dataclass
class RiverView:
    """Everything of one river that a person may see."""

    river: River
    line: RiverLine
    places: list[RiverPlace]
    cameras: list[Camera]
    #: readings and problems are those since then
    since: datetime
    #: counties whose readings the person may see
    reach: frozenset[str]
    sections: dict[str, SectionState] = field(default_factory=dict)
    outfalls: dict[str, OutfallState] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    #: problems without a coordinate, and those too far off the line: counted, not drawn
    problems_without_place: int = 0
    problems_off_line: int = 0
    #: feed → why its records are not shown
    stopped: dict[str, str] = field(default_factory=dict)

    def sees(self, place: RiverPlace) -> bool:
        return not place.county or place.county in self.reach

    def county_at(self, km: float) -> str:
        return next((s["county"] for s in reversed(self.river.stretches) if s["from_km"] <= km), "")


def rivers() -> list[River]:
    """All registered rivers, in the order of their codes."""
    return list(River.objects.order_by("code"))


def river(code: str) -> River | None:
    return River.objects.filter(code=code).first()


def places_of(found: River, *, on: date) -> list[RiverPlace]:
    """What stands on the river on day ``on``, downstream."""
    in_force = Q(active_from__lte=on) & (Q(active_to=None) | Q(active_to__gte=on))
    return list(found.places.filter(in_force).order_by("km", "code"))


def place_of_device(mn: str, *, on: date) -> RiverPlace | None:
    """The station or outfall at which a device stands."""
    in_force = Q(active_from__lte=on) & (Q(active_to=None) | Q(active_to__gte=on))
    return RiverPlace.objects.select_related("river").filter(in_force, mn=mn).order_by("pk").first()


def cameras_near(person: Person, at_place: RiverPlace) -> list[Camera]:
    """Cameras of the person's offices about a place on its river, the nearest first."""
    about = parameters().cameras_about_km.value
    with person_scope(person):
        found = Camera.objects.filter(
            river=at_place.river,
            status="in_service",
            km__gte=at_place.km - about,
            km__lte=at_place.km + about,
        )
        return sorted(found, key=lambda c: (abs((c.km or 0.0) - at_place.km), c.code))


def place(kind: str, code: str) -> RiverPlace | None:
    return RiverPlace.objects.select_related("river").filter(kind=kind, code=code).first()


def river_view(person: Person, code: str, *, at: datetime) -> RiverView | None:
    """One river with what was measured and found on it of late; None when it is not registered."""
    found = river(code)
    if found is None:
        return None
    today = timezone.localdate(at)
    since = at - timedelta(days=parameters().look_back_days.value)
    stopped = _stopped(today)
    with person_scope(person, feeds=COLUMNS.keys() - stopped.keys()):
        view = RiverView(
            found,
            drawn(found.line),
            places_of(found, on=today),
            list(found.cameras.exclude(status="removed").order_by("km", "code")),
            since,
            frozenset(person.office_codes),
            stopped=stopped,
        )
        seen = [p for p in view.places if view.sees(p)]
        view.sections = _section_states([p for p in seen if p.kind == "section"], since, at)
        view.outfalls = _outfall_states([p.mn for p in seen if p.mn], since, at)
        _problems(view, since)
    return view


def section_state(person: Person, section: RiverPlace, *, at: datetime) -> SectionState:
    since = at - timedelta(days=parameters().look_back_days.value)
    stopped = _stopped(timezone.localdate(at))
    with person_scope(person, feeds=COLUMNS.keys() - stopped.keys()):
        return _section_states([section], since, at).get(section.code, SectionState())


def _stopped(today: date) -> dict[str, str]:
    found = {}
    for feed, columns in COLUMNS.items():
        permit = agreements.check({feed: columns}, on=today)
        if not permit.allowed:
            found[feed] = permit.refused[feed]
    return found


def _section_states(sections: Sequence[RiverPlace], since: datetime, at: datetime) -> dict[str, SectionState]:
    targets = {s.code: s.target_class for s in sections}
    with connection.cursor() as cursor:
        cursor.execute(
            "select section_code, factor, monitor_time, coalesce(value_below, value), value_below is not null,"
            " coalesce(method, '') from pool.ee_surface_water"
            " where to_landing is null and section_code = any(%s) and monitor_time > %s and monitor_time <= %s"
            " order by section_code, factor, monitor_time",
            [list(targets), since, at],
        )
        rows = cursor.fetchall()
    series: dict[tuple[str, str], list[tuple[Reading, float]]] = {}
    for code, factor, moment, value, below, method in rows:
        if value is not None:
            hours = float(_HOURS_OF_METHOD.get(method, 0))
            series.setdefault((code, factor), []).append((Reading(moment, value, below), hours))
    states: dict[str, SectionState] = {code: SectionState() for code in targets}
    for (code, factor), members in series.items():
        known = detection_limits().get(factor)
        figures = carried(factor, [r for r, _ in members], known.at_most if known else None, parameters())
        for figure, (_reading, hours) in zip(figures, members, strict=True):
            limit = limits.of_section(targets[code], factor, on=timezone.localdate(figure.reading.at))
            verdict = exceeds(figure, limit) if limit else None
            _count(states[code], Judged(factor, figure, limit, verdict, hours))
    for state in states.values():
        state.above.sort(key=lambda j: (-j.at.timestamp(), j.factor))
    return states


def _count(state: SectionState, judged: Judged) -> None:
    state.readings += 1
    state.flagged += bool(judged.figure.flags)
    state.undecided += judged.limit is not None and judged.exceeds is None
    state.latest[judged.factor] = judged
    if judged.exceeds:
        state.above.append(judged)


def _outfall_states(mns: Sequence[str], since: datetime, at: datetime) -> dict[str, OutfallState]:
    """By device; a limit that the reading does not carry is not guessed here."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select mn, max(data_time), count(*), count(*) filter (where value_avg > limit_value and flag = 'N'"
            " and factor not in ('w01001', 'w01009')),"
            " array_agg(distinct factor) filter (where value_avg > limit_value and flag = 'N'"
            " and factor not in ('w01001', 'w01009')) from pool.ee_auto_monitor"
            " where to_landing is null and mn = any(%s) and data_type in ('2031', '2061')"
            " and data_time > %s and data_time <= %s group by mn",
            [list(mns), since, at],
        )
        return {
            row[0]: OutfallState(row[1], row[2], row[3], tuple(row[4] or ())) for row in cursor.fetchall()
        }


def _problems(view: RiverView, since: datetime) -> None:
    codes = [code for stretch in view.river.stretches for code in stretch["codes"]]
    with connection.cursor() as cursor:
        cursor.execute(
            "select problem_id, coalesce(problem_type, ''), found_time, status, deadline,"
            " coalesce(responsible_unit, ''), lon, lat from pool.wr_river_patrol where to_landing is null"
            " and problem_id is not null and found_time > %s and (river_code = any(%s) or river_name = any(%s))"
            " order by found_time desc, problem_id",
            [since, codes, [view.river.name_zh, *view.river.names]],
        )
        rows = cursor.fetchall()
    most = parameters().most_off_line_m.value
    for number, kind, found_at, status, deadline, unit, lon, lat in rows:
        if lon is None or lat is None:
            view.problems_without_place += 1
            continue
        where = view.line.project(lon, lat)
        if where.off_m > most:
            view.problems_off_line += 1
            continue
        view.problems.append(
            Problem(
                number, kind, found_at, status, deadline, unit, lon, lat, where.km, where.side, where.off_m
            )
        )


# ---- upstream ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Traced:
    """The candidates of an exceedance with what stands where; ``stopped``: why readings are not shown."""

    found: upstream.Upstream
    places: dict[str, RiverPlace]
    exceedance: upstream.Exceedance
    ends_at: RiverPlace | None
    stopped: str


def trace(
    person: Person, at_place: RiverPlace, *, factor: str, since: datetime, until: datetime, today: date
) -> Traced:
    """Outfalls upstream of ``at_place`` that could have caused what was measured from ``since`` to ``until``."""
    places = places_of(at_place.river, on=today)
    outfalls = [p for p in places if p.kind == "outfall" and p.pk != at_place.pk]
    bands = bands_of(at_place.river)
    spread = parameters().spread.value
    stopped = _stopped(today).get("ee_auto_monitor", "")
    seen = set(person.office_codes) if not stopped else set()
    exceedance = upstream.Exceedance(at_place.km, factor, since, until)
    from_km, _ = upstream.reach(at_place.km, at_place.river.from_km, barriers_of(places))
    near = [p for p in outfalls if from_km <= p.km <= at_place.km]
    readings = {} if stopped else _own_readings(person, near, exceedance, bands, spread)
    found = upstream.candidates(
        exceedance,
        begins_km=at_place.river.from_km,
        barriers=barriers_of(places),
        outfalls=[
            upstream.Source(
                p.code,
                p.km,
                None if p.factors is None else frozenset(p.factors),
                p.county in seen or not p.county,
            )
            for p in near
        ],
        bands=bands,
        readings=readings,
        spread=spread,
    )
    ends_at = found.ends_at
    return Traced(
        found,
        {p.code: p for p in near},
        exceedance,
        next((p for p in places if ends_at and (p.kind, p.code) == (ends_at.kind, ends_at.code)), None),
        stopped,
    )


def barriers_of(places: Iterable[RiverPlace]) -> list[upstream.Barrier]:
    return [upstream.Barrier(p.kind, p.code, p.km) for p in places if p.kind in ("section", "tributary")]


def bands_of(found: River) -> list[upstream.FlowBand]:
    return [
        upstream.FlowBand(
            row["from_km"],
            row["to_km"],
            row["slow_ms"],
            row["fast_ms"],
            date.fromisoformat(row["valid_from"]),
            date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
            row["source"],
        )
        for row in found.flow
    ]


@dataclass(frozen=True)
class Downstream:
    """A section below an outfall and when its water comes by; times None where no flow band is held."""

    place: RiverPlace
    distance_km: float
    earliest: datetime | None
    latest: datetime | None


def below(
    outfall: RiverPlace, *, since: datetime, until: datetime, today: date, most: int = 3
) -> list[Downstream]:
    """The next sections and stations that what left ``outfall`` from ``since`` to ``until`` passes."""
    bands, spread, found = bands_of(outfall.river), parameters().spread.value, []
    for at_place in places_of(outfall.river, on=today):
        if at_place.kind not in ("section", "station") or at_place.km < outfall.km:
            continue
        hours = upstream.travel_hours(outfall.km, at_place.km, bands, on=timezone.localdate(since))
        found.append(
            Downstream(
                at_place,
                at_place.km - outfall.km,
                since + timedelta(hours=hours[0] * (1 - spread)) if hours else None,
                until + timedelta(hours=hours[1] * (1 + spread)) if hours else None,
            )
        )
    return found[:most]


def _own_readings(
    person: Person,
    outfalls: Sequence[RiverPlace],
    exceedance: upstream.Exceedance,
    bands: Sequence[upstream.FlowBand],
    spread: float,
) -> dict[str, list[upstream.OwnReading]]:
    """Readings of the exceedance's factor around the longest window, by outfall."""
    by_mn = {p.mn: p for p in outfalls if p.mn}
    slowest = [
        upstream.travel_hours(p.km, exceedance.km, bands, on=exceedance.since.date()) for p in outfalls
    ]
    reach_back = max((hours[1] * (1 + spread) for hours in slowest if hours), default=0.0)
    if not by_mn:
        return {}
    with (
        person_scope(person, feeds=["ee_auto_monitor"]),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "select mn, data_type, data_time, case when data_type = '2011' then value_rtd else value_avg end,"
            " limit_value from pool.ee_auto_monitor where to_landing is null and mn = any(%s) and factor = %s"
            " and flag = 'N' and data_time > %s and data_time <= %s and data_type = any(%s)"
            " order by mn, data_time",
            [
                list(by_mn),
                exceedance.factor,
                # A day mean bears the time of its day's beginning.
                exceedance.since - timedelta(hours=reach_back + 24),
                exceedance.until,
                list(_HOURS_OF_TYPE),
            ],
        )
        rows = cursor.fetchall()
    found: dict[str, list[upstream.OwnReading]] = {}
    for mn, kind, moment, value, ceiling in rows:
        outfall = by_mn[mn]
        found.setdefault(outfall.code, []).append(
            upstream.OwnReading(
                moment,
                moment + timedelta(hours=_HOURS_OF_TYPE[kind]),
                _multiple(outfall, exceedance.factor, kind, timezone.localdate(moment), value, ceiling),
            )
        )
    return found


def _multiple(
    outfall: RiverPlace, factor: str, kind: str, on: date, value: float | None, ceiling: float | None
) -> float | None:
    """Of the permit's or the standard's limit for this averaging period, else of the one that came with it."""
    if value is None:
        return None
    limit = limits.of_outfall(
        [_line(row) for row in outfall.limits],
        outfall.standard,
        outfall.grade,
        factor,
        period=limits.PERIODS[kind],
        on=on,
    )
    most = limit.at_most if limit and limit.at_most else ceiling
    return value / most if most else None


def _line(row: dict[str, Any]) -> limits.PermitLimit:
    return limits.PermitLimit(
        row["factor"],
        row["period"],
        row["at_least"],
        row["at_most"],
        row["unit"],
        date.fromisoformat(row["valid_from"]),
        date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
        row["source"],
    )
