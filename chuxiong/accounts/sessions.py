"""Signed-in stays: one per person, idle and absolute limits, ended at once when something about the person changes."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction

from chuxiong.work.bell import publish

from . import confidentiality
from .models import DutyPost, Person, PersonSession
from .policy import POLICY

#: Where the Django session carries the id of the stay.
STAY = "stay"
#: ``seen_at`` is written at most this often.
_TOUCH = timedelta(seconds=30)
End = PersonSession.End


@dataclass(frozen=True)
class Verdict:
    """The stay when it goes on, else why it ended (empty when there never was one)."""

    stay: PersonSession | None
    why: str = ""


def idle_limit() -> timedelta:
    return timedelta(minutes=POLICY.session.idle_minutes.value)


def begin(
    person: Person, *, at: datetime, address: str = "", duty_post: DutyPost | None = None
) -> PersonSession:
    """A new stay; the person's older one ends and is told so."""
    expires = at + timedelta(hours=POLICY.session.absolute_hours.value)
    if agreement := confidentiality.in_force(person, on=at):
        expires = min(expires, confidentiality.end_of(agreement))
    with transaction.atomic():
        Person.objects.select_for_update().only("pk").get(pk=person.pk)
        end(person, End.SUPERSEDED, at=at)
        return PersonSession.objects.create(
            person=person,
            started_at=at,
            seen_at=at,
            expires_at=expires,
            address=address[:45],
            duty_post=duty_post,
        )


def end(person: Person, why: str, *, at: datetime, stay: uuid.UUID | None = None) -> int:
    """End the person's open stay (or only the one given); pages and sockets learn of it after commit."""
    ended = PersonSession.objects.filter(person=person, ended_at__isnull=True)
    if stay is not None:
        ended = ended.filter(pk=stay)
    count = ended.update(ended_at=at, ended_why=why)
    if count:
        transaction.on_commit(lambda: publish("SessionEnded", person=person.pk))
    return count


def check(stay: str | None, person: Person, *, at: datetime, active: bool) -> Verdict:
    """Does the stay go on? ``active`` is False for what a page does by itself: that keeps nobody signed in."""
    try:
        key = uuid.UUID(str(stay))
    except ValueError:
        return Verdict(None)
    found = PersonSession.objects.filter(pk=key, person=person).first()
    if found is None:
        return Verdict(None)
    if found.ended_at is None:
        if not person.is_active:
            end(person, End.LEFT, at=at, stay=key)
            return Verdict(None, End.LEFT.value)
        if at >= found.expires_at:
            end(person, End.EXPIRED, at=at, stay=key)
            return Verdict(None, End.EXPIRED.value)
        if at - found.seen_at >= idle_limit():
            end(person, End.IDLE, at=at, stay=key)
            return Verdict(None, End.IDLE.value)
        if active and at - found.seen_at >= _TOUCH:
            PersonSession.objects.filter(pk=key, seen_at__lt=at).update(seen_at=at)
            found.seen_at = at
        return Verdict(found)
    return Verdict(None, found.ended_why)


def left(stay: PersonSession, *, at: datetime) -> timedelta:
    """How long the stay goes on if nothing is done."""
    return min(stay.expires_at, stay.seen_at + idle_limit()) - at
