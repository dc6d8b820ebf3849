"""Runs one rule: bring its hits up to the latest landing, then bring the clues in line. Set-based.

One transaction: a killed run leaves nothing, a repeated run changes nothing.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from chuxiong.accounts.scope import all_offices, scope
from ingestion import agreements
from ingestion import selectors as ingestion
from supervision.clues.events import CluesRaised, announce
from supervision.drafts.book import bring_in
from supervision.matching import engines, history, release
from supervision.matching.clues import bring_in_line
from supervision.models import RuleState
from supervision.reference import REFERENCE
from supervision.rulebook.compiler import Plan, compile_rule
from supervision.rulebook.funnel import pairs_sql
from supervision.rulebook.load import LoadedRule
from supervision.rulebook.query import Query
from supervision.selectors import rulebook

logger = logging.getLogger(__name__)
_NOBODY = history.Asked()


@dataclass(frozen=True)
class RunResult:
    """What one run did. ``mode`` is full, subjects or idle."""

    rule: str
    mode: str
    landing: int
    subjects: int
    changed: int
    removed: int
    raised: int
    withdrawn: int
    source_changed: int


def run_rule(
    rule_id: str,
    *,
    at: datetime,
    as_of: date,
    full: bool = False,
    engine: engines.Engine = "postgres",
    asked: history.Asked = _NOBODY,
) -> RunResult:
    """Bring one live rule up to date.

    ``full`` recomputes everything, and so does any engine but Postgres; otherwise only subjects that were touched since
    the last run, whose due date has come, or whose verdict waited for coverage that has moved. Raises
    ``history.RunStopped`` when somebody cancels it or it goes over its budget.
    """
    at = timezone.localtime(at)
    bring_in()
    rule = rulebook()[rule_id]
    plan = compile_rule(rule, ingestion.catalog())
    log = history.Log(rule_id, version=rule.version, engine=engine, as_of=as_of, at=at, asked=asked)
    with log, transaction.atomic():
        return _run(log, rule, plan, at=at, as_of=as_of, full=full or engine != "postgres", engine=engine)


def reach_of(rule: LoadedRule) -> engines.Reach:
    """What a run of the rule reads: all offices; sealed rows are there for the rules of their own domain alone."""
    purpose = REFERENCE.purpose(rule.domain) or agreements.PURPOSE
    return engines.Reach(tuple(all_offices()), purpose, REFERENCE.closed_to(rule.domain))


def _run(
    log: history.Log,
    rule: LoadedRule,
    plan: Plan,
    *,
    at: datetime,
    as_of: date,
    full: bool,
    engine: engines.Engine,
) -> RunResult:
    state = RuleState.objects.select_for_update().get(pk=rule.id)
    permit = agreements.check(plan.fields_read, on=as_of)
    if not permit.allowed:
        return _stop(log, state, permit.explain())
    reach = reach_of(rule)
    with scope(
        offices=reach.offices, feeds=plan.fields_read, purpose=reach.purpose, department=reach.department
    ):
        landing = ingestion.last_landing()
        complete = full or state.read_digest != rule.digest
        params = parameters(plan, landing, as_of)
        with connection.cursor() as cursor:
            subjects = -1 if complete else choose_subjects(cursor, plan, rule.id, state, landing, as_of)
            if subjects == 0:
                _advance(state, rule, landing, as_of, at)
                return RunResult(rule.id, "idle", landing, 0, 0, 0, 0, 0, 0)
            if complete:
                log.begin("full", landing)
            compute(cursor, log, plan, params, reach, landing, engine, complete)
            removed = replace_hits(cursor, rule.id, landing, complete)
            release.hold_back(cursor, rule.id, as_of=as_of)
            line = bring_in_line(cursor, rule, landing=landing, at=at)
            cursor.execute("select (select count(*) from run_changed), (select count(*) from run_result)")
            changed, results = cursor.fetchone()
            release.count_held(cursor, rule.id, as_of=as_of, at=at)
            cursor.execute("drop table run_result; drop table run_changed; drop table if exists run_subjects")
    _advance(state, rule, landing, as_of, at)
    log.close(
        "done",
        landing,
        subjects=results if complete else subjects,
        changed=changed,
        raised=line.raised,
        withdrawn=line.withdrawn,
        source_changed=line.source_changed,
        hits=state.hits,
        undecided=state.undecided,
    )
    if line.raised or line.withdrawn or line.source_changed:
        raised = CluesRaised(rule.id, line.raised)
        transaction.on_commit(lambda: announce(raised))
    result = RunResult(
        rule.id,
        "full" if complete else "subjects",
        landing,
        max(subjects, 0),
        changed,
        removed,
        line.raised,
        line.withdrawn,
        line.source_changed,
    )
    logger.info(
        "rule %s %s at landing %s: %s raised, %s withdrawn, %s marked",
        rule.id,
        result.mode,
        landing,
        line.raised,
        line.withdrawn,
        line.source_changed,
    )
    return result


def compute(
    cursor: Any,
    log: history.Log,
    plan: Plan,
    params: dict[str, Any],
    reach: engines.Reach,
    landing: int,
    engine: engines.Engine,
    complete: bool,
) -> None:
    """Fill ``run_result``, watched; a run over everything first looks how many pairs its links make."""
    with ExitStack() as stack:
        duck = None
        if engine == "duckdb":
            duck = stack.enter_context(
                engines.columns(plan, reach, landing=landing, memory_mb=log.budget.memory_mb)
            )
        with log.watched(duck):
            if complete:
                refuse_too_many(cursor, log, plan, params, engine, duck)
            engines.evaluate(cursor, plan, params, duck, scope="full" if complete else "subjects")


def refuse_too_many(
    cursor: Any,
    log: history.Log,
    plan: Plan,
    params: dict[str, Any],
    engine: engines.Engine,
    duck: Any,
) -> None:
    """Only a link to plain rows multiplies: a combined source has one row per key."""
    if not any(plan.rule.sources[link.right.split(".")[0]].any_of is None for link in plan.rule.link):
        return
    query = plan.query()
    sql = pairs_sql(query, log.budget.pairs, engine)
    ((pairs,),) = engines.counted(cursor, sql, {**query.params, **params}, duck)
    if pairs > log.budget.pairs:
        raise history.too_many_pairs(log.budget)


def _stop(log: history.Log, state: RuleState, why: str) -> RunResult:
    """A lapsed agreement suspends the rule and says so; nothing is recomputed and nothing withdrawn."""
    if state.stopped_zh != why:
        log.close(
            "stopped", state.landing, told={"zh": why, "en": "An agreement does not cover what it reads"}
        )
        state.stopped_zh = why
        state.save(update_fields=["stopped_zh"])
        logger.warning("rule %s is suspended: an agreement does not cover it", state.pk)
    return RunResult(state.pk, "stopped", state.landing, 0, 0, 0, 0, 0, 0)


def parameters(plan: Plan, landing: int, as_of: date) -> dict[str, Any]:
    covers = ingestion.covered_until(plan.feeds_absent, landing=landing)
    return {"landing": landing, "as_of": as_of, **{f"covers_{feed}": day for feed, day in covers.items()}}


def choose_subjects(
    cursor: Any, plan: Plan, rule_id: str, state: RuleState, landing: int, as_of: date
) -> int:
    """Fill ``run_subjects``; returns how many."""
    cursor.execute("create temp table run_subjects (subject_ref text primary key) on commit drop")
    if landing > state.landing:
        affected = plan.affected()
        _fill(cursor, affected, {"since": state.landing, "landing": landing})
    if plan.feeds_absent and plan.feeds_absent & ingestion.landed_feeds(since=state.landing, until=landing):
        # Coverage has moved: what waited for it may now be decided.
        _add(
            cursor,
            "select subject_ref from supervision_hit where rule = %s and verdict = 'undecided'",
            [rule_id],
        )
    due = plan.due()
    if due and state.as_of and state.as_of != as_of:
        first, last = sorted((state.as_of, as_of))
        _fill(cursor, due, {"due_from": first, "due_to": last})
    if state.as_of != as_of:
        _add(
            cursor,
            "select subject_ref from supervision_hit where rule = %s and next_due <= %s",
            [rule_id, as_of],
        )
        if state.as_of and as_of < state.as_of:
            # The clock was set back: everything that rests on a date is looked at again.
            _add(cursor, "select subject_ref from supervision_hit where rule = %s", [rule_id])
    cursor.execute("analyze run_subjects; select count(*) from run_subjects")
    return int(cursor.fetchone()[0])


def _fill(cursor: Any, query: Query, params: dict[str, Any]) -> None:
    cursor.execute(
        f"insert into run_subjects select distinct subject_ref from ({query.sql}) a where subject_ref is not null"
        " on conflict do nothing",
        {**query.params, **params},
    )


def _add(cursor: Any, select: str, params: list[Any]) -> None:
    cursor.execute(
        f"insert into run_subjects select distinct subject_ref from ({select}) a on conflict do nothing",
        params,
    )


_SAME = "(h.verdict, h.level, h.county, h.material, h.conditions, h.evidence, h.next_due, h.members)"
_NEW = "(r.verdict, r.level, r.county, r.material, r.conditions, r.evidence, r.next_due, r.members)"


def replace_hits(cursor: Any, rule_id: str, landing: int, complete: bool) -> int:
    """Diff result against stored hits into ``run_changed`` (before and after), then store. Returns removals."""
    within = "" if complete else " and h.subject_ref in (select subject_ref from run_subjects)"
    match = "h.subject_ref = r.subject_ref and h.bucket = r.bucket and h.subject_kind = r.subject_kind"
    cursor.execute(
        "create temp table run_changed on commit drop as"
        " select r.subject_kind, r.subject_ref, r.bucket, r.verdict, r.level, r.county, r.material, r.conditions,"
        " r.evidence, r.next_due, r.members, h.verdict as old_verdict, h.material as old_material"
        f" from run_result r left join supervision_hit h on h.rule = %(rule)s and {match}"
        f" where h.id is null or {_SAME} is distinct from {_NEW}"
        " union all"
        " select h.subject_kind, h.subject_ref, h.bucket, null, h.level, h.county, h.material, h.conditions,"
        " h.evidence, null, h.members, h.verdict, h.material"
        f" from supervision_hit h where h.rule = %(rule)s{within}"
        f" and not exists (select 1 from run_result r where {match})",
        {"rule": rule_id},
    )
    cursor.execute(
        "delete from supervision_hit h using run_changed r"
        f" where h.rule = %s and {match} and r.verdict is null",
        [rule_id],
    )
    removed = int(cursor.rowcount)
    cursor.execute(
        "insert into supervision_hit (rule, subject_kind, subject_ref, bucket, verdict, level, county, material,"
        " conditions, evidence, next_due, members, landing)"
        " select %s, subject_kind, subject_ref, bucket, verdict, level, county, material, conditions, evidence,"
        " next_due, members, %s from run_changed where verdict is not null"
        " on conflict (rule, subject_ref, bucket, subject_kind) do update set verdict = excluded.verdict,"
        " level = excluded.level, county = excluded.county, material = excluded.material,"
        " conditions = excluded.conditions, evidence = excluded.evidence, next_due = excluded.next_due,"
        " members = excluded.members, landing = excluded.landing",
        [rule_id, landing],
    )
    return removed


def _advance(state: RuleState, rule: LoadedRule, landing: int, as_of: date, at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) filter (where verdict = 'hit'), count(*) filter (where verdict = 'undecided')"
            " from supervision_hit where rule = %s",
            [state.pk],
        )
        state.hits, state.undecided = cursor.fetchone()
    state.read_digest, state.landing, state.as_of, state.ran_at, state.stopped_zh = (
        rule.digest,
        landing,
        as_of,
        at,
        "",
    )
    state.save()
