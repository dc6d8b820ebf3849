"""The listener process against the real database: what is sent is stored, refused with a reason, or a repeat."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import socket
import threading
import time
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.utils import timezone

from chuxiong.vault import envelope
from ingestion.intake.receive import data_key_of
from ingestion.models import Batch
from ingestion.selectors import silent_devices, unknown_devices
from ingestion.telemetry.frames import Frame, Framer, build
from ingestion.telemetry.generate import Piece, Shares, device_number, generate
from ingestion.telemetry.packets import ZONE
from ingestion.telemetry.registering import COLUMNS, RegisterRefused, register
from ingestion.telemetry.send import Sending, send, share_out
from ingestion.tickets import daily
from tests.conftest import acting_as
from tests.prefecture import land_rows

from .conftest import ask, database_held, packets_counted, register_devices, wait_until

pytestmark = pytest.mark.alone


def _now() -> datetime:
    return timezone.now().astimezone(ZONE).replace(microsecond=0)


def _send(
    pieces: list[Piece], port: int, *, connections_used: int = 4, rate: float = 0, wait: float = 8
) -> Sending:
    lines = [line for line in share_out(pieces, connections_used) if line]
    return asyncio.run(send(lines, host="127.0.0.1", port=port, rate=rate, wait=wait))


def packet(value: str, *, device: str = "M1", moment: datetime | None = None, kind: str = "2011", qn: str = "1",
           flag: int = 5, factor: str = "w01018", mark: str = "N") -> bytes:  # fmt: skip
    column = "Rtd" if kind == "2011" else "Avg"
    body = f"DataTime={moment or _now():%Y%m%d%H%M%S};{factor}-{column}={value},{factor}-Flag={mark}"
    return build(f"QN={qn};ST=32;CN={kind};PW=1;MN={device};Flag={flag};CP=&&{body}&&".encode())


class Line:
    """A plain socket of one sender."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=10)
        self.framer = Framer()

    def say(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self) -> str:
        while True:
            data = self.socket.recv(4096)
            assert data, "closed"
            for item in self.framer.feed(data):
                assert isinstance(item, Frame)
                return item.segment.decode()

    def closed(self) -> bool:
        self.socket.settimeout(10)
        try:
            return self.socket.recv(10) == b""
        except ConnectionError:
            return True


def test_rough_streams_add_up_exactly(ready, start_listener):
    register_devices(5)
    listener, port = start_listener()
    pieces = list(
        generate(1500, start=_now() - timedelta(hours=1), devices=12, shares=Shares.rough(), seed=3)
    )
    sending = _send(pieces, port)
    report = listener.stop()
    fates = [p.fate for p in pieces]
    assert packets_counted() == {
        "changed": fates.count("stored"),
        "repeated": fates.count("repeated"),
        "refused": fates.count("refused"),
    }
    assert report["stored"]["changed"] == fates.count("stored")
    asking = {(p.device, p.qn) for p in pieces if b"Flag=5" in p.data and p.fate != "refused"}
    assert sending.answered == asking
    ((rows, current, kinds, known),) = ask(
        "select count(*), count(distinct natural_hash), count(distinct factor), count(*) filter (where limit_value > 0)"
        " from pool.ee_auto_monitor where to_landing is null"
    )
    assert rows == current == fates.count("stored") * 3
    assert (kinds, known > 0) == (3, True)
    # Every refused frame has its reason; the first of a flush are sealed for inspection.
    reasons = ask("select distinct reasons->0->>'reason' from ingestion_quarantine")
    assert {"crc", "cut", "length", "noise", "oversize", "data_time", "command"} <= {r for (r,) in reasons}
    # Broken clocks: flagged, kept, and what lies beyond all months does not make a partition.
    arrivals = dict(ask("select arrival, count(*) from pool.ee_auto_monitor group by 1"))
    assert arrivals["ahead"] and arrivals["late"]
    assert ask("select count(*) > 0 from pool.ee_auto_monitor_other")[0][0]
    issues = dict(ask("select kind, count(*) from ingestion_feedissue group by 1"))
    assert issues["unknown_device"] == 12 - 5
    assert issues["clock_ahead"] > 0
    with acting_as("worker"):
        assert {d.mn for d in unknown_devices(timezone.now())} == {device_number(i) for i in range(5, 12)}


