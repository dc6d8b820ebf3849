"""The bytes that are digested and signed. Pure; whoever has a row can recompute them in any language.

A row is its columns ``FIELDS`` as text, joined by NUL, UTF-8; times are microseconds since 1970. No text of
the database can hold a NUL, so no two rows have the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import hashes

GENESIS = bytes(32)
DIGEST = 32
#: columns of a row in canonical order; the last two are microseconds
FIELDS = (
    "id",
    "stamp",
    "writer",
    "actor",
    "office",
    "action",
    "object_kind",
    "object_ref",
    "reason",
    "purpose",
    "ip",
    "device",
    "session",
    "detail",
    "at",
    "logged_at",
)
_ALGORITHMS: dict[str, Callable[[], hashes.HashAlgorithm]] = {"sm3": hashes.SM3, "sha256": hashes.SHA256}


def hasher(algorithm: str) -> Callable[[bytes], bytes]:
    """bytes → 32 bytes. ``KeyError`` for an unknown algorithm."""
    empty = hashes.Hash(_ALGORITHMS[algorithm]())

    def digest(data: bytes) -> bytes:
        context = empty.copy()
        context.update(data)
        return context.finalize()

    return digest


def encoded(values: Sequence[Any]) -> bytes:
    return "\0".join(map(str, values)).encode()


@dataclass(frozen=True)
class Segment:
    """A seal without its digest, signature and state; times in microseconds."""

    number: int
    algorithm: str
    rows: int
    total: int
    first_stamp: int
    first_id: int
    last_stamp: int
    last_id: int
    since: int
    until: int
    sealed_at: int
    key: str
    ids: bytes
    leaves: bytes
    previous: bytes

    def digest(self) -> bytes:
        """Covers the header, the row ids, the row digests and, by ``previous``, all that came before."""
        h = hasher(self.algorithm)
        header = encoded(
            [
                1, self.number, self.algorithm, self.rows, self.total, self.first_stamp, self.first_id,
                self.last_stamp, self.last_id, self.since, self.until, self.sealed_at, self.key,
            ]
        )  # fmt: skip
        return h(self.previous + h(header) + h(self.ids) + h(self.leaves))


def pack_ids(ids: Sequence[int]) -> bytes:
    return b"".join(i.to_bytes(8, "big") for i in ids)


def unpack_ids(packed: bytes) -> list[int]:
    return [int.from_bytes(packed[i : i + 8], "big") for i in range(0, len(packed), 8)]
