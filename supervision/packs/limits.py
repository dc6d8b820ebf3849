"""Reads ``limits.yaml``: every cap of a model pack is a number with a source. Pure."""

from __future__ import annotations

from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

from ingestion.exchange.limits import Sourced


class PackLimits(BaseModel):
    """Sizes in bytes; ``ratio`` unpacked over packed; ``spec_depth`` in levels of YAML."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    pack_bytes: Sourced
    models: Sourced
    manifest_bytes: Sourced
    unpacked_bytes: Sourced
    ratio: Sourced
    spec_bytes: Sourced
    spec_depth: Sourced
    sheet_bytes: Sourced
    sheet_unpacked: Sourced
    members: Sourced
    sheets: Sourced
    columns: Sourced
    text: Sourced


def _load() -> PackLimits:
    document = yaml.safe_load(Path(__file__).with_name("limits.yaml").read_text(encoding="utf-8"))
    return PackLimits.model_validate(document)


LIMITS = _load()
