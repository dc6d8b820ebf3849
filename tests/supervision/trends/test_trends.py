"""Counts of clues: whatever the world, the parts add up, every count is the list behind it, and scope holds."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.db import connections
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from openpyxl import load_workbook

from chuxiong.accounts.models import Person
from supervision.clues.lifecycle import State
from supervision.models import Clue
from supervision.selectors import rulebook
from supervision.trends import counting, reading
from supervision.trends.counting import DIMENSIONS, MEASURES, Period
from tests.prefecture import NOW, SHANGHAI, agreements, citizen, land_rows, payment, person

PERIOD = Period(date(2026, 6, 1), date(2026, 11, 1))


@pytest.fixture(autouse=True)
def _quick(database: None) -> Iterator[None]:
    with override_settings(PASSWORD_HASHERS=["tests.accounts.conftest.QuickHasher"]):
        yield


def clues(draw: random.Random, count: int) -> None:
    """Clues of every state, county, model and origin over eight months; some exercises, some sealed."""
    rules = sorted(rulebook())[:4]
    made = []
    for n in range(count):
        state = draw.choice([s.value for s in State])
        confirmed = state in ("confirmed", "acted", "settled")
        at = datetime(2026, 5, 1, tzinfo=SHANGHAI) + timedelta(
            days=draw.randrange(200), hours=draw.randrange(24)
        )
        rule = draw.choice(["", *rules, "no_longer_shipped"])
        made.append(
            Clue(
                number=f"XS-2026-{n:06d}", origin="model" if rule else draw.choice(["manual", "alert"]), rule=rule,
                rule_version=1 if rule else None, subject_kind="place", subject_ref=f"p{n}", bucket="", level="ordinary",
                office=draw.choice(["532300", "532301", "532302"]), department=draw.choice(["", "civil_admin", "criminal"]),
                state=state, raised_at=at, title="示例", exercise=draw.random() < 0.1, sealed=draw.random() < 0.1,
                checked_at=at if confirmed or state == "unfounded" else None, confirmed_at=at if confirmed else None,
                settled_at=at if state == "settled" else None,
                outcome=draw.choice(["corrected", "improved"]) if state == "settled" else None,
                material=draw.choice([{}, {"domain": "civil"}, {"domain": "public_interest"}]) if not rule else {},
            )
        )  # fmt: skip
    Clue.objects.using("owner").bulk_create(made)


def test_parts_add_up_and_every_count_is_its_list() -> None:
    seed = secrets.randbits(31)
    print(f"seed {seed}")
    draw = random.Random(seed)
    clues(draw, 150)
    who = person("looker", office=draw.choice(["532300", "532301"]))
    whole = None
    for by in DIMENSIONS:
        lines = reading.ledger(who, PERIOD, by)
        *groups, total = lines
        for line in lines:
            c = line.counts
            assert c["found"] == c["pending"] + c["closed_unchecked"] + c["checked"]
            assert c["checked"] == c["unfounded"] + c["confirmed"]
            assert c["confirmed"] == c["corrected"] + c["improved"] + c["in_progress"]
        for measure in MEASURES:
            assert total.counts[measure] == sum(g.counts[measure] for g in groups)
        whole = whole or total.counts
        assert total.counts == whole, "every ledger counts the same clues"
        measure = draw.choice(MEASURES)
        all_, *series = reading.trend(who, PERIOD, by, measure)
        assert all_.total == whole[measure] == sum(s.total for s in series)
        # A measure that nothing has reached has no series, and noughts in all.
        assert {len(s.counts) for s in series} <= {len(all_.counts)}
        assert all_.counts == tuple(sum(s.counts[n] for s in series) for n in range(len(all_.counts)))
        for line in groups:
            for name in MEASURES:
                chosen = reading.Chosen(PERIOD, measure=name, **{by: line.key})
                assert reading.clues_behind(who, chosen, 1, at=NOW).total == line.counts[name], (
                    by,
                    line.key,
                    name,
                )
        for one in series:
            for month, count in zip(PERIOD.months(), one.counts, strict=True):
                day = date.fromisoformat(f"{month}-01")
                chosen = reading.Chosen(Period(day, day), measure=measure, **{by: one.key})
                assert reading.clues_behind(who, chosen, 1, at=NOW).total == count


def test_a_county_counts_its_own_and_exercises_count_nowhere() -> None:
    clues(random.Random(5), 80)
    home = person("home", office="532301")
    lines = {line.key: line.counts["found"] for line in reading.ledger(home, PERIOD, "office")}
    expected = Clue.objects.using("owner").filter(
        office="532301", exercise=False, sealed=False, raised_at__gte=datetime(2026, 6, 1, tzinfo=SHANGHAI),
        raised_at__lt=datetime(2026, 12, 1, tzinfo=SHANGHAI),
    ).exclude(state__in=["merged", "withdrawn"])  # fmt: skip
    assert set(lines) == {"532301", None} and lines["532301"] == lines[None] == expected.count() > 0
    stranger = reading.Chosen(PERIOD, office="532302")
    assert reading.clues_behind(home, stranger, 1, at=NOW).total == 0


def test_offices_stand_in_code_order_also_with_nothing_and_nothing_is_an_empty_table() -> None:
    who = person("looker")
    keys = [line.key for line in reading.ledger(who, PERIOD, "office")]
    assert keys == [*sorted(who.office_codes), None] and len(keys) == 12
    assert [s.total for s in reading.trend(who, PERIOD, "rule", "found")] == [0]


def test_periods_are_whole_months_across_years() -> None:
    assert Period(date(2025, 11, 1), date(2026, 2, 1)).months() == [
        "2025-11",
        "2025-12",
        "2026-01",
        "2026-02",
    ]
    assert reading.usual(date(2026, 3, 9)) == Period(date(2025, 4, 1), date(2026, 3, 1))
    held = reading.within(Period(date(2001, 1, 1), date(2026, 3, 1)))
    assert len(held.months()) == reading.MOST_MONTHS and held.last == date(2026, 3, 1)
    assert counting.frame([]).empty


def test_a_constant_number_of_queries() -> None:
    clues(random.Random(6), 10)
    person("looker")

    def counted() -> int:
        who = Person.objects.select_related("office", "department").get(username="looker")
        with CaptureQueriesContext(connections["default"]) as seen:
            reading.ledger(who, PERIOD, "rule")
            reading.clues_behind(who, reading.Chosen(PERIOD), 1, at=NOW)
        return len(seen)

    few = counted()
    with connections["owner"].cursor() as cursor:
        cursor.execute("truncate supervision_clue cascade")
    clues(random.Random(7), 120)
    assert counted() == few


def test_records_taken_in_are_counted_by_source_and_month() -> None:
    agreements()
    land_rows("hr_pension_payment", [payment(citizen(n), "2026-01", "1") for n in range(3)])
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "update ingestion_batch set state = 'landed', landed_at = received_at, received = 3, loaded = 3"
        )
    whole, *sources = reading.taken_in(person("looker"), PERIOD)
    told = {s.key: s for s in sources}
    assert whole.total == 3 == told["hr_pension_payment"].total and told["hr_pension_payment"].counts[-1] == 3


def cells(content: bytes) -> list[list[Any]]:
    sheet = load_workbook(BytesIO(content)).active
    assert sheet is not None
    for row in sheet.iter_rows():
        for cell in row:
            assert cell.data_type != "f", cell.coordinate
    return [[cell.value for cell in row] for row in sheet.iter_rows()]


def test_pages_link_to_the_clues_and_the_workbook_holds_no_formula() -> None:
    clues(random.Random(8), 60)
    handler, home = person("handler", office="532301", roles=("handler",)), person("home", office="532301")
    client, other = Client(), Client()
    client.force_login(home)
    other.force_login(handler)
    assert other.get("/analysis/trends").status_code == 403
    asked = "since=2026-06&until=2026-11"
    for by in (*DIMENSIONS, "feed", "nonsense"):
        assert client.get(f"/analysis/trends?by={by}&{asked}").status_code == 200
    page = client.get(f"/analysis/ledgers?by=rule&{asked}").content.decode()
    assert "measure=confirmed" in page and "非模型发现" in page
    answer = client.get(f"/analysis/ledgers/file?by=rule&{asked}")
    assert answer["Content-Type"].endswith("sheet")
    rows = cells(answer.content)
    *groups, total = reading.ledger(home, PERIOD, "rule")
    assert sorted(row[1:] for row in rows[3:-1]) == sorted(
        [line.counts[m] for m in MEASURES] for line in groups
    )
    assert rows[-1][1:] == [total.counts[m] for m in MEASURES]
    listed = client.get(f"/analysis/clues?{asked}&office=532301&measure=found")
    assert listed.status_code == 200 and f"共 {total.counts['found']} 条" in listed.content.decode()
    # Nonsense in the address asks for the usual months.
    assert client.get("/analysis/trends?since=1999-13&until=x&measure=nothing").status_code == 200
    with connections["owner"].cursor() as cursor:
        cursor.execute("select action from audit_auditevent where action like 'trend.%%' order by id")
        assert {a for (a,) in cursor.fetchall()} == {"trend.export", "trend.clues"}
