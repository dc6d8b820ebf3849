"""The sample of every live feed through the whole intake: it lands, counts add up, no number is in the clear."""

from __future__ import annotations

import io
import re
from pathlib import Path

import pytest
from django.db import connections

from ingestion.catalog.load import live, load_catalog
from ingestion.intake.holding import LET_IN, decide
from ingestion.intake.take_in import take_in
from tests.prefecture import NOW, agreements, bring

ROOT = Path(__file__).resolve().parents[2]
CATALOG = live(load_catalog(ROOT / "ingestion" / "feeds"))
_CITIZEN = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{5}(?:19|20)\d{9}[\dXx]")
_FIRM = re.compile(r"(?<![0-9A-Za-z])9[123]5323[0-9A-Z]{12}(?![0-9A-Za-z])")
_MOBILE = re.compile(r"(?<![0-9A-Za-z.])1[3-9]\d{9}(?![0-9A-Za-z])")


@pytest.mark.parametrize("code", sorted(CATALOG))
def test_the_sample_lands(database: None, code: str) -> None:
    agreements()
    folder = ROOT / "tests" / "golden" / "feeds" / code
    sample = next(folder.glob("in.*"))
    good = len((folder / "records.jsonl").read_text(encoding="utf-8").splitlines())
    batch = bring(code, io.BytesIO(sample.read_bytes()), name=sample.name)
    if batch.state == "held":  # the sample has more faults than a delivery may have: a person lets it in
        assert batch.problem["place"].removeprefix(f"{code}.") in CATALOG[code].expectations.minimum.filled
        decide(batch.pk, LET_IN, by="测试", reason="样例的差错多于一次交付")
        batch = take_in(batch.pk, CATALOG[code], fence=batch.fence + 1, at=NOW)
    assert batch.state == "landed", batch.problem
    assert batch.loaded >= 1 and batch.quarantined >= 1
    assert batch.loaded + batch.unchanged + batch.duplicate == good
    assert batch.received == good + batch.quarantined
    with connections["owner"].cursor() as cursor:
        cursor.execute(f'select t::text from pool."{code}" t')
        rows = [row for (row,) in cursor.fetchall()]
        cursor.execute("select count(*) from ingestion_touch where feed = %s", [code])
        touched = cursor.fetchone()[0]
    assert len(rows) == batch.loaded
    for row in rows:
        for shape in (_CITIZEN, _FIRM, _MOBILE):
            assert not shape.search(row), (code, shape.search(row))
    assert bool(touched) == any(column.subject for column in CATALOG[code].columns)