def test_a_repeat_changes_nothing_and_a_correction_makes_a_version(ready, start_listener):
    _, port = start_listener()
    line, moment = Line(port), _now()
    for qn, value in (("1", "60"), ("2", "60"), ("3", "61.5")):
        line.say(packet(value, moment=moment, qn=qn))
        assert f"QN={qn};" in line.answer()
    rows = ask("select value_rtd, to_landing is null from pool.ee_auto_monitor order by record_id")
    assert rows == [(60.0, False), (61.5, True)]
    assert packets_counted() == {"changed": 2, "repeated": 1, "refused": 0}
    assert {c for (c,) in ask("select cause from ingestion_touch where kind = 'outfall' and ref = 'M1'")} == {
        "landing",
        "correction",
    }


def test_a_file_and_the_stream_know_the_same_record(ready, start_listener):
    _, port = start_listener()
    line, moment = Line(port), datetime(2026, 11, 20, 8, tzinfo=ZONE)
    line.say(packet("42.5", device=device_number(1), moment=moment, kind="2061"))
    line.answer()
    row = {
        "mn": device_number(1), "st": "32", "data_type": "2061", "data_time": "2026-11-20 08:00:00", "factor": "w01018",
        "value_avg": "42.5", "flag": "N", "received_at": "2026-11-20 09:02:00",
    }  # fmt: skip
    _, counts, _ = land_rows("ee_auto_monitor", [row])
    assert (counts.loaded, counts.unchanged) == (0, 1)
    _, counts, _ = land_rows("ee_auto_monitor", [row | {"value_avg": "43"}])
    assert (counts.loaded, counts.unchanged) == (1, 0)
    assert ask("select count(*), count(distinct natural_hash) from pool.ee_auto_monitor") == [(2, 1)]


def test_the_frames_behind_a_row_can_be_opened(ready, start_listener):
    import zlib

    _, port = start_listener()
    line, sent = Line(port), packet("60")
    line.say(sent)
    line.answer()
    batch = Batch.objects.using("intake").get()
    ((sealed,),) = ask("select sealed from ingestion_telemetryframes")
    plain = zlib.decompress(
        envelope.open_text(sealed, data_key_of(batch), f"{batch.pk}:frames").encode("latin-1")
    )
    assert sent[6:-6] in plain
    assert batch.layout["packets"] == {"changed": 1, "repeated": 0, "refused": 0}


def test_kill_9_loses_nothing_that_was_acknowledged(ready, start_listener):
    start = _now() - timedelta(hours=2)
    pieces = list(generate(6000, start=start, devices=40, every=20, shares=Shares(asking=1.0), seed=5))
    acknowledged: set[tuple[str, str]] = set()
    rest = pieces
    for _ in range(2):
        listener, port = start_listener()
        threading.Thread(target=_kill_at_second_landing, args=(listener,), daemon=True).start()
        sending = _send(rest, port, rate=1500, wait=2)
        acknowledged |= sending.answered
        assert 0 < len(acknowledged) < len(pieces)
        rest = [p for p in rest if (p.device, p.qn) not in acknowledged]
    stored = {
        (mn, moment)
        for mn, moment in ask("select mn, data_time from pool.ee_auto_monitor where to_landing is null")
    }
    assert acknowledged <= {(p.device, p.qn) for p in pieces if _key(p) in stored}
    # The sender sends again what was not acknowledged: then all is there, once.
    _, port = start_listener()
    _send(rest, port)
    rows = ask("select count(*), count(distinct natural_hash) from pool.ee_auto_monitor")
    assert rows == [(len(pieces) * 3, len(pieces) * 3)]


