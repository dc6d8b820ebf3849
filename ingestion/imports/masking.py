"""Cells as a page may show them: numbers of persons, phones, accounts and plates lose their middle."""

from __future__ import annotations

import re
import unicodedata

from ingestion.catalog.spec import Column
from ingestion.imports.bounds import bounds
from ingestion.intake.shelter import REF_TYPES

_FORMS = frozenset({"identity", "identities", "taxpayer"})
_KIND = "\x01\x02"
# Eleven signs and more: telephone, citizen number of both lengths, credit code, account; blanks or hyphens between.
_NUMBER = re.compile(
    r"(?<![0-9A-Za-z])(?=[0-9A-Za-z*]{0,6}\d{4})[0-9A-Z*](?:[ -]?[0-9A-Za-z*]){10,18}(?![0-9A-Za-z])"
)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?")
_PLATE = re.compile(
    r"[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼][A-Z][·\s]?[A-Z0-9]{5,6}(?![A-Z0-9])"
)


def shown(cell: str | None, column: Column | None = None) -> str:
    """``cell`` of ``column`` (none: of a column that is not taken), without its kind, cut to a line, masked."""
    if cell is None:
        return ""
    text = "".join(c if c.isprintable() else " " for c in cell.lstrip(_KIND))
    if column and (column.type in REF_TYPES or column.form in _FORMS):
        text = "、".join(_middle_gone(part) for part in re.split(r"[、，,;；]", text))
    else:
        text = masked(text)
    most = bounds().cell_characters
    return text if len(text) <= most else f"{text[: most - 1]}…"


def masked(text: str) -> str:
    """Running text with its numbers masked."""
    if len(text) < 7:
        return text
    plain = unicodedata.normalize("NFKC", text)
    if not (_NUMBER.search(plain) or _PLATE.search(plain)):
        return text
    hidden = _NUMBER.sub(lambda m: m[0] if _MOMENT.fullmatch(m[0]) else _middle_gone(m[0]), plain)
    return _PLATE.sub(lambda m: _middle_gone(m[0]), hidden)


def _middle_gone(text: str) -> str:
    """The first and the last signs stay, enough to find the row by: 5323**********1234, 138****5678."""
    if len(text) < 5:
        return text
    if re.fullmatch(r"[0-9](\.[0-9]+)?[eE]\+?[0-9]+", text):
        return text  # 5.32301E+17: nothing of the number is left, and this is what must be seen
    head = 4 if len(text) > 11 else 3 if len(text) > 8 else 2
    tail = 4 if len(text) > 8 else 1
    return text[:head] + "*" * (len(text) - head - tail) + text[len(text) - tail :]
