"""A query of a plan."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Query:
    """SQL with named parameters, and the values that the rule itself binds."""

    sql: str
    params: dict[str, Any] = field(default_factory=dict)
