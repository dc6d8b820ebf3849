"""Is a batch as usual? Its measure held against those before it. Pure: the usual is passed in, no clock, no database.

Deviations are robust: median and median absolute deviation, so that one odd batch does not make the next look usual.
Chance is allowed for: shares of few rows vary by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field

from ingestion.catalog.spec import FeedSpec

_FILE = Path(__file__).with_name("health.yaml")
#: the standard deviation that a median absolute deviation stands for, for the normal distribution
_TO_DEVIATION = 1.4826
#: the rest of a column's values, beyond the commonest
REST = "…"


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Band(_Strict):
    spread: float = Field(gt=0)
    least: float = Field(gt=0)


class Factor(_Strict):
    factor: float = Field(gt=1)


class Aside(_Strict):
    share: float = Field(gt=0, le=1)
    rows: int = Field(gt=0)


class TicketTerms(_Strict):
    answer_days: int = Field(gt=0)
    remind_before_days: int = Field(ge=0)
    remind_every_days: int = Field(gt=0)
    rows: int = Field(gt=0)


class AgreementTermsOfWarning(_Strict):
    warn_days: int = Field(gt=0)


class Limits(_Strict):
    """``health.yaml``."""

    source: str
    since: str
    history: int = Field(gt=0)
    layouts: int = Field(gt=0)
    cut_lengths: tuple[int, ...] = Field(min_length=1)
    telling_batches: int = Field(gt=0)
    telling_rows: int = Field(gt=0)
    commonest: int = Field(gt=0)
    volume: Band
    empty: Band
    drift: Band
    median: Factor
    quarantined: Aside
    cadence_days: dict[str, int]
    ticket: TicketTerms
    agreement: AgreementTermsOfWarning


@lru_cache(maxsize=1)
def limits() -> Limits:
    """The house's limits; read once per process."""
    return Limits.model_validate(yaml.safe_load(_FILE.read_text(encoding="utf-8")))


@dataclass(frozen=True)
class Measure:
    """One batch in figures. ``received`` rows came, ``quarantined`` stood aside, the shares rest on ``rows``.

    A ``supplement`` brings nothing beyond the days covered before: its size and mixture say nothing.
    """

    received: int
    quarantined: int
    rows: int
    empty: Mapping[str, float] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    medians: Mapping[str, float] = field(default_factory=dict)
    supplement: bool = False


@dataclass(frozen=True)
class Finding:
    """One thing outside the usual. ``kind`` is volume_low, volume_high, quarantined, empty, drift or middle."""

    kind: str
    column: str
    seen: float
    usual: float
    limit: float

    def document(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "column": self.column,
            "seen": round(self.seen, 4),
            "usual": round(self.usual, 4),
            "limit": round(self.limit, 4),
        }


@dataclass(frozen=True)
class Usual:
    """What the batches before look like; ``low`` and ``high`` bound the rows, None when too few say so."""

    batches: int
    rows: float | None = None
    low: float | None = None
    high: float | None = None


def usual(feed: FeedSpec, received: Sequence[int], given: Limits) -> Usual:
    """The volume band from the rows of earlier batches, newest first, narrowed by the feed's own file."""
    counted = list(received)[: given.history]
    own_low = feed.expectations.minimum.rows or None
    own_high = feed.expectations.maximum.rows
    if len(counted) < given.telling_batches:
        return Usual(len(counted), None, own_low, own_high)
    middle, width = _band(counted, given.volume)
    low: float = max(0.0, middle - width)
    return Usual(
        len(counted),
        middle,
        float(own_low) if own_low is not None and own_low > low else low,
        float(own_high) if own_high is not None else middle + width,
    )


def judge(feed: FeedSpec, now: Measure, before: Sequence[Measure], given: Limits) -> list[Finding]:
    """What of ``now`` lies outside the usual of ``before`` (newest first); empty when too little is known."""
    before = [m for m in before if not m.supplement][: given.history]
    found: list[Finding] = []
    band = usual(feed, [m.received for m in before], given)
    own = not now.supplement
    if own and band.rows is not None and band.low is not None and now.received < band.low:
        found.append(Finding("volume_low", "", now.received, band.rows, band.low))
    if own and band.rows is not None and band.high is not None and now.received > band.high:
        found.append(Finding("volume_high", "", now.received, band.rows, band.high))
    share = now.quarantined / now.received if now.received else 0.0
    agreed = feed.expectations.maximum.quarantined
    limit = agreed if agreed is not None else given.quarantined.share
    if now.received and share > limit:
        earlier = [m.quarantined / m.received for m in before if m.received]
        found.append(Finding("quarantined", "", share, median(earlier) if earlier else 0.0, limit))
    telling = [m for m in before if m.rows >= given.telling_rows]
    if now.supplement or now.rows < given.telling_rows or len(telling) < given.telling_batches:
        return found
    for column, seen in sorted(now.empty.items()):
        found += _emptier(column, seen, now.rows, telling, given)
    for column, mixture in sorted(now.values.items()):
        found += _drifted(column, mixture, now.rows, telling, given)
    for column, middle in sorted(now.medians.items()):
        found += _shifted(column, middle, telling, given)
    return found


def _band(values: Sequence[float], given: Band) -> tuple[float, float]:
    middle = median(values)
    deviation = _TO_DEVIATION * median(abs(v - middle) for v in values)
    return middle, max(given.spread * deviation, given.least * middle)


def _emptier(column: str, seen: float, rows: int, before: list[Measure], given: Limits) -> list[Finding]:
    earlier = [m.empty[column] for m in before if column in m.empty]
    if len(earlier) < given.telling_batches:
        return []
    middle = median(earlier)
    deviation = _TO_DEVIATION * median(abs(v - middle) for v in earlier)
    chance = 3 * math.sqrt(middle * (1 - middle) / rows)
    limit = middle + max(given.empty.spread * deviation, given.empty.least, chance)
    return [Finding("empty", column, seen, middle, limit)] if seen > limit else []


def distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Total variation distance of two mixtures, 0 (equal) to 1 (nothing in common)."""
    return sum(abs(one.get(v, 0.0) - other.get(v, 0.0)) for v in {*one, *other}) / 2


def mixture_of(mixtures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """The mean of several mixtures."""
    names = {value for mixture in mixtures for value in mixture}
    return {name: sum(m.get(name, 0.0) for m in mixtures) / len(mixtures) for name in names}


def _drifted(
    column: str, mixture: Mapping[str, float], rows: int, before: list[Measure], given: Limits
) -> list[Finding]:
    earlier = [m.values[column] for m in before if m.values.get(column)]
    if len(earlier) < given.telling_batches or not mixture:
        return []
    mean = mixture_of(earlier)
    apart = [distance(m, mean) for m in earlier]
    middle = median(apart)
    deviation = _TO_DEVIATION * median(abs(v - middle) for v in apart)
    # What a sample of this size strays from its own source, bounded from above.
    chance = 2 * math.sqrt(len({*mixture, *mean}) / (2 * math.pi * rows))
    limit = max(middle + given.drift.spread * deviation, given.drift.least) + chance
    seen = distance(mixture, mean)
    return [Finding("drift", column, seen, middle, limit)] if seen > limit else []


def _shifted(column: str, middle: float, before: list[Measure], given: Limits) -> list[Finding]:
    earlier = [m.medians[column] for m in before if column in m.medians]
    if len(earlier) < given.telling_batches:
        return []
    before_ = median(earlier)
    if before_ <= 0 or middle <= 0:
        return []
    times = middle / before_
    if 1 / given.median.factor <= times <= given.median.factor:
        return []
    return [Finding("middle", column, middle, before_, given.median.factor)]
