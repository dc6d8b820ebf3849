"""Rows become a signed chain: nobody is left out, a death of the sealer leaves it whole, time removes by rule."""

from __future__ import annotations

import json
import os
import random
import stat
import threading
import time

import psycopg2
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import DatabaseError, connections, transaction

from chuxiong.audit import sealer, signing
from chuxiong.audit.anchor import Anchor, AnchorUnusable
from chuxiong.audit.canonical import unpack_ids
from chuxiong.audit.record import record
from chuxiong.audit.retention import PurgeRefused, policy, purge
from tests.prefecture import NOW, citizen


def test_rows_become_a_signed_and_anchored_chain(chain):
    chain.write(30)
    assert chain.seal() == sealer.Sealed(rows=30, segments=1, anchored=1)
    chain.write(12)
    assert chain.seal() == sealer.Sealed(rows=12, segments=1, anchored=1)
    assert chain.seal() == sealer.Sealed()
    report = chain.verify()
    assert (report.rows, report.segments, report.anchored, report.waiting) == (42, 2, 2, 0)
    assert report.findings == []
    assert report.exit_code == 0
    assert stat.S_IMODE(chain.key.stat().st_mode) == 0o600
    assert stat.S_IMODE(chain.anchor.stat().st_mode) == 0o700


def test_rows_wait_until_sealed_and_waiting_is_no_fault(chain):
    chain.write(3)
    chain.seal()
    chain.write(4)
    report = chain.verify()
    assert (report.rows, report.waiting, report.exit_code) == (7, 4, 0)


def test_a_large_backlog_is_cut_into_segments(chain, monkeypatch):
    monkeypatch.setattr(sealer, "SEGMENT_ROWS", 7)
    chain.write(20)
    assert chain.seal() == sealer.Sealed(rows=20, segments=3, anchored=3)
    assert chain.verify().exit_code == 0


# ---- nobody is left out -------------------------------------------------------------------------


def test_late_committers_lose_no_row(chain, services):
    """Writers that draw their row numbers early and commit late, in any order, while the sealer runs."""
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    stop, written, faults = threading.Event(), [], []
    address = services.postgres.dsn("chuxiong", "cx_web", _password(services, "web"))

    def writer(number: int) -> None:
        draw = random.Random(seed + number)
        connection = psycopg2.connect(address)
        try:
            while not stop.is_set():
                with connection, connection.cursor() as cursor:
                    for _ in range(draw.randint(1, 4)):
                        cursor.execute(
                            "insert into audit_auditevent (at, actor, office, action, object_kind, object_ref, reason, detail)"
                            " values (now(), %s, '', 'act', 'clue', 'x', '', '{}')",
                            [f"w{number}"],
                        )
                        time.sleep(draw.random() * 0.03)
                    if draw.random() < 0.1:
                        connection.rollback()
                        continue
                    time.sleep(draw.random() * 0.1)
        except Exception as error:
            faults.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=writer, args=(n,)) for n in range(6)]
    for thread in threads:
        thread.start()
    until = time.monotonic() + 4
    while time.monotonic() < until:
        written.append(chain.seal().rows)
        time.sleep(0.02)
    stop.set()
    for thread in threads:
        thread.join()
    chain.seal()
    assert faults == []
    in_table = {row for (row,) in chain.ask("select id from audit_auditevent")}
    chained = [
        i
        for (ids,) in chain.ask("select ids from audit_auditseal order by number")
        for i in unpack_ids(bytes(ids))
    ]
    assert len(chained) == len(set(chained))
    assert set(chained) == in_table
    assert len(in_table) > 100
    # The trial means something only if rows did come out of the order of their numbers.
    assert chained != sorted(chained), "no late committer in this run"
    assert chain.verify().exit_code == 0


def test_an_open_transaction_holds_the_horizon_and_nothing_else(chain, services):
    early = psycopg2.connect(services.postgres.dsn("chuxiong", "cx_web", _password(services, "web")))
    with early.cursor() as cursor:
        cursor.execute(
            "insert into audit_auditevent (at, actor, office, action, object_kind, object_ref, reason, detail)"
            " values (now(), 'early', '', 'act', 'clue', 'x', '', '{}')"
        )
    chain.write(5)
    assert chain.seal().rows == 0
    early.commit()
    early.close()
    assert chain.seal().rows == 6
    assert chain.verify().exit_code == 0


