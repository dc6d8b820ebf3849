"""The order by expected yield: chances, weights as SQL and as Python, what is reckoned anew, today's few, calibration."""

from __future__ import annotations

import random
import secrets
from datetime import date, timedelta

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from chuxiong.accounts.scope import person_scope
from supervision.clues.lifecycle import CLOSED, State
from supervision.models import Clue, ClueRank, RankCell
from supervision.ranking import calibration, expected, explaining
from supervision.ranking.expected import Checks
from supervision.ranking.refresh import bring_up_to_date, refresh, waits
from supervision.selectors import ClueFilters, clue_detail, clue_page, rulebook, todays_few
from tests.conftest import acting_as
from tests.prefecture import NOW, TODAY, person

LEVELS = ["urgent", "important", "ordinary"]
OFFICES = ["532300", "532301", "532302"]


@pytest.fixture
def draw(capsys) -> random.Random:
    seed = secrets.randbelow(2**31)
    with capsys.disabled():
        print(f"\nranking seed {seed}")
    return random.Random(seed)


def _clue(n: int, **facts: object) -> Clue:
    return Clue(
        **{
            "number": f"XS-2026-{n:06d}", "origin": "manual", "subject_kind": "place", "subject_ref": str(n),
            "state": "raised", "level": "ordinary", "office": "532301", "raised_at": NOW, **facts,
        }
    )  # fmt: skip


def _checked(n: int, confirmed: bool, **facts: object) -> Clue:
    ended = {"state": "settled", "outcome": "improved", "confirmed_at": NOW, "settled_at": NOW}
    return _clue(n, checked_at=NOW, **(ended if confirmed else {"state": "unfounded"}), **facts)


def _write(*clues: Clue) -> None:
    with acting_as("owner"):
        Clue.objects.bulk_create(clues)


def _order(today: date = TODAY) -> int:
    with acting_as("worker"):
        return bring_up_to_date(today=today)


# ---- pure --------------------------------------------------------------------------------------


def test_a_kind_speaks_for_itself_as_far_as_it_was_checked():
    kind = ("some_rule", 1, "532301", "a+b")
    prior = expected.spec().prior.chance
    assert Checks().chance(kind) == pytest.approx(prior)
    few = Checks({kind: (2, 0)}).chance(kind)
    many = Checks({kind: (2000, 0)}).chance(kind)
    assert 0 < many < 0.001 < few < prior
    # What the rule's other counties found counts for a county that nobody has checked; less than its own would.
    other = ("some_rule", 1, "532302", "a+b")
    lent = Checks({kind: (2000, 0)}).chance(other)
    assert many < lent < 0.01
    assert Checks({kind: (2000, 0)}).chance(("another", 1, "532301", "")) < prior


def test_the_posterior_is_the_mean_of_the_betas_one_within_the_other(draw):
    strength = expected.spec().strength.value
    kinds = [(r, v, o, g) for r in "xy" for v in (1, 2) for o in "ab" for g in "pq"]
    counts = {k: (n, draw.randint(0, n)) for k in kinds for n in [draw.randint(0, 30)]}
    checks = Checks(counts)
    for kind in kinds:
        chance = expected.spec().prior.chance
        for width in range(5):
            same = [c for k, c in counts.items() if k[:width] == kind[:width]]
            checked, confirmed = sum(n for n, _ in same), sum(k for _, k in same)
            chance = (strength * chance + confirmed) / (strength + checked)
        assert checks.chance(kind) == pytest.approx(chance)


def test_the_share_of_exploring_places_is_the_declared_one():
    share = expected.spec().exploration.value
    for someone in range(7):
        days = [expected.slots(TODAY + timedelta(days=n), someone) for n in range(400)]
        places = [x for day in days for x in day]
        assert abs(sum(places) / len(places) - share) <= 1 / len(places) + 1e-9
        assert all(len(day) == int(expected.spec().today.value) for day in days)


