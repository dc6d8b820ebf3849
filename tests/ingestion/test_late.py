"""A delivery that waited and is let in after later ones: those have the last word, record by record."""

from __future__ import annotations

import io
import random
import secrets
from typing import Any

from django.db import connections

from chuxiong.work.jobs import work_off
from ingestion.intake import holding
from ingestion.intake.take_in import take_in
from ingestion.models import Batch, Confirmed
from ingestion.selectors import catalog
from tests.conftest import acting_as
from tests.prefecture import NOW, agreements, bring, citizen, payment, person, sheet

PAYMENTS, STAFF = "hr_pension_payment", "ed_school_staff"


def paid(serial: int, yuan: int) -> dict[str, str]:
    return payment(citizen(serial), "202609", f"{yuan}.00")


def odd(source: io.BytesIO, name: str) -> io.BytesIO:
    """The same rows under a layout that nobody has seen, so that the delivery is held."""
    words = source.getvalue().decode("gb18030").replace("个人编号", f"编号 {name}")
    return io.BytesIO(words.encode("gb18030"))


def noted() -> int:
    return int(Confirmed.objects.using("intake").count())


def amounts() -> dict[str, int]:
    """Amounts in force, in yuan, by record."""
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            f"select encode(natural_hash, 'hex'), amount_cny / 100 from pool.{PAYMENTS} where to_landing is null"
        )
        return dict(cursor.fetchall())


def let_in(batch: Batch) -> Batch:
    released = holding.decide(batch.pk, holding.LET_IN, by="custodian", reason="已与提供单位核实")
    return take_in(batch.pk, catalog()[batch.feed], fence=released.fence + 1, at=NOW)


def held(rows: list[dict[str, str]], name: str) -> Batch:
    batch = bring(PAYMENTS, odd(sheet(PAYMENTS, rows), name), name=name)
    assert batch.state == "held", batch.problem
    return batch


def adds_up(batch: Batch) -> bool:
    parts = batch.loaded + batch.unchanged + batch.duplicate + batch.quarantined
    return batch.state == "landed" and batch.received == parts


def test_what_came_later_has_the_last_word(database: None) -> None:
    agreements()
    bring(PAYMENTS, sheet(PAYMENTS, [paid(n, 100) for n in range(5)]), name="one.csv")
    # Brings something for each of: changed later, found unchanged later, not mentioned later, new later, new here.
    late = held([paid(0, 200), paid(1, 200), paid(2, 200), paid(6, 200), paid(7, 200)], "two.csv")
    later = bring(PAYMENTS, sheet(PAYMENTS, [paid(0, 300), paid(1, 100), paid(6, 300)]), name="three.csv")
    assert (later.loaded, later.unchanged) == (2, 1)
    assert noted() == 1
    landed = let_in(late)
    assert adds_up(landed), landed.problem
    assert (landed.loaded, landed.duplicate, landed.layout["outdated"]) == (2, 3, 3)
    # 0 and 6 as the later one says, 1 as it confirmed, 2 and 7 as the late one says, 3 and 4 untouched.
    assert sorted(amounts().values()) == [100, 100, 100, 200, 200, 300, 300]
    # Nobody waits any more: nothing is noted, and the next delivery replaces whatever it holds.
    assert noted() == 0
    last = bring(PAYMENTS, sheet(PAYMENTS, [paid(0, 400), paid(1, 400)]), name="four.csv")
    assert (last.loaded, "outdated" in last.layout) == (2, False)


def test_any_order_of_letting_in_ends_where_the_order_of_arrival_would_have(database: None) -> None:
    """Deliveries of random rows, some of them held and let in at random later on: in the end every record is as the
    last delivery that holds it says."""
    agreements()
    seed = secrets.randbits(32)
    print("seed", seed)
    draw = random.Random(seed)
    bring(PAYMENTS, sheet(PAYMENTS, [paid(n, 1) for n in range(8)]), name="first.csv")
    wanted = dict.fromkeys(range(8), 1)
    waiting: list[Batch] = []
    for turn in range(2, 9):
        said = {n: draw.randrange(1, 4) for n in draw.sample(range(12), draw.randrange(1, 9))}
        wanted |= said
        rows = [paid(n, yuan) for n, yuan in said.items()]
        # A row that makes the bytes of each delivery its own.
        rows.append(paid(100 + turn, turn))
        wanted[100 + turn] = turn
        if draw.random() < 0.5:
            waiting.append(held(rows, f"{turn}.csv"))
        else:
            assert adds_up(bring(PAYMENTS, sheet(PAYMENTS, rows), name=f"{turn}.csv"))
        while waiting and draw.random() < 0.3:
            assert adds_up(let_in(waiting.pop(draw.randrange(len(waiting)))))
    draw.shuffle(waiting)
    for batch in waiting:
        landed = let_in(batch)
        assert adds_up(landed), landed.problem
    found = amounts()
    # What one file that holds the last word on every record makes of it.
    bring(PAYMENTS, sheet(PAYMENTS, [paid(n, yuan) for n, yuan in wanted.items()]), name="all.csv")
    assert found == amounts() and sorted(found.values()) == sorted(wanted.values())


