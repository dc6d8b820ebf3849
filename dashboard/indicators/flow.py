"""How clues move, how data comes in, what models find: by day, level, origin and rule. Nothing is ranked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connections
from django.utils import timezone

from supervision.clues.lifecycle import ORIGIN_WORDS

#: days that walls look back
DAYS = 30


def flow(*, using: str = "wall") -> dict[str, Any]:
    """Found and confirmed by day, open clues by level, all clues by origin and by outcome."""
    today = timezone.localdate()
    first = today - timedelta(days=DAYS - 1)
    with connections[using].cursor() as cursor:
        cursor.execute("select day, found, confirmed from wall_clue_day where day >= %s", [first])
        days = {day: (int(found), int(confirmed)) for day, found, confirmed in cursor.fetchall()}
        cursor.execute(
            "select level, count(*) from wall_clue where state not in ('settled', 'dismissed', 'unfounded')"
            " group by level"
        )
        levels = dict(cursor.fetchall())
        cursor.execute(
            "select origin, count(*), count(*) filter (where confirmed) from wall_clue group by origin"
        )
        origins = {origin: (found, confirmed) for origin, found, confirmed in cursor.fetchall()}
    every = (first + timedelta(days=n) for n in range(DAYS))
    return {
        "days": [
            {"day": str(day), "found": (n := days.get(day, (0, 0)))[0], "confirmed": n[1]} for day in every
        ],
        "levels": {level: levels.get(level, 0) for level in ("urgent", "important", "ordinary")},
        "origins": [
            {
                "name": words[0],
                "name_en": words[1],
                "found": (n := origins.get(code, (0, 0)))[0],
                "confirmed": n[1],
            }
            for code, words in ORIGIN_WORDS.items()
        ],
    }


def landings(*, using: str = "wall") -> dict[str, Any]:
    """Landings and the sources they came from, by day."""
    today = timezone.localdate()
    first = today - timedelta(days=DAYS - 1)
    with connections[using].cursor() as cursor:
        cursor.execute("select day, landings, feeds from wall_landing_day where day >= %s", [first])
        days = {day: (landed, feeds) for day, landed, feeds in cursor.fetchall()}
    every = (first + timedelta(days=n) for n in range(DAYS))
    return {
        "days": [
            {"day": str(day), "landings": (n := days.get(day, (0, 0)))[0], "feeds": n[1]} for day in every
        ]
    }


def models(*, using: str = "wall") -> dict[str, Any]:
    """Every model in use or on trial, in code order, with the clues that rest on it."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select r.code, r.title_zh, r.title_en, r.domain, r.status, r.stopped_zh <> '', count(c.id),"
            " count(c.id) filter (where c.checked), count(c.id) filter (where c.confirmed)"
            " from supervision_rulestate r left join wall_clue c on c.rule = r.rule"
            " where r.status in ('live', 'trial') group by r.rule order by r.code"
        )
        rows = cursor.fetchall()
    return {
        "models": [
            {
                "code": code, "name": zh, "name_en": en, "domain": domain, "status": status, "stopped": stopped,
                "found": found, "checked": checked, "confirmed": confirmed,
            }
            for code, zh, en, domain, status, stopped, found, checked, confirmed in rows
        ]
    }  # fmt: skip


def cameras(*, using: str = "wall") -> list[dict[str, Any]]:
    """Cameras by place; ``approved``: may be shown to visitors. Their numbers stay behind."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select c.id, c.name_zh, c.name_en, c.river, c.km, c.county, c.approved, c.playing, o.short_zh, o.short_en"
            " from wall_camera c left join accounts_office o on o.code = c.county order by c.river, c.km, c.id"
        )
        return [
            {
                "id": pk, "name": zh, "name_en": en or zh, "river": river, "km": None if km is None else round(km, 1),
                "approved": approved, "playing": playing, "county": county_zh or "", "county_en": county_en or "",
            }
            for pk, zh, en, river, km, _county, approved, playing, county_zh, county_en in cursor.fetchall()
        ]  # fmt: skip


def alarms_by_county(*, using: str = "wall") -> list[dict[str, Any]]:
    """Alarms that ask for somebody, one row an office in code order."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select o.code, o.short_zh, o.short_en, count(a.id) filter (where a.level = 'urgent'),"
            " count(a.id) filter (where a.level = 'warning'), count(a.id) filter (where a.level = 'notice')"
            " from accounts_office o left join wall_alarm a on a.office = o.code"
            " and a.state in ('unreviewed', 'acknowledged') group by o.code, o.short_zh, o.short_en order by o.code"
        )
        return [
            {"code": code, "name": zh, "name_en": en, "urgent": urgent, "warning": warning, "notice": notice}
            for code, zh, en, urgent, warning, notice in cursor.fetchall()
        ]
