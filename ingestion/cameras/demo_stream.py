"""A live stream without an encoder: ten seconds of a drawn river, looped by moving their decoding time. Pure.

The playlist slides with the clock that the caller gives; segment ``n`` is clip ``n mod 5`` with the time of ``n``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

_FOLDER = Path(__file__).with_name("data") / "demo"
#: seconds of one segment
SEGMENT = 2
#: segments that a playlist names, and how many older ones are still given out
LISTED, KEPT = 6, 30
#: the loop is reckoned from here, so that decoding times stay small for years
EPOCH = datetime(2026, 1, 1, tzinfo=UTC).timestamp()


@dataclass(frozen=True)
class Clip:
    """``timescale``: ticks a second of the segments' decoding times."""

    init: bytes
    segments: tuple[bytes, ...]
    timescale: int
    codec: str


@lru_cache(maxsize=1)
def clip() -> Clip:
    init = (_FOLDER / "init.mp4").read_bytes()
    names = sorted(_FOLDER.glob("*.m4s"), key=lambda path: int(path.stem))
    (timescale,) = struct.unpack_from(">I", init, init.index(b"mdhd") + 16)
    profile = init[init.index(b"avcC") + 5 :][:3]
    return Clip(init, tuple(path.read_bytes() for path in names), timescale, f"avc1.{profile.hex()}")


def newest(at: float) -> int:
    """The number of the last whole segment at ``at`` (seconds since 1970)."""
    return int((at - EPOCH) // SEGMENT) - 1


def playlist(at: float) -> str:
    """The media playlist at ``at``; every segment bears the time at which it begins."""
    last = newest(at)
    lines = [
        "#EXTM3U",
        "#EXT-X-VERSION:7",
        f"#EXT-X-TARGETDURATION:{SEGMENT}",
        f"#EXT-X-MEDIA-SEQUENCE:{last - LISTED + 1}",
        '#EXT-X-MAP:URI="init.mp4"',
    ]
    for number in range(last - LISTED + 1, last + 1):
        begins = datetime.fromtimestamp(EPOCH + number * SEGMENT, UTC).isoformat(timespec="milliseconds")
        lines += [
            f"#EXT-X-PROGRAM-DATE-TIME:{begins.replace('+00:00', 'Z')}",
            f"#EXTINF:{SEGMENT}.0,",
            f"{number}.m4s",
        ]
    return "\n".join(lines) + "\n"


def piece(name: str, at: float) -> bytes | None:
    """Initialisation or segment by name; None for one that is not there at ``at``."""
    if name == "init.mp4":
        return clip().init
    stem, _dot, kind = name.partition(".")
    if kind != "m4s" or not stem.isascii() or not stem.isdigit() or len(stem) > 12:
        return None
    number = int(stem)
    if not newest(at) - KEPT < number <= newest(at):
        return None
    return segment(number)


def segment(number: int) -> bytes:
    """Segment ``number`` ≥ 0 with its own decoding time."""
    source = clip()
    rounds, which = divmod(number, len(source.segments))
    body = bytearray(source.segments[which])
    place = body.index(b"tfdt") + 8
    (ticks,) = struct.unpack_from(">Q", body, place)
    struct.pack_into(">Q", body, place, ticks + rounds * len(source.segments) * SEGMENT * source.timescale)
    return bytes(body)
