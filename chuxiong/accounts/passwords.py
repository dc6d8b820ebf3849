"""Password rules from the policy, earlier passwords, age; checking a password in the same time for any name."""

from __future__ import annotations

import re
import secrets
from datetime import datetime, timedelta
from typing import Any

from django.contrib.auth.backends import BaseBackend
from django.contrib.auth.hashers import check_password, make_password
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import HttpRequest
from django.utils.translation import get_language

from .models import PasswordTrace, Person
from .policy import POLICY

_CLASSES = (r"[a-z]", r"[A-Z]", r"[0-9]", r"[^a-zA-Z0-9]")
_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789"
HALF = 8


class PolicyValidator:
    """Length, classes of characters, no name in it, none of the last passwords."""

    def validate(self, password: str, user: Person | None = None) -> None:
        rules = POLICY.password
        length, classes, remembered = rules.min_length.value, rules.classes.value, rules.remembered.value
        if len(password) < length:
            raise _wrong(f"密码至少 {length} 位。", f"At least {length} characters.")
        if sum(bool(re.search(c, password)) for c in _CLASSES) < classes:
            raise _wrong(
                f"密码须含大写字母、小写字母、数字、符号中的至少 {classes} 类。",
                f"Use at least {classes} of: capitals, small letters, digits, signs.",
            )
        if user is None:
            return
        if any(len(part) > 1 and part.lower() in password.lower() for part in (user.username, user.name)):
            raise _wrong(
                "密码中不得含有用户名或姓名。", "The password must not contain the user name or name."
            )
        if user.pk and is_remembered(user, password):
            raise _wrong(
                f"不得使用最近 {remembered} 次用过的密码。",
                f"None of the last {remembered} passwords may be used.",
            )

    def get_help_text(self) -> str:
        return ""


def _wrong(zh: str, en: str) -> ValidationError:
    return ValidationError(en if (get_language() or "").startswith("en") else zh)


def is_remembered(person: Person, password: str) -> bool:
    """Is it the present password or one of the last ones?"""
    earlier = person.earlier_passwords.order_by("-at").values_list("hash", flat=True)
    hashes = [person.password, *earlier[: POLICY.password.remembered.value - 1]]
    return any(check_password(password, known) for known in hashes if known)


def change(person: Person, password: str, *, at: datetime, must_change: bool = False) -> None:
    """Set a validated password and keep the trace of the one before; other sessions are the caller's matter."""
    with transaction.atomic():
        if person.has_usable_password():
            PasswordTrace.objects.create(person=person, hash=person.password, at=at)
        earlier = person.earlier_passwords.order_by("-at").values_list("pk", flat=True)
        kept = list(earlier[: POLICY.password.remembered.value])
        person.earlier_passwords.exclude(pk__in=kept).delete()
        person.set_password(password)
        person.password_changed_at = at
        person.must_change_password = must_change
        person.save(update_fields=["password", "password_changed_at", "must_change_password"])


def expired(person: Person, *, at: datetime) -> bool:
    if person.password_changed_at is None:
        return False
    return at - person.password_changed_at >= timedelta(days=POLICY.password.max_age_days.value)


def dormant(person: Person, *, at: datetime) -> bool:
    """Has the account slept too long? A newly issued one-time password wakes it."""
    marks = (person.last_login, person.password_changed_at, person.joined_at)
    return at - max(mark for mark in marks if mark) >= timedelta(days=POLICY.account.dormant_days.value)


def half() -> str:
    """One half of a one-time password: about 46 bits."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(HALF))


class PasswordBackend(BaseBackend):
    """Checks a name and a password; an unknown name, a person who left and a wrong password cost the same."""

    def authenticate(
        self, request: HttpRequest | None, username: str = "", password: str = "", **_: Any
    ) -> Person | None:
        person = Person.objects.filter(username=username).first()
        if person is None:
            make_password(password)
            return None
        if not person.check_password(password) or not person.is_active:
            return None
        return person

    def get_user(self, user_id: int) -> Person | None:
        return (
            Person.objects.select_related("office", "department").filter(pk=user_id, is_active=True).first()
        )
