"""A feed's derived columns: what its extractor reads out of the text column, beside what the sender says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from chuxiong.kit import case_number
from ingestion.catalog.spec import DISAGREES, FeedSpec
from ingestion.texts.extractors import EXTRACTORS

_POLARS: Mapping[str, Any] = {"date": pl.Date, "money": pl.Int64, "bool": pl.Boolean}


def derive(good: pl.DataFrame, feed: FeedSpec) -> pl.DataFrame:
    """``good`` with the derived columns of ``feed`` added; as it is where the feed has none.

    Runs on the sheltered rows: places of findings count in the text as the pool holds it.
    """
    wanted = [c for c in feed.columns if c.output]
    if feed.extract is None or not wanted or feed.extract.text not in good.columns:
        return good
    read = EXTRACTORS[feed.extract.extractor].read
    rows = [read(text) if text else {} for text in good[feed.extract.text].to_list()]
    stated = {c: good[c].to_list() for c in feed.extract.compare if c in good.columns}
    for index, row in enumerate(rows):
        differing = [
            column
            for column, values in stated.items()
            if disagree(values[index], row.get(feed.extract.compare[column]), feed.column(column).type)
        ]
        row[DISAGREES] = ",".join(differing) or None
    return good.with_columns(
        pl.Series(c.name, [row.get(c.output or "") for row in rows], dtype=_POLARS.get(c.type, pl.String))
        for c in wanted
    )


def disagree(stated: Any, read: Any, kind: str) -> bool:
    """Does the sender's value contradict the text? A value that either side lacks contradicts nothing."""
    if stated is None or read is None:
        return False
    return _DIFFER.get(kind, _unlike)(stated, read)


def _unlike(stated: Any, read: Any) -> bool:
    return bool(stated != read)


def _other_case(stated: str, read: str) -> bool:
    """Leading zeros and bracket forms make no other case."""
    parts = case_number.parse(stated), case_number.parse(read)
    if None in parts:
        return case_number.normalise(stated) != case_number.normalise(read)
    return parts[0] != parts[1]


def _other_name(stated: str, read: str) -> bool:
    """Courts are named with or without their province."""
    return not (stated.endswith(read) or read.endswith(stated))


_DIFFER: Mapping[str, Callable[[Any, Any], bool]] = {
    "case_no": _other_case,
    "org_name": _other_name,
}
