"""A frame as the binary format of ``COPY``, made column by column: no row passes through Python.

The server takes it in a third of the time it needs for text: nothing is parsed, no hexadecimal undone. The format is that of
https://www.postgresql.org/docs/15/sql-copy.html (Binary Format): a header, for each row the number of its fields and each
field behind its length (-1: null), and an end mark. Numbers are big-endian; days and moments count from 2000-01-01.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END = b"\xff\xff"
#: rows made at a time: what they need stays in the processor's cache
_AT_A_TIME = 8_192
_FIRST_DAY = (date(2000, 1, 1) - date(1970, 1, 1)).days
_MICROSECONDS = 86_400_000_000
#: what a number is cast to, and how fixed types lie on the wire
_NUMBERS: dict[str, pl.DataType] = {
    "integer": pl.Int32(),
    "bigint": pl.Int64(),
    "double precision": pl.Float64(),
    "boolean": pl.UInt8(),
}
_WIRE = {"integer": ">i4", "bigint": ">i8", "double precision": ">f8", "boolean": "u1", "date": ">i4"} | {
    "timestamp with time zone": ">i8"
}
_UUID = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"
#: where the first of each two digits stands in 8-4-4-4-12
_PAIRS = np.array([0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34])
#: two hexadecimal digits, as they lie in memory → their byte
_BYTES = np.zeros(1 << 16, np.uint8)
for _byte in range(256):
    _BYTES[ord(f"{_byte:02x}"[0]) << 8 | ord(f"{_byte:02x}"[1])] = _byte


def binary_copy(rows: pl.DataFrame, types: Mapping[str, str]) -> Content:
    """``rows`` for ``copy … from stdin (format binary)``, columns in their order. ``types``: column → Postgres type.

    Text, JSON and ``bytea`` (of a binary column), ``uuid`` from its text, numbers, ``boolean``, ``date``, ``timestamp with
    time zone`` from moments that know their zone. ``ValueError`` for another type or a value that is none of its type.
    """
    columns = [(_plain(c, types[c.name]), types[c.name]) for c in rows.get_columns()]
    return Content(_parts(columns, rows.height))


class Content:
    """What ``COPY`` reads; made as it is read, some thousand rows at a time."""

    def __init__(self, parts: Iterator[Any]) -> None:
        self._parts, self._left = parts, memoryview(b"")

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes, empty at the end; all that is left without a size."""
        if size < 0:
            return b"".join((self._left, *self._parts))
        while not self._left:
            part = next(self._parts, None)
            if part is None:
                return b""
            self._left = memoryview(part)
        given, self._left = self._left[:size], self._left[size:]
        return bytes(given)


def _parts(columns: list[tuple[Any, str]], height: int) -> Iterator[Any]:
    yield _HEADER
    for start in range(0, height, _AT_A_TIME):
        row = _Row(min(_AT_A_TIME, height - start), len(columns))
        for values, kind in columns:
            part = values.slice(start, _AT_A_TIME)
            if kind in ("text", "bytea", "jsonb"):
                row.varying(part, b"\x01" if kind == "jsonb" else b"")
            else:
                row.fixed(_matrix(part.drop_null() if part.null_count else part, kind), part)
        yield row.joined()
    yield _END


def _plain(column: pl.Series, kind: str) -> Any:
    """An Arrow array of bytes, of uuid text or of the numbers that are written."""
    if kind == "timestamp with time zone":
        if not isinstance(column.dtype, pl.Datetime) or column.dtype.time_zone is None:
            raise ValueError(f"{column.name}: a moment without its zone")
        column = column.dt.cast_time_unit("us").cast(pl.Int64) - _FIRST_DAY * _MICROSECONDS
    elif kind == "date":
        column = column.cast(pl.Date).cast(pl.Int32) - _FIRST_DAY
    elif kind == "uuid":
        column = column.cast(pl.String)
        if not _are_uuids(column):
            raise ValueError(f"{column.name}: not a uuid")
    elif kind in _NUMBERS:
        column = column.cast(_NUMBERS[kind])
    elif kind not in ("text", "bytea", "jsonb"):
        raise ValueError(f"{column.name}: no binary form of {kind}")
    elif column.dtype != pl.Binary:
        column = column.cast(pl.String).cast(pl.Binary)
    return column.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())


