"""Frames out of a byte stream, whatever its cuts. Pure.

A frame is ``##``, four digits (bytes of the segment), the segment, four hex digits of its CRC, CR LF. What the framer
says depends on the bytes alone, never on how they were cut into reads: it decides only when no further byte could
change the decision.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

HEAD = b"##"
#: bytes of a segment, HJ 212-2017 6.3.1
MAX_SEGMENT = 1024
#: bytes of one refused stretch; a longer one is refused piece by piece
MAX_REFUSED = 4096
_EMPTY_SEGMENT = len("CP=&&&&")


def _table() -> tuple[int, ...]:
    rows = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1
        rows.append(value)
    return tuple(rows)


_CRC = _table()
#: two bytes (first low) combined with the register's high byte → its next high byte
_PAIRS = bytes(_CRC[(_CRC[pair & 0xFF] >> 8) ^ (pair >> 8)] >> 8 for pair in range(1 << 16))


def crc(segment: bytes) -> int:
    """The standard's checksum (HJ 212-2017 annex A). Its shift drops the low byte: it is not CRC-16/MODBUS.

    So the next register depends on the high byte alone, and two bytes are one look-up.
    """
    pairs = max(0, len(segment) - 1) // 2
    table, high = _PAIRS, 0xFF
    for pair in struct.unpack_from(f"<{pairs}H", segment):
        high = table[pair ^ high]
    register = high << 8 | 0xFF
    for byte in segment[2 * pairs :]:
        register = _CRC[(register >> 8) ^ byte]
    return register


def modbus(segment: bytes) -> int:
    """CRC-16/MODBUS, which some makers send instead."""
    table, register = _CRC, 0xFFFF
    for byte in segment:
        register = table[(register ^ byte) & 0xFF] ^ (register >> 8)
    return register


def build(segment: bytes) -> bytes:
    """The frame around a segment."""
    return b"##%04d%b%04X\r\n" % (len(segment), segment, crc(segment))


@dataclass(frozen=True, slots=True)
class Frame:
    """A sound frame. ``vendor_crc``: its checksum is CRC-16/MODBUS."""

    segment: bytes
    vendor_crc: bool = False


@dataclass(frozen=True, slots=True)
class RefusedBytes:
    """Bytes that are no frame. ``reason``: noise, head, length, crc, oversize, cut."""

    reason: str
    data: bytes


@dataclass
class Framer:
    """State of one connection; holds at most ``MAX_REFUSED`` + one read."""

    max_segment: int = MAX_SEGMENT
    #: frames that did not end in CR LF
    bad_tails: int = 0
    _buffer: bytearray = field(default_factory=bytearray)
    #: after a frame: what of its tail has been seen
    _tail: bytes | None = None

    @property
    def waiting(self) -> int:
        """Bytes of an unfinished frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame | RefusedBytes]:
        """Everything that is certain once ``data`` has arrived."""
        self._buffer += data
        return self._run(final=False)

    def close(self) -> Iterator[Frame | RefusedBytes]:
        """The connection has ended: what is left is refused."""
        return self._run(final=True)

    def _run(self, *, final: bool) -> Iterator[Frame | RefusedBytes]:
        while self._skip_tail(final):
            found = self._frame()
            if isinstance(found, Frame):
                yield found
                continue
            refused = self._refusal(found, final)
            if refused is None:
                return
            yield refused

    def _skip_tail(self, final: bool) -> bool:
        """Drop line ends between frames; False when nothing is left to look at."""
        buffer = self._buffer
        kept = 0
        while kept < len(buffer) and buffer[kept] in b"\r\n":
            kept += 1
        if self._tail is not None:
            self._tail = (self._tail + bytes(buffer[: min(kept, 3)]))[:3]
            if kept < len(buffer) or final:
                self.bad_tails += self._tail != b"\r\n"
                self._tail = None
        del buffer[:kept]
        return bool(buffer)

    def _frame(self) -> Frame | str:
        """A frame from the buffer's start, or why there is none yet ("") or never (reason)."""
        buffer = self._buffer
        if not buffer.startswith(HEAD):
            return "" if buffer == HEAD[:1] else "noise"
        digits = bytes(buffer[2:6])
        if not digits:
            return ""
        if not digits.isdigit():
            return "head"
        if len(digits) < 4:
            return ""
        length = int(digits)
        if length > self.max_segment:
            return "oversize"
        if length < _EMPTY_SEGMENT:
            return "length"
        end = 6 + length + 4
        # A new head before the declared end: bytes of this frame were lost.
        if buffer.find(HEAD, 1, end) > 0:
            return "cut"
        if len(buffer) < end:
            return ""
        segment, digest = bytes(buffer[6 : 6 + length]), bytes(buffer[6 + length : end])
        if not segment.endswith(b"&&"):
            return "length"
        try:
            told = int(digest, 16)
        except ValueError:
            return "length"
        vendor = told != crc(segment)
        if vendor and told != modbus(segment):
            return "crc"
        del buffer[:end]
        self._tail = b""
        return Frame(segment, vendor)

    def _refusal(self, reason: str, final: bool) -> RefusedBytes | None:
        """What is refused reaches to the next head. None: more bytes are needed to know how far."""
        if not reason and not final:
            return None
        buffer = self._buffer
        following = buffer.find(HEAD, 1)
        if 0 < following <= MAX_REFUSED:
            reach = following
        elif following > 0 or len(buffer) > MAX_REFUSED:
            reach = MAX_REFUSED
        elif final:
            reach = len(buffer)
        else:
            return None
        data = bytes(buffer[:reach])
        del buffer[:reach]
        return RefusedBytes(reason or "cut", data.rstrip(b"\r\n"))
