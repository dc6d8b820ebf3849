"""Offices and departments as pages need them."""

from __future__ import annotations

from .models import Department, Office, Person


def offices_of(person: Person) -> list[Office]:
    """Offices within the person's reach, in code order."""
    return list(Office.objects.filter(code__in=person.office_codes).order_by("code"))


def departments_of(office: str) -> list[Department]:
    return list(Department.objects.filter(office_id=office).order_by("code"))
