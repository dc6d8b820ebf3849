"""Rivers for walls: what stands on them, what was measured, what was found. Places and counts, no firm, no device."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connections
from django.utils import timezone

from chuxiong.kit.factor import named
from ingestion import agreements
from ingestion.water import limits
from ingestion.water.parameters import detection_limits, parameters
from ingestion.water.readings import Carried, Reading, carried, exceeds
from ingestion.water.selectors import COLUMNS
from ingestion.water.spec import drawn

#: a wall draws no more than this of one series
POINTS = 60


def stopped(feed: str, today: date, columns: Mapping[str, Iterable[str]] = COLUMNS) -> bool:
    """Whether no agreement in force covers what is shown of a feed."""
    return not agreements.check({feed: columns[feed]}, on=today).allowed


def river(*, using: str = "wall") -> dict[str, Any]:
    """The longest river with everything on it, downstream; ``stopped`` names feeds whose agreement does not hold."""
    at = timezone.now()
    today, since = timezone.localdate(at), at - timedelta(days=parameters().look_back_days.value)
    off = [feed for feed in COLUMNS if stopped(feed, today)]
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select code, name_zh, name_en, names, line, from_km, to_km, stretches, schematic from wall_river"
            " order by to_km - from_km desc, code limit 1"
        )
        row = cursor.fetchone()
        if row is None:
            return {"river": None, "stopped": off}
        code, zh, en, names, line, from_km, to_km, stretches, schematic = row
        line, stretches = json.loads(line), json.loads(stretches)
        cursor.execute(
            "select id, kind, section, name_zh, name_en, km, side, county, target_class from wall_river_place"
            " where river = %s order by km, id",
            [code],
        )
        places = cursor.fetchall()
    states = {} if "ee_surface_water" in off else section_states(since, using=using)
    outfalls = {} if "ee_auto_monitor" in off else _outfalls(since, using)
    found: list[dict[str, Any]] = []
    for pk, kind, section, name, name_en, km, side, county, target in places:
        item = {
            "id": pk, "kind": kind, "name": name, "name_en": name_en or name, "km": round(km, 1), "side": side,
            "county": county, "target": target,
        }  # fmt: skip
        if kind == "section":
            item |= latest_of(target, states.get(section, []))
        elif kind in ("outfall", "station"):
            item |= outfalls.get(pk, {"state": "none", "above": 0, "factors": []})
        found.append(item)
    codes = {c for stretch in stretches for c in stretch["codes"]}
    problems = (
        [] if "wr_river_patrol" in off else _problems(drawn(line), codes, {zh, *names}, since, using=using)
    )
    return {
        "river": {
            "code": code, "name": zh, "name_en": en, "from_km": from_km, "to_km": to_km, "schematic": schematic,
            "stretches": [
                {"from_km": s["from_km"], "to_km": s["to_km"], "name": s["zh"], "name_en": s["en"], "county": s["county"]}
                for s in stretches
            ],
        },
        "places": found,
        "problems": problems,
        "days": int(parameters().look_back_days.value),
        "stopped": off,
    }  # fmt: skip


def section_states(since: datetime, *, using: str = "wall") -> dict[str, list[tuple[str, list[Carried]]]]:
    """Section → (factor, what its readings carry), by time."""
    with connections[using].cursor() as cursor:
        cursor.execute("select section, factor, at, value from wall_section_readings(%s)", [since])
        rows = cursor.fetchall()
    series: dict[tuple[str, str], list[Reading]] = defaultdict(list)
    for section, factor, at, value in rows:
        if value is not None:
            series[section, factor].append(Reading(at, float(value)))
    states: dict[str, list[tuple[str, list[Carried]]]] = defaultdict(list)
    for (section, factor), members in sorted(series.items()):
        known = detection_limits().get(factor)
        figures = carried(factor, members, known.at_most if known else None, parameters())
        states[section].append((factor, list(figures)))
    return states


def judged(target: str, factor: str, figure: Carried) -> tuple[float | None, bool | None]:
    """(upper limit of the target class, above it or not or cannot be told)."""
    limit = limits.of_section(target, factor, on=timezone.localdate(figure.reading.at))
    if limit is None:
        return None, None
    # A range (pH) has no one limit that a figure could be drawn against.
    return (limit.at_most if limit.at_least is None else None), exceeds(figure, limit)


def latest_of(target: str, series: list[tuple[str, list[Carried]]]) -> dict[str, Any]:
    """The latest figure of every factor against the target class; ``state`` is the worst of them.

    urgent: above now; soon: above within the looked-back days; good: neither; none: nothing was measured.
    """
    figures, ever, now, last = [], False, False, None
    for factor, members in series:
        limit, above = judged(target, factor, members[-1])
        ever = ever or any(judged(target, factor, m)[1] for m in members)
        now = now or bool(above)
        last = max(last, members[-1].reading.at) if last else members[-1].reading.at
        word = named(factor)
        figures.append(
            {
                "factor": factor, "name": word.zh, "name_en": word.en, "unit": word.unit,
                "value": members[-1].reading.value, "below": members[-1].reading.below, "limit": limit, "above": above,
            }
        )  # fmt: skip
    state = "urgent" if now else "soon" if ever else "good" if figures else "none"
    return {"state": state, "figures": figures, "at": last.isoformat() if last else None}


def water(*, using: str = "wall") -> dict[str, Any]:
    """Every section with the course of its factors over the looked-back days, thinned to ``POINTS`` figures each."""
    at = timezone.now()
    if stopped("ee_surface_water", timezone.localdate(at)):
        return {"sections": [], "stopped": ["ee_surface_water"]}
    since = at - timedelta(days=parameters().look_back_days.value)
    states = section_states(since, using=using)
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select section, river, name_zh, name_en, km, county, target_class from wall_river_place"
            " where kind = 'section' order by river, km"
        )
        rows = cursor.fetchall()
    sections = []
    for section, code, name, name_en, km, county, target in rows:
        series = states.get(section, [])
        courses = [_course(target, factor, members) for factor, members in series]
        sections.append(
            {
                "name": name, "name_en": name_en or name, "river": code, "km": round(km, 1), "county": county,
                "target": target, "courses": [c for c in courses if c["limit"] is not None],
                "state": latest_of(target, series)["state"],
            }
        )  # fmt: skip
    return {"sections": sections, "since": since.isoformat(), "until": at.isoformat(), "stopped": []}


def _course(target: str, factor: str, members: list[Carried]) -> dict[str, Any]:
    word, (limit, _above) = named(factor), judged(target, factor, members[-1])
    every = -(-len(members) // POINTS)
    # Of what is thinned out the highest stays: a peak must not vanish from the wall.
    kept = [max(members[n : n + every], key=lambda m: m.reading.value) for n in range(0, len(members), every)]
    return {
        "factor": factor, "name": word.zh, "name_en": word.en, "unit": word.unit, "limit": limit,
        "above": sum(bool(judged(target, factor, m)[1]) for m in members),
        "points": [[int(m.reading.at.timestamp()), m.reading.value] for m in kept],
    }  # fmt: skip


def exceedance(*, using: str = "wall") -> dict[str, Any]:
    """Hour and day means of outfalls above their limits, by day and by factor; counts, no outfall is named."""
    at = timezone.now()
    today, days = timezone.localdate(at), int(parameters().look_back_days.value)
    if stopped("ee_auto_monitor", today):
        return {"days": [], "factors": [], "stopped": ["ee_auto_monitor"]}
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select day, factor, readings, above, outfalls, worst from wall_exceedances(%s)",
            [at - timedelta(days=days)],
        )
        rows = cursor.fetchall()
    by_day: dict[date, int] = defaultdict(int)
    by_factor: dict[str, list[float]] = defaultdict(lambda: [0, 0, 0.0])
    for day, factor, readings, above, _hit, worst in rows:
        by_day[day] += above
        held = by_factor[factor]
        held[0], held[1], held[2] = held[0] + readings, held[1] + above, max(held[2], worst or 0.0)
    return {
        "days": [
            {"day": str(day), "above": by_day.get(day, 0)}
            for day in (today - timedelta(days=n) for n in range(days - 1, -1, -1))
        ],
        "factors": [
            {
                "name": named(factor).zh, "name_en": named(factor).en, "readings": int(held[0]), "above": int(held[1]),
                "worst": round(held[2], 1),
            }
            for factor, held in sorted(by_factor.items())
        ],
        "stopped": [],
    }  # fmt: skip


def _outfalls(since: datetime, using: str) -> dict[int, dict[str, Any]]:
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select place, last_at, readings, above, factors from wall_outfall_readings(%s)", [since]
        )
        return {
            pk: {
                "state": "soon" if above else "good",
                "above": above,
                "factors": [{"name": named(f).zh, "name_en": named(f).en} for f in factors or []],
                "at": last_at.isoformat(),
            }
            for pk, last_at, _readings, above, factors in cursor.fetchall()
        }


def _problems(
    line: Any, codes: set[str], names: set[str], since: datetime, *, using: str
) -> list[dict[str, Any]]:
    """Found on patrol and set on the line, the latest first: kilometre, kind, state, day. No coordinate leaves."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select river_code, river_name, kind, found_at, status, lon, lat from wall_patrol(%s)", [since]
        )
        rows = cursor.fetchall()
    most, found = parameters().most_off_line_m.value, []
    for code, name, kind, at, status, lon, lat in rows:
        if (code not in codes and name not in names) or lon is None or lat is None:
            continue
        where = line.project(lon, lat)
        if where.off_m <= most:
            found.append(
                {"km": round(where.km, 1), "what": kind, "open": status != "已整改", "at": at.isoformat()}
            )
    return found[:200]
