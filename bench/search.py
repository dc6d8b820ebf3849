"""How fast names are found at the desk among a million, under the scope of one office and of the prefecture.

``make bench BENCH=search``; it needs ``../shared/data`` for names and errors of writing. The peer is what a page would do
without the narrow table: pg_trgm on the same names under row-level security, which no index serves (a few queries).
"""

from __future__ import annotations

import argparse
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from bench.desk import prepare
from bench.linkage import firms
from bench.linkage.people import homophones, people, swapped
from bench.report import ROOT, Figure, at_least, at_most, write

SHARED = Path(os.environ.get("CHUXIONG_SHARED", ROOT.parent / "shared"))
PREFECTURE, COUNTIES = (
    "532300",
    [f"5323{n}" for n in ("01", "02", "22", "23", "24", "25", "26", "27", "28", "29")],
)
FEED = {"organisation": "mr_enterprise", "person": "hr_pension_payment", "address": "mr_enterprise"}
#: milliseconds, 95 of 100 queries
TARGET = 100
#: queries of the slow peer
FEW = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.search")
    parser.add_argument("--names", type=int, default=1_000_000, help="of each kind")
    parser.add_argument("--queries", type=int, default=400, help="of each kind and scope")
    parser.add_argument("--kinds", nargs="*", default=list(FEED), choices=list(FEED))
    parser.add_argument("--seed", type=int, default=secrets.randbits(31))
    options = parser.parse_args()
    print(f"seed {options.seed}")
    from chuxiong.up import services

    load, folder = os.getloadavg()[0], Path(tempfile.mkdtemp(prefix="cx-bench-"))
    running = services.start(folder)
    try:
        prepare(running.environment)
        figures = list(_all(options))
    finally:
        from django.db import connections

        connections.close_all()
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(running.postgres.sockets, ignore_errors=True)
    notes: dict[str, object] = {
        "seed": options.seed,
        "names_of_each_kind": options.names,
        "load_before": round(load, 2),
    }
    return write("search", figures, notes=notes)


def _all(options: argparse.Namespace) -> Iterator[Figure]:
    for kind in options.kinds:
        stock, queries, truth = _drawn(kind, options)
        yield Figure(f"{kind}: filled", round(_fill(kind, stock, options.seed), 1), "s")
        yield from _asked(kind, stock, queries, truth)


def _drawn(kind: str, options: argparse.Namespace) -> tuple[pl.Series, list[str], list[int]]:
    """The names, and of the queries the row each means (-1: none)."""
    if kind != "person":
        make = firms.organisations if kind == "organisation" else firms.addresses
        stock, asked = make(SHARED, options.names, options.queries, options.seed)
        return stock, asked["query"].to_list(), asked["truth"].to_list()
    stock = people(SHARED, options.names, options.seed)["name"]
    draw, table = np.random.default_rng(options.seed), homophones(SHARED)
    meant = draw.integers(0, len(stock), options.queries).tolist()
    words = [stock[m] for m in meant]
    spoiled = [
        w if draw.random() < 0.5 else swapped(w, int(draw.integers(len(w))), table, draw) for w in words
    ]
    return stock, spoiled, meant


def _fill(kind: str, stock: pl.Series, seed: int) -> float:
    """The names as the filling job writes them, through the same code; seconds."""
    from django.db import connections, transaction

    from supervision.identity.search import spelled
    from supervision.naming import filling

    draw = np.random.default_rng(seed)
    rows = pl.DataFrame(
        {
            "county": np.array(COUNTIES)[draw.integers(0, len(COUNTIES), len(stock))],
            "subject": pl.Series([None] * len(stock), dtype=pl.String),
            "written": stock,
        }
    )
    source = filling.Source(kind, "bench", "bench", "null::uuid", frozenset())  # type: ignore[arg-type]
    began = time.perf_counter()
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        filling.prepare(cursor)
        for first in range(0, rows.height, 100_000):
            part = rows[first : first + 100_000]
            filling.write(cursor, FEED[kind], source, part.with_columns(spelled(kind, part["written"])))  # type: ignore[arg-type]
    with connections["owner"].cursor() as cursor:
        cursor.execute("vacuum analyze supervision_naming")
    return time.perf_counter() - began


def _asked(kind: str, stock: pl.Series, queries: list[str], truth: list[int]) -> Iterator[Figure]:
    from chuxiong.accounts.scope import scope
    from supervision.identity.search import asked
    from supervision.naming.selectors import found

    names = stock.to_list()
    for words, offices in (("prefecture", [PREFECTURE, *COUNTIES]), ("one county", COUNTIES[:1])):
        times, right, meant = [], 0, 0
        for text, row in zip(queries, truth, strict=True):
            began = time.perf_counter()
            with scope(offices=offices, feeds=sorted(set(FEED.values())), purpose="legal_supervision"):
                question = asked(kind, text)  # type: ignore[arg-type]
                results = found(question).found if question else []
            times.append((time.perf_counter() - began) * 1000)
            if row >= 0 and words == "prefecture":
                meant += 1
                right += any(names[row] in r.spellings for r in results)
        times.sort()
        yield Figure(f"{kind}, {words}: p50", round(times[len(times) // 2], 1), "ms")
        yield at_most(f"{kind}, {words}: p95", round(times[int(len(times) * 0.95)], 1), "ms", TARGET)
        yield Figure(f"{kind}, {words}: slowest", round(times[-1], 1), "ms")
        if meant:
            yield at_least(f"{kind}: what was meant is among the results", round(right / meant, 3), "", 0.9)
    yield Figure(
        f"{kind}: without the function (peer), {FEW} queries, p50", round(_peer(kind, queries), 1), "ms"
    )


def _peer(kind: str, queries: list[str]) -> float:
    """The plain way: pg_trgm on the table under a policy of the same scope, as the web role."""
    from django.db import connections

    from chuxiong.accounts.scope import scope

    policy = (
        "create policy bench on supervision_naming for select to cx_web using (feed = any (string_to_array((select"
        " current_setting('cx.feeds', true)), ',')) and (county is null or county = any (string_to_array((select"
        " current_setting('cx.offices', true)), ','))))"
    )
    with connections["owner"].cursor() as cursor:
        for statement in (
            "alter table supervision_naming enable row level security",
            policy,
            "grant select on supervision_naming to cx_web",
        ):
            cursor.execute(statement)
    times = []
    for text in queries[:FEW]:
        began = time.perf_counter()
        with scope(
            offices=[PREFECTURE, *COUNTIES], feeds=sorted(set(FEED.values())), purpose="legal_supervision"
        ):
            _plain(kind, text)
        times.append((time.perf_counter() - began) * 1000)
    with connections["owner"].cursor() as cursor:
        for statement in (
            "drop policy bench on supervision_naming",
            "alter table supervision_naming disable row level security",
            "revoke select on supervision_naming from cx_web",
        ):
            cursor.execute(statement)
    return sorted(times)[len(times) // 2]


def _plain(kind: str, text: str) -> list[Any]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "select id from supervision_naming where kind = %s and name %% %s order by similarity(name, %s) desc limit 40",
            [kind, text, text],
        )
        return list(cursor.fetchall())


if __name__ == "__main__":
    sys.exit(main())
