"""Pairs, levels and scores, held against loops in plain Python over random records."""

from __future__ import annotations

import itertools
import random
import secrets

import numpy as np
import polars as pl
import pytest
from rapidfuzz.distance import OSA, JaroWinkler

from supervision.identity.clusters import clusters, pairs_within
from supervision.identity.linking import (
    EMPTY,
    EQUAL,
    Columns,
    Comparison,
    LinkModel,
    Links,
    Near,
    candidates,
    chances,
    compare,
    link,
    once,
    score,
)
from supervision.identity.spec import linkage
from supervision.identity.spellings import sounds


@pytest.fixture
def draw(capsys) -> random.Random:
    seed = secrets.randbelow(2**31)
    with capsys.disabled():
        print(f"\nidentity seed {seed}")
    return random.Random(seed)


def _records(draw: random.Random, count: int) -> pl.DataFrame:
    signs = "李王木吉罗日伟为强"
    names = [None, *("".join(draw.choices(signs, k=draw.randint(2, 3))) for _ in range(12))]
    columns = {
        "name": names,
        "birth": [None, "19800101", "19800110", "19900101", "19910203"],
        "town": [None, "a", "b", "c"],
        "number": [None, None, *(str(n) for n in range(6))],
    }
    drawn = {column: draw.choices(values, k=count) for column, values in columns.items()}
    frame = pl.DataFrame(drawn, schema=dict.fromkeys(columns, pl.String))
    return frame.with_columns(sound=sounds(frame["name"]))


def test_candidates_are_the_pairs_that_share_a_block(draw):
    records = _records(draw, 60)
    model = LinkModel((), (("name", "birth"), ("town",), ("sound",)), cap=draw.choice([2, 5, 100]))
    found = candidates(Columns(records), model)
    for block, pairs in zip(model.blocks, found, strict=True):
        keys = records.select(block).rows()
        size = {key: keys.count(key) for key in keys}
        wanted = {
            (a << 32) | b
            for a, b in itertools.combinations(range(len(keys)), 2)
            if keys[a] == keys[b] and None not in keys[a] and size[keys[a]] <= model.cap
        }
        assert set(pairs.tolist()) == wanted
        assert len(pairs) == len(wanted)
    assert once(found).tolist() == sorted({p for pairs in found for p in pairs.tolist()})


def test_levels_are_those_of_plain_comparison(draw):
    records = _records(draw, 50)
    columns = Columns(records)
    left, right = np.array(list(itertools.combinations(range(50), 2))).T
    name = Comparison("name", (Near("same", column="sound"), Near("edits", 1), Near("similar", 0.6)))
    levels = compare(columns, name, left, right)
    rows = records.rows(named=True)
    for a, b, level in zip(left.tolist(), right.tolist(), levels.tolist(), strict=True):
        x, y = rows[a]["name"], rows[b]["name"]
        if x is None or y is None:
            expected = EMPTY
        elif x == y:
            expected = EQUAL
        elif rows[a]["sound"] == rows[b]["sound"]:
            expected = 2
        elif OSA.distance(x, y) <= 1:
            expected = 3
        else:
            expected = 4 if JaroWinkler.similarity(x, y) >= 0.6 else 5
        assert level == expected, (x, y)


def test_a_rare_name_weighs_more_than_a_common_one_and_an_empty_column_nothing():
    names = ["李伟"] * 40 + ["者迎祥", "者迎祥"] + [f"王{chr(0x4E00 + n)}" for n in range(200)]
    records = pl.DataFrame(
        {"name": names, "birth": ["19800101"] * len(names), "town": [None] * len(names)},
        schema_overrides={"town": pl.String},
    )
    model = LinkModel(
        (Comparison("name", m=(0.9, 0.1)), Comparison("town", m=(0.8, 0.2))), (("name",),), cap=100
    )
    links = link(records, model)
    weight = {names[a]: s for a, s in zip(links.left.tolist(), links.score.tolist(), strict=True)}
    total = len(names)
    assert weight["者迎祥"] == pytest.approx(np.log2(0.9 / (2 / total)))
    assert weight["李伟"] == pytest.approx(np.log2(0.9 / (40 / total)))
    assert set(links.levels["town"].tolist()) == {EMPTY}


def test_scores_do_not_depend_on_the_order_of_the_records(draw):
    records = _records(draw, 80).with_row_index("key")
    model = linkage("person").model
    model = LinkModel(
        tuple(c for c in model.comparisons if c.column in records.columns),
        (("name", "birth"), ("sound", "birth"), ("town", "birth")),
    )

    def scored(frame: pl.DataFrame) -> dict[tuple[int, int], float]:
        columns = Columns(frame)
        blocks = candidates(columns, model)
        # What is equal by chance is counted, not drawn; near levels are drawn, and only their weights may move a little.
        links = score(columns, model, once(blocks), chances(columns, model, blocks))
        keys = frame["key"].to_list()
        return {
            tuple(sorted((keys[a], keys[b]))): s
            for a, b, s in zip(links.left.tolist(), links.right.tolist(), links.score.tolist(), strict=True)
        }  # type: ignore[misc]

    one, other = scored(records), scored(records.sample(fraction=1, shuffle=True, seed=draw.randrange(2**31)))
    assert one.keys() == other.keys()


def test_clusters_hold_what_they_promise_and_do_not_depend_on_the_order_of_links(draw):
    size = 40
    pairs = draw.sample(list(itertools.combinations(range(size), 2)), 120)
    scores = [draw.choice([5.0, 12.0, 20.0, 31.5]) for _ in pairs]
    numbers = np.array([draw.choice([0, 0, 1, 2, 3]) for _ in range(size)], np.uint32)
    same = draw.sample(pairs, 2)
    different = [p for p in draw.sample(pairs, 6) if p not in same]

    def made(order: list[int]) -> list[int]:
        left, right = (np.array([pairs[n][side] for n in order]) for side in (0, 1))
        links = Links(left, right, np.array([scores[n] for n in order]), {})
        return clusters(size, links, 12.0, numbers, same=same, different=different).tolist()

    order = list(range(len(pairs)))
    first = made(order)
    draw.shuffle(order)
    assert made(order) == first
    judged = {first[a] for a, _ in same}
    for name in set(first):
        rows = [row for row in range(size) if first[row] == name]
        assert name == rows[0], "a cluster is named by its first row"
        held = {int(numbers[row]) for row in rows} - {0}
        assert len(held) <= 1 or name in judged, "two numbers never meet unless a person says so"
    assert all(first[a] != first[b] for a, b in different)
    reach = {row: {row} for row in range(size)}
    for (a, b), s in zip(pairs, scores, strict=True):
        if s >= 12 or (a, b) in same:
            reach[a].add(b), reach[b].add(a)
    for row in range(size):
        if first[row] != row:
            assert any(first[other] == first[row] for other in reach[row] if other != row), (
                "joined by no link"
            )


def test_pairs_within_lists_every_pair_of_a_cluster_once(draw):
    cluster = np.array([draw.randrange(6) for _ in range(30)])
    wanted = sorted(
        (a << 32) | b for a, b in itertools.combinations(range(30), 2) if cluster[a] == cluster[b]
    )
    assert pairs_within(cluster).tolist() == wanted