def test_a_forecast_that_is_right_is_told_to_be_and_beats_one_chance_for_all(draw):
    true = {("sure", 1, "a", ""): 0.95, ("doubtful", 1, "a", ""): 0.15, ("doubtful", 1, "b", ""): 0.45}
    checks = []
    for day in range(100):
        for _ in range(12):
            kind = draw.choice(sorted(true))
            checks.append((TODAY + timedelta(days=day), kind, draw.random() < true[kind]))
    out = calibration.judge(checks)
    assert out.checked == len(checks) == sum(b.checked for b in out.bins)
    assert out.confirmed == sum(yes for *_x, yes in checks) == sum(b.confirmed for b in out.bins)
    # Whatever was drawn: the chances differ by so much that 1,200 checks cannot hide it.
    assert out.brier < out.brier_of_rule < out.brier_of_all
    for found in (b for b in out.bins if b.checked >= 200):
        assert abs(found.foretold / found.checked - found.confirmed / found.checked) < 0.15


def test_nothing_of_a_day_foretells_its_own_checks():
    kind = ("r", 1, "a", "")
    out = calibration.judge([(TODAY, kind, True)] * 50)
    prior = expected.spec().prior.chance
    assert out.brier == pytest.approx((1 - prior) ** 2)
    assert calibration.interval(5, 10)[0] < 0.5 < calibration.interval(5, 10)[1]
    assert calibration.interval(0, 0) == (0.0, 1.0)


# ---- in the database ---------------------------------------------------------------------------


def test_places_in_the_database_are_those_of_the_pure_part_and_change_on_the_day_that_is_told(database, draw):
    rules = list(rulebook().values())
    clues = []
    for n in range(200):
        rule = draw.choice(rules)
        feeds = draw.sample([s.feed for s in rule.sources.values() if s.feed] or ["hr_pension_payment"], 1)
        clues.append(
            _clue(
                n, origin="model", rule=rule.id, rule_version=1, level=draw.choice(LEVELS), office=draw.choice(OFFICES),
                raised_at=NOW - timedelta(days=draw.randint(0, 30)),
                due_on=draw.choice([None, TODAY + timedelta(days=draw.randint(-5, 20))]),
                deferred_until=draw.choice([None, None, None, TODAY + timedelta(days=draw.randint(-2, 9))]),
                results=draw.choice([{}, {}, {}, {"previous_state": "settled"}]),
                material={m: str(draw.choice([0, 299_999, 300_000, 5_000_000, 99_000_000])) for m in rule.measures},
                evidence=[{"feed": f, "record_id": 1, "alias": "a"} for f in [*feeds, *draw.choice([[], ["ca_funeral"]])]],
            )
        )  # fmt: skip
    _write(*clues)
    assert _order() == len(clues)
    today = TODAY
    for _ in range(3):
        with acting_as("owner"):
            lines = list(ClueRank.objects.all())
        assert len(lines) == len(clues)
        for line in lines:
            facts = explaining.facts_of(line)
            assert line.place == pytest.approx(expected.place(facts, line.chance, today)), facts
            assert line.stale_on == expected.next_change(facts, today), facts
        days = [line.stale_on for line in lines if line.stale_on]
        if not days:
            break
        # On the next day that is told, exactly the clues that are told to move are reckoned anew.
        today = min(days)
        assert _order(today) == days.count(today)
        assert _order(today) == 0


def test_only_what_changed_is_reckoned_anew(database):
    _write(*(_clue(n, office=OFFICES[n % 3]) for n in range(60)))
    assert _order() == 60
    with acting_as("worker"):
        assert not waits(today=TODAY)
    assert _order() == 0
    with acting_as("owner"):
        Clue.objects.filter(number="XS-2026-000007").update(level="urgent")
        Clue.objects.filter(number="XS-2026-000008").update(handler="somebody", township="某镇")
    with acting_as("worker"):
        assert waits(today=TODAY)
    assert _order() == 1, "a level moves a clue, who handles it does not"
    with acting_as("owner"):
        assert ClueRank.objects.get(clue__number="XS-2026-000008").handler == "somebody"
    # Checks of one county: its clues stand by their chance, others only as far as theirs moved.
    _write(*(_checked(1000 + n, False, office="532301") for n in range(40)))
    before = {c.office: c.used for c in _cells()}
    _order()
    after = {c.office: c.used for c in _cells()}
    assert after["532301"] < before["532301"] - 0.3
    with acting_as("owner"):
        for line in ClueRank.objects.filter(open=True):
            assert line.chance == after[line.office]
            assert line.place == pytest.approx(
                expected.place(explaining.facts_of(line), after[line.office], TODAY)
            )
    # A check more among many moves no chance by more than the tolerance: nothing is reckoned but the clue itself.
    _write(*(_checked(2000 + n, False, office="532301") for n in range(400)))
    _order()
    _write(_checked(5000, True, office="532301"))
    assert _order() == 1


