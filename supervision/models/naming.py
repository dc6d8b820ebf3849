"""Names and addresses as they are searched for: one row for every spelling that a feed gives a subject."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models


class Naming(models.Model):
    """Derived from the pool's current, unsealed records (``supervision.naming``); read through its function alone."""

    #: md5 of what makes the row: feed, role, county, subject, spelling
    hash = models.BinaryField(max_length=16, unique=True)
    #: person, organisation, address
    kind = models.CharField(max_length=12)
    feed = models.CharField(max_length=40)
    #: the mention's role, or the address column
    role = models.CharField(max_length=40)
    county = models.CharField(max_length=6, null=True)
    #: whose full number stands beside it; null: the name is all there is
    subject = models.UUIDField(null=True)
    written = models.TextField()
    #: in one spelling
    name = models.TextField()
    #: of an organisation without place and kind; of an address below the prefecture; of a person empty
    core = models.TextField(blank=True)
    #: of a person: the name, the sound, the name with one character left out; of an address: place and numbers
    keys = ArrayField(models.TextField(), default=list)

    class Meta:
        indexes = [
            models.Index(fields=["kind", "name"], name="naming_name"),
            models.Index(
                fields=["subject"], condition=models.Q(subject__isnull=False), name="naming_subject"
            ),
            GinIndex(fields=["keys"], name="naming_keys"),
            GinIndex(
                fields=["core"],
                opclasses=["gin_trgm_ops"],
                condition=models.Q(kind="organisation"),
                name="naming_organisation",
            ),
            GinIndex(
                fields=["core"],
                opclasses=["gin_trgm_ops"],
                condition=models.Q(kind="address"),
                name="naming_address",
            ),
            models.Index(fields=["feed"], name="naming_feed"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.feed}.{self.role}"


class Derivation(models.Model):
    """Up to which landing a feed has been read for ``what`` (names, relations), by which declaration."""

    what = models.CharField(max_length=12)
    feed = models.CharField(max_length=40)
    landing = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["what", "feed"], name="derivation_once")]

    def __str__(self) -> str:
        return f"{self.what} {self.feed} {self.landing}"
