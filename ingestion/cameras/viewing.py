"""Tickets, viewings and frames: the one writer. Every viewing says who looked, through what, from when to when.

A ticket is a signed name in the address. It opens one viewing once, for the person and the stay it was given to,
within seconds; afterwards the address plays only while that viewing goes on.
"""

from __future__ import annotations

import hashlib
import secrets
import struct
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core import signing
from django.db import transaction
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.vault import envelope
from chuxiong.vault.keys import keys
from ingestion import agreements
from ingestion.cameras.policy import policy
from ingestion.cameras.providers import PIECE, NoSignal, StreamProvider, provider
from ingestion.models import Agreement, Camera, CameraFrame, CameraViewing

#: what a person's roles must allow, any one of them
PERMISSIONS = ("clue.enter", "order.give")
#: columns of the video feed's agreement that looking rests on
_FEED = {"vd_enforcement_video": ("channel_id", "channel_name")}
_SIGNER = signing.Signer(salt="chuxiong.camera.ticket")
#: ``last_at`` is written at most this often
_TOUCH = timedelta(seconds=3)


class ViewingRefused(Exception):
    """Not played, not kept; ``status`` is the answer's, ``zh`` and ``en`` say why and what to do."""

    def __init__(self, status: int, zh: str, en: str) -> None:
        super().__init__(zh)
        self.status, self.zh, self.en = status, zh, en


@dataclass(frozen=True)
class Ticket:
    """``token`` stands in the address of the stream; it must be opened by ``until``."""

    token: str
    viewing: int
    until: datetime
    expires_at: datetime


def stay_digest(stay: object) -> str:
    return hashlib.sha256(f"camera:{stay}".encode()).hexdigest()


def ask(*, code: str, purpose: str, by: Person, stay: object, at: datetime) -> Ticket:
    """A ticket for one viewing. Raises ``ViewingRefused``."""
    if by.permissions.isdisjoint(PERMISSIONS):
        raise ViewingRefused(403, "您的角色不能查看视频", "your roles do not allow looking at video")
    if purpose not in {p.code for p in policy().purposes}:
        raise ViewingRefused(400, "请选择查看目的", "choose the purpose")
    with person_scope(by):
        camera = Camera.objects.filter(code=code).first()
        if camera is None:
            raise ViewingRefused(404, "没有这个摄像机，或不在您的范围内", "no such camera within your scope")
        if why := stopped(camera, at=at):
            raise ViewingRefused(409, *why)
        _settle(by, at)
        nonce = secrets.token_urlsafe(24)
        viewing = CameraViewing.objects.create(
            camera=camera,
            county=camera.county,
            person=by.username,
            stay=stay_digest(stay),
            purpose=purpose,
            ticket=hashlib.sha256(nonce.encode()).hexdigest(),
            asked_at=at,
            ticket_until=at + timedelta(seconds=policy().ticket_seconds.value),
            expires_at=at + timedelta(seconds=policy().viewing_seconds.value),
        )
    return Ticket(
        _SIGNER.sign(f"{viewing.pk}.{nonce}").replace(":", "~"),
        viewing.pk,
        viewing.ticket_until,
        viewing.expires_at,
    )


def stopped(camera: Camera, *, at: datetime) -> tuple[str, str] | None:
    """Why a camera may not be looked through now, in both languages; None when it may."""
    if camera.status != Camera.Status.IN_SERVICE:
        return "摄像机已暂停或拆除", "the camera is suspended or removed"
    today = timezone.localdate(at)
    found = Agreement.objects.filter(number=camera.agreement).first()
    last = min(found.valid_to, found.ended_on or found.valid_to) if found else None
    if found is None or last is None or not found.valid_from <= today <= last:
        return (
            f"数据协议 {camera.agreement} 不在有效期内；请续签后重试",
            f"agreement {camera.agreement} is not in force; renew it first",
        )
    if not agreements.check(_FEED, on=today).allowed:
        return "视频数据协议不含本用途；请补充协议", "the video agreement does not cover this use"
    return None


def open_(token: str, *, by: Person, stay: object, at: datetime) -> str:
    """Use the ticket: the playlist of variants, and a trace of who begins to look. Once only."""
    with person_scope(by):
        viewing = _theirs(token, by, stay)
        fresh = CameraViewing.objects.filter(
            pk=viewing.pk, opened_at=None, ended_at=None, ticket_until__gte=at
        ).update(opened_at=at, last_at=at)
        if not fresh:
            if viewing.opened_at is not None:
                raise ViewingRefused(403, "播放地址只能使用一次", "a playback address works once")
            raise ViewingRefused(403, "播放地址已过期", "the playback address has expired")
        camera = viewing.camera
        try:
            codecs = provider(camera.provider).codecs(camera.code)
        except NoSignal as error:
            raise ViewingRefused(502, error.zh, error.en) from error
        record(
            at=at,
            actor=by.username,
            office=by.office_id,
            action="camera.view",
            object_kind="camera",
            object_ref=_audited(camera),
            detail={"viewing": viewing.pk, "purpose": viewing.purpose},
        )
    named = f',CODECS="{codecs}"' if codecs else ""
    return f"#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-STREAM-INF:BANDWIDTH=2000000{named}\nlive.m3u8\n"


