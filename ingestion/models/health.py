"""What each landed batch looked like, measured once."""

from __future__ import annotations

from django.db import models


class BatchMeasure(models.Model):
    """Shares and middles of one batch's new rows. Values of columns of the highest sensitivity are not counted."""

    batch = models.OneToOneField("ingestion.Batch", on_delete=models.CASCADE, related_name="measure")
    feed = models.CharField(max_length=40)
    landing = models.BigIntegerField()
    #: brought nothing beyond the days covered before: a correction or a late county, not a period of its own
    supplement = models.BooleanField(default=False)
    #: rows the figures below rest on: new and changed ones
    rows = models.BigIntegerField()
    #: column → share of empty cells
    empty = models.JSONField(default=dict)
    #: column → value → share, the commonest values only
    values = models.JSONField(default=dict)
    #: numeric column → median
    medians = models.JSONField(default=dict)
    #: what lies outside the usual: [{"kind", "column", "seen", "usual", "limit"}]
    findings = models.JSONField(default=list)
    measured_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["feed", "-landing"], name="measure_of_feed")]

    def __str__(self) -> str:
        return f"{self.feed} {self.landing}"
