"""One real Postgres and one real Valkey per test run; every database test starts from empty tables.

Tests never connect as superuser. ``default`` is the web role; ``acting_as("worker")`` runs worker code
on the worker's connection.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("CHUXIONG_SHARED", ROOT.parent / "shared"))

_services = None
#: the rules as ``rule sync`` writes them, put back before every database test
_rules: list[Any] = []


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers and Django before any test module is imported."""
    global _services
    if config.option.collectonly or _only_hands_out(config):
        return
    from chuxiong.up import services

    folder = Path(tempfile.mkdtemp(prefix="cx-test-"))
    _services = services.start(folder, durable=False)
    os.environ.update(_services.environment)
    os.environ["CHUXIONG_ROLE"] = "web"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chuxiong.settings")
    os.environ["CHUXIONG_HOSTS"] = "127.0.0.1,localhost,testserver"
    import django

    django.setup()
    from django.core.management import call_command
    from django.test.utils import setup_test_environment

    setup_test_environment()
    call_command("migrate", database="owner", verbosity=0)
    call_command("front", "prepare", stdout=open(os.devnull, "w"))
    call_command("office", "sync", verbosity=0, stdout=open(os.devnull, "w"))
    call_command("feed", "sync", verbosity=0, stdout=open(os.devnull, "w"))
    call_command("rule", "sync", stdout=open(os.devnull, "w"))
    from supervision.models import RuleState

    _rules.extend(RuleState.objects.using("owner"))


def _only_hands_out(config: pytest.Config) -> bool:
    """Whether this process runs no test itself but gives them to others, each with servers of its own."""
    return bool(getattr(config.option, "numprocesses", None)) and not hasattr(config, "workerinput")


def pytest_unconfigure(config: pytest.Config) -> None:
    if _services is None:
        return
    from django.db import connections

    connections.close_all()
    _services.stop()
    shutil.rmtree(_services.var, ignore_errors=True)
    shutil.rmtree(_services.postgres.sockets, ignore_errors=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    wanted = "drill" in (config.option.markexpr or "")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(pytest.mark.alone)
        if item.get_closest_marker("drill") and not wanted:
            item.add_marker(pytest.mark.skip(reason="long fault drill: make drill"))


_passed: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if report.when == "call" and report.passed and "browser" in report.keywords:
        _passed.append(report.nodeid)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Where a browser is required, a run whose browser tests were skipped has failed."""
    chosen = any(item.get_closest_marker("browser") for item in getattr(session, "items", ()))
    if os.environ.get("CHUXIONG_BROWSER_REQUIRED") and chosen and not _passed:
        print("\nbrowser tests are required but none has run")
        session.exitstatus = 1


_KEEP = {
    "accounts_office",
    "accounts_department",
    "accounts_role",
    "accounts_permission",
    "django_migrations",
    "django_content_type",
}


@pytest.fixture
def services():  # type: ignore[no-untyped-def]
    return _services


@pytest.fixture
def database() -> Iterator[None]:
    """Empty tables, committed data, the real roles."""
    from django.db import connections

    empty_tables()
    yield
    for connection in connections.all():
        if connection.in_atomic_block:
            raise AssertionError("a test left a transaction open")


#: Truncates what holds a row or has given a number: emptying a hundred empty tables costs more than most tests.
_EMPTY = """
do $do$
declare
    t regclass;
    used boolean;
    names text[] := '{}';
begin
    for t in
        select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('public', 'pool') and c.relkind in ('r', 'p') and not c.relname = any (%s)
    loop
        execute format('select exists (select from %%s)', t) into used;
        used := used or exists (
            select from pg_depend d join pg_class s on s.oid = d.objid
            where d.refobjid = t and case s.relkind when 'S' then pg_sequence_last_value(s.oid) is not null end
        );
        if used then
            names := names || t::text;
        end if;
    end loop;
    if names <> '{}' then
        execute 'truncate ' || array_to_string(names, ', ') || ' restart identity cascade';
    end if;
end
$do$
"""


def empty_tables() -> None:
    from django.db import connections

    from chuxiong.vault.keys import keys
    from supervision.models import RuleState

    keys.cache_clear()
    with connections["owner"].cursor() as cursor:
        cursor.execute(_EMPTY, [sorted(_KEEP)])
    with connections["front"].cursor() as cursor:
        cursor.execute(
            "truncate front_chunk, front_inbox, front_received, front_reply, front_quota, front_feed, front_nonce,"
            " front_client"
        )
    for store in ("batches", "exchange"):
        shutil.rmtree(Path(_services.var) / store, ignore_errors=True)
    with acting_as("owner"):
        RuleState.objects.bulk_create([copy(state) for state in _rules])


@contextmanager
def acting_as(role: str) -> Iterator[None]:
    """``default`` is the role's connection within the block."""
    from django.db import connections

    before = connections["default"]
    connections["default"] = connections[role]
    try:
        yield
    finally:
        connections["default"] = before


@pytest.fixture
def shared() -> Path:
    if not SHARED.is_dir():
        pytest.skip("shared test data is not on this machine (set CHUXIONG_SHARED)")
    return SHARED
