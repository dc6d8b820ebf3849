"""How well the chances come true: every past check foretold by the checks before it alone, then compared.

Nothing is fitted to what it is judged by: the checks pass in the order of their days, those of one day are all foretold
before any of them is counted. Beside the ranking stand two base lines judged alike: one chance for all, and the rule's share.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from itertools import groupby
from math import sqrt
from typing import Any

from django.conf import settings
from django.db import connection

from chuxiong.accounts.scope import all_offices, scope
from supervision.models import Calibration
from supervision.ranking.expected import Checks, Kind

BINS = 10


@dataclass
class Bin:
    """Checks that were foretold a chance between ``low`` and ``high``."""

    low: float
    high: float
    checked: int = 0
    confirmed: int = 0
    #: sum of the chances foretold
    foretold: float = 0.0

    def share(self) -> float | None:
        return self.confirmed / self.checked if self.checked else None


@dataclass
class Outcome:
    """The comparison. Brier scores: mean square of (chance − what came), 0 is best."""

    checked: int = 0
    confirmed: int = 0
    brier: float = 0.0
    brier_of_all: float = 0.0
    brier_of_rule: float = 0.0
    bins: list[Bin] = field(default_factory=list)
    #: confirmed among the tenth of each day's checks that was foretold the best chance, and how many that is
    head_checked: int = 0
    head_confirmed: int = 0


def judge(checks: Iterable[tuple[date, Kind, bool]]) -> Outcome:
    """``checks`` (day, kind, confirmed) in the order of their days."""
    known, out = Checks(), Outcome(bins=[Bin(n / BINS, (n + 1) / BINS) for n in range(BINS)])
    squares = [0.0, 0.0, 0.0]
    for _day, group in groupby(checks, key=lambda c: c[0]):
        day = list(group)
        foretold: list[tuple[float, bool]] = []
        for _on, kind, confirmed in day:
            chance = known.chance(kind)
            for n, told in enumerate((chance, known.share(), known.of_rule(kind))):
                squares[n] += (told - confirmed) ** 2
            found = out.bins[min(BINS - 1, int(chance * BINS))]
            found.checked += 1
            found.confirmed += confirmed
            found.foretold += chance
            foretold.append((chance, confirmed))
        head = sorted(foretold, key=lambda f: -f[0])[: len(foretold) // 10]
        out.head_checked += len(head)
        out.head_confirmed += sum(confirmed for _chance, confirmed in head)
        for _on, kind, confirmed in day:
            known.add(kind, 1, int(confirmed))
            out.checked += 1
            out.confirmed += confirmed
    if out.checked:
        out.brier, out.brier_of_all, out.brier_of_rule = (s / out.checked for s in squares)
    return out


def interval(confirmed: int, checked: int, z: float = 1.96) -> tuple[float, float]:
    """Wilson's interval of a share."""
    if not checked:
        return 0.0, 1.0
    share = confirmed / checked
    middle = share + z * z / (2 * checked)
    half = z * sqrt(share * (1 - share) / checked + z * z / (4 * checked * checked))
    scale = 1 + z * z / checked
    return max(0.0, (middle - half) / scale), min(1.0, (middle + half) / scale)


def calibrate(*, at: datetime) -> Calibration:
    """Judge the whole history and keep the result; what is sealed or kept from somebody is in no total."""
    with scope(offices=all_offices()), connection.cursor() as cursor:
        cursor.execute(
            "select (checked_at at time zone %s)::date as day, model, version, office,"
            " sources || case when tier = '' then '' else ':' || tier end, confirmed from supervision_cluerank"
            " where checked_at is not null and not personal and not exercise order by day, clue_id",
            [settings.TIME_ZONE],
        )
        outcome = judge((day, (m, v, o, g), yes) for day, m, v, o, g, yes in cursor.fetchall())
        return Calibration.objects.create(at=at, checked=outcome.checked, result=asdict(outcome))


def latest() -> tuple[datetime, Outcome] | None:
    """The last comparison."""
    found = Calibration.objects.order_by("-pk").first()
    if found is None:
        return None
    told: dict[str, Any] = found.result
    bins: Sequence[dict[str, Any]] = told["bins"]
    return found.at, Outcome(**{**told, "bins": [Bin(**b) for b in bins]})