def _kill_at_second_landing(listener) -> None:
    """Answers to the first leave before the second is stored, so by then some are out and most are not."""
    count = "select count(*) from ingestion_landing"
    enough = ask(count)[0][0] + 2
    while ask(count)[0][0] < enough and listener.process.poll() is None:
        time.sleep(0.02)
    listener.kill()
    connections["owner"].close()


def _key(piece: Piece) -> tuple[str, datetime]:
    text = piece.data.decode().split("DataTime=")[1][:14]
    return piece.device, datetime.strptime(text, "%Y%m%d%H%M%S").replace(tzinfo=ZONE)


def test_a_lagging_database_slows_the_sender_and_loses_nothing(ready, start_listener):
    listener, port = start_listener()
    pieces = list(generate(20_000, start=_now() - timedelta(days=1), devices=50, every=60, seed=8))
    done: list[Sending] = []
    sender = threading.Thread(target=lambda: done.append(_send(pieces, port, connections_used=8, wait=0.1)))
    with database_held():
        sender.start()
        time.sleep(3)
        assert not done, "the sender was not slowed"
        assert ask("select count(*) from pool.ee_auto_monitor") == [(0,)]
    sender.join(90)
    wait_until(lambda: packets_counted()["changed"] == len(pieces), seconds=60)
    memory = listener.memory()
    report = listener.stop()
    assert report["pauses"] > 0
    assert memory < 400, f"{memory} MiB"


def test_an_exceedance_is_an_alarm_within_two_seconds(ready, start_listener, worker):
    register_devices(2)
    _, port = start_listener()
    line = Line(port)
    line.say(packet("10", device=device_number(0)))
    line.answer()
    # The rules of the first landing, and its mirror, wait for half a minute and are no quick worker's.
    left = "select count(*) from work_job where kind not in ('match', 'mirror') and state in ('queued', 'running')"
    wait_until(lambda: ask(left) == [(0,)], seconds=60)
    began = time.monotonic()
    line.say(packet("120", device=device_number(1), flag=4))
    wait_until(lambda: bool(ask("select 1 from supervision_alarm")), seconds=60)
    took = time.monotonic() - began
    ((ref, level, office, limit),) = ask(
        "select subject_ref, level, office, limit_value from supervision_alarm"
    )
    assert (ref, level, office, limit) == (device_number(1), "urgent", "532301", 50.0)
    assert took < 2, f"{took:.2f} s"


def test_a_graceful_stop_stores_what_was_read(ready, start_listener):
    listener, port = start_listener()
    line = Line(port)
    line.say(packet("1", flag=4) + packet("2", device="M2", flag=4) + b"##0")
    time.sleep(0.3)
    assert packets_counted()["changed"] == 0
    report = listener.stop()
    assert report["stored"] == {"changed": 2, "repeated": 0, "control": 0, "refused": 1}
    assert packets_counted() == {"changed": 2, "repeated": 0, "refused": 1}


def test_heartbeats_are_answered_and_make_no_landing(ready, start_listener):
    _, port = start_listener()
    line = Line(port)
    line.say(build(b"QN=7;ST=91;CN=9015;PW=1;MN=M1;Flag=5;CP=&&&&"))
    assert "CN=9013" in line.answer()
    assert ask("select count(*) from ingestion_landing") == [(0,)]
    assert ask("select mn, packets from ingestion_telemetrycontact") == [("M1", 1)]


def test_who_is_not_listed_or_comes_too_often_is_refused(database, ready, start_listener):
    from ingestion.telemetry.registering import allow

    allow("127.0.0.0/8", label="本机", max_connections=2, since=date(2026, 1, 1))
    listener, port = start_listener()
    kept = [Line(port), Line(port)]
    assert Line(port).closed()
    for index, line in enumerate(kept):
        line.say(packet("1", device=f"M{index}"))
        line.answer()
    other = socket.create_connection(("127.0.0.1", port), source_address=("127.0.0.1", 0), timeout=5)
    other.close()
    report = listener.stop()
    assert report["connections"]["admitted"] == 2
    assert report["connections"]["too_many"] == 2


