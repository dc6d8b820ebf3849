"""Numbers of whoever it is: a person's, an organisation's, an old registration's."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date
from typing import NamedTuple

import polars as pl

from chuxiong.kit import (
    citizen_id,
    credit_code,
    text,
)
from ingestion.intake.normalising.cells import _EXACT_DIGITS, _SCIENTIFIC, _Cells, _Typed
from ingestion.intake.normalising.reasons import Reason

_OTHER_DOCUMENT = r"^([A-Z]{1,3}[0-9]{6,10}|[0-9]{8})$"


class _Party(NamedTuple):
    """One identifier of a person or an organisation; ``fault`` fails the row, ``note`` leaves it out."""

    value: str | None
    fault: Reason | None = None
    note: Reason | None = None


def _party(written: str, on: date, *, taxpayer: bool) -> _Party:
    bare = re.sub(r"[\s'‘’`]", "", written)
    bare = re.sub("[×＊•●]", "*", citizen_id.plain_check(bare)).upper()
    if credit_code.is_valid(bare):
        return _Party(bare)
    verdict, number = citizen_id.judge(bare, on=on)
    if verdict in citizen_id.SOUND:
        if len(bare) == _EXACT_DIGITS and credit_code.is_legacy(bare):
            # One registration number in six has the shape of an old citizen number: nobody can tell whose it is.
            return _Party(None, note=Reason.EITHER_NUMBER)
        return _Party(number, note=Reason.CONVERTED_ID if len(bare) == _EXACT_DIGITS else None)
    if verdict is citizen_id.Verdict.MASKED:
        return _Party(bare, note=Reason.MASKED_KEY)
    if credit_code.is_legacy(bare):
        return _Party(None, note=Reason.LEGACY_CODE)
    if taxpayer and len(bare) == 20 and citizen_id.judge(bare[:18], on=on)[0] in citizen_id.SOUND:
        # A sole trader's number is the person's with two digits of order; the hyphen keeps both apart.
        return _Party(f"{bare[:18]}-{bare[18:]}")
    if re.fullmatch(_OTHER_DOCUMENT, bare):
        return _Party(None, note=Reason.OTHER_DOCUMENT)
    if re.match(_SCIENTIFIC, bare):
        return _Party(None, fault=Reason.SCIENTIFIC_ID)
    if verdict is citizen_id.Verdict.BAD_CHECKSUM:
        return _Party(None, fault=Reason.BAD_CHECKSUM)
    if re.fullmatch(r"[0-9A-Z]{18}", bare) and (verdict is citizen_id.Verdict.NOT_AN_ID or bare[0] == "9"):
        return _Party(None, fault=Reason.BAD_CREDIT_CODE)
    dated = verdict is citizen_id.Verdict.BAD_DATE
    return _Party(None, fault=Reason.BAD_BIRTH_DATE if dated else Reason.NOT_AN_ID)


def _parties(cells: _Cells, read: Callable[[str], _Party]) -> _Typed:
    known = {written: read(written) for written in cells.text.drop_nulls().unique().to_list()}
    found = [known[w] if w is not None else _Party(None) for w in cells.text.to_list()]
    required = cells.column.required
    faults, notes = [], []
    for reason in {p.fault for p in known.values()} | {p.note for p in known.values()} - {None}:
        if reason is None:
            continue
        mild = pl.Series([p.note is reason for p in found], dtype=pl.Boolean)
        faults.append((pl.Series([p.fault is reason for p in found], dtype=pl.Boolean), reason))
        strict = required and reason is not Reason.CONVERTED_ID
        if strict:
            faults.append((mild, reason))
        elif reason is not Reason.MASKED_KEY:
            notes.append((mild, reason))
    if cells.numeric is not None:
        digits = cells.text.str.replace(r"\.0$", "").str.len_chars()
        faults.insert(0, (cells.numeric & (digits >= _EXACT_DIGITS), Reason.NUMERIC_ID))
    return _Typed(pl.Series([p.value for p in found], dtype=pl.String), faults, notes)


def _identity(cells: _Cells) -> _Typed:
    return _parties(cells, lambda written: _party(written, cells.on, taxpayer=False))


def _taxpayer(cells: _Cells) -> _Typed:
    return _parties(cells, lambda written: _party(written, cells.on, taxpayer=True))


def _identities(cells: _Cells) -> _Typed:
    """Several identifiers, parted by 、; each keeps its place beside the names, 无 where it is left out."""

    def read(written: str) -> _Party:
        parts: list[_Party] = []
        for piece in re.split(r"[、,;/|]", written):
            whole = _party(piece, cells.on, taxpayer=False) if piece.strip() else None
            if whole and whole.fault and " " in piece.strip():
                parts += [_party(word, cells.on, taxpayer=False) for word in piece.split()]
            elif whole:
                parts.append(_Party(None) if piece.strip() in text.NULL_TOKENS else whole)
        if all(p.value is None for p in parts):
            return _Party(
                None,
                next((p.fault for p in parts if p.fault), None),
                next((p.note for p in parts if p.note), None),
            )
        return _Party(
            "、".join(p.value or "无" for p in parts),
            next((p.fault for p in parts if p.fault), None),
            next((p.note for p in parts if p.note), None),
        )

    return _parties(cells, read)
