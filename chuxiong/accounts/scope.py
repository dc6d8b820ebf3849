"""Scope as transaction-local settings that the row-level policies read.

Outside ``scope()`` a connection sees no clue and no pool row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import connections, transaction

from .models import Office, Person

_SETTINGS = ("cx.offices", "cx.feeds", "cx.purpose", "cx.person", "cx.department", "cx.sealed")


@dataclass(frozen=True)
class Scope:
    """What one unit of work may reach."""

    offices: tuple[str, ...]
    feeds: tuple[str, ...] = ()
    purpose: str = ""
    person: str = ""
    department: str = ""
    #: the person's roles answer for what is sealed in their department
    sealed: bool = False

    def values(self) -> tuple[str, ...]:
        return (
            ",".join(self.offices),
            ",".join(self.feeds),
            self.purpose,
            self.person,
            self.department,
            "on" if self.sealed else "",
        )


@contextmanager
def scope(
    *,
    offices: Iterable[str],
    feeds: Iterable[str] = (),
    purpose: str = "",
    person: str = "",
    department: str = "",
    sealed: bool = False,
    using: str = "default",
) -> Iterator[Scope]:
    """Open a transaction whose reach is the given offices and feeds; restores the outer reach after."""
    wanted = Scope(tuple(offices), tuple(feeds), purpose, person, department, sealed)
    connection = connections[using]
    # What is set for a transaction ends with it: only within another one's transaction is there a reach to restore.
    inner = connection.in_atomic_block
    with transaction.atomic(using=using):
        with connection.cursor() as cursor:
            before: tuple[str | None, ...] = ()
            if inner:
                cursor.execute("select " + ", ".join(f"current_setting('{s}', true)" for s in _SETTINGS))
                before = cursor.fetchone()
            _apply(cursor, wanted.values())
        yield wanted
        if inner:
            with connection.cursor() as cursor:
                _apply(cursor, tuple(value or "" for value in before))


@contextmanager
def agency_scope(agency: str, *, using: str = "default") -> Iterator[None]:
    """Open a transaction that reaches what belongs to one data provider, and nothing else."""
    if not agency:
        raise ValueError("agency_scope needs the code of a data provider")
    connection = connections[using]
    with transaction.atomic(using=using):
        with connection.cursor() as cursor:
            cursor.execute("select current_setting('cx.agency', true)")
            before = cursor.fetchone()[0] or ""
            cursor.execute("select set_config('cx.agency', %s, true)", [agency])
        yield
        with connection.cursor() as cursor:
            cursor.execute("select set_config('cx.agency', %s, true)", [before])


def _apply(cursor, values) -> None:  # type: ignore[no-untyped-def]
    cursor.execute("select " + ", ".join(f"set_config('{s}', %s, true)" for s in _SETTINGS), list(values))


@contextmanager
def person_scope(
    person: Person, *, feeds: Iterable[str] = (), purpose: str = "supervision"
) -> Iterator[Scope]:
    """The reach of one signed-in person."""
    with scope(
        offices=person.office_codes,
        feeds=feeds,
        purpose=purpose,
        person=person.username,
        department=person.department.code if person.department else "",
        sealed=person.may("sealed.read"),
    ) as reach:
        yield reach


def all_offices() -> list[str]:
    return list(Office.objects.values_list("code", flat=True))
