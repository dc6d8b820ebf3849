"""How well the order of the queue comes true: what was foretold beside what came, and the figures it rests on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from dashboard.accounts.page import allowed
from dashboard.desk.page import page as page_of
from supervision.ranking import calibration, expected

#: the drawing, in its own units: a square of the chances with room for the scale
_SIDE, _LEFT, _TOP = 300.0, 44.0, 12.0


@dataclass(frozen=True)
class Dot:
    """One bin of the chart: where it stands, how large, and its interval."""

    x: float
    y: float
    radius: float
    low: float
    high: float


@allowed("clue.read")
@require_safe
def ranking(request: HttpRequest) -> HttpResponse:
    """The chart of the ranking, its scores beside the base lines, and the data of ``ranking.yaml``."""
    found = calibration.latest()
    context: dict[str, Any] = {"found": found, "figures": _figures(), "spec": expected.spec()}
    if found is not None:
        at, outcome = found
        bins = [b for b in outcome.bins if b.checked]
        context |= {
            "at": at,
            "outcome": outcome,
            "rows": [
                (b, b.foretold / b.checked, *calibration.interval(b.confirmed, b.checked)) for b in bins
            ],
            "dots": [_dot(b, max(x.checked for x in bins)) for b in bins],
            "ticks": [(n / 5, _x(n / 5), _y(n / 5)) for n in range(6)],
            "frame": {
                "left": _LEFT,
                "top": _TOP,
                "side": _SIDE,
                "right": _LEFT + _SIDE,
                "foot": _TOP + _SIDE,
                "share": _y(outcome.confirmed / outcome.checked) if outcome.checked else None,
            },
            "better": 100 * (1 - outcome.brier / outcome.brier_of_all) if outcome.brier_of_all else 0.0,
        }
    return page_of(request, "desk/ranking.html", "queue", context)


def _x(chance: float) -> float:
    return round(_LEFT + chance * _SIDE, 1)


def _y(share: float) -> float:
    return round(_TOP + (1 - share) * _SIDE, 1)


def _dot(found: calibration.Bin, most: int) -> Dot:
    low, high = calibration.interval(found.confirmed, found.checked)
    return Dot(
        x=_x(found.foretold / found.checked),
        y=_y(found.confirmed / found.checked),
        radius=round(3 + 6 * (found.checked / most) ** 0.5, 1),
        low=_y(low),
        high=_y(high),
    )


def _figures() -> list[tuple[str, str, str, Any]]:
    """What the order rests on: name, value, source, since."""
    given = expected.spec()
    levels = {"urgent": _("紧急"), "important": _("重点"), "ordinary": _("一般")}
    domains = {"minors": _("未成年人"), "public_interest": _("公益诉讼")}
    found = [
        (
            _("从未核查过时的查实可能"),
            _("%(n)s 条查实 %(k)s 条") % {"n": given.prior.checked, "k": given.prior.confirmed},
            given.prior.source,
            given.prior.since,
        )
    ]
    found += [
        (_("级别：%(name)s") % {"name": levels[k]}, f"{f.value:g}", f.source, f.since)
        for k, f in given.levels.items()
    ]
    found += [
        (_("领域：%(name)s") % {"name": domains.get(k, k)}, f"{f.value:g}", f.source, f.since)
        for k, f in given.domains.items()
    ]
    found += [
        (_("金额 %(n)s 元以上") % {"n": f"{s.start // 100:,}"}, f"{s.value:g}", s.source, s.since)
        for s in given.amounts
    ]
    found += [(_("发现满 %(n)s 天") % {"n": s.start}, f"{s.value:g}", s.source, s.since) for s in given.ages]
    for words, figure in (
        (_("每次核查预计分钟"), given.minutes.base),
        (_("每多一个数据源另加分钟"), given.minutes.per_source),
        (_("期限前多少天起优先"), given.pressing_days),
        (_("同类核查满多少条才作估计"), given.enough),
        (_("宽一类相当于多少次核查"), given.strength),
        (_("用于探索的位次"), given.exploration),
    ):
        found.append((words, f"{figure.value:g}", figure.source, figure.since))
    return found
