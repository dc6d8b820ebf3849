"""What is mirrored: every feed's pool table, and whatever else keeps versions by landing."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.catalog.load import Catalog
from ingestion.catalog.seals import CASE_QUERY, KINDS
from ingestion.catalog.spec import FeedSpec
from ingestion.pool import SYSTEM_COLUMNS, pool_columns

#: Postgres type → (SQL that COPY writes as text, type in the files). ``{}`` is the column.
KINDS_OF_COLUMN: dict[str, tuple[str, str]] = {
    "bigint": ("{}", "int64"),
    "integer": ("{}", "int32"),
    "smallint": ("{}", "int32"),
    "double precision": ("{}", "float64"),
    "real": ("{}::double precision", "float64"),
    "boolean": ("{}", "bool"),
    "text": ("{}", "string"),
    "uuid": ("{}", "string"),
    "jsonb": ("{}", "string"),
    "date": ("{}", "date"),
    "timestamp with time zone": ("(extract(epoch from {}) * 1000000)::bigint", "instant"),
    "bytea": ("encode({}, 'hex')", "blob"),
}
_SHORT = {"timestamptz": "timestamp with time zone", "float8": "double precision", "int": "integer"}


@dataclass(frozen=True)
class Table:
    """A table of versions: ``key`` numbers them, ``from_landing`` and ``to_landing`` say since when and until.

    ``where`` leaves rows out of the mirror altogether. ``feed`` is "" for a table that another room derives from feeds
    (``derived``): there versions and ends of earlier landings may come later, but one writer at a time numbers them.
    """

    name: str
    relation: str
    columns: Mapping[str, str]
    feed: str = ""
    sealed: bool = False
    where: str = ""
    key: str = "record_id"

    @property
    def derived(self) -> bool:
        return not self.feed

    @property
    def shape(self) -> str:
        words = [self.relation, self.where, *(f"{name} {kind}" for name, kind in self.columns.items())]
        return hashlib.sha256("\n".join(words).encode()).hexdigest()

    def kind(self, column: str) -> tuple[str, str]:
        kind = self.columns[column]
        return KINDS_OF_COLUMN[_SHORT.get(kind, kind)]


def feed_table(feed: FeedSpec) -> Table:
    """Rows that only a recorded query about one person may read never leave the pool."""
    columns = {name: kind.split(" generated")[0].split(" not null")[0] for name, kind in SYSTEM_COLUMNS}
    where = ""
    if feed.seals:
        columns["seal"] = "text"
        shut = sorted({s.kind for s in feed.seals if KINDS[s.kind].purpose == CASE_QUERY})
        if shut:
            listed = ", ".join(f"'{code}'" for code in shut)
            where = f"(seal is null or seal not in ({listed}))"
    return Table(
        name=feed.code,
        relation=f'pool."{feed.code}"',
        columns=columns | pool_columns(feed),
        feed=feed.code,
        sealed=bool(feed.seals),
        where=where,
    )


#: Tables beside the feeds'. A room that keeps versions by landing (with a key from one writer at a time,
#: ``from_landing``, ``to_landing``; readable by the role ``intake``; only ``to_landing`` ever changes) adds its own
#: here when it is loaded: ``FURTHER["name"] = Table(…)``.
FURTHER: dict[str, Table] = {}


def tables(catalog: Catalog) -> dict[str, Table]:
    return {code: feed_table(feed) for code, feed in catalog.items()} | FURTHER
