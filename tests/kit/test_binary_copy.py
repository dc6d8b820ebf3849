"""What is written for a binary COPY is what the database then holds."""

from __future__ import annotations

import random
import secrets
import uuid
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from django.db import connections

from chuxiong.kit.binary_copy import binary_copy

TYPES = {
    "line": "integer", "digest": "bytea", "name": "text", "ref": "uuid", "other": "uuid", "cents": "bigint",
    "share": "double precision", "minor": "boolean", "day": "date", "moment": "timestamp with time zone", "found": "jsonb",
    "remark": "text", "alone": "boolean",
}  # fmt: skip


def _frame(draw: random.Random, height: int) -> pl.DataFrame:
    def some(value: object) -> object:
        return value if draw.random() < 0.7 else None

    texts = ["", "甲乙丙", 'a\tb\\N\n"c",', "𠮷野", "x" * 3_000, "\\."]
    day = date(2000, 1, 1)
    return pl.DataFrame(
        {
            "line": list(range(height)),
            "digest": [draw.randbytes(16) for _ in range(height)],
            "name": [some(draw.choice(texts)) for _ in range(height)],
            "ref": [str(uuid.UUID(bytes=draw.randbytes(16))) for _ in range(height)],
            "other": [some(str(uuid.UUID(bytes=draw.randbytes(16)))) for _ in range(height)],
            "cents": [some(draw.randrange(-(2**63), 2**63)) for _ in range(height)],
            "share": [some(draw.choice([0.1, -1e300, 5e-324, 0.0])) for _ in range(height)],
            "minor": [some(draw.random() < 0.5) for _ in range(height)],
            "day": [some(day + timedelta(draw.randrange(-60_000, 60_000))) for _ in range(height)],
            "moment": [
                some(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=draw.randrange(-(10**15), 4 * 10**15)))
                for _ in range(height)
            ],
            "found": [some('{"n": [1, 2], "kind": "甲"}') for _ in range(height)],
            "remark": [draw.choice(texts) for _ in range(height)],
            # One byte wide, never empty, and nothing of fixed width beside it.
            "alone": [draw.random() < 0.5 for _ in range(height)],
        },
        schema={
            "line": pl.Int64, "digest": pl.Binary, "name": pl.String, "ref": pl.String, "other": pl.String, "cents": pl.Int64,
            "share": pl.Float64, "minor": pl.Boolean, "day": pl.Date, "moment": pl.Datetime("us", "Asia/Shanghai"),
            "found": pl.String, "remark": pl.String, "alone": pl.Boolean,
        },
    )  # fmt: skip


@pytest.mark.parametrize("height", [0, 1, 2, 500, 8_193])  # the last in two parts
def test_the_database_holds_what_was_written(database: None, height: int) -> None:
    seed = secrets.randbits(32)
    print("seed", seed)
    # A slice: offsets into shared columns must not be taken for their starts.
    rows = _frame(random.Random(seed), height + 7).slice(5, height)
    with connections["owner"].cursor() as cursor:
        body = ", ".join(f"{name} {kind}" for name, kind in TYPES.items())
        cursor.execute(f"create temp table written ({body})")
        try:
            cursor.copy_expert("copy written from stdin (format binary)", binary_copy(rows, TYPES))
            listed = ", ".join(f"{n}::text" if k in ("uuid", "jsonb") else n for n, k in TYPES.items())
            cursor.execute(f"select {listed} from written order by line")
            held = [
                tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in cursor.fetchall()
            ]
        finally:
            cursor.execute("drop table written")
    assert held == rows.rows()


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (["not-a-uuid"], "uuid"),
        (["zzzzzzzz-0000-4000-8000-000000000000"], "uuid"),
        ([datetime(2026, 1, 1)], "timestamp with time zone"),
        ([1], "money"),
    ],
)
def test_what_is_none_of_its_type_is_refused_by_its_column(values: list[object], kind: str) -> None:
    with pytest.raises(ValueError, match="spoilt"):
        binary_copy(pl.DataFrame({"spoilt": values}), {"spoilt": kind})
