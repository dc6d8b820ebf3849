"""The chain's mark outside the database: one signed, chained line a segment, in files that only grow.

Lines are JSON. ``kind``: *start* (first line ever), *seal*, *restart* (the database was restored to an
older state on purpose; segments after ``seal`` are given up). Files are one a month; a write torn by a
crash stays as it is and the next line continues from the last whole one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from . import signing
from .canonical import GENESIS, encoded, hasher
from .signing import SigningKey, TrustedKeys

_PATTERN = "anchor-*.jsonl"
_ALGORITHM = "sm3"
_FIELDS = ("kind", "seal", "digest", "total", "last_id", "at", "by", "reason", "previous", "key")


class AnchorUnusable(Exception):
    """Says what stands against going on, and the cure."""


@dataclass(frozen=True)
class Line:
    """One whole line; ``place`` is file and line number, ``own`` the digest that the next line names."""

    kind: str
    seal: int
    digest: str
    total: int
    last_id: int
    at: str
    by: str
    reason: str
    previous: str
    key: str
    signature: str
    own: str = ""
    place: str = ""

    def signed(self) -> bytes:
        return hasher(_ALGORITHM)(encoded([getattr(self, name) for name in _FIELDS]))


@dataclass
class Reading:
    """What a walk over all lines found out."""

    lines: int = 0
    last: Line | None = None
    #: places of torn or changed lines, with what is wrong
    faults: list[tuple[str, str]] = field(default_factory=list)
    torn: list[str] = field(default_factory=list)
    #: (line number counted over all files, line)
    restarts: list[tuple[int, Line]] = field(default_factory=list)


class Anchor:
    """The folder of anchor files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def files(self) -> list[Path]:
        return sorted(self.folder.glob(_PATTERN))

    def append(
        self,
        key: SigningKey,
        *,
        kind: str,
        seal: int,
        digest: bytes,
        total: int,
        last_id: int,
        at: datetime,
        by: str = "",
        reason: str = "",
    ) -> Line:
        """Write one line and wait until it is on the disk."""
        last = self.last()
        values: dict[str, Any] = {
            "kind": kind, "seal": seal, "digest": digest.hex(), "total": total, "last_id": last_id,
            "at": at.isoformat(), "by": by, "reason": reason, "previous": last.own if last else GENESIS.hex(), "key": key.id,
        }  # fmt: skip
        line = Line(**values, signature="")
        values["signature"] = key.sign(signing.ANCHOR, line.signed()).hex()
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode()
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = self.folder / f"anchor-{at:%Y-%m}.jsonl"
        files = self.files()
        if files and path < files[-1]:
            path = files[-1]  # the clock went back over a month's end: lines stay in order
        fresh = not path.exists()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            size = os.fstat(descriptor).st_size
            torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
            data = (b"\n" if torn else b"") + text + b"\n"
            if os.write(descriptor, data) != len(data):
                raise AnchorUnusable(f"{path} 没有写完，磁盘可能已满 / short write, is the disk full?")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if fresh:
            _sync_folder(self.folder)
        return _parse(text, str(path)) or line

    def last(self) -> Line | None:
        """The last whole line, looking back over what a crash has torn."""
        for path in reversed(self.files()):
            for raw in _backwards(path):
                line = _parse(raw, str(path))
                if line:
                    return line
        return None

    def read(self, trusted: TrustedKeys) -> Reading:
        """Walk over all lines: each signed, each naming the one before."""
        reading = Reading()
        previous = GENESIS.hex()
        pending: list[str] = []
        for place, raw in self._raw():
            line = _parse(raw, place)
            if line is None:
                pending.append(place)
                continue
            reading.lines += 1
            signature = bytes.fromhex(line.signature)
            if not trusted.holds(line.key, signing.ANCHOR, line.signed(), signature):
                reading.faults.append((place, "signature"))
            if line.previous != previous:
                reading.faults.append((place, "order"))
            if line.kind == "restart":
                reading.restarts.append((reading.lines, line))
            previous, reading.last = line.own, line
        # A garbled line that the chain does not miss was torn by a crash; one that it misses shows as "order".
        reading.torn = pending
        return reading

    def seals(self, reading: Reading) -> Iterator[Line]:
        """Anchored segments in ascending order, without those given up by a later restart."""
        count = reached = 0
        for place, raw in self._raw():
            line = _parse(raw, place)
            if line is None:
                continue
            count += 1
            if line.kind != "seal" or line.seal <= reached:
                continue
            if any(at > count and restart.seal < line.seal for at, restart in reading.restarts):
                continue
            reached = line.seal
            yield line

    def _raw(self) -> Iterator[tuple[str, bytes]]:
        for path in self.files():
            with path.open("rb") as source:
                for number, raw in enumerate(source, start=1):
                    if raw.strip():
                        yield f"{path.name}:{number}", raw.rstrip(b"\n")


def _parse(raw: bytes, place: str) -> Line | None:
    try:
        values = json.loads(raw)
        line = Line(**values, own=hasher(_ALGORITHM)(raw).hex(), place=place)
        bytes.fromhex(line.signature), bytes.fromhex(line.digest)
        # A NUL separates fields in what is signed.
        return line if isinstance(line.seal, int) and b"\\u0000" not in raw else None
    except (ValueError, TypeError):
        return None


def _backwards(path: Path, block: int = 1 << 16) -> Iterator[bytes]:
    """Lines of a file from its end."""
    with path.open("rb") as source:
        at = source.seek(0, os.SEEK_END)
        rest = b""
        while at > 0:
            step = min(block, at)
            at -= step
            source.seek(at)
            parts = (source.read(step) + rest).split(b"\n")
            rest = parts.pop(0)
            yield from (part for part in reversed(parts) if part)
        if rest:
            yield rest


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
