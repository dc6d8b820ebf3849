"""How long a clock runs: calendar months with the month-end rule, days, worked days. Pure."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from pydantic import BaseModel, ConfigDict, Field, model_validator

from chuxiong.kit import working_days


class Term(BaseModel):
    """A length of time: exactly one of months, days, working_days."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    months: int = Field(0, ge=0, le=120)
    days: int = Field(0, ge=0, le=3660)
    working_days: int = Field(0, ge=0, le=1000)

    @model_validator(mode="after")
    def _one(self) -> Term:
        if sum(x > 0 for x in (self.months, self.days, self.working_days)) != 1:
            raise ValueError("写且只写 months、days、working_days 之一")
        return self

    @property
    def zh(self) -> str:
        if self.months:
            return f"{self.months} 个月"
        return f"{self.days} 日" if self.days else f"{self.working_days} 个工作日"

    @property
    def en(self) -> str:
        count = self.months or self.days or self.working_days
        unit = "month" if self.months else "day" if self.days else "working day"
        return f"{count} {unit}{'' if count == 1 else 's'}"

    def after(self, start: date) -> date:
        """The last day of the term; the first day is the day after ``start`` (刑诉法 105, 民诉法 85).

        A term of months ends on the day of the same number; where the month has none, on its last day.
        """
        if self.months:
            number = start.year * 12 + start.month - 1 + self.months
            year, month = divmod(number, 12)
            return date(year, month + 1, min(start.day, monthrange(year, month + 1)[1]))
        if self.days:
            return start + timedelta(days=self.days)
        return working_days.plus(start, self.working_days)


@dataclass(frozen=True)
class Pause:
    """A clock stood still from ``since`` until it went on; ``until`` is None while it stands."""

    since: date
    until: date | None = None


@dataclass(frozen=True)
class Due:
    """``day``: the last day in time; None while the clock stands still. ``provisional``: it lies beyond, or a worked
    day in it lies beyond, the last holiday notice."""

    day: date | None
    provisional: bool


def due(
    start: date,
    term: Term,
    *,
    rolls: bool = False,
    pauses: Iterable[Pause] = (),
    extended_to: date | None = None,
) -> Due:
    """When a clock that started on ``start`` runs out.

    ``rolls``: a last day that rests moves to the next worked day. Days of a pause are added before that. An extension
    names a day and takes the place of what was reckoned.
    """
    stood = list(pauses)
    if any(p.until is None for p in stood):
        return Due(None, False)
    if extended_to is not None:
        return Due(extended_to, False)
    day = term.after(start)
    # Pauses that overlap stop the clock once.
    still = {p.since + timedelta(days=n) for p in stood if p.until for n in range((p.until - p.since).days)}
    day += timedelta(days=len(still))
    if rolls:
        day = working_days.on_or_after(day)
    provisional = (rolls or term.working_days > 0) and day > working_days.known_until()
    return Due(day, provisional)
