"""How fast the queue and a clue's page come with 1,000,000 clues, under row-level security and without it.

Every request goes through the whole stack in this process: middleware, view, database, template. The peer is the same
page of the same code with row-level security off, in turns within one run; the base line of the order is the same page by
the raw date. Beside them, what keeping the order costs: all lines once, and after some checks. ``make bench BENCH=desk``;
fewer clues: ``python -m bench.desk --clues 100000``.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median
from typing import Any

from bench.report import Figure, at_most, write

CLUES, REQUESTS, ROUNDS = 1_000_000, 100, 5
#: milliseconds of server time, 95 of 100 requests
TARGET = 150
#: (state, share): 82 of 100 not yet checked, 6 of 10 checked confirmed
STATES = (
    ("raised", 0.66), ("triaged", 0.03), ("dispatched", 0.03), ("checking", 0.03), ("sent_back", 0.01),
    ("dismissed", 0.03), ("merged", 0.01), ("withdrawn", 0.02), ("confirmed", 0.015), ("acted", 0.014),
    ("settled", 0.08), ("unfounded", 0.06), ("needs_data", 0.011),
)  # fmt: skip
PREFECTURE, COUNTY = "532300", "532301"


@dataclass
class Case:
    """One page as one person asks for it; milliseconds of each request."""

    name: str
    who: str
    path: str
    times: dict[bool, list[float]] = field(default_factory=lambda: {True: [], False: []})
    #: milliseconds of processor time, this process and its database backend together, under the policy
    busy: list[float] = field(default_factory=list)
    queries: int = 0

    def at(self, share: float, *, scoped: bool = True) -> float:
        times = sorted(self.times[scoped])
        return times[min(len(times) - 1, int(len(times) * share))]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.desk")
    parser.add_argument("--clues", type=int, default=CLUES)
    parser.add_argument("--requests", type=int, default=REQUESTS, help="of every page, on either side")
    parser.add_argument("--name", default="desk", help="of the file in var/bench")
    options = parser.parse_args()
    from chuxiong.up import services

    folder = Path(tempfile.mkdtemp(prefix="cx-bench-"))
    load = os.getloadavg()[0]
    running = services.start(folder)
    try:
        prepare(running.environment)
        fill(options.clues)
        kept = list(order(options.clues))
        load_between = os.getloadavg()[0]
        cases = measure(options.requests)
    finally:
        from django.db import connections

        connections.close_all()
        running.stop()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(running.postgres.sockets, ignore_errors=True)
    notes: dict[str, object] = {
        "clues": options.clues,
        "requests_of_a_page": options.requests,
        "load_before": round(load, 2),
        "load_while_filled": round(load_between, 2),
    }
    return write(options.name, [*figures(cases), *kept], notes=notes)


def prepare(environment: dict[str, str]) -> None:
    """Django as the web role on the given servers, tables and shipped data in place."""
    os.environ.update(environment)
    os.environ |= {"CHUXIONG_ROLE": "web", "DJANGO_SETTINGS_MODULE": "chuxiong.settings"}
    os.environ["CHUXIONG_HOSTS"] = "127.0.0.1,localhost,testserver"
    import django

    django.setup()
    from django.core.management import call_command

    with open(os.devnull, "w") as nowhere:
        call_command("migrate", database="owner", verbosity=0)
        for words in (("office", "sync"), ("feed", "sync"), ("rule", "sync")):
            call_command(*words, stdout=nowhere)


# ---- data ------------------------------------------------------------------------------------


def fill(clues: int) -> None:
    """Clues of all offices, rules, states and levels with their events; one in ten open to some people only."""
    from django.contrib.auth.hashers import make_password
    from django.db import connections

    seed = secrets.randbits(31)
    print(f"seed {seed}")
    with connections["owner"].cursor() as cursor:
        for who, office in (("upper", PREFECTURE), ("lower", COUNTY)):
            cursor.execute(
                "insert into accounts_person (username, password, name, office_id, roles, is_active, joined_at,"
                " must_change_password, second_factor_required)"
                " values (%s, %s, %s, %s, '{prosecutor}', true, now(), false, false)",
                [who, make_password(None), who, office],
            )
        cursor.execute("select setseed(%s)", [seed / 2**31])
        with _in_bulk(cursor):
            for first in range(1, clues + 1, 100_000):
                _raise(cursor, first, min(first + 99_999, clues))
        cursor.execute(
            "insert into supervision_clueevent (clue_id, at, actor, kind, from_state, to_state, note, detail)"
            " select c.id, c.raised_at + k.after, 'bench', k.kind, k.before, k.later, '', '{}'"
            " from supervision_clue c cross join (values ('raised', '', 'raised', interval '0', false),"
            " ('accept', 'raised', 'triaged', interval '1 day', true),"
            " ('dispatch', 'triaged', 'dispatched', interval '2 day', true),"
            " ('receive', 'dispatched', 'checking', interval '3 day', true))"
            " k(kind, before, later, after, on_the_way) where not on_the_way or c.handler <> '' order by c.id"
        )
        cursor.execute("vacuum analyze supervision_clue")
        cursor.execute("vacuum analyze supervision_clueevent")
        cursor.execute("vacuum analyze supervision_cluerank")
        cursor.execute("select supervision_tally_compact()")
        cursor.execute("vacuum analyze supervision_tally")


@contextmanager
def _in_bulk(cursor: Any) -> Iterator[None]:
    """What triggers keep is counted once at the end, by the statements that ``migrate`` uses; indexes are made after."""
    from supervision.ranking import lines

    kept = []
    for table in ("supervision_clue", "supervision_cluerank"):
        cursor.execute(
            "select i.indexrelid::regclass::text, pg_get_indexdef(i.indexrelid) from pg_index i"
            " left join pg_constraint k on k.conindid = i.indexrelid where i.indrelid = %s::regclass and k.oid is null",
            [table],
        )
        kept += cursor.fetchall()
        cursor.execute(f"alter table {table} disable trigger user")
    for name, _made in kept:
        cursor.execute(f"drop index {name}")
    yield
    cursor.execute("select supervision_tally_renew()")
    cursor.execute(lines.STATEMENTS[-1])
    for table in ("supervision_clue", "supervision_cluerank"):
        cursor.execute(f"alter table {table} enable trigger user")
    cursor.execute("set maintenance_work_mem = '1GB'")
    for name, made in kept:
        # The places are not reckoned yet: their indexes are made when they are.
        if not name.startswith(("rank_queue", "rank_of_", "rank_by_day", "rank_changed", "rank_rebound")):
            cursor.execute(made)
        else:
            _LATER.append(made)


#: indexes of the places
_LATER: list[str] = []


def _raise(cursor: Any, first: int, last: int) -> None:
    from supervision.rulebook.spec import leaves
    from supervision.selectors import rulebook

    rules = [
        {
            "rule": rule.id,
            "kind": rule.clue.kind,
            "material": {name: "12345.00" for name in rule.measures},
            "conditions": [
                {"id": leaf.id, "truth": True, "values": {"field": "2026-06", "other": "2026-03"}}
                for leaf in leaves(rule.when)
            ],
            "evidence": [
                {"feed": source.feed, "record_id": n, "alias": alias}
                for alias, source in rule.sources.items()
                if source.feed
                for n in range(1, 4)
            ],
        }
        for rule in rulebook().values()
    ]
    shares, total = [], 0.0
    for _state, share in STATES[:-1]:
        total += share
        shares.append(round(total, 6))
    front, back = "鹿东吕紫子苍大中三新", "城瓜合溪午岭过山街舍"
    townships = [
        f"{a}{b}{'镇' if (i + j) % 3 else '乡'}" for i, a in enumerate(front) for j, b in enumerate(back)
    ]
    cursor.execute(
        """
        with drawn as materialized (
            select n, random() as s, random() as l, random() as o, random() as r, random() as d, random() as g,
                random() as t, random() as m from generate_series(%(first)s, %(last)s) n
        ), placed as (
            select n, l, d, g, r, t, m, (%(states)s::text[])[width_bucket(s, %(shares)s::float8[]) + 1] as state,
                (array(select code from accounts_office order by code))
                    [1 + floor(o * (select count(*) from accounts_office))::int] as office,
                (%(rules)s::jsonb) -> floor(r * %(count)s)::int as rule
            from drawn
        ), facts as (
            select *, m < 0.03 as manual, now() - make_interval(mins => (d * 170000)::int) as raised,
                state in ('confirmed', 'acted', 'settled') as confirmed,
                state in ('confirmed', 'acted', 'settled', 'unfounded') as checked,
                state in ('settled', 'dismissed', 'unfounded', 'merged', 'withdrawn') as closed
            from placed
        )
        insert into supervision_clue (number, origin, rule, rule_digest, subject_kind, subject_ref, bucket, episode, label, title,
            level, office, department, township, state, outcome, kind, supported, material, conditions, evidence,
            source_changes, results, raised_at, checked_at, confirmed_at, settled_at, due_on, handler, closed_to,
            sealed, admitted, recused, seals, responsible, responsible_zh, responsible_en, competent, exercise, version)
        select 'XS-2026-' || lpad(n::text, 7, '0'), case when manual then 'manual' else 'model' end,
            case when manual then '' else rule ->> 'rule' end, '', rule ->> 'kind', md5(n::text), '', 1,
            case when manual then '' else substr('赵钱孙李周吴郑王', 1 + n %% 8, 1) || '某' || substr(md5(n::text), 1, 4) end,
            case when manual then '桥下河道堆放垃圾第' || n || '处' else '' end,
            case when l < 0.08 then 'urgent' when l < 0.35 then 'important' else 'ordinary' end, office,
            'public_interest', (%(townships)s::text[])[1 + floor(t * %(places)s)::int], state,
            case when state = 'settled' then case when n %% 2 = 0 then 'corrected' else 'improved' end end, '', true,
            (rule -> 'material') || jsonb_build_object('months', n %% 30), rule -> 'conditions', rule -> 'evidence',
            case when n %% 100 = 0 then '[{"landing": 1}]'::jsonb else '[]' end,
            case when n %% 100 = 1 then '{"previous_state": "settled"}'::jsonb else '{}' end,
            raised, case when checked then raised + interval '5 day' end,
            case when confirmed then raised + interval '6 day' end,
            case when state = 'settled' then raised + interval '9 day' end,
            case when not closed then current_date + 25 - floor(d * 45)::int end,
            case when state in ('raised', 'triaged', 'dispatched', 'sent_back', 'dismissed', 'merged', 'withdrawn')
                then '' else 'h' || office || n %% 7 end,
            case when g < 0.06 then 'minors' when g < 0.08 then 'duty_crime' else '' end, g > 0.99,
            case when g > 0.995 then '{upper,lower}'::varchar[] else '{}' end,
            case when g between 0.5 and 0.51 then '{upper}'::varchar[] else '{}' end, '{}', '', '', '', '', false, 1
        from facts order by n
        """,
        {
            "first": first, "last": last, "states": [s for s, _share in STATES], "shares": shares,
            "rules": json.dumps(rules), "count": len(rules), "townships": townships, "places": len(townships),
        },
    )  # fmt: skip


# ---- the order -------------------------------------------------------------------------------

#: checks concluded at once, as in a busy hour of eleven offices
VERDICTS = 40


def order(clues: int) -> Iterator[Figure]:
    """Reckon all places once; then some checks are concluded, and only what they change is reckoned."""
    from django.db import connections
    from django.utils import timezone

    from supervision.ranking import refresh

    today = timezone.localdate()
    with connections["owner"].cursor() as cursor:
        cursor.execute("create index rank_while_filled on supervision_cluerank (cell) where open")
    before, connections["default"] = connections["default"], connections["worker"]
    try:
        piece, refresh.PIECE = refresh.PIECE, 20_000
        began = time.perf_counter()
        lines = refresh.bring_up_to_date(today=today, whole=True)
        took = time.perf_counter() - began
        refresh.PIECE = piece
        with connections["owner"].cursor() as cursor:
            cursor.execute("set maintenance_work_mem = '1GB'")
            cursor.execute("drop index rank_while_filled")
            for made in _LATER:
                cursor.execute(made)
        yield Figure("order: all lines once, indexes made after", round(took, 1), "s")
        yield Figure("order: lines reckoned in a second", round(lines / took), "lines/s")
        with connections["owner"].cursor() as cursor:
            cursor.execute("vacuum analyze supervision_cluerank")
            cursor.execute("vacuum analyze supervision_rankcell")
            cursor.execute(
                "update supervision_clue set state = 'unfounded', checked_at = now() where id in (select id from"
                " supervision_clue where state = 'checking' and not personal order by md5(number) limit %s)",
                [VERDICTS],
            )
        began = time.perf_counter()
        lines = refresh.bring_up_to_date(today=today)
        took = time.perf_counter() - began
        yield Figure(f"order: after {VERDICTS} checks, lines reckoned", lines, "lines", peer=clues)
        yield Figure(f"order: after {VERDICTS} checks", round(took * 1000), "ms")
        with connections["owner"].cursor() as cursor:
            cursor.execute("vacuum analyze supervision_cluerank")
    finally:
        connections["default"] = before


# ---- measuring -------------------------------------------------------------------------------


def _cases() -> list[Case]:
    from supervision.selectors import rulebook

    rule = next(iter(rulebook()))
    whole = [
        Case("page 1", "upper", "/"),
        Case("page 2", "upper", "/?page=2"),
        Case("page 50", "upper", "/?page=50"),
        Case("last page", "upper", "/?page=9999999"),
        Case("one state", "upper", "/?state=needs_data"),
        Case("one rule", "upper", f"/?rule={rule}"),
        Case("one level", "upper", "/?level=ordinary"),
        Case("overdue", "upper", "/?attention=overdue"),
        Case("changed source", "upper", "/?attention=changed"),
        Case("closed as well", "upper", "/?closed=1"),
        Case("text: number", "upper", "/?text=0012345"),
        Case("text: township", "upper", "/?text=鹿合镇"),
        Case("text: two characters", "upper", "/?text=紫溪"),
        Case("text: in half of all", "upper", "/?text=镇"),
        Case("text: in none", "upper", "/?text=没有这样的"),
        Case("level and office", "upper", f"/?level=important&office={COUNTY}"),
        Case("by raw date, page 1", "upper", "/#date"),
        Case("list refreshed alone", "upper", "/#fragment"),
        Case("a clue", "upper", "/clues/{number}"),
    ]
    below = ("page 1", "page 2", "page 50", "one rule", "text: township", "text: in half of all", "a clue")
    one_office = Case("one office", "upper", f"/?office={COUNTY}")
    return [*whole, one_office, *(replace(c, who="lower", times={True: [], False: []}, busy=[]) for c in whole if c.name in below)]  # fmt: skip


def measure(requests: int) -> list[Case]:
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from chuxiong.accounts.models import Person
    from supervision.selectors import ClueFilters, clue_page

    clients, numbers = {}, {}
    for who in ("upper", "lower"):
        person = Person.objects.get(username=who)
        clients[who] = Client()
        clients[who].force_login(person)
        rows = clue_page(person, ClueFilters(), 3).rows
        numbers[who] = [row.number for row in rows]
    cases = _cases()

    def ask(case: Case, turn: int) -> float:
        path = case.path.format(number=numbers[case.who][turn % len(numbers[case.who])])
        path, _, how = path.partition("#")
        with _by_date() if how == "date" else nullcontext():
            began = time.perf_counter()
            answer = clients[case.who].get(path, headers={"X-Fragment": "1"} if how == "fragment" else {})
            took = (time.perf_counter() - began) * 1000
        assert answer.status_code == 200, (path, answer.status_code)
        return took

    for case in cases:
        ask(case, 0)
        with CaptureQueriesContext(connection) as seen:
            ask(case, 1)
        case.queries = len(seen)
    for turn in range(ROUNDS):
        for scoped in (True, False) if turn % 2 else (False, True):
            with _row_level_security(scoped):
                for case in cases:
                    ask(case, 0)
                    before = _busy()
                    case.times[scoped] += [ask(case, n) for n in range(requests // ROUNDS)]
                    if scoped:
                        case.busy.append((_busy() - before) / (requests // ROUNDS))
    return cases


@contextmanager
def _by_date() -> Iterator[None]:
    """The base line: the newest first, which a plain index answers."""
    from supervision.selectors import queue

    names = ("_ORDER", "_BACKWARDS", "_KEYS")
    before = {name: getattr(queue, name) for name in names}
    keys = ("raised_at", "clue_id")
    for name, value in zip(names, (("-raised_at", "-clue_id"), keys, keys), strict=True):
        setattr(queue, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(queue, name, value)


def _busy() -> float:
    """What the clock cannot tell on a machine that others use too."""
    from django.db import connection

    backend = Path(f"/proc/{connection.connection.info.backend_pid}/schedstat")
    return time.process_time() * 1000 + int(backend.read_text().split()[0]) / 1e6


@contextmanager
def _row_level_security(on: bool) -> Iterator[None]:
    """Off: every policy of the clues' tables, and the scope inside the text search."""
    if on:
        yield
        return
    from django.db import connections

    from supervision import rights

    searches = [s for s in rights.STATEMENTS if "function supervision_clue_search" in s and "create" in s]
    with connections["owner"].cursor() as cursor:
        for table in rights.POLICIES:
            cursor.execute(f"alter table {table} disable row level security")
        for statement in searches:
            assert rights.VISIBLE in statement
            cursor.execute(statement.replace(rights.VISIBLE, "true"))
    try:
        yield
    finally:
        with connections["owner"].cursor() as cursor:
            for table in rights.POLICIES:
                cursor.execute(f"alter table {table} enable row level security")
            for statement in searches:
                cursor.execute(statement)


