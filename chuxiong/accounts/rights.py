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
    "accounts_office": {
        "intake": "SELECT",
        "worker": "SELECT",
        "web": "SELECT, INSERT, UPDATE",
        "wall": "SELECT",
    },
    "accounts_department": {"worker": "SELECT", "web": "SELECT, INSERT, UPDATE"},
    "accounts_permission": {"web": "SELECT"},
    "accounts_role": {"worker": "SELECT", "web": "SELECT"},
    "accounts_person": {"worker": "SELECT", "web": "SELECT, INSERT, UPDATE"},
    "accounts_passwordtrace": {"web": "SELECT, INSERT, DELETE"},
    "accounts_passwordissue": {"web": "SELECT, INSERT, UPDATE"},
    "accounts_signinfailures": {"web": "SELECT, INSERT, UPDATE, DELETE"},
    "accounts_dutypost": {"web": "SELECT, INSERT, UPDATE"},
    "accounts_personsession": {"web": "SELECT, INSERT, UPDATE"},
    "accounts_secondfactor": {"web": "SELECT, INSERT, UPDATE, DELETE"},
    "accounts_recoverycode": {"web": "SELECT, INSERT, UPDATE, DELETE"},
    "accounts_certificate": {"web": "SELECT, INSERT, UPDATE"},
    "accounts_gatewayproof": {"web": "SELECT, INSERT, DELETE"},
    "accounts_confidentialityagreement": {"web": "SELECT, INSERT, UPDATE"},
    "django_session": {"web": "SELECT, INSERT, UPDATE, DELETE"},
    "django_content_type": {"web": "SELECT", "worker": "SELECT"},
    "django_migrations": {"web": "SELECT", "worker": "SELECT", "intake": "SELECT", "wall": "SELECT"},
}

STATEMENTS = [
    # The separation of administrators, held a second time below the application: whatever a page says, the web
    # role creates people only in the name of a system administrator and grants only in that of a security one.
    """
    create or replace function accounts_person_guard() returns trigger language plpgsql
    set search_path = pg_catalog, public, pg_temp as $$
    declare
        actor bigint;
        duties varchar[];
    begin
        if current_user <> 'cx_web' then
            return new;
        end if;
        if tg_op = 'UPDATE' and (new.roles, new.is_active, new.second_factor_required, new.username, new.name,
                new.office_id, new.department_id, new.agency) is not distinct from (old.roles, old.is_active,
                old.second_factor_required, old.username, old.name, old.office_id, old.department_id, old.agency) then
            return new;
        end if;
        select id, roles into actor, duties from accounts_person
            where username = current_setting('cx.person', true) and is_active;
        if actor is null or actor = new.id then
            raise exception 'somebody else has to change this person' using errcode = 'insufficient_privilege';
        end if;
        if tg_op = 'INSERT' then
            if not duties = '{system_admin}' or cardinality(new.roles) > 0
                    or not new.second_factor_required then
                raise exception 'a system administrator creates people, without roles'
                    using errcode = 'insufficient_privilege';
            end if;
            return new;
        end if;
        if new.second_factor_required <> old.second_factor_required or new.username <> old.username
                or new.agency <> old.agency then
            raise exception 'not changed by any page' using errcode = 'insufficient_privilege';
        end if;
        if new.roles <> old.roles and not duties = '{security_admin}'
                and not (not new.is_active and cardinality(new.roles) = 0) then
            raise exception 'a security administrator grants roles' using errcode = 'insufficient_privilege';
        end if;
        if (new.is_active, new.name, new.office_id, new.department_id) is distinct from
                (old.is_active, old.name, old.office_id, old.department_id)
                and not duties = '{system_admin}' then
            raise exception 'a system administrator keeps people' using errcode = 'insufficient_privilege';
        end if;
        return new;
    end $$
    """,
    "create or replace trigger accounts_person_guard before insert or update on accounts_person"
    " for each row execute function accounts_person_guard()",
]

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