def _are_uuids(texts: pl.Series) -> bool:
    return bool(texts.str.contains(_UUID).all())


class _Row:
    """Fields side by side: runs of bytes that every row has are kept as one block until something varies."""

    def __init__(self, height: int, width: int) -> None:
        self._height = height
        self._block = [_repeated(np.frombuffer(np.array([width], ">i2").tobytes(), np.uint8), height)]
        self._parts: list[Any] = []

    def fixed(self, matrix: Any, column: Any) -> None:
        """``matrix``: bytes of the rows of ``column`` that are not null (those rows, bytes each)."""
        width = matrix.shape[1]
        if not column.null_count:
            self._block += [_repeated(_length(width), self._height), matrix]
            return
        filled = column.is_valid().to_numpy(zero_copy_only=False)
        self._block.append(_bytes_of(np.where(filled, width, -1).astype(">i4")))
        self._flush()
        ends = np.concatenate([[0], np.cumsum(filled * width)]).astype(np.int64)
        self._parts.append(_binary(ends, np.ascontiguousarray(matrix)))

    def varying(self, column: Any, before: bytes) -> None:
        """Bytes of any length; ``before`` stands in front of each value that is not null."""
        filled = column.is_valid().to_numpy(zero_copy_only=False) if column.null_count else None
        values = column if filled is None else column.fill_null(b"")
        lengths = np.diff(_ends(values)) + len(before)
        self._block.append(
            _bytes_of((lengths if filled is None else np.where(filled, lengths, -1)).astype(">i4"))
        )
        self._flush()
        if before:
            every = np.ones(self._height, bool) if filled is None else filled
            marks = np.concatenate([[0], np.cumsum(every * len(before))]).astype(np.int64)
            self._parts.append(_binary(marks, np.frombuffer(before * int(every.sum()), np.uint8)))
        self._parts.append(values)

    def joined(self) -> memoryview:
        self._flush()
        whole = pc.binary_join_element_wise(*self._parts, pa.scalar(b"", pa.large_binary()))
        whole = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
        return memoryview(whole.buffers()[2])[: int(_ends(whole)[-1])]

    def _flush(self) -> None:
        if self._block:
            block = np.concatenate(self._block, axis=1)
            width = block.shape[1]
            ends = np.arange(0, (self._height + 1) * width, width, dtype=np.int64)
            self._parts.append(_binary(ends, block))
            self._block = []


def _ends(values: Any) -> Any:
    """Where each value of an array of large bytes or text begins, and the end of the last."""
    return np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]


def _binary(ends: Any, data: Any) -> Any:
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(data)]
    return pa.LargeBinaryArray.from_buffers(pa.large_binary(), len(ends) - 1, buffers)


def _length(width: int) -> Any:
    return np.frombuffer(np.array([width], ">i4").tobytes(), np.uint8)


def _repeated(one: Any, height: int) -> Any:
    return np.broadcast_to(one, (height, len(one)))


def _bytes_of(numbers: Any) -> Any:
    """(rows, bytes of a number)."""
    return np.ascontiguousarray(numbers).view(np.uint8).reshape(len(numbers), numbers.dtype.itemsize)


def _matrix(values: Any, kind: str) -> Any:
    """Values of an Arrow array without nulls as they lie on the wire: (rows, bytes each)."""
    if kind != "uuid":
        return _bytes_of(values.to_numpy(zero_copy_only=False).astype(_WIRE[kind]))
    if not len(values):
        return np.zeros((0, 16), np.uint8)
    start = int(_ends(values)[0])
    letters = np.frombuffer(values.buffers()[2], np.uint8)[start : start + 36 * len(values)].reshape(-1, 36)
    return _BYTES[letters[:, _PAIRS].astype(np.uint16) << 8 | letters[:, _PAIRS + 1]]
