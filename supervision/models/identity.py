"""The identity spine: who is meant where no full number says so. Written by ``supervision/spine`` alone."""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class _Attributes(models.Model):
    """What a mention tells of its subject, in one spelling; null = not told."""

    kind = models.CharField(max_length=12)
    name = models.TextField()
    #: the partition: syllables of a person's name, core of an organisation's; null when it names nobody (王某)
    sound = models.TextField(null=True)
    birth = models.DateField(null=True)
    sex = models.CharField(max_length=1, null=True)
    #: the vault's token of the visible digits of a starred number
    masked = models.CharField(max_length=32, null=True)
    #: the first six digits of the number, which say where it was given out
    issued = models.CharField(max_length=6, null=True)
    legacy = models.TextField(null=True)
    phone = models.UUIDField(null=True)
    town = models.CharField(max_length=6, null=True)
    address = models.TextField(null=True)

    class Meta:
        abstract = True


class Appearance(_Attributes):
    """What records with a full number tell of that number's holder; one row for each different telling."""

    subject = models.UUIDField()

    class Meta:
        indexes = [
            models.Index(fields=["kind", "sound"], name="appearance_of_sound"),
            models.Index(fields=["subject"], name="appearance_of_subject"),
            models.Index(fields=["kind", "name"], name="appearance_of_name"),
        ]

    def __str__(self) -> str:
        return str(self.subject)


class Mention(_Attributes):
    """A mention without a full number and whom it stands for, by landing like a pool row."""

    feed = models.CharField(max_length=40)
    role = models.CharField(max_length=40)
    natural_hash = models.BinaryField()
    county = models.CharField(max_length=6, null=True)
    #: landing of the record's present version, and of the first that was ever seen
    record_landing = models.BigIntegerField()
    first_landing = models.BigIntegerField()
    subject = models.UUIDField()
    #: B, C, D; J by a person's word; empty: known by itself alone
    tier = models.CharField(max_length=1, blank=True)
    score = models.FloatField()
    reasons = models.JSONField()
    from_landing = models.BigIntegerField()
    to_landing = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["feed", "natural_hash", "role"],
                condition=Q(to_landing__isnull=True),
                name="mention_current",
            )
        ]
        indexes = [
            models.Index(
                fields=["kind", "sound"], condition=Q(to_landing__isnull=True), name="mention_of_sound"
            ),
            models.Index(fields=["subject"], name="mention_of_subject"),
            models.Index(fields=["feed", "natural_hash", "role"], name="mention_of_record"),
        ]

    def __str__(self) -> str:
        return f"{self.feed} {self.role}"


class Subject(models.Model):
    """A person or organisation that mentions without a number speak of. An old key leads to the present one."""

    key = models.UUIDField(primary_key=True)
    kind = models.CharField(max_length=12)
    #: A: the key is the ref of a full number
    tier = models.CharField(max_length=1, blank=True)
    names = ArrayField(models.TextField(), default=list)
    births = ArrayField(models.DateField(), default=list)
    merged_into = models.UUIDField(null=True)

    def __str__(self) -> str:
        return str(self.key)


class SubjectEvent(models.Model):
    """What happened to a subject's key; append-only."""

    subject = models.UUIDField()
    other = models.UUIDField(null=True)
    #: merged, split
    kind = models.CharField(max_length=10)
    landing = models.BigIntegerField()
    at = models.DateTimeField()
    reason = models.TextField(blank=True)

    class Meta:
        indexes = [models.Index(fields=["subject"], name="subject_event_of")]

    def __str__(self) -> str:
        return f"{self.subject} {self.kind}"


class IdentityPair(models.Model):
    """Two that may be one and are not joined: for a person to look at. Kept in line by every run."""

    kind = models.CharField(max_length=12)
    sound = models.TextField()
    left = models.CharField(max_length=140)
    right = models.CharField(max_length=140)
    left_subject = models.UUIDField()
    right_subject = models.UUIDField()
    #: counties and feeds of the records without a number
    counties = ArrayField(models.CharField(max_length=6))
    feeds = ArrayField(models.CharField(max_length=40))
    score = models.FloatField()
    reasons = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["left", "right"], name="identity_pair_once")]
        indexes = [models.Index(fields=["kind", "sound"], name="identity_pair_of_sound")]

    def __str__(self) -> str:
        return str(self.pk)


class IdentityJudgement(models.Model):
    """A person's word on two: same, different, or unsure. Withdrawn, never changed."""

    kind = models.CharField(max_length=12)
    left = models.CharField(max_length=140)
    right = models.CharField(max_length=140)
    sounds = ArrayField(models.TextField())
    verdict = models.CharField(max_length=10)
    reason = models.TextField()
    office = models.CharField(max_length=6)
    person = models.CharField(max_length=60)
    at = models.DateTimeField()
    withdrawn_by = models.CharField(max_length=60, blank=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_reason = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["left", "right"], condition=Q(withdrawn_at__isnull=True), name="judged_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.pk} {self.verdict}"


class IdentityState(models.Model):
    """How far the spine of a kind has read, and the frozen frequencies that it weighs with."""

    kind = models.CharField(max_length=12, primary_key=True)
    #: the last landing read, and the feeds read with what is known of their mentions
    landing = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True)
    #: the last judgement or withdrawal taken into account
    judged_at = models.DateTimeField(null=True)
    version = models.IntegerField(default=0)
    counted_landing = models.BigIntegerField(default=0)
    records = models.BigIntegerField(default=0)
    u = models.JSONField(default=dict)
    shares = models.BinaryField(default=b"")
    ran_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.kind
