"""The pool's tables, generated from the catalogue. Additive: what would destroy data is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import connections

from chuxiong.accounts.rights import OFFICE_IN_SCOPE
from ingestion import partitions
from ingestion.catalog.load import Catalog, live
from ingestion.catalog.seals import CASE_QUERY, KINDS, RECORDED
from ingestion.catalog.spec import FeedSpec

# Every pool table starts with these; see docs/architecture.md.
SYSTEM_COLUMNS = (
    ("record_id", "bigint generated always as identity primary key"),
    ("natural_hash", "bytea not null"),
    ("row_hash", "bytea not null"),
    ("batch_id", "bigint not null"),
    ("row_no", "integer not null"),
    ("from_landing", "bigint not null"),
    ("to_landing", "bigint"),
    ("county", "text"),
)


_SEAL = "seal"


@dataclass(frozen=True)
class Change:
    """One statement of a sync, already run, or refused with what to do by hand."""

    feed: str
    statement: str
    refused: bool = False


#: Versions are never deleted, but for those of an agreement whose clearing two people have decided.
_BEING_CLEARED = (
    "batch_id in (select b.id from ingestion_batch b join ingestion_agreementclearing c"
    " on c.agreement_id = b.agreement_id where c.state = 'clearing')"
)


def pool_columns(feed: FeedSpec) -> dict[str, str]:
    """Column → Postgres type of the feed's own columns, in catalogue order."""
    columns: dict[str, str] = {}
    for column in feed.columns:
        columns[column.name] = column.pool_type
        if column.companion:
            name, kind = column.companion
            columns[name] = kind
    return columns


def seal_of(feed: FeedSpec) -> str:
    """SQL of the kind of seal a row stands under, null for none; "" when no row of the feed is ever sealed."""
    if not feed.seals:
        return ""
    whens = " ".join(
        f"""when {f'"{s.column}"' if s.column else "true"} then '{s.kind}'""" for s in feed.seals
    )
    return f"case {whens} end"


def sync(catalog: Catalog, *, using: str = "owner") -> list[Change]:
    """Create missing tables, columns and indexes; report what differs and would destroy data.

    Feeds in reserve get no table: a change of status creates it.
    """
    changes: list[Change] = []
    with connections[using].cursor() as cursor:
        for feed in live(catalog).values():
            cursor.execute(
                "select a.attname, format_type(a.atttypid, null) from pg_attribute a"
                " join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace"
                " where n.nspname = 'pool' and c.relname = %s and a.attnum > 0 and not a.attisdropped",
                [feed.code],
            )
            existing = dict(cursor.fetchall())
            for change in (
                *_plan(feed, existing),
                *_sealing(cursor, feed, existing),
                *_partitioning(cursor, feed, existing),
            ):
                if not change.refused:
                    cursor.execute(change.statement)
                changes.append(change)
            for statement in _rights(feed):
                cursor.execute(statement)
            if feed.partition:
                cursor.execute(partitions.default_of(feed))
    return changes


def _partitioning(cursor: Any, feed: FeedSpec, existing: dict[str, str]) -> list[Change]:
    """A table that stands unpartitioned is not rebuilt here: that moves every row."""
    if not existing or not feed.partition:
        return []
    cursor.execute("select relkind from pg_class where oid = to_regclass(%s)", [f'pool."{feed.code}"'])
    if cursor.fetchone()[0] == "p":
        return []
    by_hand = (
        f'alter table pool."{feed.code}" rename to "{feed.code}_old" -- 再次 feed sync 后，'
        f'insert into pool."{feed.code}" overriding system value select * from pool."{feed.code}_old"'
    )
    return [Change(feed.code, by_hand, refused=True)]


def _sealing(cursor: Any, feed: FeedSpec, existing: dict[str, str]) -> list[Change]:
    """The column that says which seal a row stands under. The database computes it from the row's own columns:
    no writer can forget it, and to write it anew loses nothing. Its comment holds what it was made from."""
    table, wanted, found = f'pool."{feed.code}"', seal_of(feed), ""
    if _SEAL in existing:
        cursor.execute(
            "select coalesce(col_description(attrelid, attnum), '?') from pg_attribute"
            " where attrelid = to_regclass(%s) and attname = %s",
            [table, _SEAL],
        )
        found = cursor.fetchone()[0]
    if wanted == found:
        return []
    statements = []
    if _SEAL in existing:
        # The policy names the column; it is made anew with the rights.
        statements += [f"drop policy if exists scope on {table}", f"alter table {table} drop column {_SEAL}"]
    if wanted:
        literal = wanted.replace("'", "''")
        statements += [
            f"alter table {table} add column {_SEAL} text generated always as ({wanted}) stored",
            f"comment on column {table}.{_SEAL} is '{literal}'",
        ]
    return [Change(feed.code, statement) for statement in statements]


