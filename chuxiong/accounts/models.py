"""People, offices, departments, roles: all of them data.

There is no superuser: ``Person`` carries neither ``is_superuser`` nor Django permissions.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.postgres.fields import ArrayField
from django.db import models


class Office(models.Model):
    """A procuratorate (院), keyed by the division code of its territory."""

    code = models.CharField(primary_key=True, max_length=6)
    name_zh = models.CharField(max_length=60)
    name_en = models.CharField(max_length=120)
    short_zh = models.CharField(max_length=20)
    short_en = models.CharField(max_length=60)
    parent = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="children")

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.name_zh

    @property
    def is_prefecture(self) -> bool:
        return self.parent_id is None


class Department(models.Model):
    """A department (条线) of one office; names and numbers differ from office to office."""

    office = models.ForeignKey(Office, on_delete=models.PROTECT, related_name="departments")
    code = models.CharField(max_length=30)
    name_zh = models.CharField(max_length=60)
    name_en = models.CharField(max_length=120)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["office", "code"], name="department_code_once")]
        ordering = ["office_id", "code"]

    def __str__(self) -> str:
        return self.name_zh


class Role(models.Model):
    """What a person may do; see the rows shipped with the first migration."""

    code = models.CharField(primary_key=True, max_length=30)
    name_zh = models.CharField(max_length=40)
    name_en = models.CharField(max_length=80)

    def __str__(self) -> str:
        return self.name_zh


class PersonManager(BaseUserManager["Person"]):
    def create_person(self, *, username: str, password: str, **fields: Any) -> Person:
        person = self.model(username=username, **fields)
        person.set_password(password)
        person.save(using=self._db)
        return person


class Person(AbstractBaseUser):
    """Somebody who signs in."""

    username = models.CharField(max_length=40, unique=True)
    name = models.CharField(max_length=60)
    office = models.ForeignKey(Office, on_delete=models.PROTECT, related_name="people")
    department = models.ForeignKey(Department, null=True, on_delete=models.PROTECT, related_name="people")
    roles = ArrayField(models.CharField(max_length=30), default=list)
    is_active = models.BooleanField(default=True)
    joined_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[PersonManager] = PersonManager()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    def __str__(self) -> str:
        return self.name

    @property
    def office_codes(self) -> list[str]:
        """Codes of the offices whose clues the person's office looks on."""
        if self.office.is_prefecture:
            return [
                self.office_id,
                *Office.objects.filter(parent_id=self.office_id).values_list("code", flat=True),
            ]
        return [self.office_id]

    def has_role(self, *codes: str) -> bool:
        return any(code in self.roles for code in codes)
