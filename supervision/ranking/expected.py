"""Expected yield of a clue: chance of being confirmed × weight ÷ minutes. Pure: no database, no clock.

The chance comes from past checks alone. Kinds of clues are nested (all → rule → version → county → sources and tier);
a kind's chance is its own checks and ``strength`` more at the chance of the wider kind, so that few checks say little and
many speak for themselves. The same weights stand as SQL (``worth_sql``), for many clues in one statement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict, Field

#: (model, version, office, grade); a model is a rule or, without one, an origin
Kind = tuple[str, int, str, str]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Figure(_Strict):
    value: float
    source: str
    since: date


class Step(_Strict):
    """Holds from ``from`` on."""

    start: int = Field(alias="from")
    value: float
    source: str
    since: date


class Prior(_Strict):
    checked: int = Field(gt=0)
    confirmed: int = Field(ge=0)
    source: str
    since: date

    @property
    def chance(self) -> float:
        return self.confirmed / self.checked


class Minutes(_Strict):
    base: Figure
    per_source: Figure


class Spec(_Strict):
    prior: Prior
    strength: Figure
    enough: Figure
    tolerance: Figure
    pressing_days: Figure
    levels: dict[str, Figure]
    domains: dict[str, Figure]
    amounts: list[Step]
    ages: list[Step]
    minutes: Minutes
    today: Figure
    exploration: Figure


@lru_cache(maxsize=1)
def spec() -> Spec:
    """``ranking.yaml``; read once per process."""
    text = (Path(__file__).parent / "ranking.yaml").read_text(encoding="utf-8")
    return Spec.model_validate(yaml.safe_load(text))


# ---- the chance ------------------------------------------------------------------------------


def wider(kind: Kind) -> list[tuple[object, ...]]:
    """The kinds that a clue belongs to, the widest first: (), (rule,), (rule, version), …"""
    return [kind[:n] for n in range(len(kind) + 1)]


class Checks:
    """What past checks came to, by kind; each check counts for its kind and all wider ones."""

    def __init__(self, counts: Mapping[Kind, tuple[int, int]] | None = None) -> None:
        self._of: dict[tuple[object, ...], list[int]] = {}
        for kind, (checked, confirmed) in (counts or {}).items():
            self.add(kind, checked, confirmed)

    def add(self, kind: Kind, checked: int, confirmed: int) -> None:
        for key in wider(kind):
            held = self._of.setdefault(key, [0, 0])
            held[0] += checked
            held[1] += confirmed

    def counts(self, key: tuple[object, ...]) -> tuple[int, int]:
        checked, confirmed = self._of.get(key, (0, 0))
        return checked, confirmed

    def chance(self, kind: Kind) -> float:
        """Mean of the posterior of the narrowest kind, each level shrunk towards the wider one."""
        given = spec()
        found = given.prior.chance
        for key in wider(kind):
            checked, confirmed = self._of.get(key, (0, 0))
            found = (given.strength.value * found + confirmed) / (given.strength.value + checked)
        return found

    def share(self) -> float:
        """The base line: one chance for all."""
        checked, confirmed = self.counts(())
        strength = spec().strength.value
        return (strength * spec().prior.chance + confirmed) / (strength + checked)

    def of_rule(self, kind: Kind) -> float:
        """The second base line: the rule's own share."""
        checked, confirmed = self.counts(kind[:1])
        strength = spec().strength.value
        return (strength * self.share() + confirmed) / (strength + checked)


# ---- the weight ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Facts:
    """What the order asks of one open clue. ``amount`` in 分, 0 where no money is at stake."""

    level: str
    domain: str
    amount: int
    sources: int
    raised_on: date
    due_on: date | None
    deferred_until: date | None
    rebound: bool


@dataclass(frozen=True)
class Weight:
    """The factors of a clue's worth on one day."""

    level: float
    domain: float
    amount: float
    age: float
    minutes: float

    @property
    def product(self) -> float:
        return self.level * self.domain * self.amount * self.age

    def worth(self, chance: float) -> float:
        """Weighted confirmations to be expected of an hour's checking."""
        return chance * self.product * 60 / self.minutes


def _step(steps: Iterable[Step], reached: int) -> float:
    return next((s.value for s in sorted(steps, key=lambda s: -s.start) if reached >= s.start), 1.0)


