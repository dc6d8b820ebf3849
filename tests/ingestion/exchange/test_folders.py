"""Drop folders: half-written files wait, a kill loses and repeats nothing, what was refused lies beside its reason."""

from __future__ import annotations

import json
import os
import random
import secrets
import signal
import threading
import time

import pytest
import yaml
from django.db import connections

from ingestion.exchange import deliveries, watching
from ingestion.exchange.deliveries import store_path, sweep
from ingestion.exchange.folders import Watcher
from ingestion.exchange.sources import Folder, SourcesFault, load, secret
from ingestion.exchange.watching import Watch, checked
from ingestion.intake.receive import store_path as batch_path
from ingestion.models import Batch, Delivery, SourceMark
from tests.ingestion.exchange.ways import payments, work
from tests.prefecture import NOW, agreements

HR, PAY = "hr_bureau", "hr_pension_payment"


@pytest.fixture
def folder(database, tmp_path) -> Folder:  # type: ignore[no-untyped-def]
    agreements()
    (tmp_path / "drop").mkdir()
    return Folder(code="hr_drop", feed=PAY, path=tmp_path / "drop")


def names(folder: Folder, place: str = "") -> list[str]:
    return sorted(p.name for p in (folder.path / place).rglob("*") if p.is_file())


def test_a_file_is_taken_when_it_is_finished_and_put_away_with_its_receipt(folder):
    watcher = Watcher(folder, quiet_seconds=0)
    path = folder.path / "9月 养老金.csv"
    data = payments(1, 2)
    path.write_bytes(data[:40])
    assert watcher.round(at=NOW) == 0, "seen for the first time"
    path.write_bytes(data)
    assert watcher.round(at=NOW) == 0, "it has grown"
    assert watcher.round(at=NOW) == 1 and not path.exists()
    (folder.path / "other.csv.part").write_bytes(data)
    (folder.path / ".hidden.csv").write_bytes(data)
    (folder.path / "inner").mkdir()
    (folder.path / "link.csv").symlink_to("/etc/passwd")
    for _ in range(3):
        assert watcher.round(at=NOW) == 0
    work(HR)
    watcher.round(at=NOW)
    delivery = Delivery.objects.using("intake").get()
    archived = f"{delivery.pk:06d}__9月 养老金.csv"
    assert names(folder, "archive") == sorted([archived, archived + ".回执.json"])
    receipt = json.loads((folder.path / "archive/2026-11-20" / (archived + ".回执.json")).read_text())
    assert receipt["files"][0]["outcome"] == "landed" and receipt["totals"]["loaded"] == 2
    # The same bytes dropped again are put away too, and change nothing.
    path.write_bytes(data)
    for _ in range(2):
        watcher.round(at=NOW)
    work(HR)
    watcher.round(at=NOW)
    assert Batch.objects.using("intake").count() == 1 and Delivery.objects.using("intake").count() == 2
    assert names(folder, ".taken") == [] and len(names(folder, "archive")) == 4


def _raw(folder: Folder, place: str, name: bytes, data: bytes) -> None:
    with open(os.path.join(os.fsencode(folder.path), place.encode(), name), "wb") as out:
        out.write(data)


def test_a_name_that_is_no_utf_8_or_far_too_long_is_taken_all_the_same(folder):
    """From a Windows machine or an older FTP server: the bytes of its name are GBK."""
    watcher = Watcher(folder, quiet_seconds=0)
    watcher.round(at=NOW)
    _raw(folder, "", "养老金9月.csv".encode("gbk"), payments(1))
    _raw(folder, "", b"\xff\xff\xfe.csv", payments(2))
    _raw(folder, "", b"a" * 240 + b".csv", payments(3))
    _raw(folder, ".taken", b"0" * 32 + "__养老金8月.csv".encode("gbk"), payments(4))
    for _ in range(3):
        watcher.round(at=NOW)
    work(HR)
    watcher.round(at=NOW)
    found = set(Batch.objects.using("intake").filter(state="landed").values_list("file_name", flat=True))
    assert len(found) == 4 and {"养老金9月.csv", "养老金8月.csv", "a" * 176 + ".csv"} < found
    assert os.listdir(os.path.join(os.fsencode(folder.path), b".taken")) == []


