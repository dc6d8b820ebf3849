"""Reads a link model from its YAML file."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from supervision.identity.linking import Comparison, LinkModel, Near

_FOLDER = Path(__file__).parent
Share = Annotated[float, Field(gt=0, lt=1)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Near(_Strict):
    same: str = ""
    edits: int = Field(0, ge=0, le=3)
    similar: float = Field(0, ge=0, le=1)

    @model_validator(mode="after")
    def _one(self) -> _Near:
        if sum(map(bool, (self.same, self.edits, self.similar))) != 1:
            raise ValueError("a near level has exactly one of: same, edits, similar")
        return self

    def level(self) -> Near:
        if self.same:
            return Near("same", column=self.same)
        return Near("edits", self.edits) if self.edits else Near("similar", self.similar)


class LinkColumn(_Strict):
    """One comparison as a file says it."""

    column: str
    near: tuple[_Near, ...] = ()
    m: tuple[Share, ...]

    @model_validator(mode="after")
    def _every_level(self) -> LinkColumn:
        if len(self.m) != len(self.near) + 2:
            raise ValueError(f"{self.column}: m needs {len(self.near) + 2} shares, one for every level")
        if abs(sum(self.m) - 1) > 0.01:
            raise ValueError(f"{self.column}: the shares of m add up to 1, not {sum(self.m):.3f}")
        return self

    def comparison(self) -> Comparison:
        return Comparison(self.column, tuple(n.level() for n in self.near), self.m)


class _File(_Strict):
    cap: int = Field(gt=1)
    joins: float
    shown: float
    comparisons: tuple[LinkColumn, ...]
    blocks: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Linkage:
    """A link model with its limits in bits: from ``joins`` records are one, from ``shown`` a person is asked."""

    model: LinkModel
    joins: float
    shown: float


@lru_cache
def linkage(kind: str) -> Linkage:
    """The model of ``person``. Raises pydantic's ValidationError with place and cure for a broken file."""
    file = _File.model_validate(yaml.safe_load((_FOLDER / f"{kind}.yaml").read_text(encoding="utf-8")))
    comparisons = tuple(c.comparison() for c in file.comparisons)
    return Linkage(LinkModel(comparisons, file.blocks, file.cap), file.joins, file.shown)
