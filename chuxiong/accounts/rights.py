"""Grants and row-level policies as data: what ``manage.py migrate`` applies after the migrations.

Every app may own a ``rights`` module with

``TABLES``   table → role → privileges (roles without the ``cx_`` prefix)
``POLICIES`` table → list of (policy name, roles, command, USING expression, CHECK expression)
``STATEMENTS`` further idempotent statements (views, functions)
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg2 import sql

ROLES = ("intake", "worker", "web", "wall")

TABLES = {
    "accounts_office": {"intake": "SELECT", "worker": "SELECT", "web": "SELECT", "wall": "SELECT"},
    "accounts_department": {"worker": "SELECT", "web": "SELECT"},
    "accounts_role": {"web": "SELECT"},
    "accounts_person": {"worker": "SELECT", "web": "SELECT, UPDATE"},
    "django_session": {"web": "SELECT, INSERT, UPDATE, DELETE"},
    "django_content_type": {"web": "SELECT", "worker": "SELECT"},
    "django_migrations": {"web": "SELECT", "worker": "SELECT", "intake": "SELECT", "wall": "SELECT"},
}

# The setting is read once per statement (sub-select), not once per row.
OFFICE_IN_SCOPE = "{column} = any (string_to_array((select current_setting('cx.offices', true)), ','))"
FEED_IN_SCOPE = "{feed} = any (string_to_array((select current_setting('cx.feeds', true)), ','))"


def _modules() -> Iterator[object]:
    for app in apps.get_app_configs():
        if find_spec(f"{app.name}.rights"):
            yield import_module(f"{app.name}.rights")


def apply(connection: BaseDatabaseWrapper) -> None:
    """Apply every app's rights; the connection belongs to the owner role."""
    with connection.cursor() as cursor:
        for role in ROLES:
            cursor.execute(
                sql.SQL(
                    "revoke all on all tables in schema public from {r}; grant usage on schema public to {r}"
                )
                .format(r=sql.Identifier(f"cx_{role}"))
                .as_string(connection.connection)
            )
        for module in _modules():
            for statement in getattr(module, "STATEMENTS", ()):
                cursor.execute(statement)
            for table, grants in getattr(module, "TABLES", {}).items():
                for role, privileges in grants.items():
                    cursor.execute(f'grant {privileges} on "{table}" to cx_{role}')
                    if "INSERT" in privileges:
                        _grant_sequence(cursor, table, role)
            for table, policies in getattr(module, "POLICIES", {}).items():
                _apply_policies(cursor, table, policies)


def _grant_sequence(cursor, table: str, role: str) -> None:  # type: ignore[no-untyped-def]
    cursor.execute(
        "select s.relname from pg_class s join pg_depend d on d.objid = s.oid and d.deptype in ('a', 'i')"
        " join pg_class t on t.oid = d.refobjid where s.relkind = 'S' and t.relname = %s",
        [table],
    )
    for (sequence,) in cursor.fetchall():
        cursor.execute(f'grant usage on sequence "{sequence}" to cx_{role}')


def _apply_policies(cursor, table: str, policies) -> None:  # type: ignore[no-untyped-def]
    cursor.execute(f'alter table "{table}" enable row level security')
    for name, roles, command, using, check in policies:
        grantees = ", ".join(f"cx_{role}" for role in roles)
        cursor.execute(f'drop policy if exists "{name}" on "{table}"')
        parts = [f'create policy "{name}" on "{table}" for {command} to {grantees}']
        if using:
            parts.append(f"using ({using})")
        if check:
            parts.append(f"with check ({check})")
        cursor.execute(" ".join(parts))
