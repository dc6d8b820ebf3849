"""Hits that raise no clue yet: those of a new rule beyond its present batch, and those of excluded subjects.

They stand among the hits like all others, so nothing is computed twice; when their time comes they become clues by
the same way. A clue that is there already stays: people decide on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from chuxiong.accounts.scope import scope
from ingestion import selectors as ingestion
from supervision.clues.events import CluesRaised, announce
from supervision.matching.clues import bring_in_line
from supervision.models import RuleDraft
from supervision.rulebook.load import LoadedRule

# The engine took a withdrawn clue back itself: it counts as none.
_NO_CLUE = (
    "not exists (select 1 from supervision_clue c where c.rule = %(rule)s and c.subject_kind = {t}.subject_kind"
    " and c.subject_ref = {t}.subject_ref and c.bucket = {t}.bucket and c.state <> 'withdrawn')"
)
_EXCLUDED = (
    "exists (select 1 from supervision_ruleexclusion e where e.rule = %(rule)s and e.ended_at is null"
    " and e.until >= %(as_of)s::date and e.subject_kind = {t}.subject_kind and e.subject_ref = {t}.subject_ref)"
)
#: the gravest first, then by name: the same whoever asks
_FOREMOST = (
    "order by array_position(array['urgent', 'important', 'ordinary'], {t}.level::text),"
    ' {t}.subject_ref collate "C", {t}.bucket collate "C"'
)


@dataclass(frozen=True)
class Released:
    raised: int
    held: int


def hold_back(cursor: Any, rule: str, *, as_of: date) -> None:
    """Take out of ``run_changed`` what raises no clue in this run."""
    params: dict[str, Any] = {"rule": rule, "as_of": as_of}
    cursor.execute(
        "delete from run_changed r where r.verdict = 'hit'"
        f" and {_NO_CLUE.format(t='r')} and {_EXCLUDED.format(t='r')}",
        params,
    )
    under = _under_release(rule)
    if under is None:
        return
    batch, since = under
    cursor.execute(
        "select count(*) from supervision_clue where rule = %(rule)s and raised_at >= %(since)s",
        {**params, "since": since},
    )
    # The first run of a version that raises clues releases one batch; what comes later waits its turn behind it.
    room = batch if cursor.fetchone()[0] == 0 else 0
    cursor.execute(
        "delete from run_changed r using (select h.subject_kind, h.subject_ref, h.bucket, row_number() over"
        f" ({_FOREMOST.format(t='h')}) as n from run_changed h where h.verdict = 'hit' and {_NO_CLUE.format(t='h')}) o"
        " where o.n > %(room)s and (r.subject_kind, r.subject_ref, r.bucket) = (o.subject_kind, o.subject_ref, o.bucket)",
        {**params, "room": room},
    )


def _under_release(rule: str) -> tuple[int, datetime] | None:
    """How many clues of the rule are released at a time, and since when; None where all are at once."""
    published = RuleDraft.objects.filter(rule=rule, state="published", batch__gt=0, released_at=None)
    found = published.values_list("batch", "approved_at").first()
    # What is published was approved: the database demands it.
    return (found[0], found[1]) if found and found[1] else None


def count_held(cursor: Any, rule: str, *, as_of: date, at: datetime) -> int:
    """Note how many hits wait for their release; when none does, later ones are raised at once."""
    if _under_release(rule) is None:
        return 0
    cursor.execute(
        "select count(*) from supervision_hit h where h.rule = %(rule)s and h.verdict = 'hit'"
        f" and {_NO_CLUE.format(t='h')} and not {_EXCLUDED.format(t='h')}",
        {"rule": rule, "as_of": as_of},
    )
    held = int(cursor.fetchone()[0])
    RuleDraft.objects.filter(rule=rule, state="published").update(held=held, released_at=None if held else at)
    return held


def raise_held(rule: LoadedRule, reach: Any, *, at: datetime, as_of: date) -> Released:
    """Make clues of hits that have none and are not excluded: of a rule under release the next batch, else all."""
    under = _under_release(rule.id)
    with (
        transaction.atomic(),
        scope(
            offices=reach.offices,
            feeds=ingestion.catalog(),
            purpose=reach.purpose,
            department=reach.department,
        ),
        connection.cursor() as cursor,
    ):
        cursor.execute("select 1 from supervision_rulestate where rule = %s for update", [rule.id])
        cursor.execute(
            "create temp table run_changed on commit drop as select h.subject_kind, h.subject_ref, h.bucket, h.verdict,"
            " h.level, h.county, h.material, h.conditions, h.evidence, h.next_due, h.members,"
            " null::varchar as old_verdict, null::jsonb as old_material from supervision_hit h"
            f" where h.rule = %(rule)s and h.verdict = 'hit' and {_NO_CLUE.format(t='h')}"
            f" and not {_EXCLUDED.format(t='h')} {_FOREMOST.format(t='h')} limit %(most)s",
            {"rule": rule.id, "as_of": as_of, "most": under[0] if under else None},
        )
        line = bring_in_line(cursor, rule, landing=ingestion.last_landing(), at=at)
        cursor.execute("drop table run_changed")
        held = count_held(cursor, rule.id, as_of=as_of, at=at)
        if line.raised:
            raised = CluesRaised(rule.id, line.raised)
            transaction.on_commit(lambda: announce(raised))
    return Released(line.raised, held)
