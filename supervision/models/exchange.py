"""Agencies' machines: who may call. The front has its own copy, sealed to its own key."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

SCOPES = ("data", "letters")


def both() -> list[str]:
    return list(SCOPES)


class AgencyClient(models.Model):
    """One agency's signing key. The secret is sealed under the application key, shown once at creation."""

    key = models.CharField(primary_key=True, max_length=40)
    agency = models.CharField(max_length=30)
    agency_zh = models.CharField(max_length=80)
    sealed_secret = models.BinaryField()
    #: what the machine is for: ``data`` (data contact), ``letters`` (business contact); separate addressees
    scopes = ArrayField(models.CharField(max_length=10), default=both)
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(scopes__contained_by=list(SCOPES)) & ~Q(scopes=[]), name="client_known_scopes"
            )
        ]

    def __str__(self) -> str:
        return self.key
