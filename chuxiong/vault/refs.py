"""From identifier to ref, set-based; the only place where the two meet."""

from __future__ import annotations

import io
import os
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
from django.db import IntegrityError, transaction
from django.db.backends.base.base import BaseDatabaseWrapper

from .keys import TOKEN_BYTES, Keys, keys

PERSON, ORGANISATION = "citizen_id", "credit_code"
_CITIZEN = r"^[1-9][0-9]{5}(?:18|19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9X]$"
_MINTED = (
    "insert into vault_identifier (ref, kind, lookup, sealed, key_id, birth_date, sex, division, mask_token, minted_at)"
    " select ref, %s, lookup, sealed, %s, birth_date, sex, division, mask_token, now() from minting"
)
#: identifiers of one kind that a ``Minter`` keeps in mind
_REMEMBERED = 250_000


class Minter:
    """Refs for one batch, chunk by chunk: an identifier that an earlier chunk has met is not looked up again."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self._connection = connection
        self._met: dict[str, pl.DataFrame] = {}

    def __call__(self, kind: str, values: Sequence[str] | pl.Series) -> pl.Series:
        """Refs as text, in the order of ``values`` (normalised, not empty, distinct)."""
        wanted = pl.DataFrame({"value": pl.Series(values, dtype=pl.String)})
        met = self._met.get(kind)
        if met is None:
            refs = _refs_of(self._connection, kind, wanted["value"])
            self._met[kind] = wanted.with_columns(ref=refs).head(_REMEMBERED)
            return refs
        found = wanted.join(met, on="value", how="left", maintain_order="left")["ref"]
        rows = found.is_null().arg_true()
        if len(rows):
            fresh = wanted["value"].gather(rows)
            refs = _refs_of(self._connection, kind, fresh)
            found = found.scatter(rows, refs)
            room = _REMEMBERED - met.height
            if room > 0:
                self._met[kind] = met.vstack(pl.DataFrame({"value": fresh, "ref": refs}).head(room))
        return found


def mint(connection: BaseDatabaseWrapper, kind: str, values: Sequence[str]) -> dict[str, uuid.UUID]:
    """Refs of all ``values`` (normalised, not empty); unknown ones are minted.

    Two COPYs and two statements whatever the number of values. Safe against concurrent minting:
    the loser of a race reads the winner's ref.
    """
    distinct = list(dict.fromkeys(values))
    if not distinct:
        return {}
    refs = _refs_of(connection, kind, pl.Series(distinct, dtype=pl.String))
    return {value: uuid.UUID(ref) for value, ref in zip(distinct, refs.to_list(), strict=True)}


def find(connection: BaseDatabaseWrapper, kind: str, value: str) -> uuid.UUID | None:
    with connection.cursor() as cursor:
        cursor.execute("select ref from vault_identifier where lookup = %s", [keys().token(kind, value)])
        row = cursor.fetchone()
    return row[0] if row else None


def open_refs(connection: BaseDatabaseWrapper, refs: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """The identifiers behind refs. Callers leave an audit row first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select ref, kind, sealed, key_id from vault_identifier where ref = any(%s::uuid[])",
            [[str(ref) for ref in refs]],
        )
        return unseal(cursor.fetchall())


def unseal(rows: Iterable[tuple[uuid.UUID, str, bytes, str]]) -> dict[uuid.UUID, str]:
    """The identifiers of (ref, kind, sealed, key id) rows. Callers leave an audit row first."""
    ring = keys()
    return {ref: ring.open(sealed, key_id, ref, kind) for ref, kind, sealed, key_id in rows}


def _refs_of(connection: BaseDatabaseWrapper, kind: str, values: pl.Series) -> pl.Series:
    """Refs as text of distinct ``values``, in their order; unknown ones are minted."""
    if not len(values):
        return values.cast(pl.String)
    ring = keys()
    # In the order of the index: neighbours are looked up and written together.
    sought = pl.DataFrame({"value": values, "lookup": _hex(ring.tokens(kind, values.to_list()))})
    sought = sought.with_row_index("place").sort("lookup")
    found = _known(connection, sought)
    unknown = sought.join(found, on="place", how="anti", maintain_order="left")
    if unknown.height:
        minted = _insert(connection, ring, kind, unknown)
        found = found.vstack(_known(connection, unknown) if minted is None else minted)
    return found.sort("place")["ref"]


def _hex(tokens: list[bytes]) -> pl.Series:
    return _rows(b"".join(tokens), TOKEN_BYTES)


def _rows(data: bytes, width: int) -> pl.Series:
    """``width`` bytes a row as bytea text (``\\x…``)."""
    count = len(data) // width
    offsets = np.arange(0, len(data) + 1, width, dtype=np.int64)
    array = pa.LargeBinaryArray.from_buffers(
        pa.large_binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )
    return "\\x" + pl.Series(array).bin.encode("hex")


