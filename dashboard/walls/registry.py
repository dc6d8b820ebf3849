"""The register of screens and their pairing: the one writer.

A player that nobody knows shows a code. Somebody who may control the walls types it beside the screen it is to be; the
player then receives a token of its own, which opens that screen and nothing else.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from chuxiong.accounts.models import Person
from chuxiong.accounts.scope import person_scope
from chuxiong.audit.record import record
from chuxiong.work.bell import publish_to
from dashboard.models import Pairing, Screen, ScreenState, WallGroup
from dashboard.walls import programme
from dashboard.walls.refused import WallRefused
from dashboard.walls.settings import switching

#: who may control walls
PERMISSION = "wall.control"
#: the channel group that every screen listens to
SCREENS = "screens"
_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"
_CODE = 6


def digest(secret: str) -> str:
    return hashlib.sha256(f"screen:{secret}".encode()).hexdigest()


@contextmanager
def device_scope(token_digest: str) -> Iterator[None]:
    """Open a transaction that reaches one screen: its own row, state, health, and the acts it takes part in."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select current_setting('cx.screen', true)")
        before = cursor.fetchone()[0] or ""
        cursor.execute("select set_config('cx.screen', %s, true)", [token_digest])
        yield
        cursor.execute("select set_config('cx.screen', %s, true)", [before])


def screen_of(token: str) -> Screen | None:
    """The screen of a player's token; its row is all that the token opens."""
    if not token:
        return None
    found = digest(token)
    with device_scope(found):
        return Screen.objects.filter(token_digest=found).first()


def again(screen: Screen) -> Screen | None:
    """The screen as it is now; None when its token was taken away."""
    with device_scope(screen.token_digest):
        return Screen.objects.filter(pk=screen.pk, token_digest=screen.token_digest).first()


def poke(screens: list[int] | None = None) -> None:
    """Tell screens to look again, after commit; numbers only."""
    transaction.on_commit(lambda: publish_to(SCREENS, "screens.changed", screens=screens))


# ---- the register ------------------------------------------------------------------------------------


def _trace(by: Person, action: str, kind: str, ref: str, at: datetime, office: str, **detail: Any) -> None:
    record(
        at=at,
        actor=by.username,
        office=office,
        action=action,
        object_kind=kind,
        object_ref=ref,
        detail=detail,
    )


def save_group(*, by: Person, code: str, zh: str, en: str, at: datetime) -> WallGroup:
    """Add a group of the person's own office, or rename it."""
    if not (1 <= len(code) <= 20 and code.replace("-", "").isalnum() and code.isascii()):
        raise WallRefused(
            400, "屏组代号用字母和数字，至多 20 位", "a group's code: letters and digits, 20 at most"
        )
    if not zh.strip():
        raise WallRefused(400, "请填写屏组名称", "give the group a name")
    with person_scope(by):
        group, _made = WallGroup.objects.update_or_create(
            code=code,
            office_id=by.office_id,
            defaults={"name_zh": zh.strip()[:40], "name_en": (en.strip() or zh.strip())[:80]},
        )
        _trace(by, "wall.group", "wall_group", code, at, by.office_id)
    return group


_SIZES = {
    "width_px": ("宽度（像素）", "width in pixels", 640, 16384, int),
    "height_px": ("高度（像素）", "height in pixels", 360, 16384, int),
    "pitch_mm": ("点距（毫米）", "pitch in millimetres", 0.05, 50, float),
    "distance_m": ("最远观看距离（米）", "farthest reader in metres", 0.3, 200, float),
}


def save_screen(*, by: Person, code: str, group: str, fields: dict[str, str], at: datetime) -> Screen:
    """Add a screen, or change what is known of it. Raises ``WallRefused`` naming the field and the cure."""
    code = code.strip().upper()
    if not (1 <= len(code) <= 12 and code.replace("-", "").isalnum() and code.isascii()):
        raise WallRefused(
            400, "屏幕编号用字母和数字，至多 12 位，如 A1", "a screen's code: letters and digits, as A1"
        )
    values: dict[str, Any] = {}
    for name, (zh, en, least, most, kind) in _SIZES.items():
        try:
            value = kind(fields.get(name, ""))
        except ValueError as error:
            raise WallRefused(400, f"{zh}应为数字", f"{en} must be a number") from error
        if not least <= value <= most:
            raise WallRefused(
                400, f"{zh}应在 {least} 到 {most} 之间", f"{en} must lie between {least} and {most}"
            )
        values[name] = value
    language = fields.get("language", Screen.Language.ZH)
    if language not in Screen.Language.values:
        raise WallRefused(400, "没有这种语言", "no such language")
    with person_scope(by):
        found = WallGroup.objects.filter(code=group).first()
        if found is None:
            raise WallRefused(400, "请选择屏组", "choose a group")
        taken = Screen.objects.filter(code=code).exclude(office=found.office_id).exists()
        if taken:
            raise WallRefused(409, f"编号 {code} 已用于别的院", f"{code} is another office's")
        screen, made = Screen.objects.update_or_create(
            code=code,
            defaults=values
            | {
                "group": found,
                "office": found.office_id,
                "name_zh": (fields.get("name_zh", "").strip() or code)[:40],
                "name_en": (fields.get("name_en", "").strip() or code)[:80],
                "language": language,
            },
        )
        if made:
            ScreenState.objects.create(
                screen=screen, before=dict(programme.RESTING), after=dict(programme.RESTING)
            )
        _trace(by, "screen.register" if made else "screen.change", "screen", code, at, screen.office)
        poke([screen.pk])
    return screen