def test_an_address_off_the_list_is_refused(database, start_listener):
    from tests.prefecture import agreements

    agreements()
    _, port = start_listener()
    assert Line(port).closed()


def test_without_an_agreement_nobody_is_heard(database, start_listener):
    from ingestion.telemetry.registering import allow

    allow("127.0.0.0/8", label="本机", max_connections=2, since=date(2026, 1, 1))
    _, port = start_listener()
    assert Line(port).closed()


def test_hostile_senders_are_cut_off(ready, start_listener):
    listener, port = start_listener()
    noisy = Line(port)
    noisy.say(b"##9999" * 60)
    assert noisy.closed()
    polite = Line(port)
    polite.say(packet("1"))
    polite.answer()
    report = listener.stop()
    assert report["connections"]["hostile"] == 1
    assert 50 <= report["refused"]["oversize"] <= 60


def test_a_flag_in_odd_digits_costs_neither_connection_nor_packet(ready, start_listener):
    listener, port = start_listener()
    line = Line(port)
    body = f"DataTime={_now():%Y%m%d%H%M%S};w01018-Rtd=7,w01018-Flag=N"
    line.say(build(f"QN=1;ST=32;CN=2011;PW=1;MN=M7;Flag=²;CP=&&{body}&&".encode("gb18030")))
    line.say(build(f"QN=2;ST=３２;CN=2011;PW=1;MN=M7;Flag=5;CP=&&{body}&&".encode("gb18030")))
    assert "CN=9011" in line.answer()
    line.say(packet("1", qn="3"))
    assert "QN=3;" in line.answer()
    report = listener.stop()
    assert report["refused"] == {"head": 1}
    assert packets_counted() == {"changed": 2, "repeated": 0, "refused": 1}


def test_a_packet_in_parts_is_taken_part_by_part(ready, start_listener):
    listener, port = start_listener()
    line, head = Line(port), "QN=77;ST=32;CN=2011;PW=1;MN=M7;Flag=7;PNUM=2;PNO="
    time = f"DataTime={_now():%Y%m%d%H%M%S}"
    line.say(build(f"{head}1;CP=&&{time};w01018-Rtd=7,w01018-Flag=N&&".encode()))
    assert "CN=9014" in line.answer()
    line.say(build(f"{head}2;CP=&&w21003-Rtd=1.5,w21003-Flag=N&&".encode()))
    assert "CN=9014" in line.answer()
    # On another line nobody knows when it began.
    other = Line(port)
    other.say(build(f"{head}2;CP=&&w21011-Rtd=1.5&&".encode()) + packet("1", qn="78"))
    assert "QN=78;" in other.answer()
    report = listener.stop()
    assert report["refused"] == {"part": 1}
    assert ask("select factor, value_rtd from pool.ee_auto_monitor where mn = 'M7' order by factor") == [
        ("w01018", 7.0),
        ("w21003", 1.5),
    ]


def test_what_nobody_foresaw_costs_one_packet(ready, start_listener, monkeypatch):
    """The parser is made to fail on one packet: its neighbours are stored and its bytes are kept."""
    from ingestion.telemetry import packets
    from ingestion.telemetry.listener import Listener

    parse = packets.parse

    def failing(segment: bytes, *told: Any) -> Any:
        if b"MN=BAD" in segment:
            raise ZeroDivisionError
        return parse(segment, *told)

    monkeypatch.setattr(packets, "parse", failing)

    async def drama() -> Listener:
        listener, stop = Listener(), asyncio.Event()
        where = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(
            listener.run("127.0.0.1", 0, ready=lambda host, port: where.set_result(port), stop=stop)
        )
        line = Line(await where)
        line.say(packet("1", device="M1") + packet("2", device="BAD") + packet("3", device="M3"))
        await asyncio.sleep(0.3)
        stop.set()
        await running
        return listener

    listener = asyncio.run(drama())
    assert listener.counts.refused == {"unreadable": 1}
    assert packets_counted() == {"changed": 2, "repeated": 0, "refused": 1}
    assert ask("select reasons->0->>'reason' from ingestion_quarantine") == [("unreadable",)]
    connections["intake"].close()


