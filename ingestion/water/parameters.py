"""What the room assumes, and the detection limits of factors: data with sources. Pure."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict

_DATA = Path(__file__).with_name("data")


class Parameter(BaseModel):
    """One assumption: its value and unit, what it means, who set it."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    value: float
    unit: str
    zh: str
    en: str
    source: str
    since: date


class Parameters(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    stuck_readings: Parameter
    integer_ph_readings: Parameter
    most_off_line_m: Parameter
    look_back_days: Parameter
    spread: Parameter
    cameras_about_km: Parameter


@lru_cache(maxsize=1)
def parameters() -> Parameters:
    return Parameters.model_validate(yaml.safe_load((_DATA / "parameters.yaml").read_text(encoding="utf-8")))


@dataclass(frozen=True)
class DetectionLimit:
    """What the usual method of a factor can tell from nothing, in ``unit``."""

    factor: str
    at_most: float
    unit: str
    method: str
    valid_from: date
    source: str


@lru_cache(maxsize=1)
def detection_limits() -> Mapping[str, DetectionLimit]:
    """By factor code."""
    with (_DATA / "detection_limits.csv").open(encoding="utf-8", newline="") as source:
        return {
            row["factor"]: DetectionLimit(
                row["factor"],
                float(row["at_most"]),
                row["unit"],
                row["method"],
                date.fromisoformat(row["valid_from"]),
                row["source"],
            )
            for row in csv.DictReader(source)
        }
