"""The pool's current records about one subject, source by source, under the caller's scope and the agreements of the day."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from django.db import connection
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.kit import mask
from ingestion import agreements
from ingestion import selectors as ingestion
from ingestion.catalog.permit import AgreementTerms, permit
from ingestion.catalog.spec import Column, FeedSpec, Words

#: columns that say what a record is about, when it is told in one line
_TOLD_FIRST = ("case_no", "enum", "money", "org_name", "person_name", "address", "text", "code")
_TOLD, _TOLD_LONGEST = 4, 40
#: columns that may name people in their own words
_MAY_NAME = ("text", "address")


@dataclass(frozen=True)
class Mentioned:
    """How a record without a full number was taken for the subject's: tier B, C, D, J, or "" where it stands alone."""

    tier: str
    score: float


@dataclass(frozen=True)
class Record:
    """One current version of one record; ``cells`` as people read them, identifiers masked."""

    feed: str
    record_id: int
    #: when the thing itself happened, where the source says so
    on: date | None
    county: str | None
    batch: int
    row_no: int
    landed_at: datetime
    #: A for a full number, else as the spine took it
    tier: str
    #: the columns by which the record names the subject
    roles: tuple[Words, ...]
    cells: tuple[tuple[Column, str], ...]
    #: in one line
    what: str


@dataclass(frozen=True)
class Source:
    """One feed's records about the subject, latest first. ``more``: there are others beyond what is shown."""

    feed: FeedSpec
    records: tuple[Record, ...]
    more: bool
    #: why no agreement lets it be read today; "" when one does
    stopped: str = ""


@dataclass(frozen=True)
class Reading:
    """What one subject is looked up by: its refs (the number, keys that merged) and the mentions that stand for it."""

    kind: str
    refs: tuple[str, ...]
    mentions: Mapping[tuple[str, bytes], Mentioned]
    #: what feeds in scope call it
    names: tuple[str, ...] = ()


def columns_of(feed: FeedSpec, kind: str) -> list[Column]:
    """The columns by which records of ``feed`` name a person or an organisation by full number."""
    return [c for c in feed.columns if c.subject and (c.subject == kind or c.type == "text")]


def covered(
    on: date, feeds: Iterable[FeedSpec], terms: list[AgreementTerms]
) -> tuple[dict[str, list[Column]], dict[str, str]]:
    """Per feed the columns that agreements let be read on the day; and why a feed may not be read at all."""
    may: dict[str, list[Column]] = {}
    stopped: dict[str, str] = {}
    for feed in feeds:
        names = [c.name for c in feed.columns]
        if why := permit({feed.code: ()}, agreements.PURPOSE, terms, on).refused:
            stopped[feed.code] = why[feed.code]
            continue
        granted = {
            name for t in terms if t.in_force(on) and agreements.PURPOSE in t.purposes for name in t.fields.get(feed.code, ())
        }  # fmt: skip
        may[feed.code] = [feed.column(n) for n in names if n in granted or "*" in granted]
    return may, stopped


def about(
    person: Person, reading: Reading, *, at: datetime, named: bool, most: int, purposes: Iterable[str] = ()
) -> list[Source]:
    """Every feed that could tell of such a subject, in the catalogue's order; those that do not have no records.

    One query a feed, whatever it holds. ``purposes`` beside the usual one open sealed rows to a department that may read
    them. ``named`` shows names in clear.
    """
    on = timezone.localdate(at)
    feeds = [f for f in ingestion.catalog().values() if columns_of(f, reading.kind) or f.mentions]
    may, stopped = covered(on, feeds, agreements.terms())
    found: dict[str, dict[int, dict[str, Any]]] = {feed.code: {} for feed in feeds}
    for purpose in dict.fromkeys((agreements.PURPOSE, *purposes)):
        with person_scope(person, feeds=list(may), purpose=purpose):
            for feed in feeds:
                if feed.code in may:
                    for row in _rows(feed, may[feed.code], reading, most + 1):
                        found[feed.code][row["record_id"]] = row
    sources = []
    for feed in feeds:
        rows = sorted(
            found[feed.code].values(), key=lambda r: (r["happened"] or date.min, r["record_id"]), reverse=True
        )
        kept = tuple(_record(feed, may[feed.code], row, reading, named) for row in rows[:most])
        sources.append(Source(feed, kept, len(rows) > most, stopped.get(feed.code, "")))
    return sources


