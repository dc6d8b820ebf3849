"""The rule document. Strict; every condition is an operator of the closed catalogue."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

#: keys of a leaf that name further fields
FIELD_KEYS = ("other", "end", "other_end", "lat", "other_lat", "at")

Level = Literal["urgent", "important", "ordinary"]
Scalar = str | int | float | bool | date
Tier = Literal["A", "B", "C", "D"]


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
    #: further fields: the end of the own and of the other interval, the own and the other latitude
    end: str | None = None
    other_end: str | None = None
    lat: str | None = None
    other_lat: str | None = None
    #: the day by which rows that share a value are counted together
    at: str | None = None
    #: further parameters: both bounds, years of age, metres, what one unit of ``other`` lets expect
    low: str | None = None
    high: str | None = None
    years: str | None = None
    metres: str | None = None
    times: str | None = None
    #: units of ``field`` and ``other`` (``units.yaml``), of one dimension
    unit: str | None = None
    other_unit: str | None = None
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


class Latest(_Strict):
    """Of the rows that are equal in ``by`` only the one that comes last by ``order`` (columns of the feed).

    A row without a value in ``by`` is a version of nothing and stays; of equals the one that arrived last stays.
    """

    by: tuple[str, ...] = Field(min_length=1)
    order: tuple[str, ...] = Field(min_length=1)


class Source(_Strict):
    """One feed, or several feeds that say the same thing (``any_of``), combined per link key.

    ``latest`` is taken before ``where``: what the newest row says counts, not what an older one said.
    """

    feed: str | None = None
    latest: Latest | None = None
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
        if self.any_of is not None and (self.latest or self.where):
            raise ValueError("latest、where 只用于单一数据源；合并来源在 any_of 的各项里写 where")
        return self


class Link(_Strict):
    """How a source is reached from one already linked; always by equality of something, never by a cross product.

    - ``identity``: the same subject, also where one side holds it as a mention in a text 〔kind:ref〕. With ``left_role`` or ``right_role`` (mentions declared by the feed) also rows
      that name the subject without a full number, resolved at least as surely as ``tier``; A is the number itself.
    - ``key``: the same value; ``also`` names further columns that must be equal (left → right).
    - ``relation``: subjects related by one of ``kinds``, over at most ``hops`` steps, in either direction.
    - ``place``: the same value of a place (county, grid, river): blocks what distance or address then decides.

    ``optional`` keeps a row for which nothing is found, its fields of the source empty.
    """

    left: str
    right: str
    by: Literal["identity", "key", "relation", "place"]
    tier: Tier = "A"
    left_role: str | None = None
    right_role: str | None = None
    also: dict[str, str] = Field(default_factory=dict)
    kinds: tuple[str, ...] = ()
    hops: int = Field(default=1, ge=1, le=2)
    optional: bool = False


class Absence(_Strict):
    """A further feed in which nothing may stand either."""

    feed: str
    #: driver field → column of the absent feed
    match: dict[str, str]
    date: str | None = None
    #: with it a record is the interval from ``date`` to this column, which must not touch the window
    end: str | None = None
    #: which of the feed's records speak against it
    where: Tree | None = None
    #: driver field → column that must be written much the same: so many ``percent`` (a parameter) of pairs of characters
    alike: dict[str, str] = Field(default_factory=dict)
    percent: str | None = None
    #: driver field → text column of the absent feed that must hold its value
    named_in: dict[str, str] = Field(default_factory=dict)

    @property
    def asked(self) -> tuple[str, ...]:
        """The fields that a record is looked for by."""
        return (*self.match, *self.alike, *self.named_in)


class Without(Absence):
    """True when the feed holds no matching record in the window, and covers it; else undecided.

    The window is ``days`` from ``since``, or the whole interval from ``since`` to the field ``until``; ``back`` (a
    parameter) lets it begin so many days earlier. ``fewer_than`` (a parameter) allows for so many records less one.
    ``nor`` names further feeds, together with the first. With ``now`` any record counts that has not ended by the day
    of the run: what stands today, whenever it began (with ``back`` not earlier than that). A row that lacks a value to look by is undecided.
    """

    id: str
    zh: str
    en: str
    since: str
    days: str | None = None
    until: str | None = None
    back: str | None = None
    now: bool = False
    fewer_than: str | None = None
    nor: tuple[Absence, ...] = ()

    @model_validator(mode="after")
    def _one(self) -> Without:
        if (self.days is None) == (self.until is None):
            raise ValueError("写且只写 days、until 之一")
        if self.now and self.until is not None:
            raise ValueError("now 只与 days 同用：到今天仍有效的记录，不论何时开始")
        for absence in self.feeds:
            if absence.date is None and (not self.now or self.back):
                raise ValueError("没有写 date：写明哪一列是日期，或者写 now: true 而不写 back")
            if bool(absence.alike) != (absence.percent is not None):
                raise ValueError("alike 与 percent 须同时写")
        return self

    @property
    def feeds(self) -> tuple[Absence, ...]:
        """Every feed that is looked into, the first included."""
        own = {key: getattr(self, key) for key in Absence.model_fields}
        return (Absence(**own), *self.nor)


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


MEASURES = ("count", "distinct", "sum", "min", "max", "first", "share", "longest_run", "most_within")
#: the sum of points of a rule with ``score``, as a field
SCORE = "score.points"


class Points(_Strict):
    """A condition and the parameter that says how many points it gives."""

    when: Leaf
    points: str


class Score(_Strict):
    """A weighted sum of conditions; true when it reaches ``at_least`` (a parameter).

    Undecided conditions leave it open: true if the sum without them reaches, false if it would not even with them.
    The measure field ``score.points`` is the sum of what is true.
    """

    id: str
    zh: str
    en: str
    items: tuple[Points, ...] = Field(min_length=1)
    at_least: str


class Measure(_Strict):
    """A figure over the true rows. ``per`` divides by another field of the same row before taking the extreme.

    ``distinct`` counts different values; ``share`` is the percentage of rows for which a condition is true (a row for
    which it is undecided counts as without); ``longest_run`` is the longest unbroken run of days of a date field;
    ``most_within`` the greatest number of rows whose date lies within ``days`` (a parameter) of one of them and not
    before it.
    """

    count: Literal["rows"] | None = None
    distinct: str | None = None
    share: Leaf | None = None
    longest_run: str | None = None
    most_within: str | None = None
    days: str | None = None
    sum: str | None = None
    min: str | None = None
    max: str | None = None
    first: str | None = None
    per: str | None = None
    zh: str = ""
    en: str = ""

    @model_validator(mode="after")
    def _one(self) -> Measure:
        if sum(getattr(self, k) is not None for k in MEASURES) != 1:
            raise ValueError(f"写且只写 {'、'.join(MEASURES)} 之一")
        if self.per is not None and self.kind not in ("min", "max"):
            raise ValueError("per 只能与 min、max 同用")
        if (self.days is not None) != (self.kind == "most_within"):
            raise ValueError("days 与 most_within 同用，且只与它同用")
        return self

    @property
    def kind(self) -> str:
        return next(k for k in MEASURES if getattr(self, k) is not None)

    @property
    def field(self) -> str:
        """The field that is measured; of a share the one its condition looks at."""
        return self.share.field if self.share else str(getattr(self, self.kind))


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
    score: Score | None = None
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


#: per kind of measure, the operators that stay true when further rows join
_FURTHERED = {
    "count": frozenset({">", ">="}),
    "distinct": frozenset({">", ">="}),
    "longest_run": frozenset({">", ">="}),
    "most_within": frozenset({">", ">="}),
    "max": frozenset({">", ">="}),
    "min": frozenset({"<", "<=", "days_ago_at_least"}),
}


def furthered(measure: Measure, op: str) -> bool:
    """Whether more rows can but carry the condition on: then undecided rows bound the answer."""
    return op in _FURTHERED.get(measure.kind, frozenset())


def fields_of(leaf: Leaf) -> list[str]:
    """Every field that a condition looks at."""
    return [name for key in ("field", *FIELD_KEYS) if (name := getattr(leaf, key)) is not None]


def judged_leaves(rule: RuleSpec) -> list[Leaf]:
    """The conditions that are judged row by row: those of ``when``, of the score and of shares."""
    scored = [item.when for item in rule.score.items] if rule.score else []
    shares = [m.share for m in rule.measures.values() if m.share]
    return [*leaves(rule.when), *scored, *shares]


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
