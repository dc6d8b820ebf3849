"""What was done and looked at, and the signed segments that keep it from being changed unseen."""

from __future__ import annotations

from django.db import models


class AuditEvent(models.Model):
    """One act or one read of a sensitive page, written in the act's own transaction. Insert-only.

    ``logged_at``, ``writer`` and ``stamp`` are the database's own: no role of the application may set them.
    Order of the chain is (``stamp``, ``id``): the writing transaction's number, then the row's.
    """

    at = models.DateTimeField()
    actor = models.CharField(max_length=60)
    office = models.CharField(max_length=6, blank=True)
    action = models.CharField(max_length=60)
    object_kind = models.CharField(max_length=40)
    object_ref = models.CharField(max_length=80)
    reason = models.CharField(max_length=500, blank=True)
    purpose = models.CharField(max_length=60, blank=True, default="")
    ip = models.CharField(max_length=45, blank=True, default="")
    device = models.CharField(max_length=120, blank=True, default="")
    session = models.CharField(max_length=16, blank=True, default="")
    #: JSON as it was written; text, because the chain covers these very bytes
    detail = models.TextField(default="{}")
    logged_at = models.DateTimeField()
    writer = models.CharField(max_length=63)
    stamp = models.BigIntegerField()

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["stamp", "id"], name="audit_chain_order"),
            models.Index(fields=["at", "id"], name="audit_by_time"),
            models.Index(fields=["actor", "at", "id"], name="audit_by_person"),
            models.Index(fields=["action", "at", "id"], name="audit_by_action"),
            models.Index(fields=["object_ref", "at", "id"], name="audit_by_object"),
        ]

    def __str__(self) -> str:
        return f"{self.actor} {self.action} {self.object_kind} {self.object_ref}"


class AuditSeal(models.Model):
    """One segment of the chain: which rows, their digests, and a signature made outside the database."""

    number = models.BigIntegerField(primary_key=True)
    algorithm = models.CharField(max_length=10)
    rows = models.IntegerField()
    #: rows in this and all earlier segments
    total = models.BigIntegerField()
    first_stamp = models.BigIntegerField()
    first_id = models.BigIntegerField()
    last_stamp = models.BigIntegerField()
    last_id = models.BigIntegerField()
    #: earliest and latest ``logged_at`` of the rows
    since = models.DateTimeField()
    until = models.DateTimeField()
    sealed_at = models.DateTimeField()
    #: row ids in chain order, eight bytes each, and the digest of each row
    ids = models.BinaryField()
    leaves = models.BinaryField()
    previous = models.BinaryField()
    digest = models.BinaryField()
    key = models.CharField(max_length=16)
    signature = models.BinaryField()
    #: when the rows were removed after their retention; the digests stay
    purged_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return f"{self.number}: {self.rows}"


class Watch(models.Model):
    """How far the watch for odd use has read: one row."""

    stamp = models.BigIntegerField()
    last = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.stamp}/{self.last}"


class Oddity(models.Model):
    """Mass or odd use by one person on one day under one rule (``oddities.yaml``), until somebody looks into it."""

    rule = models.CharField(max_length=40)
    #: the user name, or the network address where nobody was signed in
    subject = models.CharField(max_length=60)
    office = models.CharField(max_length=6, blank=True)
    day = models.DateField()
    #: the highest count within the rule's window, and what the rule allows
    peak = models.IntegerField()
    allowed = models.IntegerField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    noticed_at = models.DateTimeField()
    acknowledged_by = models.CharField(max_length=60, blank=True)
    acknowledged_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name_plural = "oddities"
        ordering = ["-last_at"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "subject", "day"], name="oddity_once_a_day"),
            models.CheckConstraint(
                condition=models.Q(acknowledged_at__isnull=True, acknowledged_by="")
                | (models.Q(acknowledged_at__isnull=False) & ~models.Q(note="")),
                name="oddity_acknowledged_with_a_note",
            ),
        ]
        indexes = [
            models.Index(fields=["-last_at", "-id"], name="oddity_by_time"),
            models.Index(
                fields=["-last_at"], condition=models.Q(acknowledged_at__isnull=True), name="oddity_open"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.subject} {self.day}"
