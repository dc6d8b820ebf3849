"""The order of the queue: one narrow line a clue, and what past checks came to by kind of clue."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

_SIGHT = ("office", "closed_to", "handler")
_ASKED = ("state", "model", "origin", "level", "raised_at", "due_on", "changed", "rebound")


class RankCell(models.Model):
    """What past checks of one kind of clue came to, and the chance that its clues stand in order by."""

    #: the rule; of clues without one “@” and the origin
    model = models.CharField(max_length=70)
    version = models.IntegerField(default=0)
    office = models.CharField(max_length=6)
    #: which sources its evidence rests on, and the tier of its subject
    grade = models.CharField(max_length=400, blank=True)
    checked = models.IntegerField(default=0)
    confirmed = models.IntegerField(default=0)
    #: by the checks of today; and as last given to its clues
    chance = models.FloatField()
    used = models.FloatField()
    #: whether some of its clues still stand by another chance
    pending = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "version", "office", "grade"], name="rankcell_once")
        ]

    def __str__(self) -> str:
        return f"{self.model} {self.version} {self.office} {self.grade} {self.confirmed}/{self.checked}"


class ClueRank(models.Model):
    """Where a clue stands in the queue, with all that the queue asks of it, so that pages read no clue but their own.

    What is copied from the clue, triggers keep (``supervision.ranking.lines``); the place is reckoned by the job ``rank``.
    """

    clue = models.OneToOneField(
        "Clue", on_delete=models.DO_NOTHING, primary_key=True, db_constraint=False, related_name="rank"
    )
    office = models.CharField(max_length=6)
    closed_to = models.CharField(max_length=30)
    handler = models.CharField(max_length=60)
    personal = models.BooleanField()
    exercise = models.BooleanField()
    open = models.BooleanField()
    state = models.CharField(max_length=12)
    level = models.CharField(max_length=10)
    model = models.CharField(max_length=70)
    version = models.IntegerField()
    origin = models.CharField(max_length=10)
    raised_at = models.DateTimeField()
    due_on = models.DateField(null=True)
    deferred_until = models.DateField(null=True)
    changed = models.BooleanField()
    rebound = models.BooleanField()
    checked_at = models.DateTimeField(null=True)
    confirmed = models.BooleanField()
    #: codes of the feeds in its evidence, joined by “+”
    sources = models.CharField(max_length=400)
    tier = models.CharField(max_length=1, blank=True)
    #: the money at stake, in 分
    amount = models.BigIntegerField(default=0)
    cell = models.BigIntegerField(null=True)
    chance = models.FloatField(null=True)
    place = models.FloatField()
    #: time alone moves the clue on this day
    stale_on = models.DateField(null=True)
    #: 1 its facts changed, 2 a check of it was concluded or struck; 0 in order
    dirty = models.SmallIntegerField(default=3)

    class Meta:
        indexes = [
            models.Index(
                fields=["-place", "-clue"],
                include=[*_SIGHT, *_ASKED, "open"],
                condition=Q(personal=False),
                name="rank_queue",
            ),
            models.Index(
                fields=["office", "-place", "-clue"],
                include=["closed_to", "handler", *_ASKED, "open"],
                condition=Q(personal=False),
                name="rank_of_office",
            ),
            models.Index(
                fields=["state", "-place", "-clue"],
                include=[*_SIGHT, "model", "origin", "level", "raised_at", "due_on", "changed", "rebound"],
                condition=Q(personal=False),
                name="rank_of_state",
            ),
            models.Index(
                fields=["model", "-place", "-clue"],
                include=[*_SIGHT, "state", "origin", "level", "raised_at", "due_on", "open"],
                condition=Q(personal=False),
                name="rank_of_model",
            ),
            models.Index(
                fields=["handler", "-place", "-clue"],
                include=["office", "closed_to", "state"],
                condition=Q(personal=False, open=True) & ~Q(handler=""),
                name="rank_of_handler",
            ),
            models.Index(
                fields=["-raised_at"],
                include=[*_SIGHT],
                condition=Q(personal=False, open=True),
                name="rank_by_day",
            ),
            # Few; looked at row by row.
            models.Index(
                fields=["-place", "-clue"], condition=Q(personal=False, changed=True), name="rank_changed"
            ),
            models.Index(
                fields=["-place", "-clue"], condition=Q(personal=False, rebound=True), name="rank_rebound"
            ),
            models.Index(fields=["-place", "-clue"], condition=Q(personal=True), name="rank_personal"),
            # What the job looks for.
            models.Index(fields=["clue"], condition=~Q(dirty=0), name="rank_dirty"),
            models.Index(fields=["stale_on"], condition=Q(stale_on__isnull=False), name="rank_stale"),
            models.Index(fields=["cell"], condition=Q(open=True), name="rank_of_cell"),
            models.Index(
                fields=["model"],
                include=["version", "office", "sources", "tier", "confirmed", "checked_at"],
                condition=Q(checked_at__isnull=False, personal=False, exercise=False),
                name="rank_checked",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.clue_id} {self.place:.3f}"


class Calibration(models.Model):
    """How well chances foretold past checks, each by the checks before it alone."""

    at = models.DateTimeField()
    checked = models.IntegerField()
    result = models.JSONField()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d} {self.checked}"
