"""Rivers and their places from a register, and places from the records of feeds. The one writer of both tables."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import polars as pl
from django.db import connections, transaction
from django.utils import timezone

from chuxiong.audit.record import record
from chuxiong.kit import factor as factors
from chuxiong.kit.problems import Problem
from chuxiong.kit.river_line import Place
from ingestion import agreements
from ingestion.intake.receive import ALIAS
from ingestion.models import River, RiverPlace
from ingestion.water.parameters import parameters
from ingestion.water.spec import Register, RegisterRefused, RiverSpec, drawn

#: feeds whose records name places on rivers, and the columns read
FEEDS = {
    "ee_surface_water": (
        "section_code",
        "section_name",
        "river_name",
        "lon",
        "lat",
        "target_class",
        "monitor_time",
    ),
    "ee_discharge_permit": (
        "permit_no", "outlet_no", "org_name", "uscc", "lon", "lat", "receiving_water", "pollutants", "limit_text",
        "emission_standard", "valid_from", "valid_to", "permit_status",
    ),
    "ee_auto_monitor": ("mn", "uscc", "outlet_no"),
}  # fmt: skip


@dataclass
class Registered:
    """What was written; ``refused`` says of every place left out where it lies and why."""

    rivers: int = 0
    places: int = 0
    refused: list[Problem] = field(default_factory=list)


def register(document: Register, *, name: str) -> Registered:
    """Write a register; all of it or, with a place too far off its line, nothing (``RegisterRefused``)."""
    problems: list[Problem] = []
    made = Registered()
    with transaction.atomic(using=ALIAS):
        for spec in document.rivers:
            river = _river(spec)
            made.rivers += 1
            kept: list[RiverPlace] = []
            for kind, place in spec.places():
                where = spec.drawn().project(place.lon, place.lat)
                if problem := _too_far(f"{name} → {spec.code} {place.code}", where):
                    problems.append(problem)
                    continue
                kept.append(_registered(river, spec, kind, place, where))
            _write(kept)
            made.places += len(kept)
            record(
                at=timezone.now(),
                actor="command",
                action="river.register",
                object_kind="river",
                object_ref=spec.code,
                detail={"name": name, "places": len(kept)},
                using=ALIAS,
            )
        if problems:
            raise RegisterRefused(problems)
    return made


def _river(spec: RiverSpec) -> River:
    line = spec.drawn()
    plain = spec.model_dump(mode="json")
    river, _ = River.objects.using(ALIAS).update_or_create(
        code=spec.code,
        defaults={
            "name_zh": spec.zh,
            "name_en": spec.en,
            "names": list(spec.names),
            "line": plain["line"],
            "from_km": line.from_km,
            "to_km": line.to_km,
            "stretches": plain["stretches"],
            "flow": plain["flow"],
            "schematic": spec.schematic,
            "source": spec.source,
        },
    )
    return river


def _registered(river: River, spec: RiverSpec, kind: str, place: Any, where: Place) -> RiverPlace:
    return RiverPlace(
        river=river,
        kind=kind,
        code=place.code,
        name_zh=place.zh,
        name_en=place.en,
        lon=place.lon,
        lat=place.lat,
        km=where.km,
        side=where.side,
        off_m=where.off_m,
        county=county_at(spec.model_dump(mode="json")["stretches"], where.km),
        target_class=getattr(place, "target", ""),
        joins=getattr(place, "river", ""),
        mn=getattr(place, "mn", ""),
        org_name=getattr(place, "organisation", ""),
        permit_no=getattr(place, "permit_no", ""),
        factors=None if getattr(place, "factors", None) is None else list(place.factors),
        standard=getattr(place, "standard", ""),
        grade=getattr(place, "grade", ""),
        limits=[line.model_dump(mode="json") for line in getattr(place, "limits", ())],
        origin="register",
        source=place.source or spec.source,
        active_from=place.active_from,
        active_to=place.active_to,
    )


def county_at(stretches: Iterable[dict[str, Any]], km: float) -> str:
    """The county that answers at a kilometre mark; a border belongs to the stretch that begins there."""
    found = ""
    for stretch in sorted(stretches, key=lambda s: s["from_km"]):
        if stretch["from_km"] <= km:
            found = stretch["county"]
    return found


def _too_far(place: str, where: Place) -> Problem | None:
    most = parameters().most_off_line_m.value
    if where.off_m <= most:
        return None
    return Problem(
        place,
        f"离河线 {where.off_m:,.0f} 米，最多 {most:,.0f} 米；最近处为 {where.km:.1f} km",
        "核对经纬度（CGCS2000）和所在河流后重新登记",
    )


_WRITTEN = [
    "river", "name_zh", "name_en", "lon", "lat", "km", "side", "off_m", "county", "target_class", "joins", "mn",
    "org_name", "permit_no", "factors", "standard", "grade", "limits", "origin", "source", "active_from", "active_to",
]  # fmt: skip


def _write(places: list[RiverPlace]) -> None:
    RiverPlace.objects.using(ALIAS).bulk_create(
        places, update_conflicts=True, unique_fields=["kind", "code"], update_fields=_WRITTEN
    )


# ---- from the records of feeds -------------------------------------------------------------------


def place_from_feeds(*, at: datetime) -> Registered:
    """Sections and outfalls that records of feeds name, set on the registered rivers. What a register names stays.

    Feeds without an agreement in force are left alone. Runs on the intake role.
    """
    today = timezone.localdate(at)
    rivers = list(River.objects.using(ALIAS).order_by("code"))
    made = Registered()
    with transaction.atomic(using=ALIAS):
        registered = set(
            RiverPlace.objects.using(ALIAS).filter(origin="register").values_list("kind", "code")
        )
        found = [*_sections(today), *_outfalls(today)]
        kept: list[RiverPlace] = []
        devices = set(
            RiverPlace.objects.using(ALIAS)
            .filter(origin="register")
            .exclude(mn="")
            .values_list("mn", flat=True)
        )
        for place, water in found:
            if (place.kind, place.code) in registered or place.mn in devices:
                continue
            problem = _set_on(place, water, rivers)
            if problem is None:
                kept.append(place)
            elif problem.what:
                made.refused.append(problem)
        _write(kept)
        RiverPlace.objects.using(ALIAS).exclude(origin="register").exclude(
            pk__in=RiverPlace.objects.using(ALIAS)
            .filter(kind__in=[p.kind for p in kept], code__in=[p.code for p in kept])
            .values("pk")
        ).filter(origin__in=_permitted(today)).delete()
        made.places = len(kept)
    return made


def _permitted(today: date) -> list[str]:
    return [
        f for f, columns in FEEDS.items() if agreements.check({f: columns}, on=today, using=ALIAS).allowed
    ]


def _set_on(place: RiverPlace, water: str, rivers: list[River]) -> Problem | None:
    """Fill in the place's river and mark. None when it was set; a problem without words: of another river."""
    named = [r for r in rivers if any(name and name in water for name in (r.name_zh, *r.names))]
    if not named:
        return Problem(place.code, "", "")
    best: tuple[River, Place] | None = None
    for river in named:
        where = drawn(river.line).project(place.lon, place.lat)
        if best is None or where.off_m < best[1].off_m:
            best = river, where
    assert best is not None  # noqa: S101  there is one named river at least
    river, where = best
    if problem := _too_far(f"{place.origin} {place.code} {place.name_zh}", where):
        return problem
    place.river, place.km, place.side, place.off_m = river, where.km, where.side, where.off_m
    place.county = county_at(river.stretches, where.km)
    return None


