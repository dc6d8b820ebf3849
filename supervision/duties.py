"""The duty list (权责清单), read from ``duties.yaml``: problem × place → responsible agency and its level."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

FILE = Path(__file__).with_name("duties.yaml")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Agency(_Strict):
    """``{code}``, ``{zh}``, ``{en}`` in its fields stand for the county of the place."""

    code: str
    zh: str
    en: str


class Duty(_Strict):
    """One row of the list. ``place`` is the beginning of the division codes it holds for."""

    problems: tuple[str, ...] = Field(min_length=1)
    place: str
    agency: Agency
    organ_level: Literal["county", "prefecture"]
    department: str
    basis: str
    source: str
    since: date
    until: date | None = None


@dataclass(frozen=True)
class Responsible:
    """Who answers for a problem, and at which level the organ stands."""

    agency: str
    agency_zh: str
    agency_en: str
    organ_level: str
    department: str
    basis: str


class DutyList(_Strict):
    #: the English names of problems; one without stands in Chinese
    names: dict[str, str]
    duties: tuple[Duty, ...]


@lru_cache(maxsize=1)
def _list() -> DutyList:
    return DutyList.model_validate(yaml.safe_load(FILE.read_text(encoding="utf-8")))


def duty_list() -> tuple[Duty, ...]:
    """All rows in the order of the file."""
    return _list().duties


def problem_names() -> dict[str, str]:
    """Problem → its English name."""
    return _list().names


def responsible(
    problem: str, division: str, *, on: date, zh: str, en: str, prefecture: str
) -> Responsible | None:
    """The agency for ``problem`` in ``division``; None when the list does not say.

    ``zh`` and ``en`` name the division. Where it is unknown ("" or None) only an organ of the prefecture's
    own level, found by the ``prefecture`` code, is certain.
    """
    for duty in duty_list():
        if problem not in duty.problems or on < duty.since or (duty.until and on > duty.until):
            continue
        if duty.organ_level == "county" and (not zh or division == prefecture):
            continue  # no county is named: which organ it is remains open
        place = division or (prefecture if duty.organ_level == "prefecture" else "")
        if not place.startswith(duty.place):
            continue
        words = {"code": place, "zh": zh, "en": en}
        return Responsible(
            duty.agency.code.format(**words),
            duty.agency.zh.format(**words),
            duty.agency.en.format(**words),
            duty.organ_level,
            duty.department,
            duty.basis,
        )
    return None


def competent_office(found: Responsible | None, office: str, prefecture: str) -> str:
    """The office of the organ's own level (办案规则：同级管辖); "" when no organ is named.

    ``office`` is the county's, ``prefecture`` the one above it.
    """
    if found is None:
        return ""
    return prefecture if found.organ_level == "prefecture" else office


def problems() -> list[str]:
    """Every problem the list knows."""
    return [problem for duty in duty_list() for problem in duty.problems]