def weigh(facts: Facts, today: date) -> Weight:
    given = spec()
    domain = given.domains.get(facts.domain)
    return Weight(
        level=given.levels[facts.level].value,
        domain=domain.value if domain else 1.0,
        amount=_step(given.amounts, facts.amount),
        age=_step(given.ages, (today - facts.raised_on).days),
        minutes=given.minutes.base.value + given.minutes.per_source.value * max(0, facts.sources - 1),
    )


#: Where a clue stands: rebounds, then limits that press, then worth, then what waits for its day, then what is closed.
REBOUND, PRESSING, DEFERRED, CLOSED = 2_000_000.0, 1_000_000.0, -1.0, -1_000.0
_EPOCH = date(2000, 1, 1)
_FAR = 100_000


def pressing(facts: Facts, today: date) -> bool:
    """Whether the limit outranks the yield."""
    return facts.due_on is not None and facts.due_on <= today + timedelta(
        days=int(spec().pressing_days.value)
    )


def place(facts: Facts, chance: float, today: date) -> float:
    """The greater, the nearer to the head of the queue."""
    if facts.deferred_until is not None and facts.deferred_until > today:
        return DEFERRED
    if facts.rebound or pressing(facts, today):
        due = (facts.due_on - _EPOCH).days if facts.due_on else _FAR
        return (REBOUND if facts.rebound else PRESSING) - due
    return weigh(facts, today).worth(chance)


def next_change(facts: Facts, today: date) -> date | None:
    """The next day on which time alone moves the clue."""
    if facts.deferred_until is not None and facts.deferred_until > today:
        return facts.deferred_until
    days = [facts.raised_on + timedelta(days=s.start) for s in spec().ages]
    if facts.due_on is not None:
        days.append(facts.due_on - timedelta(days=int(spec().pressing_days.value)))
    return min((day for day in days if day > today), default=None)


# ---- the same as SQL -------------------------------------------------------------------------


def _steps_sql(steps: Iterable[Step], reached: str) -> str:
    whens = " ".join(
        f"when {reached} >= {s.start} then {s.value}" for s in sorted(steps, key=lambda s: -s.start)
    )
    return f"(case {whens} else 1 end)"


def _worth_sql() -> str:
    given = spec()
    levels = " ".join(f"when '{name}' then {f.value}" for name, f in given.levels.items())
    domains = " ".join(f"when '{name}' then {f.value}" for name, f in given.domains.items())
    age = _steps_sql(given.ages, "(f.today - f.raised_on)")
    minutes = f"({given.minutes.base.value} + {given.minutes.per_source.value} * greatest(f.sources_ - 1, 0))"
    return (
        f"f.chance * (case f.level {levels} end)::float8 * (case f.domain {domains} else 1 end)::float8"
        f" * {_steps_sql(given.amounts, 'f.amount')}::float8 * {age}::float8 * 60 / {minutes}::float8"
    )


def place_sql() -> str:
    """``place`` of a row ``f`` with the columns of ``Facts`` (``sources_`` of them), ``chance`` (float8), ``today`` and ``open``."""
    days = int(spec().pressing_days.value)
    due = f"coalesce(f.due_on - date '{_EPOCH}', {_FAR})"
    return (
        f"(case when not f.open then {CLOSED} when f.deferred_until > f.today then {DEFERRED}"
        f" when f.rebound then {REBOUND} - {due} when f.due_on <= f.today + {days} then {PRESSING} - {due}"
        f" else {_worth_sql()} end)::float8"
    )


def next_change_sql() -> str:
    days = [f"f.raised_on + {s.start}" for s in spec().ages]
    days.append(f"f.due_on - {int(spec().pressing_days.value)}")
    ahead = ", ".join(f"case when {day} > f.today then {day} end" for day in days)
    return (
        "(case when not f.open then null when f.deferred_until > f.today then f.deferred_until"
        f" else least({ahead}) end)"
    )


# ---- today's five ----------------------------------------------------------------------------


def explores(slot: int) -> bool:
    """Whether the place goes to a little known rule: evenly, so that of many the share is exact."""
    share = round(spec().exploration.value * 10_000)
    return (slot + 1) * share // 10_000 > slot * share // 10_000


def slots(today: date, person: int) -> list[bool]:
    """For each place of a person's list of the day, whether it explores. People take their turns on different days."""
    many = int(spec().today.value)
    first = (today.toordinal() + person) * many
    return [explores(slot) for slot in range(first, first + many)]