def _rows(feed: FeedSpec, columns: list[Column], reading: Reading, most: int) -> list[dict[str, Any]]:
    names = {c.name for c in columns}
    tests: list[str] = []
    params: list[Any] = []
    for column in columns_of(feed, reading.kind):
        if column.name not in names:
            continue
        if column.pool_type == "uuid":
            tests.append(f't."{column.name}" = any (%s::uuid[])')
            params.append(list(reading.refs))
        else:
            # Whose kind a number in a text is, the mention says.
            for ref in reading.refs:
                tests.append(f'strpos(t."{column.name}", %s) > 0')
                params.append(f":{ref}〕")
    hashes = [h for code, h in reading.mentions if code == feed.code]
    if feed.mentions:
        tests.append("t.natural_hash = any (%s::bytea[])")
        params.append(hashes)
    if not tests:
        return []
    return select(feed, columns, " or ".join(tests), params, most)


def select(
    feed: FeedSpec, columns: list[Column], test: str, params: list[Any], most: int
) -> list[dict[str, Any]]:
    """Current rows of ``feed`` (as ``t``) that pass ``test``, latest first, with the landing's moment."""
    listed = "".join(f', t."{c.name}"' for c in columns)
    names = [
        "record_id",
        "batch_id",
        "row_no",
        "county",
        "natural_hash",
        "happened",
        "landed_at",
        *(c.name for c in columns),
    ]
    when = happened(feed, columns)
    order = "" if when.startswith("null") else f't."{feed.valid_time}" desc nulls last,'
    with connection.cursor() as cursor:
        cursor.execute(
            f"select t.record_id, t.batch_id, t.row_no, t.county, t.natural_hash, {when} as happened, l.landed_at{listed}"
            f' from pool."{feed.code}" t join ingestion_landing l on l.number = t.from_landing'
            f" where t.to_landing is null and ({test}) order by {order} t.record_id desc limit {int(most)}",
            params,
        )
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def happened(feed: FeedSpec, columns: list[Column]) -> str:
    """SQL of the local day on which the thing itself happened; null where the source does not say."""
    column = next((c for c in columns if c.name == feed.valid_time), None)
    if column is None or column.pool_type not in ("date", "timestamp with time zone"):
        return "null::date"
    if column.pool_type == "date":
        return f't."{column.name}"'
    return f"(t.\"{column.name}\" at time zone 'Asia/Shanghai')::date"


def _record(
    feed: FeedSpec, columns: list[Column], row: Mapping[str, Any], reading: Reading, named: bool
) -> Record:
    roles, refs = [], set(reading.refs)
    for column in columns_of(feed, reading.kind):
        if refs.intersection(ingestion.refs_in(column, row.get(column.name)) if row.get(column.name) else ()):
            roles.append(Words(zh=column.zh, en=column.en))
    mentioned = reading.mentions.get((feed.code, bytes(row["natural_hash"])))
    return told(
        feed,
        columns,
        row,
        named=named,
        tier="A" if roles else mentioned.tier if mentioned else "",
        roles=roles,
        own=reading.names,
    )


def told(
    feed: FeedSpec,
    columns: list[Column],
    row: Mapping[str, Any],
    *,
    named: bool,
    tier: str = "",
    roles: Iterable[Words] = (),
    own: Collection[str] = (),
) -> Record:
    """A row as people read it. ``own``: names of the subject, which its one line leaves out."""
    cells = tuple(
        (c, shown(c, row[c.name], named))
        for c in columns
        if row.get(c.name) is not None and c.type != "findings"
    )
    return Record(
        feed.code, row["record_id"], row["happened"], row["county"], row["batch_id"], row["row_no"], row["landed_at"],
        tier, tuple(roles), cells, _in_one_line(cells, own),
    )  # fmt: skip


def shown(column: Column, value: Any, named: bool) -> str:
    """A cell: identifiers masked, names of people too unless they may be known."""
    if column.type == "person_name" and not named:
        return mask.person_name(str(value))
    if not named and column.type in _MAY_NAME and column.sensitivity in ("L3", "L4"):
        # Remarks and addresses tell who is meant as well as a name does.
        return ingestion.MASK
    if isinstance(value, bool):
        return "是" if value else "否"
    return ingestion.display(column, value)


def _in_one_line(cells: Iterable[tuple[Column, str]], own: Collection[str]) -> str:
    """The few cells that say what the record is about; not once more whom it is about."""
    listed = [
        (c, t) for c, t in cells if t and t not in own and ingestion.MASK not in t and c.type in _TOLD_FIRST
    ]
    listed.sort(key=lambda cell: _TOLD_FIRST.index(cell[0].type))
    picked: list[str] = []
    for kind in dict.fromkeys(c.type for c, _ in listed):
        picked += [t for c, t in listed if c.type == kind][:1]
    return "・".join(t if len(t) <= _TOLD_LONGEST else t[: _TOLD_LONGEST - 1] + "…" for t in picked[:_TOLD])


def same(ref: str) -> str:
    """A ref or key in its one spelling. Raises ValueError for what is none."""
    return str(UUID(ref))
