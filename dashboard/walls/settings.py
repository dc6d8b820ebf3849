"""Times and causes of switching, as data. Pure."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Value(_Strict):
    value: float
    source: str
    since: date


class Cause(_Strict):
    """Fresh urgent alarms or clues call ``scene`` for ``seconds``."""

    cause: str
    level: str
    scene: str
    seconds: int
    fresh_minutes: int
    source: str
    since: date


class Switching(_Strict):
    prepare_seconds: Value
    lead_seconds: Value
    alive_seconds: Value
    horizon_seconds: Value
    pairing_minutes: Value
    pairings_most: Value
    interrupts: tuple[Cause, ...]


@lru_cache(maxsize=1)
def switching() -> Switching:
    text = (Path(__file__).with_name("data") / "switching.yaml").read_text(encoding="utf-8")
    return Switching.model_validate(yaml.safe_load(text))
