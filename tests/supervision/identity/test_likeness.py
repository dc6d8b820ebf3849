"""The most alike texts, held against every cosine taken one by one."""

from __future__ import annotations

import math
import random
import secrets
from collections import Counter

import polars as pl
import pytest

from supervision.identity.likeness import Stock


def _pairs(text: str) -> Counter[str]:
    marked = f"\x01{text}\x02"
    return Counter(marked[n : n + 2] for n in range(len(marked) - 1)) if text else Counter()


def _cosines(stock: list[str | None], word: str) -> list[float]:
    counted = [_pairs(text or "") for text in stock]
    held = Counter(pair for pairs in counted for pair in pairs)
    weight = {p: math.log((len(stock) + 1) / (held.get(p, 0) + 1)) for p in (*held, *_pairs(word))}

    def length(pairs: Counter[str]) -> float:
        return math.sqrt(sum((n * weight[p]) ** 2 for p, n in pairs.items())) or 1e-9

    asked = _pairs(word)
    return [
        sum(n * asked[p] * weight[p] ** 2 for p, n in pairs.items()) / length(pairs) / length(asked)
        for pairs in counted
    ]


def test_the_best_are_those_of_all_cosines(capsys):
    seed = secrets.randbelow(2**31)
    with capsys.disabled():
        print(f"\nlikeness seed {seed}")
    draw = random.Random(seed)
    signs = "楚雄鑫源食品建筑工程商贸公司"
    stock = ["".join(draw.choices(signs, k=draw.randint(2, 9))) for _ in range(150)] + [None, ""]
    asked = [draw.choice(stock[:150]) for _ in range(10)] + [
        "".join(draw.choices(signs, k=5)) for _ in range(20)
    ]
    found = Stock(pl.Series("text", stock, dtype=pl.String)).alike(
        pl.Series("query", asked), most=5, least=0.2
    )
    for number, word in enumerate(asked):
        rows = found.query == number
        given = dict(zip(found.text[rows].tolist(), found.likeness[rows].tolist(), strict=True))
        every = _cosines(stock, word)
        best = sorted((s for s in every if s >= 0.2), reverse=True)[:5]
        assert sorted(given.values(), reverse=True) == pytest.approx(best, abs=1e-4)
        assert all(every[text] == pytest.approx(likeness, abs=1e-4) for text, likeness in given.items())


def test_an_empty_question_has_no_answer():
    held = Stock(pl.Series("text", ["楚雄市鑫源食品有限公司", None]))
    assert not len(held.alike(pl.Series("query", [None, ""], dtype=pl.String)).query)
