"""What pages may read of cameras, within the scope of the person who asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from ingestion.cameras.policy import policy
from ingestion.cameras.viewing import image_of, stopped
from ingestion.models import Camera, CameraFrame, CameraViewing


@dataclass(frozen=True)
class CameraRow:
    """A camera and, in both languages, why it may not be looked through now (None: it may)."""

    camera: Camera
    stopped: tuple[str, str] | None


@dataclass(frozen=True)
class ViewingRow:
    """Who looked from when to when; ``until`` None while somebody is looking."""

    viewing: CameraViewing
    until: datetime | None


def cameras(person: Person, *, at: datetime, codes: Sequence[str] | None = None) -> list[CameraRow]:
    """The cameras within the person's offices, in the order of county, river and mark; or only those of ``codes``."""
    with person_scope(person):
        found = Camera.objects.select_related("river").exclude(status="removed")
        if codes is not None:
            found = found.filter(code__in=codes)
        return [
            CameraRow(camera, stopped(camera, at=at))
            for camera in found.order_by("county", "river", "km", "code")
        ]


def camera(person: Person, code: str, *, at: datetime) -> CameraRow | None:
    with person_scope(person):
        found = Camera.objects.select_related("river").filter(code=code).first()
        return CameraRow(found, stopped(found, at=at)) if found else None


def viewings(person: Person, code: str, *, at: datetime, most: int = 20) -> list[ViewingRow]:
    """The latest viewings of a camera, newest first; those never opened are left out."""
    silent = at - timedelta(seconds=policy().silent_seconds.value)
    with person_scope(person):
        found = CameraViewing.objects.filter(camera__code=code).exclude(opened_at=None).order_by("-asked_at")
        rows = []
        for viewing in found[:most]:
            until = viewing.ended_at
            if until is None and viewing.last_at and (viewing.last_at < silent or at >= viewing.expires_at):
                until = min(viewing.last_at, viewing.expires_at)
            rows.append(ViewingRow(viewing, until))
        return rows


def frames(person: Person, code: str = "", *, most: int = 24) -> list[CameraFrame]:
    """Kept frames within the person's offices, newest first, without their pictures."""
    with person_scope(person):
        found = CameraFrame.objects.select_related("camera").defer("sealed", "segment_sealed")
        if code:
            found = found.filter(camera__code=code)
        return list(found.order_by("-taken_at", "-pk")[:most])


def frame(person: Person, number: str) -> CameraFrame | None:
    with person_scope(person):
        return (
            CameraFrame.objects.select_related("camera", "camera__river", "viewing")
            .defer("sealed", "segment_sealed")
            .filter(number=number)
            .first()
        )


def frame_image(person: Person, number: str, *, at: datetime) -> tuple[str, bytes] | None:
    """(media type, picture) of a kept frame; the look is on record."""
    with person_scope(person):
        found = CameraFrame.objects.filter(number=number, cleared_at=None).first()
        if found is None:
            return None
        record(
            at=at,
            actor=person.username,
            office=person.office_id,
            action="camera.frame_read",
            object_kind="camera_frame",
            object_ref=number,
        )
        return found.media_type, image_of(found)
