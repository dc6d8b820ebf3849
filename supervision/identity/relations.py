"""Reads ``relations.yaml``: which columns of which feed relate whom to whom, and how many may share a value."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingestion.catalog.spec import Column, FeedSpec
from supervision.identity.spellings import spelling

_FILE = Path(__file__).with_name("relations.yaml")
Value = Literal["phone", "address"]
#: column types that name one subject, and whom
SUBJECTS = {"citizen_id": "person", "credit_code": "organisation"}
#: forms of a text that names several
LISTED = ("identity", "identities", "taxpayer")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Cap(_Strict):
    """From how many sharers on a value relates nobody; where the figure is from."""

    most: int = Field(ge=2)
    source: str
    since: date


class Kind(_Strict):
    """A kind of relation in words; ``shared``: through a value that both hold."""

    zh: str
    en: str
    shared: Value | None = None


class Tie(_Strict):
    """One relation that a feed's records tell: ``a`` and ``b`` are columns; ``when``: column → value that must stand."""

    kind: str
    a: str
    b: str
    when: Mapping[str, str] = Field(default_factory=dict)

    def fields(self) -> frozenset[str]:
        """The catalogue columns that it reads."""
        return frozenset((self.a, self.b, *self.when))


class Bounds(_Strict):
    """How far a neighbourhood may reach."""

    hops: int = Field(ge=1, le=3)
    nodes: int = Field(ge=1)


class Relations(_Strict):
    """The whole declaration."""

    bounds: Bounds
    caps: Mapping[Value, Cap]
    kinds: Mapping[str, Kind]
    feeds: Mapping[str, tuple[Tie, ...]]

    @model_validator(mode="after")
    def _known(self) -> Relations:
        for feed, ties in self.feeds.items():
            for tie in ties:
                if tie.kind not in self.kinds:
                    raise ValueError(f"feeds.{feed}: 没有关系种类“{tie.kind}”；先在 kinds 里写明")
        for code, kind in self.kinds.items():
            if kind.shared and kind.shared not in self.caps:
                raise ValueError(f"kinds.{code}: {kind.shared} 没有上限；先在 caps 里写明")
        return self


@lru_cache(maxsize=1)
def relations() -> Relations:
    """The declaration. Raises pydantic's ValidationError with place and cure for a broken file."""
    return Relations.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))


def digest(feed: str) -> str:
    """Changes when what a feed's records relate changes."""
    said = relations()
    told = [(tie.model_dump_json(), said.kinds[tie.kind].shared) for tie in said.feeds.get(feed, ())]
    return hashlib.sha256(repr((told, spelling())).encode()).hexdigest()


def wrong(said: Relations, catalog: Mapping[str, FeedSpec]) -> list[str]:
    """What does not fit the catalogue, each with its cure."""
    found = []
    for code, ties in said.feeds.items():
        feed = catalog.get(code)
        if feed is None:
            found.append(f"{code}: 没有这个数据源；改名或删除")
            continue
        columns = {c.name: c for c in feed.columns}
        for tie in ties:
            place = f"{code}, {tie.kind}"
            missing = sorted(tie.fields() - set(columns))
            if missing:
                found.append(f"{place}: 没有列 {'、'.join(missing)}；可用的列见数据源的 columns")
                continue
            if not names_subjects(columns[tie.a]):
                found.append(f"{place}: a 须为身份号码、信用代码或其列表，“{tie.a}”不是")
            shared = said.kinds[tie.kind].shared
            if shared and columns[tie.b].type != shared:
                found.append(f"{place}: b 须为 {shared} 列，“{tie.b}”是 {columns[tie.b].type}")
            if not shared and not names_subjects(columns[tie.b]):
                found.append(f"{place}: b 须为身份号码、信用代码或其列表，“{tie.b}”不是")
            for name, value in tie.when.items():
                codes = columns[name].codes
                if codes and value not in codes:
                    found.append(f"{place}: {name} 没有代码“{value}”；可用：{'、'.join(codes)}")
    return found


def names_subjects(column: Column) -> bool:
    """Whether the column holds numbers of persons or organisations."""
    return column.type in SUBJECTS or column.form in LISTED
