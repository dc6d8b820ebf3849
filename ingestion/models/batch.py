"""Control tables of intake. Feed rows never pass through the ORM."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class Batch(models.Model):
    """One delivered file of one feed, from its receipt to its landing."""

    class State(models.TextChoices):
        RECEIVED = "received", "已接收"
        READING = "reading", "处理中"
        LANDED = "landed", "已入库"
        HELD = "held", "已暂扣"
        REFUSED = "refused", "已拒收"

    feed = models.CharField(max_length=40)
    file_name = models.CharField(max_length=255)
    digest = models.CharField(max_length=64)
    size = models.BigIntegerField()
    agreement = models.ForeignKey("ingestion.Agreement", null=True, on_delete=models.PROTECT)
    received_at = models.DateTimeField()
    received_by = models.CharField(max_length=60)
    covers_until = models.DateField(null=True)
    snapshot = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RECEIVED)
    received = models.BigIntegerField(default=0)
    loaded = models.BigIntegerField(default=0)
    unchanged = models.BigIntegerField(default=0)
    duplicate = models.BigIntegerField(default=0)
    quarantined = models.BigIntegerField(default=0)
    blank = models.BigIntegerField(default=0)
    removed = models.BigIntegerField(default=0)
    landing = models.BigIntegerField(null=True)
    landed_at = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    progress = models.BigIntegerField(default=0)
    layout = models.JSONField(default=dict)
    problem = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["feed", "digest", "agreement"],
                condition=~Q(state="refused"),
                name="batch_bytes_once",
            ),
            models.CheckConstraint(
                condition=~Q(state="landed")
                | Q(received=F("loaded") + F("unchanged") + F("duplicate") + F("quarantined")),
                name="batch_counts_add_up",
            ),
        ]
        indexes = [
            models.Index(fields=["feed", "-id"], name="batch_of_feed"),
            models.Index(
                fields=["feed", "id"],
                condition=Q(state__in=["received", "reading", "held"]),
                name="batch_waiting",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.feed} {self.pk}"


class Landing(models.Model):
    """The moment a batch became visible. Numbers follow commit order without gaps."""

    class Kind(models.TextChoices):
        """What landed. The first two are deliveries of a feed, the others belong to none."""

        FILE = "file", "文件"
        STREAM = "stream", "实时数据"
        #: records were taken away: what was derived from them must be looked at anew
        CLEARING = "clearing", "数据清除"
        #: told from records: identities, relations
        DERIVED = "derived", "推导"

    number = models.BigIntegerField(primary_key=True)
    feed = models.CharField(max_length=40)
    kind = models.CharField(max_length=8, choices=Kind.choices, default=Kind.FILE, db_default="file")
    batch = models.OneToOneField(Batch, on_delete=models.PROTECT, related_name="landed")
    landed_at = models.DateTimeField()
    covers_until = models.DateField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=(Q(feed="") & Q(kind__in=["clearing", "derived"]))
                | (~Q(feed="") & Q(kind__in=["file", "stream"])),
                name="landing_of_a_feed_or_none",
            )
        ]
        indexes = [models.Index(fields=["feed", "number"], name="landing_of_feed")]

    def __str__(self) -> str:
        return str(self.number)


class Touch(models.Model):
    """A subject whose records changed at a landing; append-only."""

    landing = models.BigIntegerField()
    feed = models.CharField(max_length=40)
    kind = models.CharField(max_length=20)
    ref = models.TextField()
    cause = models.CharField(max_length=12)

    class Meta:
        indexes = [models.Index(fields=["landing", "kind", "ref"], name="touch_by_landing")]

    def __str__(self) -> str:
        return f"{self.landing} {self.kind}"


class Confirmed(models.Model):
    """A record that a delivery found as it was while an earlier delivery of the feed still waited: that one, let in
    late, leaves it alone. Goes when no earlier one waits any more."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="confirmed")
    natural_hash = models.BinaryField()

    def __str__(self) -> str:
        return f"{self.batch_id}"


class FeedStanding(models.Model):
    """How far a feed has come: what pages and the wall ask all the time, kept by the database with every landing."""

    feed = models.CharField(max_length=40, primary_key=True)
    landed_at = models.DateTimeField()
    covers_until = models.DateField(null=True)
    landings = models.BigIntegerField()
    quarantined = models.BigIntegerField(default=0)
    #: rows received with the last twelve landings, the newest first
    recent = models.JSONField(default=list)

    def __str__(self) -> str:
        return self.feed


class Quarantine(models.Model):
    """A row that was not loaded: where it stood, why, and its sealed original."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="quarantine")
    row_no = models.BigIntegerField()
    reasons = models.JSONField()
    sealed = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "row_no"], name="quarantine_row_once")]

    def __str__(self) -> str:
        return f"{self.batch_id}:{self.row_no}"


class FeedIssue(models.Model):
    """Something about a feed's layout that a person must decide, e.g. a header nobody knows."""

    feed = models.CharField(max_length=40)
    kind = models.CharField(max_length=30)
    place = models.CharField(max_length=120)
    text = models.TextField()
    first_batch = models.ForeignKey(Batch, on_delete=models.PROTECT)
    seen = models.IntegerField(default=1)
    open = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["feed", "kind", "place"], name="issue_once")]

    def __str__(self) -> str:
        return f"{self.feed} {self.kind} {self.place}"