def _cells() -> list[RankCell]:
    with acting_as("owner"):
        return list(RankCell.objects.all())


def test_sealed_and_exercised_clues_teach_nothing(database):
    _write(
        *(_checked(n, False, sealed=True) for n in range(30)),
        *(_checked(100 + n, False, exercise=True) for n in range(30)),
        *(_checked(200 + n, False, recused=["x"]) for n in range(30)),
        _clue(999),
    )
    _order()
    (cell,) = _cells()
    assert (cell.checked, cell.chance) == (0, pytest.approx(expected.spec().prior.chance))


def test_a_struck_check_is_no_longer_counted(database):
    _write(_clue(1), *(_checked(10 + n, n < 3) for n in range(12)))
    _order()
    assert [(c.checked, c.confirmed) for c in _cells()] == [(12, 3)]
    with acting_as("owner"):
        Clue.objects.filter(number="XS-2026-000010").update(
            state="checking", outcome=None, settled_at=None, confirmed_at=None, checked_at=None
        )
    _order()
    assert [(c.checked, c.confirmed) for c in _cells()] == [(11, 2)]


def test_what_somebody_is_writing_is_left_for_the_next_piece(database):
    _write(*(_clue(n) for n in range(5)))
    with connections["owner"].cursor() as cursor:
        cursor.execute("begin")
        try:
            cursor.execute("update supervision_clue set level = 'urgent' where number = 'XS-2026-000002'")
            with acting_as("worker"):
                assert refresh(today=TODAY).lines == 4
        finally:
            cursor.execute("commit")
    assert _order() == 1


def test_a_line_is_seen_by_whom_the_clue_is_seen_and_written_by_nobody_at_a_page(database, draw):
    who = person("looker", office="532301")
    _write(
        *(
            _clue(
                n, office=draw.choice(OFFICES), closed_to=draw.choice(["", "minors"]), sealed=draw.random() < 0.3,
                recused=draw.choice([[], ["looker"]]), admitted=draw.choice([[], ["looker"]]), handler=draw.choice(["", "looker"]),
            )
            for n in range(150)
        )
    )  # fmt: skip
    with person_scope(who):
        seen = set(Clue.objects.values_list("pk", flat=True))
        assert set(ClueRank.objects.values_list("pk", flat=True)) == seen
    assert seen
    assert not ClueRank.objects.exists(), "without a scope nothing is there"
    from django.db.utils import ProgrammingError

    with pytest.raises(ProgrammingError), person_scope(who):
        ClueRank.objects.update(place=9)


