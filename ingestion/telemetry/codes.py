"""The protocol's tables, read from ``data/``. Pure."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path

import yaml

_DATA = Path(__file__).with_name("data")


@dataclass(frozen=True)
class Protocol:
    """What ``protocol.yaml`` and ``factors.csv`` say, ready for look-up."""

    readings: frozenset[str]
    #: control command → command of its answer, or an empty text
    control: dict[str, str]
    answer_to_readings: str
    answer_to_refused: str
    suffixes: dict[str, str]
    marks: frozenset[str]
    air_systems: frozenset[str]
    ahead: timedelta
    late: timedelta
    factors: frozenset[str]
    #: medium → code of 2005 → code of 2017
    old_codes: dict[str, dict[str, str]]

    def factor(self, system: str, code: str) -> tuple[str, bool]:
        """(code of 2017, whether the tables know it); an unknown code stays as it was sent."""
        if code in self.factors:
            return code, True
        mapped = self.old_codes["gas" if system in self.air_systems else "water"].get(code)
        return (mapped, True) if mapped else (code, False)


@lru_cache(maxsize=1)
def protocol() -> Protocol:
    document = yaml.safe_load((_DATA / "protocol.yaml").read_text(encoding="utf-8"))
    factors, old = set(), {"water": {}, "gas": {}}  # type: tuple[set[str], dict[str, dict[str, str]]]
    with open(_DATA / "factors.csv", encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table):
            factors.add(row["code_2017"])
            if row["code_2005"].strip("- ").isalnum():
                # Where a code of 2005 stands twice (total and single substance), the first is the general one.
                old[row["medium"]].setdefault(row["code_2005"], row["code_2017"])
    arrival = document["arrival"]
    return Protocol(
        readings=frozenset(document["readings"]),
        control={code: entry.get("answer", "") for code, entry in document["control"].items()},
        answer_to_readings=document["answer_to_readings"],
        answer_to_refused=document["answer_to_refused"],
        suffixes=document["suffixes"],
        marks=frozenset(document["marks"]),
        air_systems=frozenset(document["air_systems"]),
        ahead=timedelta(minutes=arrival["ahead_minutes"]["value"]),
        late=timedelta(hours=arrival["late_hours"]["value"]),
        factors=frozenset(factors),
        old_codes=old,
    )
