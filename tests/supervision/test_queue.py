"""The queue: its order, its counts, its search, each held against plain Python over random worlds."""

from __future__ import annotations

import json
import random
import secrets
from datetime import timedelta

import pytest
from django.db import connection, connections, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chuxiong.accounts.models import Department, Person
from chuxiong.accounts.scope import person_scope, scope
from supervision import saved_views, selectors
from supervision.access import Guarded, Viewer, visible
from supervision.clues.lifecycle import CLOSED, State
from supervision.models import Clue, RankCell
from supervision.ranking import expected
from supervision.ranking.refresh import bring_up_to_date
from supervision.selectors import ClueFilters, clue_page, clue_rows, clue_standing
from tests.conftest import acting_as
from tests.prefecture import NOW, decided, person

OFFICES = ["532300", "532301", "532302"]
DEPARTMENTS = ["minors", "duty_crime", "public_interest"]
NAMES = ["a", "b", "c", "d"]
LEVELS = ["urgent", "important", "ordinary"]
#: few characters and marks that patterns know, so that searches hit, and hit across the ends of fields
LETTERS = "鹿城镇河道aB1%_\\"


def _person(username: str, office: str, department: str) -> Person:
    made = person(username, office=office)
    with acting_as("owner"):
        made.department = Department.objects.get(office_id=office, code=department)
        made.save()
    return Person.objects.select_related("office", "department").get(pk=made.pk)


def _text(draw: random.Random) -> str:
    return "".join(draw.choices(LETTERS, k=draw.randint(0, 6)))


def _clue(draw: random.Random, n: int) -> Clue:
    state = draw.choice([s.value for s in State])
    day = NOW.date()
    return Clue(
        number=f"XS-2026-{n:06d}", origin="manual", subject_kind="place", subject_ref=str(n), state=state,
        level=draw.choice(LEVELS), office=draw.choice(OFFICES), closed_to=draw.choice(["", "", "", "minors"]),
        sealed=draw.random() < 0.2, handler=draw.choice(["", *NAMES]), admitted=draw.sample(NAMES, draw.randint(0, 2)),
        recused=draw.sample(NAMES, draw.choice([0, 0, 0, 1, 2])), label=_text(draw), title=_text(draw),
        township=_text(draw), raised_at=NOW - timedelta(hours=draw.randint(0, 60)),
        due_on=draw.choice([None, *(day + timedelta(days=n) for n in range(-3, 6))]),
        **decided(state),
        source_changes=draw.choice([[], [], [{"landing": 1}]]),
        results=draw.choice([{}, {"previous_state": "settled"}, {"previous_state": "dismissed"}]),
    )  # fmt: skip


def _world(draw: random.Random, clues: int) -> tuple[list[Person], list[Clue]]:
    people = [_person(name, draw.choice(OFFICES), draw.choice(DEPARTMENTS)) for name in NAMES]
    made = [_clue(draw, n) for n in range(clues)]
    with acting_as("owner"):
        Clue.objects.bulk_create(made)
    with acting_as("worker"):
        bring_up_to_date(today=NOW.date())
    return people, made


@pytest.fixture
def draw(capsys) -> random.Random:
    seed = secrets.randbelow(2**31)
    with capsys.disabled():
        print(f"\nqueue seed {seed}")
    return random.Random(seed)


def _seen(who: Person, clues: list[Clue]) -> list[Clue]:
    assert who.department is not None
    viewer = Viewer(who.username, frozenset(who.office_codes), who.department.code)
    return [
        c
        for c in clues
        if visible(
            viewer,
            Guarded(c.office, c.closed_to, c.handler, c.sealed, frozenset(c.admitted), frozenset(c.recused)),
        )
    ]


def _in_order(clues: list[Clue]) -> list[str]:
    """Rebounds, then limits that press, then by expected yield, then what waits for its day; what is closed last."""
    chances = dict(RankCell.objects.values_list("office", "used"))

    def place(clue: Clue) -> float:
        if clue.state in {s.value for s in CLOSED}:
            return expected.CLOSED
        return expected.place(facts_of(clue), chances[clue.office], NOW.date())

    return [c.number for c in sorted(clues, key=lambda c: (-round(place(c), 6), -c.pk))]


def facts_of(clue: Clue) -> expected.Facts:
    return expected.Facts(
        level=clue.level, domain="", amount=0, sources=1, raised_on=timezone.localdate(clue.raised_at),
        due_on=clue.due_on, deferred_until=clue.deferred_until, rebound=clue.results.get("previous_state") == "settled",
    )  # fmt: skip


