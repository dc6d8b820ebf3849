"""What pages show of the ways in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from ingestion.exchange import deliveries, receipts
from ingestion.models import Delivery, SourceMark
from ingestion.selectors import catalog


@dataclass(frozen=True)
class Row:
    """One delivery of the list, with what its files came to."""

    delivery: Delivery
    agency: Named
    receipt: dict[str, Any]


@dataclass(frozen=True)
class Gap:
    agency: Named
    numbers: str


@dataclass(frozen=True)
class Named:
    """Something of the catalogue in both languages."""

    code: str
    zh: str
    en: str


@dataclass(frozen=True)
class Delivered(Named):
    """A feed; ``whole``: agreed to be delivered as a whole list."""

    whole: bool


@dataclass(frozen=True)
class Provider(Named):
    """A data provider with the feeds that it delivers."""

    feeds: tuple[Delivered, ...]


def names() -> dict[str, Named]:
    return {p.code: p for p in providers()}


def _named(agency: str, known: dict[str, Named]) -> Named:
    return known.get(agency, Named(agency, agency or "—", agency or "—"))


@contextmanager
def desk(person: Person) -> Iterator[None]:
    """The reach of somebody who works with deliveries; which roles do, the doors decide."""
    with person_scope(person, feeds=catalog(), purpose="exchange"):
        yield


def rows(
    person: Person,
    *,
    at: datetime,
    way: str = "",
    agency: str = "",
    before: int | None = None,
    limit: int = 30,
) -> list[Row]:
    """Deliveries, newest first."""
    with desk(person):
        return _rows(at, way, agency, before, limit)


def _rows(at: datetime, way: str, agency: str, before: int | None, limit: int) -> list[Row]:
    found = Delivery.objects.order_by("-pk")
    if way:
        found = found.filter(way=way)
    if agency:
        found = found.filter(agency=agency)
    if before:
        found = found.filter(pk__lt=before)
    known, listed = names(), list(found[:limit])
    told = receipts.documents(listed, at=at)
    return [Row(d, _named(d.agency, known), r) for d, r in zip(listed, told, strict=True)]


def one(person: Person, code: str, *, at: datetime) -> Row | None:
    with desk(person):
        delivery = Delivery.objects.select_related("signed_by").filter(code=code).first()
        if delivery is None:
            return None
        return Row(delivery, _named(delivery.agency, names()), receipts.document(delivery, at=at))


def to_confirm(person: Person) -> int:
    with desk(person):
        return Delivery.objects.filter(state=Delivery.State.CONFIRMING).count()


def gaps(person: Person) -> list[Gap]:
    """Agencies of which bundles are missing, in code order."""
    known = names()
    with desk(person):
        waiting = (
            Delivery.objects.filter(way=Delivery.Way.BUNDLE, state=Delivery.State.WAITING)
            .values_list("agency", flat=True)
            .distinct()
        )
        found = [(a, deliveries.missing(a)) for a in sorted(set(waiting))]
    return [Gap(_named(a, known), receipts.ranges(numbers)) for a, numbers in found if numbers]


def faults() -> list[SourceMark]:
    """Sources whose last round went wrong."""
    return list(SourceMark.objects.filter(problem__isnull=False).order_by("code"))


def providers() -> list[Provider]:
    """Every data provider in code order: what a packing page and a form offer."""
    found: dict[str, tuple[Named, list[Delivered]]] = {}
    for code, feed in catalog().items():
        agency = feed.agency
        _, feeds = found.setdefault(agency.code, (Named(agency.code, agency.zh, agency.en), []))
        feeds.append(Delivered(code, feed.title.zh, feed.title.en, feed.load_mode == "snapshot"))
    return [Provider(code, p.zh, p.en, tuple(feeds)) for code, (p, feeds) in sorted(found.items())]


def people(*usernames: str | None) -> dict[str, str]:
    wanted = [u for u in usernames if u]
    return dict(Person.objects.filter(username__in=wanted).values_list("username", "name"))
