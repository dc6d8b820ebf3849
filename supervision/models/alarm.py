"""Alarms (预警): readings above their limit, at once and unreviewed. Never clues, never in the funnel."""

from __future__ import annotations

from django.db import models

from supervision.alarms.states import STATE_WORDS, State

from .clue import Clue


class Alarm(models.Model):
    """One series (outfall and factor) above its limit on one day; further readings extend it."""

    definition = models.CharField(max_length=60)
    title_zh = models.CharField(max_length=80)
    title_en = models.CharField(max_length=120)
    subject_kind = models.CharField(max_length=20)
    subject_ref = models.TextField()
    series = models.CharField(max_length=60)
    day = models.DateField()
    label = models.CharField(max_length=200, blank=True)
    office = models.CharField(max_length=6)
    level = models.CharField(max_length=10)
    readings = models.IntegerField()
    multiple = models.FloatField()
    peak = models.FloatField()
    limit_value = models.FloatField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    evidence = models.JSONField(default=list)
    state = models.CharField(max_length=12, choices=[(s.value, STATE_WORDS[s].zh) for s in State])
    supported = models.BooleanField(default=True)
    raised_at = models.DateTimeField()
    reviewed_at = models.DateTimeField(null=True)
    reviewed_by = models.CharField(max_length=60, blank=True)
    note = models.TextField(blank=True)
    clue = models.ForeignKey(Clue, null=True, on_delete=models.PROTECT, related_name="alarms")
    landing = models.BigIntegerField()
    version = models.IntegerField(default=1)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["definition", "subject_ref", "series", "day"], name="alarm_once_a_day"
            ),
            models.CheckConstraint(
                condition=~models.Q(state=State.PROMOTED.value) | models.Q(clue__isnull=False),
                name="alarm_promoted_has_clue",
            ),
        ]
        indexes = [
            models.Index(fields=["office", "state", "-last_at"], name="alarm_list"),
            models.Index(fields=["subject_ref", "day"], name="alarm_of_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.definition} {self.subject_ref} {self.series} {self.day}"
