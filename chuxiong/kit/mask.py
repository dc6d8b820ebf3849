"""What is shown of a name to those who need not know it."""

from __future__ import annotations

_HIDDEN = "○"


def person_name(name: str) -> str:
    """The first character stays; of a name in parts (木吉·罗日) each part's length is kept, two to three signs."""
    first, _, _ = name.strip().partition("·")
    return name[:1] + _HIDDEN * (2 if len(first) > 2 or "·" in name else max(len(first) - 1, 1))