def _password(services, role: str) -> str:
    return json.loads((services.var / "keys" / "services.json").read_text())[role]


def test_stamps_keep_rising_in_a_cluster_restored_from_a_dump(chain):
    chain.write(3)
    chain.seal()
    # As after a restore: this cluster's transaction numbers lie far below those of the rows.
    chain.as_owner("update audit_auditevent set stamp = stamp + 1000000000")
    chain.as_owner("update audit_auditseal set last_stamp = last_stamp + 1000000000")
    try:
        call_command("migrate", database="owner", verbosity=0)
        chain.write(2)
        assert chain.seal().rows == 2
    finally:
        chain.as_owner(
            "create or replace function audit_offset() returns bigint language sql immutable as 'select 0::bigint'"
        )


# ---- the sealer dies ----------------------------------------------------------------------------


class Killed(BaseException):
    """Stands where the process would have died."""


def _steps() -> list[tuple[object, str]]:
    return [
        (sealer, "_head"),
        (sealer, "_next_segment"),
        (sealer, "_anchor"),
        (signing, "create"),
        (signing, "load"),
        (Anchor, "append"),
        (Anchor, "last"),
    ]


@pytest.mark.parametrize("before", [True, False])
def test_a_sealer_killed_between_any_two_steps_leaves_a_sound_chain(chain, monkeypatch, before):
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    draw = random.Random(seed)
    monkeypatch.setattr(sealer, "SEGMENT_ROWS", 5)
    deaths = 0
    for _ in range(60):
        chain.write(draw.randint(1, 12))
        owner, name = draw.choice(_steps())
        real, left = getattr(owner, name), [draw.randint(1, 3)]

        def dying(*args, real=real, left=left, **kwargs):  # type: ignore[no-untyped-def]
            left[0] -= 1
            if left[0] == 0 and before:
                raise Killed
            result = real(*args, **kwargs)
            if left[0] == 0:
                raise Killed
            return result

        with monkeypatch.context() as patch:
            patch.setattr(owner, name, dying)
            try:
                chain.seal()
            except Killed:
                deaths += 1
                connections["worker"].close()
        if draw.random() < 0.3:
            _tear(chain, draw)
        assert chain.verify().exit_code == 0
    chain.seal()
    report = chain.verify()
    assert deaths > 10
    assert report.findings == []
    assert report.waiting == 0
    assert report.anchored == report.segments


def _tear(chain, draw: random.Random) -> None:
    """What a crash leaves of a line that was being written."""
    files = Anchor(chain.anchor).files()
    if files:
        line = b'{"kind":"seal","seal":99999,"digest":"00'
        with files[-1].open("ab") as out:
            out.write(line[: draw.randint(1, len(line))])


