"""Confidentiality agreements (保密协议) of people: without one in force nobody gets beyond the page that says so."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from django.db.models import Q, QuerySet
from django.utils import timezone

from .models import ConfidentialityAgreement, Person
from .policy import POLICY


def _in_force(on: datetime) -> Q:
    day = timezone.localdate(on)
    return Q(signed_on__lte=day, valid_to__gte=day) & (Q(ended_on__isnull=True) | Q(ended_on__gt=day))


def in_force(person: Person, *, on: datetime) -> ConfidentialityAgreement | None:
    """The agreement that lasts longest among those in force."""
    return person.confidentiality_agreements.filter(_in_force(on)).order_by("-valid_to").first()


def end_of(agreement: ConfidentialityAgreement) -> datetime:
    """The moment from which the agreement no longer holds."""
    return timezone.make_aware(datetime.combine(agreement.valid_to + timedelta(days=1), time()))


def register() -> QuerySet[ConfidentialityAgreement]:
    return ConfidentialityAgreement.objects.select_related("person__office")


def warn_days() -> int:
    return POLICY.agreement.warn_days.value


def soon_over(on: datetime) -> int:
    """How many people's last agreement in force ends within the warning time."""
    day = timezone.localdate(on)
    limit = day + timedelta(days=warn_days())
    lasting = ConfidentialityAgreement.objects.filter(_in_force(on), valid_to__gt=limit)
    ending = ConfidentialityAgreement.objects.filter(
        _in_force(on), valid_to__lte=limit, person__is_active=True
    )
    return ending.exclude(person__in=lasting.values("person")).values("person").distinct().count()


def people_without(on: datetime) -> QuerySet[Person]:
    """Active people without an agreement in force."""
    covered = ConfidentialityAgreement.objects.filter(_in_force(on)).values("person")
    return Person.objects.filter(is_active=True).exclude(pk__in=covered).select_related("office")
