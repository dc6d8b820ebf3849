"""Reads the alarm definitions and checks them against the feed catalogue. Pure."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from chuxiong.kit.problems import Problem
from ingestion.catalog.load import Catalog
from supervision.clues.lifecycle import Words
from supervision.rulebook.problems import RuleError

FOLDER = Path(__file__).with_name("definitions")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Hours(_Strict):
    value: int
    source: str
    since: date


class AlarmLevel(_Strict):
    """The level of a reading at least ``times`` its limit."""

    level: Literal["urgent", "warning", "notice"]
    times: float
    source: str
    since: date


class AlarmSpec(_Strict):
    """Which readings of a feed raise an alarm, and how loud."""

    id: str
    title: Words
    feed: str
    subject: str
    subject_kind: str
    #: what the duty list calls it
    problem: str
    label: tuple[str, ...]
    series: str
    time: str
    kind: str
    values: dict[str, str]
    limit: str
    where: dict[str, tuple[str, ...]]
    excepted: dict[str, tuple[str, ...]] = Field(default_factory=dict, alias="except")
    max_age_hours: Hours
    max_ahead_hours: Hours
    levels: tuple[AlarmLevel, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _loudest_first(self) -> AlarmSpec:
        times = [level.times for level in self.levels]
        if times != sorted(times, reverse=True):
            raise ValueError("levels 须从高到低排列")
        return self

    @property
    def columns(self) -> frozenset[str]:
        """Every column the definition reads."""
        named = {
            self.subject,
            self.series,
            self.time,
            self.kind,
            self.limit,
            *self.label,
            *self.values.values(),
        }
        return frozenset(named | set(self.where) | set(self.excepted))


def load_alarms(catalog: Catalog, folder: Path = FOLDER) -> dict[str, AlarmSpec]:
    """All definitions by id; raises ``RuleError`` naming file, place and cure of every problem."""
    found: dict[str, AlarmSpec] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")):
        try:
            alarm = AlarmSpec.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError) as error:
            problems.append(Problem(path.name, str(error), "写法见 supervision/README.md 中的预警一节"))
            continue
        if alarm.feed not in catalog:
            problems.append(Problem(f"{path.name} → feed", f"没有“{alarm.feed}”", "改成数据目录里有的数据源"))
            continue
        known = {column.name for column in catalog[alarm.feed].columns}
        for name in sorted(alarm.columns - known):
            problems.append(
                Problem(
                    f"{path.name} → {name}",
                    f"{alarm.feed} 没有列 {name}",
                    f"可用：{'、'.join(sorted(known))}",
                )
            )
        found[alarm.id] = alarm
    if problems:
        raise RuleError(problems)
    return found
