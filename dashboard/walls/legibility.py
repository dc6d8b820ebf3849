"""How large letters must be on a screen to be read from where people stand. Pure.

Sources of the figures stand in ``data/legibility.yaml``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

#: every scene is drawn on a canvas so many units high, whatever the screen
UNITS = 1080


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Figure(_Strict):
    value: float
    source: str
    since: date


class Legibility(_Strict):
    """``distance_ratio``: farthest reading distance over the height of a character; ``most_scale``: beyond it a
    scene loses more by having no room than it gains by large letters; ``height_of_type``: height of a character over
    the size of its type."""

    distance_ratio: Figure
    height_of_type: Figure
    most_scale: Figure


@lru_cache(maxsize=1)
def legibility() -> Legibility:
    text = (Path(__file__).with_name("data") / "legibility.yaml").read_text(encoding="utf-8")
    return Legibility.model_validate(yaml.safe_load(text))


@dataclass(frozen=True)
class Reading:
    """``needed_units``: size of the smallest type that can still be read; ``scale``: by how much a scene's type grows;
    ``legible``: whether its smallest type then suffices."""

    needed_units: float
    scale: float
    legible: bool


def reading(*, height_px: int, pitch_mm: float, distance_m: float, smallest_units: float) -> Reading:
    """What a scene whose smallest type measures ``smallest_units`` needs on a screen.

    >>> reading(height_px=2160, pitch_mm=1.25, distance_m=8, smallest_units=20).needed_units
    29.6
    """
    known = legibility()
    height_mm = distance_m * 1000 / known.distance_ratio.value
    needed = height_mm / known.height_of_type.value / pitch_mm * UNITS / height_px
    wanted = max(1.0, needed / smallest_units)
    scale = min(wanted, known.most_scale.value)
    return Reading(round(needed, 1), round(scale, 3), wanted <= scale + 1e-9)
