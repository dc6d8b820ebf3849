"""Counts that do not grow with the clues: what the triggers keep of them, and what the queue reads there.

Every statement that writes clues writes, in its own transaction, by how much each count changes; nobody waits for
anybody, a rollback takes the difference back with the clue. ``compact`` sums the differences up every minute. Days
stand as days: what is overdue or new is said when it is asked.

Clues that name people (``personal``) are left out: who sees them, the row alone tells. They are few and counted one by
one, in the same statement, so no clue that becomes one of them is counted twice or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Literal

from django.conf import settings
from django.db import connection

from supervision.clues.lifecycle import CLOSED, State

#: An open clue whose limit ends within so many days asks for a look.
SOON_DAYS = 3
_RAISED_ON = f"(c.raised_at at time zone '{settings.TIME_ZONE}')::date"
# Every fact of a clue ``c`` that is counted.
_FACTS = f"""
    cross join lateral (values
        ('state', c.state, null::date, true),
        ('due', '', c.due_on, c.open and c.due_on is not null),
        ('raised', '', {_RAISED_ON}, c.open),
        ('changed', '', null, c.open and c.changed),
        ('rebound', '', null, c.open and c.rebound),
        ('rule', c.rule, null, c.open and c.rule <> ''),
        ('level', c.level, null, c.open),
        ('checked', c.rule, null, c.rule <> '' and c.checked_at is not null),
        ('confirmed', c.rule, null, c.rule <> '' and c.confirmed_at is not null)
    ) f(aspect, word, day, holds)
    where f.holds and not c.personal
"""
_KEY = "aspect, word, day, office, closed_to, handler"


def _changes(*tables: tuple[str, int]) -> str:
    """The statement that notes the clues of the tables, each as so many more."""
    counted = " union all ".join(
        "select f.aspect, f.word, f.day, c.office, c.closed_to,"
        f" case when c.closed_to = '' then '' else c.handler end as handler, {sign} as clues from {table} c {_FACTS}"
        for table, sign in tables
    )
    return (
        f"insert into supervision_tally ({_KEY}, clues) select {_KEY}, sum(clues) from ({counted}) x"
        f" group by {_KEY} having sum(clues) <> 0"
    )


STATEMENTS = [
    f"""
    create or replace function supervision_tally_keep() returns trigger language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        if tg_op = 'INSERT' then
            {_changes(("fresh", 1))};
        elsif tg_op = 'UPDATE' then
            {_changes(("fresh", 1), ("former", -1))};
        elsif tg_op = 'DELETE' then
            {_changes(("former", -1))};
        else
            lock table supervision_tally in exclusive mode;
            delete from supervision_tally;
        end if;
        return null;
    end $$
    """,
    *(
        f"create or replace trigger supervision_tally_{what} after {what} on supervision_clue"
        f" {tables} for each statement execute function supervision_tally_keep()"
        for what, tables in (
            ("insert", "referencing new table as fresh"),
            ("update", "referencing new table as fresh old table as former"),
            ("delete", "referencing old table as former"),
            ("truncate", ""),
        )
    ),
    # One at a time, or two would wait for each other's rows; writers are waited for by nobody and wait for nobody.
    f"""
    create or replace function supervision_tally_compact() returns bigint language plpgsql security definer
    set search_path = pg_catalog, public, pg_temp as $$
    declare
        done bigint;
    begin
        perform pg_advisory_xact_lock(hashtext('supervision_tally'));
        with several as (
            select {_KEY} from supervision_tally group by {_KEY} having count(*) > 1
        ), gone as (
            delete from supervision_tally t using several s
            where (t.aspect, t.word, t.office, t.closed_to, t.handler)
                    = (s.aspect, s.word, s.office, s.closed_to, s.handler)
                and t.day is not distinct from s.day
            returning t.*
        ), summed as (
            insert into supervision_tally ({_KEY}, clues)
            select {_KEY}, sum(clues) from gone group by {_KEY} having sum(clues) <> 0
        )
        select count(*) into done from gone;
        return done;
    end $$
    """,
    "revoke all on function supervision_tally_compact() from public",
    "grant execute on function supervision_tally_compact() to cx_worker",
    # Counted anew at every ``migrate``: for clues from before the triggers, or that came past them.
    f"""
    create or replace function supervision_tally_renew() returns void language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    begin
        lock table supervision_clue in share row exclusive mode;
        lock table supervision_tally in exclusive mode;
        delete from supervision_tally;
        {_changes(("supervision_clue", 1))};
    end $$
    """,
    "revoke all on function supervision_tally_renew() from public",
    "select supervision_tally_renew()",
]


def compact() -> int:
    """Sum up the differences; how many rows went into the sums."""
    with connection.cursor() as cursor:
        cursor.execute("select supervision_tally_compact()")
        return int(cursor.fetchone()[0])


def standing(today: date) -> tuple[dict[str, int], dict[str, int]]:
    """Open clues within the caller's scope by state, and by reason for a look on the local day ``today``."""
    counts = {s.value: 0 for s in State}
    reasons = dict.fromkeys(("overdue", "soon", "new", "changed", "rebound"), 0)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""
            select kind, name, sum(clues) from (
                select 'state' as kind, word as name, clues from supervision_tally
                where aspect = 'state' and word <> all (%(closed)s)
                union all
                select 'reason', case when day < %(today)s then 'overdue' else 'soon' end, clues
                from supervision_tally where aspect = 'due' and word = '' and day <= %(soon)s
                union all
                select 'reason', 'new', clues from supervision_tally
                where aspect = 'raised' and word = '' and day = %(today)s
                union all
                select 'reason', aspect, clues from supervision_tally where aspect in ('changed', 'rebound')
                union all
                select f.kind, f.name, 1 from supervision_clue c cross join lateral (values
                    ('state', c.state, true),
                    ('reason', 'overdue', c.due_on < %(today)s),
                    ('reason', 'soon', c.due_on between %(today)s and %(soon)s),
                    ('reason', 'new', {_RAISED_ON} = %(today)s),
                    ('reason', 'changed', c.changed),
                    ('reason', 'rebound', c.rebound)
                ) f(kind, name, holds) where c.personal and c.open and f.holds
            ) x group by kind, name
            """,
            {"today": today, "soon": today + timedelta(days=SOON_DAYS), "closed": [s.value for s in CLOSED]},
        )
        for kind, name, clues in cursor.fetchall():
            (counts if kind == "state" else reasons)[name] = int(clues)
    return counts, reasons


def total(states: Iterable[str], offices: Iterable[str] = ()) -> int:
    """Clues within the caller's scope in one of the states; of the offices, where some are named."""
    wanted, of = list(states), list(offices)
    named = " and office = any (%(offices)s)" if of else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "select (select coalesce(sum(clues), 0) from supervision_tally where aspect = 'state' and"
            f" word = any (%(states)s){named}) + (select count(*) from supervision_clue where personal and"
            f" state = any (%(states)s){named})",
            {"states": wanted, "offices": of},
        )
        return int(cursor.fetchone()[0])