@pytest.mark.parametrize("broken", ["store", "sweep"])
def test_a_listener_that_can_no_longer_store_ends_and_says_why(ready, monkeypatch, caplog, broken):
    """Its supervisor starts it anew; one that goes on hearing and stores nothing would be worse than none."""
    from ingestion.telemetry import listener as module
    from ingestion.telemetry.listener import Listener, ListenerFailed

    def fail(*_: Any, **__: Any) -> Any:
        raise ZeroDivisionError("secret reading")

    if broken == "store":
        monkeypatch.setattr(module.store, "store", fail)
    else:
        monkeypatch.setattr(module._Connection, "check", fail)
    lines: list[Line] = []

    async def drama() -> None:
        where = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(
            Listener().run(
                "127.0.0.1", 0, ready=lambda host, port: where.set_result(port), stop=asyncio.Event()
            )
        )
        lines.append(Line(await where))
        lines[0].say(packet("1"))
        await asyncio.wait_for(running, 10)

    with pytest.raises(ListenerFailed, match="ZeroDivisionError"):
        asyncio.run(drama())
    assert "ZeroDivisionError" in caplog.text and "secret" not in caplog.text
    if broken == "sweep":
        assert "QN=1;" in lines[0].answer()
    # No answer left for what is not stored: the sender sends it again.
    assert lines[0].closed()
    assert packets_counted()["changed"] == (broken == "sweep")
    connections["intake"].close()


