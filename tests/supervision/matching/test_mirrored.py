"""Relations come, end and go at landings that are long past: the mirror follows, whatever order they are written in."""

from __future__ import annotations

import random

import duckdb
from django.db import connections
from django.utils import timezone

from ingestion.mirror import files, reading, writing
from ingestion.mirror.files import MirrorFile
from ingestion.models import MirrorMark
from ingestion.selectors import catalog
from supervision.mirrored import MENTIONS, RELATIONS
from tests.conftest import acting_as
from tests.supervision.matching.landings import landed_once

_NEW = (
    "insert into supervision_relation (kind, a_kind, a_ref, b_kind, b_ref, via, feed, record_id, natural_hash,"
    " from_landing, to_landing) select 'household', 'person', gen_random_uuid(), 'person',"
    " case when g % 5 > 0 then gen_random_uuid() end, '', 'x', g, '\\x00', 1, case when g % 7 = 0 then 1 end"
    " from generate_series(1, {}) g"
)
_STEPS = (
    _NEW.format(20),
    "update supervision_relation set to_landing = 1 where to_landing is null and random() < 0.3",
    "delete from supervision_relation where random() < 0.2",
    "delete from supervision_relation",
)


def _mirrored() -> set[tuple[int, int | None]]:
    mark = MirrorMark.objects.using("owner").get(name=RELATIONS)
    listed = [MirrorFile(**f) for f in mark.files]
    if not any(f.kind == "rows" for f in listed):
        return set()
    with duckdb.connect() as engine:
        found = engine.sql(
            f"select id, to_landing from ({files.with_ends(RELATIONS, listed, 'id')})"
        ).fetchall()
    assert len(found) == len(set(found)), "a version stands twice"
    return set(found)


def test_the_mirror_of_relations_is_the_table_after_every_change(database):
    seed = random.SystemRandom().randrange(2**32)
    print("seed", seed)
    draw = random.Random(seed)
    landed_once()
    for _ in range(14):
        step = draw.choices(_STEPS, weights=[6, 5, 3, 1])[0]
        with connections["owner"].cursor() as cursor:
            cursor.execute("select setseed(%s)", [draw.random()])
            cursor.execute(step)
            cursor.execute("select id, to_landing from supervision_relation where b_ref is not null")
            held = set(cursor.fetchall())
        with acting_as("worker"):
            writing.bring_up(RELATIONS, catalog(), at=timezone.now(), compact=draw.random() < 0.2)
            assert _mirrored() == held, step
            again = writing.bring_up(RELATIONS, catalog(), at=timezone.now())
            assert (again.rows, again.ends) == (0, 0), "nothing has changed, nothing is written"
            assert reading.check(RELATIONS, catalog()) is None


def test_mentions_tell_the_mirror_no_more_than_rules_read(database):
    landed_once()
    with acting_as("worker"):
        writing.bring_up(MENTIONS, catalog(), at=timezone.now())
        relations = reading.relations(
            [MENTIONS], catalog(), landing=1, offices=["532301"], purpose="", department=""
        )
    with duckdb.connect() as engine:
        assert engine.sql(relations[MENTIONS]).columns == [
            "id", "feed", "role", "natural_hash", "subject", "tier", "from_landing", "to_landing",
        ]  # fmt: skip
