"""Made-up telemetry with the faults that real lines have, and what must become of it. Pure and seeded."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from ingestion.telemetry.frames import build, crc

#: factor → usual figure
FACTORS = {"w00000": 20.0, "w01018": 25.0, "w21003": 2.0}
LIMITS = {"w01018": 50.0, "w21003": 5.0}


@dataclass(frozen=True)
class Shares:
    """Shares of packets that come with a fault."""

    repeated: float = 0.0
    corrupt: float = 0.0
    noise: float = 0.0
    skewed: float = 0.0
    late: float = 0.0
    above: float = 0.0
    asking: float = 0.0

    @classmethod
    def rough(cls) -> Shares:
        return cls(repeated=0.05, corrupt=0.03, noise=0.01, skewed=0.02, late=0.05, above=0.01, asking=0.5)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some bytes to send. ``fate``: stored, repeated or refused."""

    data: bytes
    fate: str
    device: str = ""
    qn: str = ""
    above: bool = False


def device_number(index: int) -> str:
    return f"532300FF{index:016X}"


def generate(
    count: int,
    *,
    start: datetime,
    devices: int = 80,
    every: float = 60.0,
    shares: Shares | None = None,
    seed: int = 1,
    first: int = 0,
) -> Iterator[Piece]:
    """``count`` packets of real-time data: each of ``devices`` sends one every ``every`` seconds from ``start`` on.

    ``first`` is the number of the first device.
    """
    draw, shares = random.Random(seed), shares or Shares()  # noqa: S311
    held: list[tuple[int, Piece]] = []
    sent: list[Piece] = []
    for number in range(count):
        while held and held[0][0] <= number:
            yield held.pop(0)[1]
        piece = _packet(draw, number, devices, every, start, shares, first)
        if draw.random() < shares.corrupt:
            yield Piece(_corrupt(draw, piece.data), "refused", piece.device)
            continue
        if draw.random() < shares.late:
            held.append((number + draw.randint(1, 50), piece))
            held.sort(key=lambda entry: entry[0])
        else:
            yield piece
        if draw.random() < shares.noise:
            # Only after a sound frame: after a broken one it would be taken for its rest.
            if piece in (p for _, p in held):
                continue
            yield Piece(
                bytes(draw.choices(b"abcxyz0189;=&\x00\xff", k=draw.randint(1, 60))), "refused", piece.device
            )
        sent.append(piece)
        if draw.random() < shares.repeated and (again := draw.choice(sent[-200:])) not in (
            p for _, p in held
        ):
            yield Piece(again.data, "repeated", again.device, again.qn)
    for _, piece in held:
        yield piece


def _packet(
    draw: random.Random, number: int, devices: int, every: float, start: datetime, shares: Shares, first: int
) -> Piece:
    device = device_number(first + number % devices)
    # The seconds of a device's packets differ, so that no two of them are the same reading.
    moment = start + timedelta(seconds=(number // devices) * every)
    if draw.random() < shares.skewed:
        moment += timedelta(days=draw.choice([-400, 30, 4000]))
    above = draw.random() < shares.above
    qn = f"{start:%Y%m%d}{number:09d}"
    figures = {
        factor: LIMITS[factor] * draw.uniform(1.1, 3)
        if above and factor == "w01018"
        else usual * draw.uniform(0.5, 1.5)
        for factor, usual in FACTORS.items()
    }
    body = ";".join(f"{factor}-Rtd={value:.3f},{factor}-Flag=N" for factor, value in figures.items())
    flag = 5 if draw.random() < shares.asking else 4
    segment = (
        f"QN={qn};ST=32;CN=2011;PW=123456;MN={device};Flag={flag};CP=&&DataTime={moment:%Y%m%d%H%M%S};{body}&&"
    ).encode()
    return Piece(build(segment), "stored", device, qn, above)


def _corrupt(draw: random.Random, frame: bytes) -> bytes:
    segment = frame[6:-6]
    kind = draw.randrange(8)
    if kind == 0:
        spot = draw.randrange(len(segment))
        wrong = bytes([draw.choice([b for b in b"0123456789abcdef" if b != segment[spot]])])
        return frame[: 6 + spot] + wrong + frame[7 + spot :]
    if kind == 1:
        return frame[: draw.randint(10, len(frame) - 7)]
    if kind == 2:
        return b"##%04d" % (len(segment) - draw.randint(1, 60)) + frame[6:]
    if kind == 3:
        return b"##%04d" % (len(segment) + draw.randint(7, 600)) + frame[6:]
    if kind == 4:
        return b"##%04d" % draw.randint(2000, 9999) + frame[6:]
    if kind == 5:
        return frame[:-6] + b"%04X\r\n" % (crc(segment) ^ draw.randint(1, 0xFFFF))
    if kind == 6:
        return build(segment.replace(b"DataTime=2", b"DataTime=x"))
    return build(segment.replace(b"CN=2011", b"CN=7777"))


def cut(data: Iterable[bytes], *, seed: int = 1, longest: int = 700) -> Iterator[bytes]:
    """The same bytes in other pieces: split inside frames and glued across them."""
    draw, rest = random.Random(seed), b""  # noqa: S311
    for piece in data:
        rest += piece
        while len(rest) >= longest:
            size = draw.randint(1, longest)
            yield rest[:size]
            rest = rest[size:]
    if rest:
        yield rest
