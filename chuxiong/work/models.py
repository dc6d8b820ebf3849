"""Work that cannot be lost: a job is a row."""

from __future__ import annotations

from django.db import models
from django.db.models import Q


class Job(models.Model):
    """One piece of work. ``payload`` holds ids only, never data."""

    class State(models.TextChoices):
        QUEUED = "queued", "排队"
        RUNNING = "running", "进行中"
        DONE = "done", "完成"
        FAILED = "failed", "失败"

    kind = models.CharField(max_length=40)
    key = models.CharField(max_length=120)
    payload = models.JSONField(default=dict)
    priority = models.SmallIntegerField(default=5)
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    run_after = models.DateTimeField()
    attempts = models.SmallIntegerField(default=0)
    lease_until = models.DateTimeField(null=True)
    fence = models.BigIntegerField(default=0)
    error = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            # The same work is never queued twice; while one runs, one more may wait.
            models.UniqueConstraint(
                fields=["kind", "key"], condition=Q(state="queued"), name="job_queued_once"
            ),
        ]
        # Without those that are done: a claim looks at what may be claimed, however many jobs there have been.
        indexes = [
            models.Index(
                fields=["priority", "id"], condition=Q(state__in=["queued", "running"]), name="job_claimable"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.key}"
