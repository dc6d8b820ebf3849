"""Risk in cases with enterprises (EN-01), pure: counts of cases by cause, industry and county, and what stands out.

A cell stands out when it holds at least ``at_least`` cases of the window and either grew by ``growth`` per cent on the
twelve months before, or holds ``lift`` times the share that its firms have among all firms. Cases without a known day
are counted apart, never guessed into a year.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict

from supervision.rulebook.spec import Basis, Param, Words

FILE = Path(__file__).with_name("enterprise_risk.yaml")
Reason = Literal["growth", "lift"]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Definition(_Strict):
    """The analysis as data: parameters with their sources, names of industries, drafts of advice."""

    code: str
    title: Words
    basis: tuple[Basis, ...]
    params: dict[str, Param]
    industries: dict[str, Words]
    advice: dict[str, Words]

    def number(self, name: str) -> float:
        value = self.params[name].value
        if not isinstance(value, (int, float)):
            raise ValueError(f"{FILE.name} → params.{name}: {value!r} 不是数")
        return float(value)

    def industry(self, code: str) -> str:
        """The section letter of an industry code (``E4790`` → ``E``); empty where it names none."""
        letter = code[:1].upper()
        return letter if letter in self.industries else ""


@lru_cache(maxsize=1)
def definition() -> Definition:
    return Definition.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Case:
    """One case with one firm. ``firm`` is its ref; ``day`` None where it is not known; ``risk`` as the ledger says."""

    source: str
    number: str
    firm: str
    cause: str
    industry: str
    county: str
    day: date | None
    stage: str = ""
    role: str = ""
    risk: str = ""


@dataclass(frozen=True)
class Cell:
    """``growth`` in per cent, None where the year before had none; ``lift`` None where no firm of the kind is known."""

    cause: str
    industry: str
    county: str
    cases: int
    last: int
    before: int
    growth: float | None
    lift: float | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True)
class Analysis:
    """``since``–``until``: the window, both days included. Every case stands in one cell or in ``undated``, ``outside``."""

    since: date
    until: date
    cases: int
    undated: int
    outside: int
    cells: list[Cell]
    by_year: dict[int, int]
    by_source: dict[str, int]
    by_stage: dict[str, int]
    by_role: dict[str, int]
    by_risk: dict[str, int]
    #: firms with several cases of the window, how many
    often: int
    missing: list[str] = field(default_factory=list)

    @property
    def flagged(self) -> list[Cell]:
        return [cell for cell in self.cells if cell.reasons]


def analyse(
    cases: Iterable[Case], firms: Mapping[tuple[str, str], int], until: date, with_: Definition
) -> Analysis:
    """``firms``: running firms by (industry, county). A case told by several sources is counted once per source."""
    since, year = _years_back(until, int(with_.number("years"))), _years_back(until, 1)
    two = _years_back(until, 2)
    held: dict[tuple[str, str, str], list[date]] = defaultdict(list)
    inside: list[Case] = []
    undated = outside = 0
    for case in {(c.source, c.number, c.firm): c for c in cases}.values():
        if case.day is None:
            undated += 1
        elif not since < case.day <= until:
            outside += 1
        else:
            inside.append(case)
            held[case.cause, case.industry, case.county].append(case.day)
    of_cause = Counter(case.cause for case in inside)
    all_firms = sum(firms.values())
    cells = []
    for (cause, industry, county), days in held.items():
        last, before = sum(day > year for day in days), sum(two < day <= year for day in days)
        growth = round((last - before) * 100 / before, 1) if before else None
        own = firms.get((industry, county), 0)
        lift = round(len(days) / of_cause[cause] / (own / all_firms), 2) if own else None
        cells.append(Cell(cause, industry, county, len(days), last, before, growth, lift,
                          _reasons(len(days), last, growth, lift, with_)))  # fmt: skip
    cells.sort(key=lambda c: (not c.reasons, -c.cases, c.cause, c.industry, c.county))
    of_firm = Counter(case.firm for case in inside)
    return Analysis(
        since, until, len(inside), undated, outside, cells,
        dict(sorted(Counter(c.day.year for c in inside if c.day).items())),
        _counted(c.source for c in inside), _counted(c.stage for c in inside if c.stage),
        _counted(c.role for c in inside if c.role), _counted(c.risk for c in inside if c.risk),
        sum(count >= with_.number("often") for count in of_firm.values()),
    )  # fmt: skip


def _reasons(
    cases: int, last: int, growth: float | None, lift: float | None, with_: Definition
) -> tuple[Reason, ...]:
    if cases < with_.number("at_least"):
        return ()
    # All of them in the last year: growth that no percentage says.
    grew = last >= with_.number("at_least") if growth is None else growth >= with_.number("growth")
    found: list[Reason] = ["growth"] if grew else []
    if lift is not None and lift >= with_.number("lift"):
        found.append("lift")
    return tuple(found)


def _counted(values: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(values).items(), key=lambda item: (-item[1], item[0])))


def _years_back(day: date, years: int) -> date:
    """The same day so many years before; of 29 February the 28th."""
    try:
        return day.replace(year=day.year - years)
    except ValueError:
        return day.replace(year=day.year - years, day=28)
