"""The mirror's files: written under a temporary name, flushed, then renamed; readable by their owner alone."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import log
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
from django.conf import settings

#: files of about one size that lie beside each other before they become one
FILES_OF_A_TIER = 8
#: a share of ended versions among all, from which on their ends are written into the rows themselves
ENDED_SHARE = 0.2
_COMPACTION_MEMORY = "512MB"


@dataclass(frozen=True)
class MirrorFile:
    """``rows``: versions; ``ends``: (key, to_landing) of versions that stand in earlier files."""

    name: str
    kind: str
    rows: int
    bytes: int

    def plain(self) -> dict[str, Any]:
        return asdict(self)


def folder(name: str) -> Path:
    return Path(settings.VAR_DIR) / "mirror" / name


def _prepared(name: str) -> Path:
    here = folder(name)
    for path in (here.parent, here):
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return here


def write(name: str, kind: str, schema: pa.Schema, blocks: Iterable[pa.Table]) -> MirrorFile | None:
    """One file of the blocks; None when there is no row."""
    here = _prepared(name)
    final = here / f"{kind}-{uuid.uuid4().hex}.parquet"
    partial = final.with_suffix(".part")
    count, writer = 0, None
    with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as sink:
        try:
            for block in blocks:
                if not block.num_rows:
                    continue
                if writer is None:
                    writer = pq.ParquetWriter(sink, schema, compression="zstd")
                writer.write_table(block)
                count += block.num_rows
        finally:
            if writer is not None:
                writer.close()
        sink.flush()
        os.fsync(sink.fileno())
    if not count:
        partial.unlink()
        return None
    return _settled(partial, final, kind, count)


def _settled(partial: Path, final: Path, kind: str, count: int) -> MirrorFile:
    os.chmod(partial, 0o600)
    os.rename(partial, final)
    entry = os.open(final.parent, os.O_RDONLY)
    try:
        os.fsync(entry)
    finally:
        os.close(entry)
    return MirrorFile(final.name, kind, count, final.stat().st_size)


def sweep(name: str, keep: set[str]) -> int:
    """Remove what is no part of the mirror (left by a process that was killed); returns how many files."""
    here, gone = folder(name), 0
    if here.is_dir():
        for path in here.iterdir():
            if path.name not in keep:
                path.unlink(missing_ok=True)
                gone += 1
    return gone


def compacted(
    name: str, files: list[MirrorFile], *, whole: bool = False, key: str = "record_id"
) -> list[MirrorFile]:
    """The same content in fewer files: files of one size become one, and much that has ended is written as ended.

    Each row is rewritten once per tier, so small and frequent landings cost n log n, not n².
    """
    ended = sum(f.rows for f in files if f.kind == "ends")
    held = sum(f.rows for f in files if f.kind == "rows")
    if (whole and len(files) > 1) or (ended > 1000 and ended > held * ENDED_SHARE):
        return [_merged(name, files, "rows", key)]
    result = list(files)
    for kind in ("rows", "ends"):
        tiers: dict[int, list[MirrorFile]] = {}
        for file in (f for f in files if f.kind == kind):
            tiers.setdefault(int(log(max(file.rows, 1000), FILES_OF_A_TIER)), []).append(file)
        for same in tiers.values():
            if len(same) >= FILES_OF_A_TIER:
                merged = _merged(name, same, kind, key)
                result = [f for f in result if f not in same] + [merged]
    return result


def _merged(name: str, files: list[MirrorFile], kind: str, key: str) -> MirrorFile:
    here = _prepared(name)
    final = here / f"{kind}-{uuid.uuid4().hex}.parquet"
    partial = final.with_suffix(".part")
    os.close(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    with duckdb.connect(config={"memory_limit": _COMPACTION_MEMORY, "threads": 1}) as engine:
        engine.execute("set timezone = 'UTC'")
        engine.execute(f"set temp_directory = '{quoted(here)}'")
        of_kind = [f for f in files if f.kind == kind]
        select = f"select * from {reading(name, of_kind)}"
        if kind == "rows" and len(of_kind) < len(files):
            select = with_ends(name, files, key)
        engine.execute(
            f"copy ({select}) to '{quoted(partial)}' (format parquet, compression zstd, use_tmp_file false)"
        )
        found = engine.execute(f"select count(*) from read_parquet('{quoted(partial)}')").fetchone()
    with open(partial, "rb") as written:
        os.fsync(written.fileno())
    return _settled(partial, final, kind, int(found[0]) if found else 0)


def quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def reading(name: str, files: list[MirrorFile]) -> str:
    """DuckDB's relation over the files."""
    listed = ", ".join(f"'{quoted(folder(name) / f.name)}'" for f in files)
    return f"read_parquet([{listed}])"


def with_ends(name: str, files: list[MirrorFile], key: str = "record_id") -> str:
    """Every version with its end, as a select."""
    rows = [f for f in files if f.kind == "rows"]
    ends = [f for f in files if f.kind == "ends"]
    if not ends:
        return f"select * from {reading(name, rows)}"
    return (
        "select r.* replace (coalesce(r.to_landing, e.to_landing) as to_landing)"
        f" from {reading(name, rows)} r left join {reading(name, ends)} e using ({key})"
    )
