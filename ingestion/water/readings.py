"""What a reading carries, and so what may be said about it against a limit. Pure.

A figure at the detection limit says “at most this much”, a pH of whole numbers “within half a unit”, a figure that
an instrument repeats says nothing. All are kept and flagged; none is taken for a measurement that it is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from math import inf

from chuxiong.kit.water_limits import Limit
from ingestion.water.parameters import Parameters

PH = "w01001"


class Flag(StrEnum):
    BELOW = "below_detection"
    STUCK = "stuck"
    WHOLE_PH = "whole_ph"


@dataclass(frozen=True)
class Reading:
    """One figure. ``below``: the sender wrote “<” or “L”, the figure is then the detection limit."""

    at: datetime
    value: float
    below: bool = False


@dataclass(frozen=True)
class Carried:
    """The true figure lies within [low, high]; ``flags`` say why it is not known better."""

    reading: Reading
    low: float
    high: float
    flags: frozenset[Flag] = frozenset()


def carried(
    factor: str, readings: Sequence[Reading], detection: float | None, assumed: Parameters
) -> list[Carried]:
    """What each reading of one series carries, in the order given (by time).

    ``detection``: the detection limit of the factor in the readings' unit, where known.
    """
    found: list[Carried] = []
    for run in _runs(readings):
        stuck = len(run) >= assumed.stuck_readings.value
        for reading in run:
            if reading.below or (detection is not None and factor != PH and reading.value <= detection):
                most = reading.value if reading.below else detection or reading.value
                # Many in a row are what clean water looks like: no fault of the instrument.
                found.append(Carried(reading, 0.0, most, frozenset({Flag.BELOW})))
            elif stuck:
                found.append(Carried(reading, 0.0, inf, frozenset({Flag.STUCK})))
            else:
                found.append(Carried(reading, reading.value, reading.value))
    return _whole_ph(found, int(assumed.integer_ph_readings.value)) if factor == PH else found


def _runs(readings: Sequence[Reading]) -> Iterator[list[Reading]]:
    for _, run in groupby(readings, key=lambda r: (r.value, r.below)):
        yield list(run)


def _whole_ph(series: list[Carried], least: int) -> list[Carried]:
    """Whole numbers in a row were rounded before they were sent: half a unit either way."""
    out: list[Carried] = []
    for whole, run in groupby(series, key=lambda c: float(c.reading.value).is_integer()):
        members = list(run)
        if not whole or len(members) < least:
            out += members
            continue
        for member in members:
            value, flags = member.reading.value, member.flags | {Flag.WHOLE_PH}
            stuck = Flag.STUCK in member.flags
            out.append(
                Carried(member.reading, 0.0 if stuck else value - 0.5, inf if stuck else value + 0.5, flags)
            )
    return out


def exceeds(figure: Carried, limit: Limit) -> bool | None:
    """Outside the limit: certainly, certainly not, or (None) not to be told from this figure."""
    verdicts = []
    if limit.at_most is not None:
        verdicts.append(
            True if figure.low > limit.at_most else False if figure.high <= limit.at_most else None
        )
    if limit.at_least is not None:
        verdicts.append(
            True if figure.high < limit.at_least else False if figure.low >= limit.at_least else None
        )
    if True in verdicts:
        return True
    return None if None in verdicts else False
