"""Drawn worlds that come in several landings: rows appear, go, and are named by mentions and relations."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from django.db import connections
from django.utils import timezone

from ingestion.catalog.seals import CASE_QUERY, KINDS
from ingestion.intake import merge
from ingestion.models import Batch, Landing
from ingestion.selectors import catalog
from supervision.matching.run import reach_of
from tests.supervision.rulebook.pool import fill, ref

Row = dict[str, Any]


@dataclass
class World:
    """``rows`` are visible at the last landing, with what the interpreter wants beside the feeds' own."""

    last: int
    rows: dict[str, list[Row]]
    feeds: set[str]
    covers: tuple[dict[str, date | None], dict[str, date | None]] = field(default=({}, {}))
    #: rows (by identity) that the pool has sealed, and as what
    seals: dict[int, str] = field(default_factory=dict)

    def seen_by(self, rule: Any) -> dict[str, list[Row]]:
        """What a run of the rule sees: of sealed rows those of its own purpose and department."""
        reach = reach_of(rule)

        def open_to(row: Row) -> bool:
            kind = KINDS.get(self.seals.get(id(row), ""))
            return kind is None or (
                kind.purpose == reach.purpose != CASE_QUERY and kind.department in ("", reach.department)
            )

        return {feed: [row for row in rows if open_to(row)] for feed, rows in self.rows.items()}


def landed(draw: random.Random, rows: Mapping[str, list[Row]], *, role: str = "", kind: str = "") -> World:
    """Fill the pool: landing 1 holds most rows, each feed has a landing of its own behind it, then the spine's.

    ``role``: some accidents are told whom they mean; ``kind``: some of the people are related.
    """
    listed = {feed: list(rows[feed]) for feed in sorted(rows)}
    fill(listed)
    feeds = list(listed)
    last = len(feeds) + 2
    with connections["owner"].cursor() as cursor:
        cursor.execute(
            "truncate ingestion_touch; truncate supervision_mention; truncate supervision_relation;"
            " truncate ingestion_landing, ingestion_batch restart identity cascade"
        )
        _landings(["first", *feeds, "spine"])
        number, kept, seals = 0, {}, {}
        for landing, feed in enumerate(feeds, start=2):
            kept[feed] = []
            sealed = {}
            if catalog()[feed].seals:
                cursor.execute(f'select natural_hash, seal from pool."{feed}" where seal is not null')
                sealed = {bytes(key): seal for key, seal in cursor.fetchall()}
            for row in listed[feed]:
                number += 1
                if seal := sealed.get(number.to_bytes(16, "big")):
                    seals[id(row)] = seal
                since, until = draw.choice([(1, None), (1, None), (1, landing), (landing, None)])
                cursor.execute(
                    f'update pool."{feed}" set from_landing = %s, to_landing = %s where natural_hash = %s',
                    [since, until, number.to_bytes(16, "big")],
                )
                if until is None:
                    kept[feed].append(row)
                if role and feed == "ps_traffic_accident":
                    _mention(cursor, draw, kept, feed, row, role, number, until is None, last)
        if kind:
            kept["supervision_relation"] = _relations(cursor, draw, kind, last)
        for landing, feed in enumerate(feeds, start=2):
            merge._touch(cursor, catalog()[feed], landing)
        cursor.execute(
            "insert into ingestion_touch (landing, feed, kind, ref, cause) values (%s, '', 'person', %s, 'identity')",
            [last, str(ref("P1"))],
        )
    return World(last, kept, set(feeds), seals=seals)


def _landings(feeds: list[str]) -> None:
    for number, feed in enumerate(feeds, start=1):
        batch = Batch.objects.using("owner").create(
            feed=feed, file_name="f", digest=str(number), size=1, received_at=timezone.now(), received_by="t"
        )
        Landing.objects.using("owner").create(number=number, feed=feed, batch=batch, landed_at=timezone.now())


def _mention(
    cursor: Any, draw: random.Random, kept: dict[str, list[Row]], feed: str, row: Row, role: str, number: int,
    seen: bool, last: int,
) -> None:  # fmt: skip
    """Half the rows mention somebody; of those some were thought to mean another before the spine's landing."""
    if draw.random() < 0.5:
        return
    told = []
    if draw.random() < 0.3:
        told.append(("P1", "D", 1, last))
    subject, tier = f"P{draw.randint(1, 4)}", draw.choice("BCDJ")
    told.append((subject, tier, last if told else draw.choice([1, last]), None))
    for who, how, since, until in told:
        cursor.execute(
            "insert into supervision_mention (kind, name, feed, role, natural_hash, record_landing, first_landing,"
            " subject, tier, score, reasons, from_landing, to_landing)"
            " values ('person', '甲', %s, %s, %s, 1, 1, %s, %s, 1, '[]', %s, %s)",
            [feed, role, number.to_bytes(16, "big"), str(ref(who)), how, since, until],
        )
    if seen:
        kept.setdefault("supervision_mention", []).append(
            {"row": row, "role": role, "subject": subject, "tier": tier}
        )


def _relations(cursor: Any, draw: random.Random, kind: str, last: int) -> list[Row]:
    found = []
    for number in range(draw.randint(0, 5)):
        a, b = draw.sample(["P1", "P2", "P3", "P4"], 2)
        since, until = draw.choice([(1, None), (1, last), (last, None)])
        cursor.execute(
            "insert into supervision_relation (kind, a_kind, a_ref, b_kind, b_ref, via, feed, record_id, natural_hash,"
            " from_landing, to_landing) values (%s, 'person', %s, 'person', %s, '', 'x', %s, %s, %s, %s)",
            [kind, str(ref(a)), str(ref(b)), number, number.to_bytes(16, "big"), since, until],
        )
        if until is None:
            found.append({"kind": kind, "a_kind": "person", "a_ref": a, "b_kind": "person", "b_ref": b})
    return found


def landed_once() -> None:
    """A landing that everything in the pool came with."""
    _landings(["first"])
