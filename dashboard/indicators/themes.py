"""Which models and which kinds of results a theme of the walls counts, as data. Pure."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict


class Theme(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[str, ...]
    results: tuple[str, ...]
    source: str
    since: date


@lru_cache(maxsize=1)
def themes() -> dict[str, Theme]:
    known = yaml.safe_load(Path(__file__).with_name("themes.yaml").read_text(encoding="utf-8"))
    return {name: Theme.model_validate(words) for name, words in known.items()}


def theme(name: str) -> Theme:
    return themes()[name]
