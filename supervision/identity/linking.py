"""Which records speak of the same thing: candidate pairs, how far each pair agrees, what the agreement weighs.

The method is Fellegi and Sunter's (1969): a pair's score is the sum over its columns of ``log2(m / u)``, where ``m`` is how
often records of one thing agree so far and ``u`` how often records of two things do. ``u`` of an equal value is that
value's own share in the data, so that two 李伟 weigh little and two 者迎祥 much. ``m`` is given by the model or estimated
from the data (``estimate``). Everything is columns: no loop runs over records or pairs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import polars as pl
from numpy.typing import NDArray
from rapidfuzz.distance import OSA, JaroWinkler
from rapidfuzz.process import cpdist

Codes: TypeAlias = NDArray[np.uint32]
Rows: TypeAlias = NDArray[np.int64]
Levels: TypeAlias = NDArray[np.uint8]
Weights: TypeAlias = NDArray[np.float64]

_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)
#: level 0: a side is empty and the column says nothing; 1: equal; then the near levels; last: different
EMPTY, EQUAL = 0, 1


@dataclass(frozen=True)
class Near:
    """One way of being almost equal.

    ``same``: another column (a spelling by sound, say) is equal. ``edits``: at most ``limit`` characters changed, left
    out, added or swapped. ``similar``: Jaro and Winkler's similarity is at least ``limit`` (0 to 1).
    """

    kind: Literal["same", "edits", "similar"]
    limit: float = 0
    column: str = ""


@dataclass(frozen=True)
class Comparison:
    """One column, its near levels from best to worst and, where known, ``m`` of every level (equal, near …, different)."""

    column: str
    near: tuple[Near, ...] = ()
    m: tuple[float, ...] = ()

    @property
    def levels(self) -> int:
        return len(self.near) + 2


@dataclass(frozen=True)
class LinkModel:
    """What is compared, and which columns two records must share to be compared at all.

    A block whose value stands in more than ``cap`` records says nothing about any two of them and is left out.
    """

    comparisons: tuple[Comparison, ...]
    blocks: tuple[tuple[str, ...], ...]
    cap: int = 100


@dataclass(frozen=True)
class Links:
    """Pairs of rows (``left < right``), the score of each in bits, and the level of each comparison."""

    left: Rows
    right: Rows
    score: Weights
    levels: dict[str, Levels]

    def __len__(self) -> int:
        return len(self.left)


class Columns:
    """The records as codes: equal values have equal codes, 0 stands for an empty one."""

    def __init__(self, records: pl.DataFrame) -> None:
        self.records = records
        self._codes: dict[str, Codes] = {}
        self._values: dict[str, pl.Series] = {}

    def __len__(self) -> int:
        return self.records.height

    def codes(self, column: str) -> Codes:
        if column not in self._codes:
            values = self.records[column]
            distinct = values.drop_nulls().unique(maintain_order=True)
            known = pl.DataFrame({column: distinct, "code": np.arange(1, len(distinct) + 1, dtype=np.uint32)})
            found = values.to_frame().join(known, on=column, how="left", maintain_order="left")["code"]
            self._codes[column], self._values[column] = found.fill_null(0).to_numpy(), distinct
        return self._codes[column]

    def values(self, column: str, codes: NDArray[np.uint64]) -> pl.Series:
        self.codes(column)
        return self._values[column].gather(codes.astype(np.int64) - 1)

    def shares(self, column: str) -> Weights:
        """Share of every code among the records that have a value; 1 for the empty one."""
        counts = np.bincount(self.codes(column), minlength=1).astype(np.float64)
        shares: Weights = counts / max(counts[1:].sum(), 1)
        shares[0] = 1
        return shares


def candidates(columns: Columns, model: LinkModel) -> list[NDArray[np.uint64]]:
    """Pairs of every block, each pair as ``left << 32 | right``."""
    return [_pairs(columns, block, model.cap) for block in model.blocks]


def _pairs(columns: Columns, block: Sequence[str], cap: int) -> NDArray[np.uint64]:
    rows = np.arange(len(columns), dtype=np.uint64)
    key = np.zeros(len(columns), np.uint64)
    for name in block:
        codes = columns.codes(name)[rows.astype(np.int64)]
        full = codes > 0
        rows, key = rows[full], key[full] * np.uint64(0x9E3779B97F4A7C15) + codes[full]
    order = np.argsort(key, kind="stable")
    rows, key = rows[order], key[order]
    begins = (
        np.flatnonzero(np.concatenate(([True], key[1:] != key[:-1]))) if len(key) else np.empty(0, np.int64)
    )
    sizes = np.diff(np.append(begins, len(key)))
    kept = np.repeat((sizes > 1) & (sizes <= cap), sizes)
    rows, key = rows[kept], key[kept]
    found = []
    for apart in range(1, cap):
        same = np.flatnonzero(key[apart:] == key[:-apart]) if apart < len(key) else np.empty(0, np.int64)
        if not len(same):
            break
        found.append((rows[same] << _HALF) | rows[same + apart])
    pairs = np.concatenate(found) if found else np.empty(0, np.uint64)
    return pairs[_agree(columns, block, pairs)]


def _agree(columns: Columns, block: Sequence[str], pairs: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether the block's columns are really equal: its mixed key may meet by chance."""
    left, right = _split(pairs)
    good = np.ones(len(pairs), np.bool_)
    for name in block:
        codes = columns.codes(name)
        good &= codes[left] == codes[right]
    return good


