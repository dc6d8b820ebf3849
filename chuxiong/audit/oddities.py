"""Mass or odd use made visible: rules as data, counted over new audit rows by the minute.

The watch reads each settled row once, in the order of the chain. For every row that a rule watches it counts what the same
person did within the rule's window up to that row; a count above the rule's is an oddity of that day. Counting is the
database's (``audit_notice``): a constant number of statements, whatever there is to read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from django.db import connections
from pydantic import BaseModel, ConfigDict, Field

_FILE = Path(__file__).with_name("oddities.yaml")
#: audit rows read in one go
_CHUNK = 5000


class Hours(BaseModel):
    """From the one hour of the day to the other; past midnight when ``from`` is the later."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: int = Field(alias="from", ge=0, le=23)
    until: int = Field(ge=0, le=24)


class Rule(BaseModel):
    """What is watched, how it is counted, and from when on it is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    zh: str = Field(min_length=1)
    en: str = Field(min_length=1)
    actions: tuple[str, ...] = Field(min_length=1)
    where: dict[str, bool | int | str] = Field(default_factory=dict)
    by: Literal["person", "address"] = "person"
    count: Literal["events", "objects"]
    minutes: int = Field(gt=0, le=7 * 1440)
    over: int = Field(ge=0)
    hours: Hours | None = None
    source: str = Field(min_length=1)
    source_en: str = Field(min_length=1)
    since: date


@lru_cache(maxsize=1)
def rules() -> dict[str, Rule]:
    """The rules by code; a wrong file stops the start with its place."""
    document = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    return {code: Rule.model_validate(entry) for code, entry in document.items()}


@dataclass(frozen=True)
class Watched:
    """What one round did."""

    rows: int
    noticed: int


def watch(*, using: str = "default") -> Watched:
    """Read what is new and note what is odd; safe to repeat at any point."""
    told = json.dumps(
        [
            {
                "code": code,
                "actions": list(rule.actions),
                "wanted": rule.where,
                "by_address": rule.by == "address",
                "objects": rule.count == "objects",
                "minutes": rule.minutes,
                "over": rule.over,
                "first": rule.hours.first if rule.hours else None,
                "until": rule.hours.until if rule.hours else None,
            }
            for code, rule in rules().items()
        ]
    )
    rows = noticed = 0
    while True:
        with connections[using].cursor() as cursor:
            cursor.execute("select * from audit_notice(%s, %s)", [told, _CHUNK])
            read, found = cursor.fetchone()
        rows, noticed = rows + read, noticed + found
        if read < _CHUNK:
            return Watched(rows, noticed)
