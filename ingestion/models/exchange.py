"""What agencies deliver, whichever way it comes: one delivery, its files, the keys that sign bundles."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from .batch import Batch


class AgencyKey(models.Model):
    """A public key by which an agency signs its bundles, as registered."""

    agency = models.CharField(max_length=30)
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
                condition=Q(valid_to__gte=F("valid_from")), name="agency_key_period_forward"
            )
        ]
        indexes = [models.Index(fields=["agency"], name="key_of_agency")]

    def __str__(self) -> str:
        return self.fingerprint


class Delivery(models.Model):
    """One hand-over. Its bytes lie sealed to the inner side's key until intake has taken every file."""

    class Way(models.TextChoices):
        BUNDLE = "bundle", "数据包"
        DISC = "disc", "光盘交接"
        FOLDER = "folder", "投递目录"
        PUSH = "push", "接口推送"
        PULL = "pull", "定时拉取"
        VIEW = "view", "数据库视图"

    class State(models.TextChoices):
        CONFIRMING = "confirming", "待复核"
        WAITING = "waiting", "待补前包"
        TAKING = "taking", "接收中"
        DONE = "done", "已交接收"
        REFUSED = "refused", "已拒收"
        SKIPPED = "skipped", "已声明缺号"

    code = models.UUIDField(unique=True)
    way = models.CharField(max_length=8, choices=Way.choices)
    agency = models.CharField(max_length=30)
    state = models.CharField(max_length=10, choices=State.choices)
    #: of a bundle: its number, the digest of the one before, its own digest (of the manifest), who signed
    sequence = models.BigIntegerField(null=True)
    previous = models.CharField(max_length=64, blank=True)
    digest = models.CharField(max_length=64, blank=True)
    signed_by = models.ForeignKey(AgencyKey, null=True, on_delete=models.PROTECT)
    #: where it came from in the words of its way: file name, folder, client, source
    outside = models.CharField(max_length=200, blank=True)
    #: what the sender calls this very hand-over; the same again is answered with the first
    idempotency = models.CharField(max_length=120, null=True)
    #: hand-over data: sheet number, medium, who brought it …
    sheet = models.JSONField(default=dict)
    registered_by = models.CharField(max_length=60)
    confirmed_by = models.CharField(max_length=60, null=True)
    received_at = models.DateTimeField()
    confirmed_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    problem = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["agency", "sequence"],
                condition=Q(way="bundle") & ~Q(state="refused"),
                name="bundle_number_once",
            ),
            models.UniqueConstraint(
                fields=["way", "outside", "idempotency"],
                condition=Q(idempotency__isnull=False),
                name="delivery_once",
            ),
            models.CheckConstraint(
                condition=~Q(confirmed_by=F("registered_by")), name="delivery_by_two_people"
            ),
            models.CheckConstraint(
                condition=~Q(way="disc")
                | Q(confirmed_by__isnull=False)
                | Q(state__in=["confirming", "refused"]),
                name="disc_is_confirmed",
            ),
            models.CheckConstraint(
                condition=~Q(way="bundle") | Q(sequence__isnull=False) | Q(state="refused"),
                name="bundle_has_number",
            ),
        ]
        indexes = [models.Index(fields=["agency", "way", "-id"], name="delivery_of_agency")]

    def __str__(self) -> str:
        return f"{self.way} {self.pk}"

    @property
    def number(self) -> str:
        """As people write it: 交-000012."""
        return f"交-{self.pk:06d}"


class DeliveryFile(models.Model):
    """One file of a delivery: sealed bytes in the exchange store, then the batch that came of it."""

    delivery = models.ForeignKey(Delivery, on_delete=models.CASCADE, related_name="files")
    place = models.IntegerField()
    feed = models.CharField(max_length=40)
    name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    digest = models.CharField(max_length=64)
    covers_until = models.DateField(null=True)
    #: whether it is a whole list; empty: as the feed's load mode says
    snapshot = models.BooleanField(null=True)
    #: name in the exchange store and the data key sealed to the inner side; empty once taken
    store = models.CharField(max_length=32, blank=True)
    sealed_key = models.BinaryField(default=b"")
    batch = models.ForeignKey(Batch, null=True, on_delete=models.PROTECT, related_name="delivered")
    #: the same bytes had been received before: nothing was applied again
    repeated = models.BooleanField(default=False)
    problem = models.JSONField(null=True)

    class Meta:
        ordering = ["delivery", "place"]
        constraints = [models.UniqueConstraint(fields=["delivery", "place"], name="delivery_place_once")]

    def __str__(self) -> str:
        return f"{self.delivery_id}/{self.place}"


class SourceMark(models.Model):
    """How far a source that we fetch from has been read, and how its last round went."""

    code = models.CharField(max_length=60, primary_key=True)
    #: ETag, Last-Modified, cursor or high-water value, as the source gave it
    mark = models.JSONField(default=dict)
    tried_at = models.DateTimeField(null=True)
    fetched_at = models.DateTimeField(null=True)
    failures = models.IntegerField(default=0)
    problem = models.JSONField(null=True)

    def __str__(self) -> str:
        return self.code


class Carried(models.Model):
    """One item of the front that was taken, with what it is told; written with the effect, so that it has it once."""

    code = models.UUIDField(primary_key=True)
    at = models.DateTimeField()
    status = models.JSONField(null=True)

    def __str__(self) -> str:
        return str(self.code)