def _split(pairs: NDArray[np.uint64]) -> tuple[Rows, Rows]:
    return (pairs >> _HALF).astype(np.int64), (pairs & _LOW).astype(np.int64)


def compare(columns: Columns, comparison: Comparison, left: Rows, right: Rows) -> Levels:
    """How far each pair agrees in one column. Equal pairs of values are measured once."""
    codes = columns.codes(comparison.column)
    a, b = codes[left], codes[right]
    levels = np.full(len(left), comparison.levels, np.uint8)
    levels[(a == 0) | (b == 0)] = EMPTY
    levels[(a == b) & (a > 0)] = EQUAL
    open_ = np.flatnonzero(levels == comparison.levels)
    if not comparison.near or not len(open_):
        return levels
    a, b = a[open_].astype(np.uint64), b[open_].astype(np.uint64)
    distinct, place = np.unique((np.minimum(a, b) << _HALF) | np.maximum(a, b), return_inverse=True)
    first, second = (
        columns.values(comparison.column, side).to_list() for side in (distinct >> _HALF, distinct & _LOW)
    )
    measured: dict[str, NDArray[np.float32]] = {}
    for number, near in reversed(list(enumerate(comparison.near, EQUAL + 1))):
        if near.kind == "same":
            other = columns.codes(near.column)
            meets = (other[left[open_]] == other[right[open_]]) & (other[left[open_]] > 0)
        else:
            if near.kind not in measured:
                scorer = OSA.distance if near.kind == "edits" else JaroWinkler.similarity
                measured[near.kind] = cpdist(first, second, scorer=scorer, workers=-1)
            by_value = measured[near.kind]
            meets = (by_value <= near.limit if near.kind == "edits" else by_value >= near.limit)[place]
        levels[open_[meets]] = number
    return levels


@dataclass(frozen=True)
class Chances:
    """``m`` and ``u`` of every level of every comparison of a model, in the model's order."""

    m: tuple[Weights, ...]
    u: tuple[Weights, ...]


#: pairs drawn to see how often records of two things agree, and pairs of one block that the estimate of m looks at
_DRAWN, _LOOKED_AT, _ROUNDS = 400_000, 1_000_000, 15
#: pairs drawn for every record where there are few
_DRAWN_EACH = 20
_LEAST = 1e-9


def chances(
    columns: Columns, model: LinkModel, blocks: Sequence[NDArray[np.uint64]], *, seed: int = 1969
) -> Chances:
    """``u`` from pairs drawn at random (equality from the shares of the values); ``m`` from the model, or estimated."""
    draw = np.random.default_rng(seed)
    drawn = min(_DRAWN, _DRAWN_EACH * len(columns))
    left, right = draw.integers(0, max(len(columns), 1), (2, drawn))
    left, right = left[left != right], right[left != right]
    u = tuple(_by_chance(columns, comparison, left, right) for comparison in model.comparisons)
    if all(c.m for c in model.comparisons):
        return Chances(tuple(np.array(c.m) for c in model.comparisons), u)
    return Chances(_estimate(columns, model, blocks, u), u)


def _by_chance(columns: Columns, comparison: Comparison, left: Rows, right: Rows) -> Weights:
    levels = compare(columns, comparison, left, right)
    share: Weights = np.bincount(levels, minlength=comparison.levels + 1)[1:].astype(np.float64)
    share += 0.5
    share /= share.sum()
    share[0] = max(float((columns.shares(comparison.column)[1:] ** 2).sum()), _LEAST)
    share /= share.sum()
    return share


