"""A register of a million payments through the complete intake, beside what else could load it. One run, one machine.

Ours decodes GB18030, validates 15 columns, replaces three identifiers a row by refs, seals what fails, hashes, merges into
versions, writes lineage and touches. Peers do less: raw COPY loads text; the typed COPY loads rows that are ready (refs,
hashes and all) into the same table with the same indexes; dlt, Django and pandas load typed values without refs,
versions or quarantine, and only a part of the rows, because of their time. Ratios are of rows a second in this run.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import multiprocessing
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import intake_rows
from bench.report import ROOT, Figure, at_least, at_most, processor_of, write

ROWS = 1_000_000
#: every person is paid in so many months of the file
MONTHS = 4
#: rows given to peers that take minutes for a million
SLOW_ROWS = {"dlt merge": 100_000, "Django bulk_create": 50_000, "pandas to_sql": 20_000}
FLOOR_NEW, AIM_NEW = 0.4, 0.6
FLOOR_KNOWN, AIM_KNOWN = 0.55, 0.6
AIM_AGAIN, AIM_DLT, AIM_BULK = 2.0, 3.0, 10.0
MOST_MEMORY = 800.0
FEED = "bn_intake"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.intake")
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument(
        "--months", type=int, default=MONTHS, help="payments of each person; 1: every row a new one"
    )
    parser.add_argument("--ten-fold", action="store_true", help="also ten times the rows, for memory")
    options = parser.parse_args()
    from chuxiong.up import services

    folder = Path(tempfile.mkdtemp(prefix="cx-bench-"))
    load_before = os.getloadavg()[0]
    seed = secrets.randbits(31)
    running = services.start(folder)
    try:
        _prepare(running)
        bench = _Bench(running, folder, options.rows, options.months, seed)
        figures = bench.run(ten_fold=options.ten_fold)
    finally:
        from django.db import connections

        connections.close_all()
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
    notes = {
        "seed": seed,
        "rows": options.rows,
        "months": options.months,
        "load_before": round(load_before, 2),
    }
    print(notes)
    return write("intake", figures, notes=notes)


def _prepare(running: Any) -> None:
    os.environ.update(running.environment)
    os.environ |= {"CHUXIONG_ROLE": "owner", "DJANGO_SETTINGS_MODULE": "chuxiong.settings"}
    import django

    django.setup()
    from datetime import timedelta

    from django.core.management import call_command
    from django.utils import timezone

    from ingestion import pool
    from ingestion.agreements import PURPOSE
    from ingestion.catalog.load import load_catalog
    from ingestion.models import Agreement

    call_command("migrate", database="owner", verbosity=0)
    pool.sync(load_catalog(ROOT / "bench" / "feeds"))
    today = timezone.localdate()
    Agreement.objects.using("owner").create(
        number="bench", agency="bn_bureau", agency_zh="样例局", title="bench", signed_on=today, valid_from=today,
        valid_to=today + timedelta(days=9), purposes=[PURPOSE], fields={FEED: ["*"]}, data_class="L4", custodian="bench",
    )  # fmt: skip


def _written(path: Path, rows: int, **more: Any) -> int:
    """The file's size. Written by a process of its own: what making it costs is not the intake's memory."""
    maker = multiprocessing.get_context("spawn").Process(
        target=intake_rows.write, args=(path, rows), kwargs=more
    )
    maker.start()
    maker.join()
    return path.stat().st_size


class _Memory(threading.Thread):
    """Peak of what this process and its children hold for themselves, ten times a second; the database apart."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak = 0.0
        self.ended = threading.Event()

    def run(self) -> None:
        turn, shared = 0, 0.0
        while not self.ended.wait(0.1):
            # Opening every descriptor takes far longer than asking for the resident pages.
            shared = _shared() if turn % 10 == 0 else shared
            turn += 1
            self.peak = max(self.peak, _resident() + shared)

    def finish(self) -> float:
        self.ended.set()
        self.join()
        return self.peak


