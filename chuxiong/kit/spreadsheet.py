"""Text that a spreadsheet program keeps as text."""

from __future__ import annotations

import re

_DANGEROUS = tuple("=+-@\t\r\n＝＋－＠")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def harmless(text: str) -> str:
    """An apostrophe before what a spreadsheet would take for a formula, without control characters."""
    text = _CONTROL.sub("", text)
    return f"'{text}" if text.startswith(_DANGEROUS) or text.lstrip().startswith(_DANGEROUS) else text