def _rows(feed: str, sql: str, today: date) -> list[dict[str, Any]]:
    if feed not in _permitted(today):
        return []
    with connections[ALIAS].cursor() as cursor:
        cursor.execute(sql)
        names = [column[0] for column in cursor.description]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def _sections(today: date) -> Iterable[tuple[RiverPlace, str]]:
    rows = _rows(
        "ee_surface_water",
        "select distinct on (section_code) section_code, section_name, river_name, lon, lat, target_class"
        " from pool.ee_surface_water where to_landing is null and lon is not null and lat is not null"
        " order by section_code, monitor_time desc",
        today,
    )
    for row in rows:
        yield (
            RiverPlace(
                kind="section", code=row["section_code"], name_zh=row["section_name"], lon=row["lon"], lat=row["lat"],
                target_class=row["target_class"], origin="ee_surface_water", source="地表水监测记录",
                active_from=date(2000, 1, 1),
            ),
            row["river_name"],
        )  # fmt: skip


def _outfalls(today: date) -> Iterable[tuple[RiverPlace, str]]:
    rows = _rows(
        "ee_discharge_permit",
        "select p.permit_no, coalesce(p.outlet_no, '') as outlet_no, p.org_name, p.lon, p.lat, p.receiving_water,"
        " p.pollutants, p.emission_standard, p.valid_from, p.valid_to, (select min(m.mn) from pool.ee_auto_monitor m"
        " where m.uscc = p.uscc and m.outlet_no = p.outlet_no and m.to_landing is null) as mn"
        " from pool.ee_discharge_permit p where p.to_landing is null and p.lon is not null and p.lat is not null"
        " and coalesce(p.permit_status, '有效') = '有效' and p.receiving_water is not null",
        today,
    )
    for row in rows:
        standard, grade = _standard(row["emission_standard"] or "")
        yield (
            RiverPlace(
                kind="outfall", code=f"{row['permit_no']}-{row['outlet_no']}"[:40], lon=row["lon"], lat=row["lat"],
                name_zh=f"{row['org_name']} {row['outlet_no']}".strip()[:80], org_name=row["org_name"][:120],
                permit_no=row["permit_no"][:40], mn=row["mn"] or "", factors=factors_of(row["pollutants"]),
                standard=standard, grade=grade, origin="ee_discharge_permit", source="排污许可证记录",
                active_from=row["valid_from"] or date(2000, 1, 1),
            ),
            row["receiving_water"],
        )  # fmt: skip


_GRADES = {"一级A": "1A", "一级B": "1B", "一级": "1", "二级": "2", "三级": "3"}
_STANDARD = re.compile(r"GB\s*(18918|8978)\s*[-—]\s*(2002|1996)")


def _standard(text: str) -> tuple[str, str]:
    """(standard, grade) named in a permit; empty where the tables hold none such."""
    found = _STANDARD.search(text)
    if not found:
        return "", ""
    plain = text.replace(" ", "")
    grade = next((code for words, code in _GRADES.items() if words in plain), "")
    return f"GB {found[1]}-{found[2]}", grade


def factors_of(pollutants: str | None) -> list[str] | None:
    """Factor codes of the pollutants that a permit lists; None when it lists none."""
    if not pollutants or not pollutants.strip():
        return None
    names = [part.strip() for part in re.split(r"[、,，;；/\s]+", pollutants) if part.strip()]
    found = factors.canonical(pl.Series(names, dtype=pl.String)).to_list()
    return sorted({code for code in found if code})
