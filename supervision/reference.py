"""Reads ``reference.yaml``: limits, numbering and reasons are data with a source, not constants."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import yaml
from pydantic import BaseModel, ConfigDict


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(_Strict):
    zh: str
    en: str


class Limit(_Strict):
    days: int
    source: str
    since: date

    def after(self, start: date) -> date:
        return start + timedelta(days=self.days)


class ClosedDomain(_Strict):
    """A domain whose clues only one department sees."""

    department: str
    #: what runs of its rules read sealed rows for ("" = they read none)
    purpose: str = ""
    source: str
    since: date


class Bound(_Strict):
    value: int
    source: str
    since: date


class UnmaskingBounds(_Strict):
    """How often numbers may be seen, and from when on it is odd."""

    outside_per_day: Bound
    alarm_per_hour: Bound


class DisclosureBounds(_Strict):
    """How many clues one disclosure may concern, how long an approval holds, how many a person opens in a day."""

    clues_most: Bound
    valid_days: Bound
    open_per_day: Bound


class ChecklistBounds(_Strict):
    """How many clues one checking list holds, and how many answers are applied at a time."""

    clues_most: Bound
    at_once: Bound


class PoolQueryBounds(_Strict):
    """Recorded queries of the pool: how many a day, how long one opens its profiles, how much it shows."""

    per_day: Bound
    valid_days: Bound
    subjects_most: Bound
    records_most: Bound


class CaseQueryBounds(_Strict):
    """How many queries of sealed registers one person makes in a day."""

    per_day: Bound


class OrderBounds(_Strict):
    """Hours until an order must be signed for, by the clue's level; and after that until the office above is told."""

    receipt_hours: dict[str, Bound]
    escalate_hours: Bound

    def receipt_due(self, level: str, issued_at: datetime) -> datetime:
        return issued_at + timedelta(hours=self.receipt_hours[level].value)


class LedgerBounds(_Strict):
    """How many clues one ledger holds."""

    clues_most: Bound


class InquiryRules(_Strict):
    """How facts are inquired into, and how many do it together."""

    people_least: Bound
    ways: dict[str, Words]


class Reference(_Strict):
    numbering: dict[str, str]
    limits: dict[str, Limit]
    reasons_by_list: dict[str, dict[str, Words]]
    outcome_kinds: dict[str, dict[str, Words]]
    closed_domains: dict[str, ClosedDomain]
    interference_ways: dict[str, Words]
    unmasking: UnmaskingBounds
    disclosure: DisclosureBounds
    case_query: CaseQueryBounds
    pool_query: PoolQueryBounds
    checklist: ChecklistBounds
    orders: OrderBounds
    ledger: LedgerBounds
    inquiry: InquiryRules

    def limit(self, name: str) -> Limit:
        return self.limits[name]

    def closed_to(self, domain: str) -> str:
        """The department that alone sees clues of ``domain``, or ""."""
        closed = self.closed_domains.get(domain)
        return closed.department if closed else ""

    def purpose(self, domain: str) -> str:
        """For what runs of ``domain``'s rules read the pool; "" where it is the usual purpose."""
        closed = self.closed_domains.get(domain)
        return closed.purpose if closed else ""

    def reasons(self, listing: str) -> dict[str, Words]:
        return self.reasons_by_list[listing]


def _load() -> Reference:
    document = yaml.safe_load((Path(__file__).parent / "reference.yaml").read_text(encoding="utf-8"))
    document["reasons_by_list"] = document.pop("reasons")
    return Reference.model_validate(document)


REFERENCE = _load()