def _pages(who: Person, filters: ClueFilters) -> list[str]:
    first = clue_page(who, filters)
    pages = [first, *(clue_page(who, filters, n) for n in range(2, first.pages + 1))]
    rows = [row.number for page in pages for row in page.rows]
    assert first.total == len(rows)
    return rows


def _holds(clue: Clue, words: str) -> bool:
    return any(words.lower() in x.lower() for x in (clue.number, clue.label, clue.title, clue.township))


def test_pages_hold_in_order_what_a_person_sees_whatever_the_filter(database, draw):
    people, clues = _world(draw, 250)
    closed = {s.value for s in CLOSED}
    hits = 0
    for who in people:
        seen = _seen(who, clues)
        still = [c for c in seen if c.state not in closed]
        states = tuple(draw.sample([s.value for s in State], 3))
        words = _text(draw) or "镇"
        cases = {
            ClueFilters(): still,
            ClueFilters(closed=True): seen,
            ClueFilters(states=states): [c for c in seen if c.state in states],
            ClueFilters(levels=("urgent", "ordinary")): [c for c in still if c.level != "important"],
            ClueFilters(offices=("532301",)): [c for c in still if c.office == "532301"],
            ClueFilters(attention="changed"): [c for c in still if c.source_changes],
            ClueFilters(attention="rebound"): [
                c for c in still if c.results.get("previous_state") == "settled"
            ],
            ClueFilters(text=words, closed=True): [c for c in seen if _holds(c, words)],
            ClueFilters(text="城", levels=("urgent",)): [
                c for c in still if _holds(c, "城") and c.level == "urgent"
            ],
        }
        counts, attention = clue_standing(who)
        for filters, wanted in cases.items():
            assert _pages(who, filters) == _in_order(wanted), filters
            with_counts = clue_page(who, filters, 1, counts)
            assert with_counts == clue_page(who, filters)
            hits += len(wanted)
        assert counts["open"] == len(still)
        assert all(counts[s.value] == sum(c.state == s for c in still) for s in State)
        assert attention["changed"] == len(cases[ClueFilters(attention="changed")])
        assert attention["rebound"] == len(cases[ClueFilters(attention="rebound")])
    assert hits


def test_search_finds_what_plain_comparison_finds_and_no_more(database, draw, monkeypatch):
    people, clues = _world(draw, 300)
    words = ["镇", "鹿城", "河道", "%", "_", "\\", "b1", "AB", "XS-2026-00000", "xs", "不在其中", *(_text(draw) for _ in range(12))]  # fmt: skip
    hits = 0
    for who in people:
        seen = _seen(who, clues)
        for wanted in filter(None, words):
            expected = {c.number for c in seen if _holds(c, wanted)}
            with person_scope(who), connections["default"].cursor() as cursor:
                # The function alone, with SQL in hand: the same policy as on the rows.
                cursor.execute(
                    "select number from supervision_clue where id in (select supervision_clue_search(%s, 9999))",
                    [wanted],
                )
                assert {n for (n,) in cursor.fetchall()} == expected, wanted
                cursor.execute("select count(*) from supervision_clue_search(%s, 9999)", [wanted])
                assert cursor.fetchone() == (len(expected),), wanted
            for few in (9999, 0):
                # Few are named one by one, many are looked for along the queue: the same either way.
                monkeypatch.setattr(selectors.queue, "_FEW", few)
                assert set(_pages(who, ClueFilters(text=wanted, closed=True))) == expected, (wanted, few)
            hits += len(expected)
    assert hits
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from supervision_clue_search('镇', 9999)")
        assert cursor.fetchone() == (0,), "without a scope nothing is found"


def test_the_database_is_asked_as_often_for_many_clues_as_for_few(database, draw):
    (who, *_others), _clues = _world(draw, 30)
    with acting_as("owner"):
        # An empty page asks less: every case finds at least this one, whatever the seed drew.
        shown = _clue(draw, 999)
        shown.state, shown.level, shown.township = State.RAISED.value, "urgent", "镇"
        shown.office, shown.closed_to, shown.sealed, shown.handler = who.office_id, "", False, ""
        shown.recused, shown.outcome, shown.checked_at = [], None, None
        shown.confirmed_at = shown.settled_at = None
        shown.save()

    def asked(filters: ClueFilters, page: int) -> int:
        with CaptureQueriesContext(connection) as seen:
            counts, _attention = clue_standing(who)
            clue_page(who, filters, page, counts)
        return len(seen)

    cases = [ClueFilters(), ClueFilters(levels=("urgent",)), ClueFilters(text="镇"), ClueFilters(closed=True)]
    for filters in cases:
        asked(filters, 1)  # what a person may is read once
    before = [asked(filters, 1) for filters in cases]
    with acting_as("owner"):
        Clue.objects.bulk_create([_clue(draw, n) for n in range(1000, 1400)])
    assert [asked(filters, page) for page in (1, 3) for filters in cases] == before * 2


