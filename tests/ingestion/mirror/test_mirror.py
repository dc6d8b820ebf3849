"""The mirror equals the pool after anything that may happen to either: landings, corrections, kills, clearings, seals."""

from __future__ import annotations

import json
import random
import stat
from datetime import UTC, date, datetime, timedelta
from typing import Any

import duckdb
import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from ingestion.mirror import files, reading, writing
from ingestion.models import Agreement, AgreementClearing, Batch, Landing, MirrorMark
from ingestion.pool import pool_columns
from ingestion.selectors import catalog
from tests.conftest import acting_as
from tests.prefecture import agreements

#: plain, split by month, sealed for a department's own rules, sealed but for recorded queries
FEEDS = ("hr_pension_payment", "ee_auto_monitor", "pr_case", "ps_admin_penalty")


@pytest.fixture
def draw() -> random.Random:
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    return random.Random(seed)


def _value(draw: random.Random, kind: str) -> Any:
    if draw.random() < 0.15:
        return None
    return {
        "text": lambda: draw.choice(["", "甲", 'a"b,c\n第二行', "\\N", " 空 格 ", "x" * 40, "NULL", "t"]),
        "uuid": lambda: f"{draw.getrandbits(128):032x}",
        "bigint": lambda: draw.randint(-(2**62), 2**62),
        "double precision": lambda: draw.choice([0.1 + 0.2, -1e-9, 1e20, 0.0, draw.random()]),
        "boolean": lambda: draw.random() < 0.5,
        "date": lambda: date(1900, 1, 1) + timedelta(days=draw.randint(0, 60000)),
        "timestamp with time zone": lambda: (
            datetime(2026, 1, 1, tzinfo=UTC) + timedelta(microseconds=draw.randint(-(10**15), 10**14))
        ),
        "jsonb": lambda: '[{"kind": "x", "start": 1, "end": 2}]',
    }[kind]()


def _land(code: str, draw: random.Random, count: int) -> int:
    """``count`` new versions land, and about a third of those that stand end."""
    feed, kinds = catalog()[code], pool_columns(catalog()[code])
    number = (
        Landing.objects.using("owner").order_by("-number").values_list("number", flat=True).first() or 0
    ) + 1
    batch = Batch.objects.using("owner").create(
        feed=code, file_name="f", digest=f"{number:064x}", size=1, received_at=timezone.now(), received_by="t"
    )
    with connections["owner"].cursor() as cursor:
        cursor.execute(f'select record_id from pool."{code}" where to_landing is null order by 1')
        ended = [r for (r,) in cursor.fetchall() if draw.random() < 0.3]
        cursor.execute(f'update pool."{code}" set to_landing = %s where record_id = any(%s)', [number, ended])
        for _ in range(count):
            values = {name: _value(draw, kind) for name, kind in kinds.items()}
            if feed.partition and feed.valid_time:
                values[feed.valid_time] = datetime(2026, draw.randint(1, 9), 3, tzinfo=UTC)
            names = ", ".join(f'"{n}"' for n in values)
            cursor.execute(
                f'insert into pool."{code}" (natural_hash, row_hash, batch_id, row_no, from_landing, county, {names})'
                f" values (%s, %s, %s, 1, %s, %s{', %s' * len(values)})",
                [draw.randbytes(16), draw.randbytes(16), batch.pk, number, draw.choice([None, "532301"]), *values.values()],
            )  # fmt: skip
    Landing.objects.using("owner").create(number=number, feed=code, batch=batch, landed_at=timezone.now())
    return number


def _write(code: str, **how: Any) -> writing.Written:
    return writing.bring_up(code, catalog(), at=timezone.now(), **how)


def _seen(code: str, landing: int, *, purpose: str = "", department: str = "") -> list[tuple[Any, ...]]:
    relation = reading.relations(
        [code], catalog(), landing=landing, offices=["532301"], purpose=purpose, department=department,
        using="owner",
    )[code]  # fmt: skip
    with duckdb.connect() as engine:
        engine.execute("set timezone = 'UTC'")
        return engine.execute(f"select * from ({relation}) order by record_id").fetchall()


def _of_pool(code: str, where: str = "true") -> list[tuple[Any, ...]]:
    """The same columns by the driver itself, which shares no code with the mirror's reading."""
    feed = catalog()[code]
    names = [
        "record_id",
        "natural_hash",
        "row_hash",
        "batch_id",
        "row_no",
        "from_landing",
        "to_landing",
        "county",
    ]
    names += (["seal"] if feed.seals else []) + list(pool_columns(feed))
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            f'select {", ".join(f""" "{n}" """ for n in names)} from pool."{code}" where {where} order by record_id'
        )
        return [
            tuple(
                bytes(v)
                if isinstance(v, memoryview)
                else str(v)
                if v.__class__.__name__ == "UUID"
                else v.astimezone(UTC)
                if isinstance(v, datetime)
                else v
                for v in row
            )
            for row in cursor.fetchall()
        ]


