"""May these fields be used for this purpose on this day? Pure; asked at import, publication and every run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class AgreementTerms:
    """What an agreement allows. ``fields``: feed → columns, ``{"*"}`` for all."""

    number: str
    valid_from: date
    valid_to: date
    ended_on: date | None
    purposes: frozenset[str]
    fields: Mapping[str, frozenset[str]]

    def in_force(self, on: date) -> bool:
        last = min(self.valid_to, self.ended_on) if self.ended_on else self.valid_to
        return self.valid_from <= on <= last


@dataclass(frozen=True)
class Permit:
    """The answer: allowed, or what stops and why, by feed."""

    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def allowed(self) -> bool:
        return not self.refused

    def explain(self) -> str:
        return "；".join(f"{feed}：{why}" for feed, why in sorted(self.refused.items()))


def permit(
    fields: Mapping[str, Iterable[str]],
    purpose: str,
    agreements: Iterable[AgreementTerms],
    on: date,
) -> Permit:
    """Check that every column of ``fields`` (feed → columns) is covered for ``purpose`` on day ``on``."""
    terms = list(agreements)
    refused: dict[str, str] = {}
    for feed, wanted in fields.items():
        about = [t for t in terms if feed in t.fields]
        current = [t for t in about if t.in_force(on)]
        fitting = [t for t in current if purpose in t.purposes]
        if not about:
            refused[feed] = "没有数据协议；请先由数据专管员登记协议"
        elif not current:
            last = max(about, key=lambda t: t.ended_on or t.valid_to)
            refused[feed] = f"协议 {last.number} 已于 {last.ended_on or last.valid_to} 失效；请续签后重试"
        elif not fitting:
            refused[feed] = f"协议 {current[0].number} 不含用途“{purpose}”；请补充协议"
        else:
            granted = frozenset().union(*(t.fields[feed] for t in fitting))
            lacking = sorted(set(wanted) - granted) if "*" not in granted else []
            if lacking:
                refused[feed] = f"协议 {fitting[0].number} 未包含字段 {', '.join(lacking)}"
    return Permit(refused)
