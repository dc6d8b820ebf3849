"""Who sends telemetry, from where, and what was heard. Readings themselves lie in the pool."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class TelemetryDevice(models.Model):
    """One data logger as registered: the outlet it stands at and how long it may be silent."""

    mn = models.CharField(max_length=40, unique=True)
    county = models.CharField(max_length=6, blank=True)
    organisation = models.UUIDField(null=True)
    org_name = models.CharField(max_length=120, blank=True)
    outlet_no = models.CharField(max_length=20, blank=True)
    outlet_name = models.CharField(max_length=80, blank=True)
    silent_after_minutes = models.PositiveIntegerField()
    active_from = models.DateField()
    active_to = models.DateField(null=True)
    source = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(active_to=None) | Q(active_to__gte=F("active_from")), name="device_period_forward"
            ),
            models.CheckConstraint(condition=Q(silent_after_minutes__gt=0), name="device_may_fall_silent"),
        ]

    def __str__(self) -> str:
        return self.mn


class TelemetryLimit(models.Model):
    """The limit of one factor at one outlet; the most particular one in force on the day of the reading counts."""

    device = models.ForeignKey(TelemetryDevice, on_delete=models.CASCADE, related_name="limits")
    factor = models.CharField(max_length=10)
    #: command code (2011, 2051, 2061, 2031) it holds for; empty: for all
    data_type = models.CharField(max_length=4, blank=True)
    value = models.FloatField()
    valid_from = models.DateField()
    valid_to = models.DateField(null=True)
    source = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["device", "factor", "data_type", "valid_from"], name="telemetry_limit_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.device_id} {self.factor}"


class TelemetrySource(models.Model):
    """An address range that may connect. What is not listed is refused."""

    network = models.CharField(max_length=43, unique=True)
    label = models.CharField(max_length=80)
    max_connections = models.PositiveIntegerField(default=64)
    active_from = models.DateField()
    active_to = models.DateField(null=True)

    def __str__(self) -> str:
        return self.network


class TelemetryContact(models.Model):
    """When a device was last heard; also of devices that nobody has registered."""

    mn = models.CharField(max_length=40, primary_key=True)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    last_data_time = models.DateTimeField(null=True)
    packets = models.BigIntegerField()

    def __str__(self) -> str:
        return self.mn


class TelemetryFrames(models.Model):
    """The frames of one flush as they came, sealed under the batch's key: the evidence behind its rows."""

    batch = models.OneToOneField("ingestion.Batch", primary_key=True, on_delete=models.CASCADE)
    sealed = models.BinaryField()

    def __str__(self) -> str:
        return str(self.batch_id)
