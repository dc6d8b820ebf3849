"""Alarms for walls: what, where, how loud, since when. Counted apart from clues."""

from __future__ import annotations

from typing import Any

from django.db import connections

from chuxiong.kit.factor import named


def alarms(*, limit: int = 6, using: str = "wall") -> dict[str, Any]:
    """Counts by state and those that still ask for somebody: the loudest first, then the latest."""
    with connections[using].cursor() as cursor:
        cursor.execute("select state, count(*) from wall_alarm group by state")
        counts = dict(cursor.fetchall())
        cursor.execute(
            "select a.title_zh, a.title_en, a.series, o.short_zh, o.short_en, a.level, a.state, a.multiple, a.last_at"
            " from wall_alarm a join accounts_office o on o.code = a.office where a.state in ('unreviewed', 'acknowledged')"
            " order by case a.level when 'urgent' then 0 when 'warning' then 1 else 2 end, a.last_at desc, a.id desc"
            " limit %s",
            [limit],
        )
        rows = cursor.fetchall()
    return {
        "unreviewed": counts.get("unreviewed", 0),
        "acknowledged": counts.get("acknowledged", 0),
        "promoted": counts.get("promoted", 0),
        "latest": [
            {
                "title": row[0],
                "title_en": row[1],
                "factor": (factor := named(row[2])).zh,
                "factor_en": factor.en,
                "place": row[3],
                "place_en": row[4],
                "level": row[5],
                "state": row[6],
                "multiple": round(row[7], 1),
                "at": row[8].isoformat(),
            }
            for row in rows
        ],
    }
