"""Counties, towns and villages of the demo, and the courts and offices named after them."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

_FILE = Path(__file__).parent / "data" / "villages.csv"

COUNTIES = {
    "532301": "楚雄市", "532302": "禄丰市", "532322": "双柏县", "532323": "牟定县", "532324": "南华县",
    "532325": "姚安县", "532326": "大姚县", "532327": "永仁县", "532328": "元谋县", "532329": "武定县",
}  # fmt: skip
#: share of the population, by county in the order above
SHARES = np.array([0.245, 0.155, 0.06, 0.075, 0.09, 0.07, 0.095, 0.04, 0.085, 0.085])
#: where people with numbers from elsewhere were first registered
ELSEWHERE = (530128, 530111, 532901, 530302, 511321, 430224, 520221)
#: rivers for patrols: name, code, county, lon, lat of a middle point
RIVERS = (
    ("龙川江楚雄市段", "532301-LCJ-01", "532301", 101.54, 25.03),
    ("青龙河", "532301-QLH-01", "532301", 101.53, 25.05),
    ("星宿江", "532302-XSJ-01", "532302", 102.07, 25.15),
    ("绿汁江双柏段", "532322-LZJ-01", "532322", 101.64, 24.69),
    ("龙川江牟定段", "532323-LCJ-02", "532323", 101.55, 25.31),
    ("龙川江毛板桥水库", "532324-LCJ-03", "532324", 101.27, 25.19),
    ("蜻蛉河姚安段", "532325-QLH-02", "532325", 101.24, 25.50),
    ("蜻蛉河大姚段", "532326-QLH-03", "532326", 101.33, 25.72),
    ("永定河", "532327-YDH-01", "532327", 101.67, 26.06),
    ("龙川江元谋段", "532328-LCJ-04", "532328", 101.87, 25.70),
    ("勐果河", "532329-MGH-01", "532329", 102.40, 25.53),
)


@dataclass(frozen=True)
class Village:
    county: str
    town: str
    name: str

    @property
    def address(self) -> str:
        return f"云南省楚雄彝族自治州{COUNTIES[self.county]}{self.town}{self.name}"


@lru_cache(maxsize=1)
def villages() -> tuple[Village, ...]:
    with _FILE.open(encoding="utf-8", newline="") as source:
        return tuple(Village(r["county"], r["town"], r["village"]) for r in csv.DictReader(source))


@lru_cache(maxsize=16)
def villages_of(county: str) -> tuple[Village, ...]:
    return tuple(v for v in villages() if v.county == county)


def court_code(county: str) -> str:
    """云2301 and so on; 禄丰 keeps the code it had as a county."""
    return "云2331" if county == "532302" else f"云{county[2:]}"


def prosecutors(county: str) -> str:
    return f"{COUNTIES[county]}人民检察院"


def courts(county: str) -> str:
    return f"{COUNTIES[county]}人民法院"
