"""A frame as the binary format of ``COPY``, made column by column: no row passes through Python.

The server takes it in a third of the time it needs for text: nothing is parsed, no hexadecimal undone. The format is that of
https://www.postgresql.org/docs/15/sql-copy.html (Binary Format): a header, for each row the number of its fields and each
field behind its length (-1: null), and an end mark. Numbers are big-endian; days and moments count from 2000-01-01.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

_HEADER = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
_END = b"\xff\xff"
_FIRST_DAY = (date(2000, 1, 1) - date(1970, 1, 1)).days
_MICROSECONDS = 86_400_000_000
#: what a fixed type is cast to before its numbers are written, and how a number lies on the wire
_NUMBERS: dict[str, tuple[pl.DataType, str]] = {
    "integer": (pl.Int32(), ">i4"),
    "bigint": (pl.Int64(), ">i8"),
    "double precision": (pl.Float64(), ">f8"),
    "boolean": (pl.UInt8(), "u1"),
}
#: where the first of each two digits stands in 8-4-4-4-12
_PAIRS = np.array([0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34])
#: two hexadecimal digits, as they lie in memory → their byte; -1 for what is none (cases are not mixed)
_BYTES = np.full(1 << 16, -1, np.int16)
for _byte in range(256):
    for _form in (f"{_byte:02x}", f"{_byte:02X}"):
        _BYTES[ord(_form[0]) << 8 | ord(_form[1])] = _byte


def binary_copy(rows: pl.DataFrame, types: Mapping[str, str]) -> io.BytesIO:
    """``rows`` for ``copy … from stdin (format binary)``, columns in their order. ``types``: column → Postgres type.

    Text, JSON and ``bytea`` (of a binary column), ``uuid`` from its text, numbers, ``boolean``, ``date``, ``timestamp with
    time zone`` from moments that know their zone. ``ValueError`` for another type or a value that is none of its type.
    """
    if rows.is_empty():
        return io.BytesIO(_HEADER + _END)
    row = _Row(rows.height, rows.width)
    for column in rows.get_columns():
        kind = types[column.name]
        if kind in ("text", "bytea", "jsonb"):
            row.varying(column, b"\x01" if kind == "jsonb" else b"")
        else:
            row.fixed(_matrix(column.drop_nulls(), kind), column.is_null() if column.null_count() else None)
    return io.BytesIO(b"".join((_HEADER, row.joined(), _END)))


class _Row:
    """Fields side by side: runs of bytes that every row has are kept as one block until something varies."""

    def __init__(self, height: int, width: int) -> None:
        self._height = height
        self._block = [_repeated(np.frombuffer(np.array([width], ">i2").tobytes(), np.uint8), height)]
        self._parts: list[Any] = []

    def fixed(self, matrix: Any, null: pl.Series | None) -> None:
        """Bytes of the rows that are not null: (those rows, bytes each)."""
        width = matrix.shape[1]
        if null is None:
            self._block += [_repeated(_length(width), self._height), matrix]
            return
        filled = ~null.to_numpy()
        self._block.append(_bytes_of(np.where(filled, width, -1).astype(">i4")))
        self._flush()
        ends = np.concatenate([[0], np.cumsum(filled * width)]).astype(np.int64)
        self._parts.append(_binary(ends, np.ascontiguousarray(matrix)))

    def varying(self, column: pl.Series, before: bytes) -> None:
        """Text or bytes; ``before`` stands in front of each value that is not null."""
        null = column.is_null().to_numpy()
        plain = column if column.dtype == pl.Binary else column.cast(pl.String).cast(pl.Binary)
        values = plain.fill_null(b"").rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
        ends = np.frombuffer(values.buffers()[1], np.int64)[values.offset : values.offset + len(values) + 1]
        lengths = np.where(null, -1, np.diff(ends) + len(before))
        self._block.append(_bytes_of(lengths.astype(">i4")))
        self._flush()
        if before:
            marks = np.concatenate([[0], np.cumsum(~null * len(before))]).astype(np.int64)
            self._parts.append(_binary(marks, np.frombuffer(before * int((~null).sum()), np.uint8)))
        self._parts.append(values)

    def joined(self) -> memoryview:
        self._flush()
        whole = pc.binary_join_element_wise(*self._parts, pa.scalar(b"", pa.large_binary()))
        whole = whole.combine_chunks() if isinstance(whole, pa.ChunkedArray) else whole
        return memoryview(whole.buffers()[2])[: int(np.frombuffer(whole.buffers()[1], np.int64)[len(whole)])]

    def _flush(self) -> None:
        if self._block:
            block = np.concatenate(self._block, axis=1)
            width = block.shape[1]
            ends = np.arange(0, (self._height + 1) * width, width, dtype=np.int64)
            self._parts.append(_binary(ends, block))
            self._block = []


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


def _matrix(values: pl.Series, kind: str) -> Any:
    """``values``, none of them null, as they lie on the wire: (rows, bytes each)."""
    if kind == "uuid":
        return _uuids(values)
    if kind == "date":
        return _bytes_of((values.cast(pl.Date).cast(pl.Int32).to_numpy() - _FIRST_DAY).astype(">i4"))
    if kind == "timestamp with time zone":
        if not isinstance(values.dtype, pl.Datetime) or values.dtype.time_zone is None:
            raise ValueError(f"{values.name}: a moment without its zone")
        moments = values.dt.cast_time_unit("us").cast(pl.Int64).to_numpy()
        return _bytes_of((moments - _FIRST_DAY * _MICROSECONDS).astype(">i8"))
    if kind not in _NUMBERS:
        raise ValueError(f"{values.name}: no binary form of {kind}")
    dtype, wire = _NUMBERS[kind]
    return _bytes_of(values.cast(dtype).to_numpy().astype(wire))


def _uuids(values: pl.Series) -> Any:
    if (values.str.len_bytes() != 36).any():
        raise ValueError(f"{values.name}: not a uuid")
    texts = values.rechunk().to_arrow(compat_level=pl.CompatLevel.oldest())
    if not len(texts):
        return np.zeros((0, 16), np.uint8)
    start = int(np.frombuffer(texts.buffers()[1], np.int64)[texts.offset])
    letters = np.frombuffer(texts.buffers()[2], np.uint8)[start : start + 36 * len(texts)].reshape(-1, 36)
    found = _BYTES[letters[:, _PAIRS].astype(np.uint16) << 8 | letters[:, _PAIRS + 1]]
    if (found < 0).any():
        raise ValueError(f"{values.name}: not a uuid")
    return found.astype(np.uint8)