def _copied(cursor: Any, target: str, rows: pl.DataFrame) -> None:
    buffer = io.BytesIO()
    rows.write_csv(buffer, include_header=False)
    buffer.seek(0)
    cursor.copy_expert(f"copy {target} ({', '.join(rows.columns)}) from stdin (format csv)", buffer)


def _known(connection: BaseDatabaseWrapper, sought: pl.DataFrame) -> pl.DataFrame:
    """(place, ref) of those among ``sought`` (place, lookup) that the vault holds; a token implies its kind."""
    answer = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.execute("create temp table if not exists minting_sought (place integer, lookup bytea)")
        cursor.execute("truncate minting_sought")
        _copied(cursor, "minting_sought", sought.select("place", "lookup"))
        # One descent into the index for each: the limit keeps the planner from reading the whole of it.
        cursor.copy_expert(
            "copy (select s.place, i.ref from minting_sought s cross join lateral"
            " (select v.ref from vault_identifier v where v.lookup = s.lookup limit 1) i) to stdout (format csv)",
            answer,
        )
        cursor.execute("truncate minting_sought")
    schema = {"place": pl.UInt32, "ref": pl.String}
    if not answer.tell():
        return pl.DataFrame(schema=schema)
    answer.seek(0)
    return pl.read_csv(answer, has_header=False, schema=schema)


def _insert(
    connection: BaseDatabaseWrapper, ring: Keys, kind: str, unknown: pl.DataFrame
) -> pl.DataFrame | None:
    """Mint (place, value, lookup); returns (place, ref), or None where another process was faster with one of them."""
    values = unknown["value"].to_list()
    refs = _new_refs(len(values))
    sealed = ring.seal_many(values, refs, kind)
    boxes = pl.Series(["\\x" + box.hex() for box in sealed], dtype=pl.String)
    written = pl.Series([_written(ref.hex()) for ref in refs], dtype=pl.String)
    rows = pl.DataFrame(
        [
            written.alias("ref"),
            unknown["lookup"],
            boxes.alias("sealed"),
            *_public_facts(unknown["value"], kind),
            _masks(ring, values, kind).alias("mask_token"),
        ]
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "create temp table if not exists minting (ref uuid, lookup bytea, sealed bytea,"
            " birth_date date, sex text, division text, mask_token bytea)"
        )
        cursor.execute("truncate minting")
        _copied(cursor, "minting", rows)
        # Plain first: watching for conflicts costs a third more, and they only come when another intake mints the same
        # new identifier at the same moment.
        ours = True
        try:
            with transaction.atomic(using=connection.alias):
                cursor.execute(_MINTED, [kind, ring.current])
        except IntegrityError:
            ours = False
            cursor.execute(f"{_MINTED} on conflict (lookup) do nothing", [kind, ring.current])
        cursor.execute("truncate minting")
    return pl.DataFrame({"place": unknown["place"], "ref": written}) if ours else None


def _new_refs(count: int) -> list[bytes]:
    """Random uuids (version 4) in ascending order, so that a chunk passes once through the index."""
    matrix = np.frombuffer(bytearray(os.urandom(16 * count)), np.uint8).reshape(count, 16)
    matrix[:, 6] = (matrix[:, 6] & 0x0F) | 0x40
    matrix[:, 8] = (matrix[:, 8] & 0x3F) | 0x80
    data = matrix.tobytes()
    return sorted(data[at : at + 16] for at in range(0, len(data), 16))


def _written(ref: str) -> str:
    return f"{ref[:8]}-{ref[8:12]}-{ref[12:16]}-{ref[16:20]}-{ref[20:]}"


def _masks(ring: Keys, values: list[str], kind: str) -> pl.Series:
    """Tokens of the visible digits of citizen numbers (5323**********1234)."""
    if kind != PERSON:
        return pl.Series([None], dtype=pl.String).new_from_index(0, len(values))
    return _hex(ring.tokens("mask", [v[:4] + v[-4:] for v in values]))


def _public_facts(values: pl.Series, kind: str) -> list[pl.Series]:
    """What rules need without the number: birth date, sex, division of citizen numbers; empty for others."""
    person = (
        values.str.contains(_CITIZEN) if kind == PERSON else pl.Series([False]).new_from_index(0, len(values))
    )
    shaped = values.set(~person, None)
    odd = shaped.str.slice(16, 1).cast(pl.UInt8, strict=False) % 2 == 1
    return [
        shaped.str.slice(6, 8).str.to_date("%Y%m%d", strict=False).alias("birth_date"),
        pl.Series(["F", "M"]).gather(odd.cast(pl.UInt32)).fill_null("").alias("sex"),
        shaped.str.slice(0, 6).fill_null("").alias("division"),
    ]
