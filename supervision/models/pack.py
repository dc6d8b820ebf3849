"""Model packs that came and went, and the keys by which other offices sign theirs. No data of persons in either."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class PublisherKey(models.Model):
    """A public key by which another office signs its model packs, as registered; never deleted."""

    publisher = models.CharField(max_length=120)
    fingerprint = models.CharField(max_length=16, unique=True)
    algorithm = models.CharField(max_length=12)
    pem = models.TextField()
    holder = models.CharField(max_length=60)
    valid_from = models.DateField()
    valid_to = models.DateField()
    revoked_on = models.DateField(null=True)
    registered_at = models.DateTimeField()
    registered_by = models.CharField(max_length=60)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(valid_to__gte=F("valid_from")), name="publisher_key_period_forward"
            )
        ]

    def __str__(self) -> str:
        return self.fingerprint


class ModelPack(models.Model):
    """One pack: handed out, or taken in and checked. What it is stands; what was made of a model is a draft's business."""

    class Way(models.TextChoices):
        OUT = "out", "导出"
        IN = "in", "导入"

    way = models.CharField(max_length=3, choices=Way.choices)
    #: SHA-256 of its manifest
    digest = models.CharField(max_length=64)
    publisher = models.CharField(max_length=120)
    #: fingerprint of the key that signed
    key = models.CharField(max_length=16)
    name = models.CharField(max_length=120)
    size = models.IntegerField()
    note = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField()
    #: out: id, code, version, titles; in: the outcome of each model (``packs.checking``)
    listed = models.JSONField()
    #: of one taken in the whole pack, so that it can be looked at again as it came
    content = models.BinaryField(null=True)
    at = models.DateTimeField()
    by = models.CharField(max_length=60)
    by_name = models.CharField(max_length=60)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(way="out", content__isnull=True) | Q(way="in", content__isnull=False),
                name="pack_content_by_way",
            ),
            # The same pack again is the same pack.
            models.UniqueConstraint(fields=["digest"], condition=Q(way="in"), name="pack_in_once"),
        ]

    def __str__(self) -> str:
        return f"{self.way} {self.digest[:12]}"
