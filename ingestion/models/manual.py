"""A file that a person brings in by hand, from its upload to the batch that came of it."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from .batch import Batch


class ManualImport(models.Model):
    """One uploaded file. Holds counts and choices by place; what the file says lies sealed in ``ImportFile``."""

    class State(models.TextChoices):
        CHECKING = "checking", "检查中"
        CHOOSING = "choosing", "待选数据源"
        READY = "ready", "待导入"
        UNREADABLE = "unreadable", "无法读取"
        QUEUED = "queued", "排队导入"
        HANDED = "handed", "已交接收"
        REPEATED = "repeated", "重复文件"
        STOPPED = "stopped", "未获准"
        CANCELLED = "cancelled", "已取消"
        EXPIRED = "expired", "已过期"

    feed = models.CharField(max_length=40, blank=True)
    file_name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    by = models.CharField(max_length=60)
    by_name = models.CharField(max_length=60)
    office = models.CharField(max_length=6)
    created_at = models.DateTimeField()
    state = models.CharField(max_length=12, choices=State.choices, default=State.CHECKING)
    #: rises with every check asked for; an older check stops
    revision = models.IntegerField(default=1)
    progress = models.BigIntegerField(default=0)
    #: per column of the file: a catalogue column, "-" (not taken) or "" (undecided); null before the first check
    choices = models.JSONField(null=True)
    #: counts of the last check: columns, undecided, missing, received, blank, quarantined, header_row, fingerprint
    tally = models.JSONField(default=dict)
    problem = models.JSONField(null=True)
    covers_until = models.DateField(null=True)
    snapshot = models.BooleanField(default=False)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    batch = models.ForeignKey(Batch, null=True, on_delete=models.PROTECT, related_name="manual")

    class Meta:
        indexes = [models.Index(fields=["office", "-id"], name="import_of_office")]

    def __str__(self) -> str:
        return f"{self.feed} {self.pk}"


class ImportFile(models.Model):
    """The uploaded bytes and what was read of them, under a key of their own; gone once the import has ended."""

    manual = models.OneToOneField(
        ManualImport, primary_key=True, on_delete=models.CASCADE, related_name="file"
    )
    person = models.CharField(max_length=60)
    store = models.CharField(max_length=64)
    sealed_key = models.BinaryField()
    key_id = models.CharField(max_length=20)
    preview = models.BinaryField(null=True)

    def __str__(self) -> str:
        return str(self.manual_id)


class HeaderAlias(models.Model):
    """A header that one agency writes for a column of one feed, as a person has registered it."""

    feed = models.CharField(max_length=40)
    agency = models.CharField(max_length=30)
    #: the header without differences of width, blanks and case
    key = models.CharField(max_length=120)
    header = models.CharField(max_length=120)
    #: empty: the column is not taken
    column = models.CharField(max_length=60, blank=True)
    made_by = models.CharField(max_length=60)
    made_by_name = models.CharField(max_length=60)
    made_at = models.DateTimeField()
    uses = models.IntegerField(default=0)
    withdrawn_by = models.CharField(max_length=60, blank=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["feed", "key"], condition=Q(withdrawn_at__isnull=True), name="alias_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.feed} {self.key}"


class ErrorReceipt(models.Model):
    """Who has taken the quarantined rows of a batch out to hand them back, when and why. Append-only."""

    batch = models.ForeignKey(Batch, on_delete=models.PROTECT, related_name="error_receipts")
    person = models.CharField(max_length=60)
    person_name = models.CharField(max_length=60)
    at = models.DateTimeField()
    reason = models.CharField(max_length=200)
    rows = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.batch_id} {self.person}"
