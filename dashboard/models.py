"""Screens of the walls: what is registered, what each one is to show, and how each one is.

What to show lies here and nowhere else, so that a screen that comes back after any restart is told the same again.
"""

from __future__ import annotations

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q


class WallGroup(models.Model):
    """Screens that usually act together: a hall, a row of panels."""

    code = models.SlugField(max_length=20, unique=True)
    name_zh = models.CharField(max_length=40)
    name_en = models.CharField(max_length=80)
    office = models.ForeignKey("accounts.Office", on_delete=models.PROTECT, related_name="wall_groups")

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class Screen(models.Model):
    """One player and its picture. Size in pixels of the player; pitch is one pixel's width in millimetres."""

    class Language(models.TextChoices):
        ZH = "zh-hans", "中文"
        EN = "en", "English"

    group = models.ForeignKey(WallGroup, on_delete=models.PROTECT, related_name="screens")
    #: of the group; row-level security reads it here
    office = models.CharField(max_length=6)
    code = models.CharField(max_length=12, unique=True)
    name_zh = models.CharField(max_length=40)
    name_en = models.CharField(max_length=80)
    width_px = models.PositiveIntegerField()
    height_px = models.PositiveIntegerField()
    pitch_mm = models.FloatField()
    #: from the farthest reader
    distance_m = models.FloatField()
    language = models.CharField(max_length=10, choices=Language.choices, default=Language.ZH)
    #: switched off by hand and so expected to be silent
    in_service = models.BooleanField(default=True)
    token_digest = models.CharField(max_length=64, blank=True)
    paired_at = models.DateTimeField(null=True)
    paired_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(
                fields=["token_digest"], condition=~Q(token_digest=""), name="screen_token_once"
            ),
            models.CheckConstraint(
                condition=Q(
                    width_px__gte=640, height_px__gte=360, pitch_mm__gt=0.0, pitch_mm__lte=50.0,
                    distance_m__gt=0.0, distance_m__lte=200.0,
                ),
                name="screen_has_a_size",
            ),
        ]  # fmt: skip

    def __str__(self) -> str:
        return self.code

    @property
    def paired(self) -> bool:
        return bool(self.token_digest)


class Pairing(models.Model):
    """A player that shows a pairing code and waits. Its browser holds the secret, the dispatcher types the code."""

    code_digest = models.CharField(max_length=64, unique=True)
    secret_digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    screen = models.ForeignKey(Screen, null=True, on_delete=models.CASCADE, related_name="pairings")

    def __str__(self) -> str:
        return f"pairing {self.pk}"


class Playlist(models.Model):
    """Scenes in turn: ``items`` is a list of ``{"scene", "seconds", "params"}``."""

    code = models.SlugField(max_length=40, unique=True)
    name_zh = models.CharField(max_length=40)
    name_en = models.CharField(max_length=80)
    office = models.ForeignKey("accounts.Office", on_delete=models.PROTECT, related_name="playlists")
    items = models.JSONField()

    class Meta:
        ordering = ["code"]

    def __str__(self) -> str:
        return self.code


class Schedule(models.Model):
    """When a group plays what by itself; hours of the day in Shanghai, ``days`` 1 (Monday) to 7."""

    group = models.ForeignKey(WallGroup, on_delete=models.CASCADE, related_name="schedules")
    playlist = models.ForeignKey(Playlist, on_delete=models.PROTECT, related_name="schedules")
    days = ArrayField(models.PositiveSmallIntegerField())
    begins = models.TimeField()
    ends = models.TimeField()

    class Meta:
        ordering = ["group_id", "begins"]
        constraints = [models.CheckConstraint(condition=Q(ends__gt=F("begins")), name="schedule_forward")]

    def __str__(self) -> str:
        return f"{self.group_id} {self.begins:%H:%M}"


class Switch(models.Model):
    """One act on several screens at once: they prepare, say that they are ready, and apply at one server time.

    ``apply_at`` is null until all that are expected are ready; without it the act applies at ``latest``.
    """

    office = models.CharField(max_length=6)
    screens = ArrayField(models.BigIntegerField())
    #: those that were alive when the act was made
    expected = ArrayField(models.BigIntegerField())
    ready = ArrayField(models.BigIntegerField(), default=list)
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)
    latest = models.DateTimeField()
    apply_at = models.DateTimeField(null=True)
    words = models.JSONField()

    def __str__(self) -> str:
        return f"switch {self.pk}"


