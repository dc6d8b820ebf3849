"""What lands or fails beside a file that is being read: it is read again only when it must be, and never without end."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.db import connections

from chuxiong.work import jobs
from ingestion import tasks
from ingestion.exchange import deliveries
from ingestion.intake import holding
from ingestion.intake import take_in as taking
from ingestion.intake.receive import receive
from ingestion.models import Batch, Delivery, Landing
from ingestion.selectors import catalog
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, bring, citizen, payment, sheet

FEED = "hr_pension_payment"
ROWS = [payment(citizen(n), "202609", f"{1000 + n}.00") for n in range(5)]


class Readings(list[int]):
    def __init__(self) -> None:
        super().__init__()
        self.beside: list[Any] = []


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch) -> Readings:
    """One entry for every time that a file is read; tests append what happens meanwhile to ``readings.beside``."""
    read, seen = taking._stage_all, Readings()

    def stage_all(*args: Any) -> Any:
        found = read(*args)
        seen.append(len(seen) + 1)
        for happen in seen.beside:
            happen()
        return found

    monkeypatch.setattr(taking, "_stage_all", stage_all)
    return seen


def _derived(what: str) -> int:
    with connections["owner"].cursor() as cursor:
        cursor.execute("select supervision_derived_landing(%s, now())", [what])
        return int(cursor.fetchone()[0])


@pytest.mark.parametrize("what", ["identity", "relations"])
def test_a_file_is_read_once_whatever_is_derived_meanwhile(
    database: None, readings: Readings, what: str
) -> None:
    agreements()
    derived: list[int] = []
    readings.beside.append(lambda: derived.append(_derived(what)))
    batch = bring(FEED, sheet(FEED, ROWS))
    assert (batch.state, batch.loaded, readings) == ("landed", 5, [1])
    assert Landing.objects.using("owner").get(number=derived[0]).kind == "derived"
    assert Landing.objects.using("owner").get(number=batch.landing).kind == "file"


def test_clearings_without_end_leave_the_file_to_a_person(
    database: None, readings: Readings, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreements()
    monkeypatch.setattr(taking, "_last_clearing", lambda: len(readings))
    batch = bring(FEED, sheet(FEED, ROWS))
    assert (batch.state, readings) == ("held", [1, 2, 3])
    assert batch.problem["what"] and batch.problem["cure"] and batch.problem["cure_en"]
    assert holding.decide(batch.pk, holding.LET_IN, by="he", reason="办结").layout.get("accepted") is None
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"select count(*) from pool.{FEED}")
        assert cursor.fetchone() == (0,)
        cursor.execute("select count(*) from pg_tables where schemaname = 'staging'")
        assert cursor.fetchone() == (0,), "staging was left behind"


# ---- a job that fails for good ------------------------------------------------------------------


def _broken(*_: Any, **__: Any) -> Any:
    raise ValueError("赵样本 532301195001010012")


def _work(times: int = 1) -> None:
    with acting_as("worker"):
        for _ in range(times):
            _owner("update work_job set run_after = now() where state = 'queued'")
            jobs.work_off(kinds=["take_in"], limit=1)


def _owner(statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def _dropped(number: int) -> None:
    """The agency's next delivery of the feed."""
    content = io.BytesIO(sheet(FEED, [payment(citizen(number), "202610", "9.00")]).getvalue())
    laid = deliveries.lay_down(content, feed=FEED, name=f"{number}.csv")
    deliveries.hold(
        way=Delivery.Way.FOLDER, agency="hr_bureau", state=Delivery.State.TAKING, files=[laid], by="folder:t", at=NOW,
        outside="t", idempotency=str(number),
    )  # fmt: skip


def test_a_file_whose_job_failed_for_good_is_held_without_a_word_of_its_data_and_blocks_nobody(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreements()
    whole = taking.normalise
    batch, _ = receive(sheet(FEED, ROWS), feed=catalog()[FEED], file_name="9月.csv", by="演示", at=NOW)
    _dropped(70)
    monkeypatch.setattr(taking, "normalise", _broken)
    _work(jobs.MAX_ATTEMPTS - 1)
    assert Batch.objects.using("intake").get(pk=batch.pk).state == "reading"
    assert deliveries.advance("hr_bureau", at=NOW) == deliveries.Next.INTAKE
    _work()
    batch.refresh_from_db(using="intake")
    assert batch.state == "held" and batch.problem["cure"] and batch.problem["cure_en"]
    (error,) = _owner("select error from work_job where kind = 'take_in' and state = 'failed'")[0]
    assert error.startswith("ValueError (tests/ingestion/test_beside.py:")
    assert (
        "赵样本" not in error and "赵样本" not in str(batch.problem) and "ValueError" in batch.problem["what"]
    )
    assert not _owner("select 1 from pg_tables where schemaname = 'staging'"), "staging was left behind"

    monkeypatch.setattr(taking, "normalise", whole)
    deliveries.advance("hr_bureau", at=NOW)
    _work()
    later = Batch.objects.using("intake").get(pk__gt=batch.pk)
    assert later.state == "landed", "the next delivery does not wait"

    holding.decide(batch.pk, holding.LET_IN, by="he", reason="已修复")
    _work()
    batch.refresh_from_db(using="intake")
    assert (batch.state, batch.loaded, batch.problem) == ("landed", 5, None)
    assert "failed" not in batch.layout and "accepted" not in batch.layout, "trying again accepts no layout"


def test_what_an_earlier_failure_left_on_its_way_is_found_and_held(database: None) -> None:
    agreements()
    batch, _ = receive(sheet(FEED, ROWS), feed=catalog()[FEED], file_name="9月.csv", by="演示", at=NOW)
    assert taking.give_up_abandoned() == [], "a job waits"
    _owner("update ingestion_batch set state = 'reading', fence = 7 where id = %s", batch.pk)
    _owner("update work_job set state = 'failed', error = 'KeyError: 赵样本' where kind = 'take_in'")
    assert taking.give_up_abandoned() == [batch.pk] and taking.give_up_abandoned() == []
    batch.refresh_from_db(using="intake")
    assert (
        batch.state == "held"
        and "KeyError" in batch.problem["what"]
        and "赵样本" not in batch.problem["what"]
    )


def test_a_job_that_takes_every_worker_down_is_given_up(
    database: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    agreements()
    batch, _ = receive(sheet(FEED, ROWS), feed=catalog()[FEED], file_name="9月.csv", by="演示", at=NOW)
    ran: list[int] = []
    monkeypatch.setattr(tasks, "take_in", lambda *args, **kwargs: ran.append(1))
    _owner(
        "update work_job set state = 'running', attempts = %s, lease_until = now() - interval '1 second'",
        jobs._MOST_CLAIMS,
    )
    _work()
    batch.refresh_from_db(using="intake")
    assert not ran and batch.state == "held" and "Abandoned" in batch.problem["what"]
