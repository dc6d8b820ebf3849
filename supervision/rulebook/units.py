"""Units as data (``units.yaml``): a quantity times its unit's ``base`` is in the base unit of its dimension."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict


class Unit(BaseModel):
    """One unit: so many base units of its dimension (kg, m³, m, m², kWh, h, 分)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str
    en: str
    dimension: str
    base: float
    source: str = ""


@lru_cache(maxsize=1)
def units() -> dict[str, Unit]:
    """All units by their code."""
    text = (Path(__file__).parent / "units.yaml").read_text(encoding="utf-8")
    return {code: Unit.model_validate(entry) for code, entry in yaml.safe_load(text)["units"].items()}
