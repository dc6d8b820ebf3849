"""Leave a trace in the current transaction: if it cannot be written, the act fails."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connections

from . import origin

_CITIZEN = r"[1-9]\d{5}(?:18|19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]"
_OLD_CITIZEN = r"[1-9]\d{7}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}"
_PHONE = r"1[3-9]\d{9}"
_FIRM = r"[0-9A-HJ-NPQRTUWXY]{2}\d{6}[0-9A-HJ-NPQRTUWXY]{10}"
_ACCOUNT = r"\d{16,19}"
_IDENTIFIER = re.compile(
    rf"(?<![0-9A-Za-z])(?:{_CITIZEN}|{_OLD_CITIZEN}|{_PHONE}|{_FIRM}|{_ACCOUNT})(?![0-9A-Za-z])"
)
# Full-width digits and letters are read as their plain forms; lengths stay, so positions do too.
_NARROW = {full: full - 0xFEE0 for full in range(0xFF10, 0xFF5B)}
_HIDDEN = "［已隐去］"
_LENGTHS = {"actor": 60, "office": 6, "action": 60, "object_kind": 40, "object_ref": 80, "purpose": 60}
_REASON_LENGTH = 500


class AuditUnavailable(Exception):
    """The trace could not be written, so the act was not carried out."""

    zh = "审计记录无法写入，本次操作未执行。请联系系统管理员检查审计表与磁盘后重试。"
    en = (
        "The audit record cannot be written, so nothing was done."
        " Ask the system administrator to check the audit table and the disk, then try again."
    )

    def __str__(self) -> str:
        return f"{self.zh} / {self.en}"


def record(
    *,
    at: datetime,
    actor: str,
    action: str,
    object_kind: str,
    object_ref: str,
    office: str = "",
    reason: str = "",
    detail: dict[str, Any] | None = None,
    using: str = "default",
    purpose: str = "",
    ip: str | None = None,
    device: str | None = None,
    session: str | None = None,
) -> None:
    """Plain insert without reading back: the roles that write hold no SELECT on the table.

    ``purpose`` defaults to that of the open scope, ``ip``, ``device`` and ``session`` to the current origin.
    Numbers of persons, phones, accounts and firms in any text are struck out before they are written.
    Raises ``AuditUnavailable`` when the row cannot be written, ``ValueError`` when a code is too long.
    """
    here = origin.current()
    codes = {
        "actor": actor,
        "office": office,
        "action": action,
        "object_kind": object_kind,
        "object_ref": object_ref,
        "purpose": purpose,
    }
    for name, value in codes.items():
        if len(value) > _LENGTHS[name]:
            raise ValueError(f"audit {name} longer than {_LENGTHS[name]} characters: pass a code or a number")
    values: list[Any] = [
        at,
        *(without_identifiers(value) for value in codes.values()),
        without_identifiers(reason)[:_REASON_LENGTH],
        without_identifiers(here.ip if ip is None else ip)[:45],
        without_identifiers(here.device if device is None else device)[:120],
        (here.session if session is None else session)[:16],
        json.dumps(_plain(detail or {}), ensure_ascii=False, sort_keys=True, separators=(",", ":")),
    ]
    try:
        with connections[using].cursor() as cursor:
            cursor.execute(
                "insert into audit_auditevent (at, actor, office, action, object_kind, object_ref, purpose, reason,"
                " ip, device, session, detail) values (%s, %s, %s, %s, %s, %s,"
                " coalesce(nullif(%s, ''), current_setting('cx.purpose', true), ''), %s, %s, %s, %s, %s)",
                values,
            )
    except DatabaseError as error:
        raise AuditUnavailable from error


def without_identifiers(text: str) -> str:
    """``text`` with every identifier struck out; NUL, which the database cannot hold, is dropped."""
    text = text.replace("\x00", "")
    if len(text) < 11:
        return text
    out, end = [], 0
    for found in _IDENTIFIER.finditer(text.translate(_NARROW)):
        out += [text[end : found.start()], _HIDDEN]
        end = found.end()
    return "".join(out) + text[end:] if out else text


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, bool | int | float) or value is None:
        return value
    return without_identifiers(str(value))
