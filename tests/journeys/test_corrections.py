"""A correction file: it changes exactly its rows, keeps what was, and reaches exactly the clues that rest on them."""

from __future__ import annotations

import random
import secrets

from django.db import connections

from chuxiong.accounts.scope import all_offices, scope
from chuxiong.vault import refs
from chuxiong.work.jobs import work_off
from ingestion.intake.receive import receive
from ingestion.models import Batch
from ingestion.selectors import catalog
from supervision.matching.run import run_rule
from supervision.models import Clue
from tests.conftest import acting_as
from tests.prefecture import NOW, TODAY, agreements, bring, citizen, death, payment, sheet

_PEOPLE, _MONTHS = 12, 4


def _match():  # type: ignore[no-untyped-def]
    with acting_as("worker"):
        return run_rule("pension_after_death", at=NOW, as_of=TODAY)


def _versions() -> dict[int, tuple]:  # type: ignore[type-arg]
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select record_id, citizen_id::text, pay_month, amount_cny, batch_id, row_no, from_landing, to_landing"
            " from pool.hr_pension_payment"
        )
        return {row[0]: row[1:] for row in cursor.fetchall()}


def _clues() -> dict[str, tuple[object, ...]]:
    with scope(offices=all_offices()):
        return {
            c.subject_ref: (
                c.number,
                c.state,
                c.level,
                c.material,
                c.conditions,
                c.evidence,
                c.landing,
                c.source_changes,
            )
            for c in Clue.objects.all()
        }


def test_a_correction_reaches_exactly_its_rows_and_their_clues(database: None) -> None:
    seed = secrets.randbits(32)
    print("seed", seed)
    draw = random.Random(seed)
    agreements()
    numbers = [citizen(serial) for serial in draw.sample(range(1000), _PEOPLE)]
    dead = numbers[: _PEOPLE * 2 // 3]
    rows = [
        payment(number, f"2026{month:02d}", f"{draw.randrange(1000, 4000)}.00")
        for number in numbers
        for month in range(5, 5 + _MONTHS)
    ]
    bring("ps_population_death", sheet("ps_population_death", [death(n, "2026-01-05") for n in dead]))
    bring("hr_pension_payment", sheet("hr_pension_payment", rows))
    assert _match().raised == len(dead)
    before, clues = _versions(), _clues()

    # One month of some of the dead and of some of the living is corrected; the rest of the file is as it was.
    corrected = draw.sample(dead, draw.randrange(1, 4)) + draw.sample(
        numbers[len(dead) :], draw.randrange(0, 3)
    )
    months = {number: draw.randrange(_MONTHS) for number in corrected}
    again = [dict(row) for row in rows]
    for number, month in months.items():
        row = again[numbers.index(number) * _MONTHS + month]
        row["amount_cny"] = f"{float(row['amount_cny']) + 500:.2f}"
    draw.shuffle(again)
    batch = bring("hr_pension_payment", sheet("hr_pension_payment", again), name="correction.csv")
    assert (batch.loaded, batch.unchanged) == (len(corrected), len(rows) - len(corrected))

    after = _versions()
    persons = {n: str(ref) for n, ref in refs.mint(connections["intake"], "citizen_id", numbers).items()}
    wanted = {
        (persons[number], rows[numbers.index(number) * _MONTHS + month]["pay_month"])
        for number, month in months.items()
    }
    ended = {key for key, row in before.items() if after[key] != row}
    assert {(before[key][0], f"{before[key][1]:%Y%m}") for key in ended} == wanted
    for key in ended:  # kept as it was, only closed
        assert after[key] == (*before[key][:-1], batch.landing)
    made = [row for key, row in after.items() if key not in before]
    assert {(row[0], f"{row[1]:%Y%m}") for row in made} == wanted
    assert all((row[3], row[5], row[6]) == (batch.pk, batch.landing, None) for row in made)

    with connections["owner"].cursor() as cursor:
        cursor.execute("select kind, ref, cause from ingestion_touch where landing = %s", [batch.landing])
        touched = cursor.fetchall()
    assert sorted(touched) == sorted(
        ("person", persons[number], cause) for number in corrected for cause in ("correction", "landing")
    )

    result = _match()
    assert (result.mode, result.subjects) == ("subjects", len(corrected))
    now = _clues()
    assert now.keys() == clues.keys()
    changed = {subject for subject in clues if now[subject] != clues[subject]}
    assert changed == {persons[number] for number in corrected if number in dead}
    for subject in changed:  # the same clue, resting on the new versions
        assert now[subject][0] == clues[subject][0]
        old, new = ({e["record_id"] for e in state[subject][5]} for state in (clues, now))  # type: ignore[union-attr]
        assert old != new and new & {key for key in after if key not in before}


def test_a_correction_lands_after_what_it_corrects_even_when_another_worker_has_that(database: None) -> None:
    """The big file is in one worker's hands; the correction waits its turn, and a failed file keeps nobody waiting."""
    agreements()
    feed = catalog()["ps_population_death"]

    def received(status: str, name: str) -> Batch:
        rows = [death(citizen(1), "2026-09-01", status=status)]
        return receive(sheet(feed.code, rows), feed=feed, file_name=name, by="演示", at=NOW)[0]

    def job(batch: Batch, change: str) -> None:
        with connections["owner"].cursor() as cursor:
            cursor.execute(
                f"update work_job set {change} where kind = 'take_in' and key = %s", [str(batch.pk)]
            )

    def landings() -> list[int]:
        return list(
            Batch.objects.using("intake")
            .filter(state="landed")
            .order_by("landing")
            .values_list("pk", flat=True)
        )

    first, correction = received("死亡注销", "a.csv"), received("正常", "b.csv")
    job(first, "state = 'running', lease_until = now() + interval '1 hour'")
    with acting_as("worker"):
        work_off(kinds=["take_in"])
        assert landings() == []
        job(first, "state = 'queued', lease_until = null")
        job(correction, "run_after = now()")
        work_off(kinds=["take_in"])
        job(correction, "run_after = now()")
        work_off(kinds=["take_in"])
    assert landings() == [first.pk, correction.pk]
    stuck, later = received("待核", "c.csv"), received("空挂", "d.csv")
    job(stuck, "state = 'failed'")
    with acting_as("worker"):
        work_off(kinds=["take_in"])
    assert landings() == [first.pk, correction.pk, later.pk]