def test_the_many_are_counted_from_the_index_and_the_policy_costs_no_row(database, draw):
    """What makes the queue fast at all: the plan under the policy reads no clue, only its index."""
    (who, *_others), _clues = _world(draw, 400)
    with connections["owner"].cursor() as cursor:
        cursor.execute("vacuum analyze supervision_cluerank")
    with person_scope(who), connections["default"].cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        cursor.execute("set local enable_bitmapscan = off")
        cursor.execute("set local enable_sort = off")
        cursor.execute(
            "explain select clue_id from supervision_cluerank where open and not personal order by place desc, clue_id desc limit 20"
        )
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "Index Only Scan using rank_queue" in plan
    assert "supervision_clue " not in plan, "the policy asks no clue"


def test_every_look_at_a_list_leaves_one_row_and_nothing_in_clear(database, draw):
    (who, *_others), _clues = _world(draw, 40)
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "update supervision_clue set office = %s, closed_to = '', sealed = false", [who.office_id]
        )
    asked = ClueFilters(states=("raised",), levels=("urgent", "赵样本"), text="赵样本 鹿城", closed=True)
    found = [clue_page(who, ClueFilters()), clue_page(who, asked), clue_page(who, asked)]
    rows = clue_rows(who, [found[0].rows[0].number])
    with connections["owner"].cursor() as cursor:
        cursor.execute("select action, object_ref, reason, detail from audit_auditevent order by id")
        told = cursor.fetchall()
    assert [action for action, *_rest in told] == ["queue.read", "queue.read", "queue.read", "queue.chosen"]
    first, second, third, chosen = (json.loads(detail) for *_rest, detail in told)
    assert first == {"page": 1, "shown": [row.number for row in found[0].rows]} and first["shown"]
    assert second == third, "alike searches are told alike"
    assert (second["states"], second["levels"], second["closed"]) == (["raised"], ["urgent"], True)
    assert len(second["text"]) == 16
    assert chosen == {"shown": [rows[0].number]}
    # Of what was searched for and shown, titles and labels, nothing stands there.
    assert not any("赵样本" in str(row) or "鹿城" in str(row) for row in told)


def test_a_scope_ends_with_its_transaction_and_gives_the_outer_one_back(database):
    def reach() -> str:
        with connection.cursor() as cursor:
            cursor.execute("select coalesce(current_setting('cx.offices', true), '')")
            return cursor.fetchone()[0]

    with scope(offices=["532300"]):
        with scope(offices=["532301"]):
            assert reach() == "532301"
        assert reach() == "532300"
    assert reach() == ""
    with pytest.raises(ZeroDivisionError), scope(offices=["532300"]):
        raise ZeroDivisionError
    assert reach() == ""
    with transaction.atomic():
        with scope(offices=["532300"]):
            assert reach() == "532300"
        assert reach() == ""


def test_filters_are_kept_under_a_name_of_ones_own_without_the_words_searched_for(database) -> None:
    own, other = person("own", office="532301"), person("other", office="532301")
    desk = Client()
    desk.force_login(own)
    narrowed = "/views?level=urgent&level=important&attention=overdue&text=%E5%BC%A0%E6%9F%90"
    kept = desk.post(narrowed, {"name": " 我的  急件 "})
    assert kept["Location"] == "/?level=important&level=urgent&attention=overdue"
    page = desk.get(kept["Location"]).content.decode()
    assert "视图：我的 急件" in page and 'name="name"' not in page
    assert 'name="name"' in desk.get("/?level=ordinary").content.decode()
    desk.post("/views?level=ordinary", {"name": "我的 急件"})
    assert [v.query for v in saved_views.of(own)] == ["level=ordinary"], "the same name holds the new filters"
    assert saved_views.of(other) == []
    stranger = Client()
    stranger.force_login(other)
    (view,) = saved_views.of(own)
    stranger.post(f"/views/{view.pk}/forget")
    assert len(saved_views.of(own)) == 1
    for address, name in (("/views", "x"), ("/views?text=x", "x"), ("/views?level=urgent", " ")):
        assert desk.post(address, {"name": name}).status_code == 302
    assert len(saved_views.of(own)) == 1
    for n in range(saved_views.MOST):
        desk.post("/views?level=urgent", {"name": f"v{n}"})
    assert len(saved_views.of(own)) == saved_views.MOST
    desk.post(f"/views/{view.pk}/forget")
    assert len(saved_views.of(own)) == saved_views.MOST - 1
