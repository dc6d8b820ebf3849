"""What a rule, or a draft of one, would say on a day: its funnel, what differs from the live hits, what people found.

Nothing is changed but the history of runs.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from django.db import connection, transaction

from chuxiong.accounts.scope import scope
from ingestion import agreements
from ingestion import selectors as ingestion
from supervision.matching import engines, history
from supervision.matching.run import parameters, reach_of, refuse_too_many
from supervision.models import Run
from supervision.rulebook.compiler import compile_rule
from supervision.rulebook.funnel import conditions, funnel_sql
from supervision.rulebook.load import LoadedRule


@dataclass(frozen=True)
class FunnelStep:
    """``yes``, ``no`` and ``undecided`` of a condition, over the linked rows; None elsewhere."""

    step: str
    name: str
    zh: str
    en: str
    rows: int
    yes: int | None = None
    no: int | None = None
    undecided: int | None = None


@dataclass(frozen=True)
class Backtest:
    """``against``: new, gone or same (against the live hits) → what people made of the clue → how many.

    A verdict of people is a clue's outcome once there is one, else its state; "" where there is no clue.
    """

    rule: str
    version: int
    draft: bool
    engine: str
    landing: int
    as_of: date
    hits: int
    undecided: int
    levels: dict[str, int]
    funnel: tuple[FunnelStep, ...]
    against: dict[str, dict[str, int]]
    seconds: float
    #: growth of the process (DuckDB works inside it; Postgres does not), MB
    memory_mb: float
    #: its entry in the history
    run: int = 0
    report: dict[str, Any] = field(default_factory=dict, repr=False)


def work(number: int, rules: Mapping[str, LoadedRule], *, at: datetime) -> None:
    """Do a back-test that was asked for; one that is over is left alone. Raises ``RunStopped``."""
    entry = Run.objects.filter(pk=number, state__in=["waiting", "running"]).first()
    if entry is None:
        return
    rule = rules.get(entry.rule)
    if rule is None:
        Run.objects.filter(pk=number).update(
            state="failed",
            told={"zh": "监督模型已不在模型库中", "en": "The model is in the rulebook no more"},
        )
        return
    asked = history.Asked(entry.asked_by, entry.priority)
    engine: engines.Engine = "duckdb" if entry.engine == "duckdb" else "postgres"
    with transaction.atomic():
        backtest(
            rule,
            at=at,
            as_of=entry.as_of,
            engine=engine,
            asked=asked,
            landing=entry.landing or None,
            entry=entry,
        )


def backtest(
    rule: LoadedRule,
    *,
    at: datetime,
    as_of: date,
    engine: engines.Engine,
    asked: history.Asked,
    landing: int | None = None,
    memory_mb: int | None = None,
    draft: bool = False,
    entry: Run | None = None,
    tell: Callable[[int], None] | None = None,
    look: Callable[[Any], None] | None = None,
) -> Backtest:
    """Needs a transaction. ``landing``: what was known then (default: all that is known now).

    ``tell`` hears the number of each step as it begins; ``look`` gets the cursor while ``run_result`` is there. Raises ``CannotRun`` or ``RunStopped``.
    """
    plan = compile_rule(rule, ingestion.catalog())
    reach = reach_of(rule)
    log = history.Log(
        rule.id, version=rule.version, engine=engine, as_of=as_of, at=at, asked=asked, entry=entry
    )

    def step(number: int) -> None:
        log.step(number)
        if tell is not None:
            tell(number)

    log.mode = "backtest"
    with (
        log,
        scope(
            offices=reach.offices, feeds=plan.fields_read, purpose=reach.purpose, department=reach.department
        ),
        connection.cursor() as cursor,
        ExitStack() as stack,
    ):
        permit = agreements.check(plan.fields_read, on=at.date())
        if not permit.allowed:
            raise engines.CannotRun(
                permit.explain(), "An agreement does not cover what the model reads", "stopped"
            )
        known = ingestion.last_landing()
        landing = known if landing is None else min(landing, known)
        log.begin("backtest", landing)
        began, before = time.perf_counter(), _memory()
        params = parameters(plan, landing, as_of)
        duck = None
        step(1)
        if engine == "duckdb":
            limit = memory_mb or log.budget.memory_mb
            duck = stack.enter_context(engines.columns(plan, reach, landing=landing, memory_mb=limit))
        query = plan.query()
        with log.watched(duck):
            step(2)
            refuse_too_many(cursor, log, plan, params, engine, duck)
            step(3)
            steps = engines.counted(cursor, funnel_sql(query, rule, engine), {**query.params, **params}, duck)
            step(4)
            engines.evaluate(cursor, plan, params, duck)
        step(5)
        verdicts, levels = _verdicts(cursor)
        found = Backtest(
            rule=rule.id,
            version=rule.version,
            draft=draft,
            engine=engine,
            landing=landing,
            as_of=as_of,
            hits=verdicts.get("hit", 0),
            undecided=verdicts.get("undecided", 0),
            levels=levels,
            funnel=_named(rule, list(steps)),
            against=_against(cursor, rule.id),
            seconds=round(time.perf_counter() - began, 3),
            memory_mb=round(max(0.0, _memory() - before), 1),
            run=log.run.pk if log.run else 0,
        )
        if look is not None:
            look(cursor)
        cursor.execute("drop table run_result")
        log.close(
            "done",
            landing,
            subjects=found.hits + found.undecided,
            hits=found.hits,
            undecided=found.undecided,
            report={
                "draft": draft,
                "levels": levels,
                "funnel": [vars(step) for step in found.funnel],
                "against": found.against,
                "memory_mb": found.memory_mb,
            },
        )
    return found


def _memory() -> float:
    """The most this process has held so far, MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _verdicts(cursor: Any) -> tuple[dict[str, int], dict[str, int]]:
    cursor.execute("select verdict, level, count(*) from run_result group by verdict, level order by 1, 2")
    verdicts: dict[str, int] = {}
    levels: dict[str, int] = {}
    for verdict, level, count in cursor.fetchall():
        verdicts[verdict] = verdicts.get(verdict, 0) + count
        if level:
            levels[level] = count
    return verdicts, levels


