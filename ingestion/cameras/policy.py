"""How cameras may be looked through, as data. Pure."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Generic, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict

T = TypeVar("T")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Value(_Strict, Generic[T]):
    """One setting, who set it and since when."""

    value: T
    source: str
    since: date


class Purpose(_Strict):
    """What somebody looks for; stands on every viewing."""

    code: str
    zh: str
    en: str


class CameraPolicy(_Strict):
    ticket_seconds: Value[int]
    viewing_seconds: Value[int]
    silent_seconds: Value[int]
    stall_seconds: Value[int]
    most_tiles: Value[int]
    frame_bytes: Value[int]
    frame_pixels: Value[int]
    gateway_path: Value[str]
    gateway_seconds: Value[int]
    gateway_bytes: Value[int]
    purposes: tuple[Purpose, ...]


@lru_cache(maxsize=1)
def policy() -> CameraPolicy:
    text = (Path(__file__).with_name("data") / "policy.yaml").read_text(encoding="utf-8")
    return CameraPolicy.model_validate(yaml.safe_load(text))