def set_service(*, by: Person, code: str, on: bool, at: datetime) -> Screen:
    """Say that a screen is switched off by hand (and so shows nothing to anybody), or back."""
    with person_scope(by):
        screen = own(code)
        screen.in_service = on
        screen.save(update_fields=["in_service"])
        _trace(by, "screen.service", "screen", code, at, screen.office, on=on)
        poke()
    return screen


def own(code: str) -> Screen:
    """The screen within the present scope, locked. Raises ``WallRefused``."""
    screen = Screen.objects.select_for_update().filter(code=code).first()
    if screen is None:
        raise WallRefused(404, "没有这块屏，或不在您的范围内", "no such screen within your scope")
    return screen


# ---- pairing -----------------------------------------------------------------------------------------


def offer(*, at: datetime) -> tuple[str, str]:
    """(code to show, secret of the player's browser). What has expired is cleared on the way."""
    code = "".join(secrets.choice(_LETTERS) for _ in range(_CODE))
    secret = secrets.token_urlsafe(32)
    with transaction.atomic():
        Pairing.objects.filter(expires_at__lt=at).delete()
        if Pairing.objects.count() >= switching().pairings_most.value:
            raise WallRefused(
                429, "等待配对的屏幕过多，请稍后刷新", "too many screens wait to be paired; try again later"
            )
        Pairing.objects.create(
            code_digest=digest(code),
            secret_digest=digest(secret),
            created_at=at,
            expires_at=at + timedelta(minutes=switching().pairing_minutes.value),
        )
    return code, secret


def pair(*, by: Person, screen: str, code: str, at: datetime) -> Screen:
    """Bind the player that shows ``code`` to a screen; a player bound before is cut off when the new one comes."""
    plain = code.strip().upper().replace(" ", "").replace("-", "")
    with person_scope(by):
        wanted = own(screen)
        found = (
            Pairing.objects.select_for_update()
            .filter(code_digest=digest(plain), expires_at__gt=at, screen=None)
            .first()
        )
        if found is None:
            raise WallRefused(
                409,
                "没有屏幕正在显示这个配对码，或已过期；请看屏幕上现在的码",
                "no screen shows this code, or it has expired; look at the code on the screen now",
            )
        found.screen = wanted
        found.save(update_fields=["screen"])
        wanted.paired_by = by.username
        wanted.save(update_fields=["paired_by"])
        _trace(by, "screen.pair", "screen", screen, at, wanted.office)
    return wanted


def collect(secret: str, *, at: datetime) -> tuple[str, str] | None:
    """What a waiting player gets: (token, screen's code) once it is bound; None while it waits.

    Raises ``WallRefused`` when the offer has expired.
    """
    with transaction.atomic():
        found = (
            Pairing.objects.select_for_update()
            .filter(secret_digest=digest(secret), expires_at__gt=at)
            .first()
            if secret
            else None
        )
        if found is None:
            raise WallRefused(410, "配对码已过期", "the pairing code has expired")
        if found.screen_id is None:
            return None
        token = secrets.token_urlsafe(32)
        with connection.cursor() as cursor:
            # The player knows no office yet: the one function that may write a token does it for the bound screen.
            cursor.execute("select dashboard_take_token(%s, %s, %s)", [digest(secret), digest(token), at])
            code = cursor.fetchone()[0]
        record(at=at, actor=f"screen:{code}", action="screen.paired", object_kind="screen", object_ref=code)
    return token, code


def unpair(*, by: Person, code: str, at: datetime) -> Screen:
    """Take the player's token away; it shows a pairing code from its next question on."""
    with person_scope(by):
        screen = own(code)
        screen.token_digest, screen.paired_at = "", None
        screen.save(update_fields=["token_digest", "paired_at"])
        _trace(by, "screen.unpair", "screen", code, at, screen.office)
        poke([screen.pk])
    return screen


def now_ms() -> int:
    return int(timezone.now().timestamp() * 1000)
