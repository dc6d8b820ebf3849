"""Agencies' machines: their keys, and the reach of one agency on a connection."""

from __future__ import annotations

import secrets
from collections.abc import Sequence

from django.db import connection

from chuxiong.vault.secrets import seal_secret
from supervision.models import AgencyClient
from supervision.models.exchange import SCOPES


def new_client(
    *, agency: str, agency_zh: str, key: str | None = None, scopes: Sequence[str] = SCOPES
) -> tuple[AgencyClient, str]:
    """Create a client for ``scopes``; the secret is returned once and kept sealed. The front learns of it with the next
    round."""
    secret = secrets.token_hex(32)
    key = key or f"{agency}-{secrets.token_hex(4)}"
    client = AgencyClient.objects.create(
        key=key,
        agency=agency,
        agency_zh=agency_zh,
        scopes=list(scopes),
        sealed_secret=seal_secret(bytes.fromhex(secret), f"client:{key}"),
    )
    return client, secret


def set_agency_scope(agency: str) -> None:
    """Within the current transaction the connection sees this agency's letters only."""
    with connection.cursor() as cursor:
        cursor.execute("select set_config('cx.agency', %s, true)", [agency])
