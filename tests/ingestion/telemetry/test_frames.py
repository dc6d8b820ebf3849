"""Frames and packets: the public packets, any cutting of a stream, every fault with its reason."""

from __future__ import annotations

import random
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.telemetry.codes import protocol
from ingestion.telemetry.frames import MAX_REFUSED, Frame, Framer, RefusedBytes, build, crc, modbus
from ingestion.telemetry.generate import Shares, cut, generate
from ingestion.telemetry.packets import ZONE, PacketRefused, answer, answer_refused, parse, part_of

PROTOCOL = protocol()
SEGMENT = (
    b"QN=20260801085857223;ST=32;CN=2011;PW=123456;MN=010000A8900016F000169DC0;Flag=5;"
    b"CP=&&DataTime=20260801085800;w01018-Rtd=36.9,w01018-Flag=N&&"
)


def whole(*chunks: bytes) -> list[Frame | RefusedBytes]:
    framer = Framer()
    return [item for chunk in chunks for item in framer.feed(chunk)] + list(framer.close())


def body(text: str, *, head: str = "ST=32;CN=2011;MN=M1") -> bytes:
    return f"{head};CP=&&{text}&&".encode()


def test_the_checksum_is_the_standards_and_not_modbus():
    vector = b"QN=20160801085857223;ST=32;CN=1062;PW=100000;MN=010000A8900016F000169DC0;Flag=5;CP=&&RtdInterval=30&&"
    assert (len(vector), crc(vector), modbus(vector)) == (101, 0x1C80, 0x0759)


def test_the_public_packets(shared):
    """Numbers 2 and 5 carry a wrong checksum, number 3 ends in a line feed alone."""
    lines = (shared / "data" / "hj212" / "packets.txt").read_text().splitlines()
    packets = [line.replace("\\r", "\r").replace("\\n", "\n").encode() for line in lines]
    outcomes = [whole(packet)[0] for packet in packets]
    assert [getattr(o, "reason", "") for o in outcomes] == ["", "crc", "", "", "crc"]
    framer = Framer()
    glued = [*framer.feed(b"".join(packets)), *framer.close()]
    assert glued == [
        o if isinstance(o, Frame) else RefusedBytes(o.reason, p.rstrip())
        for o, p in zip(outcomes, packets, strict=True)
    ]
    assert framer.bad_tails == 1
    packet = parse(outcomes[2].segment, PROTOCOL)  # type: ignore[union-attr]
    assert (packet.device, packet.command, packet.data_time) == (
        "LD130133000015",
        "2011",
        datetime(2016, 8, 24, 0, 38, 17, tzinfo=ZONE),
    )
    assert {r.factor: (r.value_rtd, r.flag) for r in packet.readings.values()} == {
        "w00000": (36.91, None),
        "w01018": (231.0, "N"),
        "w21003": (1.803, "N"),
    }
    assert packet.oddities == []


_PIECES = st.one_of(
    st.just(build(SEGMENT)),
    st.just(b"##0009CP=&&&&&&"),
    st.sampled_from(
        [b"#", b"##", b"###", b"##01", b"##01x6", b"##9999", b"##0003", b"\r", b"\n", b"\r\n", b"&&"]
    ),
    st.binary(max_size=40),
    st.integers(0, len(SEGMENT)).map(lambda n: build(SEGMENT)[:n]),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.lists(_PIECES, max_size=14).map(b"".join), st.lists(st.integers(1, 60), max_size=40))
def test_any_cutting_of_a_stream_gives_the_same_frames(stream: bytes, sizes: list[int]):
    chunks, rest = [], stream
    for size in sizes:
        chunks.append(rest[:size])
        rest = rest[size:]
    one, many = Framer(), Framer()
    expected = [*one.feed(stream), *one.close()]
    got = [item for chunk in [*chunks, rest] for item in many.feed(chunk)] + list(many.close())
    assert got == expected
    assert many.bad_tails == one.bad_tails
    # Every byte that is no line end is in a frame or in what was refused.
    kept = sum(len(i.segment) + 10 if isinstance(i, Frame) else len(i.data) for i in expected)
    assert len(stream) - sum(stream.count(end) for end in (b"\r", b"\n")) <= kept <= len(stream)


@pytest.mark.parametrize("seed", range(6))
def test_corrupt_glued_and_repeated_streams_add_up(seed: int):
    start = datetime(2026, 11, 20, 8, tzinfo=ZONE)
    pieces = list(generate(800, start=start, devices=7, shares=Shares.rough(), seed=seed))
    framer, good, refused = Framer(), [], 0
    for chunk in cut((p.data for p in pieces), seed=seed):
        for item in framer.feed(chunk):
            refused += _refused(item, good)
    refused += sum(_refused(item, good) for item in framer.close())
    fates = [p.fate for p in pieces]
    assert refused == fates.count("refused") > 10
    assert len(good) == fates.count("stored") + fates.count("repeated")
    assert len(set(good)) == fates.count("stored")


