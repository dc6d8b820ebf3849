"""Signed data agreements: every use of a field rests on one."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q


class Agreement(models.Model):
    """One agreement with one data provider, as signed."""

    number = models.CharField(max_length=60, unique=True)
    agency = models.CharField(max_length=30)
    agency_zh = models.CharField(max_length=80)
    title = models.CharField(max_length=120)
    signed_on = models.DateField()
    valid_from = models.DateField()
    valid_to = models.DateField()
    ended_on = models.DateField(null=True, blank=True)
    purposes = ArrayField(models.CharField(max_length=40))
    # feed code → list of columns, or ["*"] for all columns of the feed.
    fields = models.JSONField()
    data_class = models.CharField(max_length=2)
    custodian = models.CharField(max_length=60)
    may_be_fed_back = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__gte=F("valid_from")), name="agreement_period_runs_forward"
            )
        ]
        ordering = ["agency", "number"]

    def __str__(self) -> str:
        return self.number