def playlist(token: str, *, by: Person, stay: object, at: datetime) -> str:
    """The media playlist of a viewing that goes on."""
    viewing = _going_on(token, by, stay, at)
    try:
        return provider(viewing.camera.provider).playlist(viewing.camera.code, at.timestamp())
    except NoSignal as error:
        raise ViewingRefused(502, error.zh, error.en) from error


def piece(token: str, name: str, *, by: Person, stay: object, at: datetime) -> bytes:
    """One piece of the stream of a viewing that goes on."""
    viewing = _going_on(token, by, stay, at)
    return _piece(provider(viewing.camera.provider), viewing.camera.code, name, at)


def _piece(source: StreamProvider, code: str, name: str, at: datetime) -> bytes:
    if not PIECE.match(name):
        raise ViewingRefused(404, "没有这个片段", "no such piece")
    try:
        body = source.piece(code, name, at.timestamp())
    except NoSignal as error:
        raise ViewingRefused(502, error.zh, error.en) from error
    if body is None:
        raise ViewingRefused(404, "片段已过时", "the piece is no longer there")
    return body


def close(token: str, *, by: Person, stay: object, at: datetime) -> None:
    """The person stopped looking. Closing what has ended changes nothing."""
    with person_scope(by):
        viewing = _theirs(token, by, stay)
        _end(viewing, CameraViewing.End.CLOSED, at, at, by)


def _audited(camera: Camera) -> str:
    # Twenty digits read like an account number, which the audit strikes out.
    return f"{camera.code[:10]}-{camera.code[10:]}"


def _theirs(token: str, by: Person, stay: object) -> CameraViewing:
    """The viewing of an unaltered token, for the person and the stay it was given to."""
    try:
        pk, _dot, nonce = _SIGNER.unsign(token.replace("~", ":")).partition(".")
        number = int(pk)
    except (signing.BadSignature, ValueError) as error:
        raise ViewingRefused(403, "播放地址无效", "the playback address is not valid") from error
    viewing = CameraViewing.objects.select_related("camera").filter(pk=number).first()
    if (
        viewing is None
        or viewing.ticket != hashlib.sha256(nonce.encode()).hexdigest()
        or viewing.person != by.username
        or viewing.stay != stay_digest(stay)
    ):
        raise ViewingRefused(403, "播放地址不属于本次登录", "the playback address belongs to another sign-in")
    return viewing


def _going_on(token: str, by: Person, stay: object, at: datetime) -> CameraViewing:
    with person_scope(by):
        viewing = _theirs(token, by, stay)
        if viewing.opened_at is None or viewing.last_at is None:
            raise ViewingRefused(403, "请从播放页打开", "open it from the page")
        silent = timedelta(seconds=policy().silent_seconds.value)
        if viewing.ended_at is None and at >= viewing.expires_at:
            _end(viewing, CameraViewing.End.EXPIRED, viewing.expires_at, at, by)
        elif viewing.ended_at is None and at - viewing.last_at > silent:
            _end(viewing, CameraViewing.End.SILENT, viewing.last_at, at, by)
        over = viewing.ended_at is not None
        if not over and at - viewing.last_at >= _TOUCH:
            CameraViewing.objects.filter(pk=viewing.pk, last_at__lt=at).update(last_at=at)
    if over:
        raise ViewingRefused(403, "本次观看已结束，请重新打开", "this viewing has ended; open it again")
    return viewing


def _end(viewing: CameraViewing, why: CameraViewing.End, ended: datetime, at: datetime, by: Person) -> None:
    changed = CameraViewing.objects.filter(pk=viewing.pk, ended_at=None).update(
        ended_at=max(ended, viewing.asked_at), end=why
    )
    viewing.ended_at = viewing.ended_at or ended
    if changed and viewing.opened_at is not None:
        record(
            at=at,
            actor=by.username,
            office=by.office_id,
            action="camera.view_end",
            object_kind="camera",
            object_ref=_audited(viewing.camera),
            detail={
                "viewing": viewing.pk,
                "since": timezone.localtime(viewing.opened_at).isoformat(),
                "until": timezone.localtime(ended).isoformat(),
                "end": str(why),
            },
        )


