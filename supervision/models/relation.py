"""Who stands in which relation to whom, by which record, from which landing on."""

from __future__ import annotations

from django.db import models


class Relation(models.Model):
    """One record's word for one relation (``supervision.relations``).

    Either two subjects (``b_ref``), or one subject and a value that others may share (``via``): those who share it are
    related through it, unless too many do. Visible at landing N as the record is.
    """

    kind = models.CharField(max_length=40)
    a_kind = models.CharField(max_length=12)
    a_ref = models.UUIDField()
    b_kind = models.CharField(max_length=12, blank=True)
    b_ref = models.UUIDField(null=True)
    #: ``phone:`` and the ref, ``address:`` and the digest of the place; empty between two subjects
    via = models.CharField(max_length=60, blank=True)
    feed = models.CharField(max_length=40)
    county = models.CharField(max_length=6, null=True)
    record_id = models.BigIntegerField()
    natural_hash = models.BinaryField(max_length=16)
    from_landing = models.BigIntegerField()
    to_landing = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["a_ref", "kind"], name="relation_a"),
            models.Index(
                fields=["b_ref", "kind"], condition=models.Q(b_ref__isnull=False), name="relation_b"
            ),
            models.Index(fields=["via", "a_ref"], condition=~models.Q(via=""), name="relation_via"),
            models.Index(fields=["feed", "record_id"], name="relation_record"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.feed} {self.record_id}"
