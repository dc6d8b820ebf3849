"""The house keeps its shape: foreign keys, grants, no identifier columns in the clear."""

from __future__ import annotations

from django.apps import apps
from django.db import connections

_FLOORS = ["accounts", "vault", "audit", "work", "ingestion", "supervision", "dashboard"]


def test_foreign_keys_never_point_upwards():
    for model in apps.get_models():
        app = model._meta.app_label
        if app not in _FLOORS:
            continue
        for field in model._meta.get_fields():
            target = (
                getattr(field, "remote_field", None)
                and getattr(field, "concrete", False)
                and field.related_model
            )
            if target and target._meta.app_label in _FLOORS:
                below = _FLOORS.index(target._meta.app_label)
                assert below <= _FLOORS.index(app), f"{model.__name__}.{field.name} → {target.__name__}"


def test_no_role_of_the_application_has_power_over_the_cluster():
    with connections["web"].cursor() as cursor:
        cursor.execute(
            "select rolname from pg_roles where rolname like 'cx\\_%'"
            " and (rolsuper or rolbypassrls or rolcreatedb or rolcreaterole or rolreplication)"
        )
        assert cursor.fetchall() == []


def test_the_wall_reaches_counts_and_nothing_behind_them():
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where n.nspname in ('public', 'pool', 'staging') and c.relkind in ('r', 'v', 'p')"
            " and has_table_privilege('cx_wall', c.oid, 'select')"
        )
        reach = {name for (name,) in cursor.fetchall()}
    assert reach == {
        "accounts_office",
        "django_migrations",
        "supervision_rulestate",
        "wall_alarm",
        "wall_camera",
        "wall_clue",
        "wall_clue_day",
        "wall_event",
        "wall_feed",
        "wall_landing_day",
        "wall_pair",
        "wall_result",
        "wall_river",
        "wall_river_place",
        "wall_urgent_clue",
    }


def test_every_table_with_people_has_row_level_security():
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace"
            " where c.relkind = 'r' and not c.relrowsecurity and (n.nspname = 'pool'"
            " or c.relname in ('supervision_clue', 'supervision_clueevent', 'supervision_letter'))"
        )
        assert cursor.fetchall() == []
