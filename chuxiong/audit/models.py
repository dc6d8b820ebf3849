"""What was done and looked at. Insert-only; sealing and anchoring stand on these rows."""

from __future__ import annotations

from django.db import models


class AuditEvent(models.Model):
    """One act or one read of a sensitive page, written in the act's own transaction."""

    at = models.DateTimeField()
    actor = models.CharField(max_length=60)
    office = models.CharField(max_length=6, blank=True)
    action = models.CharField(max_length=60)
    object_kind = models.CharField(max_length=40)
    object_ref = models.CharField(max_length=80)
    reason = models.CharField(max_length=200, blank=True)
    detail = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_kind} {self.object_ref}"
