"""What the engine remembers: how far each rule has read, and what it holds true now."""

from __future__ import annotations

from django.db import models


class RuleState(models.Model):
    """One live rule: the version it runs as and the landing it has read to."""

    rule = models.CharField(primary_key=True, max_length=60)
    code = models.CharField(max_length=20)
    version = models.IntegerField()
    digest = models.CharField(max_length=64)
    status = models.CharField(max_length=12)
    title_zh = models.CharField(max_length=120)
    title_en = models.CharField(max_length=160)
    domain = models.CharField(max_length=30)
    # The digest the present hits were computed with; differs after a change until the full run.
    read_digest = models.CharField(max_length=64, blank=True)
    landing = models.BigIntegerField(default=0)
    as_of = models.DateField(null=True)
    ran_at = models.DateTimeField(null=True)
    stopped_zh = models.TextField(blank=True)
    hits = models.IntegerField(default=0)
    undecided = models.IntegerField(default=0)

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.rule


class Hit(models.Model):
    """The present result of a rule for one subject and bucket; replaced by runs, never edited by people."""

    rule = models.CharField(max_length=60)
    subject_kind = models.CharField(max_length=20)
    subject_ref = models.TextField()
    bucket = models.CharField(max_length=200)
    verdict = models.CharField(max_length=10)
    level = models.CharField(max_length=10, null=True)
    county = models.CharField(max_length=6, null=True)
    material = models.JSONField()
    conditions = models.JSONField()
    evidence = models.JSONField()
    next_due = models.DateField(null=True)
    # Of an occurrence the driver's true records by natural hash: what it is known by whatever its bucket.
    members = models.JSONField(null=True)
    landing = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["rule", "subject_ref", "bucket", "subject_kind"], name="hit_once")
        ]
        indexes = [models.Index(fields=["rule", "next_due"], name="hit_due")]

    def __str__(self) -> str:
        return f"{self.rule} {self.verdict}"