def _estimate(
    columns: Columns, model: LinkModel, blocks: Sequence[NDArray[np.uint64]], u: tuple[Weights, ...]
) -> tuple[Weights, ...]:
    """Expectation and maximisation within each block over the columns that the block does not fix.

    Pairs of one pattern of levels count together, so a round costs the number of patterns, not of pairs.
    """
    sums: list[Weights] = [np.zeros(c.levels) for c in model.comparisons]
    for block, pairs in zip(model.blocks, blocks, strict=True):
        looked = pairs[:: len(pairs) // _LOOKED_AT + 1]
        left, right = _split(looked)
        free = [n for n, c in enumerate(model.comparisons) if c.column not in block]
        levels = [compare(columns, model.comparisons[n], left, right) for n in free]
        if not len(looked) or not free:
            continue
        pattern = np.zeros(len(looked), np.int64)
        for level in levels:
            pattern = pattern * 16 + level
        _, first, count = np.unique(pattern, return_index=True, return_counts=True)
        matches, found = _maximise([level[first] for level in levels], count, [u[n] for n in free])
        for n, m in zip(free, found, strict=True):
            sums[n] += m * matches
    return tuple(_given_or(c, s) for c, s in zip(model.comparisons, sums, strict=True))


def _given_or(comparison: Comparison, estimated: Weights) -> Weights:
    if comparison.m:
        return np.array(comparison.m)
    if estimated.sum() > 0:
        shares: Weights = estimated / estimated.sum()
        return shares
    return np.array([0.9, *[0.1 / (comparison.levels - 1)] * (comparison.levels - 1)])


def _maximise(
    levels: list[Levels], count: NDArray[np.int64], u: list[Weights]
) -> tuple[float, list[Weights]]:
    """How many of the counted pairs are matches, and ``m`` of each column."""
    share = 0.5
    m = [np.array([0.9, *[0.1 / (len(x) - 1)] * (len(x) - 1)]) for x in u]
    apart = _product(levels, u)
    for _ in range(_ROUNDS):
        together = share * _product(levels, m)
        weight = count * together / (together + (1 - share) * apart)
        share = float(np.clip(weight.sum() / count.sum(), 1e-4, 1 - 1e-4))
        for n, level in enumerate(levels):
            m[n] = np.bincount(level, weights=weight, minlength=len(u[n]) + 1)[1:] + 0.1
            m[n] /= m[n].sum()
    return share * float(count.sum()), m


def _product(levels: list[Levels], chance: list[Weights]) -> Weights:
    product = np.ones(len(levels[0]))
    for level, each in zip(levels, chance, strict=True):
        product *= np.concatenate(([1.0], each))[level]
    return product


def score(columns: Columns, model: LinkModel, pairs: NDArray[np.uint64], known: Chances) -> Links:
    """Weigh the pairs. An equal value weighs by its own share in the data."""
    left, right = _split(pairs)
    total = np.zeros(len(pairs))
    levels: dict[str, Levels] = {}
    for comparison, m, u in zip(model.comparisons, known.m, known.u, strict=True):
        level = compare(columns, comparison, left, right)
        total += np.concatenate(([0.0], np.log2(np.maximum(m, _LEAST) / np.maximum(u, _LEAST))))[level]
        equal = np.flatnonzero(level == EQUAL)
        share = columns.shares(comparison.column)[columns.codes(comparison.column)[left[equal]]]
        total[equal] += np.log2(max(u[0], _LEAST)) - np.log2(share)
        levels[comparison.column] = level
    return Links(left, right, total, levels)


def link(records: pl.DataFrame, model: LinkModel) -> Links:
    """All candidate pairs of ``records`` with their scores, in the order of their rows."""
    columns = Columns(records)
    blocks = candidates(columns, model)
    return score(columns, model, once(blocks), chances(columns, model, blocks))


def once(blocks: Sequence[NDArray[np.uint64]]) -> NDArray[np.uint64]:
    """Every pair once, in order. (numpy's own ``unique`` hashes, which is slow for keys like these.)"""
    pairs = np.sort(np.concatenate([*blocks, np.empty(0, np.uint64)]))
    return pairs[np.concatenate(([True], pairs[1:] != pairs[:-1]))] if len(pairs) else pairs
