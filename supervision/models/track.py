"""The lawful handling of a confirmed clue: its track, steps and clocks."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class ClueTrack(models.Model):
    """One track that a clue goes; ``code`` and ``version`` name its document (``supervision/tracks``)."""

    clue = models.ForeignKey("supervision.Clue", on_delete=models.PROTECT, related_name="tracks")
    code = models.CharField(max_length=40)
    version = models.IntegerField()
    opened_at = models.DateTimeField()
    opened_by = models.CharField(max_length=60)
    #: the day of the step that ended it
    ended_on = models.DateField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["clue"], condition=Q(ended_on__isnull=True), name="track_one_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.clue_id} {self.code}"


class TrackStep(models.Model):
    """One step taken. What was entered by mistake is struck with its reason, never changed."""

    track = models.ForeignKey(ClueTrack, on_delete=models.PROTECT, related_name="steps")
    clue = models.ForeignKey("supervision.Clue", on_delete=models.PROTECT, related_name="+")
    step = models.CharField(max_length=40)
    happened_on = models.DateField()
    #: entered from the national business system: document or case number, who approved it
    official_number = models.CharField(max_length=60, blank=True)
    approver = models.CharField(max_length=60, blank=True)
    #: one of the step's ``reasons``, where it has some
    reason = models.CharField(max_length=30, blank=True)
    note = models.TextField(blank=True)
    entered_by = models.CharField(max_length=60)
    entered_at = models.DateTimeField()
    struck_at = models.DateTimeField(null=True)
    struck_by = models.CharField(max_length=60, blank=True)
    struck_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["clue", "id"], name="step_of_clue")]

    def __str__(self) -> str:
        return f"{self.clue_id} {self.step} {self.happened_on}"


class TrackClock(models.Model):
    """A clock that a step started. ``due_on`` is empty while it stands still."""

    track = models.ForeignKey(ClueTrack, on_delete=models.PROTECT, related_name="clocks")
    clue = models.ForeignKey("supervision.Clue", on_delete=models.PROTECT, related_name="+")
    started_by = models.ForeignKey(TrackStep, on_delete=models.PROTECT, related_name="clocks")
    #: the step whose clock it is, and which length was chosen ("" = the usual)
    step = models.CharField(max_length=40)
    variant = models.CharField(max_length=20, blank=True)
    starts_on = models.DateField()
    due_on = models.DateField(null=True)
    provisional = models.BooleanField(default=False)
    #: [{"since", "until" (null while it stands), "reason"}]
    pauses = models.JSONField(default=list)
    extended_to = models.DateField(null=True)
    extended_reason = models.CharField(max_length=200, blank=True)
    stopped_on = models.DateField(null=True)
    stopped_by = models.ForeignKey(TrackStep, null=True, on_delete=models.PROTECT, related_name="+")
    #: when the handler was warned, the end was noted, the office above was told
    warned_at = models.DateTimeField(null=True)
    overdue_at = models.DateTimeField(null=True)
    escalated_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(stopped_on__isnull=True) | Q(stopped_by__isnull=False),
                name="clock_stopped_by_a_step",
            )
        ]
        indexes = [
            models.Index(fields=["due_on"], condition=Q(stopped_on__isnull=True), name="clock_running"),
            models.Index(fields=["clue", "id"], name="clock_of_clue"),
        ]

    def __str__(self) -> str:
        return f"{self.clue_id} {self.step} {self.due_on}"
