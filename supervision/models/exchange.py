"""Agencies' machines: who may call. The front has its own copy, sealed to its own key."""

from __future__ import annotations

from django.db import models


class AgencyClient(models.Model):
    """One agency's signing key. The secret is sealed under the application key, shown once at creation."""

    key = models.CharField(primary_key=True, max_length=40)
    agency = models.CharField(max_length=30)
    agency_zh = models.CharField(max_length=80)
    sealed_secret = models.BinaryField()
    active = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.key
