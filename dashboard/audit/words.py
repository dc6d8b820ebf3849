"""Words for the codes in audit rows."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from supervision.clues.lifecycle import MOVES, STATE_WORDS

_FILE = Path(__file__).with_name("actions.yaml")


@lru_cache(maxsize=1)
def _words() -> dict[str, dict[str, dict[str, str]]]:
    document: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    moves = {f"clue.{m.name}": {"zh": m.words.zh, "en": m.words.en} for m in MOVES.values()}
    states = {state.value: {"zh": w.zh, "en": w.en} for state, w in STATE_WORDS.items()}
    return {**document, "actions": moves | document["actions"], "states": states}


def word(listing: str, code: str, language: str) -> str:
    """``listing`` is actions, objects, groups, purposes, details or states; ``language`` zh or en. The code itself where no word is known."""
    return _words()[listing].get(code, {}).get(language, code)


def told(detail: dict[str, Any], language: str) -> str:
    """The detail of a row as one line; codes that are known become words."""
    parts = []
    for name, value in detail.items():
        if value is None:
            continue
        text = "、".join(map(str, value)) if isinstance(value, list) else str(value)
        if name == "states":
            text = "、".join(word("states", state, language) for state in value)
        if name in ("from", "to"):
            text = word("states", text, language)
        elif name in ("since", "until"):
            text = text.removesuffix("+08:00").replace("T", " ").removesuffix(" 00:00:00")
        parts.append(f"{word('details', name, language)} {text}")
    return ("，" if language == "zh" else ", ").join(parts)