def figures(cases: list[Case]) -> Iterator[Figure]:
    """p95 of each page against the target and the peer's p95; then ratios and query counts."""
    words = {"upper": "prefecture", "lower": "county"}
    for case in cases:
        name = f"{words[case.who]}, {case.name}"
        p95, peer = case.at(0.95), case.at(0.95, scoped=False)
        yield replace(at_most(f"{name}: p95", round(p95, 1), "ms", TARGET), peer=round(peer, 1))
        yield Figure(f"{name}: p50", round(case.at(0.5), 1), "ms", peer=round(case.at(0.5, scoped=False), 1))
        yield Figure(f"{name}: max", round(case.at(1), 1), "ms", peer=round(case.at(1, scoped=False), 1))
        yield Figure(f"{name}: processor time, median", round(median(case.busy), 1), "ms")
        yield Figure(f"{name}: queries", case.queries, "queries")
    ratios = [case.at(0.5) / case.at(0.5, scoped=False) for case in cases]
    yield Figure("p50 with row-level security / without, median of the pages", round(median(ratios), 2), "×")
    yield Figure("p50 with row-level security / without, worst page", round(max(ratios), 2), "×")
    for who in words:
        # The first page shows today's few as well.
        counts = {c.queries for c in cases if c.who == who and c.name in ("page 2", "page 50", "last page")}
        spread = max(counts) - min(counts)
        yield at_most(f"{words[who]}, spread of query counts over the pages", spread, "queries", 0)


if __name__ == "__main__":
    sys.exit(main())
