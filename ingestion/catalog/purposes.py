"""What an agreement may let records be used for (``purposes.yaml``). Pure."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

_FILE = Path(__file__).with_name("purposes.yaml")


class Purpose(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str
    en: str
    source: str
    since: str


@lru_cache(maxsize=1)
def purposes() -> dict[str, Purpose]:
    """Code → purpose, in the order of the file."""
    known = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return {code: Purpose.model_validate(words) for code, words in known.items()}