_WORDS = {
    "linked": ("关联后的组合", "Linked rows"),
    "kept": ("未被排除（成立或未定）", "Not ruled out"),
    "true": ("全部条件成立", "All conditions true"),
    "clusters": ("归并为事件", "Occurrences"),
    "subjects": ("归并为对象", "Subjects"),
}


def _named(rule: LoadedRule, rows: list[tuple[Any, ...]]) -> tuple[FunnelStep, ...]:
    told = {name: (zh, en) for name, zh, en in conditions(rule)}
    told |= {alias: (source.zh, source.en) for alias, source in rule.sources.items()}
    steps = []
    for _, step, name, count, yes, no, undecided in rows:
        zh, en = _WORDS[step] if step in _WORDS else told[name]
        steps.append(FunnelStep(step, name, zh, en, count, yes, no, undecided))
    return tuple(steps)


def _against(cursor: Any, rule: str) -> dict[str, dict[str, int]]:
    """The computed hits beside the live ones, by what became of the newest clue of each."""
    cursor.execute(
        "select case when h.id is null then 'new' when r.subject_ref is null then 'gone' else 'same' end,"
        " coalesce(c.verdict, ''), count(*)"
        " from (select * from run_result where verdict = 'hit') r"
        " full join (select * from supervision_hit where rule = %(rule)s and verdict = 'hit') h"
        " on h.subject_ref = r.subject_ref and h.bucket = r.bucket and h.subject_kind = r.subject_kind"
        " left join lateral (select coalesce(nullif(k.outcome, ''), k.state) as verdict from supervision_clue k"
        "  where k.rule = %(rule)s and k.subject_ref = coalesce(h.subject_ref, r.subject_ref)"
        "  and k.bucket = coalesce(h.bucket, r.bucket) and k.subject_kind = coalesce(h.subject_kind, r.subject_kind)"
        "  order by k.episode desc limit 1) c on true"
        " group by 1, 2 order by 1, 2",
        {"rule": rule},
    )
    found: dict[str, dict[str, int]] = {"new": {}, "gone": {}, "same": {}}
    for kind, verdict, count in cursor.fetchall():
        found[kind][verdict] = count
    return found
