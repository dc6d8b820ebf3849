"""Brings the order of the queue up to date: only clues whose facts, whose kind's chance or whose day changed.

One at a time and in small pieces, each a transaction of its own; a line that somebody is writing is left for the next
piece, so nobody who works on a clue waits for the order.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.conf import settings
from django.db import connection, transaction

from chuxiong.accounts.scope import all_offices, scope
from ingestion import selectors as ingestion
from supervision import selectors as supervision
from supervision.models import RankCell
from supervision.ranking import expected
from supervision.ranking.expected import Checks, Kind

logger = logging.getLogger(__name__)

#: lines of one transaction
PIECE = 2000
_GRADE = "r.sources || case when r.tier = '' then '' else ':' || r.tier end"
_COUNTED = "checked_at is not null and not personal and not exercise"
_RAISED_ON = f"(r.raised_at at time zone '{settings.TIME_ZONE}')::date"


@dataclass(frozen=True)
class Refreshed:
    """How many lines were reckoned anew, how many kinds were counted, whether more wait."""

    lines: int
    cells: int
    more: bool


def refresh(*, today: date, whole: bool = False) -> Refreshed:
    """One piece of the work. ``whole`` counts the checks of every rule, whatever the lines say."""
    with transaction.atomic(), scope(offices=all_offices()), connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext('supervision_rank'))")
        cells = _count(cursor, whole)
        chosen = _choose(cursor, today)
        again = False
        if chosen:
            _stage(cursor, chosen)
            again = _place(cursor, today)
    return Refreshed(len(chosen), cells, again or len(chosen) >= PIECE)


def waits(*, today: date) -> bool:
    """Whether any line is out of order."""
    with scope(offices=all_offices()), connection.cursor() as cursor:
        cursor.execute(
            "select exists (select from supervision_cluerank where dirty <> 0)"
            " or exists (select from supervision_cluerank where stale_on <= %s)"
            " or exists (select from supervision_rankcell where pending)",
            [today],
        )
        return bool(cursor.fetchone()[0])


def bring_up_to_date(*, today: date, whole: bool = False, most: int = 10_000) -> int:
    """Pieces until nothing waits; how many lines were reckoned."""
    lines = 0
    for turn in range(most):
        done = refresh(today=today, whole=whole and turn == 0)
        lines += done.lines
        if not done.more:
            break
    return lines


def _count(cursor: Any, whole: bool) -> int:
    """Count the checks of rules in which one was concluded or struck; mark kinds whose chance moved."""
    if whole:
        cursor.execute(f"select distinct model from supervision_cluerank where {_COUNTED}")
    else:
        cursor.execute("select distinct model from supervision_cluerank where dirty & 2 <> 0")
    models = [model for (model,) in cursor.fetchall()]
    if models:
        cursor.execute(
            "update supervision_cluerank set dirty = dirty & 1 where clue_id in"
            " (select clue_id from supervision_cluerank where dirty & 2 <> 0 for update skip locked)"
        )
        cursor.execute(
            f"select model, version, office, {_GRADE}, count(*), count(*) filter (where confirmed)"
            f" from supervision_cluerank r where {_COUNTED} and model = any (%s) group by 1, 2, 3, 4",
            [models],
        )
        _write_counts(cursor, models, {tuple(k): (n, yes) for *k, n, yes in cursor.fetchall()})
        _reckon_chances()
    return len(models)


def _write_counts(cursor: Any, models: list[str], counts: dict[Any, tuple[int, int]]) -> None:
    cursor.execute(
        "update supervision_rankcell set checked = 0, confirmed = 0 where model = any (%s)", [models]
    )
    start = expected.spec().prior.chance
    rows = [
        {"model": m, "version": v, "office": o, "grade": g, "checked": n, "confirmed": yes}
        for (m, v, o, g), (n, yes) in counts.items()
    ]
    cursor.execute(
        "insert into supervision_rankcell (model, version, office, grade, checked, confirmed, chance, used, pending)"
        " select model, version, office, grade, checked, confirmed, %s, %s, false"
        " from jsonb_to_recordset(%s::jsonb) as x(model text, version int, office text, grade text, checked int,"
        " confirmed int) on conflict (model, version, office, grade)"
        " do update set checked = excluded.checked, confirmed = excluded.confirmed",
        [start, start, json.dumps(rows)],
    )


def _reckon_chances() -> None:
    cells = list(RankCell.objects.all())
    checks = past_checks(cells)
    tolerance = expected.spec().tolerance.value
    moved = []
    for cell in cells:
        chance = checks.chance(kind_of(cell))
        if chance == cell.chance:
            continue
        cell.chance = chance
        if abs(chance - cell.used) > tolerance:
            cell.used, cell.pending = chance, True
        moved.append(cell)
    RankCell.objects.bulk_update(moved, ["chance", "used", "pending"], batch_size=500)


def past_checks(cells: Iterable[RankCell]) -> Checks:
    return Checks({kind_of(c): (c.checked, c.confirmed) for c in cells if c.checked})


def kind_of(cell: RankCell) -> Kind:
    return cell.model, cell.version, cell.office, cell.grade


def _choose(cursor: Any, today: date) -> list[int]:
    """Lines to reckon: those that changed, those whose day has come, those of kinds whose chance moved."""
    cursor.execute(
        "select clue_id from supervision_cluerank where dirty <> 0 order by clue_id limit %s for update skip locked",
        [PIECE],
    )
    found = [pk for (pk,) in cursor.fetchall()]
    if len(found) < PIECE:
        cursor.execute(
            "select clue_id from supervision_cluerank where stale_on <= %s and clue_id <> all (%s)"
            " limit %s for update skip locked",
            [today, found, PIECE - len(found)],
        )
        found += [pk for (pk,) in cursor.fetchall()]
    cursor.execute("select id, used from supervision_rankcell where pending order by id")
    for cell, used in cursor.fetchall():
        if len(found) >= PIECE:
            break
        cursor.execute(
            "select clue_id from supervision_cluerank where cell = %s and open and chance is distinct from %s"
            " and clue_id <> all (%s) limit %s for update skip locked",
            [cell, used, found, PIECE - len(found)],
        )
        found += [pk for (pk,) in cursor.fetchall()]
        if len(found) < PIECE:
            cursor.execute("update supervision_rankcell set pending = false where id = %s", [cell])
    return found


def _stage(cursor: Any, chosen: list[int]) -> None:
    """``rank_chosen``: the chosen lines with tier, money and kind; a kind met for the first time gets its chance from
    the wider ones."""
    cursor.execute(
        f"""
        create temp table rank_chosen on commit drop as
        select f.*, f.sources || case when f.tier = '' then '' else ':' || f.tier end as grade from (
            select r.clue_id, r.open, r.level, r.model, r.version, r.office, r.sources, r.due_on, r.deferred_until,
                r.rebound, {_RAISED_ON} as raised_on,
                case when c.id is null then r.tier
                    when c.subject_kind not in ('person', 'organisation') or c.subject_ref !~ '^[0-9a-f-]{{36}}$' then ''
                    else coalesce((select nullif(s.tier, '') from supervision_subject s
                        where s.key = c.subject_ref::uuid), 'A')
                end as tier,
                case when c.id is null then r.amount
                    else coalesce((select max(least(case when c.material ->> m.name ~ '^-?[0-9]{{1,15}}([.][0-9]+)?$'
                        then (c.material ->> m.name)::numeric else 0 end, 9e17))
                        from jsonb_to_recordset(%(sums)s::jsonb) as m(model text, name text) where m.model = r.model), 0)
                end::bigint as amount
            from supervision_cluerank r
            left join supervision_clue c on c.id = r.clue_id and r.dirty & 1 <> 0
            where r.clue_id = any (%(chosen)s)
        ) f
        """,
        {"chosen": chosen, "sums": json.dumps(_sums())},
    )
    cursor.execute(
        "select distinct model, version, office, grade from rank_chosen"
        " except select model, version, office, grade from supervision_rankcell"
    )
    fresh = cursor.fetchall()
    if fresh:
        checks = past_checks(RankCell.objects.filter(checked__gt=0))
        RankCell.objects.bulk_create(
            [
                RankCell(model=m, version=v, office=o, grade=g, chance=chance, used=chance)
                for m, v, o, g in fresh
                for chance in [checks.chance((m, v, o, g))]
            ],
            ignore_conflicts=True,
        )


def _place(cursor: Any, today: date) -> bool:
    """Chance, place and next day of the chosen lines. What was checked keeps the chance that it was checked with.

    Returns whether some of them turn out to be checks of another kind, which is then to be counted.
    """
    cursor.execute(
        f"""
        update supervision_cluerank r set tier = f.tier, amount = f.amount, cell = f.cell,
            dirty = case when r.checked_at is not null and f.tier <> r.tier then 2 else 0 end,
            place = {expected.place_sql()}, stale_on = {expected.next_change_sql()},
            chance = case when f.open then f.chance else r.chance end
        from (
            select c.*, coalesce(d.domain, '') as domain, cardinality(string_to_array(c.sources, '+')) as sources_,
                k.id as cell, k.used as chance, %(today)s::date as today
            from rank_chosen c
            join supervision_rankcell k on (k.model, k.version, k.office, k.grade)
                = (c.model, c.version, c.office, c.grade)
            left join jsonb_to_recordset(%(domains)s::jsonb) as d(model text, domain text) on d.model = c.model
        ) f where r.clue_id = f.clue_id returning r.dirty
        """,
        {"today": today, "domains": json.dumps(_domains())},
    )
    again = any(dirty for (dirty,) in cursor.fetchall())
    cursor.execute("drop table rank_chosen")
    return again


def _domains() -> list[dict[str, str]]:
    return [{"model": rule.id, "domain": rule.domain} for rule in supervision.rulebook().values()]


def _sums() -> list[dict[str, str]]:
    """Per rule the measures that sum money up."""
    found = []
    for rule in supervision.rulebook().values():
        for name, measure in rule.measures.items():
            if measure.sum is None:
                continue
            alias, _dot, column = measure.sum.partition(".")
            source = rule.sources.get(alias)
            feeds = [source.feed] if source and source.feed else []
            types = [ingestion.catalog()[f].column(column).type for f in feeds]
            if types == ["money"]:
                found.append({"model": rule.id, "name": name})
    return found
