"""The funnel: the one home of found, checked, confirmed, corrected, improved, in progress."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from django.db import connections

from supervision.clues.lifecycle import ORIGIN_WORDS


@dataclass(frozen=True)
class Funnel:
    """Counts of clues. confirmed = corrected + improved + in_progress, always."""

    found: int
    checked: int
    confirmed: int
    corrected: int
    improved: int
    in_progress: int


_COUNTS = (
    "count(*), count(*) filter (where checked), count(*) filter (where confirmed),"
    " count(*) filter (where outcome = 'corrected'), count(*) filter (where outcome = 'improved'),"
    " count(*) filter (where confirmed and outcome is null)"
)


def funnel(*, using: str = "wall") -> Funnel:
    with connections[using].cursor() as cursor:
        cursor.execute(f"select {_COUNTS} from wall_clue")
        return Funnel(*cursor.fetchone())


def by_county(*, using: str = "wall") -> list[dict[str, Any]]:
    """One row per office in code order, also with nothing: never a ranking."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            f"select o.code, o.short_zh, o.short_en, {_COUNTS.replace('count(*)', 'count(c.id)')}"
            " from accounts_office o left join wall_clue c on c.office = o.code"
            " where o.parent_id is not null group by o.code, o.short_zh, o.short_en order by o.code"
        )
        return [
            {"code": row[0], "name": row[1], "name_en": row[2], **asdict(Funnel(*row[3:]))}
            for row in cursor.fetchall()
        ]


def stages(*, using: str = "wall") -> dict[str, int]:
    """Clues by the state they are in now; states with none are left out."""
    with connections[using].cursor() as cursor:
        cursor.execute("select state, count(*) from wall_clue group by state")
        return dict(cursor.fetchall())


def latest(*, limit: int = 12, using: str = "wall") -> list[dict[str, Any]]:
    """The newest clues as type, township and stage."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select c.id, coalesce(r.title_zh, ''), coalesce(r.title_en, ''), c.township, o.short_zh, o.short_en,"
            " c.state, c.level, c.raised_at, c.origin from wall_clue c join accounts_office o on o.code = c.office"
            " left join supervision_rulestate r on r.rule = c.rule where not c.closed order by c.id desc limit %s",
            [limit],
        )
        return [
            {
                "rule": row[1] or ORIGIN_WORDS[row[9]][0],
                "rule_en": row[2] or ORIGIN_WORDS[row[9]][1],
                "township": row[3],
                "county": row[4],
                "county_en": row[5],
                "stage": row[6],
                "level": row[7],
                "at": row[8].isoformat(),
            }
            for row in cursor.fetchall()
        ]
