"""Reads ``budgets.yaml``: how long a run may take, how many pairs it may form, how much memory an engine gets."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

Mode = Literal["subjects", "full", "backtest", "compare"]


class Budget(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    seconds: int = Field(gt=0)
    pairs: int = Field(gt=0)
    memory_mb: int = Field(ge=64)


class Budgets(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    since: date
    subjects: Budget
    full: Budget
    backtest: Budget
    compare: Budget
    keep_idle_days: int = Field(gt=0)
    look_seconds: float = Field(gt=0)

    def of(self, mode: Mode) -> Budget:
        found: Budget = getattr(self, mode)
        return found


def _load() -> Budgets:
    text = Path(__file__).with_name("budgets.yaml").read_text(encoding="utf-8")
    return Budgets.model_validate(yaml.safe_load(text))


BUDGETS = _load()
