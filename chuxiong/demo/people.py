"""The people of the demo prefecture: pensioners first, then the others."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from chuxiong.demo import identifiers, names, places
from chuxiong.demo.plan import Plan


@dataclass(frozen=True)
class Person:
    """One inhabitant. ``county``: six digits in force today; ``index``: row in the population."""

    index: int
    citizen_id: str
    name: str
    male: bool
    ethnicity: str
    birth: date
    county: str
    town: str
    address: str
    household: str
    phone: str


class Population:
    """All people, and who has been cast for a planted case. Nobody is cast twice."""

    def __init__(self, plan: Plan, today: date) -> None:
        self.pensioners = plan.size["pensioners"]
        self.frame = _people(plan, today)
        self.ids: set[str] = set(self.frame["citizen_id"].to_list())
        self._order = {
            "pensioners": iter(plan.draw("cast pensioners").permutation(self.pensioners).tolist()),
            "others": iter(
                (plan.draw("cast others").permutation(plan.size["others"]) + self.pensioners).tolist()
            ),
        }
        self.cast: set[int] = set()

    def person(self, index: int) -> Person:
        row = self.frame.row(index, named=True)
        return Person(index=index, **row)

    def take(self, group: str, *, not_in: str = "") -> Person:
        """The next person of ``group`` (pensioners or others) who has no part yet."""
        for index in self._order[group]:
            person = self.person(index)
            if person.county != not_in and person.citizen_id[6:10] >= "1930" and index not in self.cast:
                self.cast.add(index)
                return person
        raise ValueError(f"{group} 不够植入案例：请在 plan.yaml 中调大规模或减少案例")

    def bystander(self, draw: np.random.Generator) -> Person:
        """Somebody at random who has no part in any planted case."""
        while (index := int(draw.integers(0, self.frame.height))) in self.cast:
            pass
        return self.person(index)


def _people(plan: Plan, today: date) -> pl.DataFrame:
    draw = plan.draw("people")
    old, count = plan.size["pensioners"], plan.size["pensioners"] + plan.size["others"]
    male = draw.random(count) < 0.51
    ages = np.concatenate([61 + draw.gamma(2.2, 5.0, old), 19 + draw.random(count - old) * 39])
    births = np.datetime64(today, "D") - (np.minimum(ages, 101) * 365.25).astype("timedelta64[D]")
    counties = np.array(list(places.COUNTIES))
    county = counties[draw.choice(len(counties), count, p=places.SHARES / places.SHARES.sum())]
    town, address = _homes(draw, county)
    ethnic = names.ethnicities(draw, count)
    serial = 10_000_000 + np.arange(count)
    return pl.DataFrame(
        {
            "citizen_id": identifiers.citizen_ids(draw, _registered(draw, county, births), births, male),
            "name": names.names(draw, ethnic, male),
            "male": male,
            "ethnicity": ethnic,
            "birth": births,
            "county": county,
            "town": town,
            "address": address,
            "household": np.strings.add(county, (200_000_000 + np.arange(count) // 2).astype("U9")),
            "phone": [identifiers.phone(int(s) * 7) for s in serial],
        }
    )


def _registered(draw: np.random.Generator, county: np.ndarray, births: np.ndarray) -> np.ndarray:
    """The division in the number: the code in force when it was given, one in 25 from elsewhere."""
    division = county.astype(int)
    division = np.where(division == 532302, 532331, division)
    early = (division == 532301) & (births < np.datetime64("1965-01-01")) & (draw.random(len(county)) < 0.1)
    division = np.where(early, 532321, division)
    away = draw.random(len(county)) < 0.04
    return np.where(away, draw.choice(np.array(places.ELSEWHERE), len(county)), division)


def _homes(draw: np.random.Generator, county: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(town, address) of each person."""
    town = np.empty(len(county), dtype=object)
    address = np.empty(len(county), dtype=object)
    for code in places.COUNTIES:
        at = np.flatnonzero(county == code)
        villages = places.villages_of(code)
        chosen = draw.integers(0, len(villages), len(at))
        town[at] = np.array([v.town for v in villages], dtype=object)[chosen]
        groups, doors = draw.integers(1, 18, len(at)), draw.integers(1, 160, len(at))
        homes = [villages[v].address for v in range(len(villages))]
        address[at] = [
            f"{homes[v]}{g}组{d}号"
            for v, g, d in zip(chosen.tolist(), groups.tolist(), doors.tolist(), strict=True)
        ]
    return town, address
