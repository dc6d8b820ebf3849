"""Each feed's sample file, in its agency's format, gives exactly the records and issues that lie beside it.

Derived columns of a feed of texts are among the records.

After a deliberate change: ``GOLDEN=write pytest tests/ingestion/test_normalising_golden.py``, then read the diff.
"""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from ingestion.catalog.load import live, load_catalog
from ingestion.intake.normalising import map_headers, normalise
from ingestion.intake.reading import Limits, read_table
from ingestion.texts.deriving import derive

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "feeds"
CATALOG = live(load_catalog(ROOT / "ingestion" / "feeds"))


def test_samples_belong_to_live_feeds() -> None:
    assert {folder.name for folder in GOLDEN.iterdir()} == set(CATALOG)


def lines(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row, ensure_ascii=False, default=str) + "\n" for row in rows)


@pytest.mark.parametrize("code", sorted(CATALOG))
def test_sample_gives_its_records_and_issues(code: str) -> None:
    folder = GOLDEN / code
    sample = next(folder.glob("in.*"), None)
    assert sample, f"feed {code} has no sample: add tests/golden/feeds/{code}/in.<csv|tsv|xlsx|jsonl>"
    feed = CATALOG[code]
    table = read_table(sample, feed, limits=Limits())
    mapping = map_headers(table.headers, feed)
    assert not mapping.missing and not mapping.unknown
    good, bad, notes, blank, received = [], [], [], 0, 0
    for chunk in table.chunks():
        result = normalise(chunk, feed, mapping, received_on=date(2026, 11, 1))
        good.append(derive(result.good, feed))
        bad.append(result.bad)
        notes.append(result.notes)
        blank += result.blank
        received += chunk.height
    records = pl.concat(good).sort("row_no")
    issues = pl.concat(bad).sort("row_no", maintain_order=True)
    assert received == records.height + issues["row_no"].n_unique() + blank
    assert records.height, "no row of the sample is taken in"
    assert issues.height, "the sample has no quarantined row"
    found = {
        "records.jsonl": lines([{k: v for k, v in r.items() if v is not None} for r in records.to_dicts()]),
        "issues.jsonl": lines(issues.to_dicts() + [n | {"kept": True} for n in pl.concat(notes).to_dicts()]),
    }
    for name, text in found.items():
        if os.environ.get("GOLDEN") == "write":
            (folder / name).write_text(text, encoding="utf-8")
        assert text == (folder / name).read_text(encoding="utf-8"), f"{code}/{name} differs"
