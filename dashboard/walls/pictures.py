"""Pictures before and after (整改前后对比): the one writer. Somebody hands a pair in, another clears it for the walls."""

from __future__ import annotations

import io
import warnings
from datetime import date, datetime

from django.db import connections
from django.utils import timezone
from PIL import Image, ImageOps, UnidentifiedImageError

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from dashboard.models import DisplayPair, Screen
from dashboard.walls import registry
from dashboard.walls.refused import WallRefused
from supervision import selectors as supervision

#: bytes of one file as handed in, pixels of its sides as kept
MOST_BYTES, LONGEST = 12 * 2**20, 1920
_MOST_PIXELS = 60_000_000
SIDES = ("before", "after")


def cleaned(body: bytes, what: tuple[str, str]) -> bytes:
    """The picture drawn anew as JPEG: upright, at most ``LONGEST`` a side, with nothing in it but what is seen.

    ``what`` names the picture in both languages. Raises ``WallRefused``.
    """
    zh, en = what
    if not body:
        raise WallRefused(400, f"请选择{zh}", f"choose the {en}")
    if len(body) > MOST_BYTES:
        raise WallRefused(
            413, f"{zh}超过 12 MB，请缩小后再传", f"the {en} is larger than 12 MB: make it smaller"
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            found = Image.open(io.BytesIO(body), formats=("JPEG", "PNG", "WEBP"))
            if found.width * found.height > _MOST_PIXELS:
                raise WallRefused(413, f"{zh}像素过大", f"the {en} has too many pixels")
            found.load()
    except (
        UnidentifiedImageError,
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombWarning,
    ) as error:
        raise WallRefused(
            400,
            f"{zh}不是可用的 JPEG、PNG 或 WebP 图片",
            f"the {en} is no readable JPEG, PNG or WebP picture",
        ) from error
    upright = ImageOps.exif_transpose(found).convert("RGB")
    upright.thumbnail((LONGEST, LONGEST))
    # Pasted onto a fresh sheet: no profile, comment or thumbnail comes along.
    sheet = Image.new("RGB", upright.size)
    sheet.paste(upright)
    held = io.BytesIO()
    sheet.save(held, "JPEG", quality=85, optimize=True)
    return held.getvalue()


def hand_in(
    *,
    by: Person,
    clue: str,
    before: bytes,
    after: bytes,
    before_on: date | None,
    after_on: date | None,
    at: datetime,
) -> DisplayPair:
    """A pair for a settled clue that the person sees. It reaches no wall before somebody else has cleared it."""
    found = supervision.settled_for_display(by, clue.strip())
    if found is None:
        raise WallRefused(
            404,
            "没有这条线索，或它尚未办结、只对本部门开放；请核对编号",
            "no such clue, or it is not settled, or open to one department only: check the number",
        )
    if before_on is None or after_on is None:
        raise WallRefused(400, "请填写两张照片的拍摄日期", "give the day of both pictures")
    if not before_on <= after_on <= timezone.localdate(at):
        raise WallRefused(
            400,
            "整改后日期应不早于整改前、不晚于今天",
            "the day after must not lie before the day before, nor ahead",
        )
    pictures = [
        cleaned(before, ("整改前照片", "picture before")),
        cleaned(after, ("整改后照片", "picture after")),
    ]
    with person_scope(by):
        made = DisplayPair.objects.create(
            office=found[1], clue_id=found[0], before=pictures[0], after=pictures[1], before_on=before_on,
            after_on=after_on, made_at=at, made_by=by.username,
        )  # fmt: skip
        _trace(by, "wall.pair_hand_in", made, at, clue=clue.strip())
    return made


def clear(*, by: Person, pair: int, seen: bool, visitors: bool, at: datetime) -> DisplayPair:
    """Let a pair onto the walls. ``seen``: the person has looked that no face, plate, name or door sign is in it."""
    if not by.may(registry.PERMISSION):
        raise WallRefused(403, "只有控制大屏的人可以核准", "only who controls the walls may clear")
    if not seen:
        raise WallRefused(
            400,
            "请先确认照片中没有人脸、车牌、姓名和门牌",
            "confirm first that no face, plate, name or door sign is seen",
        )
    with person_scope(by):
        found = _waiting(pair)
        if found.made_by == by.username:
            raise WallRefused(
                409,
                "请由另一人核准：提交人不能核准自己的照片",
                "somebody else must clear it: not who handed it in",
            )
        found.cleared_at, found.cleared_by, found.for_visitors = at, by.username, visitors
        found.save(update_fields=["cleared_at", "cleared_by", "for_visitors"])
        _trace(by, "wall.pair_clear", found, at, visitors=visitors)
        registry.poke()
    return found


def withdraw(*, by: Person, pair: int, at: datetime) -> DisplayPair:
    """Take a pair off the walls, or out of the waiting ones. Who handed it in may, and who controls the walls."""
    with person_scope(by):
        found = DisplayPair.objects.select_for_update().filter(pk=pair, withdrawn_at=None).first()
        if found is None:
            raise WallRefused(404, "没有这组照片，或已撤下", "no such pair, or it was taken down")
        if found.made_by != by.username and not by.may(registry.PERMISSION):
            raise WallRefused(
                403, "只有提交人和控制大屏的人可以撤下", "only who handed it in or controls the walls may"
            )
        found.withdrawn_at, found.withdrawn_by = at, by.username
        found.save(update_fields=["withdrawn_at", "withdrawn_by"])
        _trace(by, "wall.pair_withdraw", found, at)
        registry.poke()
    return found


def _waiting(pair: int) -> DisplayPair:
    found = (
        DisplayPair.objects.select_for_update().filter(pk=pair, cleared_at=None, withdrawn_at=None).first()
    )
    if found is None:
        raise WallRefused(409, "这组照片已核准或已撤下", "the pair was cleared or taken down already")
    return found


def _trace(by: Person, action: str, pair: DisplayPair, at: datetime, **detail: object) -> None:
    record(
        at=at, actor=by.username, office=by.office_id, action=action, object_kind="display_pair",
        object_ref=str(pair.pk), detail=detail,
    )  # fmt: skip


# ---- reading -----------------------------------------------------------------------------------------


def pairs_of(person: Person) -> list[DisplayPair]:
    """Pairs of the person's offices, the newest first, without the pictures themselves."""
    with person_scope(person):
        return list(DisplayPair.objects.select_related("clue").defer("before", "after")[:100])


def of_person(person: Person, pair: int, side: str) -> bytes | None:
    with person_scope(person):
        return _picture(pair, side)


def of_screen(screen: Screen, pair: int, side: str, *, visitors: bool) -> bytes | None:
    """A picture for a screen: cleared, its clue still one that walls may tell of, for visitors if there are any."""
    with connections["wall"].cursor() as cursor:
        cursor.execute("select for_visitors from wall_pair where id = %s", [pair])
        row = cursor.fetchone()
    if row is None or (visitors and not row[0]):
        return None
    with registry.device_scope(screen.token_digest):
        return _picture(pair, side)


def _picture(pair: int, side: str) -> bytes | None:
    found = DisplayPair.objects.filter(pk=pair).values_list(side, flat=True).first()
    return None if found is None else bytes(found)