def test_todays_few_come_with_their_reasons_and_limits_come_first(database, monkeypatch):
    who = person("looker", office="532301")
    rule = "pension_after_death"
    model = {
        "origin": "model",
        "rule": rule,
        "rule_version": 1,
        "material": {"months": 3, "total": "20000000"},
    }
    _write(
        *(_clue(n, **model, level="important", bucket=str(n)) for n in range(8)),
        _clue(20, due_on=timezone.localdate() + timedelta(days=1), title="河道垃圾"),
        _clue(21, due_on=timezone.localdate() - timedelta(days=2), title="旧案"),
        _clue(22, deferred_until=timezone.localdate() + timedelta(days=5), level="urgent", title="等补材料"),
        _clue(23, office="532302", level="urgent", title="别院"),
        _clue(24, handler="another", state="checking", level="urgent", title="他人在办"),
        *(_checked(100 + n, n % 10 < 9, **{**model, "bucket": str(100 + n)}) for n in range(20)),
    )  # fmt: skip
    _order(timezone.localdate())
    monkeypatch.setattr(expected, "slots", lambda *_: [False] * 5)
    few = todays_few(who, at=timezone.now())
    assert [p.row.number for p in few[:2]] == ["XS-2026-000021", "XS-2026-000020"]
    assert [p.reason.zh for p in few[:2]] == ["期限已过 2 天", "1 天后到期"]
    assert [p.row.number for p in few[2:]] == ["XS-2026-000007", "XS-2026-000006", "XS-2026-000005"]
    assert few[2].reason.zh == "这类线索 10 条查实 9 条"
    assert "涉及 200,000 元" in [r.zh for r in few[2].more]
    # A place that explores takes a clue of a rule that little is known of, wherever it stands.
    another = next(r for r in sorted(rulebook()) if r != rule)
    _write(_clue(50, origin="model", rule=another, rule_version=1, material={}, bucket="w"))
    _order(timezone.localdate())
    monkeypatch.setattr(expected, "slots", lambda *_: [False, False, False, False, True])
    few = todays_few(who, at=timezone.now())
    assert (few[4].row.number, few[4].reason.code) == ("XS-2026-000050", "explore")
    detail = clue_detail(who, "XS-2026-000007", at=timezone.now())
    assert detail and detail.standing
    assert [(x.code, x.checked, x.confirmed) for x in detail.standing.levels][:3] == [
        ("all", 20, 18), ("rule", 20, 18), ("version", 20, 18),
    ]  # fmt: skip


def test_the_few_ask_the_database_as_often_for_many_clues_as_for_some(database, monkeypatch):
    from django.db import connection

    who = person("looker", office="532301")
    monkeypatch.setattr(expected, "slots", lambda *_: [True] + [False] * 4)
    _write(*(_clue(n) for n in range(6)))

    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert len(todays_few(who, at=NOW)) == 5
        return len(seen)

    asked()
    before = asked()
    _write(*(_clue(n, level=LEVELS[n % 3]) for n in range(100, 400)))
    _order()
    assert asked() == before


def test_a_narrowed_queue_is_counted_so_far_and_says_that_there_are_more(database, monkeypatch):
    from supervision import selectors

    who = person("looker", office="532300")
    _write(*(_clue(n, level="urgent", office=OFFICES[n % 2]) for n in range(90)))
    _order()
    both = ClueFilters(levels=("urgent",), origins=("manual",))
    whole = clue_page(who, both)
    assert (whole.total, whole.more, whole.pages) == (90, False, 5)
    monkeypatch.setattr(selectors.queue, "COUNTED", 60)
    some = clue_page(who, both)
    assert (some.total, some.more, some.pages) == (60, True, 3)
    assert some.rows == whole.rows
    assert clue_page(who, both, 3).rows
    assert clue_page(who, ClueFilters(levels=("urgent",))).total == 90, "kept counts stay exact"
    assert clue_page(who, ClueFilters(levels=("urgent",), offices=("532301",))).total == 45


def test_the_calibration_of_the_history_adds_up(database, draw):
    made = [
        _checked(
            n, draw.random() < 0.6, office=draw.choice(OFFICES), sealed=draw.random() < 0.1,
        )
        for n in range(150)
    ]  # fmt: skip
    for clue in made:
        clue.checked_at = NOW - timedelta(days=draw.randint(0, 60))
    _write(*made)
    _order()
    assert calibration.latest() is None
    with acting_as("worker"):
        calibration.calibrate(at=NOW)
    found = calibration.latest()
    assert found is not None
    counted = [c for c in made if not c.sealed]
    assert found[1].checked == len(counted) == sum(b.checked for b in found[1].bins)
    assert found[1].confirmed == sum(c.state == State.SETTLED for c in counted)
    assert {c.state for c in counted} <= {s.value for s in CLOSED}


def test_checks_count_for_the_tier_of_their_subject_from_the_start(database):
    subject = "0b0e7a52-6f0e-4a58-9f5f-0d6a6f1f2f3f"
    _write(*(_checked(n, True, subject_kind="person", subject_ref=subject, bucket=str(n)) for n in range(12)))
    _order()
    assert {(c.grade, c.checked) for c in _cells() if c.checked} == {(":A", 12)}
