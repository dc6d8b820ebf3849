"""Identifiers leave the frame before the database sees it: columns become refs, numbers inside text too."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from uuid import UUID

import polars as pl

from chuxiong.kit.citizen_id import check_digit, to_eighteen
from chuxiong.kit.credit_code import is_legacy, is_valid
from ingestion.catalog.spec import FeedSpec

#: kind, distinct values → refs: by value, or as a column in the same order
Mint = Callable[[str, pl.Series], Mapping[str, UUID] | pl.Series]
#: the kind of a number within a text that has the shape of a citizen number and a wrong check character. It may be a
#: person's with one slip, so it does not stay in the clear; it may be anybody's, so it names no person.
DOUBTFUL = "doubtful_id"

REF_TYPES = frozenset({"citizen_id", "credit_code", "phone", "bank_account", "plate"})
_TEXT_TYPES = frozenset({"text", "code", "person_name", "org_name", "address", "case_no", "enum"})

_DAY = "(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_CITIZEN = rf"[1-9][0-9]{{5}}(?:18|19|20)[0-9]{{2}}{_DAY}[0-9]{{3}}[0-9Xx]"
_OLD_CITIZEN = rf"[1-9][0-9]{{5}}[0-9]{{2}}{_DAY}[0-9]{{3}}"
_PHONE = "1[3-9][0-9]{9}"
_FIRM = "[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}"
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
    known = values.drop_nulls().unique(maintain_order=True)
    if not len(known):
        return values
    refs = _in_order(mint(kind, known), known)
    if len(known) == len(values):
        return refs.alias(values.name)
    pairs = pl.DataFrame({"value": known, "ref": refs})
    return (
        values.to_frame("value")
        .join(pairs, on="value", how="left", maintain_order="left")["ref"]
        .alias(values.name)
    )


def _in_order(refs: Mapping[str, UUID] | pl.Series, values: pl.Series) -> pl.Series:
    if isinstance(refs, pl.Series):
        return refs
    return pl.Series([str(refs[value]) for value in values.to_list()], dtype=pl.String)


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
    refs: dict[str, dict[str, str]] = {}
    for kind, numbers in found.items():
        listed = pl.Series(sorted(numbers), dtype=pl.String)
        refs[kind] = dict(zip(listed.to_list(), _in_order(mint(kind, listed), listed).to_list(), strict=True))

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
        number = match["citizen_id"].upper()
        return ("citizen_id" if check_digit(number) == number[17] else DOUBTFUL), number
    if match["old"]:
        # What checks as a firm's old registration number is as likely a firm's: it names no person.
        if is_legacy(match["old"]):
            return DOUBTFUL, match["old"]
        return "citizen_id", to_eighteen(match["old"])
    return ("credit_code", match["firm"]) if is_valid(match["firm"]) else ("", "")
