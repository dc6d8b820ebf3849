"""Words for the codes of drafts, and the lists that the form offers."""

from __future__ import annotations

from collections.abc import Mapping

from dashboard.desk.page import pick
from ingestion import selectors as ingestion
from supervision.rulebook.operators import OPERATORS
from supervision.rulebook.units import units

STATES = {
    "draft": ("草稿", "Draft"),
    "trial": ("试运行", "Trial"),
    "published": ("已发布", "Published"),
    "withdrawn": ("已撤下", "Withdrawn"),
}
DOMAINS = {
    "criminal": ("刑事检察", "Criminal"),
    "civil": ("民事检察", "Civil"),
    "administrative": ("行政检察", "Administrative"),
    "public_interest": ("公益诉讼检察", "Public interest"),
    "minors": ("未成年人检察", "Minors"),
    "management": ("案件管理", "Case management"),
}
CHOICES = {
    **DOMAINS,
    **STATES,
    "all": ("全部成立", "All of"),
    "any": ("任一成立", "Any of"),
    "not": ("不成立", "Not"),
    "hit": ("命中", "Hit"),
    "miss": ("不命中", "Miss"),
    "undecided": ("未定", "Undecided"),
    "urgent": ("紧急", "Urgent"),
    "important": ("重点", "Important"),
    "ordinary": ("一般", "Ordinary"),
    "identity": ("同一主体", "Same subject"),
    "key": ("同一值", "Same value"),
    "relation": ("有关系", "Related"),
    "place": ("同一地点", "Same place"),
    "person": ("自然人", "Person"),
    "organisation": ("单位", "Organisation"),
    "case": ("案件", "Case"),
    "outfall": ("排污口", "Outfall"),
    "project": ("项目", "Project"),
    "rows": ("行", "Rows"),
    "checked": ("已检查", "Checked"),
    "live": ("运行", "Live"),
    "paused": ("暂停", "Paused"),
    "retired": ("停用", "Retired"),
    "true": ("是", "Yes"),
    "false": ("否", "No"),
}


def choice(code: str) -> str:
    return pick(*CHOICES[code]) if code in CHOICES else code


def domain(code: str) -> str:
    return pick(*DOMAINS[code]) if code in DOMAINS else "—"


def operators() -> list[tuple[str, str]]:
    """(code, words) of all operators, in the order of the catalogue."""
    return [(o.name, f"{pick(o.zh, o.en)}（{o.name}）") for o in OPERATORS.values()]


def feeds() -> list[tuple[str, str]]:
    """(code, title) of the feeds that may be read."""
    found = [(f.code, f"{pick(f.title.zh, f.title.en)}（{f.code}）") for f in ingestion.catalog().values()]
    return sorted(found, key=lambda pair: pair[0])


def lists(data: Mapping[str, str]) -> dict[str, list[tuple[str, str]]]:
    """What may be typed into the form's fields, by the kind of list: fields of its sources, its parameters, units."""
    fields: dict[str, str] = {}
    for name, alias in data.items():
        group, _, last = name.rpartition(".")
        if last != "key" or not group.startswith("sources.") or not alias:
            continue
        feed = ingestion.catalog().get(data.get(f"{group}.feed", ""))
        for column in feed.columns if feed else ():
            fields[f"{alias}.{column.name}"] = pick(column.zh, column.en)
    params = {
        text: data.get(f"{name.rpartition('.')[0]}.{pick('zh', 'en')}", "")
        for name, text in data.items()
        if name.startswith("params.") and name.endswith(".key") and text
    }
    sources = {
        text: ""
        for name, text in data.items()
        if name.startswith("sources.") and name.endswith(".key") and text
    }
    return {
        "fields": list(fields.items()),
        "params": list(params.items()),
        "sources": list(sources.items()),
        "units": [(code, pick(unit.zh, unit.en)) for code, unit in units().items()],
    }
