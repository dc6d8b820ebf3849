"""Checking lists that leave as workbooks and come back filled in."""

from __future__ import annotations

from django.db import models


class Checklist(models.Model):
    """One list: own number, who made it for which office. Its rows are the clues it left with."""

    number = models.CharField(max_length=40, unique=True)
    office = models.CharField(max_length=6)
    made_by = models.CharField(max_length=60)
    made_by_name = models.CharField(max_length=60)
    made_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["office", "-id"], name="checklist_of_office")]

    def __str__(self) -> str:
        return self.number


class ChecklistRow(models.Model):
    """One clue of a list, the version it left with, and the answer that was applied: at most one."""

    checklist = models.ForeignKey(Checklist, on_delete=models.PROTECT, related_name="rows")
    clue = models.ForeignKey("supervision.Clue", on_delete=models.PROTECT, related_name="+")
    position = models.IntegerField()
    version = models.IntegerField()
    applied_at = models.DateTimeField(null=True)
    applied_by = models.CharField(max_length=60, blank=True)
    finding = models.CharField(max_length=12, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["checklist", "clue"], name="checklist_holds_a_clue_once")
        ]

    def __str__(self) -> str:
        return f"{self.checklist_id} {self.position}"


class ChecklistReturn(models.Model):
    """A filled list that somebody uploaded: what it says, looked at before anything is applied."""

    checklist = models.ForeignKey(Checklist, on_delete=models.PROTECT, related_name="returns")
    by = models.CharField(max_length=60)
    at = models.DateTimeField()
    file_name = models.CharField(max_length=200)
    #: answers as ``supervision.checklists.sheet.Answer`` documents; emptied when all is
    #: entered or another upload takes its place
    answers = models.JSONField(default=list)
    done_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.checklist_id} {self.file_name}"
