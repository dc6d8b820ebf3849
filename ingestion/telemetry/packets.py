"""From a sound segment to a packet with its readings, and the answers to it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from math import isfinite
from types import MappingProxyType
from zoneinfo import ZoneInfo

from ingestion.telemetry.codes import Protocol
from ingestion.telemetry.frames import build

ZONE = ZoneInfo("Asia/Shanghai")
# Digits of ASCII alone: to Python, "²" is a digit that no int reads and "３" one that no standard writes.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_WHOLE = re.compile(r"[0-9]{1,9}")
_DEVICE = re.compile(r"[0-9A-Za-z_-]{1,40}")
# A number that could be a person's is no device: identifiers must not reach the pool as text.
_PERSONAL = re.compile(r"\d{17}[\dXx]|\d{15}|1[3-9]\d{9}")
_FACTOR = re.compile(r"[0-9A-Za-z_]{1,10}")
_PLAIN = re.compile(r"[0-9A-Za-z_-]{1,20}")
_ABSENT = frozenset({"", "-", "--", "null", "NULL", "NaN", "nan", "/"})


class PacketRefused(Exception):
    """A sound frame that cannot be used; ``reason`` is one word, ``asks`` whether its sender waits for an answer."""

    def __init__(self, reason: str, head: dict[str, str] | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.head = head or {}

    @property
    def asks(self) -> bool:
        return asks(self.head)


@dataclass(slots=True)
class Reading:
    """One factor of one packet: its figures (null where the sender had none) and its mark."""

    factor: str
    known: bool
    value_min: float | None = None
    value_avg: float | None = None
    value_max: float | None = None
    value_cou: float | None = None
    value_rtd: float | None = None
    flag: str | None = None


@dataclass(slots=True)
class Packet:
    """One packet. ``oddities``: (kind, place) of what was kept but is not as the standard has it."""

    head: dict[str, str]
    data_time: datetime | None = None
    readings: dict[str, Reading] = field(default_factory=dict)
    oddities: list[tuple[str, str]] = field(default_factory=list)

    @property
    def device(self) -> str:
        return self.head["MN"]

    @property
    def command(self) -> str:
        return self.head["CN"]

    @property
    def system(self) -> str:
        return self.head["ST"]


def asks(head: dict[str, str]) -> bool:
    """Bit 0 of Flag: the sender waits for an answer."""
    return bool(_flag(head) & 1)


def _flag(head: dict[str, str]) -> int:
    """0 where there is none that can be read."""
    flag = head.get("Flag", "")
    return int(flag) if _WHOLE.fullmatch(flag) else 0


def part_of(head: dict[str, str]) -> tuple[str, str, str] | None:
    """(MN, QN, CN) of what a packet in several parts belongs to (bit 1 of Flag, PNUM, PNO); None for a whole one."""
    number = head.get("PNUM", "")
    if not _flag(head) & 2 and not (_WHOLE.fullmatch(number) and int(number) > 1):
        return None
    return head.get("MN", ""), head.get("QN", ""), head.get("CN", "")


def parse(
    segment: bytes, protocol: Protocol, begun: Mapping[tuple[str, str, str], datetime] = MappingProxyType({})
) -> Packet:
    """Read one segment; raises ``PacketRefused`` with encoding, head, device, command, version, data_time, part or empty.

    ``begun``: the time that the first part of a packet in parts told; the later parts may leave it out.
    """
    try:
        text = segment.decode("ascii")
    except UnicodeDecodeError:
        try:
            text = segment.decode("gb18030")
        except UnicodeDecodeError as error:
            raise PacketRefused("encoding") from error
    before, marker, body = text.partition("CP=&&")
    if not marker or not body.endswith("&&"):
        raise PacketRefused("head")
    head: dict[str, str] = {}
    for part in before.split(";"):
        name, _, value = part.partition("=")
        if name:
            head[name.strip()] = value.strip()
    device = head.get("MN", "")
    if not _DEVICE.fullmatch(device) or _PERSONAL.fullmatch(device):
        raise PacketRefused("device", head if device.isascii() and len(device) < 60 else {})
    command = head.get("CN", "")
    packet = Packet(head)
    if command in protocol.control:
        return packet
    if command not in protocol.readings:
        raise PacketRefused("command", head)
    if not _WHOLE.fullmatch(head.get("ST", "")):
        raise PacketRefused("head", head)
    _read_body(packet, body.removesuffix("&&"), protocol)
    whole = part_of(head)
    if packet.data_time is None and whole:
        packet.data_time = begun.get(whole)
    if packet.data_time is None:
        raise PacketRefused("part" if whole else "data_time", head)
    if not packet.readings:
        raise PacketRefused("empty", head)
    return packet


def _read_body(packet: Packet, body: str, protocol: Protocol) -> None:
    system, suffixes = packet.system, protocol.suffixes
    for part in body.replace(";", ",").split(","):
        name, _, value = part.partition("=")
        name, value = name.strip(), value.strip()
        code, dash, suffix = name.rpartition("-")
        if not dash:
            if name == "DataTime":
                packet.data_time = moment(value)
            elif name:
                packet.oddities.append(("unknown_field", _place(name)))
            continue
        column = suffixes.get(suffix)
        reading = packet.readings.get(code)
        if column is None or (reading is None and not _FACTOR.fullmatch(code)):
            packet.oddities.append(("unknown_field", _place(name)))
            continue
        if reading is None:
            reading = packet.readings[code] = _new(packet, code, system, protocol)
        if column == "flag":
            reading.flag = value if value in protocol.marks else _place(value)[:8]
            if value not in protocol.marks:
                packet.oddities.append(("unknown_mark", reading.flag))
            continue
        figure = float(value) if _NUMBER.fullmatch(value) else None
        if figure is not None and not isfinite(figure):
            figure = None
        if figure is None and value not in _ABSENT:
            packet.oddities.append(("bad_value", _place(name)))
        before = getattr(reading, column)
        if before is not None and before != figure:
            packet.oddities.append(("field_twice", _place(name)))
        setattr(reading, column, figure)


def _place(name: str) -> str:
    """A sender's own word where people will read it."""
    return name if _PLAIN.fullmatch(name) else "?"


