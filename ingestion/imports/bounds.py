"""The figures of ``bounds.yaml``."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field


class Bounds(BaseModel):
    """Bytes, rows, hours, counts; see the remarks in the file."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    upload_bytes: int = Field(gt=0)
    first_rows: int = Field(gt=0)
    problem_rows: int = Field(gt=0)
    samples: int = Field(gt=0)
    cell_characters: int = Field(gt=0)
    keep_hours: int = Field(gt=0)
    alias_uses: int = Field(gt=0)
    similar: int = Field(ge=0, le=100)


@lru_cache(maxsize=1)
def bounds() -> Bounds:
    text = Path(__file__).with_name("bounds.yaml").read_text(encoding="utf-8")
    return Bounds.model_validate(yaml.safe_load(text))
