"""The database and its login roles. Idempotent; the bootstrap superuser is used here and nowhere else."""

from __future__ import annotations

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

from .children import ServiceFailed
from .postgres import Postgres

DATABASE = "chuxiong"
ROLES = ("owner", "intake", "worker", "web", "wall")


def prepare(server: Postgres, passwords: dict[str, str]) -> None:
    """Roles ``cx_<role>`` without any power over the cluster, and the database owned by ``cx_owner``."""
    connection = psycopg2.connect(server.dsn())
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
                )
            cursor.execute(f"revoke all on database {DATABASE} from public")
            grantees = ", ".join(f"cx_{r}" for r in ROLES)
            cursor.execute(f"grant connect, temporary on database {DATABASE} to {grantees}")
    finally:
        connection.close()
    _inside(server)


def _inside(server: Postgres) -> None:
    connection = psycopg2.connect(server.dsn(DATABASE))
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
            if server.durable and fsync != "on":
                raise ServiceFailed("fsync 已关闭：断电会丢数据，拒绝启动")
    finally:
        connection.close()