def test_one_file_that_cannot_be_handed_over_keeps_no_other_waiting(folder, tmp_path, monkeypatch):
    declared = tmp_path / "exchange.yaml"
    declared.write_text(
        yaml.safe_dump({"folders": [{"code": "hr_drop", "feed": PAY, "path": str(folder.path)}]})
    )
    watch, real = Watch(declared, quiet_seconds=0), deliveries.lay_down

    def lay_down(source, *, name, **more):  # type: ignore[no-untyped-def]
        if name == "a.csv":
            raise KeyError("a record")
        return real(source, name=name, **more)

    monkeypatch.setattr(deliveries, "lay_down", lay_down)
    for name in ("a.csv", "b.csv"):
        (folder.path / name).write_bytes(payments(ord(name[0])))
    for _ in range(2):
        watch.round(at=NOW)
    assert Delivery.objects.using("intake").get().files.get().name == "b.csv"
    problem = SourceMark.objects.get().problem
    assert "a.csv" in problem["what"] and "KeyError" in problem["what"] and "a record" not in problem["what"]
    monkeypatch.setattr(deliveries, "lay_down", real)
    watch.round(at=NOW)
    assert Delivery.objects.using("intake").count() == 2 and SourceMark.objects.get().problem is None


def test_a_file_is_unsealed_in_pieces_and_before_the_agencys_lock_is_taken(folder, monkeypatch):
    watcher, unsealed, free = Watcher(folder, quiet_seconds=0), deliveries._unsealed, []
    for n in (1, 2):
        (folder.path / f"{n}.csv").write_bytes(payments(n))
    for _ in range(2):
        watcher.round(at=NOW)

    def looked_at(file):  # type: ignore[no-untyped-def]
        kept = unsealed(file)
        with connections["owner"].cursor() as cursor:
            cursor.execute("select pg_try_advisory_xact_lock(hashtextextended(%s, 0))", [f"exchange:{HR}"])
            free.append(cursor.fetchone()[0])
        if len(free) == 1:
            deliveries.advance(HR, at=NOW)  # another worker is faster
        return kept

    monkeypatch.setattr(deliveries, "_unsealed", looked_at)
    monkeypatch.delattr(os, "memfd_create")
    work(HR)
    found = Batch.objects.using("intake").order_by("pk")
    assert [b.state for b in found] == ["landed", "landed"] and free and all(free)
    stored = {p.stem for p in batch_path("x").parent.glob("*.enc")}
    assert {b.layout["store"] for b in found} == stored, "nothing of the slower one is left"


def test_the_service_goes_on_whatever_a_round_meets(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "_ROUND_SECONDS", 0.0)
    watch, stop, rounds = Watch(tmp_path / "none.yaml"), threading.Event(), []

    def more(at):  # type: ignore[no-untyped-def]
        rounds.append(at)
        if len(rounds) < 3:
            raise ValueError("甲")
        stop.set()

    watch.extra.append(more)
    watch.go_on(stop)
    assert len(rounds) == 3


def test_with_markers_only_what_is_marked(folder):
    watcher = Watcher(folder.model_copy(update={"ready": "marker"}), quiet_seconds=0)
    (folder.path / "a.csv").write_bytes(payments(1))
    for _ in range(3):
        assert watcher.round(at=NOW) == 0
    (folder.path / "a.csv.done").touch()
    assert watcher.round(at=NOW) == 1
    assert not (folder.path / "a.csv.done").exists()


def test_what_is_refused_lies_beside_its_reason(folder):
    watcher = Watcher(folder, quiet_seconds=0)
    (folder.path / "wrong.csv").write_bytes("甲,乙\r\n1,2\r\n".encode())
    for _ in range(2):
        watcher.round(at=NOW)
    work(HR)
    watcher.round(at=NOW)
    refused = names(folder, "refused")
    assert len(refused) == 2 and refused[1].endswith(".原因.txt")
    assert "缺少必填列" in (folder.path / "refused" / refused[1]).read_text()
    assert names(folder, ".taken") == []