def _plain(rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [tuple(v.astimezone(UTC) if isinstance(v, datetime) else v for v in row) for row in rows]


@pytest.mark.parametrize("code", FEEDS)
def test_after_every_landing_the_mirror_is_the_pool(database, draw, code):
    shut = "seal is null" if code == "ps_admin_penalty" else "true"
    for _ in range(6):
        landing = _land(code, draw, draw.randint(0, 12))
        if draw.random() < 0.7:
            assert _write(code).landing == landing
            assert reading.check(code, catalog()) is None
            # Nobody of another purpose sees what is sealed; who may, sees the very pool.
            opened = {"purpose": "minors", "department": "minors"}
            assert _plain(_seen(code, landing, **opened)) == _of_pool(code, _reach(code, opened, shut))
    _write(code)
    again = _write(code)
    assert (again.rows, again.ends, again.rebuilt) == (0, 0, False)
    whole = _write(code, compact=True)
    assert whole.rows == 0
    assert reading.check(code, catalog()) is None
    mark = MirrorMark.objects.using("owner").get(name=code)
    assert len(mark.files) <= 1


def _reach(code: str, opened: dict[str, str], shut: str) -> str:
    from ingestion.catalog.seals import opens

    if not catalog()[code].seals:
        return shut
    kinds = [s.kind for s in catalog()[code].seals if opens(opened["purpose"], opened["department"], s.kind)]
    return " or ".join(["seal is null", *(f"seal = '{kind}'" for kind in kinds)])


def test_files_are_for_their_owner_alone(database, draw):
    _land("hr_pension_payment", draw, 5)
    _write("hr_pension_payment")
    here = files.folder("hr_pension_payment")
    assert stat.S_IMODE(here.stat().st_mode) == 0o700
    listed = list(here.iterdir())
    assert listed
    assert {stat.S_IMODE(path.stat().st_mode) for path in listed} == {0o600}


def test_many_small_landings_leave_few_files_and_lose_nothing(database, draw):
    code = "hr_pension_payment"
    for _ in range(20):
        _land(code, draw, 2)
        _write(code)
    mark = MirrorMark.objects.using("owner").get(name=code)
    assert len(mark.files) < 2 * files.FILES_OF_A_TIER
    assert len(list(files.folder(code).iterdir())) == len(mark.files) + len(mark.retired)
    assert reading.check(code, catalog()) is None


def test_a_writer_killed_before_its_mark_leaves_the_mirror_as_it_was(database, draw, monkeypatch):
    code = "hr_pension_payment"
    first = _land(code, draw, 8)
    _write(code)
    before = _seen(code, first)
    _land(code, draw, 5)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(MirrorMark, "save", killed)
        _write(code)
    mark = MirrorMark.objects.using("owner").get(name=code)
    assert mark.landing == first
    assert len(list(files.folder(code).iterdir())) > len(mark.files)  # the orphan
    assert _seen(code, first) == before
    told = _write(code)
    assert told.rows == 5
    assert reading.check(code, catalog()) is None


def test_an_emptied_folder_is_written_anew(database, draw):
    code = "hr_pension_payment"
    _land(code, draw, 8)
    _write(code)
    for path in files.folder(code).iterdir():
        path.unlink()
    found = reading.check(code, catalog())
    assert found is not None
    assert "file missing" in found.what
    assert _write(code).rebuilt
    assert reading.check(code, catalog()) is None


def test_what_a_clearing_took_is_gone_from_the_mirror_at_once(database, draw):
    code = "hr_pension_payment"
    agreements()
    _land(code, draw, 8)
    _write(code)
    old = {path.name for path in files.folder(code).iterdir()}
    AgreementClearing.objects.using("owner").create(
        agreement=Agreement.objects.using("owner").get(number=f"T-{code}"),
        requested_by="a", requested_at=timezone.now(), decided_by="b", decided_at=timezone.now(), state="clearing", result={code: {"cleared": 3}},
    )  # fmt: skip
    with connections["owner"].cursor() as cursor:
        cursor.execute(f'delete from pool."{code}" where record_id <= 3')
    told = _write(code)
    assert told.rebuilt
    assert not old & {path.name for path in files.folder(code).iterdir()}
    assert reading.check(code, catalog()) is None


def test_a_run_that_opened_the_files_keeps_them_while_others_replace_them(database, draw):
    code = "hr_pension_payment"
    landing = _land(code, draw, 8)
    _write(code)
    relation = reading.relations(
        [code], catalog(), landing=landing, offices=["532301"], purpose="", department="", using="owner"
    )[code]
    _write(code, rebuild=True)
    with duckdb.connect() as engine:
        assert engine.execute(f"select count(*) from ({relation})").fetchone() == (8,)
    writing.bring_up(code, catalog(), at=timezone.now() + writing.GRACE * 2)
    writing.bring_up(code, catalog(), at=timezone.now() + writing.GRACE * 4)
    assert len(list(files.folder(code).iterdir())) == 1


def test_a_landing_that_is_not_there_yet_is_named_with_its_cure(database, draw):
    code = "hr_pension_payment"
    landing = _land(code, draw, 3)
    with pytest.raises(reading.NotMirrored, match=f"mirror write {code}"):
        _seen(code, landing)


def test_check_names_the_first_record_and_column_that_differ(database, draw, capsys):
    with acting_as("worker"):
        _commands(draw, capsys)


def _commands(draw: random.Random, capsys: pytest.CaptureFixture[str]) -> None:
    code = "hr_pension_payment"
    _land(code, draw, 5)
    call_command("mirror", "write", code)
    call_command("mirror", "check", code)
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"update pool.\"{code}\" set county = '532302' where record_id = 3")
    capsys.readouterr()
    with pytest.raises(CommandError):
        call_command("mirror", "check", code, "--json")
    found = json.loads(capsys.readouterr().out)["differences"][0]
    assert (found["record_id"], found["name"]) == (3, code)
    assert "county" in found["what"]
    call_command("mirror", "rebuild", code)
    assert reading.check(code, catalog()) is None
    call_command("mirror", "status", "--json")
    lines = capsys.readouterr().out.strip().splitlines()
    standing = {s["name"]: s for s in json.loads(lines[-1])}
    assert standing[code]["rows"] == 5
    assert standing[code]["behind"] == 0
