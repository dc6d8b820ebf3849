"""The rule document. Strict; every condition is an operator of the closed catalogue."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Level = Literal["urgent", "important", "ordinary"]
Scalar = str | int | float | bool


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Strict):
    zh: str
    en: str


class Basis(_Strict):
    """A legal basis, cited by the date of the act."""

    law: str
    article: str
    valid_from: date
    valid_to: date | None = None
    note: str = ""


class Param(_Strict):
    """A threshold: its value, where it comes from and since when. Money in 分."""

    value: Scalar | list[str]
    zh: str
    en: str
    source: str
    since: date


class Leaf(_Strict):
    """One condition: ``field`` and an operator with what it compares to."""

    id: str
    zh: str
    en: str
    field: str
    op: str
    value: Scalar | list[str] | None = None
    param: str | None = None
    other: str | None = None
    months: str | None = None
    days: str | None = None
    percent: str | None = None
    #: what an empty field counts as; without it an empty field leaves the condition undecided
    missing_as: Scalar | None = None


class Tree(_Strict):
    """Exactly one of all, any, not — or a single leaf written in place."""

    all: tuple[Node, ...] | None = None
    any: tuple[Node, ...] | None = None
    negated: Node | None = Field(default=None, alias="not")

    @model_validator(mode="after")
    def _one(self) -> Tree:
        if sum(x is not None for x in (self.all, self.any, self.negated)) != 1:
            raise ValueError("写且只写 all、any、not 之一")
        return self


Node = Leaf | Tree
Tree.model_rebuild()


class Member(_Strict):
    """One feed's part in a combined source: which of its columns stand for the common ones."""

    feed: str
    columns: dict[str, str]
    where: Tree | None = None


class Source(_Strict):
    """One feed, or several feeds that say the same thing (``any_of``), combined per link key."""

    feed: str | None = None
    where: Tree | None = None
    any_of: tuple[Member, ...] | None = None
    #: common column → min or max over the members' rows
    combine: dict[str, Literal["min", "max"]] = Field(default_factory=dict)
    zh: str
    en: str

    @model_validator(mode="after")
    def _one(self) -> Source:
        if (self.feed is None) == (self.any_of is None):
            raise ValueError("写且只写 feed、any_of 之一")
        return self


class Link(_Strict):
    left: str
    right: str
    by: Literal["identity", "key"]


class Without(_Strict):
    """True when the feed holds no matching record in the window, and covers it; else undecided."""

    id: str
    zh: str
    en: str
    feed: str
    #: driver field → column of the absent feed
    match: dict[str, str]
    #: the absent feed's date column must lie between the driver's date and that plus days
    date: str
    since: str
    days: str


class Place(_Strict):
    """Where a row lies, in degrees, and how far from the anchor another still counts as the same place."""

    lon: str
    lat: str
    metres: str


class Cluster(_Strict):
    """Rows of one subject that are one occurrence: within fixed reach of the first of them; it does not chain.

    Rows are taken in the order of ``time``. One that no earlier anchor reaches becomes an anchor itself; the
    others belong to the earliest anchor that reaches them. A row without time or place stands alone.

    Occurrences are those of the true rows among themselves, and a hit is judged on them alone: undecided rows
    neither take a hit away nor move its name. What undecided rows might change is bounded by windows:

    - an anchor is displaced if an undecided row reaches it, or a true row that a displaced anchor reaches; a
      row that an anchor which is not displaced reaches is fixed to the earliest such anchor;
    - every row not fixed to an earlier anchor opens a window: itself and the rows that it reaches, but those
      fixed to an anchor before it. Whatever the undecided rows turn out to be, each occurrence lies in a window;
    - an occurrence that is no hit is undecided if a window holding one of its rows could satisfy ``having``
      were all its rows true; a window with a row without time or place always could;
    - the rows of such windows without any true row are anchored among themselves: undecided occurrences.

    So nothing that might be a hit is lost; some of what is shown undecided can come to nothing.
    """

    zh: str
    en: str
    time: str
    hours: str
    place: Place | None = None
    #: fields that must be equal within one occurrence
    same: tuple[str, ...] = ()
    #: fields of the anchor that name the occurrence (the clue's bucket)
    named_by: tuple[str, ...] = Field(min_length=1)


class Measure(_Strict):
    """A figure over the true rows. ``per`` divides by another field of the same row before taking the extreme."""

    count: Literal["rows"] | None = None
    sum: str | None = None
    min: str | None = None
    max: str | None = None
    first: str | None = None
    per: str | None = None
    zh: str = ""
    en: str = ""

    @model_validator(mode="after")
    def _one(self) -> Measure:
        if sum(x is not None for x in (self.count, self.sum, self.min, self.max, self.first)) != 1:
            raise ValueError("写且只写 count、sum、min、max、first 之一")
        if self.per is not None and self.kind not in ("min", "max"):
            raise ValueError("per 只能与 min、max 同用")
        return self

    @property
    def kind(self) -> str:
        return next(k for k in ("count", "sum", "min", "max", "first") if getattr(self, k) is not None)

    @property
    def field(self) -> str:
        return str(getattr(self, self.kind))


class Band(_Strict):
    """A level and when it applies: every named measure at least its parameter; empty = otherwise."""

    level: Level
    at_least: dict[str, str] = Field(default_factory=dict)
    zh: str
    en: str


class Route(_Strict):
    """Which problem of the duty list a clue is; ``direct`` delivers to the office without triage before.

    ``problem`` is a problem's name, or the measure that holds it.
    """

    problem: str
    direct: bool = False


class Clue(_Strict):
    subject: str
    kind: Literal["person", "organisation", "case", "outfall", "project", "place"]
    label: str
    title: Words
    evidence: tuple[str, ...]


class Test(_Strict):
    """Given rows per feed, what must come out. Missing columns are empty."""

    name: str
    as_of: date
    covers: dict[str, date] = Field(default_factory=dict)
    given: dict[str, tuple[dict[str, Any], ...]]
    expect: Literal["hit", "miss", "undecided"]
    level: Level | None = None


class RuleSpec(_Strict):
    """One supervision model as a document."""

    id: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    code: str
    version: int
    status: Literal["draft", "checked", "trial", "live", "paused", "retired"]
    domain: Literal["criminal", "civil", "administrative", "public_interest", "minors", "management"]
    title: Words
    summary: Words
    purpose: str
    basis: tuple[Basis, ...] = Field(min_length=1)
    false_positives: tuple[Words, ...]
    checking_points: tuple[Words, ...]
    sources: dict[str, Source]
    driver: str
    link: tuple[Link, ...] = ()
    when: Tree
    without: tuple[Without, ...] = ()
    cluster: Cluster | None = None
    #: conditions on measures of the whole occurrence, e.g. at least three days above the limit
    having: Tree | None = None
    measures: dict[str, Measure]
    bands: tuple[Band, ...] = Field(min_length=1)
    params: dict[str, Param] = Field(default_factory=dict)
    clue: Clue
    department: str
    route: Route | None = None
    tests: tuple[Test, ...] = Field(min_length=3)

    def basis_on(self, day: date) -> list[Basis]:
        """What was in force on the day of the act."""
        return [b for b in self.basis if b.valid_from <= day and (b.valid_to is None or day <= b.valid_to)]


def leaves(node: Node) -> list[Leaf]:
    """All leaves of a tree, in reading order."""
    if isinstance(node, Leaf):
        return [node]
    return [
        leaf
        for child in (node.all or node.any or (node.negated,))
        if child is not None
        for leaf in leaves(child)
    ]
