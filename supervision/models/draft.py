"""Rules that people make: their drafts and versions, what a trial found, and whom a rule leaves out."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class RuleDraft(models.Model):
    """One version of a rule made in the studio. A published one runs like a shipped rule and never changes.

    ``spec`` is the rule's document as YAML; while it holds problems, ``digest`` is empty.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "草稿"
        TRIAL = "trial", "试运行"
        PUBLISHED = "published", "已发布"
        WITHDRAWN = "withdrawn", "已撤下"

    rule = models.CharField(max_length=60)
    code = models.CharField(max_length=20)
    version = models.IntegerField()
    title_zh = models.CharField(max_length=120, blank=True)
    title_en = models.CharField(max_length=160, blank=True)
    domain = models.CharField(max_length=30, blank=True)
    spec = models.TextField()
    digest = models.CharField(max_length=64, blank=True)
    #: the pattern that it was begun with; "" for the blank form or another rule
    pattern = models.CharField(max_length=30, blank=True)
    #: what differs from the version before, in the author's words
    note = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    office = models.CharField(max_length=6)
    author = models.CharField(max_length=60)
    author_name = models.CharField(max_length=60)
    approver = models.CharField(max_length=60, blank=True)
    approver_name = models.CharField(max_length=60, blank=True)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()
    approved_at = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.CharField(max_length=60, blank=True)
    withdrawn_reason = models.CharField(max_length=200, blank=True)
    #: rises with every change; who saves says which one was read
    revision = models.IntegerField(default=1)
    #: of the first run at most so many clues are released at a time; 0: all at once
    batch = models.IntegerField(default=0)
    released_at = models.DateTimeField(null=True)
    #: hits of the first run that wait for their release
    held = models.IntegerField(default=0)
    #: what the worker found: {"at", "digest", "ok", "failed", "unproved", "told", "place", "run", "hits", "undecided", "levels"}
    checked = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["rule", "version"], name="draft_version_once"),
            models.UniqueConstraint(
                fields=["rule"], condition=Q(state="published"), name="draft_one_published"
            ),
            models.CheckConstraint(
                condition=Q(approver="") | ~Q(approver=F("author")), name="draft_by_two_people"
            ),
            models.CheckConstraint(
                condition=~Q(state="published") | (~Q(approver="") & Q(approved_at__isnull=False)),
                name="draft_published_is_approved",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.version}"


class DraftSample(models.Model):
    """One of the hits that a trial found, for people to look at. No clue, and gone with the next trial."""

    draft = models.ForeignKey(RuleDraft, on_delete=models.CASCADE, related_name="samples")
    place = models.SmallIntegerField()
    county = models.CharField(max_length=6, null=True)
    level = models.CharField(max_length=10, null=True)
    label = models.TextField(blank=True)
    #: the measures, as the clue would tell them
    material = models.JSONField(default=dict)

    class Meta:
        ordering = ["place"]

    def __str__(self) -> str:
        return f"{self.draft_id} {self.place}"


class RuleExclusion(models.Model):
    """One subject whom a rule raises no new clue about, until a day, for a reason."""

    rule = models.CharField(max_length=60)
    subject_kind = models.CharField(max_length=20)
    subject_ref = models.TextField()
    #: the clue by which the subject was named
    clue = models.ForeignKey("supervision.Clue", on_delete=models.PROTECT, related_name="+")
    office = models.CharField(max_length=6)
    reason = models.CharField(max_length=200)
    #: the last day on which it holds
    until = models.DateField()
    added_by = models.CharField(max_length=60)
    added_by_name = models.CharField(max_length=60)
    added_at = models.DateTimeField()
    ended_by = models.CharField(max_length=60, blank=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["rule", "subject_kind", "subject_ref"],
                condition=Q(ended_at__isnull=True),
                name="exclusion_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.rule} {self.until}"
