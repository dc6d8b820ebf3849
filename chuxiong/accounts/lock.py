"""Failed attempts and locks, in Postgres.

An attempt is counted before the password is looked at: a hundred attempts at once get no more looks than the
limit allows. Known and unknown names are counted alike.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection
from django.utils.crypto import salted_hmac

from .models import Person, SignInFailures
from .policy import POLICY

_COUNT = """
insert into accounts_signinfailures as f (kind, subject, name, failures, window_start, locks, locked_until)
values (%(kind)s, %(subject)s, %(name)s, 1, %(at)s, 0, null)
on conflict (kind, subject) do update set (failures, window_start, locks, locked_until) = (
    select n.failures, n.window_start, n.locks + (n.failures = %(limit)s)::int,
        case when n.failures = %(limit)s
            then %(at)s + least(%(first)s * power(2, least(n.locks, 20)), %(cap)s) * interval '1 minute'
            else n.locked_until end
    from (select
        case when f.locked_until > %(at)s then f.failures + 1
             when f.locked_until is not null or f.window_start <= %(at)s - %(window)s::interval then 1
             else f.failures + 1 end as failures,
        case when f.locked_until > %(at)s then f.window_start
             when f.locked_until is not null or f.window_start <= %(at)s - %(window)s::interval then %(at)s
             else f.window_start end as window_start,
        case when f.window_start < %(at)s - interval '1 day' - coalesce(f.locked_until - f.window_start, '0')
             then 0 else f.locks end as locks,
        case when f.locked_until > %(at)s then f.locked_until end as locked_until) n)
returning failures, locked_until
"""


def _digest(*parts: str) -> str:
    return salted_hmac("chuxiong.accounts.lock", "|".join(parts), algorithm="sha256").hexdigest()


def _folded(username: str) -> str:
    return unicodedata.normalize("NFKC", username).strip().casefold()


def _subjects(username: str, address: str) -> dict[str, tuple[str, str]]:
    name = _digest("name", _folded(username))
    return {
        "pair": (_digest("pair", _folded(username), address), name),
        "name": (name, name),
        "address": (_digest("address", address), ""),
    }


def _count(kind: str, subject: str, name: str, at: datetime) -> datetime | None:
    """Count one attempt; returns until when it is locked, None when it may go on."""
    limit = POLICY.lock.limits[kind].value
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNT,
            {
                "kind": kind,
                "subject": subject,
                "name": name,
                "at": at,
                "limit": limit,
                "first": POLICY.lock.first_minutes.value,
                "cap": POLICY.lock.cap_minutes.value,
                "window": f"{POLICY.lock.window_minutes.value} minutes",
            },
        )
        failures, until = cursor.fetchone()
    return until if failures > limit else None


def _forget(kind: str, subject: str) -> None:
    """Take back one counted attempt, and the lock it alone brought about."""
    with connection.cursor() as cursor:
        cursor.execute(
            "update accounts_signinfailures set failures = greatest(failures - 1, 0), locked_until ="
            " case when failures <= %s then null else locked_until end where kind = %s and subject = %s",
            [POLICY.lock.limits[kind].value, kind, subject],
        )


def attempt(username: str, address: str, *, at: datetime) -> datetime | None:
    """Count an attempt to sign in; returns until when it is locked, None when the password may be looked at."""
    for kind, (subject, name) in _subjects(username, address).items():
        if until := _count(kind, subject, name, at):
            return until
    return None


def succeeded(username: str, address: str, *, at: datetime) -> None:
    """The password was right: the person's count ends, the address's takes back this one attempt."""
    subjects = _subjects(username, address)
    SignInFailures.objects.filter(kind__in=("pair", "name"), name=subjects["name"][0]).delete()
    _forget("address", subjects["address"][0])
    SignInFailures.objects.filter(window_start__lt=at - timedelta(days=7)).delete()


def attempt_code(person: Person, *, at: datetime) -> datetime | None:
    """Count an attempt at the second factor; returns until when it is locked."""
    name = _digest("name", _folded(person.username))
    return _count("code", _digest("code", str(person.pk)), name, at)


def code_succeeded(person: Person) -> None:
    SignInFailures.objects.filter(kind="code", subject=_digest("code", str(person.pk))).delete()


def locked_until(person: Person, *, at: datetime) -> datetime | None:
    """The latest lock on the person from anywhere, for the security administrator."""
    name = _digest("name", _folded(person.username))
    found = SignInFailures.objects.filter(name=name, locked_until__gt=at).order_by("-locked_until").first()
    return found.locked_until if found else None


def locked_people(people: Sequence[Person], *, at: datetime) -> set[int]:
    """Ids of those among the people who are locked from somewhere; one query."""
    by_name = {_digest("name", _folded(person.username)): person.pk for person in people}
    names = SignInFailures.objects.filter(name__in=by_name, locked_until__gt=at).values_list(
        "name", flat=True
    )
    return {by_name[name] for name in names}


def unlock(person: Person) -> int:
    """Forget every failure of the person; returns how many locks and counts went."""
    return SignInFailures.objects.filter(name=_digest("name", _folded(person.username))).delete()[0]