def _readers() -> list[Path]:
    """The ``/proc`` folders of the reading children. Children are listed by the kernel: looking through all processes ten
    times a second would itself cost what is measured."""
    found = []
    for listed in Path("/proc/self/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for number in listed.read_text().split():
                place = Path("/proc", number)
                with contextlib.suppress(OSError):
                    if "reader_process" in (place / "cmdline").read_text():
                        found.append(place)
    return found


def _resident() -> float:
    """MiB of this process and of its readers."""
    total = 0
    for place in (Path("/proc/self"), *_readers()):
        with contextlib.suppress(OSError, IndexError):
            total += int((place / "statm").read_text().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


def _shared() -> float:
    """MiB of plain files in memory that this process and its readers have open."""
    seen: dict[int, int] = {}
    for process in (Path("/proc/self"), *_readers()):
        with contextlib.suppress(OSError):
            for place in (process / "fd").iterdir():
                with contextlib.suppress(OSError):
                    if os.readlink(place).startswith("/memfd:"):
                        stat = os.stat(place)
                        seen[stat.st_ino] = stat.st_blocks * 512
    return sum(seen.values()) / (1 << 20)


class _Bench:
    def __init__(self, running: Any, folder: Path, rows: int, months: int, seed: int) -> None:
        self.running, self.folder, self.rows, self.seed = running, folder, rows, seed
        self.persons = max(1, rows // months)
        self.months = months
        self.figures: list[Figure] = []
        from ingestion.catalog.load import load_catalog

        self.feed = load_catalog(ROOT / "bench" / "feeds")[FEED]

    def run(self, *, ten_fold: bool) -> list[Figure]:
        first, second, again = (self.folder / name for name in ("first.csv", "second.csv", "again.csv"))
        size = _written(first, self.rows, seed=self.seed, persons=self.persons)
        _written(second, self.rows, seed=self.seed, persons=self.persons, first_month=self.months)
        # The same rows in other bytes: a blank line more.
        shutil.copyfile(first, again)
        with open(again, "ab") as out:
            out.write(b"\r\n")
        self._say("file", size / (1 << 20), "MiB")
        self._say("distinct identifiers", float(self.persons * 3), "")
        new, memory = self._ours(first, loaded=True)
        known, _ = self._ours(second, loaded=True)
        repeated, _ = self._ours(again, loaded=False)
        self._say("peer: raw COPY into text", raw := self._raw(first), "rows/s")
        self._say("peer: COPY into the same typed table and indexes", typed := self._typed(), "rows/s")
        self._say("intake, identifiers new", new, "rows/s", peer=typed)
        self._say("intake, identifiers known", known, "rows/s", peer=typed)
        self._say("intake, same rows in another file", repeated, "rows/s")
        self._say("raw COPY is faster, times", raw / new, "")
        self.figures += [
            at_least("new identifiers ÷ typed COPY, floor", round(new / typed, 3), "", FLOOR_NEW),
            at_least("new identifiers ÷ typed COPY, aim", round(new / typed, 3), "", AIM_NEW),
            at_least("known identifiers ÷ typed COPY, floor", round(known / typed, 3), "", FLOOR_KNOWN),
            at_least("known identifiers ÷ typed COPY, aim", round(known / typed, 3), "", AIM_KNOWN),
            at_least("same rows again ÷ new, aim", round(repeated / new, 2), "", AIM_AGAIN),
        ]
        self.figures.append(at_most("peak memory, aim", round(memory), "MiB", MOST_MEMORY))
        if ten_fold:
            self._ten_fold(memory)
        for name, load, aim in (
            ("dlt merge", self._dlt, AIM_DLT),
            ("Django bulk_create", self._bulk_create, AIM_BULK),
            ("pandas to_sql", self._to_sql, None),
        ):
            rate = load(min(SLOW_ROWS[name], self.rows))
            if rate is None:
                continue
            self._say(f"peer: {name} ({min(SLOW_ROWS[name], self.rows):,} rows)", rate, "rows/s")
            # No loader passes the bare COPY of ready rows into the same indexes: the most that could be reached.
            self._say(f"typed COPY ÷ {name}, the bound", typed / rate, "")
            ratio = round(new / rate, 2)
            label = f"new identifiers ÷ {name}"
            self.figures.append(
                at_least(f"{label}, aim", ratio, "", aim) if aim else Figure(label, ratio, "")
            )
        return self.figures

    def _ten_fold(self, memory: float) -> None:
        """Before the slow peers: what they leave behind in this process is not the intake's memory."""
        large = self.folder / "large.csv"
        _written(
            large, self.rows * 10, seed=self.seed, persons=self.persons * 10, first_month=2 * self.months
        )
        rate, most = self._ours(large, loaded=True)
        large.unlink()
        self._say("intake, ten times the rows", rate, "rows/s")
        self.figures.append(
            at_most("peak memory, ten times the rows ÷ once", round(most / memory, 3), "", 1.1)
        )

    def _say(self, name: str, value: float, unit: str, peer: float | None = None) -> None:
        self.figures.append(
            Figure(name, round(value, 1), unit, peer=None if peer is None else round(peer, 1))
        )

    # -- ours -------------------------------------------------------------------------------------

    def _ours(self, path: Path, *, loaded: bool) -> tuple[float, float]:
        """(rows a second from the file's first byte to its landing, peak MiB)."""
        from django.utils import timezone

        from ingestion.intake.receive import receive
        from ingestion.intake.take_in import take_in

        memory = _Memory()
        memory.start()
        spent = self._processor()
        with self._clock() as seconds:
            with open(path, "rb") as source:
                batch, _ = receive(source, feed=self.feed, file_name=path.name, by="bench", at=timezone.now())
            batch = take_in(batch.pk, self.feed, fence=1, at=timezone.now())
        peak = memory.finish()
        self._cost(f"intake of {path.stem}", spent, batch.received)
        assert batch.state == "landed", batch.problem
        assert batch.received == batch.loaded + batch.unchanged + batch.quarantined
        assert (batch.loaded if loaded else batch.unchanged) > 0.95 * batch.received
        return batch.received / seconds(), peak

    @contextmanager
    def _clock(self) -> Iterator[Callable[[], float]]:
        start = time.perf_counter()
        ended: list[float] = []
        yield lambda: ended[0]
        ended.append(time.perf_counter() - start)

    def _processor(self) -> float:
        """Processor seconds of this process, its ended children and the database so far."""
        own = os.times()
        return sum(own[:4]) + processor_of(self.running.postgres.process.pid)

    def _cost(self, name: str, before: float, rows: int) -> None:
        """What a busy machine does not change much, unlike rows a second."""
        self._say(f"{name}: processor", (self._processor() - before) / rows * 1e6, "µs/row")

    # -- peers ------------------------------------------------------------------------------------

    def _cursor(self) -> Any:
        from django.db import connections

        return connections["owner"].cursor()

    def _raw(self, path: Path) -> float:
        columns = ", ".join(f'"{c.name}" text' for c in self.feed.delivered)
        with self._cursor() as cursor:
            cursor.execute(f"create table bench_raw ({columns})")
            with self._clock() as seconds, open(path, "rb") as source:
                cursor.copy_expert(
                    "copy bench_raw from stdin (format csv, header, encoding 'gb18030')", source
                )
            cursor.execute("drop table bench_raw")
        return self.rows / seconds()

    def _ready(self) -> str:
        return ", ".join(f'"{name}"' for name in self._columns())

    def _typed(self) -> float:
        """The very rows of the first landing, ready, into a table made like the pool's."""
        ready, dump = self._ready(), self.folder / "ready.copy"
        with self._cursor() as cursor:
            with open(dump, "wb") as out:
                cursor.copy_expert(
                    f"copy (select {ready} from pool.{FEED} where from_landing = 1 order by record_id) to stdout",
                    out,
                )
            with self._table("bench_typed"):
                spent = self._processor()
                with self._clock() as seconds, open(dump, "rb") as source:
                    cursor.copy_expert(f"copy bench_typed ({ready}) from stdin", source)
                cursor.execute("select count(*) from bench_typed")
                count = cursor.fetchone()[0]
                self._cost("peer: typed COPY", spent, count)
        dump.unlink()
        return float(count) / seconds()

    def _columns(self) -> dict[str, str]:
        """Column → Postgres type of what a ready row brings: the feed's columns and the pool's own."""
        from ingestion.pool import pool_columns

        own = {"natural_hash": "bytea", "row_hash": "bytea", "batch_id": "bigint", "row_no": "integer"}
        return own | {"from_landing": "bigint", "county": "text"} | pool_columns(self.feed)

    def _values(self, rows: int) -> list[dict[str, Any]]:
        """The first rows ready to load, as a program would have them in hand: the very rows of the typed COPY."""
        names = list(self._columns())
        listed = ", ".join(f'"{n}"' for n in names)
        with self._cursor() as cursor:
            cursor.execute(
                f"select {listed} from pool.{FEED} where from_landing = 1 order by record_id limit %s", [rows]
            )
            return [
                {n: bytes(v) if isinstance(v, memoryview) else v for n, v in zip(names, row, strict=True)}
                for row in cursor.fetchall()
            ]

    @contextmanager
    def _table(self, name: str) -> Iterator[None]:
        """An empty table with the pool's columns and indexes."""
        with self._cursor() as cursor:
            cursor.execute(f"create table {name} (like pool.{FEED} including all)")
            try:
                yield
            finally:
                cursor.execute(f"drop table {name}")

    def _bulk_create(self, rows: int) -> float | None:
        from django.db import models

        kinds: dict[str, Callable[[], Any]] = {
            "text": lambda: models.TextField(null=True), "uuid": lambda: models.UUIDField(null=True),
            "bigint": lambda: models.BigIntegerField(null=True), "integer": lambda: models.IntegerField(null=True),
            "date": lambda: models.DateField(null=True), "bytea": lambda: models.BinaryField(null=True),
            "timestamp with time zone": lambda: models.DateTimeField(null=True),
        }  # fmt: skip
        fields = {name: kinds[kind]() for name, kind in self._columns().items()}
        fields["record_id"] = models.BigAutoField(primary_key=True)
        meta = type("Meta", (), {"app_label": "bench", "db_table": "bench_django", "managed": False})
        row_type = type("Payment", (models.Model,), {"__module__": __name__, "Meta": meta, **fields})
        values = self._values(rows)
        with self._table("bench_django"):
            spent = self._processor()
            with self._clock() as seconds:
                objects = [row_type(**row) for row in values]
                row_type._default_manager.using("owner").bulk_create(objects, batch_size=5_000)
            self._cost("peer: Django bulk_create", spent, len(values))
        return len(values) / seconds()

    def _to_sql(self, rows: int) -> float | None:
        """Needs SQLAlchemy, which the centre does not use."""
        if importlib.util.find_spec("sqlalchemy") is None:
            self.figures.append(Figure("peer: pandas to_sql left out, no SQLAlchemy", 0, ""))
            return None
        import pandas
        import sqlalchemy

        engine = sqlalchemy.create_engine(
            "postgresql+psycopg2://", creator=lambda: __import__("psycopg2").connect(self._address())
        )
        frame = pandas.DataFrame(self._values(rows))
        with self._table("bench_pandas"), self._clock() as seconds:
            frame.to_sql(
                "bench_pandas", engine, index=False, if_exists="append", method="multi", chunksize=1_000
            )
        engine.dispose()
        return len(frame) / seconds()

    def _dlt(self, rows: int) -> float | None:
        """In a process of its own: dlt brings its own logging and threads."""
        if importlib.util.find_spec("dlt") is None:
            self.figures.append(Figure("peer: dlt left out, not installed", 0, ""))
            return None
        import polars

        numbered = [{"record_id": n, **row} for n, row in enumerate(self._values(rows), start=1)]
        values = polars.DataFrame(numbered, infer_schema_length=None)
        source = self.folder / "dlt.parquet"
        values.with_columns(
            polars.col(polars.Object).map_elements(str, return_dtype=polars.String),
            # dlt writes no bytes into CSV.
            polars.col(polars.Binary).bin.encode("hex"),
        ).write_parquet(source)
        done = subprocess.run(
            [sys.executable, "-m", "bench.intake_dlt", str(source), self._address("localhost:5432"), str(self.folder / "dlt")],
            cwd=ROOT, capture_output=True, text=True, env=os.environ | {"RUNTIME__DLTHUB_TELEMETRY": "false"},
        )  # fmt: skip
        if done.returncode:
            print(done.stderr[-2000:], file=sys.stderr)
            self.figures.append(Figure("peer: dlt failed, see above", 0, ""))
            return None
        return rows / float(done.stdout.split()[-1])

    def _address(self, host: str = "") -> str:
        """dlt demands a host in its place; the socket in the query is what counts."""
        return str(self.running.environment["CHUXIONG_DATABASE_URL_OWNER"]).replace("@/", f"@{host}/")


if __name__ == "__main__":
    sys.exit(main())