def _settle(by: Person, at: datetime) -> None:
    """Put an end to the person's viewings whose player fell silent or whose time is up."""
    silent = at - timedelta(seconds=policy().silent_seconds.value)
    for viewing in CameraViewing.objects.select_related("camera").filter(
        person=by.username, ended_at=None, asked_at__lt=silent
    ):
        seen = viewing.last_at or viewing.asked_at
        if at >= viewing.expires_at:
            _end(viewing, CameraViewing.End.EXPIRED, min(seen, viewing.expires_at), at, by)
        elif seen < silent:
            _end(viewing, CameraViewing.End.SILENT, seen, at, by)


# ---- frames ------------------------------------------------------------------------------------------


def keep_frame(
    token: str,
    *,
    image: bytes,
    segment: str,
    stream_at: datetime | None,
    note: str,
    by: Person,
    stay: object,
    at: datetime,
) -> CameraFrame:
    """Keep a frame that the player drew, beside the segment of the stream as the server itself gives it out.

    The picture comes from a browser; what proves it is the segment, which did not pass through one. Raises
    ``ViewingRefused`` for anything that is no PNG or JPEG of a sensible size.
    """
    kind, width, height = _picture(image)
    viewing = _going_on(token, by, stay, at)
    camera = viewing.camera
    source = provider(camera.provider)
    moving = _piece(source, camera.code, segment, at)
    data_key, ring = envelope.new_data_key(), keys()
    digest = hashlib.sha256(image).hexdigest()
    number = f"HM-{timezone.localtime(at):%Y%m%d}-{secrets.token_hex(3).upper()}"
    with person_scope(by), transaction.atomic():
        frame = CameraFrame.objects.create(
            number=number,
            camera=camera,
            viewing=viewing,
            county=camera.county,
            person=by.username,
            person_name=by.name,
            taken_at=at,
            stream_at=stream_at,
            note=note[:200],
            media_type=kind,
            width=width,
            height=height,
            size=len(image),
            digest=digest,
            segment=segment,
            segment_digest=hashlib.sha256(moving).hexdigest(),
            key=ring.wrap(data_key, f"frame:{number}"),
            key_id=ring.current,
            sealed=envelope.seal_bytes(image, data_key, f"{number}:image"),
            segment_sealed=envelope.seal_bytes(moving, data_key, f"{number}:segment"),
        )
        record(
            at=at,
            actor=by.username,
            office=by.office_id,
            action="camera.frame",
            object_kind="camera_frame",
            object_ref=number,
            detail={"camera": _audited(camera), "digest": digest, "segment_digest": frame.segment_digest},
        )
    return frame


def image_of(frame: CameraFrame) -> bytes:
    """The picture as it was kept; raises ``InvalidTag`` when the row was altered."""
    data_key = keys().unwrap(bytes(frame.key), frame.key_id, f"frame:{frame.number}")
    return envelope.open_bytes(bytes(frame.sealed), data_key, f"{frame.number}:image")


def segment_of(frame: CameraFrame) -> bytes:
    """The piece of the stream behind the picture."""
    data_key = keys().unwrap(bytes(frame.key), frame.key_id, f"frame:{frame.number}")
    return envelope.open_bytes(bytes(frame.segment_sealed), data_key, f"{frame.number}:segment")


def _picture(body: bytes) -> tuple[str, int, int]:
    """(media type, width, height) of a PNG or JPEG, read from its own head."""
    limits = policy()
    if len(body) > limits.frame_bytes.value:
        most = limits.frame_bytes.value // 1048576
        raise ViewingRefused(413, f"画面超过 {most} MB", f"the frame is larger than {most} MB")
    found: tuple[str, int, int] | None = None
    if body[:8] == b"\x89PNG\r\n\x1a\n" and body[12:16] == b"IHDR" and len(body) > 33:
        found = ("image/png", *struct.unpack_from(">II", body, 16))
    elif body[:3] == b"\xff\xd8\xff":
        found = _jpeg(body)
    if found is None or not 0 < found[1] * found[2] <= limits.frame_pixels.value:
        raise ViewingRefused(400, "不是可用的画面（PNG 或 JPEG）", "not a usable frame (PNG or JPEG)")
    return found


def _jpeg(body: bytes) -> tuple[str, int, int] | None:
    at = 2
    while at + 9 < len(body) and body[at] == 0xFF:
        marker, (length,) = body[at + 1], struct.unpack_from(">H", body, at + 2)
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", body, at + 5)
            return "image/jpeg", width, height
        at += 2 + length
    return None
