"""Rivers and what stands on them. A place's mark is reckoned once, when it is registered."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q


class River(models.Model):
    """One river as a line; ``line``, ``stretches`` and ``flow`` as ``ingestion.water.spec`` writes them."""

    code = models.CharField(max_length=20, unique=True)
    name_zh = models.CharField(max_length=40)
    name_en = models.CharField(max_length=80)
    #: how feeds call it
    names = ArrayField(models.CharField(max_length=40))
    line = models.JSONField()
    from_km = models.FloatField()
    to_km = models.FloatField()
    stretches = models.JSONField()
    flow = models.JSONField()
    #: a drawing, no survey: pages say so
    schematic = models.BooleanField()
    source = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.code


class RiverPlace(models.Model):
    """A section, station, outfall or tributary's mouth with its place on the line."""

    class Kind(models.TextChoices):
        SECTION = "section", "断面"
        STATION = "station", "监测站"
        OUTFALL = "outfall", "排污口"
        TRIBUTARY = "tributary", "支流汇入"

    river = models.ForeignKey(River, on_delete=models.CASCADE, related_name="places")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    code = models.CharField(max_length=40)
    name_zh = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120, blank=True)
    lon = models.FloatField()
    lat = models.FloatField()
    km = models.FloatField()
    side = models.CharField(max_length=5)
    off_m = models.FloatField()
    county = models.CharField(max_length=6, blank=True)
    #: of a section: the class of water that it is to have
    target_class = models.CharField(max_length=3, blank=True)
    #: of a tributary's mouth: the river that enters, where it is registered
    joins = models.CharField(max_length=20, blank=True)
    #: the device that measures here
    mn = models.CharField(max_length=40, blank=True)
    org_name = models.CharField(max_length=120, blank=True)
    permit_no = models.CharField(max_length=40, blank=True)
    #: factors of its permit; null: no permit known
    factors = ArrayField(models.CharField(max_length=10), null=True)
    standard = models.CharField(max_length=40, blank=True)
    grade = models.CharField(max_length=10, blank=True)
    #: the permit's own limits, as ``ingestion.water.spec.LimitLine`` writes them
    limits = models.JSONField(default=list)
    #: "register", or the feed whose records it comes from
    origin = models.CharField(max_length=40)
    source = models.CharField(max_length=200)
    active_from = models.DateField()
    active_to = models.DateField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "code"], name="river_place_once"),
            models.CheckConstraint(
                condition=Q(active_to=None) | Q(active_to__gte=F("active_from")), name="river_place_forward"
            ),
        ]
        indexes = [
            models.Index(fields=["river", "km"], name="river_place_on_line"),
            models.Index(fields=["mn"], name="river_place_of_device"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.code}"
