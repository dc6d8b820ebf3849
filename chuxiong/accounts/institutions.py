"""Writes offices, departments and roles from ``institutions.yaml``; existing rows are updated, none removed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from django.db import transaction

from .models import Department, Office, Permission, Role

FILE = Path(__file__).with_name("institutions.yaml")


def sync(*, using: str = "owner") -> dict[str, int]:
    """Returns the number of rows by kind."""
    document: dict[str, list[dict[str, Any]]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    with transaction.atomic(using=using):
        for order, permission in enumerate(document["permissions"]):
            Permission.objects.using(using).update_or_create(
                code=permission["code"],
                defaults={"name_zh": permission["zh"], "name_en": permission["en"], "order": order},
            )
        known = {permission["code"] for permission in document["permissions"]}
        for order, role in enumerate(document["roles"]):
            if unknown := set(role["may"]) - known:
                raise ValueError(
                    f"{FILE.name}: role {role['code']} names unknown permissions {sorted(unknown)}"
                )
            Role.objects.using(using).update_or_create(
                code=role["code"],
                defaults={
                    "name_zh": role["zh"],
                    "name_en": role["en"],
                    "kind": role["kind"],
                    "may": role["may"],
                    "order": order,
                },
            )
        for office in document["offices"]:
            Office.objects.using(using).update_or_create(
                code=office["code"],
                defaults={
                    "name_zh": office["zh"],
                    "name_en": office["en"],
                    "short_zh": office["short_zh"],
                    "short_en": office["short_en"],
                    "parent_id": office.get("parent"),
                },
            )
            for department in document["departments"]:
                if department["level"] == "prefecture" and office.get("parent"):
                    continue
                Department.objects.using(using).update_or_create(
                    office_id=office["code"],
                    code=department["code"],
                    defaults={"name_zh": department["zh"], "name_en": department["en"]},
                )
    return {kind: len(rows) for kind, rows in document.items()}
