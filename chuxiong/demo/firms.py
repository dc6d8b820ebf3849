"""Firms and building projects, named from short tables; credit codes check."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from chuxiong.demo import identifiers, places
from chuxiong.demo.plan import Plan

_BRAND_FIRST = "恒鑫彝云滇威华瑞宏顺众诚德润远达永兆"
_BRAND_SECOND = "源泰和盛隆安达昌旺康通宇祥鼎泽茂"
_TRADES = {
    "建筑业": ("建筑工程", "建设工程", "劳务", "市政工程", "装饰工程", "路桥工程"),
    "制造业": ("食品", "化工", "冶金", "纸业", "生物科技", "水泥制品"),
    "农业": ("农业开发", "畜牧", "食用菌", "花卉"),
    "服务业": ("物业管理", "餐饮管理", "物流", "环卫服务"),
}
_PROJECTS = (
    "安置房",
    "标准厂房",
    "农村公路改扩建",
    "人饮工程",
    "污水管网",
    "中学教学楼",
    "冷链物流园",
    "高标准农田",
)


@dataclass(frozen=True)
class Firm:
    name: str
    credit_code: str
    county: str
    industry: str


@dataclass(frozen=True)
class Project:
    name: str
    code: str
    county: str
    contractor: Firm


def firms(plan: Plan, count: int, part: str, industry: str | None = None) -> list[Firm]:
    """``count`` firms with distinct names and codes."""
    draw = plan.draw(f"firms {part}")
    counties, shares = list(places.COUNTIES), places.SHARES / places.SHARES.sum()
    made: dict[str, Firm] = {}
    while len(made) < count:
        county = str(draw.choice(counties, p=shares))
        trade = industry or str(draw.choice(list(_TRADES)))
        brand = str(draw.choice(list(_BRAND_FIRST))) + str(draw.choice(list(_BRAND_SECOND)))
        if len(made) > 150:
            brand += str(draw.choice(list(_BRAND_SECOND)))
        place = places.COUNTIES[county].rstrip("县市") if draw.random() < 0.7 else "楚雄州"
        name = f"{place}{brand}{draw.choice(list(_TRADES[trade]))}有限公司"
        division = "532331" if county == "532302" and draw.random() < 0.6 else county
        made.setdefault(name, Firm(name, identifiers.credit_code(draw, division), county, trade))
    return list(made.values())


def projects(plan: Plan, contractors: list[Firm], count: int) -> list[Project]:
    draw = plan.draw("projects")
    made = []
    for number in range(count):
        firm = contractors[int(draw.integers(0, len(contractors)))]
        town = places.villages_of(firm.county)[
            int(draw.integers(0, len(places.villages_of(firm.county))))
        ].town
        name = f"{places.COUNTIES[firm.county]}{town}{draw.choice(list(_PROJECTS))}项目"
        made.append(Project(name, f"{firm.county}{plan.seed % 100:02d}{number:06d}", firm.county, firm))
    return made


def pick(draw: np.random.Generator, firms_: list[Firm]) -> Firm:
    return firms_[int(draw.integers(0, len(firms_)))]
