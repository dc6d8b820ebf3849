"""From identifier to ref, set-based; the only place where the two meet."""

from __future__ import annotations

import io
import re
import uuid
from collections.abc import Iterable, Sequence
from datetime import date

from django.db.backends.base.base import BaseDatabaseWrapper

from .keys import Keys, keys

PERSON, ORGANISATION = "citizen_id", "credit_code"
_CITIZEN = re.compile(r"[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dX]")
_MASKED = re.compile(r"(\d{4,6})\*{8,10}([\dX]{4})")


def mint(connection: BaseDatabaseWrapper, kind: str, values: Sequence[str]) -> dict[str, uuid.UUID]:
    """Refs of all ``values`` (normalised, not empty); unknown ones are minted.

    One COPY and two statements whatever the number of values. Safe against concurrent minting:
    the loser of a race reads the winner's ref.
    """
    distinct = list(dict.fromkeys(values))
    if not distinct:
        return {}
    ring = keys()
    tokens = ring.tokens(kind, distinct)
    found = _known(connection, kind, tokens)
    missing = [index for index, token in enumerate(tokens) if token not in found]
    if missing:
        _insert(connection, ring, kind, [distinct[i] for i in missing], [tokens[i] for i in missing])
        found |= _known(connection, kind, [tokens[i] for i in missing])
    return {value: found[token] for value, token in zip(distinct, tokens, strict=True)}


def find(connection: BaseDatabaseWrapper, kind: str, value: str) -> uuid.UUID | None:
    token = keys().token(kind, value)
    return _known(connection, kind, [token]).get(token)


def find_masked(connection: BaseDatabaseWrapper, masked: str) -> list[uuid.UUID]:
    """Refs whose visible digits (first four, last four) equal those of ``masked``."""
    shape = _MASKED.fullmatch(masked)
    if not shape:
        return []
    token = keys().token("mask", shape[1][:4] + shape[2])
    with connection.cursor() as cursor:
        cursor.execute("select ref from vault_identifier where mask_token = %s", [token])
        return [row[0] for row in cursor.fetchall()]


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


def _known(connection: BaseDatabaseWrapper, kind: str, tokens: list[bytes]) -> dict[bytes, uuid.UUID]:
    with connection.cursor() as cursor:
        cursor.execute(
            "select i.lookup, i.ref from unnest(%s::bytea[]) as t(lookup)"
            " join vault_identifier i on i.kind = %s and i.lookup = t.lookup",
            [tokens, kind],
        )
        return {bytes(lookup): ref for lookup, ref in cursor.fetchall()}


def _insert(
    connection: BaseDatabaseWrapper, ring: Keys, kind: str, values: list[str], tokens: list[bytes]
) -> None:
    refs = [uuid.uuid4() for _ in values]
    sealed = ring.seal_many(values, refs, kind)
    person = kind == PERSON
    masks = ring.tokens("mask", [v[:4] + v[-4:] for v in values]) if person else [None] * len(values)
    buffer = io.StringIO()
    for value, token, ref, box, mask in zip(values, tokens, refs, sealed, masks, strict=True):
        birth, sex, division = _public_facts(value) if person else ("\\N", "", "")
        mask_text = "\\N" if mask is None else f"\\\\x{mask.hex()}"
        buffer.write(
            f"{ref}\t{kind}\t\\\\x{token.hex()}\t\\\\x{box.hex()}\t{ring.current}\t{birth}\t{sex}\t{division}\t{mask_text}\n"
        )
    buffer.seek(0)
    with connection.cursor() as cursor:
        cursor.execute(
            "create temp table if not exists minting (ref uuid, kind text, lookup bytea, sealed bytea, key_id text,"
            " birth_date date, sex text, division text, mask_token bytea); truncate minting"
        )
        cursor.copy_expert("copy minting from stdin", buffer)
        cursor.execute(
            "insert into vault_identifier (ref, kind, lookup, sealed, key_id, birth_date, sex, division, mask_token, minted_at)"
            " select ref, kind, lookup, sealed, key_id, birth_date, sex, division, mask_token, now() from minting"
            " on conflict (kind, lookup) do nothing"
        )
        cursor.execute("truncate minting")


def _public_facts(citizen_id: str) -> tuple[str, str, str]:
    if not _CITIZEN.fullmatch(citizen_id):
        return "\\N", "", ""
    try:
        birth = date(int(citizen_id[6:10]), int(citizen_id[10:12]), int(citizen_id[12:14])).isoformat()
    except ValueError:
        birth = "\\N"
    return birth, "M" if int(citizen_id[16]) % 2 else "F", citizen_id[:6]
