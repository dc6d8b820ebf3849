"""Identifiers leave the frame before the database sees it: columns become refs, numbers inside text too."""

from __future__ import annotations

import re
from collections.abc import Callable
from uuid import UUID

import polars as pl

from chuxiong.kit.citizen_id import to_eighteen
from chuxiong.kit.credit_code import is_valid
from ingestion.catalog.spec import FeedSpec

#: kind, values → refs
Mint = Callable[[str, list[str]], dict[str, UUID]]

REF_TYPES = frozenset({"citizen_id", "credit_code", "phone", "bank_account", "plate"})
_TEXT_TYPES = frozenset({"text", "code", "person_name", "org_name", "address", "case_no", "enum"})

_CITIZEN = r"[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]"
_OLD_CITIZEN = r"[1-9]\d{5}\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}"
_PHONE = r"1[3-9]\d{9}"
_FIRM = r"[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}"
# The regex crate behind polars has no look-around: it only finds candidates, Python's re decides.
_CANDIDATE = rf"{_CITIZEN}|{_OLD_CITIZEN}|{_PHONE}|{_FIRM}"
_IN_TEXT = re.compile(
    rf"(?<![0-9A-Za-z])(?:(?P<citizen_id>{_CITIZEN})|(?P<old>{_OLD_CITIZEN})|(?P<phone>{_PHONE})|(?P<firm>{_FIRM}))(?![0-9A-Za-z])"
)


def shelter(good: pl.DataFrame, feed: FeedSpec, mint: Mint) -> pl.DataFrame:
    """Replace every identifier of ``good`` by its ref (uuid text); other columns stay as they are."""
    for column in feed.columns:
        if column.name not in good.columns:
            continue
        if column.type in REF_TYPES:
            good = good.with_columns(_refs(good[column.name], column.type, mint))
        elif column.type in _TEXT_TYPES and good.schema[column.name] == pl.String:
            good = _text(good, column.name, mint)
    return good


def _refs(values: pl.Series, kind: str, mint: Mint) -> pl.Series:
    known = values.drop_nulls().unique().to_list()
    if not known:
        return values
    refs = mint(kind, known)
    return values.replace_strict(
        known, [str(refs[v]) for v in known], default=None, return_dtype=pl.String
    ).alias(values.name)


def _text(good: pl.DataFrame, name: str, mint: Mint) -> pl.DataFrame:
    hits = good[name].str.contains(_CANDIDATE).fill_null(False)
    if not hits.any():
        return good
    texts = good[name].filter(hits).unique().to_list()
    found: dict[str, set[str]] = {}
    for text in texts:
        for match in _IN_TEXT.finditer(text):
            kind, value = _kind(match)
            if kind:
                found.setdefault(kind, set()).add(value)
    refs = {kind: mint(kind, sorted(values)) for kind, values in found.items()}

    def replace(match: re.Match[str]) -> str:
        kind, value = _kind(match)
        return f"〔{kind}:{refs[kind][value]}〕" if kind else match[0]

    cleaned = [_IN_TEXT.sub(replace, text) for text in texts]
    return good.with_columns(good[name].replace(texts, cleaned).alias(name))


def _kind(match: re.Match[str]) -> tuple[str, str]:
    """(kind, canonical value); an empty kind where the digits only look like an identifier."""
    if match["phone"]:
        return "phone", match["phone"]
    if match["citizen_id"]:
        return "citizen_id", match["citizen_id"].upper()
    if match["old"]:
        return "citizen_id", to_eighteen(match["old"])
    return ("credit_code", match["firm"]) if is_valid(match["firm"]) else ("", "")