def test_a_failed_listener_process_exits_with_an_error(ready, monkeypatch):
    from ingestion.telemetry import listener as module

    async def fail(self: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(module.Listener, "_store_forever", fail)
    with pytest.raises(CommandError, match="ZeroDivisionError"):
        call_command("telemetry", "listen", "--port", "0", "--json", stdout=io.StringIO())
    connections["intake"].close()


def test_a_dripping_sender_is_closed_and_one_that_never_reads_too(ready):
    """Time limits are those of the process; here the listener runs in this process with short ones."""
    from ingestion.telemetry.listener import Caps, Listener

    async def drama() -> Listener:
        listener = Listener(caps=Caps(frame=1.0, idle=3.0, answers=2000))
        stop, where = asyncio.Event(), asyncio.get_running_loop().create_future()
        running = asyncio.create_task(
            listener.run("127.0.0.1", 0, ready=lambda host, port: where.set_result(port), stop=stop)
        )
        port = await where
        slow, silent = Line(port), Line(port)
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.connect(("127.0.0.1", port))
        deaf.setblocking(False)
        for number in range(300):
            slow.say(b"##0136ST=32"[number : number + 1])
            with contextlib.suppress(OSError):
                deaf.send(b"".join(packet("1", device=f"D{number}", qn="9" * 20) for _ in range(50)))
            await asyncio.sleep(0.02)
        del silent
        stop.set()
        await running
        return listener

    listener = asyncio.run(drama())
    assert listener.counts.connections["slow"] == 1
    assert listener.counts.connections["idle"] == 1
    assert listener.counts.connections["not_reading"] == 1
    connections["intake"].close()


def test_the_commands(ready, start_listener, tmp_path):
    _command("allow", "10.20.0.0/16", "--label", "环保专网")
    with pytest.raises(CommandError, match="不是地址段"):
        _command("allow", "nowhere", "--label", "x")
    device = "M1,532301,,甲,DW001,总排口,60,2026-01-01,,w01018,,50,2026-01-01,,示例"
    (tmp_path / "devices.csv").write_text(f"{','.join(COLUMNS)}\n{device}\n", encoding="utf-8")
    assert _command("register", str(tmp_path / "devices.csv")) == {"devices": 1, "limits": 1}
    _, port = start_listener()
    (tmp_path / "packets.txt").write_text(packet("60").decode().rstrip() + r"\r\n", encoding="utf-8")
    sent = _command("send", str(tmp_path / "packets.txt"), "--port", str(port))
    assert (sent["packets"], sent["answered"]) == (1, 1)
    assert ask("select limit_value, county from pool.ee_auto_monitor") == [(50.0, "532301")]
    sent = _command("send", "--generate", "40", "--devices", "3", "--port", str(port))
    assert sent["packets"] == 40
    wait_until(lambda: ask("select count(*) from pool.ee_auto_monitor") == [(121,)])
    with acting_as("worker"):
        status = _command("status")
    assert status["silent"] == []
    assert {d["mn"] for d in status["unknown"]} == {device_number(i) for i in range(3)}
    with pytest.raises(CommandError, match="访问名单"):
        _command("send", "--generate", "1", "--port", "1")


def _command(*words: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("telemetry", *words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_silent_devices(ready, start_listener):
    register_devices(3, silent_after=30)
    _, port = start_listener()
    line = Line(port)
    for index in (0, 1):
        line.say(packet("1", device=device_number(index)))
        line.answer()
    now = timezone.now()
    with acting_as("worker"):
        assert [(d.mn, d.last_at) for d in silent_devices(now)] == [(device_number(2), None)]
        later = silent_devices(now + timedelta(minutes=31))
        assert {d.mn for d in later} == {device_number(i) for i in range(3)}
        assert silent_devices(datetime(2025, 12, 31, tzinfo=ZONE)) == []
        # Once a day each is asked after; while that ticket is open, nobody asks for the same device again.
        drafted = [daily.draft_silent(at=now + timedelta(minutes=m)) for m in (0, 1, 31, 32)]
    assert drafted == [1, 0, 2, 0]
    tickets = ask(
        "select kind, state, detail->0->>'mn', position(detail->0->>'mn' in text) > 0 from ingestion_dataticket"
    )
    assert sorted(tickets) == [("device", "open", device_number(n), True) for n in (0, 2)]


def test_a_wrong_register_is_refused_whole(ready):
    header = (
        "mn,county,uscc,org_name,outlet_no,outlet_name,silent_after_minutes,active_from,active_to,"
        "factor,data_type,limit,limit_from,limit_to,source"
    )
    rows = [header, "M1,,,,,,60,2026-01-01,,,,,,,示例", "M2,,,,,,60,2026-01-01,,x9,,5,2026-01-01,,示例"]
    with pytest.raises(RegisterRefused, match=r"第 3 行.*x9"):
        register(rows, name="d.csv")
    assert ask("select count(*) from ingestion_telemetrydevice") == [(0,)]


def test_a_limit_holds_on_its_days_and_the_particular_one_first(ready):
    from ingestion.telemetry import registry

    header = (
        "mn,county,uscc,org_name,outlet_no,outlet_name,silent_after_minutes,active_from,active_to,"
        "factor,data_type,limit,limit_from,limit_to,source"
    )
    device = "M1,532301,,甲,DW001,总排口,60,2026-01-01,"
    register(
        [
            header,
            f"{device},w01018,,60,2026-01-01,2026-06-30,旧许可证",
            f"{device},w01018,,50,2026-07-01,,新许可证",
            f"{device},w01018,2031,40,2026-07-01,,新许可证",
        ],
        name="d.csv",
    )
    known = registry.load(timezone.now()).devices["M1"]
    assert known.limit("w01018", "2011", date(2026, 6, 30)) == 60
    assert known.limit("w01018", "2011", date(2026, 7, 1)) == 50
    assert known.limit("w01018", "2031", date(2026, 7, 1)) == 40
    assert known.limit("w01018", "2031", date(2025, 7, 1)) is None
    assert known.limit("w21003", "2031", date(2026, 7, 1)) is None
