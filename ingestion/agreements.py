"""Agreements as rows, turned into terms for the pure ``permit``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from ingestion.catalog.permit import AgreementTerms, Permit, permit
from ingestion.models import Agreement

PURPOSE = "legal_supervision"


def terms(using: str = "default") -> list[AgreementTerms]:
    return [
        AgreementTerms(
            number=a.number,
            valid_from=a.valid_from,
            valid_to=a.valid_to,
            ended_on=a.ended_on,
            purposes=frozenset(a.purposes),
            fields={feed: frozenset(columns) for feed, columns in a.fields.items()},
        )
        for a in Agreement.objects.using(using).all()
    ]


def check(
    fields: Mapping[str, Iterable[str]], *, on: date, purpose: str = PURPOSE, using: str = "default"
) -> Permit:
    """The permit for reading these fields on day ``on``."""
    return permit(fields, purpose, terms(using), on)


def agreement_of(feed: str, *, on: date, using: str = "default") -> Agreement | None:
    """The agreement in force under which a feed is delivered."""
    for agreement in Agreement.objects.using(using).filter(fields__has_key=feed).order_by("-valid_to"):
        last = min(agreement.valid_to, agreement.ended_on) if agreement.ended_on else agreement.valid_to
        if agreement.valid_from <= on <= last:
            return agreement
    return None
