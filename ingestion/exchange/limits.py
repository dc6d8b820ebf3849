"""Reads ``limits.yaml``: every cap of an exchange is a number with a source."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field


class Sourced(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    value: int = Field(gt=0)
    source: str = Field(min_length=1)


class ExchangeLimits(BaseModel):
    """Sizes in bytes, ``ratio`` unpacked over packed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    bundle_bytes: Sourced
    bundle_files: Sourced
    manifest_bytes: Sourced
    unpacked_bytes: Sourced
    ratio: Sourced
    push_bytes: Sourced
    pull_bytes: Sourced
    folder_quiet_seconds: Sourced
    #: of one item at the front, before it is refused
    item_tries: Sourced


def _load() -> ExchangeLimits:
    document = yaml.safe_load(Path(__file__).with_name("limits.yaml").read_text(encoding="utf-8"))
    return ExchangeLimits.model_validate(document)


LIMITS = _load()