def _plan(feed: FeedSpec, existing: dict[str, str]) -> list[Change]:
    table = f'pool."{feed.code}"'
    columns = pool_columns(feed)
    if not existing:
        body = [f'"{n}" {t}' for n, t in (*SYSTEM_COLUMNS, *columns.items())]
        split = ""
        if feed.partition:
            # A key of a split table holds the column it is split by.
            body[0] = body[0].removesuffix(" primary key")
            body.append(f'primary key ("record_id", "{feed.valid_time}")')
            split = f' partition by range ("{feed.valid_time}")'
        created = [f"create table {table} ({', '.join(body)}){split}", *_indexes(feed)]
        return [Change(feed.code, statement) for statement in created]
    changes = []
    for name, wanted in columns.items():
        if name not in existing:
            changes.append(Change(feed.code, f'alter table {table} add column "{name}" {wanted}'))
        elif existing[name] != wanted:
            by_hand = f'alter table {table} alter column "{name}" type {wanted} using "{name}"::{wanted}'
            changes.append(Change(feed.code, by_hand, refused=True))
    gone = set(existing) - set(columns) - {name for name, _ in SYSTEM_COLUMNS} - {_SEAL}
    changes += [
        Change(feed.code, f'alter table {table} drop column "{n}"', refused=True) for n in sorted(gone)
    ]
    return changes


def _indexes(feed: FeedSpec) -> list[str]:
    table = f'pool."{feed.code}"'
    current = f'natural_hash, "{feed.valid_time}"' if feed.partition else "natural_hash"
    statements = [
        f'create unique index "{feed.code}_current" on {table} ({current}) where to_landing is null',
        f'create index "{feed.code}_landing" on {table} (from_landing)',
        f'create index "{feed.code}_ended" on {table} (to_landing) where to_landing is not null',
    ]
    for index in feed.indexes:
        listed = ", ".join(f'"{name}"' for name in index)
        statements.append(f'create index "{feed.code}_{"_".join(index)[:40]}" on {table} ({listed})')
    led = {index[0] for index in feed.indexes}
    for column in feed.columns:
        # A text that mentions subjects has no use for a btree over the whole of it.
        if column.subject and column.type != "text" and column.name not in led:
            statements.append(f'create index "{feed.code}_{column.name}" on {table} ("{column.name}")')
    return statements


def _rights(feed: FeedSpec) -> list[str]:
    table = f'pool."{feed.code}"'
    in_scope = (
        f"'{feed.code}' = any (string_to_array((select current_setting('cx.feeds', true)), ','))"
        f" and (county is null or {OFFICE_IN_SCOPE.format(column='county')})" + _unsealed(feed)
    )
    return [
        f"alter table {table} enable row level security",
        f"grant select, insert, update, delete on {table} to cx_intake",
        f"grant select on {table} to cx_worker, cx_web",
        f"drop policy if exists intake on {table}",
        f"create policy intake on {table} for select to cx_intake using (true)",
        f"drop policy if exists intake_insert on {table}",
        f"create policy intake_insert on {table} for insert to cx_intake with check (true)",
        f"drop policy if exists intake_update on {table}",
        f"create policy intake_update on {table} for update to cx_intake using (true) with check (true)",
        f"drop policy if exists intake_clear on {table}",
        f"create policy intake_clear on {table} for delete to cx_intake using ({_BEING_CLEARED})",
        f"drop policy if exists scope on {table}",
        f"create policy scope on {table} for select to cx_worker, cx_web using ({in_scope})",
    ]


def _unsealed(feed: FeedSpec) -> str:
    """The second wall of ``ingestion.catalog.seals.opens``: sealed rows are there for the purpose that opens them."""
    if not feed.seals:
        return ""
    purpose = "(select current_setting('cx.purpose', true))"
    department = "(select current_setting('cx.department', true))"
    opened = [f"{_SEAL} is null"]
    for code in dict.fromkeys(seal.kind for seal in feed.seals):
        kind = KINDS[code]
        own = f" and {department} = '{kind.department}'" if kind.department else ""
        if kind.purpose == CASE_QUERY:
            own += f" and (select audit_written('{RECORDED}'))"
        opened.append(f"({_SEAL} = '{code}' and {purpose} = '{kind.purpose}'{own})")
    return f" and ({' or '.join(opened)})"