def test_a_folder_that_is_gone_is_told_and_told_off(folder, tmp_path):
    declared = tmp_path / "exchange.yaml"
    away = folder.path.with_name("away")
    declared.write_text(yaml.safe_dump({"folders": [{"code": "hr_drop", "feed": PAY, "path": str(away)}]}))
    watch = Watch(declared, quiet_seconds=0)
    watch.round(at=NOW)
    assert "目录不能用" in SourceMark.objects.get().problem["what"]
    folder.path.rename(away)
    watch.round(at=NOW)
    assert SourceMark.objects.get().problem is None


def _in_a_child(work) -> int:  # type: ignore[no-untyped-def]
    """Run in a process of its own with connections of its own; returns its pid."""
    pid = os.fork()
    if pid:
        return pid
    # The parent's sockets are left alone: closing them here would close them there.
    kept = [(c, c.connection) for c in connections.all(initialized_only=True)]
    for wrapper, _ in kept:
        wrapper.connection = None
    try:
        work()
    except BaseException:  # what it was at, the test below finds out
        os._exit(1)
    os._exit(0)


def test_kill_9_anywhere_loses_nothing_and_takes_nothing_twice(folder):
    seed = secrets.randbits(32)
    print("seed", seed)
    draw = random.Random(seed)
    wanted = {f"{n:02d}.csv" for n in range(24)}
    for name in wanted:
        (folder.path / name).write_bytes(f"file {name}".encode() * draw.randint(1, 3_000))

    def rounds() -> None:
        watcher = Watcher(folder, quiet_seconds=0)
        for _ in range(3):
            watcher.round(at=NOW)

    kills = 0
    for _ in range(8):
        pid = _in_a_child(rounds)
        time.sleep(draw.random() * 0.25)
        os.kill(pid, signal.SIGKILL)
        kills += os.WIFSIGNALED(os.waitpid(pid, 0)[1])
    assert os.waitstatus_to_exitcode(os.waitpid(_in_a_child(rounds), 0)[1]) == 0
    print("kills", kills)
    delivered = list(Delivery.objects.using("intake").values_list("files__name", flat=True))
    assert sorted(delivered) == sorted(wanted), "each once, none lost"
    assert {p.name.partition("__")[2] for p in (folder.path / ".taken").iterdir()} == wanted
    assert not any((folder.path / name).exists() for name in wanted)
    # Cut off between the sealed copy and the delivery: such copies are named by nobody and go with the next sweep.
    sweep(older_than_seconds=-1)
    assert len(list(store_path("x").parent.glob("*.enc"))) == len(wanted)


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ("folders: [{code: a, feed: hr_pension_payment, path: drop}]", "绝对路径"),
        ("folders: [{code: a, feed: hr_pension_payment, path: /x, more: 1}]", "folders.0.more"),
        ("views: [{code: a, feed: hr_pension_payment, dsn: 'postgresql://u:p@h/d', view: v, high_water: t, every_minutes: 5}]", "不写密码"),
        ("views: [{code: a, feed: hr_pension_payment, dsn: 'env:X', view: 'v; drop', high_water: t, every_minutes: 5}]", "views.0.view"),
        ("pulls: [{code: a, feed: hr_pension_payment, url: 'ftp://h/x', every_minutes: 5}]", "https"),
        ("pulls: [{code: a, feed: hr_pension_payment, url: 'http://h/x', every_minutes: 5}]", "plain_http"),
        ("pulls: [{code: a, feed: x_x, url: 'https://h/x', every_minutes: 5}, {code: a, feed: x_x, url: 'https://h/y', every_minutes: 5}]", "出现两次"),
        ("folders: [", "YAML"),
    ],
)  # fmt: skip
def test_a_declaration_that_is_wrong_names_the_key(tmp_path, said, place):
    path = tmp_path / "exchange.yaml"
    path.write_text(said)
    with pytest.raises(SourcesFault, match=place):
        load(path)


def test_feeds_of_the_declaration_must_be_live_and_secrets_must_be_there(tmp_path):
    path = tmp_path / "exchange.yaml"
    path.write_text("folders: [{code: a, feed: no_such, path: /x}]")
    with pytest.raises(SourcesFault, match="no_such"):
        checked(load(path))
    (tmp_path / "word").write_text("geheim\n")
    assert secret(f"file:{tmp_path}/word") == "geheim" and secret("env:A", {"A": "b"}) == "b"
    with pytest.raises(SourcesFault, match="env:NOBODY"):
        secret("env:NOBODY")
