"""Reads ``plan.yaml``: sizes, planted cases, assumed boundaries."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import yaml

_FILE = Path(__file__).with_name("plan.yaml")


@dataclass(frozen=True)
class Plan:
    """One scale of the plan. ``size``: rows by kind; ``boundaries``: where cases are planted."""

    scale: str
    seed: int
    months: int
    size: dict[str, int]
    boundaries: dict[str, dict[str, Any]]
    _cases: dict[str, dict[str, int]]
    _defects: dict[str, dict[str, int]]

    def cases(self, rule: str, name: str) -> int:
        """How many cases of this kind to plant."""
        return self._cases[rule][name] * self.size["times"]

    def defects(self, feed: str) -> dict[str, int]:
        """Faulty rows by defect code."""
        factor = self.size["times"] ** 0.5
        return {code: round(count * factor) for code, count in self._defects.get(feed, {}).items()}

    def draw(self, part: str) -> np.random.Generator:
        """A generator of its own for every part, so that a change in one part leaves the others alone."""
        return np.random.default_rng([self.seed, crc32(part.encode()), crc32(self.scale.encode())])


def load_plan(scale: str, seed: int) -> Plan:
    """Raises ``ValueError`` for an unknown scale or a negative seed."""
    document = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    if scale not in document["scales"]:
        raise ValueError(f"规模 {scale!r} 不存在；可用的规模：{'、'.join(document['scales'])}")
    if seed < 0:
        raise ValueError(f"种子 {seed} 为负数；请给出 0 或正整数")
    return Plan(
        scale=scale,
        seed=seed,
        months=document["months"],
        size=document["scales"][scale],
        boundaries=document["boundaries"],
        _cases=document["cases"],
        _defects=document["defects"],
    )
