"""Which column of a file is which column of its feed."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.catalog.spec import FeedSpec


@dataclass(frozen=True)
class Mapping:
    """Which header feeds which column. ``missing``: required columns (names) that no header feeds.

    ``ten_thousands``: money columns whose header says 万元. ``absent``: other columns that no header feeds.
    """

    columns: dict[str, str]
    ignored: list[str]
    unknown: list[str]
    missing: list[str]
    ten_thousands: frozenset[str] = frozenset()
    absent: tuple[str, ...] = ()


def map_headers(headers: Sequence[str], feed: FeedSpec) -> Mapping:
    """Match headers (width, brackets, blanks and case unified) or column names; the first of doubles wins."""
    wanted = {_plain(h): column.name for column in feed.delivered for h in (column.name, *column.headers)}
    money_columns = {c.name for c in feed.columns if c.type == "money"}
    ignored_names = {_plain(h) for h in feed.ignored_headers}
    columns: dict[str, str] = {}
    ten_thousands: set[str] = set()
    ignored, unknown = [], []
    for header in headers:
        plain = _plain(header)
        name, unit = wanted.get(plain), None
        if name is None or name in money_columns:
            unit = "万元" if "万元" in plain else "元" if "元" in plain else None
            without_unit = plain.replace("(万元)", "").replace("(元)", "").removesuffix("万元")
            by_unit = wanted.get(without_unit) or wanted.get(without_unit + "(元)")
            name = name or (by_unit if unit and by_unit in money_columns else None)
        if name and name not in columns.values():
            columns[header] = name
            if unit == "万元" or (unit is None and feed.column(name).ten_thousands):
                ten_thousands.add(name)
        elif plain in ignored_names:
            ignored.append(header)
        elif not _without_name(header):
            unknown.append(header)
    missing = [c.name for c in feed.columns if c.required and c.name not in columns.values()]
    absent = tuple(c.name for c in feed.delivered if not c.required and c.name not in columns.values())
    return Mapping(columns, ignored, unknown, missing, frozenset(ten_thousands), absent)


def _plain(header: str) -> str:
    return "".join(unicodedata.normalize("NFKC", header).split()).casefold()


def _without_name(header: str) -> bool:
    """The reader calls a column without header 第3列."""
    return header.startswith("第") and header.endswith("列") and header[1:-1].isdigit()
