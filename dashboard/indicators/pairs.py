"""Pictures before and after that may be shown: what the clue was about, where, on which days. No picture is in here."""

from __future__ import annotations

from typing import Any

from django.db import connections

from supervision.clues.lifecycle import ORIGIN_WORDS


def pairs(visitors: bool, *, limit: int = 24, using: str = "wall") -> list[dict[str, Any]]:
    """The newest first. Visitors see those cleared for them, and the county only: a village can point at somebody."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select p.id, coalesce(r.title_zh, ''), coalesce(r.title_en, ''), p.township, o.short_zh, o.short_en,"
            " p.before_on, p.after_on, p.origin from wall_pair p join accounts_office o on o.code = p.office"
            " left join supervision_rulestate r on r.rule = p.rule where p.for_visitors or not %s"
            " order by p.after_on desc, p.id desc limit %s",
            [visitors, limit],
        )
        return [
            {
                "id": pk, "rule": zh or ORIGIN_WORDS[origin][0], "rule_en": en or ORIGIN_WORDS[origin][1],
                "township": "" if visitors else township, "county": county, "county_en": county_en,
                "before": before.isoformat(), "after": after.isoformat(),
            }
            for pk, zh, en, township, county, county_en, before, after, origin in cursor.fetchall()
        ]  # fmt: skip
