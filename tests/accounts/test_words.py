"""Roles and permissions of the data file stand in the glossary, in both languages."""

from __future__ import annotations

from chuxiong.accounts.models import Permission, Role
from tests.house.test_glossary import _ROWS


def test_roles_and_permissions_stand_in_the_glossary():
    wanted = {(f"`{r.code}`", r.name_zh, r.name_en) for r in Role.objects.all()}
    wanted |= {(f"`{p.code}`", p.name_zh, p.name_en) for p in Permission.objects.all()}
    assert len(wanted) > 30 and wanted - _ROWS == set()