class ScreenState(models.Model):
    """What a screen is to show: ``before`` until its switch applies, ``after`` from then on (``walls.programme``)."""

    screen = models.OneToOneField(Screen, primary_key=True, on_delete=models.CASCADE, related_name="state")
    switch = models.ForeignKey(Switch, null=True, on_delete=models.PROTECT, related_name="states")
    before = models.JSONField()
    after = models.JSONField()

    def __str__(self) -> str:
        return f"{self.screen_id} {self.switch_id}"


class ScreenHealth(models.Model):
    """What a screen last said of itself; rewritten every few seconds, so apart from what it is to show."""

    screen = models.OneToOneField(Screen, primary_key=True, on_delete=models.CASCADE, related_name="health")
    seen_at = models.DateTimeField()
    #: the socket is gone and nothing was heard since
    gone_at = models.DateTimeField(null=True)
    scene = models.CharField(max_length=40, blank=True)
    switch = models.BigIntegerField(default=0)
    applied_at = models.DateTimeField(null=True)
    #: how far from the agreed time the last switch was applied, milliseconds
    drift_ms = models.FloatField(null=True)
    #: the player's clock against the server's, and half the way there and back
    offset_ms = models.FloatField(null=True)
    latency_ms = models.FloatField(null=True)
    data_at = models.DateTimeField(null=True)
    version = models.CharField(max_length=40, blank=True)
    frames_per_second = models.FloatField(null=True)
    heap_mb = models.FloatField(null=True)
    width_px = models.PositiveIntegerField(null=True)
    height_px = models.PositiveIntegerField(null=True)
    #: panels that failed, cameras that stand still: words for the console
    problems = models.JSONField(default=list)
    #: the visit whose mask the screen has put on; 0: none
    visit = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.screen_id} {self.seen_at:%H:%M:%S}"


class Interrupt(models.Model):
    """Something urgent that takes the screens of an office for a while and gives them back."""

    office = models.CharField(max_length=6)
    #: what called it, once: "alarm:12", "clue:7", "person:<switch time>"
    cause = models.CharField(max_length=60, unique=True)
    scene = models.CharField(max_length=40)
    params = models.JSONField(default=dict)
    title_zh = models.CharField(max_length=120)
    title_en = models.CharField(max_length=160)
    made_at = models.DateTimeField()
    #: null while a visit keeps it back
    begins = models.DateTimeField(null=True)
    ends = models.DateTimeField(null=True)
    #: who put an end to it before its time
    ended_by = models.CharField(max_length=150, blank=True)

    class Meta:
        indexes = [models.Index(fields=["office", "ends"], name="interrupt_running")]

    def __str__(self) -> str:
        return self.cause


class Visit(models.Model):
    """Visitor mode of an office's walls, from the word of one person to that of another or the same."""

    office = models.CharField(max_length=6)
    began_at = models.DateTimeField()
    began_by = models.CharField(max_length=150)
    ended_at = models.DateTimeField(null=True)
    ended_by = models.CharField(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["office"], condition=Q(ended_at=None), name="visit_one_at_a_time")
        ]

    def __str__(self) -> str:
        return f"visit {self.pk}"


class DisplayPair(models.Model):
    """Two pictures of one place, before and after, of a settled clue. On walls only once a second person has cleared them.

    The pictures are as the centre drew them anew from what was handed in: no place, device or time is hidden in them.
    """

    office = models.CharField(max_length=6)
    clue = models.ForeignKey("supervision.Clue", on_delete=models.PROTECT, related_name="+")
    #: JPEG
    before = models.BinaryField()
    after = models.BinaryField()
    before_on = models.DateField()
    after_on = models.DateField()
    made_at = models.DateTimeField()
    made_by = models.CharField(max_length=150)
    cleared_at = models.DateTimeField(null=True)
    cleared_by = models.CharField(max_length=150, blank=True)
    #: visitors may see it, too
    for_visitors = models.BooleanField(default=False)
    withdrawn_at = models.DateTimeField(null=True)
    withdrawn_by = models.CharField(max_length=150, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=Q(after_on__gte=F("before_on")), name="pair_forward"),
            models.CheckConstraint(
                condition=Q(cleared_at=None) | ~Q(cleared_by=F("made_by")), name="pair_cleared_by_another"
            ),
        ]

    def __str__(self) -> str:
        return f"pair {self.pk}"
