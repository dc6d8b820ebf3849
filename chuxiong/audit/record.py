"""Leave a trace in the current transaction: if it cannot be written, the act fails."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from django.db import connections


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
) -> None:
    """Plain insert without reading back: the roles that write hold no SELECT on the table."""
    with connections[using].cursor() as cursor:
        cursor.execute(
            "insert into audit_auditevent (at, actor, office, action, object_kind, object_ref, reason, detail)"
            " values (%s, %s, %s, %s, %s, %s, %s, %s)",
            [at, actor, office, action, object_kind, object_ref, reason, json.dumps(detail or {})],
        )
