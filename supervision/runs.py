"""The history of runs as others read it, and the request to stop one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connections, transaction
from django.db.models import Count

from chuxiong.accounts.models import Person
from chuxiong.accounts.refused import Refused
from chuxiong.audit.record import record
from chuxiong.work.jobs import enqueue
from supervision.matching.budgets import BUDGETS, Budget, Mode
from supervision.matching.history import BACKTEST_STEPS as BACKTEST_STEPS
from supervision.matching.history import LIVES, landing_of
from supervision.models import Run

PAGE = 30
#: a run that is entered as running but whose process is gone
LOST = "lost"
STATES = (*Run.State.values, LOST)


@dataclass(frozen=True)
class RunFilters:
    """An empty text stands for all."""

    rule: str = ""
    mode: str = ""
    engine: str = ""
    state: str = ""


@dataclass(frozen=True)
class RunPage:
    """``counts``: runs per state within the other filters; ``living``: numbers of runs that are under way."""

    rows: list[Run]
    total: int
    page: int
    pages: int
    counts: Mapping[str, int]
    living: frozenset[int]


def runs(filters: RunFilters, page: int = 1, *, using: str = "default", size: int = PAGE) -> RunPage:
    """Newest first; a run's ``state`` is ``lost`` where its process is gone."""
    living = _living(using)
    found = Run.objects.using(using).defer("report")
    for name in ("rule", "mode", "engine"):
        if value := getattr(filters, name):
            found = found.filter(**{name: value})
    per_state = dict(found.order_by().values_list("state").annotate(n=Count("pk")))
    under_way = found.filter(state="running", pk__in=living).count()
    counts = Counter(per_state)
    counts[LOST] = counts["running"] - under_way
    counts["running"] = under_way
    if filters.state == LOST:
        found = found.filter(state="running").exclude(pk__in=living)
    elif filters.state == "running":
        found = found.filter(state="running", pk__in=living)
    elif filters.state:
        found = found.filter(state=filters.state)
    total = counts[filters.state] if filters.state else sum(counts.values())
    pages = max(1, -(-total // size))
    page = min(max(page, 1), pages)
    rows = [_with_state(run, living) for run in found[(page - 1) * size : page * size]]
    return RunPage(rows, total, page, pages, counts, living)


def run_detail(number: int, *, using: str = "default") -> Run | None:
    run = Run.objects.using(using).filter(pk=number).first()
    return _with_state(run, _living(using)) if run else None


def budget(run: Run) -> Budget:
    """What it may take."""
    modes: dict[str, Mode] = {
        "subjects": "subjects",
        "full": "full",
        "backtest": "backtest",
        "compare": "compare",
    }
    return BUDGETS.of(modes[run.mode])


def rules_that_ran(*, using: str = "default") -> list[str]:
    """Ids of rules with an entry, in order."""
    return sorted(Run.objects.using(using).order_by().values_list("rule", flat=True).distinct())


def ask(
    person: Person,
    rule: str,
    *,
    engine: str,
    as_of: date,
    known_on: date | None,
    at: datetime,
    version: int,
) -> int:
    """Ask for a back-test: what the rule would say on ``as_of`` by what had landed by ``known_on`` (now).

    Returns the number of its entry. Raises ``Refused`` when nothing had landed by then, or the same waits already.
    """
    with transaction.atomic():
        landing = landing_of(known_on) if known_on else 0
        if known_on and not landing:
            raise Refused(
                f"到 {known_on:%Y-%m-%d} 还没有任何数据入库，请改选更晚的日期",
                f"Nothing had landed by {known_on:%Y-%m-%d}; choose a later day",
            )
        same = Run.objects.filter(
            rule=rule,
            mode="backtest",
            engine=engine,
            as_of=as_of,
            landing=landing,
            state="waiting",
            cancel_at=None,
        ).first()
        if same is not None:
            raise Refused(
                f"同样的回测（运行 {same.pk}）已在等待",
                f"The same back-test (run {same.pk}) is waiting already",
            )
        run = Run.objects.create(
            rule=rule, version=version, mode="backtest", engine=engine, state="waiting", landing=landing, as_of=as_of,
            priority=7, asked_by=person.name[:60], started_at=at,
        )  # fmt: skip
        enqueue("backtest", str(run.pk), {"run": run.pk}, priority=7)
        record(
            at=at,
            actor=person.username,
            office=person.office_id or "",
            action="run.ask",
            object_kind="run",
            object_ref=str(run.pk),
            detail={"rule": rule, "engine": engine, "as_of": as_of.isoformat()},
        )
    return run.pk


def cancel(person: Person, number: int, *, at: datetime) -> None:
    """Ask a run that waits or is under way to stop; raises ``Refused`` for one that is over."""
    with transaction.atomic():
        run = Run.objects.select_for_update().filter(pk=number).first()
        if run is None or not (
            run.state == "waiting" or (run.state == "running" and number in _living("default"))
        ):
            raise Refused("运行已结束，无需取消", "The run is over; there is nothing to cancel")
        if run.cancel_at is not None:
            return
        run.cancel_by, run.cancel_at = person.name[:60], at
        run.save(update_fields=["cancel_by", "cancel_at"])
        record(
            at=at,
            actor=person.username,
            office=person.office_id or "",
            action="run.cancel",
            object_kind="run",
            object_ref=str(number),
            detail={"rule": run.rule},
        )


def _with_state(run: Run, living: frozenset[int]) -> Run:
    if run.state == "running" and run.pk not in living:
        run.state = LOST
    return run


def _living(using: str) -> frozenset[int]:
    """Runs whose transaction is open: each holds a lock that goes with it, however it ends."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "select objid::bigint from pg_locks where locktype = 'advisory' and classid = %s and objsubid = 2"
            " and database = (select oid from pg_database where datname = current_database())",
            [LIVES],
        )
        return frozenset(row[0] for row in cursor.fetchall())