def total_open(aspect: Literal["rule", "level"], words: Iterable[str], offices: Iterable[str] = ()) -> int:
    """Open clues within the caller's scope of these rules or levels; of the offices, where some are named."""
    wanted, of = list(words), list(offices)
    named = " and office = any (%(offices)s)" if of else ""
    with connection.cursor() as cursor:
        cursor.execute(
            "select (select coalesce(sum(clues), 0) from supervision_tally where aspect = %(aspect)s and"
            f" word = any (%(words)s){named}) + (select count(*) from supervision_clue where personal and open and"
            f" {aspect} = any (%(words)s){named})",
            {"aspect": aspect, "words": wanted, "offices": of},
        )
        return int(cursor.fetchone()[0])


def verdicts(rules: Iterable[str]) -> dict[str, tuple[int, int]]:
    """(checked, confirmed) per rule within the caller's scope: “of 10 such, 6 were confirmed”."""
    wanted = [rule for rule in rules if rule]
    if not wanted:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """
            select rule, sum(checked), sum(confirmed) from (
                select word as rule, case aspect when 'checked' then clues else 0 end as checked,
                    case aspect when 'confirmed' then clues else 0 end as confirmed
                from supervision_tally where aspect in ('checked', 'confirmed') and word = any (%(rules)s)
                union all
                select rule, 1, (confirmed_at is not null)::int from supervision_clue
                where personal and checked_at is not null and rule = any (%(rules)s)
            ) x group by rule
            """,
            {"rules": wanted},
        )
        found = {rule: (int(checked), int(confirmed)) for rule, checked, confirmed in cursor.fetchall()}
    return dict.fromkeys(wanted, (0, 0)) | found
