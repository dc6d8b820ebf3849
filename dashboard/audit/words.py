"""Words for the codes in audit rows."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from supervision.clues.lifecycle import MOVES

_FILE = Path(__file__).with_name("actions.yaml")


@lru_cache(maxsize=1)
def _words() -> dict[str, dict[str, dict[str, str]]]:
    document: dict[str, Any] = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    moves = {f"clue.{m.name}": {"zh": m.words.zh, "en": m.words.en} for m in MOVES.values()}
    return {**document, "actions": moves | document["actions"]}


def word(listing: str, code: str, language: str) -> str:
    """``listing`` is actions, objects or groups; ``language`` zh or en. The code itself where no word is known."""
    return _words()[listing].get(code, {}).get(language, code)
