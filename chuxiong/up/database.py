"""The database and its login roles. Idempotent; the bootstrap superuser is used here and nowhere else.

``python -m chuxiong.up.database`` does the same on a server of your own: ``CHUXIONG_SUPERUSER_URL`` names its
superuser, the five ``CHUXIONG_DATABASE_URL_*`` the roles with the passwords they shall have.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from urllib.parse import unquote, urlsplit, urlunsplit

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

from .children import ServiceFailed

DATABASE = "chuxiong"
ROLES = ("owner", "intake", "worker", "web", "wall")
#: the front's database and the one role that owns it and reaches nothing else
FRONT, FRONT_ROLE = "chuxiong_front", "cx_front"


def prepare(superuser: Callable[[str], str], passwords: Mapping[str, str], *, durable: bool = True) -> None:
    """Roles ``cx_<role>`` without any power over the cluster, and the database owned by ``cx_owner``.

    ``superuser`` gives the superuser's address of a database; ``passwords`` is by role. Raises
    ``ServiceFailed`` when Chinese text could not be searched, or, if ``durable``, when fsync is off.
    """
    connection = psycopg2.connect(superuser("postgres"))
    connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
    try:
        with connection.cursor() as cursor:
            for role in ROLES:
                name = sql.Identifier(f"cx_{role}")
                cursor.execute("select 1 from pg_roles where rolname = %s", [f"cx_{role}"])
                if cursor.fetchone() is None:
                    cursor.execute(sql.SQL("create role {}").format(name))
                cursor.execute(
                    sql.SQL(
                        "alter role {} login nosuperuser nobypassrls nocreatedb nocreaterole noreplication password {}"
                    ).format(name, sql.Literal(passwords[role]))
                )
            cursor.execute("select 1 from pg_database where datname = %s", [DATABASE])
            if cursor.fetchone() is None:
                cursor.execute(
                    f"create database {DATABASE} owner cx_owner template template0 encoding 'UTF8'"
                    " locale_provider libc lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'"
                )
            cursor.execute(f"revoke all on database {DATABASE} from public")
            grantees = ", ".join(f"cx_{r}" for r in ROLES)
            cursor.execute(f"grant connect on database {DATABASE} to {grantees}")
            # Who makes temporary tables: the web and the wall do not, and could put them in a function's way.
            cursor.execute(f"revoke temporary on database {DATABASE} from cx_web, cx_wall")
            cursor.execute(f"grant temporary on database {DATABASE} to cx_owner, cx_intake, cx_worker")
    finally:
        connection.close()
    _inside(superuser(DATABASE), durable)


def prepare_front(superuser: Callable[[str], str], password: str) -> None:
    """The front's role, without any power over the cluster, and its database, which nobody else may enter.

    On a cluster that holds the centre too, the role cannot enter the centre's database nor any other.
    """
    connection = psycopg2.connect(superuser("postgres"))
    connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
    try:
        with connection.cursor() as cursor:
            cursor.execute("select 1 from pg_roles where rolname = %s", [FRONT_ROLE])
            if cursor.fetchone() is None:
                cursor.execute(f"create role {FRONT_ROLE}")
            cursor.execute(
                sql.SQL(
                    "alter role {} login nosuperuser nobypassrls nocreatedb nocreaterole noreplication password {}"
                ).format(sql.Identifier(FRONT_ROLE), sql.Literal(password))
            )
            cursor.execute("select 1 from pg_database where datname = %s", [FRONT])
            if cursor.fetchone() is None:
                cursor.execute(
                    f"create database {FRONT} owner {FRONT_ROLE} template template0 encoding 'UTF8'"
                    " locale_provider libc lc_collate 'C.UTF-8' lc_ctype 'C.UTF-8'"
                )
            for database in (FRONT, "postgres", "template1"):
                cursor.execute(f"revoke all on database {database} from public")
            cursor.execute(f"grant connect on database {FRONT} to {FRONT_ROLE}")
    finally:
        connection.close()


def front_from_environment(environment: Mapping[str, str]) -> None:
    """Prepare the front's own server; raises ``ServiceFailed`` naming what is missing or wrong."""
    names = ("CHUXIONG_SUPERUSER_URL", "CHUXIONG_DATABASE_URL_FRONT")
    if missing := [n for n in names if not environment.get(n)]:
        raise ServiceFailed(f"缺少环境变量 / missing environment variables: {', '.join(missing)}")
    parts = urlsplit(environment["CHUXIONG_DATABASE_URL_FRONT"])
    if parts.username != FRONT_ROLE or parts.path != f"/{FRONT}" or not parts.password:
        raise ServiceFailed(
            f"CHUXIONG_DATABASE_URL_FRONT: 应为 / expected postgresql://{FRONT_ROLE}:PASSWORD@HOST/{FRONT}"
        )
    superuser = urlsplit(environment["CHUXIONG_SUPERUSER_URL"])
    prepare_front(
        lambda database: urlunsplit(superuser._replace(path=f"/{database}")), unquote(parts.password)
    )


def _inside(superuser: str, durable: bool) -> None:
    connection = psycopg2.connect(superuser)
    connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
    try:
        with connection.cursor() as cursor:
            cursor.execute("create extension if not exists pg_trgm")
            cursor.execute("revoke create on schema public from public")
            cursor.execute("grant usage, create on schema public to cx_owner")
            # With LC_CTYPE=C the trigrams of Chinese vanish without an error.
            cursor.execute("select cardinality(show_trgm('楚雄')), current_setting('fsync')")
            trigrams, fsync = cursor.fetchone()
            if not trigrams:
                raise ServiceFailed("数据库区域设置不支持中文检索（LC_CTYPE=C）；请用 C.UTF-8 重建数据目录")
            if durable and fsync != "on":
                raise ServiceFailed("fsync 已关闭：断电会丢数据，拒绝启动")
    finally:
        connection.close()


def from_environment(environment: Mapping[str, str]) -> None:
    """Prepare a server of one's own; raises ``ServiceFailed`` naming every variable that is missing or wrong."""
    names = {role: f"CHUXIONG_DATABASE_URL_{role.upper()}" for role in ROLES}
    missing = [n for n in ("CHUXIONG_SUPERUSER_URL", *names.values()) if not environment.get(n)]
    if missing:
        raise ServiceFailed(f"缺少环境变量 / missing environment variables: {', '.join(missing)}")
    passwords = {}
    for role, name in names.items():
        parts = urlsplit(environment[name])
        if parts.username != f"cx_{role}" or parts.path != f"/{DATABASE}" or not parts.password:
            raise ServiceFailed(f"{name}: 应为 / expected postgresql://cx_{role}:PASSWORD@HOST/{DATABASE}")
        passwords[role] = unquote(parts.password)
    superuser = urlsplit(environment["CHUXIONG_SUPERUSER_URL"])
    prepare(lambda database: urlunsplit(superuser._replace(path=f"/{database}")), passwords)


if __name__ == "__main__":
    try:
        (front_from_environment if sys.argv[1:] == ["front"] else from_environment)(os.environ)
    except (ServiceFailed, psycopg2.Error) as failure:
        sys.exit(f"数据库未能准备 / database not prepared: {failure}")
