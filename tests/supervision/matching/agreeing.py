"""Both engines on one world: every column of every result row."""

from __future__ import annotations

from datetime import date

from django.db import transaction
from django.utils import timezone

from ingestion.mirror import reading
from ingestion.selectors import catalog
from supervision.matching.compare import compare
from supervision.matching.history import Asked
from supervision.selectors import live_rules, rulebook


def assert_engines_agree(as_of: date) -> dict[str, int]:
    """All live rules on what has landed, and the mirror with the pool; results per rule."""
    results = {}
    for rule_id in live_rules():
        with transaction.atomic():
            found = compare(
                rulebook()[rule_id], at=timezone.now(), as_of=as_of, asked=Asked("test"), record=False
            )
        assert found.equal, found
        results[rule_id] = found.results
    for code in catalog():
        assert reading.check(code, catalog()) is None
    return results