def _refused(item: Frame | RefusedBytes, good: list[bytes]) -> bool:
    if isinstance(item, RefusedBytes):
        return True
    try:
        parse(item.segment, PROTOCOL)
    except PacketRefused:
        return True
    good.append(item.segment)
    return False


@pytest.mark.parametrize(
    ("data", "reasons"),
    [
        (b"garbage", ["noise"]),
        (b"##12", ["cut"]),
        (b"##9999" + b"x" * 200, ["oversize"]),
        (b"##0003abc&&", ["length"]),
        (b"##0x36ST=32", ["head"]),
        (build(SEGMENT)[:-40] + build(SEGMENT), ["cut", ""]),
        (b"##0900" + build(SEGMENT)[6:] + build(SEGMENT), ["cut", ""]),
        (b"##0100" + build(SEGMENT)[6:] + build(SEGMENT), ["length", ""]),
        (b"#" + build(SEGMENT), ["head", ""]),
        (build(SEGMENT)[:-6] + b"0000\r\n" + build(SEGMENT), ["crc", ""]),
        (build(SEGMENT).rstrip() + build(SEGMENT), ["", ""]),
        (b"y" * (MAX_REFUSED + 10) + build(SEGMENT), ["noise", "noise", ""]),
    ],
)
def test_a_fault_is_refused_with_its_reason_and_the_next_frame_is_found(data: bytes, reasons: list[str]):
    assert [getattr(item, "reason", "") for item in whole(data)] == reasons


def test_a_makers_modbus_checksum_is_taken_and_said():
    (frame,) = whole(b"##%04d%b%04X\r\n" % (len(SEGMENT), SEGMENT, modbus(SEGMENT)))
    assert frame == Frame(SEGMENT, vendor_crc=True)


def test_hostile_input_holds_little_memory():
    framer, draw = Framer(), random.Random(1)
    for _ in range(300):
        for _item in framer.feed(
            draw.choice([b"##0999", b"#" * 999, bytes(draw.randbytes(3000)), b"\r\n" * 500])
        ):
            pass
        assert framer.waiting <= MAX_REFUSED + 3000


@pytest.mark.parametrize(
    ("segment", "reason"),
    [
        (b"\xff\xff;CP=&&&&", "encoding"),
        (b"ST=32;CN=2011;MN=M1;&&", "head"),
        (body("DataTime=20260801085800;w01018-Rtd=1", head="ST=x;CN=2011;MN=M1"), "head"),
        (body("DataTime=20260801085800;w01018-Rtd=1", head="ST=32;CN=2011"), "device"),
        (body("DataTime=20260801085800;w01018-Rtd=1", head="ST=32;CN=2011;MN=53230119900101123X"), "device"),
        (body("DataTime=20260801085800;w01018-Rtd=1", head="ST=32;CN=7777;MN=M1"), "command"),
        (body("w01018-Rtd=1"), "data_time"),
        (body("DataTime=20260230085800;w01018-Rtd=1"), "data_time"),
        (body("DataTime=2026-08-01 08:58;w01018-Rtd=1"), "data_time"),
        (body("DataTime=20260801085800"), "empty"),
    ],
)
def test_a_sound_frame_that_cannot_be_used(segment: bytes, reason: str):
    with pytest.raises(PacketRefused) as refused:
        parse(segment, PROTOCOL)
    assert refused.value.reason == reason


def test_missing_values_unknown_factors_and_marks_are_kept_and_said():
    packet = parse(
        body(
            "DataTime=20260801085800;w01018-Rtd=--,w01018-Flag=D;x99999-Rtd=3.5,x99999-Flag=Q;"
            "011-Avg=1e1,011-Min=.5,011-Max=abc,011-Cou=7;w01018-ZsRtd=4"
        ),
        PROTOCOL,
    )
    first, second, third = packet.readings.values()
    assert (first.factor, first.value_rtd, first.flag) == ("w01018", None, "D")
    assert (second.factor, second.known, second.value_rtd, second.flag) == ("x99999", False, 3.5, "Q")
    assert (third.factor, third.value_avg, third.value_min, third.value_max, third.value_cou) == (
        "w01018",
        10.0,
        0.5,
        None,
        7.0,
    )
    assert packet.oddities == [
        ("unknown_factor", "x99999"),
        ("unknown_mark", "Q"),
        ("bad_value", "011-Max"),
        ("unknown_field", "w01018-ZsRtd"),
    ]


def test_device_state_and_air_codes():
    packet = parse(body("DataTime=20260801085800;SB1-RS=1;SB2-RS=0", head="ST=32;CN=2021;MN=M1"), PROTOCOL)
    assert [(r.factor, r.value_rtd) for r in packet.readings.values()] == [("SB1", 1.0), ("SB2", 0.0)]
    air = parse(body("DataTime=20260801085800;03-Avg=1;a21002-Avg=2", head="ST=31;CN=2061;MN=M1"), PROTOCOL)
    assert [r.factor for r in air.readings.values()] == ["a21002", "a21002"]


