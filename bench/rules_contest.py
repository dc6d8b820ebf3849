"""One rule on one landing: compiled and by hand, in Postgres and in DuckDB, with polars and pandas beside them.

Both engines are open under the run's scope. First every way must give the same rows, to the last column; then they take
turns.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median
from typing import Any

import duckdb
import pandas as pd
import polars as pl

from bench.report import Figure, at_most
from bench.rules_by_hand import BARE, COLUMNS, by_pandas, by_polars, whole
from ingestion.mirror import files
from ingestion.models import MirrorMark
from supervision.matching import engines
from supervision.matching.compare import side_by_side
from supervision.rulebook.compiler import Plan

#: a compiled rule against what a person would write for the same engine and the same rows
RATIO = 1.3


@dataclass(frozen=True)
class Contest:
    """``cursor`` and ``duck`` are both within the run's scope; ``params`` as a run binds them."""

    plan: Plan
    params: dict[str, Any]
    cursor: Any
    duck: duckdb.DuckDBPyConnection

    @property
    def rule(self) -> str:
        return self.plan.rule.id

    def run(self, rounds: int) -> Iterator[Figure]:
        """Each round takes every way once; medians, and of ratios the median over the rounds."""
        hits = self.check()
        yield Figure(f"{self.rule}: hits", hits, "")
        ways = self.ways(hits)
        times: dict[str, list[float]] = {way: [] for way in ways}
        for turn in range(rounds):
            # There and back: what runs first in one round runs last in the next.
            for way in list(ways)[:: 1 if turn % 2 == 0 else -1]:
                began = time.perf_counter()
                ways[way]()
                times[way].append(time.perf_counter() - began)
                self.drop()
        middle = {way: round(median(taken), 3) for way, taken in times.items()}
        for engine in ("postgres", "duckdb"):
            yield Figure(f"{self.rule}: {engine}", middle[engine], "s", peer=middle[f"{engine} by hand"])
            for hand in ("by hand", "by hand, bare"):
                other = f"{engine} {hand}"
                ratio = round(median(a / b for a, b in zip(times[engine], times[other], strict=True)), 2)
                name = f"{self.rule}: {engine} to {hand}"
                same = hand == "by hand"
                yield (
                    at_most(name, ratio, "×", RATIO) if same else Figure(name, ratio, "×", peer=middle[other])
                )
        for way in ("duckdb into postgres", "polars", "pandas"):
            yield Figure(f"{self.rule}: {way}", middle[way], "s")

    def ways(self, hits: int) -> dict[str, Callable[[], Any]]:
        lazy = {feed: _lazy(feed) for feed in COLUMNS}
        frames = {feed: _frame(frame) for feed, frame in lazy.items()}

        def by_frames(find: Callable[[str, Any], int], given: Any) -> Callable[[], None]:
            def once() -> None:
                if (found := find(self.rule, given)) != hits:
                    raise SystemExit(f"{self.rule}: {find.__name__} finds {found} hits, not {hits}")

            return once

        return {
            "postgres": self.compiled,
            "postgres by hand": lambda: self.by_hand(whole(self.rule, "postgres")),
            "postgres by hand, bare": lambda: self.by_hand(BARE[self.rule]),
            "duckdb": self.compiled_in_duckdb,
            "duckdb by hand": lambda: self.by_hand_in_duckdb(whole(self.rule, "duckdb")),
            "duckdb by hand, bare": lambda: self.by_hand_in_duckdb(BARE[self.rule]),
            "duckdb into postgres": lambda: engines.into_table(self.cursor, self.compiled_in_duckdb(), "by_rule"),
            "polars": by_frames(by_polars, lazy),
            "pandas": by_frames(by_pandas, frames),
        }  # fmt: skip

    # -- one way each -----------------------------------------------------------------------------

    def compiled(self) -> None:
        engines.evaluate(self.cursor, self.plan, self.params, None, name="by_rule")

    def by_hand(self, sql: str) -> None:
        """With the index and the statistics that a run's result has, too."""
        self.cursor.execute(f"create temp table by_hand on commit drop as {sql}")
        key = "subject_ref, bucket, subject_kind" if "as subject_ref" in sql else "subject"
        self.cursor.execute(f"create index on by_hand ({key}); analyze by_hand")

    def compiled_in_duckdb(self) -> pl.DataFrame:
        query = self.plan.query("duckdb")
        return engines.run(self.duck, query.sql, {**query.params, **self.params})

    def by_hand_in_duckdb(self, sql: str) -> pl.DataFrame:
        return engines.run(self.duck, sql, {})

    def drop(self) -> None:
        self.cursor.execute("drop table if exists by_rule; drop table if exists by_hand")

    # -- the same rows ----------------------------------------------------------------------------

    def check(self) -> int:
        """Every way gives the same rows; returns how many hits."""
        self.compiled()
        self.by_hand(whole(self.rule, "postgres"))
        self._same("by hand in Postgres")
        for name, rows in (
            ("compiled in DuckDB", self.compiled_in_duckdb()),
            ("by hand in DuckDB", self.by_hand_in_duckdb(whole(self.rule, "duckdb"))),
        ):
            self.cursor.execute("drop table by_hand")
            engines.into_table(self.cursor, rows, "by_hand")
            self._same(name)
        # The bare one is one text for both engines.
        self.cursor.execute("drop table by_hand")
        self.by_hand(BARE[self.rule])
        self._same_facts()
        self.cursor.execute("select count(*) from by_rule where verdict = 'hit'")
        hits = int(self.cursor.fetchone()[0])
        self.drop()
        return hits

    def _same(self, name: str) -> None:
        found = side_by_side(self.cursor, "by_rule", "by_hand")
        if found["only_a"] or found["only_b"] or found["different"]:
            raise SystemExit(f"{self.rule}, {name}: other rows than compiled in Postgres: {found}")

    def _same_facts(self) -> None:
        """The bare query's subjects, verdicts and measures."""
        self.cursor.execute(
            "select count(*) from by_rule r full join by_hand h on h.subject::text = r.subject_ref where"
            " (r.verdict, r.level, r.county) is distinct from (h.verdict,"
            " case when h.verdict = 'hit' then h.level end, h.county)"
            " or r.material is distinct from"
            " jsonb_strip_nulls(to_jsonb(h) - '{subject,verdict,level,county}'::text[])"
        )
        if (differing := self.cursor.fetchone()[0]) != 0:
            raise SystemExit(f"{self.rule}: the bare query by hand finds {differing} other rows")


def _lazy(feed: str) -> pl.LazyFrame:
    listed = [files.folder(feed) / f["name"] for f in MirrorMark.objects.get(name=feed).files]
    return pl.scan_parquet(listed).select(COLUMNS[feed])


def _frame(frame: pl.LazyFrame) -> pd.DataFrame:
    return frame.filter(pl.col("to_landing").is_null()).collect().to_pandas()