def _new(packet: Packet, code: str, system: str, protocol: Protocol) -> Reading:
    if packet.command in ("2021", "2041"):
        # Names of devices (SB1), which the factor tables do not hold.
        return Reading(code, True)
    factor, known = protocol.factor(system, code)
    if not known:
        packet.oddities.append(("unknown_factor", factor))
    return Reading(factor, known)


@lru_cache(maxsize=4096)
def moment(text: str) -> datetime | None:
    """``YYYYMMDDhhmmss`` of Beijing; some senders add milliseconds."""
    if len(text) not in (14, 17) or not (text.isascii() and text.isdigit()):
        return None
    try:
        return datetime(
            int(text[:4]),
            int(text[4:6]),
            int(text[6:8]),
            int(text[8:10]),
            int(text[10:12]),
            int(text[12:14]),
            int(text[14:] or 0) * 1000,
            tzinfo=ZONE,
        )
    except ValueError:
        return None


def answer(packet: Packet, protocol: Protocol) -> bytes | None:
    """The answer that the packet asks for, to be sent once what it holds is safe."""
    if not asks(packet.head):
        return None
    command = protocol.control.get(packet.command, protocol.answer_to_readings)
    return _reply(packet.head, command) if command else None


def answer_refused(refused: PacketRefused, protocol: Protocol) -> bytes | None:
    """Tells a waiting sender that sending the same again is of no use; a part whose beginning is missing may come again."""
    if not refused.asks or refused.reason == "part":
        return None
    return _reply(refused.head, protocol.answer_to_refused, "QnRtn=2")


def _reply(head: dict[str, str], command: str, body: str = "") -> bytes:
    version = _flag(head) & 0xFC
    named = {
        "QN": head.get("QN", "")[:20],
        "ST": "91",
        "CN": command,
        "MN": head.get("MN", ""),
        "Flag": str(version),
    }
    text = ";".join(f"{name}={value}" for name, value in named.items() if value)
    return build(f"{text};CP=&&{body}&&".encode("ascii", "replace"))
