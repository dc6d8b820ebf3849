"""Pool tables split by month: the months of what is about to land exist before it lands.

Only the owner of the pool may make tables. ``pool_month`` does it for the intake role: one month of one split table,
within the years that readings can come from; what lies outside (a device's broken clock) stays in the default
partition and moves out of it when its month is made.
"""

from __future__ import annotations

from typing import Any

from ingestion.catalog.spec import FeedSpec

#: months ahead of the clock that get a partition of their own; a date further off is a broken clock
_MONTHS_AHEAD = 2

FUNCTION = f"""
create or replace function pool_month(feed text, month date) returns boolean
language plpgsql security definer set search_path = pg_catalog set timezone = 'Asia/Shanghai' as $body$
declare
    first date := date_trunc('month', month)::date;
    next date := (date_trunc('month', month) + interval '1 month')::date;
    part text := feed || to_char(month, '_YYYY_MM');
    parent oid := to_regclass(format('pool.%I', feed));
    split name;
begin
    if first < date '2000-01-01' or first > current_date + interval '{_MONTHS_AHEAD} months' then
        return false;
    end if;
    select a.attname into split from pg_partitioned_table p
        join pg_attribute a on a.attrelid = p.partrelid and a.attnum = p.partattrs[0] where p.partrelid = parent;
    if split is null then
        raise exception 'pool.% is not split by month', feed;
    end if;
    perform pg_advisory_xact_lock(hashtext('pool_month'), hashtext(part));
    if to_regclass(format('pool.%I', part)) is not null then
        return true;
    end if;
    execute format('create table pool.%I (like pool.%I including defaults including constraints)', part, feed);
    execute format('alter table pool.%I enable row level security', part);
    execute format('with moved as (delete from pool.%I where %I >= %L and %I < %L returning *)'
        ' insert into pool.%I select * from moved', feed || '_other', split, first, split, next, part);
    execute format('alter table pool.%I attach partition pool.%I for values from (%L) to (%L)', feed, part, first, next);
    return true;
end $body$
"""
RIGHTS = [
    FUNCTION,
    "revoke all on function pool_month(text, date) from public",
    "grant execute on function pool_month(text, date) to cx_intake",
]


def default_of(feed: FeedSpec) -> str:
    """The partition of what belongs to no month; readers reach it through the table alone, like every month."""
    part = f'pool."{feed.code}_other"'
    return (
        f'create table if not exists {part} partition of pool."{feed.code}" default;'
        f" alter table {part} enable row level security"
    )


def ensure(cursor: Any, feed: FeedSpec, staged: str) -> None:
    """Make the missing months of the rows in ``staged``."""
    if not feed.partition:
        return
    cursor.execute(
        f"select pool_month(%s, m.month) from (select distinct date_trunc('month', \"{feed.valid_time}\")::date as month"
        f" from {staged}) m where to_regclass(format('pool.%%I', %s || to_char(m.month, '_YYYY_MM'))) is null",
        [feed.code, feed.code],
    )
