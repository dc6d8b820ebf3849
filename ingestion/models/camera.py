"""Cameras, who looked through them, and the frames that were kept. Pictures of an agency stay with the agency."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q


class Camera(models.Model):
    """One channel of a video platform, as registered with its owner's agreement."""

    class Status(models.TextChoices):
        IN_SERVICE = "in_service", "在用"
        SUSPENDED = "suspended", "暂停"
        REMOVED = "removed", "已拆除"

    #: GB/T 28181
    code = models.CharField(max_length=20, unique=True)
    name_zh = models.CharField(max_length=80)
    name_en = models.CharField(max_length=120, blank=True)
    place = models.CharField(max_length=120, blank=True)
    lon = models.FloatField(null=True)
    lat = models.FloatField(null=True)
    river = models.ForeignKey("ingestion.River", null=True, on_delete=models.SET_NULL, related_name="cameras")
    km = models.FloatField(null=True)
    county = models.CharField(max_length=6)
    owner = models.CharField(max_length=120)
    #: number of the agreement under which it may be looked through
    agreement = models.CharField(max_length=60)
    #: may be shown to visitors; by whose word
    public_approved = models.BooleanField(default=False)
    approval = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=12, choices=Status.choices)
    #: which provider plays it (``ingestion.cameras.providers``)
    provider = models.CharField(max_length=20)
    source = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(public_approved=False) | ~Q(approval=""), name="camera_public_by_whose_word"
            ),
            models.CheckConstraint(
                condition=Q(river=None) | Q(km__isnull=False), name="camera_on_a_river_has_a_mark"
            ),
        ]
        indexes = [models.Index(fields=["river", "km"], name="camera_on_line")]

    def __str__(self) -> str:
        return self.code


class CameraViewing(models.Model):
    """Who looked through which camera from when to when; opened by one ticket, once."""

    class End(models.TextChoices):
        CLOSED = "closed", "本人关闭"
        SILENT = "silent", "播放停止"
        EXPIRED = "expired", "到时"

    camera = models.ForeignKey(Camera, on_delete=models.PROTECT, related_name="viewings")
    #: the camera's county, for row-level security
    county = models.CharField(max_length=6)
    person = models.CharField(max_length=60)
    stay = models.CharField(max_length=64)
    purpose = models.CharField(max_length=20)
    #: SHA-256 of the ticket
    ticket = models.CharField(max_length=64, unique=True)
    asked_at = models.DateTimeField()
    #: the ticket may be used until then; a viewing lasts until ``expires_at``
    ticket_until = models.DateTimeField()
    expires_at = models.DateTimeField()
    opened_at = models.DateTimeField(null=True)
    #: the last time the player asked for the picture
    last_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    end = models.CharField(max_length=8, choices=End.choices, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ended_at=None) | Q(ended_at__gte=F("asked_at")), name="viewing_forward"
            ),
        ]
        indexes = [
            models.Index(fields=["camera", "-asked_at"], name="viewing_of_camera"),
            models.Index(fields=["person", "ended_at"], name="viewing_of_person"),
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.camera_id} {self.asked_at}"


class CameraFrame(models.Model):
    """A frame that somebody kept, beside the piece of the stream it was taken from. Never changed."""

    number = models.CharField(max_length=20, unique=True)
    camera = models.ForeignKey(Camera, on_delete=models.PROTECT, related_name="frames")
    viewing = models.ForeignKey(CameraViewing, on_delete=models.PROTECT, related_name="frames")
    county = models.CharField(max_length=6)
    person = models.CharField(max_length=60)
    person_name = models.CharField(max_length=60)
    taken_at = models.DateTimeField()
    #: time of the picture by the stream's clock, as the player read it
    stream_at = models.DateTimeField(null=True)
    note = models.CharField(max_length=200, blank=True)
    media_type = models.CharField(max_length=12)
    width = models.IntegerField()
    height = models.IntegerField()
    size = models.IntegerField()
    digest = models.CharField(max_length=64)
    #: the segment of the stream that the server itself gave out for this moment, and its digest
    segment = models.CharField(max_length=60)
    segment_digest = models.CharField(max_length=64)
    #: both sealed under a key of this frame, itself wrapped by the vault's
    key = models.BinaryField()
    key_id = models.CharField(max_length=40)
    sealed = models.BinaryField()
    segment_sealed = models.BinaryField()
    #: when the agreement's data were cleared: since then the three above are empty
    cleared_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["camera", "-taken_at"], name="frame_of_camera")]

    def __str__(self) -> str:
        return self.number
