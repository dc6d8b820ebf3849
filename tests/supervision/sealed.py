"""Rows of the pool under every seal, and under none."""

from __future__ import annotations

import random
import secrets

from django.db import connections

#: what the columns of a feed hold, and the seal its catalogue entry then means
ROWS: list[tuple[str, dict[str, bool | None], str | None]] = [
    ("pr_case", {"is_minor": True}, "minor"),
    ("pr_case", {"is_minor": False}, None),
    ("pr_case", {"is_minor": None}, None),
    ("ps_admin_penalty", {"is_minor": True}, "minor_penalty"),
    ("ps_admin_penalty", {"is_minor": False}, "penalty"),
    ("hr_pension_payment", {}, None),
]


def pool_row(feed: str, county: str | None, columns: dict[str, bool | None]) -> int:
    """A row put there by the owner; returns its number."""
    names = ["natural_hash", "row_hash", "batch_id", "row_no", "from_landing", "county", *columns]
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            f'insert into pool."{feed}" ({", ".join(names)}) values ({", ".join(["%s"] * len(names))})'
            " returning record_id",
            [secrets.token_bytes(16), b"x", 1, 1, 1, county, *columns.values()],
        )
        return int(cursor.fetchone()[0])


def sealed_evidence(draw: random.Random, offices: list[str]) -> list[list[dict[str, object]]]:
    """Evidence over rows of every seal; some of it over two."""
    single = [
        {"alias": "a", "feed": feed, "record_id": pool_row(feed, draw.choice([None, *offices]), columns)}
        for feed, columns, _seal in ROWS
    ]
    return [[one] for one in single] + [draw.sample(single, 2) for _ in range(2)]
