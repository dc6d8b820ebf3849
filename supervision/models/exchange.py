"""Agencies' machines: who may call, and which calls were already made."""

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


class Nonce(models.Model):
    """A nonce that was used; kept longer than the clock window."""

    client = models.CharField(max_length=40)
    nonce = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["client", "nonce"], name="nonce_once")]
        indexes = [models.Index(fields=["at"], name="nonce_age")]

    def __str__(self) -> str:
        return self.nonce
