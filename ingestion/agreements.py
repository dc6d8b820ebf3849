"""Agreements as rows, turned into terms for the pure ``permit``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date

from ingestion.catalog.permit import AgreementTerms, Permit, permit
from ingestion.models import Agreement
from ingestion.selectors import catalog

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


def kept_inside(feeds: Iterable[str], *, agency: str, on: date, using: str = "default") -> set[str]:
    """The feeds whose fields no agreement in force lets go to ``agency``; its own go back to it in any case."""
    wanted, own = set(feeds), catalog()
    free = {feed for feed in wanted if feed in own and own[feed].agency.code == agency}
    for agreement in Agreement.objects.using(using).filter(may_be_fed_back=True, valid_from__lte=on):
        last = min(agreement.valid_to, agreement.ended_on) if agreement.ended_on else agreement.valid_to
        if on <= last:
            free |= wanted & set(agreement.fields)
    return wanted - free