@pytest.mark.parametrize(
    ("command", "flag", "answered"),
    [("2011", 5, "9014"), ("2031", 4, None), ("9015", 5, "9013"), ("9013", 5, None), ("2061", 9, "9014")],
)
def test_who_asks_is_answered(command: str, flag: int, answered: str | None):
    head = f"QN=20260801085857223;ST=32;CN={command};MN=M1;Flag={flag}"
    packet = parse(body("DataTime=20260801085800;w01018-Avg=1", head=head), PROTOCOL)
    reply = answer(packet, PROTOCOL)
    if answered is None:
        assert reply is None
        return
    (frame,) = whole(reply or b"")
    expected = f"QN=20260801085857223;ST=91;CN={answered};MN=M1;Flag={flag & 0xFC};CP=&&&&"
    assert frame == Frame(expected.encode())


def test_a_refused_packet_that_asks_is_told_so():
    with pytest.raises(PacketRefused) as refused:
        parse(body("", head="QN=1;ST=32;CN=7777;MN=M1;Flag=5"), PROTOCOL)
    (frame,) = whole(answer_refused(refused.value, PROTOCOL) or b"")
    assert frame == Frame(b"QN=1;ST=91;CN=9011;MN=M1;Flag=4;CP=&&QnRtn=2&&")


def test_the_parts_of_a_packet_share_the_time_that_the_first_tells():
    head = "QN=20260801085857223;ST=32;CN=2011;MN=M1;Flag=7;PNUM=2;PNO={}"
    first = parse(body("DataTime=20260801085800;w01018-Rtd=1", head=head.format(1)), PROTOCOL)
    part = part_of(first.head)
    assert part == ("M1", "20260801085857223", "2011") and first.data_time
    second = body("w21003-Rtd=2", head=head.format(2))
    found = parse(second, PROTOCOL, {part: first.data_time})
    assert found.data_time == first.data_time and list(found.readings) == ["w21003"]
    # Its beginning is not known: kept, and not told that sending it again is of no use.
    with pytest.raises(PacketRefused) as refused:
        parse(second, PROTOCOL)
    assert refused.value.reason == "part" and answer_refused(refused.value, PROTOCOL) is None
    assert part_of(parse(body("DataTime=20260801085800;w01018-Rtd=1"), PROTOCOL).head) is None


#: what Python calls a digit or a number and ASCII does not: ², ٣, ３, ①, 〇, ½ …
_ODD_DIGITS = st.characters(categories=["Nd", "Nl", "No"], exclude_characters="0123456789", codec="gb18030")
_ODD_TEXT = st.text(st.one_of(_ODD_DIGITS, st.sampled_from("0123456789.-+eE")), min_size=1, max_size=20)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.sampled_from(["Flag", "ST", "CN", "MN", "QN"]), _ODD_TEXT, _ODD_TEXT, _ODD_TEXT)
def test_odd_digits_anywhere_are_read_refused_or_noted_and_never_raise(field, inside, moment, figure):
    head = {"QN": "1", "ST": "32", "CN": "2011", "MN": "M1", "Flag": "5"} | {field: inside}
    text = ";".join(f"{name}={value}" for name, value in head.items())
    for when in ("20260801085800", moment):
        segment = f"{text};CP=&&DataTime={when};w01018-Rtd={figure},w01018-Flag=N&&".encode("gb18030")
        try:
            packet = parse(segment, PROTOCOL)
        except PacketRefused as refused:
            assert refused.reason in ("device", "command", "head", "data_time")
            answer_refused(refused, PROTOCOL)
            continue
        answer(packet, PROTOCOL)
        if packet.readings and not figure.isascii():
            assert packet.readings["w01018"].value_rtd is None
            assert ("bad_value", "w01018-Rtd") in packet.oddities


@pytest.mark.parametrize("flag", ["²", "５", "٥", "5" * 400, "-1", ""])
def test_a_flag_that_is_no_number_asks_for_nothing_and_costs_nothing(flag: str):
    head = f"QN=1;ST=32;CN=2011;MN=M1;Flag={flag}"
    segment = f"{head};CP=&&DataTime=20260801085800;w01018-Rtd=1&&".encode("gb18030")
    packet = parse(segment, PROTOCOL)
    assert answer(packet, PROTOCOL) is None
    assert packet.readings["w01018"].value_rtd == 1.0


def test_a_figure_beyond_all_numbers_is_noted_and_left_out():
    packet = parse(body(f"DataTime=20260801085800;w01018-Rtd={'9' * 400}"), PROTOCOL)
    assert packet.readings["w01018"].value_rtd is None
    assert packet.oddities == [("bad_value", "w01018-Rtd")]