def teacher(serial: int, division: str, **more: str) -> dict[str, str]:
    return {
        "person_name": "赵样本", "citizen_id": citizen(serial), "org_name": f"示例{serial}小学", "is_on_roll": "是",
        "division_code": division, "hire_date": "2020-09-01",
    } | more  # fmt: skip


def staff(rows: list[dict[str, str]], name: str, *, whole: bool = True) -> Batch:
    return bring(STAFF, sheet(STAFF, rows), name=name, snapshot=whole)


def schools() -> set[str]:
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"select org_name from pool.{STAFF} where to_landing is null")
        return {name for (name,) in cursor.fetchall()}


def test_a_countys_older_list_is_refused_after_its_newer_one_alone(database: None) -> None:
    agreements()
    city, lufeng = [teacher(n, "532301") for n in range(10)], [teacher(n, "532302") for n in range(20, 30)]
    staff(city, "city.csv")
    staff(lufeng, "lufeng.csv")
    short_city, short_lufeng = staff(city[:4], "short.csv"), staff(lufeng[:4], "short2.csv")
    assert (short_city.state, short_lufeng.state) == ("held", "held")
    staff([*city[:9], teacher(60, "532301")], "mended.csv")
    refused = let_in(short_city)
    assert refused.state == "refused" and "532301" in refused.problem["place"], refused.problem
    assert "较早" in refused.problem["what"] and refused.problem["cure"] and "示例60小学" in schools()
    # The other county has sent no newer list: its own counts as before.
    assert (let_in(short_lufeng).removed, len(schools())) == (6, 14)


def test_an_older_list_ends_nothing_that_came_after_it(database: None) -> None:
    agreements()
    rows = [teacher(n, "532301") for n in range(10)]
    staff(rows, "all.csv")
    short = staff(rows[:4], "short.csv")
    added = staff([teacher(60, "532301"), rows[9]], "added.csv", whole=False)
    assert (added.loaded, added.unchanged) == (1, 1)
    landed = let_in(short)
    assert (landed.state, landed.removed) == ("landed", 5), landed.problem
    assert schools() == {f"示例{n}小学" for n in (0, 1, 2, 3, 9, 60)}


def test_an_addition_is_refused_after_a_whole_list_that_lacks_it(database: None) -> None:
    agreements()
    rows = [teacher(n, "532301") for n in range(10)]
    staff(rows, "all.csv")
    source = sheet(STAFF, [teacher(60, "532301")]).getvalue().decode("gb18030").replace("岗位类别", "工种")
    addition = bring(STAFF, io.BytesIO(source.encode("gb18030")), name="more.csv")
    assert addition.state == "held"
    staff(rows[:9], "newer.csv")
    refused: Any = let_in(addition)
    assert refused.state == "refused" and "示例60小学" not in schools()


def test_a_batch_that_was_read_several_times_before_it_was_held_is_taken_in_all_the_same(
    database: None,
) -> None:
    """Each job counts its claims from one; the batch remembers those of the job before."""
    agreements()
    bring(PAYMENTS, sheet(PAYMENTS, [paid(0, 100)]), name="one.csv")
    batch = held([paid(1, 200)], "two.csv")
    Batch.objects.using("intake").filter(pk=batch.pk).update(fence=7)
    holding.ask(batch.pk, holding.LET_IN, by=person("keeper", roles=("custodian",)), reason="已核实")
    with acting_as("worker"):
        work_off(kinds=["held_batch", "take_in"])
    assert Batch.objects.using("intake").get(pk=batch.pk).state == "landed"
