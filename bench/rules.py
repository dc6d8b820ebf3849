"""How fast rules run: compiled against hand-written SQL on each engine, pandas and polars beside; new rows; a county.

``make bench BENCH=rules``: 5 million payments × 200,000 deaths and 200,000 sentences (a join with groups, one with windows
of time, a sliding count), interleaved; 10,000 new payments to their clues; all live rules in full over the demo county.
Every engine must find the same hits.
"""

from __future__ import annotations

import argparse
import logging
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from bench.desk import prepare
from bench.report import Figure, at_most, write
from bench.rules_by_hand import BARE, COLUMNS, SLIDING, TODAY
from bench.search import COUNTIES

FEEDS = list(COLUMNS)
#: seconds from new rows to clues, and of all rules over a county
NEW_ROWS, COUNTY = 1.0, 60.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.rules")
    parser.add_argument("--payments", type=int, default=5_000_000)
    parser.add_argument("--people", type=int, default=400_000)
    parser.add_argument("--others", type=int, default=200_000, help="deaths, and sentences")
    parser.add_argument("--new", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--scale", choices=["none", "small", "county", "prefecture"], default="county")
    parser.add_argument("--only", choices=["contest", "new", "county"], help="one part alone")
    parser.add_argument("--seed", type=int, default=secrets.randbits(31))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    from chuxiong.up import services

    load, folder = os.getloadavg()[0], Path(tempfile.mkdtemp(prefix="cx-bench-"))
    running = services.start(folder)
    try:
        from django.core.management import call_command

        prepare(running.environment | {"CHUXIONG_VAR": str(folder)})
        logging.disable(logging.INFO)
        with _as("owner"), open(os.devnull, "w") as nowhere:
            call_command("demo", "seed", stdout=nowhere)
        with _as("worker"):
            figures = list(_all(options, folder))
    finally:
        from django.db import connections

        connections.close_all()
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(running.postgres.sockets, ignore_errors=True)
    notes = {name: getattr(options, name) for name in ("seed", "payments", "people", "others", "scale")}
    return write("rules", figures, notes={**notes, "load_before": round(load, 2)})


@contextmanager
def _as(role: str) -> Iterator[None]:
    """``default`` is the role's connection, as in a process of its own."""
    from django.db import connections

    before = connections["default"]
    connections["default"] = connections[role]
    try:
        yield
    finally:
        connections["default"] = before


def _all(options: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    def asked(part: str) -> bool:
        return options.only in (None, part)

    if options.scale != "none" and asked("county"):
        yield from _county(options, folder)
    if asked("contest") or asked("new"):
        with _timed(f"{options.payments:,} payments filled in") as filled:
            _fill(options)
        yield filled[0]
    if asked("contest"):
        yield from _against(options)
    if asked("new"):
        yield from _new_rows(options)


# ---- data ----------------------------------------------------------------------------------------


def _fill(options: argparse.Namespace) -> None:
    """Payments of ``people``; of the dead and the sentenced one in fifty is among them."""
    from django.db import connections

    months = max(1, options.payments // options.people)
    other = "md5('{0}' || case when g % 50 = 0 then (random() * %(people)s)::int else -g end)::uuid"
    # A person's payments come from one county.
    bare = (
        "decode(md5('{0}' || g), 'hex'), '\\x00'::bytea, 1, g, {1}, null,"
        " (%(counties)s::text[])[1 + mod(g / %(m)s, 10)]"
    )
    first = "natural_hash, row_hash, batch_id, row_no, from_landing, to_landing, county"
    landing = _land("hr_pension_payment")
    given: dict[str, Any] = {
        "people": options.people,
        "others": options.others,
        "payments": options.people * months,
    }
    given |= {"m": months, "counties": COUNTIES}
    statements = {
        "hr_pension_payment": (
            f"({first}, citizen_id, person_name, insurance_type, pay_month, survival_check_date, amount_cny, recovered_cny,"
            " pay_status)"
            f" select {bare.format('y', landing)}, md5('p' || g / %(m)s)::uuid, '甲' || g / %(m)s, '110',"
            " (date '2026-01-01' - make_interval(months => g %% %(m)s))::date,"
            " (date '2026-01-15' - make_interval(months => g %% %(m)s))::date, 100000 + (random() * 110000)::int,"
            " case when random() < 0.02 then 400000 end, case when random() < 0.02 then '暂停' else '正常' end"
            " from generate_series(1, %(payments)s) g"
        ),
        "ps_population_death": (
            f"({first}, citizen_id, household_status, death_date)"
            f" select {bare.format('d', landing)}, {other.format('p')}, case when g % 20 = 0 then '在籍' else '死亡注销' end,"
            " case when random() < 0.99 then date '2026-01-01' - (random() * 1500)::int end"
            " from generate_series(1, %(others)s) g"
        ),
        "ca_funeral": (
            f"({first}, citizen_id, death_date) select {bare.format('f', landing)}, {other.format('p')},"
            " date '2026-01-01' - (random() * 1500)::int from generate_series(1, %(others)s / 2) g"
        ),
        "ja_penalty_execution": (
            f"({first}, citizen_id, person_category, is_minor, start_date, end_date)"
            f" select {bare.format('s', landing)}, {other.format('p')}, '监狱服刑', false, day, day + (random() * 900)::int"
            " from (select g, date '2026-01-01' - (random() * 1500)::int as day"
            " from generate_series(1, %(others)s) g) s"
        ),
    }
    with connections["owner"].cursor() as cursor:
        cursor.execute("select setseed(%s)", [options.seed / 2**31])
        for feed, statement in statements.items():
            cursor.execute(f'truncate pool."{feed}"')
            sql = f'insert into pool."{feed}" {statement}'
            cursor.execute(sql.replace("g % ", "g %% ").replace("%%%", "%%"), given)
            cursor.execute(f'vacuum analyze pool."{feed}"')


def _land(feed: str) -> int:
    """A landing of the feed that covers everything, without files; its number."""
    from django.utils import timezone

    from ingestion.models import Batch, Landing

    number = (Landing.objects.using("owner").order_by("-number").first() or Landing(number=0)).number + 1
    batch = Batch.objects.using("owner").create(
        feed=feed, file_name="bench", digest=f"bench {number}", size=1, received_at=timezone.now(), received_by="bench"
    )  # fmt: skip
    Landing.objects.using("owner").create(
        number=number, feed=feed, batch=batch, landed_at=timezone.now(), covers_until=TODAY
    )
    return number


# ---- compiled against hand-written -----------------------------------------------------------------


def _against(options: argparse.Namespace) -> Iterator[Figure]:
    """Each rule on both engines, beside what a person would write for them."""
    from django.db import connection, transaction
    from django.utils import timezone

    from bench.rules_contest import Contest
    from chuxiong.accounts.scope import scope
    from ingestion import selectors as ingestion
    from ingestion.mirror import writing
    from supervision.matching import engines
    from supervision.matching.run import parameters, reach_of
    from supervision.rulebook.compiler import compile_rule

    with _timed("mirror written") as mirrored:
        for feed in FEEDS:
            writing.bring_up(feed, ingestion.catalog(), at=timezone.now(), rebuild=True)
    yield mirrored[0]
    landing = ingestion.last_landing()
    for rule in _rules().values():
        plan, reach = compile_rule(rule, ingestion.catalog()), reach_of(rule)
        with (
            transaction.atomic(),
            scope(offices=reach.offices, feeds=FEEDS, purpose=reach.purpose, department=reach.department),
            connection.cursor() as cursor,
            engines.columns(plan, reach, landing=landing, memory_mb=2048) as duck,
        ):
            contest = Contest(plan, parameters(plan, landing, TODAY), cursor, duck)
            yield from contest.run(options.runs)


def _rules() -> dict[str, Any]:
    from ingestion.selectors import catalog
    from supervision.rulebook.load import read_rule
    from supervision.selectors import rulebook

    sliding, problems = read_rule(SLIDING, "bench", catalog())
    assert sliding is not None, problems
    shipped = {name: rulebook()[name] for name in BARE if name != sliding.id}
    return {**shipped, sliding.id: sliding}


# ---- new rows, a county ------------------------------------------------------------------------------


def _new_rows(options: argparse.Namespace) -> Iterator[Figure]:
    """From a landing of new payments to the clues that they raise: the run that its bell starts."""
    from django.db import connections
    from django.utils import timezone

    from ingestion.intake import merge
    from ingestion.selectors import catalog
    from supervision.matching.run import run_rule

    rule, feed = "pension_after_death", "hr_pension_payment"
    began = time.perf_counter()
    run_rule(rule, at=timezone.now(), as_of=TODAY, full=True)
    yield Figure("full run with its clues", round(time.perf_counter() - began, 2), "s")
    times = []
    for turn in range(options.runs):
        landing = _land(feed)
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                f'insert into pool."{feed}" (natural_hash, row_hash, batch_id, row_no, from_landing, county, citizen_id,'
                " person_name, insurance_type, pay_month, amount_cny, pay_status)"
                " select decode(md5('n' || %(turn)s || ' ' || g), 'hex'), '\\x00', 1, g, %(landing)s, '532301',"
                " md5('p' || (random() * %(people)s)::int)::uuid, '乙', '120', date '2026-05-01', 250000, '正常'"
                " from generate_series(1, %(new)s) g",
                {"turn": turn, "landing": landing, "people": options.people, "new": options.new},
            )
            merge._touch(cursor, catalog()[feed], landing)
        began = time.perf_counter()
        result = run_rule(rule, at=timezone.now(), as_of=TODAY)
        times.append(time.perf_counter() - began)
        if result.mode != "subjects" or not result.changed:
            raise SystemExit(f"new rows changed no hit: {result}")
    yield at_most(f"{options.new} new rows to their clues", round(median(times), 3), "s", NEW_ROWS)


def _county(options: argparse.Namespace, folder: Path) -> Iterator[Figure]:
    """All live rules in full over what the demo's agencies deliver: with their clues, then again by each engine.

    Taken in is all, then identities and relations once; what a centre does besides after each file is left aside.
    """
    from django.core.management import call_command
    from django.db import connections
    from django.utils import timezone

    from chuxiong.demo.deliver import deliver
    from ingestion import selectors as ingestion
    from ingestion.mirror import writing
    from ingestion.mirror.tables import tables
    from ingestion.water.registering import place_from_feeds
    from supervision.relations import deriving
    from supervision.spine.run import bring_up_to_date

    files, catalog = folder / "files", ingestion.catalog()
    with _timed(f"{options.scale}: files written") as written, open(os.devnull, "w") as nowhere:
        call_command("demo", "write", scale=options.scale, seed=options.seed, out=files, stdout=nowhere)
    with _timed(f"{options.scale}: files taken in") as taken:
        batches = deliver(files)
    with _timed(f"{options.scale}: places, identities, relations") as derived:
        place_from_feeds(at=timezone.now())
        bring_up_to_date(at=timezone.now())
        deriving.bring_up_to_date(at=timezone.now())
    # As the server does by itself within minutes.
    with connections["owner"].cursor() as cursor:
        cursor.execute("analyze")
    with _timed(f"{options.scale}: mirror written") as mirrored:
        for name in tables(catalog):
            writing.bring_up(name, catalog, at=timezone.now())
    yield Figure(f"{options.scale}: rows taken in", sum(batch.loaded for batch in batches), "")
    yield from (written[0], taken[0], derived[0], mirrored[0])
    yield _all_rules(f"rules in full with their clues, {options.scale}, postgres", "postgres")
    yield _all_rules(f"rules in full, {options.scale}, postgres", "postgres")
    yield _all_rules(f"rules in full, {options.scale}, duckdb", "duckdb")


def _all_rules(what: str, engine: Any) -> Figure:
    """One after the other in one process; the slowest are named."""
    from django.utils import timezone

    from supervision.matching.run import run_rule
    from supervision.selectors import live_rules

    taken, raised = {}, 0
    for rule in live_rules():
        began = time.perf_counter()
        result = run_rule(rule, at=timezone.now(), as_of=timezone.localdate(), full=True, engine=engine)
        taken[rule], raised = time.perf_counter() - began, raised + result.raised
    slowest = sorted(taken, key=lambda rule: -taken[rule])[:5]
    print(f"{what}: {raised} clues; slowest", ", ".join(f"{r} {taken[r]:.2f} s" for r in slowest), flush=True)
    return at_most(f"{len(taken)} {what}", round(sum(taken.values()), 1), "s", COUNTY)


@contextmanager
def _timed(name: str) -> Iterator[list[Figure]]:
    """The list holds the figure afterwards; it is told at once, because such a step may take minutes."""
    found: list[Figure] = []
    began = time.perf_counter()
    yield found
    found.append(Figure(name, round(time.perf_counter() - began, 1), "s"))
    print(f"{name} {found[0].value} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
