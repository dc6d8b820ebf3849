"""Every planted fault against what became of its row: mended to the right value, aside with a reason, or left alone."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import polars as pl
from django.db import connections
from django.utils import timezone

from chuxiong.vault import refs
from ingestion.catalog.spec import FeedSpec
from ingestion.intake.normalising import map_headers, normalise
from ingestion.intake.shelter import shelter
from ingestion.models import Batch
from ingestion.selectors import catalog

_ALIAS = "intake"
_ABSENT = object()


@dataclass
class DefectScore:
    """One code of the dictionary. ``wrong``: what should have become of a row and did not; no values in it."""

    code: str
    planted: int = 0
    right: int = 0
    treated: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    wrong: list[str] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        return self.planted == self.right


@dataclass
class FeedCount:
    """received = loaded + unchanged + duplicate + quarantined, over the landed batches of a feed."""

    feed: str
    files: int = 0
    received: int = 0
    loaded: int = 0
    unchanged: int = 0
    duplicate: int = 0
    quarantined: int = 0
    removed: int = 0
    waiting: int = 0

    @property
    def adds_up(self) -> bool:
        return self.received == self.loaded + self.unchanged + self.duplicate + self.quarantined


@dataclass
class _Outcome:
    batch: Batch
    quarantined: dict[int, list[str]]
    rows: dict[int, dict[str, Any]]


def score_defects(truth: Path) -> list[DefectScore]:
    """By code. Faults in files that were not delivered (yet) are left out."""
    lines = [json.loads(line) for line in truth.read_text(encoding="utf-8").splitlines()]
    by_file: dict[tuple[str, str], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        if "defect" in line or "ended" in line:
            by_file[line["feed"], Path(line["file"]).name].append(line)
    scores: dict[str, DefectScore] = {}
    for (feed, name), planted in by_file.items():
        batch = Batch.objects.using(_ALIAS).filter(feed=feed, file_name=name).order_by("-pk").first()
        if batch is None or batch.state in (Batch.State.RECEIVED, Batch.State.READING):
            continue
        if any(line.get("expected") == "held" for line in planted):
            # Nothing of a file that waits is read further: its other faults come to light when it is let in.
            planted = [line for line in planted if line.get("expected") == "held"]
        found = _outcome(batch, [line["row"] for line in planted if "defect" in line])
        expected = _expected(catalog()[feed], [line for line in planted if line.get("clean")])
        for line in planted:
            if "ended" in line:
                score = scores.setdefault("ENDED", DefectScore("ENDED"))
                fault = (
                    ""
                    if batch.removed == line["ended"]
                    else f"终止 {batch.removed} 条，应为 {line['ended']} 条"
                )
            else:
                score = scores.setdefault(line["defect"], DefectScore(line["defect"]))
                score.treated[line["expected"]] += 1
                fault = _fault(catalog()[feed], line, found, expected)
            score.planted += 1
            score.right += not fault
            if fault:
                score.wrong.append(f"{feed} {name} 第 {line.get('row', 0)} 行：{fault}")
    return [scores[code] for code in sorted(scores)]


def _outcome(batch: Batch, numbers: list[int]) -> _Outcome:
    with connections[_ALIAS].cursor() as cursor:
        cursor.execute(
            "select row_no, reasons from ingestion_quarantine where batch_id = %s and row_no = any(%s)",
            [batch.pk, numbers],
        )
        aside = {
            row: [r["reason"] for r in (json.loads(reasons) if isinstance(reasons, str) else reasons)]
            for row, reasons in cursor.fetchall()
        }
        cursor.execute(
            f'select t.*, exists (select 1 from pool."{batch.feed}" o where o.natural_hash = t.natural_hash'
            f' and o.to_landing = t.from_landing) as replaces from pool."{batch.feed}" t'
            " where t.batch_id = %s and t.row_no = any(%s)",
            [batch.pk, numbers],
        )
        names = [column.name for column in cursor.description]
        rows = {row["row_no"]: row for row in (dict(zip(names, r, strict=True)) for r in cursor.fetchall())}
    return _Outcome(batch, aside, rows)


def _fault(
    feed: FeedSpec, line: dict[str, Any], found: _Outcome, expected: dict[tuple[str, str], Any]
) -> str:
    """What went wrong with one planted fault; empty when nothing did."""
    state, row, wanted = found.batch.state, line["row"], line["expected"]
    if wanted in ("refused", "held"):
        return "" if state == wanted else f"批次为 {state}，应为 {wanted}"
    if state != Batch.State.LANDED:
        return f"批次未入库：{state}"
    if wanted == "quarantined":
        return "" if found.quarantined.get(row) else "没有隔离"
    if row in found.quarantined:
        return f"被隔离：{'、'.join(found.quarantined[row])}"
    held = found.rows.get(row)
    if wanted == "revised":
        return "" if held and held["replaces"] else "没有形成新版本"
    if held is None or line.get("clean") is None:
        return ""
    name = map_headers([line["column"]], feed).columns.get(line["column"], "")
    right = None if line["clean"] == "" else expected.get((line["column"], line["clean"]), _ABSENT)
    return "" if held.get(name) == right else f"{line['column']} 的值不对"


def _expected(feed: FeedSpec, lines: list[dict[str, Any]]) -> dict[tuple[str, str], Any]:
    """(header, clean cell) → the value that the pool should hold: the clean cell read by itself."""
    found: dict[tuple[str, str], Any] = {}
    cells: dict[str, list[str]] = defaultdict(list)
    for line in lines:
        cells[line["column"]].append(line["clean"])
    for header, values in cells.items():
        mapping = map_headers([header], feed)
        name = mapping.columns.get(header)
        if name is None:
            continue
        chunk = pl.DataFrame(
            {header: values, "row_no": list(range(len(values))), "ragged": [None] * len(values)},
            schema={header: pl.String, "row_no": pl.Int64, "ragged": pl.String},
        )
        good = normalise(chunk, feed, mapping, received_on=timezone.localdate()).good
        good = shelter(good, feed, _known)
        kind = feed.column(name).pool_type
        for number, value in zip(good["row_no"].to_list(), good[name].to_list(), strict=True):
            found[header, values[number]] = UUID(value) if kind == "uuid" and value else value
    return found


def _known(kind: str, values: pl.Series) -> dict[str, UUID]:
    """Refs that the vault holds already; an unknown number has none, so nothing can equal it."""
    none = UUID(int=0)
    return {value: refs.find(connections[_ALIAS], kind, value) or none for value in values}


def feed_counts() -> list[FeedCount]:
    """Of every live feed, none left out."""
    counts = {code: FeedCount(code) for code in catalog()}
    for batch in Batch.objects.using(_ALIAS).exclude(received_by="HJ 212"):
        count = counts.get(batch.feed)
        if count is None:
            continue
        if batch.state != Batch.State.LANDED:
            count.waiting += batch.state == Batch.State.HELD
            continue
        count.files += 1
        for name in ("received", "loaded", "unchanged", "duplicate", "quarantined", "removed"):
            setattr(count, name, getattr(count, name) + getattr(batch, name))
    return list(counts.values())
