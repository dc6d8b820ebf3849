"""Counts kept beside the clues, held against counting: whatever is written, by whom, however many at once."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from types import SimpleNamespace

import psycopg2
import pytest
from django.db import connections, transaction
from django.utils import timezone

from chuxiong.accounts.scope import person_scope
from supervision import tally
from supervision.clues.lifecycle import CLOSED, State
from supervision.models import Clue, Tally
from tests.conftest import acting_as
from tests.prefecture import NOW, decided
from tests.supervision.test_queue import LEVELS, NAMES, OFFICES, _clue, _world, draw  # noqa: F401

RULES = ["of_pensions", "of_rivers", ""]
STILL = [s.value for s in State if s not in CLOSED]
DAYS = [NOW.date() + timedelta(days=n) for n in (-2, 0, 1, 4)]


def _drawn(draw: random.Random, n: int) -> Clue:  # noqa: F811
    clue = _clue(draw, n)
    clue.rule = draw.choice(RULES)
    return clue


def _move(draw: random.Random, n: int) -> None:  # noqa: F811
    """One thing that may happen to clues, in one statement or several."""
    present = sorted(Clue.objects.values_list("pk", flat=True))
    clues = Clue.objects.filter(pk__in=draw.sample(present, min(12, len(present))))
    kind = draw.randrange(10)
    if kind == 0:
        Clue.objects.bulk_create([_drawn(draw, n * 100 + k) for k in range(draw.randint(1, 20))])
    elif kind == 1:
        _drawn(draw, n * 100).save()
    elif kind == 2:
        clues.delete()
    elif kind == 3:
        clues.update(state="settled", **decided("settled"))
    elif kind == 4:
        state = draw.choice(STILL)
        clues.update(state=state, due_on=draw.choice([None, *DAYS]), **decided(state))
    elif kind == 5:
        clues.update(closed_to=draw.choice(["", "minors"]), handler=draw.choice(["", *NAMES]))
    elif kind == 6:
        clues.update(sealed=draw.random() < 0.5, recused=draw.choice([[], ["a"]]))
    elif kind == 7:
        for clue in clues:
            clue.office, clue.rule, clue.level = draw.choice(OFFICES), draw.choice(RULES), draw.choice(LEVELS)
            clue.source_changes = draw.choice([[], [{"landing": 1}]])
        Clue.objects.bulk_update(clues, ["office", "rule", "level", "source_changes"])
    elif kind == 8:
        Clue.objects.update(
            raised_at=NOW - timedelta(hours=draw.randint(0, 40)),
            results=draw.choice([{}, {"previous_state": "settled"}]),
        )
    else:
        # What is there is brought in line, what is not comes new: both in one statement.
        fresh = [_drawn(draw, n * 100), _drawn(draw, n * 100 + 1)]
        known = clues.filter(open=True).first()
        if known:
            fresh[0].number = known.number
        Clue.objects.bulk_create(
            fresh,
            update_conflicts=True,
            unique_fields=["number"],
            update_fields=["office", "due_on", "handler"],
        )


def _counted(today: date) -> SimpleNamespace:
    """The same figures by plain SQL over the clues that the caller sees."""
    with connections["default"].cursor() as cursor:
        cursor.execute(
            "select state, count(*) from supervision_clue where state = any (%s) group by state", [STILL]
        )
        states = dict.fromkeys((s.value for s in State), 0) | dict(cursor.fetchall())
        cursor.execute(
            "select count(*) filter (where due_on < %(t)s), count(*) filter (where due_on between %(t)s and %(s)s),"
            " count(*) filter (where (raised_at at time zone 'Asia/Shanghai')::date = %(t)s),"
            " count(*) filter (where source_changes <> '[]'),"
            ' count(*) filter (where results @> \'{"previous_state": "settled"}\')'
            " from supervision_clue where state = any (%(open)s)",
            {"t": today, "s": today + timedelta(days=3), "open": STILL},
        )
        reasons = dict(zip(("overdue", "soon", "new", "changed", "rebound"), cursor.fetchone(), strict=True))
        cursor.execute(
            "select rule, count(*), count(confirmed_at) from supervision_clue where checked_at is not null"
            " and rule <> '' group by rule"
        )
        verdicts = {rule: (0, 0) for rule in RULES if rule} | {r: (c, f) for r, c, f in cursor.fetchall()}
        cursor.execute(
            "select count(*), count(*) filter (where office = '532301' and state in ('raised', 'settled'))"
            " from supervision_clue"
        )
        return SimpleNamespace(states=states, reasons=reasons, verdicts=verdicts, totals=cursor.fetchone())


def _agree(people) -> int:  # type: ignore[no-untyped-def]
    """Holds what is kept against what is counted, for everybody and several days; how many clues were seen."""
    seen = 0
    for who in people:
        with person_scope(who):
            for today in DAYS:
                counted = _counted(today)
                assert tally.standing(today) == (counted.states, counted.reasons), who.username
            assert tally.verdicts(RULES) == counted.verdicts
            every = tally.total([s.value for s in State])
            assert (every, tally.total(["raised", "settled"], ["532301"])) == counted.totals
            seen += every
    return seen


class _Undone(Exception):
    pass


def test_what_is_kept_is_what_counting_gives_after_every_move(database, draw):  # noqa: F811
    people, _clues = _world(draw, 60)
    with acting_as("owner"):
        Clue.objects.bulk_create([_drawn(draw, n) for n in range(100, 200)])
    assert _agree(people)
    for turn in range(10, 28):
        with acting_as("owner"):
            try:
                with transaction.atomic():
                    for step in range(draw.randint(1, 3)):
                        _move(draw, turn * 10 + step)
                    if draw.random() < 0.3:
                        raise _Undone
            except _Undone:
                pass
        if draw.random() < 0.3:
            with acting_as("worker"):
                tally.compact()
        _agree(people)
    with acting_as("worker"):
        tally.compact()
        assert tally.compact() == 0, "nothing is left to sum up"
    _agree(people)
    with acting_as("owner"):
        kept = _summed()
        with connections["owner"].cursor() as cursor:
            cursor.execute("select supervision_tally_renew()")
        assert _summed() == kept
        with connections["owner"].cursor() as cursor:
            cursor.execute("truncate supervision_clue cascade")
        assert not Tally.objects.exists()


def _summed() -> dict[tuple[object, ...], int]:
    found: dict[tuple[object, ...], int] = {}
    for *key, clues in Tally.objects.values_list(
        "aspect", "word", "day", "office", "closed_to", "handler", "clues"
    ):
        found[tuple(key)] = found.get(tuple(key), 0) + clues
    return {key: clues for key, clues in found.items() if clues}


def test_writers_and_sums_at_the_same_time_lose_nothing(database, draw):  # noqa: F811
    people, _clues = _world(draw, 80)
    # Taken here: a thread has connections of its own.
    connect = connections["owner"].get_connection_params()
    connect = {k: v for k, v in connect.items() if k not in ("cursor_factory", "context")}
    states = [draw.sample(STILL, 3) for _ in range(3)]

    def write(part: int) -> None:
        own = psycopg2.connect(**connect)
        try:
            for turn in range(15):
                with own, own.cursor() as cursor:
                    cursor.execute(
                        "update supervision_clue set state = %(state)s, checked_at = %(checked_at)s,"
                        " confirmed_at = %(confirmed_at)s where id %% 3 = %(part)s and open",
                        {"state": states[part][turn % 3], "part": part, **decided(states[part][turn % 3])},
                    )
        finally:
            own.close()

    def sum_up(_n: int) -> None:
        own = psycopg2.connect(**connect)
        try:
            for _turn in range(15):
                with own, own.cursor() as cursor:
                    cursor.execute("select supervision_tally_compact()")
        finally:
            own.close()

    with ThreadPoolExecutor(5) as pool:
        for done in [*(pool.submit(write, n) for n in range(3)), *(pool.submit(sum_up, n) for n in range(2))]:
            done.result(timeout=60)
    assert _agree(people)


def test_nobody_writes_it_or_reads_beyond_their_sight(database, draw):  # noqa: F811
    people, _clues = _world(draw, 40)
    connection = connections["default"]
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from supervision_tally")
        assert cursor.fetchone() == (0,), "without a scope nothing is counted"
        for forbidden in (
            "update supervision_tally set clues = 0",
            "delete from supervision_tally",
            "insert into supervision_tally (aspect, word, office, closed_to, handler, clues)"
            " values ('state', 'raised', '532300', '', '', 1)",
            "select supervision_tally_compact()",
            "select supervision_tally_renew()",
        ):
            with pytest.raises(psycopg2.errors.InsufficientPrivilege), connection.cursor() as raw:
                raw.cursor.execute(forbidden)
    for who in people:
        assert who.department is not None
        with person_scope(who):
            for row in Tally.objects.all():
                assert row.office in who.office_codes
                assert row.closed_to in ("", who.department.code) or row.handler == who.username


def test_a_day_begins_at_local_midnight(database, draw):  # noqa: F811
    (who, *_others), _clues = _world(draw, 0)
    today = timezone.localdate(NOW)
    midnight = timezone.make_aware(timezone.datetime.combine(today, timezone.datetime.min.time()))
    with acting_as("owner"):
        for n, moment in enumerate((midnight - timedelta(seconds=1), midnight, midnight + timedelta(days=1))):
            clue = _clue(draw, n)
            clue.state, clue.outcome, clue.office, clue.closed_to = "raised", None, who.office_id, ""
            clue.sealed, clue.recused, clue.raised_at, clue.due_on = False, [], moment, today
            clue.checked_at = clue.confirmed_at = clue.settled_at = None
            clue.save()
    with person_scope(who):
        for day, new, overdue, soon in ((-1, 1, 0, 3), (0, 1, 0, 3), (1, 1, 3, 0), (2, 0, 3, 0), (-3, 0, 0, 3), (-4, 0, 0, 0)):  # fmt: skip
            _states, reasons = tally.standing(today + timedelta(days=day))
            assert (reasons["new"], reasons["overdue"], reasons["soon"]) == (new, overdue, soon), day