@pytest.mark.parametrize("kills", [3, pytest.param(60, marks=[pytest.mark.drill, pytest.mark.timeout(600)])])
def test_a_killed_process_leaves_a_sound_chain(chain, services, kills):
    """A real kill -9 of a real sealer, again and again."""
    import signal
    import subprocess
    import sys
    from pathlib import Path

    root = Path(__file__).resolve().parents[2]
    seed = random.SystemRandom().randrange(1 << 30)
    print("seed", seed)
    draw = random.Random(seed)
    environment = services.of_duty("worker") | {
        "DJANGO_SETTINGS_MODULE": "chuxiong.settings",
        "CHUXIONG_AUDIT_KEY": str(chain.key),
        "CHUXIONG_AUDIT_ANCHOR": str(chain.anchor),
    }
    code = (
        "import django; django.setup(); from chuxiong.audit import sealer; sealer.SEGMENT_ROWS = 3\n"
        "print('go', flush=True)\nwhile True: sealer.seal()"
    )
    for _ in range(kills):
        process = subprocess.Popen(
            [sys.executable, "-c", code], cwd=root, env=environment, stdout=subprocess.PIPE
        )
        assert process.stdout and process.stdout.readline()
        until = time.monotonic() + draw.uniform(0.05, 0.4)
        while time.monotonic() < until:
            chain.write(3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert chain.verify().exit_code == 0
    deadline = time.monotonic() + 5
    while chain.seal().busy and time.monotonic() < deadline:
        time.sleep(0.05)  # the server has not yet noticed that the dead one's connection is gone
    report = chain.verify()
    assert (report.findings, report.waiting) == ([], 0)
    assert report.segments > kills


def test_two_sealers_at_once_do_the_work_once(chain):
    chain.write(40)
    outcomes = []

    def run() -> None:
        outcomes.append(sealer.seal(using="worker"))
        connections["worker"].close()

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(done.rows for done in outcomes) == 40
    assert chain.verify().exit_code == 0


def test_the_celery_task_says_why_it_waits(chain, caplog):
    from chuxiong.audit.tasks import seal
    from tests.conftest import acting_as

    chain.write(2)
    with acting_as("worker"):
        seal()
        for file in Anchor(chain.anchor).files():
            file.unlink()
        seal()
    assert "audit restart" in caplog.text


# ---- rights ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", ["web", "worker", "intake", "wall"])
@pytest.mark.parametrize(
    "statement",
    [
        "select count(*) from audit_auditevent",
        "select count(*) from audit_auditseal",
        "update audit_auditevent set actor = 'x'",
        "delete from audit_auditevent",
        "delete from audit_auditseal",
        "truncate audit_auditevent",
        "insert into audit_auditevent (id, at, actor, office, action, object_kind, object_ref, reason, detail)"
        " values (1, now(), '', '', '', '', '', '', '')",
        "insert into audit_auditevent (stamp, at, actor, office, action, object_kind, object_ref, reason, detail)"
        " values (1, now(), '', '', '', '', '', '', '')",
        "select audit_purge(400, 'x', 'y')",
    ],
)
def test_no_role_of_the_application_reaches_behind_its_insert(chain, role, statement):
    chain.write()
    with pytest.raises(DatabaseError, match=r"permission denied|read-only"), transaction.atomic(using=role):
        connections[role].cursor().execute(statement)


@pytest.mark.parametrize("role", ["web", "intake", "wall"])
@pytest.mark.parametrize("call", ["audit_pending(5)", "audit_head()", "audit_anchored(0)"])
def test_only_the_worker_continues_the_chain(chain, role, call):
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic(using=role):
        connections[role].cursor().execute(f"select * from {call}")


def test_not_even_the_owner_changes_a_row_by_mistake(chain):
    chain.write()
    for statement in ("update audit_auditevent set actor = 'x'", "delete from audit_auditevent"):
        with pytest.raises(DatabaseError, match="audit purge"), transaction.atomic(using="owner"):
            connections["owner"].cursor().execute(statement)


def test_the_row_goes_with_its_act(chain):
    class Undone(Exception):
        pass

    with pytest.raises(Undone), transaction.atomic():
        chain.write()
        raise Undone
    assert chain.ask("select count(*) from audit_auditevent") == [(0,)]


def test_identifiers_never_stand_in_the_clear(chain):
    number = citizen(77)
    wide = number.translate({c: c + 0xFEE0 for c in range(0x30, 0x3A)})
    record(
        at=NOW,
        actor="tester",
        action="vault.unmask",
        object_kind="clue",
        object_ref="XS-2026-000001",
        reason=f"核对 {number}、{wide}，电话13800000000，账号6222020000000000000",
        detail={"note": number, "list": [number], "rows": 3, "number": "XS-2026-000001"},
    )
    row = str(chain.ask("select * from audit_auditevent"))
    for secret in (number, wide, "13800000000", "6222020000000000000"):
        assert secret not in row
    assert row.count("已隐去") == 6
    assert '"rows":3' in row
    assert "XS-2026-000001" in row


# ---- removal by time ------------------------------------------------------------------------------


def _age(chain, days: int, *, last_id: int) -> None:
    """Rows written long ago: chained then, too."""
    chain.as_owner(
        f"update audit_auditevent set logged_at = logged_at - interval '{days} days' where id <= {last_id}"
    )


def test_purge_leaves_digests_and_a_recorded_act(chain):
    chain.write(10)
    _age(chain, 400, last_id=10)
    chain.seal()
    chain.write(10)
    chain.seal()
    done = purge(keep_days=365, by="审计员甲", reason="保存期满")
    assert (done.rows, done.segments, done.first_segment, done.last_segment) == (10, 1, 1, 1)
    chain.seal()
    report = chain.verify()
    assert (report.findings, report.purged, report.rows) == ([], 1, 11)
    actor, action, reason, writer = chain.ask(
        "select actor, action, reason, writer from audit_auditevent order by id desc limit 1"
    )[0]
    assert (actor, action, reason, writer) == ("审计员甲", "audit.purge", "保存期满", "cx_owner")
    # Nothing more is due.
    assert purge(keep_days=365, by="审计员甲", reason="保存期满").segments == 0


def _age_fresh(chain, days: int) -> None:
    """As ``_age``, for whatever was written just now."""
    chain.as_owner(
        f"update audit_auditevent set logged_at = logged_at - interval '{days} days'"
        " where logged_at > now() - interval '1 day'"
    )


def test_the_row_of_a_purge_may_be_purged_in_its_turn(chain):
    """Each act outlives the row of the one before, three times over: what was lawful stays accounted for."""
    chain.write(10)
    _age_fresh(chain, 2000)
    chain.seal()
    assert purge(keep_days=365, by="审计员甲", reason="保存期满").segments == 1
    for age in (1600, 1200, 800):
        chain.write(5)
        _age_fresh(chain, age)
        chain.seal()
        done = purge(keep_days=365, by="审计员甲", reason="保存期满")
        assert done.rows == 6  # five and the row of the act before
        assert chain.ask("select object_ref from audit_auditevent where action = 'audit.purge'") == [
            (f"1-{done.last_segment}",)
        ]
        assert chain.verify().findings == []
    chain.seal()
    report = chain.verify()
    assert (report.findings, report.purged, report.rows, report.exit_code) == ([], 4, 1, 0)


@pytest.mark.parametrize("claimed", [False, True])
def test_a_lawful_purge_does_not_cover_up_an_unlawful_one(chain, claimed):
    """Rows that went too early or unsaid stay found after any number of lawful acts."""
    chain.write(6)
    _age_fresh(chain, 2000)
    chain.seal()
    chain.as_owner("delete from audit_auditevent", "update audit_auditseal set purged_at = now()")
    if claimed:
        chain.write(action="audit.purge", object_kind="audit_segment", object_ref="1-1")
    for age in (1900, 1400):
        chain.write(5)
        _age_fresh(chain, age)
        chain.seal()
        assert purge(keep_days=365, by="审计员甲", reason="保存期满").segments == 1
        finding = chain.verify().findings[0]
        assert (finding.kind, finding.segment, finding.count) == ("purge_unrecorded", 1, 1)


def test_the_floor_is_data_with_its_source_and_holds(chain):
    floor = policy()["floor_days"]
    assert floor.value == 183
    assert "六个月" in floor.source
    chain.write(4)
    _age(chain, 182, last_id=4)
    chain.seal()
    with pytest.raises(PurgeRefused, match="183"):
        purge(keep_days=182, by="甲", reason="清理")
    with pytest.raises(PurgeRefused, match="事由"):
        purge(keep_days=183, by="甲", reason=" ")
    assert purge(keep_days=183, by="甲", reason="清理").rows == 0


def test_the_floor_says_what_the_law_says(shared):
    import gzip

    with gzip.open(shared / "data" / "laws" / "articles.jsonl.gz", "rt", encoding="utf-8") as lines:
        article = next(
            row["article_text"]
            for row in map(json.loads, lines)
            if row["law_name"] == "中华人民共和国网络安全法" and row["article_no"] == "第二十三条"
        )
    source = policy()["floor_days"].source
    assert source.startswith("网络安全法第二十三条")
    assert source.split("：", 1)[1] in article


def test_rows_gone_without_a_recorded_act_are_found(chain):
    chain.write(6)
    _age(chain, 400, last_id=6)
    chain.seal()
    chain.as_owner("delete from audit_auditevent", "update audit_auditseal set purged_at = now()")
    finding = chain.verify().findings[0]
    assert (finding.kind, finding.segment) == ("purge_unrecorded", 1)


def test_a_recorded_act_does_not_excuse_removal_before_the_floor(chain):
    chain.write(6)
    _age(chain, 100, last_id=6)
    chain.seal()
    chain.as_owner("delete from audit_auditevent", "update audit_auditseal set purged_at = now()")
    chain.write(action="audit.purge", object_kind="audit_segment", object_ref="1-1")
    finding = chain.verify().findings[0]
    assert (finding.kind, finding.segment) == ("purge_unrecorded", 1)


# ---- keys, anchors, command -----------------------------------------------------------------------


def test_a_new_key_does_not_void_the_old_signatures(chain):
    chain.write(3)
    chain.seal()
    old = signing.load(chain.key)
    new = signing.renew(chain.key)
    assert new.id != old.id
    chain.write(3)
    chain.seal()
    assert chain.verify().exit_code == 0
    # Without the old public half its segments are nobody's.
    chain.key.with_name(f"audit-{old.id}.pub.pem").unlink()
    assert chain.verify().exit_code == 1


def test_a_key_that_others_can_read_or_that_is_gone_stops_the_sealer(chain):
    chain.write(1)
    chain.seal()
    chain.write(1)
    os.chmod(chain.key, 0o644)
    with pytest.raises(signing.KeyUnusable, match="chmod 600"):
        chain.seal()
    chain.key.unlink()
    with pytest.raises(signing.KeyUnusable, match="audit key --new"):
        chain.seal()
    # Acts go on meanwhile.
    chain.write(1)


def test_a_lost_anchor_medium_stops_the_sealer_and_a_signed_restart_goes_on(chain):
    chain.write(3)
    chain.seal()
    for file in Anchor(chain.anchor).files():
        file.unlink()
    chain.write(3)
    with pytest.raises(AnchorUnusable, match="audit restart"):
        chain.seal()
    assert [f.kind for f in chain.verify().findings] == ["anchor_missing"]
    sealer.restart(by="审计员甲", reason="锚定盘损坏，已更换", using="worker")
    chain.seal()
    report = chain.verify()
    assert report.exit_code == 0
    assert "锚定盘损坏" in report.notes[0][0]


def test_an_anchor_that_cannot_be_written_delays_and_catches_up(chain, monkeypatch):
    chain.write(3)
    chain.seal()
    real = Anchor.append

    def full(*args, **kwargs):  # type: ignore[no-untyped-def]
        raise OSError("no space left")

    monkeypatch.setattr(Anchor, "append", full)
    for _ in range(3):
        chain.write(2)
        with pytest.raises(OSError, match="no space"):
            chain.seal()
    monkeypatch.setattr(Anchor, "append", real)
    chain.write(1)
    assert chain.seal().anchored == 4
    assert chain.verify().exit_code == 0


def test_the_command_speaks_and_exits_by_what_it_found(chain, capsys):
    chain.write(5)
    call_command("audit", "seal", "--json")
    assert json.loads(capsys.readouterr().out)["rows"] == 5
    call_command("audit", "verify")
    assert "审计链完整" in capsys.readouterr().out
    chain.as_owner("update audit_auditevent set actor = 'somebody' where id = 3")
    with pytest.raises(SystemExit) as stopped:
        call_command("audit", "verify")
    assert stopped.value.code == 1
    said = capsys.readouterr().out
    assert "第 1 段 记录 3" in said
    assert "保全现场" in said
    with pytest.raises(SystemExit):
        call_command("audit", "verify", "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["findings"][0]["row"] == 3
    assert "preserve the evidence" in document["findings"][0]["cure_en"]
    with pytest.raises(CommandError, match="183"):
        call_command("audit", "purge", "--keep-days", "3", "--by", "甲", "--reason", "清理")


def test_a_chain_that_stopped_is_late_not_broken(chain):
    chain.write(2)
    chain.seal()
    chain.write(2)
    chain.as_owner("update audit_auditevent set logged_at = now() - interval '2 hours' where id > 2")
    report = chain.verify()
    assert [f.kind for f in report.findings] == ["sealing_late"]
    assert report.exit_code == 2
