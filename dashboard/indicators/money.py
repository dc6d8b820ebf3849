"""Losses and what came back of them, wages owed and paid, what settled clues brought: sums alone, 分 throughout.

Cases with a sealed record are left out of losses. A case counts once, however many parties its cards name.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.db import connections
from django.utils import timezone

from dashboard.indicators.river import stopped
from dashboard.indicators.themes import theme
from ingestion.catalog.labels import english_labels
from supervision.tracks.results import kinds

#: months that walls look back, this one included
MONTHS = 12
LOSSES = {"pr_case": ("unified_case_no", "accept_date", "victim_loss_cny", "recovered_cny", "seized_cny", "seized_status")}  # fmt: skip
ARREARS = {
    "hr_wage_arrears": (
        "clue_no", "register_date", "industry", "worker_count", "arrears_amount_cny", "paid_amount_cny", "close_date",
    ),
}  # fmt: skip
GUARANTEES = {
    "hr_wage_guarantee": (
        "project_code", "stat_month", "project_status", "account_status", "deposit_form", "payment_guarantee",
        "realname_headcount",
    ),
}  # fmt: skip


def _first(today: date) -> date:
    index = today.year * 12 + today.month - MONTHS
    return date(index // 12, index % 12 + 1, 1)


def _months(first: date) -> list[date]:
    index = first.year * 12 + first.month - 1
    return [date((index + n) // 12, (index + n) % 12 + 1, 1) for n in range(MONTHS)]


def _offices(using: str) -> list[tuple[str, str, str]]:
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select code, short_zh, short_en from accounts_office where parent_id is not null order by code"
        )
        return list(cursor.fetchall())


def _by_county(found: Mapping[str, list[int]], names: tuple[str, ...], using: str) -> list[dict[str, Any]]:
    """One row a county in code order, also with nothing; what belongs to none stands last, if there is any."""
    rows = [
        {"code": code, "name": zh, "name_en": en} | dict(zip(names, found.get(code, [0] * len(names)), strict=True))
        for code, zh, en in _offices(using)
    ]  # fmt: skip
    known = {row["code"] for row in rows}
    rest = [
        sum(values) for values in zip(*(v for code, v in found.items() if code not in known), strict=True)
    ]
    if any(rest):
        rows.append({"code": "", "name": "", "name_en": ""} | dict(zip(names, rest, strict=True)))
    return rows


def _clues(rules: Iterable[str], using: str) -> dict[str, int]:
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select count(*), count(*) filter (where checked), count(*) filter (where confirmed) from wall_clue"
            " where rule = any (%s)",
            [list(rules)],
        )
        found, checked, confirmed = cursor.fetchone()
        return {"found": found, "checked": checked, "confirmed": confirmed}


def losses(*, using: str = "wall") -> dict[str, Any]:
    """Victims' losses and what was recovered, of cases accepted in the last twelve months: by month, county, disposal."""
    today = timezone.localdate()
    clues = _clues(theme("recovery").rules, using)
    if any(stopped(feed, today, LOSSES) for feed in LOSSES):
        return {
            "stopped": list(LOSSES),
            "clues": clues,
            "months": [],
            "counties": [],
            "seized": [],
            "total": None,
        }
    first = _first(today)
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select month, county, disposal, cases, lost, recovered, seized from wall_losses(%s)", [first]
        )
        rows = cursor.fetchall()
    by_month: dict[date, list[int]] = defaultdict(lambda: [0, 0, 0])
    by_county: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    by_disposal: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for month, county, disposal, cases, lost, recovered, seized in rows:
        for held in (by_month[month], by_county[county or ""]):
            for n, value in enumerate((cases, lost, recovered)):
                held[n] += int(value)
        if seized:
            by_disposal[disposal][0] += int(cases)
            by_disposal[disposal][1] += int(seized)
    names = ("cases", "lost", "recovered")
    return {
        "months": [
            {"month": f"{m:%Y-%m}"} | dict(zip(names, by_month.get(m, [0, 0, 0]), strict=True)) for m in _months(first)
        ],
        "counties": _by_county(by_county, names, using),
        "seized": [
            {"name": name, "name_en": english_labels().get(name, name), "cases": cases, "value": value}
            for name, (cases, value) in sorted(by_disposal.items())
        ],
        "total": dict(zip(names, (sum(held[n] for held in by_month.values()) for n in range(3)), strict=True)),
        "clues": clues,
        "stopped": [],
    }  # fmt: skip


def wages(*, using: str = "wall") -> dict[str, Any]:
    """Wages owed by claims of the last twelve months, and how building sites keep what guards wages."""
    today = timezone.localdate()
    first, clues = _first(today), _clues(theme("wages").rules, using)
    off = [feed for feed in (*ARREARS, *GUARANTEES) if stopped(feed, today, ARREARS | GUARANTEES)]
    names = ("claims", "open", "workers", "owed", "paid")
    by_month: dict[date, list[int]] = defaultdict(lambda: [0] * 5)
    by_county: dict[str, list[int]] = defaultdict(lambda: [0] * 5)
    by_industry: dict[str, list[int]] = defaultdict(lambda: [0] * 5)
    with connections[using].cursor() as cursor:
        if "hr_wage_arrears" not in off:
            cursor.execute(
                "select month, county, industry, claims, still_open, workers, owed, paid from wall_arrears(%s)",
                [first],
            )
            for month, county, industry, *values in cursor.fetchall():
                for held in (by_month[month], by_county[county or ""], by_industry[industry]):
                    for n, value in enumerate(values):
                        held[n] += int(value)
        sites = None
        if "hr_wage_guarantee" not in off:
            cursor.execute(
                "select month, sites, no_account, no_deposit, no_guarantee, nobody from wall_wage_sites()"
            )
            row = cursor.fetchone()
            if row and row[1]:
                kinds_of = ("no_account", "no_deposit", "no_guarantee", "nobody")
                sites = {"month": f"{row[0]:%Y-%m}", "sites": row[1]} | dict(
                    zip(kinds_of, row[2:], strict=True)
                )
    return {
        "months": [
            {"month": f"{m:%Y-%m}"} | dict(zip(names, by_month.get(m, [0] * 5), strict=True)) for m in _months(first)
        ],
        "counties": _by_county(by_county, names, using),
        "industries": [
            {"name": name, "name_en": english_labels().get(name, name)} | dict(zip(names, held, strict=True))
            for name, held in sorted(by_industry.items())
        ],
        "sites": sites,
        "total": dict(zip(names, (sum(held[n] for held in by_month.values()) for n in range(5)), strict=True)),
        "clues": clues,
        "stopped": off,
    }  # fmt: skip


def results(*, using: str = "wall") -> dict[str, Any]:
    """What settled clues brought, by kind in the order of the list; ``amount`` in the unit of the kind."""
    with connections[using].cursor() as cursor:
        cursor.execute("select code, amount, clues from wall_result")
        found = {code: (int(amount), clues) for code, amount, clues in cursor.fetchall()}
    return {
        "rows": [
            {
                "code": code, "name": kind.zh, "name_en": kind.en, "unit": kind.unit,
                "amount": found.get(code, (0, 0))[0], "clues": found.get(code, (0, 0))[1],
            }
            for code, kind in kinds().items()
        ],
        "themes": {name: list(theme(name).results) for name in ("recovery", "wages")},
    }  # fmt: skip
