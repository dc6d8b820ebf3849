"""People of a small office, their agreements, and browsers without a screen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client, override_settings
from django.utils import timezone

PASSWORD = "Correct-Horse-72"


class QuickHasher(PBKDF2PasswordHasher):
    """The real algorithm with few rounds: these tests sign in hundreds of times."""

    iterations = 1000


@pytest.fixture(autouse=True)
def quick_passwords(database: None) -> Iterator[None]:
    with override_settings(PASSWORD_HASHERS=[f"{__name__}.QuickHasher"]):
        yield


@pytest.fixture
def hire() -> Callable[..., Any]:
    """Somebody who may sign in: agreement signed; second factor off unless asked for."""
    from chuxiong.accounts.models import ConfidentialityAgreement, Person

    def make(
        username: str = "zhang",
        *,
        roles: tuple[str, ...] = ("prosecutor",),
        office: str = "532300",
        agreement: bool = True,
        **more: Any,
    ) -> Person:
        made = Person.objects.db_manager("owner").create_person(
            username=username,
            password=PASSWORD,
            name=f"{username}示例",
            office_id=office,
            roles=list(roles),
            **{"second_factor_required": False, **more},
        )
        if agreement:
            today = timezone.localdate()
            ConfidentialityAgreement.objects.using("owner").create(
                person=made,
                number=f"保密-{username}",
                signed_on=today - timedelta(days=10),
                valid_to=today + timedelta(days=300),
                registered_at=timezone.now(),
            )
        return Person.objects.get(pk=made.pk)

    return make


@pytest.fixture
def admins(hire: Callable[..., Any]) -> dict[str, Any]:
    """The three separated administrators."""
    return {kind: hire(kind, roles=(f"{kind}_admin",)) for kind in ("system", "security", "audit")}


def enter(client: Client, username: str = "zhang", password: str = PASSWORD, **more: Any) -> Any:
    return client.post("/login", {"username": username, "password": password}, **more)


def signed_in(username: str, **defaults: Any) -> Client:
    client = Client(**defaults)
    assert enter(client, username).status_code == 302
    assert client.get("/session").status_code == 200
    return client


def audited(action: str) -> list[tuple[str, str]]:
    """(actor, object) of every audit row of the action."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select actor, object_ref from audit_auditevent where action = %s order by id", [action]
        )
        return cursor.fetchall()
