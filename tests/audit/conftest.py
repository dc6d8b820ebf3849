"""A chain of its own for every test: fresh tables, a fresh key, a fresh anchor folder."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings

from chuxiong.audit import sealer
from chuxiong.audit.record import record
from chuxiong.audit.verify import Report, verify
from tests.prefecture import NOW


@dataclass
class Chain:
    """The chain under test, and the hands of an attacker who is the database's owner."""

    key: Path
    anchor: Path

    def write(self, count: int = 1, **values: Any) -> None:
        given = {
            "at": NOW,
            "actor": "tester",
            "office": "532300",
            "action": "clue.read",
            "object_kind": "clue",
            "object_ref": "XS-2026-000001",
        } | values
        for _ in range(count):
            record(**given)

    def seal(self) -> sealer.Sealed:
        return sealer.seal(using="worker")

    def verify(self) -> Report:
        return verify()

    def as_owner(self, *statements: str) -> None:
        """Statements of somebody who owns the tables and has switched the guard off."""
        with connections["owner"].cursor() as cursor:
            for table in ("audit_auditevent", "audit_auditseal"):
                cursor.execute(f"alter table {table} disable trigger audit_unchangeable")
            for statement in statements:
                cursor.execute(statement)
            for table in ("audit_auditevent", "audit_auditseal"):
                cursor.execute(f"alter table {table} enable trigger audit_unchangeable")

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        with connections["owner"].cursor() as cursor:
            cursor.execute(question)
            return list(cursor.fetchall())


@pytest.fixture
def chain(database: None, tmp_path: Path) -> Iterator[Chain]:
    key, anchor = tmp_path / "keys" / "audit.pem", tmp_path / "anchor"
    with override_settings(AUDIT_KEY=key, AUDIT_ANCHOR=anchor):
        yield Chain(key, anchor)
